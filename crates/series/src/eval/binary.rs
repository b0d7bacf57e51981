//! Operators between two values.

use std::collections::BTreeMap;

use promql_parser::parser::{
    BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality, token,
};

use super::{Column, Evaluator, Value, joined};
use crate::{Edges, Labels, NAME, QueryError};

/// What an operator gives, and whether a filter lets it through.
type Of = fn(f64, f64) -> (f64, bool);

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &BinaryExpr) -> Result<Value, QueryError> {
        let operator = binary.op.id();
        let left = self.value(&binary.lhs)?;
        let right = self.value(&binary.rhs)?;
        let modifier = binary.modifier.as_ref();
        let filled = modifier.is_some_and(|m| m.fill_values.lhs.or(m.fill_values.rhs).is_some());
        if filled {
            return Err(QueryError::unsupported("fill()"));
        }
        if let (Value::Vector(left), Value::Vector(right)) = (&left, &right)
            && binary.op.is_set_operator()
        {
            return self.set(operator, left, right, modifier).map(Value::Vector);
        }
        let of = operation(operator)
            .ok_or_else(|| QueryError::unsupported(&format!("the operator {}", binary.op)))?;
        let rule = Rule {
            of,
            compares: binary.op.is_comparison_operator(),
            // Prometheus 2 left the name with what is no such metric any more.
            keeps_name: operator == token::T_ATAN2 && self.options.edges == Edges::Closed,
            as_bool: modifier.is_some_and(|modifier| modifier.return_bool),
        };
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let each = left.iter().zip(&right).map(|(a, b)| {
                    let (value, keep) = of(*a, *b);
                    if rule.compares { f64::from(u8::from(keep)) } else { value }
                });
                Ok(Value::Scalar(each.collect()))
            }
            (Value::Vector(columns), Value::Scalar(scalar)) => {
                rule.with_scalar(columns, &scalar, false).map(Value::Vector)
            }
            (Value::Scalar(scalar), Value::Vector(columns)) => {
                rule.with_scalar(columns, &scalar, true).map(Value::Vector)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                self.hold((left.len() + right.len()) * self.steps.count)?;
                self.matched(&rule, &left, &right, modifier).map(Value::Vector)
            }
            (Value::Text(_), _) | (_, Value::Text(_)) => Err(QueryError::BadData(
                "binary expression must contain only scalar and instant vector types".to_owned(),
            )),
        }
    }

    fn set(
        &self,
        operator: u16,
        left: &[Column],
        right: &[Column],
        modifier: Option<&BinModifier>,
    ) -> Result<Vec<Column>, QueryError> {
        let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
        let present = |columns: &[Column]| {
            let mut there: BTreeMap<Labels, Vec<bool>> = BTreeMap::new();
            for column in columns {
                let steps = there
                    .entry(signature(&column.labels, matching))
                    .or_insert_with(|| vec![false; self.steps.count]);
                for (known, point) in steps.iter_mut().zip(&column.points) {
                    *known |= point.is_some();
                }
            }
            there
        };
        let filtered = |columns: &[Column], others: &BTreeMap<Labels, Vec<bool>>, wanted: bool| {
            let mut all = Vec::new();
            for column in columns {
                let others = others.get(&signature(&column.labels, matching));
                let keep = |step: usize| others.is_some_and(|there| there[step]) == wanted;
                let points = column.points.iter().enumerate();
                let points: Vec<Option<f64>> =
                    points.map(|(step, point)| point.filter(|_| keep(step))).collect();
                if points.iter().any(Option::is_some) {
                    all.push(Column { labels: column.labels.clone(), points });
                }
            }
            all
        };
        Ok(match operator {
            token::T_LAND => filtered(left, &present(right), true),
            token::T_LUNLESS => filtered(left, &present(right), false),
            _ => {
                let mut all = left.to_vec();
                all.extend(filtered(right, &present(left), false));
                // A series that comes from the left at one step and from the right at another is one.
                return joined(all);
            }
        })
    }

    fn matched(
        &self,
        rule: &Rule,
        left: &[Column],
        right: &[Column],
        modifier: Option<&BinModifier>,
    ) -> Result<Vec<Column>, QueryError> {
        let plan = Matching::new(modifier);
        // The side of which each series stands for itself, and the one that is looked up.
        let (many, one) = if plan.swapped { (right, left) } else { (left, right) };
        let mut by_signature: BTreeMap<Labels, Vec<&Column>> = BTreeMap::new();
        for column in one {
            by_signature.entry(signature(&column.labels, plan.by)).or_default().push(column);
        }
        for (group, columns) in &by_signature {
            plan.check_one_side(group, columns, self.steps.count)?;
        }
        let mut found: BTreeMap<Labels, Vec<Option<f64>>> = BTreeMap::new();
        let mut taken: BTreeMap<Labels, Vec<bool>> = BTreeMap::new();
        for column in many {
            let group = signature(&column.labels, plan.by);
            let Some(partners) = by_signature.get(&group) else { continue };
            for partner in partners {
                let labels = plan.labels(rule, &column.labels, &partner.labels);
                let key = if plan.one_to_one { &group } else { &labels };
                let none = || vec![false; self.steps.count];
                let seen = taken.entry(key.clone()).or_insert_with(none);
                let points = found.entry(labels).or_insert_with(|| vec![None; self.steps.count]);
                for step in 0..self.steps.count {
                    let (Some(mine), Some(theirs)) = (column.points[step], partner.points[step])
                    else {
                        continue;
                    };
                    let (a, b) = if plan.swapped { (theirs, mine) } else { (mine, theirs) };
                    let Some(value) = rule.apply(a, b) else { continue };
                    if std::mem::replace(&mut seen[step], true) {
                        return Err(plan.ambiguous());
                    }
                    points[step] = Some(value);
                }
            }
        }
        found.retain(|_, points| points.iter().any(Option::is_some));
        Ok(found.into_iter().map(|(labels, points)| Column { labels, points }).collect())
    }
}

/// An operator and what becomes of its result.
struct Rule {
    of: Of,
    compares: bool,
    keeps_name: bool,
    as_bool: bool,
}

impl Rule {
    fn apply(&self, a: f64, b: f64) -> Option<f64> {
        let (value, keep) = (self.of)(a, b);
        if self.as_bool {
            return Some(f64::from(u8::from(keep)));
        }
        keep.then_some(value)
    }

    fn keeps_name(&self) -> bool {
        self.keeps_name || self.filters()
    }

    fn filters(&self) -> bool {
        self.compares && !self.as_bool
    }

    /// A filter by a number lets the series' own value through, on whichever side it stands.
    fn with_scalar(
        &self,
        columns: Vec<Column>,
        scalar: &[f64],
        swapped: bool,
    ) -> Result<Vec<Column>, QueryError> {
        let mut all = Vec::with_capacity(columns.len());
        for column in columns {
            let point = |(point, number): (&Option<f64>, &f64)| {
                let value = (*point)?;
                let result =
                    if swapped { self.apply(*number, value) } else { self.apply(value, *number) };
                if self.filters() { result.map(|_| value) } else { result }
            };
            let points: Vec<Option<f64>> = column.points.iter().zip(scalar).map(point).collect();
            if points.iter().any(Option::is_some) {
                let labels =
                    if self.keeps_name() { column.labels } else { column.labels.nameless() };
                all.push(Column { labels, points });
            }
        }
        joined(all)
    }
}

/// How series of two sides find each other.
struct Matching<'a> {
    by: Option<&'a LabelModifier>,
    include: &'a [String],
    one_to_one: bool,
    swapped: bool,
}

impl<'a> Matching<'a> {
    fn new(modifier: Option<&'a BinModifier>) -> Self {
        let none: &[String] = &[];
        let (include, one_to_one, swapped) = match modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(labels)) => {
                (labels.labels.as_slice(), false, false)
            }
            Some(VectorMatchCardinality::OneToMany(labels)) => {
                (labels.labels.as_slice(), false, true)
            }
            Some(_) | None => (none, true, false),
        };
        let by = modifier.and_then(|modifier| modifier.matching.as_ref());
        Self { by, include, one_to_one, swapped }
    }

    /// The side that is looked up must have one series a group, at every step.
    fn check_one_side(
        &self,
        group: &Labels,
        columns: &[&Column],
        steps: usize,
    ) -> Result<(), QueryError> {
        for step in 0..steps {
            let mut there = columns.iter().filter(|column| column.points[step].is_some());
            if let (Some(first), Some(second)) = (there.next(), there.next()) {
                let side = if self.swapped { "left" } else { "right" };
                return Err(QueryError::execution(format!(
                    "found duplicate series for the match group {group} on the {side} hand-side of \
                     the operation: [{}, {}];many-to-many matching not allowed: matching labels must \
                     be unique on one side",
                    second.labels, first.labels
                )));
            }
        }
        Ok(())
    }

    fn ambiguous(&self) -> QueryError {
        QueryError::execution(if self.one_to_one {
            "multiple matches for labels: many-to-one matching must be explicit \
             (group_left/group_right)"
        } else {
            "multiple matches for labels: grouping labels must ensure unique matches"
        })
    }

    fn labels(&self, rule: &Rule, mine: &Labels, theirs: &Labels) -> Labels {
        let keeps = rule.compares || rule.keeps_name;
        let mut labels = if keeps { mine.clone() } else { mine.nameless() };
        if self.one_to_one {
            labels = match self.by {
                Some(LabelModifier::Include(on)) => {
                    labels.filtered(|name| on.labels.iter().any(|label| label == name))
                }
                Some(LabelModifier::Exclude(ignored)) => {
                    labels.filtered(|name| !ignored.labels.iter().any(|label| label == name))
                }
                None => labels,
            };
        }
        for label in self.include {
            labels = labels.with(label, theirs.get(label));
        }
        if rule.as_bool { labels.nameless() } else { labels }
    }
}

/// What two series must share to be matched.
fn signature(labels: &Labels, matching: Option<&LabelModifier>) -> Labels {
    match matching {
        Some(LabelModifier::Include(on)) => {
            labels.filtered(|name| on.labels.iter().any(|label| label == name))
        }
        Some(LabelModifier::Exclude(ignored)) => labels
            .filtered(|name| name != NAME && !ignored.labels.iter().any(|label| label == name)),
        None => labels.nameless(),
    }
}

fn operation(operator: u16) -> Option<Of> {
    Some(match operator {
        token::T_ADD => |a, b| (a + b, true),
        token::T_SUB => |a, b| (a - b, true),
        token::T_MUL => |a, b| (a * b, true),
        token::T_DIV => |a, b| (a / b, true),
        token::T_MOD => |a, b| (a % b, true),
        token::T_POW => |a, b| (a.powf(b), true),
        token::T_ATAN2 => |a, b| (a.atan2(b), true),
        token::T_EQLC => |a, b| (a, a == b),
        token::T_NEQ => |a, b| (a, a != b),
        token::T_GTR => |a, b| (a, a > b),
        token::T_LSS => |a, b| (a, a < b),
        token::T_GTE => |a, b| (a, a >= b),
        token::T_LTE => |a, b| (a, a <= b),
        _ => return None,
    })
}
