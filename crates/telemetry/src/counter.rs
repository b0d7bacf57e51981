//! Counting events by label on one worker thread.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hanabi_event::{Event, EventTime};
use hashbrown::HashTable;

use crate::exporter::ExporterOptions;
use crate::family::OTHER;
use crate::labels::{Labels, bounded, ends_of};

/// The slots of `syscall_events_total`'s labels.
const RULE: usize = 0;
const PRIORITY: usize = 1;
pub(crate) const CONTAINER_NAME: usize = 2;
const IMAGE_REPOSITORY: usize = 3;
const PROCESS_NAME: usize = 4;
const NAMESPACE: usize = 5;
const POD: usize = 6;
const RULE_CATEGORY: usize = 7;

/// A combination that was not seen between this many drains is forgotten, so that the table holds
/// what is alive and not what once was.
const SWEEP_DRAINS: u32 = 64;

/// What a worker counted since it was last asked. Reused from drain to drain, it allocates nothing.
#[derive(Debug, Default)]
pub struct EventDeltas {
    /// Events counted; exact.
    pub events: u64,
    /// How many of them went to `_other_` here, because this worker's table was full.
    pub folded: u64,
    /// Changes by series. The same labels may stand here more than once.
    pub series: Vec<SeriesDelta>,
}

impl EventDeltas {
    /// True when nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }
}

/// One series' change.
#[derive(Clone, Debug)]
pub struct SeriesDelta {
    /// The labels of `syscall_events_total`, in its order.
    pub labels: Arc<Labels>,
    /// Events since the last drain.
    pub count: u64,
    /// The newest event time among them.
    pub last: EventTime,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    labels: Arc<Labels>,
    count: u64,
    last: EventTime,
    /// Seen since the last sweep.
    alive: bool,
}

/// Counts events by the eight labels. Owned by one worker thread, without locks: a combination
/// seen before costs one hash and one look-up and allocates nothing. Memory is bounded by
/// [`ExporterOptions::series_max`]; past it new combinations are counted under `_other_`.
#[derive(Debug)]
pub struct EventCounter {
    process_name: bool,
    k8s_pod: bool,
    series_max: usize,
    hasher: RandomState,
    index: HashTable<u32>,
    entries: Vec<Entry>,
    /// Entries with a count.
    changed: Vec<u32>,
    events: u64,
    folded: u64,
    drains: u32,
}

impl EventCounter {
    /// A counter with the exporter's switches and bounds.
    pub fn new(options: &ExporterOptions) -> Self {
        Self {
            process_name: options.process_name,
            k8s_pod: options.k8s_pod,
            series_max: options.series_max,
            hasher: RandomState::default(),
            index: HashTable::new(),
            entries: Vec::new(),
            changed: Vec::new(),
            events: 0,
            folded: 0,
            drains: 0,
        }
    }

    /// Counts one event.
    pub fn count(&mut self, event: &Event<'_>) {
        let values = self.values(event);
        self.events += 1;
        let hash = self.hash(&values);
        let slot = match self.find(hash, &values) {
            Some(slot) => slot,
            None => self.add(hash, &values),
        };
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        if entry.count == 0 {
            entry.alive = true;
            self.changed.push(slot);
        }
        entry.count += 1;
        entry.last = entry.last.max(event.time);
    }

    /// Moves what was counted into `deltas`, whose old content goes. Costs nothing when nothing
    /// was counted, and otherwise by the number of combinations that changed.
    pub fn drain_into(&mut self, deltas: &mut EventDeltas) {
        deltas.series.clear();
        deltas.events = std::mem::take(&mut self.events);
        deltas.folded = std::mem::take(&mut self.folded);
        for slot in self.changed.drain(..) {
            let Some(entry) = self.entries.get_mut(slot as usize) else { continue };
            let labels = Arc::clone(&entry.labels);
            let (count, last) = (entry.count, entry.last);
            (entry.count, entry.last) = (0, 0);
            deltas.series.push(SeriesDelta { labels, count, last });
        }
        self.drains += 1;
        if self.drains >= SWEEP_DRAINS {
            self.drains = 0;
            self.sweep();
        }
    }

    /// As [`EventCounter::drain_into`], into a new list.
    pub fn drain(&mut self) -> EventDeltas {
        let mut deltas = EventDeltas::default();
        self.drain_into(&mut deltas);
        deltas
    }

    fn values<'a>(&self, event: &Event<'a>) -> [&'a str; Labels::MAX] {
        let container = &event.container;
        [
            or(event.rule, "unknown"),
            event.priority.as_str(),
            or(container.name, "unknown"),
            or(container.repository, "unknown"),
            if self.process_name { or(event.process.name, "unknown") } else { "" },
            or(container.namespace, "none"),
            if self.k8s_pod { or(container.pod, "none") } else { "" },
            event.category.as_str(),
        ]
    }

    /// Priority and category differ seldom and are compared anyway, so they are left out.
    fn hash(&self, values: &[&str; Labels::MAX]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let mut lengths = 0;
        for index in [RULE, CONTAINER_NAME, IMAGE_REPOSITORY, PROCESS_NAME, NAMESPACE, POD] {
            let value = values[index].as_bytes();
            lengths = lengths << 8 | value.len() as u64;
            hasher.write(value);
        }
        hasher.write_u64(lengths);
        hasher.finish()
    }

    fn find(&self, hash: u64, values: &[&str; Labels::MAX]) -> Option<u32> {
        let ends = ends_of(values);
        let found = self.index.find(hash, |slot| {
            self.entries
                .get(*slot as usize)
                .is_some_and(|entry| entry.hash == hash && entry.labels.are(values, &ends))
        });
        found.copied()
    }

    /// The slot of a new combination, or of what stands for it when the table is full.
    #[cold]
    fn add(&mut self, hash: u64, values: &[&str; Labels::MAX]) -> u32 {
        if self.entries.len() < self.series_max {
            return self.insert(hash, values);
        }
        self.folded += 1;
        let mut folded = *values;
        folded[PROCESS_NAME] = other(folded[PROCESS_NAME]);
        let hash = self.hash(&folded);
        if let Some(slot) = self.find(hash, &folded) {
            return slot;
        }
        // Priority and category are closed sets, so what is added past the bound is bounded, too:
        // first one entry a container while there are few, then one for all.
        if self.entries.len() < self.series_max + self.series_max / 8 {
            return self.insert(hash, &folded);
        }
        for (index, value) in folded.iter_mut().enumerate() {
            if index != PRIORITY && index != RULE_CATEGORY {
                *value = other(value);
            }
        }
        let hash = self.hash(&folded);
        match self.find(hash, &folded) {
            Some(slot) => slot,
            None => self.insert(hash, &folded),
        }
    }

    fn insert(&mut self, hash: u64, values: &[&str; Labels::MAX]) -> u32 {
        let slot = self.entries.len() as u32;
        let labels = Arc::new(Labels::new(values));
        self.entries.push(Entry { hash, labels, count: 0, last: 0, alive: true });
        let entries = &self.entries;
        self.index.insert_unique(hash, slot, |slot| {
            entries.get(*slot as usize).map_or(0, |entry| entry.hash)
        });
        slot
    }

    /// Forgets what was not seen since the last sweep. No entry holds a count here.
    fn sweep(&mut self) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.alive);
        for entry in &mut self.entries {
            entry.alive = false;
        }
        if self.entries.len() == before {
            return;
        }
        let entries = &self.entries;
        let hash_of = |slot: &u32| entries.get(*slot as usize).map_or(0, |entry| entry.hash);
        self.index.clear();
        for (slot, entry) in (0..).zip(entries) {
            self.index.insert_unique(entry.hash, slot, hash_of);
        }
    }
}

fn or<'a>(value: &'a str, absent: &'static str) -> &'a str {
    if value.is_empty() { absent } else { bounded(value) }
}

/// `_other_`, but a label that is switched off stays off.
fn other(value: &str) -> &'static str {
    if value.is_empty() { "" } else { OTHER }
}
