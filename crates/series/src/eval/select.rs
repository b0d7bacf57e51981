//! Selectors and subqueries: samples on their way to the steps.

use promql_parser::parser::{Expr, MatrixSelector, SubqueryExpr, VectorSelector};

use super::{Column, Evaluator, Steps, bare, milliseconds, samples_of};
use crate::{
    Labels, NAME, QueryError, Sample, is_stale,
    storage::{Matcher, Series},
};

/// Steps of a subquery: half a year of scrapes.
const MAX_SUBQUERY_STEPS: i64 = 1_000_000;

/// The samples of some series and the window of each step: from after its start to its end.
pub(super) struct Ranges {
    pub(super) series: Vec<Series>,
    /// Start and end of the window of each step, ms.
    pub(super) windows: Vec<(i64, i64)>,
    /// The windows' length, ms.
    pub(super) length: i64,
}

impl Evaluator<'_> {
    pub(super) fn instant_selector(
        &mut self,
        selector: &VectorSelector,
    ) -> Result<Vec<Column>, QueryError> {
        self.selected(selector, |sample| sample.value)
    }

    /// The time of the sample that a selector means, in place of its value.
    pub(super) fn sample_times(
        &mut self,
        selector: &VectorSelector,
    ) -> Result<Vec<Column>, QueryError> {
        self.selected(selector, |sample| sample.time as f64 / 1_000.0)
    }

    /// Something of the last sample of each series at each step, while it counts.
    fn selected(
        &mut self,
        selector: &VectorSelector,
        of: impl Fn(&Sample) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        let times =
            self.times(|at| self.reference(at, selector.at.as_ref(), selector.offset.as_ref()));
        let lookback = self.options.lookback;
        let series = self.load(selector, &times, lookback)?;
        let mut columns = Vec::with_capacity(series.len());
        for Series { labels, samples } in series {
            self.hold(times.len())?;
            let mut end = 0;
            let mut points = Vec::with_capacity(times.len());
            for time in &times {
                // Times only grow, or are all the same.
                while samples.get(end).is_some_and(|sample| sample.time <= *time) {
                    end += 1;
                }
                let last = end.checked_sub(1).and_then(|last| samples.get(last));
                let last = last.filter(|s| !self.is_before(s.time, time - lookback));
                points.push(last.filter(|s| !is_stale(s.value)).map(&of));
            }
            if points.iter().any(Option::is_some) {
                columns.push(Column { labels, points });
            }
        }
        Ok(columns)
    }

    fn times(&self, of: impl Fn(i64) -> i64) -> Vec<i64> {
        (0..self.steps.count).map(|index| of(self.steps.at(index))).collect()
    }

    fn load(
        &mut self,
        selector: &VectorSelector,
        times: &[i64],
        before: i64,
    ) -> Result<Vec<Series>, QueryError> {
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
            return Ok(Vec::new());
        };
        let matchers = matchers(selector)?;
        let mut series = self.storage.select(&matchers, first - before, *last, self.room())?;
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        self.hold(series.iter().map(|one| one.samples.len()).sum())?;
        Ok(series)
    }

    /// The windows of a range vector.
    pub(super) fn ranges(&mut self, expression: &Expr) -> Result<Ranges, QueryError> {
        match bare(expression) {
            Expr::MatrixSelector(selector) => self.matrix_selector(selector),
            Expr::Subquery(subquery) => self.subquery(subquery),
            _ => Err(QueryError::BadData("expected type range vector".to_owned())),
        }
    }

    fn matrix_selector(&mut self, selector: &MatrixSelector) -> Result<Ranges, QueryError> {
        let length = milliseconds(selector.range);
        let (at, offset) = (selector.vs.at.as_ref(), selector.vs.offset.as_ref());
        let times = self.times(|step| self.reference(step, at, offset));
        let mut series = self.load(&selector.vs, &times, length)?;
        for one in &mut series {
            one.samples.retain(|sample| !is_stale(sample.value));
        }
        let windows = times.into_iter().map(|end| (end - length, end)).collect();
        Ok(Ranges { series, windows, length })
    }

    fn subquery(&mut self, subquery: &SubqueryExpr) -> Result<Ranges, QueryError> {
        let length = milliseconds(subquery.range);
        let step = subquery.step.map_or(self.options.subquery_step, milliseconds);
        if step <= 0 {
            return Err(QueryError::BadData("subquery step must be positive".to_owned()));
        }
        let (at, offset) = (subquery.at.as_ref(), subquery.offset.as_ref());
        let times = self.times(|time| self.reference(time, at, offset));
        let windows: Vec<(i64, i64)> = times.into_iter().map(|end| (end - length, end)).collect();
        let start = windows.iter().map(|w| w.0).min().unwrap_or(0);
        let end = windows.iter().map(|w| w.1).max().unwrap_or(0);
        // Steps of a subquery are multiples of its step, whenever it is asked.
        let mut from = start.div_euclid(step) * step;
        if self.is_before(from, start) {
            from += step;
        }
        let count = if end < from { 0 } else { (end - from) / step + 1 };
        if count > MAX_SUBQUERY_STEPS {
            let why = format!("a subquery can have at most {MAX_SUBQUERY_STEPS} steps");
            return Err(QueryError::BadData(why));
        }
        let steps = Steps { from, step, count: count as usize };
        let mut inner = self.at_steps(steps);
        let columns = match inner.value(&subquery.expr)? {
            super::Value::Vector(columns) => columns,
            super::Value::Scalar(values) => {
                let points = values.into_iter().map(Some).collect();
                vec![Column { labels: Labels::default(), points }]
            }
            super::Value::Text(_) => {
                let why = "subquery is only allowed on instant vector";
                return Err(QueryError::BadData(why.to_owned()));
            }
        };
        (self.samples, self.unchecked) = (inner.samples, inner.unchecked);
        let mut series: Vec<Series> = columns
            .iter()
            .map(|column| Series {
                labels: column.labels.clone(),
                samples: samples_of(column, steps),
            })
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Ranges { series, windows, length })
    }

    /// A range vector at one time, as an answer.
    pub(crate) fn matrix_at(
        &mut self,
        expression: &Expr,
    ) -> Result<Vec<(Labels, Vec<Sample>)>, QueryError> {
        let Ranges { series, windows, .. } = self.ranges(expression)?;
        let Some((start, end)) = windows.first().copied() else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for Series { labels, samples } in series {
            let inside = |s: &Sample| !self.is_before(s.time, start) && s.time <= end;
            let samples: Vec<Sample> = samples.into_iter().filter(inside).collect();
            if !samples.is_empty() {
                all.push((labels, samples));
            }
        }
        Ok(all)
    }
}

/// The conditions of a selector, its name among them.
pub(crate) fn matchers(selector: &VectorSelector) -> Result<Vec<Matcher>, QueryError> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(QueryError::unsupported("`or` between label matchers"));
    }
    let mut all: Vec<Matcher> = selector.matchers.matchers.iter().map(Matcher::from).collect();
    if let Some(name) = &selector.name {
        all.push(Matcher::Equal(NAME.to_owned(), name.clone()));
    }
    if all.iter().all(Matcher::accepts_nothing) {
        let why = "vector selector must contain at least one non-empty matcher";
        return Err(QueryError::BadData(why.to_owned()));
    }
    Ok(all)
}
