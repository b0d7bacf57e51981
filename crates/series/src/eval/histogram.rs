//! `histogram_quantile` over classic buckets.

use std::collections::BTreeMap;

use super::Column;
use crate::{Labels, NAME};

/// The quantile of each histogram, at each step; `quantile` for the step.
pub(super) fn quantiles(columns: &[Column], quantile: &[f64]) -> Vec<Column> {
    let mut groups: BTreeMap<Labels, Vec<(f64, &Column)>> = BTreeMap::new();
    for column in columns {
        let Ok(bound) = bound(column.labels.get("le")) else { continue };
        let labels = column.labels.filtered(|name| name != "le" && name != NAME);
        groups.entry(labels).or_default().push((bound, column));
    }
    let mut all = Vec::new();
    for (labels, mut buckets) in groups {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let point = |(index, quantile): (usize, &f64)| {
            let there: Vec<(f64, f64)> = buckets
                .iter()
                .filter_map(|(bound, column)| Some((*bound, column.points[index]?)))
                .collect();
            (!there.is_empty()).then(|| of_buckets(*quantile, there))
        };
        let points: Vec<Option<f64>> = quantile.iter().enumerate().map(point).collect();
        if points.iter().any(Option::is_some) {
            all.push(Column { labels, points });
        }
    }
    all
}

fn bound(text: &str) -> Result<f64, std::num::ParseFloatError> {
    match text {
        "+Inf" | "Inf" | "inf" | "+inf" => Ok(f64::INFINITY),
        text => text.parse(),
    }
}

/// `bucketQuantile` of `promql/quantile.go`. The buckets are sorted by their bounds.
fn of_buckets(quantile: f64, buckets: Vec<(f64, f64)>) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return f64::NAN;
    }
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(buckets.len());
    for (bound, count) in buckets {
        match merged.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            Some(_) | None => merged.push((bound, count)),
        }
    }
    // A scrape may catch the buckets in the middle of a change; none may be smaller than the last.
    let mut highest = f64::NEG_INFINITY;
    for bucket in &mut merged {
        highest = highest.max(bucket.1);
        bucket.1 = highest;
    }
    let [.., _, (_, observations)] = merged.as_slice() else { return f64::NAN };
    if *observations == 0.0 || observations.is_nan() {
        return f64::NAN;
    }
    let mut rank = quantile * observations;
    let found = merged[..merged.len() - 1].iter().position(|bucket| bucket.1 >= rank);
    let index = found.unwrap_or(merged.len() - 1);
    if index == merged.len() - 1 {
        return merged[merged.len() - 2].0;
    }
    if index == 0 && merged[0].0 <= 0.0 {
        return merged[0].0;
    }
    let (mut start, end, mut count) = (0.0, merged[index].0, merged[index].1);
    if index > 0 {
        start = merged[index - 1].0;
        count -= merged[index - 1].1;
        rank -= merged[index - 1].1;
    }
    start + (end - start) * (rank / count)
}

#[cfg(test)]
mod tests {
    use super::of_buckets;

    #[test]
    fn quantiles_lie_within_their_buckets() {
        let buckets = || vec![(0.1, 10.0), (0.5, 30.0), (1.0, 40.0), (f64::INFINITY, 50.0)];
        assert_eq!(of_buckets(0.5, buckets()), 0.1 + 0.4 * (15.0 / 20.0));
        assert_eq!(of_buckets(0.1, buckets()), 0.05);
        assert_eq!(of_buckets(0.99, buckets()), 1.0, "no more is known than the last bound");
        assert!(of_buckets(0.5, vec![(1.0, 5.0)]).is_nan(), "no bucket without bound");
        assert_eq!(of_buckets(1.5, buckets()), f64::INFINITY);
    }
}
