//! What alerts would have to teach their profile, kept beside them for a promotion.

use std::collections::BTreeSet;

use hanabi_profile::Lesson;
use serde::{Deserialize, Serialize};

use super::Ledger;

/// Lessons kept of an alert: a session does more, and what of it fits the profile needs none.
pub const MAX_LESSONS: usize = 256;
/// Lessons kept of all alerts of an identity, at some 200 bytes each.
pub const MAX_LEDGER_LESSONS: usize = 8_192;
/// Dangerous behaviours kept of an alert; further ones are not covered by its promotion.
pub const MAX_KEYS: usize = 64;
/// Events whose lessons are known to be kept are not looked at again.
const MAX_SEEN: usize = 1_024;

/// What was kept of one alert.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Records {
    /// Behaviours, each with the key of the danger that it is, if any.
    pub(crate) lessons: Vec<(Lesson, Option<String>)>,
    /// The keys of dangerous behaviours and bursts.
    pub(crate) keys: BTreeSet<String>,
    #[serde(skip)]
    seen: BTreeSet<u64>,
}

impl Records {
    /// True when there is nothing to promote.
    pub(crate) fn is_empty(&self) -> bool {
        self.lessons.is_empty() && self.keys.is_empty()
    }
}

impl Ledger {
    /// Keeps what an alert's event would teach. `hash` tells events with the same lesson.
    pub(crate) fn record(
        &mut self,
        fingerprint: &str,
        hash: u64,
        key: Option<&str>,
        lesson: impl FnOnce() -> Option<Lesson>,
    ) {
        let Some(beside) = self.beside.get_mut(fingerprint) else { return };
        let records = &mut beside.records;
        if let Some(key) = key
            && records.keys.len() < MAX_KEYS
        {
            records.keys.insert(key.to_owned());
        }
        let full = records.lessons.len() >= MAX_LESSONS || self.lessons >= MAX_LEDGER_LESSONS;
        if full || records.seen.len() >= MAX_SEEN || !records.seen.insert(hash) {
            return;
        }
        let Some(lesson) = lesson() else { return };
        if !records.lessons.iter().any(|(known, _)| *known == lesson) {
            records.lessons.push((lesson, key.map(str::to_owned)));
            self.lessons += 1;
        }
    }

    /// What was kept of an alert.
    pub(crate) fn records(&self, fingerprint: &str) -> Option<&Records> {
        self.beside.get(fingerprint).map(|beside| &beside.records)
    }

    /// An alert has left: its lessons make room.
    pub(super) fn forget_records(&mut self, fingerprint: &str) {
        if let Some(beside) = self.beside.remove(fingerprint) {
            self.lessons = self.lessons.saturating_sub(beside.records.lessons.len());
        }
    }
}
