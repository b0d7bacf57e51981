//! `hanabi run`: the service. All its tasks, threads and channels are wired here.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hanabi_api::{
    ApiLimits, App, AppParts, Door, EngineRequest, EngineRequests, Live, QUERY_TIME, Room,
    StreamHub, engine_channel,
};
use hanabi_detect::{Alert, Router, Rulings, Settings, Shard};
use hanabi_event::Redactor;
use hanabi_ingest::{Intake, IntakeOptions, Journal, JournalOptions, Position};
use hanabi_outputs::Outputs;
use hanabi_series::{Edges, SeriesStore, Upstream};
use hanabi_store::{EventLog, LogOptions, Store, StoreOptions};
use hanabi_telemetry::{EventCounter, Exporter, ExporterOptions, Metrics};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::{
    commands::failure::Hint as _,
    config::{AuthMode, Config, LogFormat, Output},
    engine::Engine,
    feed,
    service::{
        driver::{Driver, JOURNAL, Parts, Resume, Rhythm},
        input::Input,
        keeper::{Keeper, Stores},
        now,
        observer::Watcher,
        reload::Reloading,
        remote_write,
        rows::Rows,
        security::security,
        series,
        sources::{Sources, Threads},
        state::{self, Start},
        worker::Worker,
    },
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Threads that answer requests: they hardly compute, and the cores belong to the engine.
const API_THREADS: usize = 2;
/// How long the sources' threads may take to end; what they have not handed over is read again at
/// the next start.
const SOURCES_PATIENCE: Duration = Duration::from_secs(2);
/// How long the outputs' threads may take to end; what they have not delivered waits on disk.
const OUTPUTS_PATIENCE: Duration = Duration::from_secs(2);
/// A remote write takes at most this long, as in Prometheus (`remote_timeout`).
const REMOTE_WRITE_TIME: Duration = Duration::from_secs(30);
/// Requests that were forwarded to the engine and wait for its next step.
const REQUESTS_MAX: usize = 64;

/// What lies in the data directory.
struct Data {
    store: Arc<Store>,
    log: Arc<EventLog>,
    series: Arc<SeriesStore>,
    journal: Journal,
    start: Start,
}

/// The service with all its threads but those that answer requests.
struct Assembled {
    app: App,
    intake: Intake,
    sources: Sources,
    threads: Threads,
    driver: Driving,
    outputs: Outputs,
    /// The threads of the series.
    keeping: (Worker, Option<Worker>),
    /// The thread that reads certificates and keys again; none where there is nothing to read.
    reloading: Option<Reloading>,
    failed: oneshot::Receiver<()>,
}

/// Runs until it is told to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let settings = Arc::new(feed::settings_with(config, &metrics)?);
    let listeners = Listeners::open(config)?;
    let address = listeners.address;
    let data = open(config, &settings)?;
    let service = assemble(config, settings, data, metrics, address)?;
    welcome(config, address);
    if let Some(machines) = listeners.machines_address {
        tracing::info!(
            "machines are answered at {machines} alone: /metrics, /ingest, /api/v1/write"
        );
    }

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(API_THREADS)
        .thread_name("hanabi-api")
        .enable_all()
        .build()
        .context("failed to start the threads that answer requests")?;
    let stopping = service.sources.clone();
    let reload = service.reloading.as_ref().map(|one| Arc::clone(&one.at_once));
    let stop = move || stopping.stop();
    runtime.block_on(answer(listeners, service.app, service.failed, reload, stop))?;

    service.sources.stop();
    service.threads.join(SOURCES_PATIENCE);
    service.intake.close();
    let ended = join(service.driver);
    service.outputs.stop(OUTPUTS_PATIENCE);
    drop((service.keeping, service.reloading));
    // Reads of the store that nobody waits for any more must not hold the end up.
    runtime.shutdown_background();
    ended?;
    tracing::info!("everything is stored; the service has ended");
    Ok(())
}

/// Connects the parts and starts their threads.
fn assemble(
    config: &Config,
    settings: Arc<Settings>,
    data: Data,
    metrics: Metrics,
    listen: SocketAddr,
) -> anyhow::Result<Assembled> {
    let Data { store, log, series, journal, start } = data;
    let (live, hub) = (Live::new(), StreamHub::of_this_boot());
    metrics.store_errors.add(start.set_aside);
    let options = exporter_options(config);
    let exporter = Exporter::new(&options, metrics.clone(), VERSION, now());
    let outputs = outputs(config, &start)?;
    let replay = journal.replay_from(replayed(&start))?;
    let (intake, batches) = Intake::new(queue(config), Some(journal.clone()));
    let (handle, requests) = engine_channel();
    let (sources, threads) =
        Sources::start(config.sources(), config.docker_host(), &intake, &start)?;
    let engine = engine(config, settings, &options, start.router, start.shards);
    let keeper = Keeper::start(Stores {
        store: Arc::clone(&store),
        log: Arc::clone(&log),
        journal: journal.clone(),
        live: Arc::clone(&live),
        outputs: outputs.clone(),
        metrics: metrics.clone(),
    })?;
    let parts = Parts {
        engine,
        input: Input::new(replay, batches),
        intake: intake.clone(),
        journal,
        sources: sources.clone(),
        requests: forward(requests)?,
        live: Arc::clone(&live),
        hub: hub.clone(),
        outputs: outputs.clone(),
        exporter: exporter.clone(),
        store: Arc::clone(&store),
        log: Arc::clone(&log),
        keeper,
        rhythm: rhythm(config),
    };
    let Start { sequence, positions, counters, suppressions, maintenance, .. } = start;
    let reopen_within = config.alerts().reopen_within.as_nanos();
    let rulings = Rulings::new(suppressions, maintenance, reopen_within);
    let resume = Resume { sequence, positions, counters, rulings };
    let (driver, failed) = drive(Driver::new(parts, resume))?;
    let (security, reloading) = security(config, &store, &metrics)?;
    let app = App::new(AppParts {
        security,
        live,
        hub,
        engine: handle,
        store,
        log,
        room: room(config, &series)?,
        receiver: config.series().remote_write_receiver.then(|| Arc::clone(&series)),
        intake: intake.clone(),
        outputs: outputs.clone(),
        exporter,
        config: shown(config),
        listen,
        allowed_hosts: config.server().allowed_hosts.clone(),
        grafana: config.grafana().cloned(),
        access_log: config.log().access,
        limits: limits(config),
    });
    let writer = writer(config, &series, &metrics)?;
    let keeping = (series::start(series, app.clone(), metrics, config.series())?, writer);
    Ok(Assembled { app, intake, sources, threads, driver, outputs, keeping, reloading, failed })
}

/// The engine around what was stored, with everything noted of its lines that others read.
fn engine(
    config: &Config,
    settings: Arc<Settings>,
    options: &ExporterOptions,
    router: Router,
    shards: Vec<Shard>,
) -> Engine<Watcher> {
    let redactor = Arc::new(Redactor::new(&config.redact().extra_keys));
    let watcher = || Watcher::new(EventCounter::new(options), Rows::new(Arc::clone(&redactor)));
    let threads = feed::threads(None);
    Engine::start(settings, feed::decoding(config), threads, router, shards, watcher)
}

fn queue(config: &Config) -> IntakeOptions {
    let max_bytes = config.ingest().queue_bytes.as_u64();
    IntakeOptions { max_bytes, ..IntakeOptions::default() }
}

/// Opens the outputs, with the alerts of the last run.
fn outputs(config: &Config, start: &Start) -> anyhow::Result<Outputs> {
    let settings: Vec<_> =
        config.outputs().iter().map(Output::open).collect::<anyhow::Result<_>>()?;
    let watches = start.shards.iter().flat_map(|shard| shard.watches().iter());
    let present: Vec<&Alert> = watches.flat_map(|watch| watch.ledger.alerts()).collect();
    Ok(Outputs::start(&config.server().data_dir.join("outputs"), settings, &present)?)
}

/// The gateway's bounds; only a body's size is a matter of configuration.
fn limits(config: &Config) -> ApiLimits {
    ApiLimits { body_bytes: config.ingest().body_limit.as_usize(), ..ApiLimits::default() }
}

/// Where `PromQL` is answered.
fn room(config: &Config, series: &Arc<SeriesStore>) -> anyhow::Result<Room> {
    if let Some(door) = &config.series().prometheus {
        return Ok(Room::Prometheus(Upstream::new(&door.url, door.token()?, QUERY_TIME)));
    }
    let closed = config.series().closed_windows;
    let edges = if closed { Edges::Closed } else { Edges::LeftOpen };
    Ok(Room::Embedded(Arc::clone(series), edges))
}

/// Sends series on where that is wanted.
fn writer(
    config: &Config,
    series: &Arc<SeriesStore>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Worker>> {
    let Some(door) = &config.series().remote_write else { return Ok(None) };
    let server = Upstream::new(&door.url, door.token()?, REMOTE_WRITE_TIME);
    let every = config.series().scrape_every.as_duration();
    let dir = &config.server().data_dir;
    remote_write::start(Arc::clone(series), server, metrics.clone(), every, dir).map(Some)
}

/// The last batch of the journal that the checkpoint covers.
fn replayed(start: &Start) -> u64 {
    match start.positions.get(JOURNAL) {
        Some(Position::Journal { sequence }) => *sequence,
        _ => 0,
    }
}

fn listen(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("failed to listen on {address}"))
        .hint("choose another address with --listen, as in --listen 127.0.0.1:8001")?;
    listener.set_nonblocking(true).context("failed to set the listener up")?;
    Ok(listener)
}

/// Where requests come in.
struct Listeners {
    all: Vec<(std::net::TcpListener, Door)>,
    address: SocketAddr,
    /// Where machines are answered, if not at the other.
    machines_address: Option<SocketAddr>,
}

impl Listeners {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let bound = |listener: &std::net::TcpListener| {
            listener.local_addr().context("failed to learn the address listened on")
        };
        let first = listen(config.server().listen)?;
        let address = bound(&first)?;
        let Some(machines) = config.server().machines_listen else {
            let all = vec![(first, Door::All)];
            return Ok(Self { all, address, machines_address: None });
        };
        let second =
            listen(machines).hint("server.machines_listen of the configuration says so")?;
        let machines_address = Some(bound(&second)?);
        let all = vec![(first, Door::People), (second, Door::Machines)];
        Ok(Self { all, address, machines_address })
    }
}

fn open(config: &Config, settings: &Settings) -> anyhow::Result<Data> {
    let dir: &Path = &config.server().data_dir;
    let began = Instant::now();
    let store = Store::open(dir, StoreOptions::default())?;
    let log = EventLog::open(
        dir,
        LogOptions {
            age: config.store().event_log_age.as_nanos(),
            total_bytes: config.store().event_log_bytes.as_u64(),
            ..LogOptions::default()
        },
    )?;
    let series = SeriesStore::open(dir, series::options(config))?;
    let budget = config.ingest().journal_bytes.as_u64();
    let default = JournalOptions::default();
    let journal = Journal::open(
        &dir.join("journal"),
        JournalOptions {
            max_bytes: budget,
            // At least four, so that a checkpoint frees most of them.
            segment_bytes: default.segment_bytes.min(budget / 4),
            ..default
        },
    )?;
    let start = state::restore(&store, settings)?;
    // What the log has beyond the checkpoint comes again with the input.
    log.truncate_after(start.sequence)?;
    if start.sequence > 0 {
        let profiles: usize = start.shards.iter().map(|shard| shard.watches().len()).sum();
        tracing::info!("restored {profiles} profiles in {} ms", began.elapsed().as_millis());
    }
    let (store, log, series) = (Arc::new(store), Arc::new(log), Arc::new(series));
    Ok(Data { store, log, series, journal, start })
}

fn exporter_options(config: &Config) -> ExporterOptions {
    let metrics = config.metrics();
    ExporterOptions {
        process_name: metrics.process_name,
        k8s_pod: metrics.k8s_pod,
        series_max: metrics.series_max as usize,
        idle_after: metrics.idle_after.as_duration(),
        ..ExporterOptions::default()
    }
}

fn rhythm(config: &Config) -> Rhythm {
    let store = config.store();
    Rhythm {
        checkpoint_every: store.checkpoint_every.as_duration(),
        snapshot_every: store.snapshot_every.as_duration(),
        journal_bytes: config.ingest().journal_bytes.as_u64() / 4,
        silence_after: config.ingest().silence_after.as_duration(),
    }
}

/// Requests come by a channel of the asynchronous side; the engine waits on several at once, and
/// for that they must be of its own kind.
fn forward(
    mut requests: EngineRequests,
) -> anyhow::Result<crossbeam_channel::Receiver<EngineRequest>> {
    let (sender, receiver) = crossbeam_channel::bounded(REQUESTS_MAX);
    std::thread::Builder::new()
        .name("hanabi-requests".to_owned())
        .spawn(move || {
            while let Some(request) = requests.blocking_recv() {
                if sender.send(request).is_err() {
                    return;
                }
            }
        })
        .context("failed to start the thread that forwards requests")?;
    Ok(receiver)
}

type Driving = JoinHandle<anyhow::Result<()>>;

/// Starts the engine's thread. The receiver resolves when it ends, which before the end of the
/// service it only does by failing.
fn drive(driver: Driver) -> anyhow::Result<(Driving, oneshot::Receiver<()>)> {
    let (alive, failed) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("hanabi-engine".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, however it ends.
            let _alive: oneshot::Sender<()> = alive;
            driver.run()
        })
        .context("failed to start the engine's thread")?;
    Ok((thread, failed))
}

fn join(driver: Driving) -> anyhow::Result<()> {
    match driver.join() {
        Ok(ended) => ended,
        Err(_) => anyhow::bail!(
            "the engine has failed; what it had not stored yet is read again at the next start"
        ),
    }
}

/// Answers requests until a signal comes or the engine fails.
async fn answer(
    listeners: Listeners,
    app: App,
    failed: oneshot::Receiver<()>,
    reload: Option<Arc<AtomicBool>>,
    stop: impl FnOnce(),
) -> anyhow::Result<()> {
    let listeners = listeners.all.into_iter().map(|(listener, door)| {
        Ok((TcpListener::from_std(listener).context("failed to set a listener up")?, door))
    });
    let listeners = listeners.collect::<anyhow::Result<Vec<_>>>()?;
    let mut signals = Signals::new()?;
    // Where there is nothing to read again, a terminal that is closed ends the service as before.
    let hearing = reload.map(hear_hangups).transpose()?;
    hanabi_api::serve_at(listeners, app, async move {
        tokio::select! {
            name = signals.next() => {
                tracing::info!("{name}: the service ends; a second signal ends it at once");
            }
            _ = failed => tracing::error!("the engine has ended, and so does the service"),
        }
        stop();
        tokio::spawn(async move {
            signals.next().await;
            end_at_once();
        });
    })
    .await;
    if let Some(hearing) = hearing {
        hearing.abort();
    }
    Ok(())
}

/// SIGHUP has certificates and keys read again.
fn hear_hangups(reload: Arc<AtomicBool>) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup()).context("failed to listen to signals")?;
    Ok(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("told to read certificates and keys again");
            reload.store(true, Ordering::Relaxed);
        }
    }))
}

fn end_at_once() {
    eprintln!("hanabi: ended at once; what was not stored yet is read again at the next start");
    // The code of a process that an interrupt has ended.
    std::process::exit(130);
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen to signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "told to stop",
        }
    }
}

/// The configuration for `/api/config`: every key with its value and who set it.
fn shown(config: &Config) -> serde_json::Value {
    let all = config.values().iter().map(|(key, setting)| {
        // Whoever knows the path of a webhook can post to it.
        let is_place = key.starts_with("outputs.") && key.rsplit('.').next() == Some("to");
        let value = serde_json::json!({
            "value": if is_place { place(&setting.value).into() } else { setting.value.clone() },
            "origin": setting.origin.to_string(),
        });
        (key.clone(), value)
    });
    serde_json::Value::Object(all.collect())
}

/// Where an output goes, without what may be a secret.
fn place(to: &toml::Value) -> String {
    let text = to.as_str().unwrap_or_default();
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    if is_url { hanabi_outputs::shown_url(text) } else { text.to_owned() }
}

/// Tells a newcomer what to do next.
fn welcome(config: &Config, address: SocketAddr) {
    let scheme = if config.tls().is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    let data = config.server().data_dir.display();
    if config.log().format == LogFormat::Json {
        tracing::info!(url, "hanabi {VERSION} is running");
        return;
    }
    if config.auth().mode == AuthMode::Required {
        eprintln!("\n  whoever asks needs a token: hanabi token create --help");
    }
    let sources: Vec<String> = config.sources().iter().map(ToString::to_string).collect();
    let from = if sources.is_empty() {
        "no source is given (--source), so events come by HTTP only".to_owned()
    } else {
        format!("events come from {}, and by HTTP", sources.join(", "))
    };
    eprintln!(
        "\n  Hanabi {VERSION} is running at {url}\n  \
         data directory {data}; {from}\n\n  \
         send events     curl -H 'content-type: application/json' --data-binary @events.jsonl {url}/ingest/falco\n  \
         play a recording  hanabi send fixtures/shop-small.jsonl.zst --to {url} --speed 20 --shift end\n  \
         look            {url}/  and {url}/metrics\n"
    );
}
