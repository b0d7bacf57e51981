//! Queries: read, bounded, evaluated, and put into the form of an answer.

use std::sync::Once;

use promql_parser::parser::{self, Expr, Function, value::ValueType};

use crate::{
    Answer, Labels, QueryError, Sample, Storage,
    eval::{Column, Evaluator, Value},
    literals::without_separators,
};

/// Points of one series in an answer at most, as in Prometheus: more than any screen has columns.
pub const MAX_POINTS: i64 = 11_000;
/// Samples that one query may hold at a time, as in Prometheus (`--query.max-samples`): 800 MB.
pub const MAX_SAMPLES: usize = 50_000_000;
/// The furthest time from 1970 that is asked about, ms: some nine million years.
const MAX_TIME: u64 = i64::MAX as u64 / 32;
/// A sample counts for this long after its time, ms, as in Prometheus (`--query.lookback-delta`).
pub const LOOKBACK: i64 = 300_000;

/// Which samples are in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// Those at its end and not those at its start, as Prometheus 3 has it.
    #[default]
    LeftOpen,
    /// Those at both, as Prometheus 2 had it.
    Closed,
}

/// How queries are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which samples are in a window.
    pub edges: Edges,
    /// How long a sample counts, ms.
    pub lookback: i64,
    /// Samples that one query may hold.
    pub max_samples: usize,
    /// The step of subqueries that name none, ms.
    pub subquery_step: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            edges: Edges::default(),
            lookback: LOOKBACK,
            max_samples: MAX_SAMPLES,
            subquery_step: 60_000,
        }
    }
}

/// Evaluates queries over a storage. `interrupted` is asked now and then, and says why to give up.
pub struct Engine<'a> {
    storage: &'a dyn Storage,
    options: Options,
    interrupted: &'a dyn Fn() -> Option<QueryError>,
}

impl<'a> Engine<'a> {
    /// Over a storage.
    pub fn new(
        storage: &'a dyn Storage,
        options: Options,
        interrupted: &'a dyn Fn() -> Option<QueryError>,
    ) -> Self {
        Self { storage, options, interrupted }
    }

    /// The answer at one time, ms.
    pub fn instant(&self, query: &str, time: i64) -> Result<Answer, QueryError> {
        check_time(time)?;
        let expression = read(query)?;
        let mut evaluator = self.evaluator((time, time), 1);
        if expression.value_type() == ValueType::Matrix {
            return evaluator.matrix_at(&expression).map(Answer::Matrix);
        }
        Ok(match evaluator.value(&expression)? {
            Value::Scalar(values) => {
                let value = values.first().copied().unwrap_or(f64::NAN);
                Answer::Scalar(Sample { time, value })
            }
            Value::Text(text) => Answer::Text(time, text),
            Value::Vector(columns) => {
                let at = |column: Column| Some((column.labels, *column.points.first()?));
                let all = columns.into_iter().filter_map(at);
                let there = all
                    .filter_map(|(labels, value)| Some((labels, Sample { time, value: value? })));
                Answer::Vector(there.collect())
            }
        })
    }

    /// The answers from one time to another, both included, every `step` ms.
    pub fn range(&self, query: &str, from: i64, to: i64, step: i64) -> Result<Answer, QueryError> {
        if step <= 0 {
            let why = "zero or negative query resolution step widths are not accepted. \
                       Try a positive integer";
            return Err(QueryError::BadData(why.to_owned()));
        }
        check_time(from)?;
        check_time(to)?;
        if to < from {
            return Err(QueryError::BadData("end timestamp must not be before start time".into()));
        }
        let count = (to - from) / step + 1;
        if count > MAX_POINTS {
            let why = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing \
                       the query resolution (?step=XX)";
            return Err(QueryError::BadData(why.to_owned()));
        }
        let expression = read(query)?;
        let kind = expression.value_type();
        if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
            let why = format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                if kind == ValueType::Matrix { "range vector" } else { "string" }
            );
            return Err(QueryError::BadData(why));
        }
        let mut evaluator = self.evaluator((from, to), step);
        let columns = match evaluator.value(&expression)? {
            Value::Scalar(values) => {
                let points = values.into_iter().map(Some).collect();
                vec![Column { labels: Labels::default(), points }]
            }
            Value::Vector(columns) => columns,
            Value::Text(_) => Vec::new(),
        };
        let mut all: Vec<(Labels, Vec<Sample>)> = Vec::new();
        for column in columns {
            let point = |(index, value): (usize, Option<f64>)| {
                Some(Sample { time: from + index as i64 * step, value: value? })
            };
            let points: Vec<Sample> =
                column.points.into_iter().enumerate().filter_map(point).collect();
            if !points.is_empty() {
                all.push((column.labels, points));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Answer::Matrix(all))
    }

    fn evaluator(&self, whole: (i64, i64), step: i64) -> Evaluator<'_> {
        Evaluator::new(self.storage, self.options, self.interrupted, whole, step)
    }
}

/// Reads a query. The parser knows `holt_winters` only by its name of Prometheus 3.
pub(crate) fn read(query: &str) -> Result<Expr, QueryError> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let arguments = vec![ValueType::Matrix, ValueType::Scalar, ValueType::Scalar];
        let function = Function::new("holt_winters", arguments, 0, ValueType::Vector, false);
        // It fails where the parser has learned the name, which is as good.
        drop(parser::function::register_extra_functions(vec![function]));
    });
    parser::parse(&without_separators(query)).map_err(QueryError::BadData)
}

/// Times far beyond any calendar would be no numbers any more when something is added to them.
fn check_time(time: i64) -> Result<(), QueryError> {
    if time.unsigned_abs() <= MAX_TIME {
        return Ok(());
    }
    Err(QueryError::BadData(format!("the time {time} ms is too far from 1970")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    fn asked(query: &str, time: i64) -> Result<Answer, QueryError> {
        let mut memory = Memory::default();
        for n in 0..100 {
            let labels = Labels::new([("__name__", "up"), ("n", ["a", "b"][n % 2])]);
            memory.add(&labels, Sample { time: n as i64 * 15_000, value: 1.0 });
        }
        let options = Options { max_samples: 100_000, ..Options::default() };
        Engine::new(&memory, options, &|| None).instant(query, time)
    }

    #[test]
    fn what_would_take_too_much_is_refused_and_nothing_breaks() {
        let nested = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
        let chain = vec!["1"; 5_000].join("+");
        let minus = format!("{}up", "-".repeat(5_000));
        for (query, why) in [
            (nested.as_str(), "nested more than"),
            (chain.as_str(), "nested more than"),
            (minus.as_str(), "nested more than"),
            ("up[100y:1s]", "at most 1000000 steps"),
            ("sum_over_time(up[3d:1s])", "too many samples"),
            ("sum_over_time(up[900000y:1y])", "too many samples"),
        ] {
            let said = asked(query, 1_000_000).unwrap_err().to_string();
            assert!(said.contains(why), "{}: {said}", &query[..query.len().min(40)]);
        }
        // Parentheses around a range vector are no depth.
        for function in ["", "rate", "absent_over_time"] {
            let (open, close) = ("(".repeat(5_000), ")".repeat(5_000));
            assert!(
                asked(&format!("{function}{open}up[5m]{close}"), 600_000).is_ok(),
                "{function}"
            );
        }
        for time in [i64::MIN, i64::MAX, MAX_TIME as i64 + 1] {
            assert!(asked("up", time).is_err());
        }
        for query in
            ["up offset 100000000y", "up[100000000y] offset 100000000y", "up @ 1e17", "up @ -1e17"]
        {
            for time in [-(MAX_TIME as i64), 0, MAX_TIME as i64] {
                drop(asked(query, time));
            }
        }
    }
}
