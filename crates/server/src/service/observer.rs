//! What is noted of every line that reaches a profile, shard by shard, without locks.

use hanabi_detect::{Observer, Verdict};
use hanabi_event::{Category, Event, EventTime, SECOND};
use hanabi_telemetry::{EventCounter, EventDeltas};

use super::rows::Rows;

/// Counts are handed over apart for every stretch of event time as long as a step of the overview.
const STEP: EventTime = 10 * SECOND;
/// Stretches that wait to be handed over at most; past it the newest takes all. A tenth of a second
/// of work holds far fewer, unless times jump.
const STRETCHES_MAX: usize = 256;

/// The observer of one shard.
pub(crate) struct Watcher {
    counter: EventCounter,
    step: u64,
    stretches: Vec<EventDeltas>,
    modelled: [u64; Category::ALL.len()],
    /// Rows for the event log.
    pub(crate) rows: Rows,
}

impl Watcher {
    pub(crate) fn new(counter: EventCounter, rows: Rows) -> Self {
        Self { counter, step: 0, stretches: Vec::new(), modelled: [0; Category::ALL.len()], rows }
    }

    /// What was counted since the last call, oldest stretch first.
    pub(crate) fn take_deltas(&mut self) -> Vec<EventDeltas> {
        let mut all = std::mem::take(&mut self.stretches);
        all.push(self.counter.drain());
        all.retain(|deltas| !deltas.is_empty());
        all
    }

    /// Modelled lines since the last call, in the order of [`Category::ALL`].
    pub(crate) fn take_modelled(&mut self) -> [u64; Category::ALL.len()] {
        std::mem::take(&mut self.modelled)
    }
}

impl Observer for Watcher {
    fn line(&mut self, event: &Event<'_>, identity: &str, verdict: Verdict) {
        let step = event.time / STEP;
        if step != self.step {
            self.step = step;
            if self.stretches.len() < STRETCHES_MAX {
                let deltas = self.counter.drain();
                if !deltas.is_empty() {
                    self.stretches.push(deltas);
                }
            }
        }
        self.counter.count(event);
        if verdict == Verdict::Modelled {
            self.modelled[event.category as usize] += 1;
            self.rows.take(event, identity);
        }
    }
}
