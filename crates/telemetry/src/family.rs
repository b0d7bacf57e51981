//! The series of one family, within their budgets.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::labels::Labels;

/// The value that stands for all values past a budget.
pub const OTHER: &str = "_other_";

/// One series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    /// The count, or the event time in ns.
    pub(crate) value: u64,
    /// When it was made, in ns since the epoch.
    pub(crate) created: u64,
    changed: u64,
}

/// A bounded set of series.
#[derive(Debug)]
pub(crate) struct BoundedFamily {
    /// For each label the most distinct values; 0 for a closed set, which has no limit.
    limits: Vec<usize>,
    series_max: usize,
    series: HashMap<Arc<Labels>, Series, RandomState>,
    /// For each label its values, with the number of series that have them.
    values: Vec<HashMap<Box<str>, u32, RandomState>>,
}

impl BoundedFamily {
    pub(crate) fn new(limits: Vec<usize>, series_max: usize) -> Self {
        let values = limits.iter().map(|_| HashMap::default()).collect();
        Self { limits, series_max, series: HashMap::default(), values }
    }

    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// A copy, to be sorted and written without the lock.
    pub(crate) fn to_vec(&self) -> Vec<(Arc<Labels>, Series)> {
        self.series.iter().map(|(labels, series)| (Arc::clone(labels), *series)).collect()
    }

    /// Adds to a count. True when it went to `_other_`.
    pub(crate) fn add(&mut self, labels: &Arc<Labels>, count: u64, now: u64) -> bool {
        self.update(labels, now, |value| value + count)
    }

    /// Raises a value. True when it went to `_other_`.
    pub(crate) fn raise(&mut self, labels: &Arc<Labels>, to: u64, now: u64) -> bool {
        self.update(labels, now, |value| value.max(to))
    }

    fn update(&mut self, labels: &Arc<Labels>, now: u64, update: impl Fn(u64) -> u64) -> bool {
        if let Some(series) = self.series.get_mut(labels) {
            series.value = update(series.value);
            series.changed = now;
            return false;
        }
        let mut folded = self.within_value_limits(labels);
        if self.series.len() >= self.series_max && !self.series.contains_key(&folded) {
            folded = self.fold_all(labels);
        }
        let is_folded = folded != *labels;
        if !self.series.contains_key(&folded) {
            self.note_values(&folded);
        }
        let series =
            self.series.entry(folded).or_insert(Series { value: 0, created: now, changed: now });
        series.value = update(series.value);
        series.changed = now;
        is_folded
    }

    /// The labels with every value folded that is new and past its label's budget.
    fn within_value_limits(&self, labels: &Arc<Labels>) -> Arc<Labels> {
        let fits = |index: usize, value: &str| {
            let (Some(limit), Some(values)) = (self.limits.get(index), self.values.get(index))
            else {
                return true;
            };
            *limit == 0 || value.is_empty() || values.len() < *limit || values.contains_key(value)
        };
        if labels.iter().enumerate().all(|(index, value)| fits(index, value)) {
            return Arc::clone(labels);
        }
        folded(labels, |index, value| !fits(index, value))
    }

    /// The labels with every value folded that is not of a closed set.
    fn fold_all(&self, labels: &Arc<Labels>) -> Arc<Labels> {
        folded(labels, |index, _| self.limits.get(index).is_some_and(|limit| *limit > 0))
    }

    fn note_values(&mut self, labels: &Labels) {
        for (values, value) in self.values.iter_mut().zip(labels.iter()) {
            // What stands for the rest takes nobody's place.
            if value != OTHER {
                match values.get_mut(value) {
                    Some(series) => *series += 1,
                    None => {
                        values.insert(value.into(), 1);
                    }
                }
            }
        }
    }

    fn forget_values(values: &mut [HashMap<Box<str>, u32, RandomState>], labels: &Labels) {
        for (values, value) in values.iter_mut().zip(labels.iter()) {
            let Some(series) = values.get_mut(value) else { continue };
            *series -= 1;
            if *series == 0 {
                values.remove(value);
            }
        }
    }

    /// Removes what has not changed since before `before` and returns how many that were.
    pub(crate) fn expire(&mut self, before: u64) -> u64 {
        let size = self.series.len();
        let values = &mut self.values;
        self.series.retain(|labels, series| {
            let keep = series.changed >= before;
            if !keep {
                Self::forget_values(values, labels);
            }
            keep
        });
        (size - self.series.len()) as u64
    }
}

fn folded(labels: &Labels, fold: impl Fn(usize, &str) -> bool) -> Arc<Labels> {
    let values: Vec<&str> = labels
        .iter()
        .enumerate()
        .map(|(index, value)| if !value.is_empty() && fold(index, value) { OTHER } else { value })
        .collect();
    Arc::new(Labels::new(&values))
}
