//! Behaviour that single events do not show: many peers, files or changes in a short time.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burst {
    /// Distinct new ends of connections.
    Scan,
    /// Distinct new files looked at.
    Sweep,
    /// Distinct new files made, changed or removed.
    Change,
    /// Datagrams and messages to a new peer: a beacon, a tunnel, data leaving in small pieces.
    Sends,
    /// Name queries far longer than any before.
    Queries,
    /// Files that a program has worked with, deleted by it for the first time.
    Loss,
}

impl Burst {
    /// How many distinct objects within [`Burst::window`] make a burst. A scan of eight ports is the
    /// shortest list that tools come with; a program start reads some dozens of files; a person
    /// who changes forty files in ten seconds is a script; a new client that resolves and connects
    /// sends some handfuls of messages in a minute, not forty; one long name is an odd name, ten
    /// are data. Three
    /// tables, one after another, are a database that is taken away.
    pub fn limit(self) -> usize {
        match self {
            Self::Scan => 8,
            Self::Queries => 10,
            Self::Loss => 3,
            Self::Sweep => 150,
            Self::Change | Self::Sends => 40,
        }
    }

    /// The word in rules and subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "network_scan",
            Self::Sweep => "file_sweep",
            Self::Change => "mass_change",
            Self::Sends => "many_sends",
            Self::Queries => "long_queries",
            Self::Loss => "data_loss",
        }
    }

    /// Its score.
    pub fn score(self) -> f64 {
        match self {
            Self::Scan => 0.8,
            Self::Sweep | Self::Sends | Self::Queries | Self::Loss => 0.6,
            Self::Change => 0.7,
        }
    }

    /// ATT&CK techniques.
    pub fn mitre(self) -> &'static [&'static str] {
        match self {
            Self::Scan => &["T1046"],
            Self::Sweep => &["T1083", "T1005"],
            Self::Change => &["T1486", "T1485"],
            Self::Sends => &["T1071", "T1048"],
            Self::Queries => &["T1071.004", "T1048.003"],
            Self::Loss => &["T1485"],
        }
    }

    /// The window in which its objects are counted, ns of event time: tools work in seconds, a
    /// beacon has time.
    pub fn window(self) -> EventTime {
        match self {
            Self::Scan | Self::Sweep | Self::Change | Self::Loss => 10 * SECOND,
            Self::Sends | Self::Queries => 60 * SECOND,
        }
    }
}

/// Counters kept at a time in a container; the oldest windows go first.
pub const MAX_COUNTERS: usize = 256;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counter {
    start: EventTime,
    seen: BTreeSet<u64>,
}

/// The windows of one container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bursts {
    counters: BTreeMap<(String, Burst), Counter>,
}

impl Bursts {
    /// Counts a new object of `actor`, a session or a program. Returns the number of distinct
    /// objects in its window; beyond four times the limit it stays there.
    pub fn count(&mut self, actor: &str, burst: Burst, object: u64, now: EventTime) -> usize {
        if self.counters.len() >= MAX_COUNTERS {
            self.counters.retain(|(_, burst), c| now.saturating_sub(c.start) <= burst.window());
            if self.counters.len() >= MAX_COUNTERS {
                self.counters.pop_first();
            }
        }
        let counter = self
            .counters
            .entry((actor.to_owned(), burst))
            .or_insert_with(|| Counter { start: now, seen: BTreeSet::new() });
        if now.saturating_sub(counter.start) > burst.window() {
            counter.start = now;
            counter.seen.clear();
        }
        if counter.seen.len() < 4 * burst.limit() {
            counter.seen.insert(object);
        }
        counter.seen.len()
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::SECOND;

    use super::{Burst, Bursts};

    #[test]
    fn distinct_objects_within_the_window_make_a_burst() {
        let mut bursts = Bursts::default();
        for object in 0..7 {
            let distinct = object as usize + 1;
            assert_eq!(bursts.count("a", Burst::Scan, object, SECOND), distinct);
            assert_eq!(bursts.count("a", Burst::Scan, object, SECOND), distinct);
        }
        assert_eq!(bursts.count("b", Burst::Scan, 7, SECOND), 1);
        assert_eq!(bursts.count("a", Burst::Scan, 7, 2 * SECOND), Burst::Scan.limit());
        assert_eq!(bursts.count("a", Burst::Scan, 8, 30 * SECOND), 1);
    }
}
