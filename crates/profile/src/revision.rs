//! Revisions: what a new image of a container has changed.
//!
//! A container that comes back with another image is judged against the tree of its parent, at
//! full score, from its first event on. What the change explains is taken into the tree and listed
//! here; when the revision's window is over the list is the difference between the two.

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::{limits::Limits, phase::Phase, profile::Profile};

/// Images remembered by name; the oldest go first.
pub const MAX_REVISIONS: usize = 50;
/// Differences kept, newest last: a release a day keeps more than a week to look back on.
pub const MAX_DIFFS: usize = 10;
/// Additions listed in a difference; further ones are counted. More than this is another program,
/// and nobody reads a longer list.
pub const MAX_ADDITIONS: usize = 200;

/// One thing that a new image does and its parent did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    /// The level of the tree: `new_file`, `new_argument` …
    pub kind: String,
    /// The program's name.
    pub process: String,
    /// The generalised path or token.
    pub token: String,
    /// How often.
    pub count: u64,
    /// First seen, ns of event time.
    pub first_seen: EventTime,
}

/// A new image against its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionDiff {
    /// The new image.
    pub image: String,
    /// The image before it.
    pub parent: String,
    /// When it was first seen, ns of event time.
    pub since: EventTime,
    /// When its window ends, ns of event time.
    pub until: EventTime,
    /// What the change explains, by first occurrence, the first [`MAX_ADDITIONS`].
    pub additions: Vec<Addition>,
    /// How many there are.
    pub additions_total: u64,
}

impl Profile {
    /// Notes the image of one of its containers at `now`. An image that is new to a profile which
    /// detects begins a revision of `window` ns, during which the phase is `relearning`; a frozen
    /// profile takes the name and nothing else. Returns true when a revision has begun.
    pub fn note_image(&mut self, image: &str, now: EventTime, window: EventTime) -> bool {
        if !self.tree.revisions.enter(image) {
            return false;
        }
        // An image that was here before brings nothing that the tree has not seen.
        if self.revisions.iter().any(|r| r == image) {
            return false;
        }
        let parent = self.revisions.last().cloned();
        self.revisions.push(image.to_owned());
        if self.revisions.len() > MAX_REVISIONS {
            self.revisions.remove(0);
        }
        let Some(parent) = parent.filter(|_| window > 0) else { return false };
        if !matches!(self.phase, Phase::Detecting | Phase::Relearning) {
            return false;
        }
        self.diffs.push(RevisionDiff {
            image: image.to_owned(),
            parent,
            since: now,
            until: now.saturating_add(window),
            ..RevisionDiff::default()
        });
        if self.diffs.len() > MAX_DIFFS {
            self.diffs.remove(0);
        }
        self.phase = Phase::Relearning;
        true
    }

    /// True while what this image explains is taken in at `now`.
    pub fn relearns(&self, image: &str, now: EventTime) -> bool {
        self.phase == Phase::Relearning
            && self.diffs.iter().rev().any(|d| d.image == image && d.since <= now && now < d.until)
    }

    /// Lists an addition of this image, or counts it again.
    pub fn note_addition(&mut self, image: &str, addition: Addition) {
        let Some(diff) = self.diffs.iter_mut().rev().find(|d| d.image == image) else { return };
        let same = |a: &&mut Addition| {
            a.kind == addition.kind && a.process == addition.process && a.token == addition.token
        };
        if let Some(known) = diff.additions.iter_mut().find(same) {
            known.count += addition.count;
            return;
        }
        diff.additions_total += 1;
        if diff.additions.len() < MAX_ADDITIONS {
            diff.additions.push(addition);
        }
    }

    /// Ends the revisions whose windows are over.
    pub(crate) fn end_revisions(&mut self, now: EventTime, limits: &Limits) {
        if self.phase == Phase::Relearning && self.diffs.iter().all(|d| d.until <= now) {
            self.merge_crowded(limits);
            self.phase = Phase::Detecting;
        }
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::SECOND;

    use super::{Addition, MAX_ADDITIONS, MAX_DIFFS, MAX_REVISIONS};
    use crate::{LearnRules, Limits, Phase, Profile};

    const WINDOW: u64 = 60 * SECOND;

    fn detecting() -> Profile {
        let mut profile = Profile::new("web", 0, 0);
        assert!(!profile.note_image("shop/web:1", SECOND, WINDOW), "nothing to compare it with");
        profile.detect_now(&Limits::default());
        profile
    }

    #[test]
    fn a_new_image_relearns_for_its_window() {
        let mut profile = detecting();
        assert!(!profile.note_image("shop/web:1", 2 * SECOND, WINDOW));
        assert!(profile.note_image("shop/web:2", 100 * SECOND, WINDOW));
        assert_eq!(profile.phase, Phase::Relearning);
        assert!(profile.relearns("shop/web:2", 159 * SECOND));
        assert!(!profile.relearns("shop/web:1", 159 * SECOND), "a replica of the old image");
        let (rules, limits) = (LearnRules::default(), Limits::default());
        profile.end_windows(159 * SECOND, &rules, &limits);
        assert_eq!(profile.phase, Phase::Relearning);
        profile.end_windows(161 * SECOND, &rules, &limits);
        assert_eq!(profile.phase, Phase::Detecting);
        assert!(!profile.note_image("shop/web:1", 200 * SECOND, WINDOW), "a roll-back is known");
        assert_eq!(profile.revisions, ["shop/web:1", "shop/web:2"]);
        assert_eq!((profile.diffs[0].parent.as_str(), profile.diffs.len()), ("shop/web:1", 1));
    }

    #[test]
    fn a_learning_or_frozen_profile_only_takes_the_name() {
        let mut learning = Profile::new("web", 0, 0);
        learning.note_image("a:1", 0, WINDOW);
        assert!(!learning.note_image("a:2", SECOND, WINDOW));
        assert_eq!((learning.phase, learning.revisions.len()), (Phase::Warmup, 2));
        let mut frozen = detecting();
        frozen.phase = Phase::Frozen;
        assert!(!frozen.note_image("shop/web:2", SECOND, WINDOW));
        assert_eq!(frozen.phase, Phase::Frozen);
    }

    #[test]
    fn lists_are_bounded_and_counted() {
        let mut profile = detecting();
        for number in 0..(MAX_REVISIONS as u64 + 20) {
            assert!(profile.note_image(&format!("web:{number}"), number * SECOND, WINDOW));
        }
        assert_eq!((profile.revisions.len(), profile.diffs.len()), (MAX_REVISIONS, MAX_DIFFS));
        let image = profile.revisions.last().cloned().unwrap();
        for number in 0..(MAX_ADDITIONS as u64 + 50) {
            for _ in 0..2 {
                let token = format!("/srv/{number}");
                let addition = Addition { token, count: 1, ..Addition::default() };
                profile.note_addition(&image, addition);
            }
        }
        let diff = profile.diffs.last().unwrap();
        assert_eq!(diff.additions.len(), MAX_ADDITIONS);
        assert_eq!(diff.additions[0].count, 2);
        // Of what is not listed each occurrence counts, since nothing tells it is the same.
        assert_eq!(diff.additions_total, MAX_ADDITIONS as u64 + 100);
    }
}
