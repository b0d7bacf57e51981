//! Merging: repetitions of one behaviour within a second become one row above a rate.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hanabi_event::{EventTime, SECOND};
use hashbrown::HashMap;

use super::buffer::Place;
use super::row::{self, RowHead};
use crate::error::Fault;

/// One container's current second.
#[derive(Default)]
struct Window {
    second: EventTime,
    rows: u32,
    /// Rows that repetitions are added to, by behaviour.
    places: HashMap<u64, Place>,
}

/// What is to be done with a row.
pub(crate) enum Verdict {
    /// It stands for itself.
    Keep,
    /// It stands for itself, and repetitions go into it: see [`Merger::remember`].
    Lead(u64),
    /// It goes into this one.
    Add(Place),
}

/// Watches the rate of every container in the present buffer.
pub(crate) struct Merger {
    /// Rows a second that are kept as they come.
    above: u32,
    windows: HashMap<u32, Window>,
    hasher: RandomState,
}

impl Merger {
    pub(crate) fn new(above: u32) -> Self {
        Self { above, windows: HashMap::new(), hasher: RandomState::default() }
    }

    /// Forgets every place: they are those of one buffer.
    pub(crate) fn clear(&mut self) {
        self.windows.clear();
    }

    pub(crate) fn judge(
        &mut self,
        container: u32,
        head: &RowHead,
        row: &[u8],
    ) -> Result<Verdict, Fault> {
        let second = head.time / SECOND;
        let window = self.windows.entry(container).or_default();
        if second > window.second {
            window.second = second;
            window.rows = 0;
            window.places.clear();
        }
        window.rows = window.rows.saturating_add(1);
        if window.rows <= self.above {
            return Ok(Verdict::Keep);
        }
        // The seed differs from process to process, so nobody outside can choose two behaviours
        // that collide.
        let mut state = self.hasher.build_hasher();
        let texts = row::texts(row)?;
        (second, head.priority, head.category).hash(&mut state);
        (texts.rule, texts.call, texts.process).hash(&mut state);
        (texts.object, texts.outcome, texts.deviation).hash(&mut state);
        let behaviour = state.finish();
        Ok(window
            .places
            .get(&behaviour)
            .map_or(Verdict::Lead(behaviour), |place| Verdict::Add(*place)))
    }

    /// Says where the row is that repetitions of a behaviour go into.
    pub(crate) fn remember(&mut self, container: u32, behaviour: u64, place: Place) {
        if let Some(window) = self.windows.get_mut(&container) {
            window.places.insert(behaviour, place);
        }
    }
}
