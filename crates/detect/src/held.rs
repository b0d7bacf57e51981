//! Lines of other rules that wait for the catch-all line of the same kernel event.

use std::collections::{BTreeMap, VecDeque};

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::{instance::SAME_EVENT, router::Progress};

/// Lines of a shard held at most; past it the oldest is decided at once.
pub const MAX_HELD: usize = 16_384;

/// A line that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) slot: u32,
    /// How far its host's time had come when it came: it waits by the host's time, also when its own
    /// is behind or ahead of that.
    pub(crate) time: EventTime,
    pub(crate) host: u16,
    pub(crate) line: String,
}

/// The lines that wait, by host, in the order in which they came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HeldLines {
    hosts: BTreeMap<u16, VecDeque<Held>>,
    count: usize,
}

impl HeldLines {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, held: Held) {
        self.count += 1;
        self.hosts.entry(held.host).or_default().push_back(held);
    }

    /// The host whose oldest line was the first to have waited long enough, if any has with this
    /// record, and the record with which it had.
    pub(crate) fn due(&self, progress: &Progress, record: u32) -> Option<(u32, u16)> {
        let over = |(host, queue): (&u16, &VecDeque<Held>)| {
            let end = queue.front()?.time.saturating_add(SAME_EVENT);
            Some((progress.reached(*host, end, record)?, *host))
        };
        self.hosts.iter().filter_map(over).min()
    }

    /// Takes out the oldest line of a host.
    pub(crate) fn pop(&mut self, host: u16) -> Option<Held> {
        let held = self.hosts.get_mut(&host)?.pop_front()?;
        self.count -= 1;
        Some(held)
    }

    /// Takes out the line that came at the earliest time.
    pub(crate) fn pop_oldest(&mut self) -> Option<Held> {
        let fronts =
            self.hosts.iter().filter_map(|(host, queue)| Some((queue.front()?.time, *host)));
        let (_, host) = fronts.min()?;
        self.pop(host)
    }

    /// Takes out everything of a slot.
    pub(crate) fn of_slot(&mut self, slot: u32) -> Vec<Held> {
        let mut taken = Vec::new();
        for queue in self.hosts.values_mut() {
            let (of, rest): (Vec<_>, Vec<_>) =
                std::mem::take(queue).into_iter().partition(|held| held.slot == slot);
            taken.extend(of);
            *queue = rest.into();
        }
        self.count -= taken.len();
        taken
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.hosts.values().flatten()
    }
}

impl FromIterator<Held> for HeldLines {
    fn from_iter<I: IntoIterator<Item = Held>>(lines: I) -> Self {
        let mut all = Self::default();
        for held in lines {
            all.push(held);
        }
        all
    }
}
