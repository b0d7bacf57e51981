//! The numbers behind the metrics: atomics, shared by whoever counts and whoever writes them out.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::label::Label;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes over a total that is counted elsewhere; a lower one than before changes nothing.
    pub fn raise_to(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }

    /// The total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Sets it to a whole number; above 2^53 to the nearest one that a float can hold.
    pub fn set_count(&self, value: u64) {
        self.set(value as f64);
    }

    /// Adds `change`, which may be negative.
    pub fn add(&self, change: f64) {
        let add = |bits: u64| Some((f64::from_bits(bits) + change).to_bits());
        // The closure always returns a value, so this cannot fail.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    }

    /// The value.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Durations by size, in buckets from 1 µs to 10 s in steps of about √10.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; Histogram::BOUNDS.len() + 1],
    sum_nanoseconds: AtomicU64,
}

impl Histogram {
    /// The buckets' upper bounds, in nanoseconds.
    pub(crate) const BOUNDS: [u64; 15] = [
        1_000,
        3_000,
        10_000,
        30_000,
        100_000,
        300_000,
        1_000_000,
        3_000_000,
        10_000_000,
        30_000_000,
        100_000_000,
        300_000_000,
        1_000_000_000,
        3_000_000_000,
        10_000_000_000,
    ];

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < nanoseconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The counts at or below each bound and above the last one, and the sum in nanoseconds.
    pub(crate) fn read(&self) -> ([u64; Self::BOUNDS.len() + 1], u64) {
        let mut total = 0;
        let cumulated = std::array::from_fn(|i| {
            total += self.buckets[i].load(Ordering::Relaxed);
            total
        });
        (cumulated, self.sum_nanoseconds.load(Ordering::Relaxed))
    }
}

/// One number for each value of a closed label.
#[derive(Debug)]
pub struct By<L, C> {
    cells: Box<[C]>,
    label: PhantomData<fn() -> L>,
}

impl<L: Label, C: Default> Default for By<L, C> {
    fn default() -> Self {
        Self { cells: (0..L::COUNT).map(|_| C::default()).collect(), label: PhantomData }
    }
}

impl<L: Label, C> By<L, C> {
    /// The number of one value.
    pub fn of(&self, label: L) -> &C {
        &self.cells[label.index()]
    }

    /// The number of the value written `value`; `None` for a word that is not in the set.
    pub fn named(&self, value: &str) -> Option<&C> {
        self.iter().find(|(name, _)| *name == value).map(|(_, cell)| cell)
    }

    /// All values with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &C)> {
        self.cells.iter().enumerate().map(|(index, cell)| (L::value(index), cell))
    }
}

impl<L: Label> By<L, Counter> {
    /// The sum over all values.
    pub fn total(&self) -> u64 {
        self.cells.iter().map(Counter::get).sum()
    }
}

/// Names of a [`Named`] at most; outputs are bounded by the configuration to fewer.
const NAMES_MAX: usize = 64;

/// A label whose values are names that an operator has given.
pub trait NameLabel: 'static {
    /// The label's name.
    const NAME: &'static str;
}

/// One number for each name that is given to [`Named::of`], at most 64; those past it
/// share one under [`crate::OTHER`]. Never for names that come with events.
#[derive(Debug)]
pub struct Named<L, C> {
    cells: RwLock<BTreeMap<String, Arc<C>>>,
    label: PhantomData<fn() -> L>,
}

impl<L, C> Default for Named<L, C> {
    fn default() -> Self {
        Self { cells: RwLock::default(), label: PhantomData }
    }
}

impl<L: NameLabel, C: Default> Named<L, C> {
    /// The number of one name, which is there from then on.
    pub fn of(&self, name: &str) -> Arc<C> {
        if let Some(cell) = self.cells.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(cell);
        }
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        let name = if cells.len() < NAMES_MAX { name } else { crate::OTHER };
        Arc::clone(cells.entry(name.to_owned()).or_default())
    }

    /// All names with their numbers, in alphabetical order.
    pub(crate) fn all(&self) -> Vec<(String, Arc<C>)> {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        cells.iter().map(|(name, cell)| (name.clone(), Arc::clone(cell))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::{OutputName, Phase};

    #[test]
    fn names_are_bounded() {
        let named: Named<OutputName, Counter> = Named::default();
        for number in 0..NAMES_MAX + 10 {
            named.of(&format!("n{number}")).increment();
        }
        named.of("n0").increment();
        let all = named.all();
        assert_eq!(all.len(), NAMES_MAX + 1);
        assert_eq!(named.of("n0").get(), 2);
        assert_eq!(named.of(crate::OTHER).get(), 10);
    }

    #[test]
    fn a_counter_never_falls() {
        let counter = Counter::default();
        counter.add(5);
        counter.raise_to(3);
        assert_eq!(counter.get(), 5);
        counter.raise_to(9);
        counter.increment();
        assert_eq!(counter.get(), 10);
    }

    #[test]
    fn a_histogram_is_cumulative() {
        let histogram = Histogram::default();
        for nanoseconds in [0, 1_000, 1_001, 20_000_000_000] {
            histogram.observe(Duration::from_nanos(nanoseconds));
        }
        let (cumulated, sum) = histogram.read();
        assert_eq!(cumulated[..3], [2, 3, 3]);
        assert_eq!(cumulated[14..], [3, 4]);
        assert_eq!(sum, 20_000_002_001);
    }

    #[test]
    fn values_have_their_own_numbers() {
        let by: By<Phase, Gauge> = By::default();
        by.of(Phase::Learning).set_count(3);
        by.of(Phase::Learning).add(-1.0);
        assert!((by.named("learning").unwrap().get() - 2.0).abs() < f64::EPSILON);
        assert!(by.named("asleep").is_none());
    }
}
