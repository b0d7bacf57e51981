//! The evaluator: an expression becomes one column for each series, with a point for each step.
//!
//! All steps of a range query are evaluated together, so that a selector reads its samples once,
//! and what depends on labels alone (matching, grouping) is found out once for all steps.

mod aggregate;
mod binary;
mod calls;
mod functions;
mod histogram;
mod select;
mod series_functions;
mod windows;

use std::{collections::BTreeMap, time::Duration};

pub(crate) use select::matchers;

use promql_parser::parser::{AtModifier, Expr, Offset, UnaryExpr};

use crate::{Edges, Labels, Options, QueryError, Sample, Storage};

/// How many values are looked at between two looks at whether to give up: some milliseconds.
const LOOK_EVERY: usize = 1_000_000;
/// Expressions within expressions: more than anybody writes, and far less than a thread's stack holds.
const MAX_DEPTH: usize = 128;
/// The longest time between two times, ms: sums of a few of them are still numbers.
const MAX_LENGTH: i64 = i64::MAX / 16;

/// One series over the steps; no value where it does not exist.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) labels: Labels,
    pub(crate) points: Vec<Option<f64>>,
}

/// What an expression is worth, for each step.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Column>),
    Text(String),
}

/// The times at which an expression is evaluated.
#[derive(Clone, Copy, Debug)]
struct Steps {
    from: i64,
    step: i64,
    count: usize,
}

impl Steps {
    fn at(&self, index: usize) -> i64 {
        self.from + index as i64 * self.step
    }
}

pub(crate) struct Evaluator<'a> {
    storage: &'a dyn Storage,
    options: Options,
    interrupted: &'a dyn Fn() -> Option<QueryError>,
    steps: Steps,
    /// Start and end of the whole query, for `@ start()` and `@ end()`.
    whole: (i64, i64),
    samples: usize,
    unchecked: usize,
    depth: usize,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        storage: &'a dyn Storage,
        options: Options,
        interrupted: &'a dyn Fn() -> Option<QueryError>,
        whole: (i64, i64),
        step: i64,
    ) -> Self {
        let count = ((whole.1 - whole.0) / step + 1).max(0) as usize;
        let steps = Steps { from: whole.0, step, count };
        Self { storage, options, interrupted, steps, whole, samples: 0, unchecked: 0, depth: 0 }
    }

    /// The same, at other times of the same query.
    fn at_steps(&self, steps: Steps) -> Evaluator<'a> {
        Evaluator {
            storage: self.storage,
            options: self.options,
            interrupted: self.interrupted,
            steps,
            whole: self.whole,
            samples: self.samples,
            unchecked: self.unchecked,
            depth: self.depth,
        }
    }

    /// How many more samples may be held.
    fn room(&self) -> usize {
        self.options.max_samples.saturating_sub(self.samples)
    }

    /// Counts samples that are held, and looks whether to go on.
    fn hold(&mut self, samples: usize) -> Result<(), QueryError> {
        self.samples += samples;
        if self.samples > self.options.max_samples {
            return Err(QueryError::too_many_samples());
        }
        self.work(samples)
    }

    /// Counts values that were looked at, and looks whether to go on.
    fn work(&mut self, values: usize) -> Result<(), QueryError> {
        self.unchecked += values;
        if self.unchecked >= LOOK_EVERY {
            self.unchecked = 0;
            return (self.interrupted)().map_or(Ok(()), Err);
        }
        Ok(())
    }

    pub(crate) fn value(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        if self.depth >= MAX_DEPTH {
            let why = format!("the query is nested more than {MAX_DEPTH} deep");
            return Err(QueryError::BadData(why));
        }
        // Everything is worth at least a value a step.
        self.hold(self.steps.count)?;
        self.depth += 1;
        let value = self.value_of(expression);
        self.depth -= 1;
        value
    }

    fn value_of(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        match expression {
            Expr::NumberLiteral(number) => Ok(Value::Scalar(vec![number.val; self.steps.count])),
            Expr::StringLiteral(text) => Ok(Value::Text(text.val.clone())),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::Unary(unary) => self.negative(unary),
            Expr::VectorSelector(selector) => self.instant_selector(selector).map(Value::Vector),
            Expr::Call(call) => self.call(call),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate).map(Value::Vector),
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                Err(QueryError::BadData("a range vector cannot stand here".to_owned()))
            }
            Expr::Extension(_) => Err(QueryError::unsupported("an extension of the language")),
        }
    }

    fn vector(&mut self, expression: &Expr) -> Result<Vec<Column>, QueryError> {
        match self.value(expression)? {
            Value::Vector(columns) => Ok(columns),
            Value::Scalar(_) | Value::Text(_) => {
                Err(QueryError::BadData("expected type instant vector".to_owned()))
            }
        }
    }

    fn scalar(&mut self, expression: &Expr) -> Result<Vec<f64>, QueryError> {
        match self.value(expression)? {
            Value::Scalar(values) => Ok(values),
            Value::Vector(_) | Value::Text(_) => {
                Err(QueryError::BadData("expected type scalar".to_owned()))
            }
        }
    }

    fn negative(&mut self, unary: &UnaryExpr) -> Result<Value, QueryError> {
        Ok(match self.value(&unary.expr)? {
            Value::Scalar(values) => Value::Scalar(values.into_iter().map(|v| -v).collect()),
            Value::Vector(columns) => Value::Vector(nameless(columns, |value| -value)?),
            Value::Text(_) => {
                let why =
                    "unary expression only allowed on expressions of type scalar or instant vector";
                return Err(QueryError::BadData(why.to_owned()));
            }
        })
    }

    /// The time that a selector means at a step.
    fn reference(&self, step: i64, at: Option<&AtModifier>, offset: Option<&Offset>) -> i64 {
        let base = match at {
            None => step,
            Some(AtModifier::Start) => self.whole.0,
            Some(AtModifier::End) => self.whole.1,
            Some(AtModifier::At(time)) => match time.duration_since(std::time::UNIX_EPOCH) {
                Ok(after) => milliseconds(after),
                Err(before) => -milliseconds(before.duration()),
            },
        };
        match offset {
            None => base,
            Some(Offset::Pos(length)) => base - milliseconds(*length),
            Some(Offset::Neg(length)) => base + milliseconds(*length),
        }
    }

    /// True for a sample that is in no window that begins at `start`.
    fn is_before(&self, time: i64, start: i64) -> bool {
        match self.options.edges {
            Edges::LeftOpen => time <= start,
            Edges::Closed => time < start,
        }
    }
}

/// What parentheses enclose.
fn bare(mut expression: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expression {
        expression = &paren.expr;
    }
    expression
}

/// At most [`MAX_LENGTH`].
fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(MAX_LENGTH).min(MAX_LENGTH)
}

/// Columns with a function of each value and without the metric's name.
fn nameless(columns: Vec<Column>, of: impl Fn(f64) -> f64) -> Result<Vec<Column>, QueryError> {
    let each = columns.into_iter().map(|column| Column {
        labels: column.labels.nameless(),
        points: column.points.into_iter().map(|point| point.map(&of)).collect(),
    });
    joined(each.collect())
}

/// Columns of the same labels become one; two of them at one step are an error.
fn joined(columns: Vec<Column>) -> Result<Vec<Column>, QueryError> {
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut all: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(place) = places.get(&column.labels) else {
            places.insert(column.labels.clone(), all.len());
            all.push(column);
            continue;
        };
        for (known, new) in all[*place].points.iter_mut().zip(column.points) {
            if known.is_some() && new.is_some() {
                let why = "vector cannot contain metrics with the same labelset";
                return Err(QueryError::execution(why));
            }
            *known = known.or(new);
        }
    }
    Ok(all)
}

/// Points as samples at their times.
fn samples_of(column: &Column, steps: Steps) -> Vec<Sample> {
    let point = |(index, value): (usize, &Option<f64>)| {
        Some(Sample { time: steps.at(index), value: (*value)? })
    };
    column.points.iter().enumerate().filter_map(point).collect()
}
