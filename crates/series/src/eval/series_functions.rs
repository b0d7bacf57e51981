//! Functions of labels and of the presence and order of series.

use std::cmp::Ordering;

use promql_parser::parser::Expr;
use regex::Regex;

use super::{
    Column, Evaluator, Value, bare,
    calls::{first, nth},
    joined,
    select::matchers,
};
use crate::{Labels, NAME, QueryError, storage::Matcher};

impl Evaluator<'_> {
    pub(super) fn absent(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        let labels = labels_of(expression)?;
        let columns = self.vector(expression)?;
        let there = |step: usize| columns.iter().any(|column| column.points[step].is_some());
        Ok(Value::Vector(self.where_not(labels, there)))
    }

    pub(super) fn absent_over_time(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        let labels = labels_of(expression)?;
        let ranges = self.ranges(expression)?;
        let mut there = vec![false; self.steps.count];
        for series in &ranges.series {
            self.each_window(&series.samples, &ranges.windows, |step, _| there[step] = true)?;
        }
        Ok(Value::Vector(self.where_not(labels, |step| there[step])))
    }

    fn where_not(&self, labels: Labels, there: impl Fn(usize) -> bool) -> Vec<Column> {
        let points: Vec<Option<f64>> =
            (0..self.steps.count).map(|step| (!there(step)).then_some(1.0)).collect();
        if points.iter().all(Option::is_none) {
            Vec::new()
        } else {
            vec![Column { labels, points }]
        }
    }

    /// By value at an instant; a range query has an order of its own. NaN comes last.
    pub(super) fn sorted(&self, mut columns: Vec<Column>, descending: bool) -> Vec<Column> {
        if self.steps.count == 1 {
            columns.retain(|column| column.points[0].is_some());
            let value = |column: &Column| column.points[0].unwrap_or(f64::NAN);
            columns.sort_by(|a, b| by_value(value(a), value(b), descending));
        }
        columns
    }

    /// By the values of labels, numbers in them by value, at an instant; then by all labels.
    pub(super) fn sorted_by_labels(
        &mut self,
        arguments: &[&Expr],
        descending: bool,
    ) -> Result<Value, QueryError> {
        let mut columns = self.vector(first(arguments)?)?;
        let mut names = Vec::new();
        for argument in &arguments[1..] {
            names.push(self.text(argument)?);
        }
        columns.sort_by(|a, b| {
            let (a, b) = (&a.labels, &b.labels);
            let by_names = names.iter().map(|name| by_nature(a.get(name), b.get(name)));
            let order = by_names.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b));
            if descending { order.reverse() } else { order }
        });
        Ok(Value::Vector(columns))
    }

    pub(super) fn label_replace(&mut self, arguments: &[&Expr]) -> Result<Value, QueryError> {
        let columns = self.vector(first(arguments)?)?;
        let mut texts = Vec::new();
        for index in 1..5 {
            texts.push(self.text(nth(arguments, index)?)?);
        }
        let [target, replacement, source, pattern] = texts.as_slice() else {
            return Err(QueryError::BadData("label_replace() takes five arguments".to_owned()));
        };
        check_label(target, "label_replace")?;
        let whole = Regex::new(&format!("^(?s:{pattern})$")).map_err(|_| {
            QueryError::execution(format!(
                "invalid regular expression in label_replace(): {pattern}"
            ))
        })?;
        let replacement = braced(replacement);
        let each = columns.into_iter().map(|column| {
            let value = column.labels.get(source).to_owned();
            let Some(found) = whole.captures(&value) else { return column };
            let mut new = String::new();
            found.expand(&replacement, &mut new);
            Column { labels: column.labels.with(target, &new), points: column.points }
        });
        joined(each.collect()).map(Value::Vector)
    }

    pub(super) fn label_join(&mut self, arguments: &[&Expr]) -> Result<Value, QueryError> {
        let columns = self.vector(first(arguments)?)?;
        let target = self.text(nth(arguments, 1)?)?;
        let between = self.text(nth(arguments, 2)?)?;
        let mut sources = Vec::new();
        for argument in arguments.iter().skip(3) {
            let source = self.text(argument)?;
            check_label(&source, "label_join")?;
            sources.push(source);
        }
        check_label(&target, "label_join")?;
        let each = columns.into_iter().map(|column| {
            let values: Vec<&str> = sources.iter().map(|name| column.labels.get(name)).collect();
            let labels = column.labels.with(&target, &values.join(&between));
            Column { labels, points: column.points }
        });
        joined(each.collect()).map(Value::Vector)
    }

    pub(super) fn text(&mut self, expression: &Expr) -> Result<String, QueryError> {
        match self.value(expression)? {
            Value::Text(text) => Ok(text),
            Value::Scalar(_) | Value::Vector(_) => {
                Err(QueryError::BadData("expected type string".to_owned()))
            }
        }
    }
}

/// The order of two values; NaN is last whatever the direction.
pub(super) fn by_value(a: f64, b: f64, descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => b.total_cmp(&a),
        (false, false) => a.total_cmp(&b),
    }
}

/// Runs of digits are compared as numbers, everything else as text.
fn by_nature(mut a: &str, mut b: &str) -> Ordering {
    let cut = |text: &'_ str| {
        let digit = text.starts_with(|c: char| c.is_ascii_digit());
        text.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(text.len())
    };
    while !a.is_empty() && !b.is_empty() {
        let (one, other) = (a.split_at(cut(a)), b.split_at(cut(b)));
        let number = |text: &'_ str| text.trim_start_matches('0').len();
        let both = one.0.as_bytes()[0].is_ascii_digit() && other.0.as_bytes()[0].is_ascii_digit();
        let order = if both {
            let (x, y) = (one.0.trim_start_matches('0'), other.0.trim_start_matches('0'));
            number(one.0).cmp(&number(other.0)).then_with(|| x.cmp(y))
        } else {
            one.0.cmp(other.0)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (one.1, other.1);
    }
    a.len().cmp(&b.len())
}

pub(super) fn check_label(name: &str, function: &str) -> Result<(), QueryError> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let valid = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if valid {
        return Ok(());
    }
    Err(QueryError::execution(format!("invalid label name in {function}(): {name}")))
}

/// `$1` and `$name` take letters, digits and underscores with them in Go's templates and here, but
/// `$1a` is the group `1a` in both; only what is not in braces has to be put there.
fn braced(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let length = length.unwrap_or(rest.len());
        if rest.starts_with('$') {
            text.push_str("$$");
            rest = &rest[1..];
        } else if length > 0 {
            text.push_str("${");
            text.push_str(&rest[..length]);
            text.push('}');
            rest = &rest[length..];
        } else if rest.starts_with('{') {
            text.push('$');
        } else {
            // A dollar that names nothing is nothing in Go.
        }
    }
    text + rest
}

/// What an absent series would be called: the labels that a selector asks for by name.
fn labels_of(expression: &Expr) -> Result<Labels, QueryError> {
    let selector = match bare(expression) {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        _ => return Ok(Labels::default()),
    };
    let mut labels = Labels::default();
    let mut unclear = Vec::new();
    for matcher in matchers(selector)? {
        match matcher {
            Matcher::Equal(name, value) if name != NAME => {
                if unclear.contains(&name) || !labels.get(&name).is_empty() {
                    labels = labels.with(&name, "");
                    unclear.push(name);
                } else {
                    labels = labels.with(&name, &value);
                }
            }
            Matcher::Equal(..) => {}
            Matcher::NotEqual(name, _)
            | Matcher::Matches(name, _)
            | Matcher::MatchesNot(name, _) => {
                labels = labels.with(&name, "");
                unclear.push(name);
            }
        }
    }
    Ok(labels)
}
