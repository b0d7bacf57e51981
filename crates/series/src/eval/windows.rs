//! Functions of the samples in a window: rates, and everything `_over_time`.
//!
//! The formulas are those of Prometheus (`promql/functions.go`), down to the order of sums where it
//! shows.

use promql_parser::parser::Expr;

use super::{Column, Evaluator, Value, joined, select::Ranges};
use crate::{Edges, QueryError, Sample};

/// What a function is given: the samples, at least one, and the window.
pub(super) struct Window<'a> {
    pub(super) samples: &'a [Sample],
    start: i64,
    end: i64,
    length: i64,
    edges: Edges,
}

type Of = fn(&Window<'_>) -> Option<f64>;

/// The functions of a range vector alone, and whether the metric's name stays.
pub(super) fn plain(name: &str) -> Option<(Of, bool)> {
    Some(match name {
        "rate" => (|w| w.extrapolated(true, true), false),
        "increase" => (|w| w.extrapolated(true, false), false),
        "delta" => (|w| w.extrapolated(false, false), false),
        "irate" => (|w| w.instant(true), false),
        "idelta" => (|w| w.instant(false), false),
        "changes" => (|w| Some(w.pairs(|a, b| a != b && !(a.is_nan() && b.is_nan()))), false),
        "resets" => (|w| Some(w.pairs(|a, b| b < a)), false),
        "deriv" => (|w| Some(w.line(w.samples.first()?.time)?.0), false),
        "avg_over_time" => (|w| Some(mean(w.values())), false),
        "sum_over_time" => (|w| Some(sum(w.values())), false),
        "count_over_time" => (|w| Some(w.samples.len() as f64), false),
        "min_over_time" => {
            (|w| w.values().reduce(|a, b| if b < a || a.is_nan() { b } else { a }), false)
        }
        "max_over_time" => {
            (|w| w.values().reduce(|a, b| if b > a || a.is_nan() { b } else { a }), false)
        }
        "stdvar_over_time" => (|w| Some(variance(w.values())), false),
        "stddev_over_time" => (|w| Some(variance(w.values()).sqrt()), false),
        "last_over_time" => (|w| Some(w.samples.last()?.value), true),
        "first_over_time" => (|w| Some(w.samples.first()?.value), true),
        "present_over_time" => (|_| Some(1.0), false),
        "mad_over_time" => (|w| Some(deviation(w)), false),
        "ts_of_first_over_time" => (|w| Some(seconds(w.samples.first()?)), false),
        "ts_of_last_over_time" => (|w| Some(seconds(w.samples.last()?)), false),
        "ts_of_min_over_time" => (|w| w.time_of(|new, best| new <= best), false),
        "ts_of_max_over_time" => (|w| w.time_of(|new, best| new >= best), false),
        _ => return None,
    })
}

impl Evaluator<'_> {
    /// A function of every window, series by series.
    pub(super) fn over_windows(
        &mut self,
        expression: &Expr,
        keeps_name: bool,
        mut of: impl FnMut(usize, &Window<'_>) -> Option<f64>,
    ) -> Result<Value, QueryError> {
        let Ranges { series, windows, length } = self.ranges(expression)?;
        let edges = self.options.edges;
        let mut columns = Vec::with_capacity(series.len());
        for one in series {
            self.hold(windows.len())?;
            let mut points = vec![None; windows.len()];
            self.each_window(&one.samples, &windows, |index, samples| {
                let (start, end) = windows[index];
                let window = Window { samples, start, end, length, edges };
                points[index] = of(index, &window);
            })?;
            let labels = if keeps_name { one.labels } else { one.labels.nameless() };
            if points.iter().any(Option::is_some) {
                columns.push(Column { labels, points });
            }
        }
        joined(columns).map(Value::Vector)
    }
}

impl Evaluator<'_> {
    /// Visits the windows that are not empty, with their samples. Windows only move forward, or are
    /// all the same.
    pub(super) fn each_window(
        &mut self,
        samples: &[Sample],
        windows: &[(i64, i64)],
        mut visit: impl FnMut(usize, &[Sample]),
    ) -> Result<(), QueryError> {
        let (mut low, mut high) = (0, 0);
        for (index, (start, end)) in windows.iter().copied().enumerate() {
            while samples.get(low).is_some_and(|s| self.is_before(s.time, start)) {
                low += 1;
            }
            high = high.max(low);
            while samples.get(high).is_some_and(|sample| sample.time <= end) {
                high += 1;
            }
            let inside = samples.get(low..high).unwrap_or_default();
            self.work(inside.len())?;
            if !inside.is_empty() {
                visit(index, inside);
            }
        }
        Ok(())
    }
}

impl Window<'_> {
    fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.samples.iter().map(|sample| sample.value)
    }

    pub(super) fn quantile(&self, of: f64) -> f64 {
        quantile(of, self.values().collect())
    }

    fn pairs(&self, differ: impl Fn(f64, f64) -> bool) -> f64 {
        self.samples.windows(2).filter(|pair| differ(pair[0].value, pair[1].value)).count() as f64
    }

    /// The change over the window, extended to its edges as `extrapolatedRate` does.
    fn extrapolated(&self, counter: bool, per_second: bool) -> Option<f64> {
        let [first, .., last] = self.samples else { return None };
        let mut change = last.value - first.value;
        if counter {
            let resets = self.samples.windows(2).filter(|pair| pair[1].value < pair[0].value);
            change += resets.map(|pair| pair[0].value).sum::<f64>();
        }
        let seconds = |from: i64, to: i64| (to - from) as f64 / 1_000.0;
        let mut to_start = seconds(self.start, first.time);
        let mut to_end = seconds(last.time, self.end);
        let sampled = seconds(first.time, last.time);
        let between = sampled / (self.samples.len() - 1) as f64;
        let threshold = between * 1.1;
        // A counter was 0 at most so long before its first sample; Prometheus 3 asks that after the
        // threshold, Prometheus 2 before it.
        let to_zero = (counter && change > 0.0 && first.value >= 0.0)
            .then(|| sampled * (first.value / change));
        if self.edges == Edges::LeftOpen && to_start >= threshold {
            to_start = between / 2.0;
        }
        if let Some(to_zero) = to_zero {
            to_start = to_start.min(to_zero);
        }
        if self.edges == Edges::Closed && to_start >= threshold {
            to_start = between / 2.0;
        }
        if to_end >= threshold {
            to_end = between / 2.0;
        }
        let mut factor = (sampled + to_start + to_end) / sampled;
        if per_second {
            factor /= self.length as f64 / 1_000.0;
        }
        Some(change * factor)
    }

    /// The change between the last two samples.
    fn instant(&self, rate: bool) -> Option<f64> {
        let [.., before, last] = self.samples else { return None };
        let reset = rate && last.value < before.value;
        let change = if reset { last.value } else { last.value - before.value };
        let passed = last.time - before.time;
        match (passed, rate) {
            (0, _) => None,
            (_, true) => Some(change / (passed as f64 / 1_000.0)),
            (_, false) => Some(change),
        }
    }

    /// Slope and height at `origin` of the straight line through the samples (least squares).
    pub(super) fn line(&self, origin: i64) -> Option<(f64, f64)> {
        if self.samples.len() < 2 {
            return None;
        }
        let first = self.samples.first()?.value;
        if self.samples.iter().all(|sample| sample.value == first) {
            return Some(if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) });
        }
        let count = self.samples.len() as f64;
        let at = |s: &Sample| (s.time - origin) as f64 / 1_000.0;
        let x = sum(self.samples.iter().map(at));
        let y = sum(self.values());
        let xy = sum(self.samples.iter().map(|s| at(s) * s.value));
        let xx = sum(self.samples.iter().map(|s| at(s) * at(s)));
        let covariance = xy - x * y / count;
        let slope = covariance / (xx - x * x / count);
        Some((slope, y / count - slope * x / count))
    }

    /// Holt's double exponential smoothing: the last smoothed value.
    pub(super) fn smoothed(&self, factor: f64, trend_factor: f64) -> Option<f64> {
        let [first, second, ..] = self.samples else { return None };
        let (mut before, mut level) = (0.0, first.value);
        let mut trend = second.value - first.value;
        for (index, sample) in self.samples.iter().skip(1).enumerate() {
            if index > 0 {
                trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
            }
            let next = factor * sample.value + (1.0 - factor) * (level + trend);
            (before, level) = (level, next);
        }
        Some(level)
    }

    /// The time of the last sample that is as good as the best of those before it.
    fn time_of(&self, as_good: impl Fn(f64, f64) -> bool) -> Option<f64> {
        let better = |best: &'_ Sample, new: &'_ Sample| {
            let takes = as_good(new.value, best.value) || best.value.is_nan();
            if takes { *new } else { *best }
        };
        let best = self.samples.iter().copied().reduce(|best, new| better(&best, &new))?;
        Some(seconds(&best))
    }

    /// What the line says of `seconds` after a time.
    pub(super) fn predicted(&self, time: i64, seconds: f64) -> Option<f64> {
        let (slope, height) = self.line(time)?;
        Some(slope * seconds + height)
    }
}

fn seconds(sample: &Sample) -> f64 {
    sample.time as f64 / 1_000.0
}

/// Kahan's sum as Neumaier improved it, as Prometheus sums.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0f64, 0.0);
    for value in values {
        let next = sum + value;
        if next.is_infinite() {
            rest = 0.0;
        } else if sum.abs() >= value.abs() {
            rest += (sum - next) + value;
        } else {
            rest += (value - next) + sum;
        }
        sum = next;
    }
    if sum.is_infinite() { sum } else { sum + rest }
}

/// The mean; value by value where the sum is too large for a number.
pub(super) fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let total = sum(values.clone());
    if total.is_finite() || values.clone().any(|value| !value.is_finite()) {
        return total / count;
    }
    values
        .zip(1u32..)
        .fold(0.0, |mean, (value, n)| mean + (value / f64::from(n) - mean / f64::from(n)))
}

/// The variance of the whole (not of a sample), as Welford computes it.
pub(super) fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
    }
    squares / count
}

/// The quantile of some values, between two of them where it falls between.
pub(super) fn quantile(of: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || of.is_nan() {
        return f64::NAN;
    }
    if of < 0.0 {
        return f64::NEG_INFINITY;
    }
    if of > 1.0 {
        return f64::INFINITY;
    }
    // NaN is less than any number here.
    values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => a.total_cmp(b),
    });
    let rank = of * (values.len() - 1) as f64;
    let low = rank.floor().max(0.0);
    let high = ((low as usize) + 1).min(values.len() - 1);
    let weight = rank - low;
    values[low as usize] * (1.0 - weight) + values[high] * weight
}

/// The median of the distances to the median.
fn deviation(window: &Window<'_>) -> f64 {
    let median = window.quantile(0.5);
    quantile(0.5, window.values().map(|value| (value - median).abs()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(values: &[(i64, f64)], edges: Edges) -> Option<f64> {
        let samples: Vec<Sample> = values
            .iter()
            .map(|(time, value)| Sample { time: time * 1_000, value: *value })
            .collect();
        let window = Window { samples: &samples, start: 0, end: 60_000, length: 60_000, edges };
        window.extrapolated(true, false)
    }

    #[test]
    fn increases_are_extended_to_the_edges_and_not_below_zero() {
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-9;
        let even = [(0, 10.0), (15, 20.0), (30, 30.0), (45, 40.0), (60, 50.0)];
        assert!(close(window(&even, Edges::Closed), 40.0));
        // Five seconds before the first sample the counter was 0.
        let zero = [(10, 5.0), (20, 15.0), (30, 25.0), (40, 35.0), (50, 45.0)];
        assert!(close(window(&zero, Edges::Closed), 40.0 * (40.0 + 5.0 + 10.0) / 40.0));
        let reset = [(0, 10.0), (20, 30.0), (40, 5.0), (60, 25.0)];
        assert!(close(window(&reset, Edges::LeftOpen), 45.0));
        assert_eq!(window(&[(1, 1.0)], Edges::Closed), None);
    }

    #[test]
    fn sums_do_not_lose_what_is_small() {
        assert_eq!(sum([1e100, 1.0, -1e100].into_iter()), 1.0);
        assert_eq!(mean([f64::MAX, f64::MAX].into_iter()), f64::MAX);
        assert_eq!(mean([f64::INFINITY, 1.0].into_iter()), f64::INFINITY);
        assert_eq!(quantile(0.5, vec![3.0, 1.0, 2.0, 4.0]), 2.5);
        assert_eq!(quantile(-1.0, vec![1.0]), f64::NEG_INFINITY);
        assert!(
            (variance([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter()) - 4.0).abs() < 1e-12
        );
    }
}
