//! What the engine publishes and the API reads without asking anyone.
//!
//! The engine publishes whole values; readers load the newest one and never wait for the engine. The
//! only lock the engine shares with readers is the one of the overview's counts, held for well under a
//! millisecond.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hanabi_detect::{Alert, Incident};
use hanabi_event::{EventTime, Priority, Rejected};
use hanabi_profile::{Learning, Phase, ProfileSummary};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use crate::overlay::Overlay;
use crate::overview::OverviewStats;

/// Rejected lines kept for the operator: enough to see what a wrong source sends, at most 64 KiB.
pub const REJECTED_KEPT: usize = 256;

/// What a service waits for until its stored state is back.
pub const WAITING_FOR_RESTORE: &str = "restoring stored state";

/// One container, as the lists show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContainerRow {
    /// The id as the runtime gave it.
    pub id: String,
    /// Its first twelve digits; the same as `id` where Falco gives no more.
    pub short_id: String,
    /// Name, or `""` while it is not known.
    pub name: String,
    /// `repository:tag`, or what is known of it.
    pub image: String,
    /// `container.image.repository`.
    pub repository: String,
    /// `container.image.tag`.
    pub tag: String,
    /// The host it runs on.
    pub host: String,
    /// Kubernetes namespace, or `""`.
    pub namespace: String,
    /// Kubernetes pod, or `""`.
    pub pod: String,
    /// The identity of its profile.
    pub identity: String,
    /// The phase of its profile.
    pub phase: Phase,
    /// How far learning is, and why it is not done.
    pub learning: Learning,
    /// Events modelled.
    pub events: u64,
    /// Events a second, lately.
    pub events_per_second: f64,
    /// Its first event.
    #[serde(with = "crate::times")]
    pub first_event: EventTime,
    /// Its last event.
    #[serde(with = "crate::times")]
    pub last_event: EventTime,
    /// Open alerts by priority, zeros left out.
    pub open_alerts: BTreeMap<Priority, u64>,
}

/// What became of every line, since the beginning of the data directory:
/// `received = modelled + pending + ignored + rejected + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestTotals {
    /// Lines received.
    pub received: u64,
    /// Lines modelled.
    pub modelled: u64,
    /// Lines that wait for another one or for a name.
    pub pending: u64,
    /// Well-formed lines that are not modelled, by reason.
    pub ignored: BTreeMap<String, u64>,
    /// Lines that are no events, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Lines lost, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// One source of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceStatus {
    /// Its name: the SPEC it was started with.
    pub id: String,
    /// `http`, `file`, `stdin`, `docker`, `kubernetes`, `nats`, `sensor`.
    pub kind: String,
    /// `running`, `waiting`, `paused`, `ended`, `failed`.
    pub state: String,
    /// One sentence on the state, or `""`.
    pub detail: String,
    /// Lines received.
    pub received: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Lines lost.
    pub dropped: u64,
    /// Its last event.
    #[serde(with = "crate::times")]
    pub last_event: EventTime,
    /// Requests that failed, and entries that could not be read.
    pub errors: u64,
    /// Times that it was opened again.
    pub reconnects: u64,
    /// Times that lines may be missing, because the origin no longer had them.
    pub positions_lost: u64,
    /// From the origin's time stamp of the last line to when it was read.
    pub lag_seconds: f64,
    /// Bytes at the origin that were not read yet.
    pub behind_bytes: u64,
}

/// The fleet at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fleet {
    /// The watermark it was made at; 0 before the first event.
    #[serde(with = "crate::times")]
    pub generated: EventTime,
    /// All containers known.
    pub containers: Vec<ContainerRow>,
    /// All profiles known.
    pub profiles: Vec<ProfileSummary>,
    /// What became of every line.
    pub totals: IngestTotals,
    /// Where events come from.
    pub sources: Vec<SourceStatus>,
}

impl Fleet {
    /// The profile of an identity.
    pub fn profile(&self, identity: &str) -> Option<&ProfileSummary> {
        self.profiles.iter().find(|profile| profile.identity == identity)
    }
}

/// A line that was no event, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLine {
    /// Where it came from.
    pub source: String,
    /// When it came (the service's clock: the line has no time of its own).
    #[serde(with = "crate::times")]
    pub received: EventTime,
    /// Why it was rejected, and how it begins.
    #[serde(flatten)]
    pub rejected: Rejected,
}

/// The engine's side of the API.
#[derive(Debug)]
pub struct Live {
    fleet: ArcSwap<Fleet>,
    /// Locked by the engine once a block and by readers once a request.
    overview: Mutex<OverviewStats>,
    /// Locked briefly by the engine when alerts change and by readers to copy pointers out.
    alerts: RwLock<Overlay>,
    rejected: Mutex<VecDeque<RejectedLine>>,
    waiting: Mutex<BTreeSet<String>>,
    degraded: Mutex<BTreeSet<String>>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            fleet: ArcSwap::default(),
            overview: Mutex::default(),
            alerts: RwLock::default(),
            rejected: Mutex::default(),
            degraded: Mutex::default(),
            waiting: Mutex::new(BTreeSet::from([WAITING_FOR_RESTORE.to_owned()])),
        }
    }
}

impl Live {
    /// Nothing published yet, and not ready: see [`Live::done`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Replaces the fleet. Once or twice a second is enough.
    pub fn publish_fleet(&self, fleet: Fleet) {
        self.fleet.store(Arc::new(fleet));
    }

    /// The newest fleet.
    pub fn fleet(&self) -> Arc<Fleet> {
        self.fleet.load_full()
    }

    /// Feeds or reads the overview's counts. The engine calls this once a block with all its counts.
    pub fn with_overview<R>(&self, work: impl FnOnce(&mut OverviewStats) -> R) -> R {
        work(&mut self.overview.lock())
    }

    /// Shows changed alerts at once, until [`Live::committed`] says that the store has them.
    pub fn put_alerts(&self, alerts: Vec<Arc<Alert>>) {
        self.alerts.write().put_alerts(alerts);
    }

    /// The same for incidents.
    pub fn put_incidents(&self, incidents: Vec<Arc<Incident>>) {
        self.alerts.write().put_incidents(incidents);
    }

    /// The store now has these alerts and incidents, as they were when they were put. Pass the very
    /// values: one that has changed since stays.
    pub fn committed(&self, alerts: &[Arc<Alert>], incidents: &[Arc<Incident>]) {
        self.alerts.write().committed(alerts, incidents);
    }

    /// The alerts that the store does not have yet, in no order.
    pub fn changed_alerts(&self) -> Vec<Arc<Alert>> {
        self.alerts.read().alerts()
    }

    /// One of them.
    pub fn changed_alert(&self, id: &str) -> Option<Arc<Alert>> {
        self.alerts.read().alert(id)
    }

    /// The incidents that the store does not have yet, in no order.
    pub fn changed_incidents(&self) -> Vec<Arc<Incident>> {
        self.alerts.read().incidents()
    }

    /// Alerts and incidents that left the overlay uncommitted because it was full.
    pub fn overlay_evicted(&self) -> u64 {
        self.alerts.read().evicted()
    }

    /// Keeps a rejected line for the operator; the newest [`REJECTED_KEPT`] are kept.
    pub fn put_rejected(&self, source: &str, rejected: Rejected) {
        let line =
            RejectedLine { source: source.to_owned(), received: crate::times::now(), rejected };
        let mut kept = self.rejected.lock();
        if kept.len() == REJECTED_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// The rejected lines kept, newest first.
    pub fn rejected(&self) -> Vec<RejectedLine> {
        self.rejected.lock().iter().rev().cloned().collect()
    }

    /// Makes `/readyz` answer 503 with this reason, until [`Live::done`].
    pub fn waiting_for(&self, reason: &str) {
        self.waiting.lock().insert(reason.to_owned());
    }

    /// Takes a reason back. A new service waits for [`WAITING_FOR_RESTORE`].
    pub fn done(&self, reason: &str) {
        self.waiting.lock().remove(reason);
    }

    /// Has expensive reads refused for this reason, or ends that.
    pub fn degrade(&self, reason: &str, is: bool) {
        let mut reasons = self.degraded.lock();
        if is {
            reasons.insert(reason.to_owned());
        } else {
            reasons.remove(reason);
        }
    }

    /// Why expensive reads are refused, as the engine sees it; empty when it keeps up.
    pub fn degraded(&self) -> Vec<String> {
        self.degraded.lock().iter().cloned().collect()
    }

    /// Why the service is not ready; empty when it is.
    pub fn not_ready(&self) -> Vec<String> {
        self.waiting.lock().iter().cloned().collect()
    }
}
