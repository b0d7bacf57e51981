//! Exact matching as the prototype did it, for comparison: every call, program and object that was
//! not seen while learning is an alert, grouped by container, program and call.

use std::collections::{BTreeMap, HashSet};

use hanabi_detect::{Observer, Verdict};
use hanabi_event::{Event, EventTime};

/// Alerts of one group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The container's name.
    pub(crate) container: String,
    /// The first of them.
    pub(crate) first: EventTime,
    /// When they came.
    pub(crate) times: Vec<EventTime>,
}

/// One shard's part of the prototype.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prototype {
    detect_from: EventTime,
    seen: HashSet<String>,
    groups: BTreeMap<String, Group>,
}

impl Prototype {
    /// Learns until `detect_from`.
    pub(crate) fn new(detect_from: EventTime) -> Self {
        Self { detect_from, ..Self::default() }
    }

    /// What it would have raised.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }
}

impl Observer for Prototype {
    fn line(&mut self, event: &Event<'_>, identity: &str, verdict: Verdict) {
        if verdict != Verdict::Modelled {
            return;
        }
        let object = if event.fd.name.is_empty() { event.process.arguments } else { event.fd.name };
        let key = format!("{identity} {} {} {object}", event.call, event.process.name);
        if event.time < self.detect_from {
            self.seen.insert(key);
        } else if !self.seen.contains(&key) {
            let group = format!("{identity} {} {}", event.call, event.process.name);
            self.groups
                .entry(group)
                .or_insert_with(|| Group {
                    container: event.container.name.to_owned(),
                    first: event.time,
                    times: Vec::new(),
                })
                .times
                .push(event.time);
        }
    }
}

#[cfg(test)]
mod tests {
    use hanabi_detect::{Observer, Verdict};
    use hanabi_event::{Event, Fd};

    use super::Prototype;

    #[test]
    fn what_was_not_learned_to_the_letter_is_raised() {
        let mut prototype = Prototype::new(10);
        let event = |time, name| Event {
            time,
            call: "openat",
            fd: Fd { name, ..Fd::default() },
            ..Event::default()
        };
        for (time, name) in [(1, "/a"), (11, "/a"), (12, "/b1"), (13, "/b2")] {
            prototype.line(&event(time, name), "web", Verdict::Modelled);
        }
        prototype.line(&event(14, "/c"), "web", Verdict::Held);
        let groups: Vec<_> = prototype.groups().map(|g| (g.first, g.times.len())).collect();
        assert_eq!(groups, [(12, 2)]);
    }
}
