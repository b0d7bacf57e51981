//! Where the engine puts events and alerts for the batcher.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use hanabi_detect::Alert;
use hanabi_event::{Category, EventTime, Priority};
use hashbrown::HashMap;
use parking_lot::MutexGuard;
use serde::Serialize;

use super::filter::{CELLS, cell};
use super::{StreamContainer, StreamLimits};

/// The container of a message.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) id: Arc<str>,
    pub(super) identity: Arc<str>,
    /// The names of its containers: an alert can have several.
    pub(super) names: Vec<Arc<str>>,
}

impl Owner {
    fn new(container: StreamContainer<'_>) -> Self {
        Self {
            id: Arc::from(container.id),
            identity: Arc::from(container.identity),
            names: vec![Arc::from(container.name)],
        }
    }
}

/// A container's events of the present tick, already serialised.
#[derive(Debug)]
pub(super) struct PendingEvents {
    pub(super) owner: Owner,
    /// The newest event's time.
    pub(super) time: EventTime,
    /// JSON objects, separated by commas.
    pub(super) rows: Vec<u8>,
    /// Cell and place of each.
    pub(super) parts: Vec<(u8, Range<u32>)>,
    /// Events left out, by cell.
    pub(super) skipped: [u32; CELLS],
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    alerts: VecDeque<(Arc<Alert>, Owner)>,
    alerts_dropped: bool,
    /// By container id.
    events: HashMap<String, PendingEvents>,
    rows: usize,
}

impl Inbox {
    /// False when there was no room.
    pub(super) fn put_alert(
        &mut self,
        alert: Arc<Alert>,
        container: StreamContainer<'_>,
        limit: usize,
    ) -> bool {
        if self.alerts.len() >= limit {
            self.alerts_dropped = true;
            return false;
        }
        let mut owner = Owner::new(container);
        let more = alert.containers.iter().chain([&alert.container]);
        for name in more.map(|container| container.name.as_str()) {
            if !owner.names.iter().any(|known| **known == *name) {
                owner.names.push(Arc::from(name));
            }
        }
        self.alerts.push_back((alert, owner));
        true
    }

    /// The alerts that wait, and whether some were dropped.
    pub(super) fn take_alerts(&mut self) -> (VecDeque<(Arc<Alert>, Owner)>, bool) {
        (std::mem::take(&mut self.alerts), std::mem::take(&mut self.alerts_dropped))
    }

    /// The tick's events, in order of container id.
    pub(super) fn take_events(&mut self) -> Vec<PendingEvents> {
        self.rows = 0;
        let mut events: Vec<_> = std::mem::take(&mut self.events).into_values().collect();
        events.sort_by(|a, b| a.owner.id.cmp(&b.owner.id));
        events
    }
}

/// The open inbox; see [`super::StreamHub::events`].
#[derive(Debug)]
pub struct EventBatch<'a> {
    inbox: MutexGuard<'a, Inbox>,
    limits: &'a StreamLimits,
}

impl<'a> EventBatch<'a> {
    pub(super) fn new(inbox: MutexGuard<'a, Inbox>, limits: &'a StreamLimits) -> Self {
        Self { inbox, limits }
    }

    /// Adds an event. `row` is made and serialised only when the tick has room for it; else the event
    /// is counted as skipped.
    pub fn add<T: Serialize>(
        &mut self,
        container: StreamContainer<'_>,
        category: Category,
        priority: Priority,
        time: EventTime,
        row: impl FnOnce() -> T,
    ) {
        let full = self.inbox.rows >= self.limits.events_per_tick;
        let limit = self.limits.events_per_container;
        let pending = self.pending(container);
        pending.time = pending.time.max(time);
        let cell = cell(category, priority);
        if full || pending.parts.len() >= limit {
            pending.skipped[cell] = pending.skipped[cell].saturating_add(1);
            return;
        }
        let end = pending.rows.len();
        if end > 0 {
            pending.rows.push(b',');
        }
        let start = pending.rows.len();
        if serde_json::to_writer(&mut pending.rows, &row()).is_err() {
            pending.rows.truncate(end);
            pending.skipped[cell] = pending.skipped[cell].saturating_add(1);
            return;
        }
        pending.parts.push((cell as u8, start as u32..pending.rows.len() as u32));
        self.inbox.rows += 1;
    }

    fn pending(&mut self, container: StreamContainer<'_>) -> &mut PendingEvents {
        self.inbox.events.entry_ref(container.id).or_insert_with(|| PendingEvents {
            owner: Owner::new(container),
            time: 0,
            rows: Vec::new(),
            parts: Vec::new(),
            skipped: [0; CELLS],
        })
    }
}
