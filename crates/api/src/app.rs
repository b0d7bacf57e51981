//! The application: its parts, its limits, its router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use hanabi_event::EventTime;
use hanabi_ingest::Intake;
use hanabi_outputs::Outputs;
use hanabi_series::SeriesStore;
use hanabi_store::{EventLog, Store};
use hanabi_telemetry::{Exporter, Format};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::auth::Security;
use crate::cache::Cache;
use crate::counters::{ApiCounters, show_live, show_stream};
use crate::engine::EngineHandle;
use crate::error::ApiError;
use crate::export::EXPORTS_MAX;
use crate::live::Live;
use crate::room::Room;
use crate::stream::StreamHub;
use crate::{middleware, routes};

/// The bounds of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Connections at a time, streams included; past it a client is told 503 and closed. Each costs
    /// some 10 KiB idle and a descriptor.
    pub connections: usize,
    /// Requests worked on at a time; past it 503. A read takes milliseconds, so this many only pile
    /// up when something stands still.
    pub requests: usize,
    /// Ingest requests at a time; past it 429. Apart from the others, so that neither starves.
    pub ingest_requests: usize,
    /// Blocking reads of the store at a time; the others wait. More only queue at the disk.
    pub store_reads: usize,
    /// The longest a request may take until its answer begins.
    pub request_time: Duration,
    /// The whole request head must have come within this time, and an idle connection may wait as
    /// long for its next request: browsers and scrapers come back sooner, and a client that sends a
    /// byte a second must not hold a connection.
    pub head_time: Duration,
    /// A client that takes nothing for this long is gone: two heartbeats of a stream.
    pub stall_time: Duration,
    /// Bytes of a body as sent; unpacked it may be more, up to the ingest limits.
    pub body_bytes: usize,
    /// Nodes of one answer of a tree; deeper or later ones are left out, and counted where.
    pub tree_nodes: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            connections: 4_500,
            requests: 256,
            ingest_requests: 32,
            store_reads: 4,
            request_time: Duration::from_secs(10),
            head_time: Duration::from_secs(30),
            stall_time: Duration::from_mins(1),
            body_bytes: 16 << 20,
            tree_nodes: 20_000,
        }
    }
}

/// What the gateway is made of.
pub struct AppParts {
    /// What the engine publishes.
    pub live: Arc<Live>,
    /// The live stream.
    pub hub: StreamHub,
    /// The way to ask the engine.
    pub engine: EngineHandle,
    /// Alerts, incidents, snapshots.
    pub store: Arc<Store>,
    /// The event log.
    pub log: Arc<EventLog>,
    /// Where `PromQL` is answered.
    pub room: Room,
    /// Where `POST /api/v1/write` puts its samples; nowhere unless `series.remote_write_receiver` is on.
    pub receiver: Option<Arc<SeriesStore>>,
    /// Where `POST /ingest/falco` puts its lines.
    pub intake: Intake,
    /// Where alerts go.
    pub outputs: Outputs,
    /// What `/metrics` writes out, and where requests are counted.
    pub exporter: Exporter,
    /// What `/api/config` shows: the effective configuration without its secrets.
    pub config: Value,
    /// The address listened on; it is an allowed host, too.
    pub listen: SocketAddr,
    /// Names by which the service may be asked beside loopback names and `listen`.
    pub allowed_hosts: Vec<String>,
    /// Dashboards that the console embeds; none unless configured.
    pub grafana: Option<Grafana>,
    /// How it is known who asks.
    pub security: Security,
    /// Every request is logged, not only counted.
    pub access_log: bool,
    /// The bounds.
    pub limits: ApiLimits,
}

/// Dashboards of a Grafana that the console shows beside its own pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grafana {
    /// Scheme, host and port: all that the page's policy lets frames be from.
    pub origin: String,
    /// The dashboards, in the order of their tabs.
    pub dashboards: Vec<Dashboard>,
}

/// One dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dashboard {
    /// What its tab is called.
    pub name: String,
    /// Where it is, whole, below [`Grafana::origin`].
    pub url: String,
}

/// The gateway; clones are the same one.
#[derive(Clone)]
pub struct App {
    state: Arc<AppState>,
    router: Router,
}

pub(crate) struct AppState {
    pub(crate) parts: AppParts,
    pub(crate) counters: ApiCounters,
    pub(crate) requests: Semaphore,
    pub(crate) ingest_requests: Semaphore,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) views: Cache,
    pub(crate) promql: Cache,
    store_reads: Arc<Semaphore>,
    /// Reads that wait for one of these.
    pub(crate) store_waiting: AtomicUsize,
    boot: u64,
    seen: AtomicU64,
}

impl App {
    /// Binds the parts together.
    pub fn new(parts: AppParts) -> Self {
        let state = Arc::new(AppState {
            counters: ApiCounters::default(),
            requests: Semaphore::new(parts.limits.requests),
            ingest_requests: Semaphore::new(parts.limits.ingest_requests),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            store_reads: Arc::new(Semaphore::new(parts.limits.store_reads)),
            store_waiting: AtomicUsize::new(0),
            views: Cache::of_views(parts.exporter.metrics().clone()),
            promql: Cache::of_promql(parts.exporter.metrics().clone()),
            boot: crate::times::now(),
            seen: AtomicU64::new(0),
            parts,
        });
        let router = middleware::wrap(routes::router(), &state).with_state(state.clone());
        Self { state, router }
    }

    /// The routes with everything around them.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The bounds.
    pub fn limits(&self) -> &ApiLimits {
        &self.state.parts.limits
    }

    /// What the gateway counts.
    pub fn counters(&self) -> &ApiCounters {
        &self.state.counters
    }

    /// The page of metrics at a time, with all that is counted anywhere. Linear in the series.
    pub fn exposition(&self, format: Format, now: EventTime) -> String {
        self.state.exposition(format, now)
    }

    pub(crate) fn state(&self) -> &Arc<AppState> {
        &self.state
    }

    pub(crate) fn hub(&self) -> &StreamHub {
        &self.state.parts.hub
    }
}

impl AppState {
    pub(crate) fn exposition(&self, format: Format, now: EventTime) -> String {
        let parts = &self.parts;
        let metrics = parts.exporter.metrics();
        self.counters.show(metrics);
        show_stream(parts.hub.counters(), metrics);
        show_live(&parts.live, metrics);
        metrics.degraded.set_count(u64::from(!self.degraded().is_empty()));
        metrics.http_refusals_unaudited.raise_to(parts.security.refusals.dropped());
        parts.exporter.render(format, now)
    }

    /// The next request's id: no other of this or an earlier run has it.
    pub(crate) fn request_id(&self) -> String {
        format!("{:x}-{:x}", self.boot, self.seen.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Runs work that blocks (the store, large trees) off the async threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&AppParts) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let waiting = Waiting::new(&self.store_waiting);
        let permit = self.store_reads.clone().acquire_owned().await.map_err(ApiError::internal)?;
        drop(waiting);
        let state = self.clone();
        // The permit goes with the work: a request that times out leaves its read running.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&state.parts)
        });
        done.await.map_err(ApiError::internal)?
    }
}

/// Counts whoever waits, also where a request is given up while it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
