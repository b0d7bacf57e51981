//! What a client wants to see.

use std::sync::Arc;

use hanabi_event::{Category, Priority};

use crate::auth::Scope;

/// Whose messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamScope {
    /// Every container's.
    #[default]
    All,
    /// One container's, by id.
    Container(Arc<str>),
    /// Those of all containers of one identity, the ones to come included.
    Identity(Arc<str>),
}

/// Which types of message. Heartbeats always come: a client without them takes itself for cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeSet {
    /// Batches of events.
    pub events: bool,
    /// Alerts.
    pub alerts: bool,
}

impl Default for TypeSet {
    fn default() -> Self {
        Self { events: true, alerts: true }
    }
}

/// Categories and priorities as a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits(u32);

pub(super) const CELLS: usize = 32;

pub(super) fn cell(category: Category, priority: Priority) -> usize {
    category as usize * Priority::ALL.len() + priority as usize
}

/// What a client wants to see; the default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Which types.
    pub types: TypeSet,
    /// This priority and higher ones.
    pub priority: Option<Priority>,
    /// These categories; empty is all. An alert that belongs to no single category passes always,
    /// so that a filter never hides it.
    pub categories: Vec<Category>,
    /// Only of containers that the client may see.
    pub within: Scope,
}

impl StreamFilter {
    /// True when every event passes.
    pub(super) fn takes_all_events(&self) -> bool {
        self.priority.is_none_or(|priority| priority == Priority::Debug)
            && self.categories.is_empty()
    }

    pub(super) fn takes_priority(&self, priority: Priority) -> bool {
        self.priority.is_none_or(|least| priority >= least)
    }

    pub(super) fn takes_category(&self, category: Category) -> bool {
        self.categories.is_empty() || self.categories.contains(&category)
    }

    /// The cells of category and priority that pass.
    pub(super) fn bits(&self) -> Bits {
        let mut bits = 0;
        for category in Category::ALL {
            for priority in Priority::ALL {
                if self.takes_category(category) && self.takes_priority(priority) {
                    bits |= 1 << cell(category, priority);
                }
            }
        }
        Bits(bits)
    }
}

impl Bits {
    pub(super) fn has(self, cell: usize) -> bool {
        self.0 & (1 << cell) != 0
    }
}
