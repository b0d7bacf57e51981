//! The live stream: what the engine publishes, batched once and shared by every client.
//!
//! Three parts, so that no side can hold up another:
//!
//! - the **inbox** takes events and alerts from the engine; it is bounded and drops with a count;
//! - the **batcher**, one task, turns the inbox into numbered, serialised messages: an alert at once,
//!   events every tick, one message a container;
//! - the **ring** keeps the newest messages; a client is a position in it. A slow client costs no
//!   memory: when the ring has moved past its position it is told how many messages of its own it
//!   lost, and resuming is nothing but starting at an older position.

mod batcher;
mod envelope;
mod filter;
mod inbox;
mod ring;
mod subscription;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hanabi_detect::Alert;
use hanabi_event::{Category, EventTime, Priority};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

pub(crate) use envelope::message_of;
pub use filter::{StreamFilter, StreamScope, TypeSet};
pub use inbox::EventBatch;
pub use subscription::{StreamError, Subscription};

use inbox::Inbox;
use ring::Ring;

/// The bounds of the stream. The defaults are for a service with a console or some hundred clients.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// How often events are sent; the specification's 500 ms.
    pub tick: Duration,
    /// How often every client gets a heartbeat; the specification's 30 s.
    pub heartbeat: Duration,
    /// Events of one container in a tick: what a person can still follow, and 400 a second fill a
    /// log view. The rest is counted in `skipped`.
    pub events_per_container: usize,
    /// Events of all containers in a tick: 8 000 a second cost about 1 % of a core to serialise.
    pub events_per_tick: usize,
    /// Alerts that wait for the batcher. It takes them within a millisecond, so more means a storm
    /// that no stream can show; the REST routes have them all.
    pub alerts_waiting: usize,
    /// Bytes kept for slow and returning clients: half a minute at 500 events a second.
    pub ring_bytes: usize,
    /// Messages kept for slow and returning clients.
    pub ring_messages: usize,
    /// Clients at a time; one costs about 50 KiB when it does not read.
    pub clients: usize,
    /// Events are still kept for this long after the last client left, so that it can resume.
    pub linger: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(500),
            heartbeat: Duration::from_secs(30),
            events_per_container: 200,
            events_per_tick: 4_000,
            alerts_waiting: 10_000,
            ring_bytes: 16 << 20,
            ring_messages: 65_536,
            clients: 4_000,
            linger: Duration::from_mins(1),
        }
    }
}

/// Whose event or alert it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamContainer<'a> {
    /// The id, as in [`crate::ContainerRow::id`].
    pub id: &'a str,
    /// The name, or `""`.
    pub name: &'a str,
    /// The identity of its profile.
    pub identity: &'a str,
}

/// What the stream counts. All only grow, `clients` apart.
#[derive(Debug, Default)]
pub struct StreamCounters {
    /// Clients now.
    pub clients: AtomicU64,
    /// Clients refused because of the limit.
    pub clients_refused: AtomicU64,
    /// Messages made.
    pub messages: AtomicU64,
    /// Events counted in `skipped` and not sent.
    pub events_skipped: AtomicU64,
    /// Alerts not sent because the inbox was full.
    pub alerts_dropped: AtomicU64,
    /// Messages that clients missed because they were slow.
    pub lagged: AtomicU64,
    /// Clients told of a gap.
    pub gaps: AtomicU64,
}

/// The stream; clones are the same stream.
#[derive(Clone, Debug)]
pub struct StreamHub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: StreamLimits,
    /// Locked by the engine once a block, by the batcher once a tick.
    inbox: Mutex<Inbox>,
    wake: Notify,
    /// Locked by the batcher once a tick or alert, by a client when it takes its next messages.
    ring: Mutex<Ring>,
    listening: AtomicBool,
    counters: StreamCounters,
}

impl StreamHub {
    /// A stream that has sent nothing. `boot` must differ from that of every earlier run: ids of
    /// another boot are a gap.
    pub fn new(boot: &str, limits: StreamLimits) -> Self {
        let shared = Shared {
            limits,
            inbox: Mutex::default(),
            wake: Notify::new(),
            ring: Mutex::new(Ring::new(boot, limits)),
            listening: AtomicBool::new(false),
            counters: StreamCounters::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A stream named after the moment it was made.
    pub fn of_this_boot() -> Self {
        Self::new(&format!("{:x}", crate::times::now()), StreamLimits::default())
    }

    /// Sends an alert to every client that wants it, at once. Never waits.
    ///
    /// Publish the alerts of a block before its events: a client then has the alert first.
    pub fn publish_alert(&self, alert: Arc<Alert>, container: StreamContainer<'_>) {
        let mut inbox = self.shared.inbox.lock();
        if !inbox.put_alert(alert, container, self.shared.limits.alerts_waiting) {
            self.shared.counters.alerts_dropped.fetch_add(1, Ordering::Relaxed);
        }
        drop(inbox);
        self.shared.wake.notify_one();
    }

    /// Opens the inbox for the events of a block; `None`, at the cost of one atomic load, when nobody
    /// listens. Hold it for a block and not longer.
    pub fn events(&self) -> Option<EventBatch<'_>> {
        self.is_listening().then(|| EventBatch::new(self.shared.inbox.lock(), &self.shared.limits))
    }

    /// Publishes one event; for a block of them [`StreamHub::events`] is cheaper. `row` is made and
    /// serialised only if somebody listens and the tick has room.
    pub fn publish_event<T: Serialize>(
        &self,
        container: StreamContainer<'_>,
        category: Category,
        priority: Priority,
        time: EventTime,
        row: impl FnOnce() -> T,
    ) {
        if let Some(mut events) = self.events() {
            events.add(container, category, priority, time, row);
        }
    }

    /// True while events are wanted: a client is connected, or one left a moment ago.
    pub fn is_listening(&self) -> bool {
        self.shared.listening.load(Ordering::Relaxed)
    }

    /// What the stream counts.
    pub fn counters(&self) -> &StreamCounters {
        &self.shared.counters
    }

    /// A new client. `resume` is the id of the last message it got.
    pub fn subscribe(
        &self,
        scope: StreamScope,
        filter: StreamFilter,
        resume: Option<&str>,
    ) -> Result<Subscription, StreamError> {
        let mut ring = self.shared.ring.lock();
        let client = ring.subscribe(scope, filter, resume).inspect_err(|_| {
            self.shared.counters.clients_refused.fetch_add(1, Ordering::Relaxed);
        })?;
        self.shared.listening.store(true, Ordering::Relaxed);
        self.shared.counters.clients.store(ring.clients() as u64, Ordering::Relaxed);
        Ok(Subscription::new(self.clone(), client))
    }

    /// Runs the batcher until [`StreamHub::close`]. [`crate::serve`] does this.
    pub async fn run(&self) {
        batcher::run(&self.shared).await;
    }

    /// Ends every subscription and the batcher.
    pub fn close(&self) {
        self.shared.ring.lock().close();
        self.shared.wake.notify_one();
    }

    fn unsubscribe(&self, client: u64) {
        let mut ring = self.shared.ring.lock();
        ring.unsubscribe(client, Instant::now());
        self.shared.counters.clients.store(ring.clients() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
