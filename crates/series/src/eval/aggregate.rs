//! Aggregations over the series of a group.

use std::collections::BTreeMap;

use promql_parser::parser::{AggregateExpr, LabelModifier, token};

use super::{
    Column, Evaluator, joined,
    series_functions::{by_value, check_label},
    windows,
};
use crate::{Labels, NAME, QueryError, value};

/// The places of a group's columns.
type Groups = Vec<(Labels, Vec<usize>)>;

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &AggregateExpr,
    ) -> Result<Vec<Column>, QueryError> {
        let operator = aggregate.op.id();
        let columns = self.vector(&aggregate.expr)?;
        self.hold(columns.len() * self.steps.count)?;
        let groups = grouped(&columns, aggregate.modifier.as_ref());
        let parameter = aggregate.param.as_deref();
        let missing = || QueryError::BadData("the aggregation needs a parameter".to_owned());
        match operator {
            token::T_COUNT_VALUES => {
                let label = self.text(parameter.ok_or_else(missing)?)?;
                check_label(&label, "count_values")?;
                self.count_values(&columns, &groups, &label)
            }
            token::T_TOPK | token::T_BOTTOMK => {
                let count = self.scalar(parameter.ok_or_else(missing)?)?;
                self.best(columns, &groups, &count, operator == token::T_TOPK)
            }
            token::T_LIMITK => {
                let count = self.scalar(parameter.ok_or_else(missing)?)?;
                some(columns, &groups, &count)
            }
            token::T_QUANTILE => {
                let of = self.scalar(parameter.ok_or_else(missing)?)?;
                Ok(self.each(&columns, &groups, |step, values| windows::quantile(of[step], values)))
            }
            _ => {
                let of = plain(operator).ok_or_else(|| {
                    QueryError::unsupported(&format!("the aggregation {}", aggregate.op))
                })?;
                Ok(self.each(&columns, &groups, |_, values| of(&values)))
            }
        }
    }

    /// A function of the values of each group, step by step.
    fn each(
        &self,
        columns: &[Column],
        groups: &Groups,
        of: impl Fn(usize, Vec<f64>) -> f64,
    ) -> Vec<Column> {
        let group = |(labels, members): &(Labels, Vec<usize>)| {
            let point = |step: usize| {
                let values = members.iter().filter_map(|at| columns[*at].points[step]);
                let values: Vec<f64> = values.collect();
                (!values.is_empty()).then(|| of(step, values))
            };
            let points = (0..self.steps.count).map(point).collect();
            Column { labels: labels.clone(), points }
        };
        groups.iter().map(group).collect()
    }

    /// The largest or smallest of each group; they keep their labels.
    fn best(
        &self,
        mut columns: Vec<Column>,
        groups: &Groups,
        count: &[f64],
        largest: bool,
    ) -> Result<Vec<Column>, QueryError> {
        let mut order = Vec::new();
        for (step, count) in count.iter().enumerate() {
            let count = whole(*count)?;
            for (_, members) in groups {
                let mut there: Vec<(usize, f64)> = members
                    .iter()
                    .filter_map(|at| Some((*at, columns[*at].points[step]?)))
                    .collect();
                there.sort_by(|a, b| by_value(a.1, b.1, largest));
                for (at, _) in there.split_off(count.min(there.len())) {
                    columns[at].points[step] = None;
                }
                order.extend(there.into_iter().map(|(at, _)| at));
            }
        }
        if self.steps.count == 1 {
            // At an instant the answer is in the order of the values.
            let mut all: Vec<Option<Column>> = columns.into_iter().map(Some).collect();
            return Ok(order.into_iter().filter_map(|at| all[at].take()).collect());
        }
        columns.retain(|column| column.points.iter().any(Option::is_some));
        Ok(columns)
    }

    /// How many series have each value; the value becomes a label.
    fn count_values(
        &self,
        columns: &[Column],
        groups: &Groups,
        label: &str,
    ) -> Result<Vec<Column>, QueryError> {
        let mut all: BTreeMap<Labels, Vec<Option<f64>>> = BTreeMap::new();
        for (labels, members) in groups {
            for step in 0..self.steps.count {
                for value in members.iter().filter_map(|at| columns[*at].points[step]) {
                    let labels = labels.with(label, &value::number(value));
                    let points = all.entry(labels).or_insert_with(|| vec![None; self.steps.count]);
                    points[step] = Some(points[step].unwrap_or(0.0) + 1.0);
                }
            }
        }
        let columns = all.into_iter().map(|(labels, points)| Column { labels, points });
        joined(columns.collect())
    }
}

/// The first of each group, by labels; they keep their labels.
fn some(
    mut columns: Vec<Column>,
    groups: &Groups,
    count: &[f64],
) -> Result<Vec<Column>, QueryError> {
    for (step, count) in count.iter().enumerate() {
        let count = whole(*count)?;
        for (_, members) in groups {
            let there: Vec<usize> =
                members.iter().copied().filter(|at| columns[*at].points[step].is_some()).collect();
            for at in there.into_iter().skip(count) {
                columns[at].points[step] = None;
            }
        }
    }
    columns.retain(|column| column.points.iter().any(Option::is_some));
    Ok(columns)
}

/// How many are asked for.
fn whole(count: f64) -> Result<usize, QueryError> {
    if !(count.is_finite() && count.abs() < 9e18) {
        let why = format!("Scalar value {} overflows int64", value::number(count));
        return Err(QueryError::execution(why));
    }
    Ok(if count < 1.0 { 0 } else { count as usize })
}

fn plain(operator: u16) -> Option<fn(&[f64]) -> f64> {
    Some(match operator {
        token::T_SUM => |all| windows::sum(all.iter().copied()),
        token::T_AVG => |all| windows::mean(all.iter().copied()),
        token::T_COUNT => |all| all.len() as f64,
        token::T_GROUP => |_| 1.0,
        token::T_MIN => {
            |all| all.iter().copied().fold(f64::NAN, |a, b| if b < a || a.is_nan() { b } else { a })
        }
        token::T_MAX => {
            |all| all.iter().copied().fold(f64::NAN, |a, b| if b > a || a.is_nan() { b } else { a })
        }
        token::T_STDVAR => |all| windows::variance(all.iter().copied()),
        token::T_STDDEV => |all| windows::variance(all.iter().copied()).sqrt(),
        _ => return None,
    })
}

/// Which columns belong together, in the order of their labels.
fn grouped(columns: &[Column], modifier: Option<&LabelModifier>) -> Groups {
    let mut groups: BTreeMap<Labels, Vec<usize>> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        let labels = match modifier {
            None => Labels::default(),
            Some(LabelModifier::Include(by)) => {
                column.labels.filtered(|name| by.labels.iter().any(|label| label == name))
            }
            Some(LabelModifier::Exclude(without)) => column
                .labels
                .filtered(|name| name != NAME && !without.labels.iter().any(|label| label == name)),
        };
        groups.entry(labels).or_default().push(at);
    }
    groups.into_iter().collect()
}
