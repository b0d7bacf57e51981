//! Which function is which.

use promql_parser::parser::{Call, Expr};

use super::{Column, Evaluator, Value, bare, functions, histogram, joined, nameless, windows};
use crate::{Labels, QueryError, number};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Result<Value, QueryError> {
        let name = call.func.name;
        let arguments: Vec<&Expr> = call.args.args.iter().map(AsRef::as_ref).collect();
        if let Some((of, keeps_name)) = windows::plain(name) {
            return self.over_windows(first(&arguments)?, keeps_name, |_, window| of(window));
        }
        if let Some(of) = functions::plain(name) {
            return nameless(self.vector(first(&arguments)?)?, of).map(Value::Vector);
        }
        if let Some(of) = functions::date(name) {
            return nameless(self.vector_or_time(&arguments)?, of).map(Value::Vector);
        }
        match name {
            "time" => Ok(Value::Scalar(self.step_times())),
            "pi" => Ok(Value::Scalar(vec![std::f64::consts::PI; self.steps.count])),
            "vector" => {
                let points = self.scalar(first(&arguments)?)?.into_iter().map(Some).collect();
                Ok(Value::Vector(vec![Column { labels: Labels::default(), points }]))
            }
            "scalar" => self.one_value(first(&arguments)?),
            "timestamp" => self.timestamp(first(&arguments)?),
            "round" | "clamp" | "clamp_min" | "clamp_max" => self.bounded(name, &arguments),
            "quantile_over_time" => {
                let of = self.scalar(first(&arguments)?)?;
                let range = nth(&arguments, 1)?;
                self.over_windows(range, false, |step, window| Some(window.quantile(of[step])))
            }
            "predict_linear" => {
                let after = self.scalar(nth(&arguments, 1)?)?;
                let (range, steps) = (first(&arguments)?, self.steps);
                self.over_windows(range, false, |step, window| {
                    window.predicted(steps.at(step), after[step])
                })
            }
            "histogram_quantile" => {
                let of = self.scalar(first(&arguments)?)?;
                let buckets = self.vector(nth(&arguments, 1)?)?;
                joined(histogram::quantiles(&buckets, &of)).map(Value::Vector)
            }
            "holt_winters" | "double_exponential_smoothing" => self.smoothed(&arguments),
            "absent" => self.absent(first(&arguments)?),
            "absent_over_time" => self.absent_over_time(first(&arguments)?),
            "sort" | "sort_desc" => {
                let columns = self.vector(first(&arguments)?)?;
                Ok(Value::Vector(self.sorted(columns, name == "sort_desc")))
            }
            "sort_by_label" | "sort_by_label_desc" => {
                self.sorted_by_labels(&arguments, name == "sort_by_label_desc")
            }
            "label_replace" => self.label_replace(&arguments),
            "label_join" => self.label_join(&arguments),
            other => Err(QueryError::unsupported(&format!("the function {other}()"))),
        }
    }

    /// Each window smoothed, by factors for the value and for the trend.
    fn smoothed(&mut self, arguments: &[&Expr]) -> Result<Value, QueryError> {
        let mut factors = Vec::new();
        for (index, what) in [(1, "smoothing"), (2, "trend")] {
            let all = self.scalar(nth(arguments, index)?)?;
            if let Some(wrong) = all.iter().find(|factor| !(**factor > 0.0 && **factor < 1.0)) {
                let wrong = number(*wrong);
                return Err(QueryError::execution(format!(
                    "invalid {what} factor. Expected: 0 < factor < 1, got: {wrong}"
                )));
            }
            factors.push(all);
        }
        self.over_windows(first(arguments)?, false, |step, window| {
            window.smoothed(factors[0][step], factors[1][step])
        })
    }

    fn step_times(&self) -> Vec<f64> {
        (0..self.steps.count).map(|index| self.steps.at(index) as f64 / 1_000.0).collect()
    }

    /// The first argument, or the time of the step where there is none.
    fn vector_or_time(&mut self, arguments: &[&Expr]) -> Result<Vec<Column>, QueryError> {
        if let Some(expression) = arguments.first() {
            return self.vector(expression);
        }
        let points = self.step_times().into_iter().map(Some).collect();
        Ok(vec![Column { labels: Labels::default(), points }])
    }

    /// The value of the only series there is, or NaN.
    fn one_value(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        let columns = self.vector(expression)?;
        let at = |index: usize| {
            let mut there = columns.iter().filter_map(|column| column.points[index]);
            match (there.next(), there.next()) {
                (Some(value), None) => value,
                _ => f64::NAN,
            }
        };
        Ok(Value::Scalar((0..self.steps.count).map(at).collect()))
    }

    /// When a selector's samples were taken; of anything else, the time of the step.
    fn timestamp(&mut self, expression: &Expr) -> Result<Value, QueryError> {
        if let Expr::VectorSelector(selector) = bare(expression) {
            return nameless(self.sample_times(selector)?, |time| time).map(Value::Vector);
        }
        let times = self.step_times();
        let columns = self.vector(expression)?;
        let each = columns.into_iter().map(|column| {
            let points = column.points.iter().zip(&times).map(|(p, time)| p.map(|_| *time));
            Column { labels: column.labels.nameless(), points: points.collect() }
        });
        joined(each.collect()).map(Value::Vector)
    }

    fn bounded(&mut self, name: &str, arguments: &[&Expr]) -> Result<Value, QueryError> {
        let columns = self.vector(first(arguments)?)?;
        let mut given = Vec::new();
        for argument in &arguments[1..] {
            given.push(self.scalar(argument)?);
        }
        let bound = |index: usize, step: usize| given.get(index).map_or(1.0, |all| all[step]);
        let min = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
        let max = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
        let of = |step: usize, value: f64| match name {
            "round" => Some(functions::round(value, bound(0, step))),
            "clamp_min" => Some(max(bound(0, step), value)),
            "clamp_max" => Some(min(bound(0, step), value)),
            _ if bound(1, step) < bound(0, step) => None,
            _ => Some(max(bound(0, step), min(bound(1, step), value))),
        };
        let each = columns.into_iter().map(|column| {
            let points = column.points.iter().enumerate();
            let points = points.map(|(step, point)| point.and_then(|value| of(step, value)));
            Column { labels: column.labels.nameless(), points: points.collect() }
        });
        joined(each.collect()).map(Value::Vector)
    }
}

pub(super) fn first<'e>(arguments: &[&'e Expr]) -> Result<&'e Expr, QueryError> {
    nth(arguments, 0)
}

pub(super) fn nth<'e>(arguments: &[&'e Expr], index: usize) -> Result<&'e Expr, QueryError> {
    let missing = || QueryError::BadData("an argument is missing".to_owned());
    arguments.get(index).copied().ok_or_else(missing)
}
