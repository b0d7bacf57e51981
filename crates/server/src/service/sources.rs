//! The configured sources, each on a thread of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hanabi_api::{Refused, SourceOperation};
use hanabi_event::EventTime;
use hanabi_ingest::{
    Control, DockerOptions, DockerSource, DockerStats, DockerStatus, FileOptions, FileSource,
    FileStats, FileStatus, Intake, IntakeStatus, KubernetesOptions, KubernetesSource,
    KubernetesStats, KubernetesStatus, SourceId, StdinSource,
};
use hanabi_telemetry::{Metrics, SourceKind};
use parking_lot::Mutex;

use super::state::Start;
use crate::config::SourceSpec;

/// How a source's thread ended; none while it runs.
type Ending = Arc<Mutex<Option<Result<(), String>>>>;

/// The id of HTTP ingest, which is always on.
const HTTP: &str = "http";

/// A source that was started.
#[derive(Clone)]
struct Running {
    id: SourceId,
    kind: SourceKind,
    control: Control,
    reader: Reader,
    ending: Ending,
}

/// What tells how a source is doing.
#[derive(Clone)]
enum Reader {
    Stdin,
    File(Arc<FileStats>),
    Docker(Arc<DockerStats>),
    Kubernetes(Arc<KubernetesStats>),
}

/// What the sources that read logs tell of themselves.
#[derive(Default)]
struct Readings {
    files: Vec<FileStatus>,
    docker: Vec<DockerStatus>,
    kubernetes: Vec<KubernetesStatus>,
}

/// All sources; clones are the same ones.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    running: Vec<Running>,
}

/// The threads of the sources that end when they are told to.
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Sources {
    /// Starts reading where the last checkpoint says; those that were paused wait for a person.
    pub(crate) fn start(
        specs: &[SourceSpec],
        docker_host: &str,
        intake: &Intake,
        begin_with: &Start,
    ) -> anyhow::Result<(Self, Threads)> {
        let (mut running, mut threads) = (Vec::new(), Vec::new());
        let (positions, paused) = (&begin_with.positions, &begin_with.counters.paused);
        let begin = |id: SourceId, kind, reader, work: Work| {
            let control = Control::new();
            if paused.contains(id.as_str()) {
                tracing::warn!("source {id} is paused, as it was when the service ended");
                control.pause();
            }
            begin(Running { id, kind, control, reader, ending: Ending::default() }, work)
        };
        for spec in specs {
            let intake = intake.clone();
            let position = |id: &SourceId| positions.get(id.as_str()).cloned().unwrap_or_default();
            let (source, thread) = match spec {
                SourceSpec::Stdin => {
                    let source = StdinSource::new();
                    let id = source.id().clone();
                    let work =
                        move |control: &Control| Ok(source.run(&intake, control).map(|_| ())?);
                    begin(id, SourceKind::Stdin, Reader::Stdin, Box::new(work))?
                }
                SourceSpec::File(path) => {
                    let source = FileSource::new(path, FileOptions::default());
                    let (id, stats) = (source.id().clone(), source.stats());
                    let position = position(&id);
                    let work =
                        move |control: &Control| Ok(source.run(&intake, &position, control)?);
                    begin(id, SourceKind::File, Reader::File(stats), Box::new(work))?
                }
                SourceSpec::Docker(name) => {
                    let host = docker_host.to_owned();
                    let options = DockerOptions { host, ..DockerOptions::default() };
                    let source = DockerSource::new(name, options);
                    let (id, stats) = (source.id().clone(), source.stats());
                    let position = position(&id);
                    let work =
                        move |control: &Control| Ok(source.run(&intake, &position, control)?);
                    begin(id, SourceKind::Docker, Reader::Docker(stats), Box::new(work))?
                }
                SourceSpec::Kubernetes(pattern) => {
                    let source = KubernetesSource::new(pattern, KubernetesOptions::default());
                    let (id, stats) = (source.id().clone(), source.stats());
                    let positions = positions.clone();
                    let work =
                        move |control: &Control| Ok(source.run(&intake, &positions, control)?);
                    begin(id, SourceKind::Kubernetes, Reader::Kubernetes(stats), Box::new(work))?
                }
            };
            // A pipe that says nothing holds its thread, so nobody waits for it.
            if *spec != SourceSpec::Stdin {
                threads.push(thread);
            }
            running.push(source);
        }
        Ok((Self { running }, Threads(threads)))
    }

    /// Tells all of them to end.
    pub(crate) fn stop(&self) {
        for source in &self.running {
            source.control.stop();
        }
    }

    /// True while a followed file has lines that were not read yet, or a source is paused: then
    /// nothing to do is not silence.
    pub(crate) fn is_behind(&self) -> bool {
        self.running.iter().filter(|source| source.ending.lock().is_none()).any(|source| {
            if source.control.is_paused() {
                return true;
            }
            let (file, waiting) = match &source.reader {
                Reader::File(file) => {
                    let file = file.status();
                    let waiting = file.waiting;
                    (file, waiting)
                }
                Reader::Kubernetes(logs) => {
                    let logs = logs.status();
                    (logs.file, logs.waiting)
                }
                Reader::Stdin | Reader::Docker(_) => return false,
            };
            file.offset < file.size && !waiting
        })
    }

    /// Those that are paused.
    pub(crate) fn paused(&self) -> BTreeSet<String> {
        let paused = self.running.iter().filter(|source| source.control.is_paused());
        paused.map(|source| source.id.to_string()).collect()
    }

    /// Pauses a source or lets it go on; answers its state afterwards and a sentence on it.
    pub(crate) fn operate(
        &self,
        id: &str,
        operation: SourceOperation,
        dry_run: bool,
    ) -> Result<(String, String), Refused> {
        if id == HTTP {
            let reason = "events by HTTP cannot wait: Falco does not send again what is refused. \
                          Stop the sender, or revoke its token";
            return Err(Refused::Conflict { reason: reason.to_owned() });
        }
        let source = self.running.iter().find(|source| source.id.as_str() == id);
        let source =
            source.ok_or_else(|| Refused::NotFound { what: "source", id: id.to_owned() })?;
        if source.ending.lock().is_some() {
            let reason = format!("source {id} has ended: restart the service to read it again");
            return Err(Refused::Conflict { reason });
        }
        match (operation, dry_run) {
            (SourceOperation::Pause, true) => {
                return Ok(("paused".to_owned(), source.waiting().to_owned()));
            }
            (SourceOperation::Resume, true) => return Ok(("running".to_owned(), String::new())),
            (SourceOperation::Pause, false) => source.control.pause(),
            (SourceOperation::Resume, false) => source.control.resume(),
        }
        let status = source.status();
        Ok((status.state, status.detail))
    }

    /// Keys of positions that are of no use any more.
    pub(crate) fn take_gone(&self) -> Vec<String> {
        let gone = |source: &Running| match &source.reader {
            Reader::Kubernetes(logs) => logs.take_gone(),
            Reader::Stdin | Reader::File(_) | Reader::Docker(_) => Vec::new(),
        };
        self.running.iter().flat_map(gone).collect()
    }

    /// What the API shows of them; `last` is the newest event by source.
    pub(crate) fn status(
        &self,
        intake: &IntakeStatus,
        last: &BTreeMap<String, EventTime>,
    ) -> Vec<hanabi_api::SourceStatus> {
        let http = hanabi_api::SourceStatus {
            id: HTTP.to_owned(),
            kind: SourceKind::Http.as_str().to_owned(),
            state: "running".to_owned(),
            ..hanabi_api::SourceStatus::default()
        };
        std::iter::once(http)
            .chain(self.running.iter().map(Running::status))
            .map(|source| {
                let counts = intake.sources.iter().find(|c| c.source.as_str() == source.id);
                let dropped = counts.map_or(0, |counts| counts.dropped.iter().sum());
                hanabi_api::SourceStatus {
                    received: counts.map_or(0, |counts| counts.lines + dropped),
                    bytes: counts.map_or(0, |counts| counts.bytes),
                    dropped,
                    last_event: last.get(&source.id).copied().unwrap_or_default(),
                    ..source
                }
            })
            .collect()
    }

    /// Sets the metrics of the sources.
    pub(crate) fn measure(&self, intake: &IntakeStatus, metrics: &Metrics) {
        for counts in &intake.sources {
            let kind = kind_of(counts.source.as_str());
            let dropped: u64 = counts.dropped.iter().sum();
            // Files of one kind share a counter, which `raise_to` would set to the larger.
            let same = intake.sources.iter().filter(|c| kind_of(c.source.as_str()) == kind);
            let (mut lines, mut bytes, mut refused) = (0, 0, 0);
            for one in same {
                lines += one.lines + one.dropped.iter().sum::<u64>();
                bytes += one.bytes;
                refused += one.refused;
            }
            debug_assert!(lines >= dropped, "what was dropped was received");
            metrics.ingest_lines_received.of(kind).raise_to(lines);
            metrics.ingest_received_bytes.of(kind).raise_to(bytes);
            metrics.ingest_offers_refused.of(kind).raise_to(refused);
        }
        self.readings().measure(metrics);
    }

    fn readings(&self) -> Readings {
        let mut all = Readings::default();
        for source in &self.running {
            match &source.reader {
                Reader::Stdin => {}
                Reader::File(file) => all.files.push(file.status()),
                Reader::Docker(log) => all.docker.push(log.status()),
                Reader::Kubernetes(logs) => {
                    let logs = logs.status();
                    all.files.push(logs.file.clone());
                    all.kubernetes.push(logs);
                }
            }
        }
        all
    }
}

impl Readings {
    fn measure(&self, metrics: &Metrics) {
        let sum = |of: fn(&FileStatus) -> u64| self.files.iter().map(of).sum::<u64>();
        let docker = |of: fn(&DockerStatus) -> u64| self.docker.iter().map(of).sum::<u64>();
        let logs = |of: fn(&KubernetesStatus) -> u64| self.kubernetes.iter().map(of).sum::<u64>();
        metrics.ingest_files_behind_bytes.set_count(sum(|f| f.size.saturating_sub(f.offset)));
        metrics.ingest_file_rotations.raise_to(sum(|f| f.rotations));
        metrics.ingest_file_truncations.raise_to(sum(|f| f.truncations));
        metrics.ingest_file_positions_lost.raise_to(sum(|f| f.positions_lost));
        metrics.ingest_lines_too_long.raise_to(sum(|f| f.too_long) + docker(|d| d.too_long));
        metrics.ingest_docker_reconnects.raise_to(docker(|d| d.reconnects));
        metrics.ingest_docker_errors.raise_to(docker(|d| d.errors + d.unstamped));
        metrics.ingest_docker_positions_lost.raise_to(docker(|d| d.positions_lost));
        let lag = self.docker.iter().map(|d| d.lag).max().unwrap_or(0);
        metrics.ingest_docker_lag.set(lag as f64 / 1e9);
        metrics.ingest_kubernetes_files.set_count(logs(|k| k.files));
        metrics.ingest_kubernetes_files_left_out.set_count(logs(|k| k.left_out));
        metrics.ingest_kubernetes_unparsed.raise_to(logs(|k| k.unparsed));
    }
}

impl Running {
    /// What becomes of its lines while it is paused.
    fn waiting(&self) -> &'static str {
        match self.reader {
            Reader::Stdin => {
                "what the pipe holds waits, and then its writer does: Falco drops events when its \
                 own buffer is full"
            }
            Reader::File(_) => {
                "lines wait in the file; what is rotated and deleted meanwhile is lost"
            }
            Reader::Docker(_) => {
                "lines wait in Docker's log; what it rotates away meanwhile is lost"
            }
            Reader::Kubernetes(_) => {
                "lines wait in the pods' logs; what the kubelet compresses meanwhile is lost"
            }
        }
    }

    /// What it knows of itself.
    fn status(&self) -> hanabi_api::SourceStatus {
        let mut status = hanabi_api::SourceStatus {
            id: self.id.to_string(),
            kind: self.kind.as_str().to_owned(),
            ..hanabi_api::SourceStatus::default()
        };
        let waits_for = match &self.reader {
            Reader::Stdin => None,
            Reader::File(file) => {
                let file = file.status();
                status.behind_bytes = file.size.saturating_sub(file.offset);
                status.positions_lost = file.positions_lost;
                let missing = || "the file does not exist yet".to_owned();
                file.waiting.then(|| file.error.unwrap_or_else(missing))
            }
            Reader::Docker(log) => {
                let log = log.status();
                status.lag_seconds = log.lag as f64 / 1e9;
                (status.errors, status.reconnects) = (log.errors + log.unstamped, log.reconnects);
                status.positions_lost = log.positions_lost;
                (!log.following).then_some(log.detail)
            }
            Reader::Kubernetes(logs) => {
                let logs = logs.status();
                status.behind_bytes = logs.file.size.saturating_sub(logs.file.offset);
                status.positions_lost = logs.file.positions_lost;
                status.errors = logs.unparsed;
                let missing = || "there is no folder, or no log in it yet".to_owned();
                logs.waiting.then(missing)
            }
        };
        let (state, detail) = match (&*self.ending.lock(), waits_for) {
            (Some(Ok(())), _) => ("ended", String::new()),
            (Some(Err(why)), _) => ("failed", why.clone()),
            (None, _) if self.control.is_paused() => ("paused", self.waiting().to_owned()),
            (None, Some(why)) => ("waiting", why),
            (None, None) => ("running", String::new()),
        };
        hanabi_api::SourceStatus { state: state.to_owned(), detail, ..status }
    }
}

impl Threads {
    /// Waits for them, but not longer than `patience`: what they have not handed over is read
    /// again at the next start.
    pub(crate) fn join(self, patience: Duration) {
        let end = Instant::now() + patience;
        for thread in self.0 {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a source's thread had failed");
            }
        }
    }
}

/// What a source's thread does until it is told to stop.
type Work = Box<dyn FnOnce(&Control) -> anyhow::Result<()> + Send>;

/// Starts a source's thread.
fn begin(running: Running, work: Work) -> anyhow::Result<(Running, JoinHandle<()>)> {
    let Running { id, control, ending, .. } = running.clone();
    let thread = std::thread::Builder::new()
        .name("hanabi-source".to_owned())
        .spawn(move || {
            let ended = work(&control).map_err(|error| format!("{error:#}"));
            if let Err(why) = &ended {
                tracing::error!("source {id} has ended: {why}");
            } else if !control.is_stopped() {
                tracing::info!("source {id} has come to its end");
            }
            *ending.lock() = Some(ended);
        })
        .with_context(|| format!("failed to start a thread for source {}", running.id))?;
    Ok((running, thread))
}

fn kind_of(source: &str) -> SourceKind {
    match source.split_once(':').map_or(source, |(kind, _)| kind) {
        "docker" => SourceKind::Docker,
        "kubernetes" => SourceKind::Kubernetes,
        "file" => SourceKind::File,
        "stdin" => SourceKind::Stdin,
        _ => SourceKind::Http,
    }
}
