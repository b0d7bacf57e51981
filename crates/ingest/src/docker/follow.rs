//! The loop that looks for the container, reads its log, and looks again.

use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use super::join::{Joiner, Mark};
use super::{DockerSource, DockerStats};
use crate::{BATCH_BYTES, Batch, Control, Intake, Position};

/// How often a stop or a pause is looked for while nothing comes.
const LOOK: Duration = Duration::from_millis(100);
/// After this long a line of the driver `local` is whole, though it is as long as a part.
const LINE_IDLE: Duration = Duration::from_secs(1);
/// The engine answers questions at once, or not at all.
const ANSWER: Duration = Duration::from_secs(10);

/// A container as it was found.
struct Found {
    id: String,
    running: bool,
    /// Tells one run of it from the next.
    started: String,
    tty: bool,
    driver: String,
}

/// What comes after a round.
enum Next {
    /// Look again at once.
    Again,
    /// Look again later; for what it waits.
    Wait(String),
    /// Somebody wants it to end, or to pause.
    Told,
}

/// How reading a log ended.
enum End {
    /// There is no more.
    Log,
    /// Stopped, paused, or the queue is closed.
    Told,
}

pub(super) struct Follower<'a> {
    source: &'a DockerSource,
    intake: &'a Intake,
    control: &'a Control,
    /// The container that is read, and how far.
    at: Option<(String, Option<Mark>)>,
    /// The run of a container whose log was read to its end after it had stopped.
    finished: Option<(String, String)>,
    /// The container whose log came to an end while it was followed: all of it was sent.
    ended: Option<String>,
    opened: u64,
    closed: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        source: &'a DockerSource,
        intake: &'a Intake,
        resume: &Position,
        control: &'a Control,
    ) -> Self {
        let at = match resume {
            Position::Docker { container, time, entries } => {
                Some((container.clone(), Some(Mark { time: *time, entries: *entries })))
            }
            Position::None | Position::Journal { .. } | Position::File { .. } => None,
        };
        Self { source, intake, control, at, finished: None, ended: None, opened: 0, closed: false }
    }

    pub(super) async fn run(mut self) {
        let options = &self.source.options;
        let mut pause = options.poll;
        while !self.closed && !self.control.wait_while_paused() {
            match self.round().await {
                Ok(Next::Told) => pause = options.poll,
                Ok(Next::Again) => {
                    // A container that starts and ends without end must not keep a core busy.
                    self.control.sleep(LOOK);
                    pause = options.poll;
                }
                Ok(Next::Wait(why)) => {
                    self.tell(&why);
                    self.control.sleep(options.poll);
                    pause = options.poll;
                }
                Err(error) => {
                    DockerStats::add(&self.source.stats.errors, 1);
                    self.tell(&self.explained(&error));
                    self.control.sleep(pause);
                    pause = (2 * pause).min(options.retry_max);
                }
            }
        }
    }

    fn tell(&self, why: &str) {
        if self.source.stats.tell(Some(why)) {
            tracing::warn!("source {} waits: {why}", self.source.id);
        }
    }

    async fn round(&mut self) -> Result<Next, Error> {
        let name = &self.source.name;
        let docker = Docker::connect_with_host(&self.source.options.host)?;
        let Some(found) = inspect(&docker, name).await? else {
            return Ok(Next::Wait(format!("there is no container {name:?} yet")));
        };
        if found.driver == "none" {
            return Ok(Next::Wait(format!(
                "container {name:?} keeps no log (log driver \"none\"): start it with \
                 --log-driver json-file or local"
            )));
        }
        if let Some(End::Told) = self.leave(&docker, &found).await? {
            return Ok(Next::Told);
        }
        let run = (found.id.clone(), found.started.clone());
        if !found.running && self.finished.as_ref() == Some(&run) {
            return Ok(Next::Wait(format!("container {name:?} does not run")));
        }
        if found.running {
            self.source.stats.tell(None);
            if self.opened == 0 {
                tracing::info!("source {} reads container {}", self.source.id, found.id);
            }
        }
        if found.running {
            self.ended = None;
        }
        self.opened += 1;
        self.source.stats.reconnects.store(self.opened - 1, Ordering::Relaxed);
        match self.read(&docker, &found).await? {
            End::Told => Ok(Next::Told),
            End::Log => {
                self.ended = Some(found.id);
                if !found.running {
                    self.finished = Some(run);
                }
                Ok(Next::Again)
            }
        }
    }

    /// Turns to the container that has the name now, when what is left of the one before is read.
    async fn leave(&mut self, docker: &Docker, new: &Found) -> Result<Option<End>, Error> {
        let before = match &self.at {
            Some((id, _)) if *id == new.id => return Ok(None),
            Some((id, _)) => Some(id.clone()),
            None => None,
        };
        if let Some(old) = before {
            match inspect(docker, &old).await? {
                Some(left) => {
                    let left = Found { running: false, ..left };
                    if let End::Told = self.read(docker, &left).await? {
                        return Ok(Some(End::Told));
                    }
                }
                None if self.ended.as_ref() != Some(&old) => {
                    DockerStats::add(&self.source.stats.positions_lost, 1);
                    tracing::warn!(
                        "source {}: container {old} is gone, and lines that it had printed last may \
                         be missing",
                        self.source.id
                    );
                }
                None => {}
            }
        }
        self.at = Some((new.id.clone(), None));
        Ok(None)
    }

    /// Reads the log from where reading stopped, following it while the container runs.
    async fn read(&mut self, docker: &Docker, found: &Found) -> Result<End, Error> {
        let done = self.at.as_ref().and_then(|(_, mark)| *mark);
        let since = done.map_or(0, |mark| mark.time / 1_000_000_000);
        let options = LogsOptionsBuilder::new()
            .follow(found.running)
            .stdout(true)
            .timestamps(true)
            .since(i32::try_from(since).unwrap_or(i32::MAX))
            .tail("all")
            .build();
        let mut joiner = Joiner::new(done);
        let mut log = pin!(docker.logs(&found.id, Some(options)));
        let mut heard = Instant::now();
        loop {
            if self.control.is_stopped() || self.control.is_paused() {
                return Ok(End::Told);
            }
            let Ok(entry) = tokio::time::timeout(LOOK, log.next()).await else {
                let whole = found.driver == "local" && heard.elapsed() >= LINE_IDLE;
                if whole && joiner.is_within_line() {
                    joiner.end_line();
                    self.push(&mut joiner, &found.id);
                }
                continue;
            };
            heard = Instant::now();
            let more = take_in(entry, log.as_mut(), &mut joiner, found.tty);
            // The container has stopped: nobody will end its last line.
            if matches!(more, Ok(false)) && !found.running {
                joiner.end_line();
            }
            self.push(&mut joiner, &found.id);
            if self.closed {
                return Ok(End::Told);
            }
            if !more? {
                return Ok(End::Log);
            }
        }
    }

    /// Hands over the whole lines there are.
    fn push(&mut self, joiner: &mut Joiner, container: &str) {
        let stats = &self.source.stats;
        DockerStats::add(&stats.too_long, std::mem::take(&mut joiner.too_long));
        DockerStats::add(&stats.unstamped, std::mem::take(&mut joiner.unstamped));
        let Some((lines, mark)) = joiner.take() else { return };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        stats.lag.store(now.saturating_sub(mark.time), Ordering::Relaxed);
        let (time, entries) = (mark.time, mark.entries);
        let position = Position::Docker { container: container.to_owned(), time, entries };
        let batch = Batch::new(self.source.id.clone(), lines, position);
        self.closed = self.intake.push_wait(batch).is_err();
        self.at = Some((container.to_owned(), Some(mark)));
    }

    /// What went wrong, and what can be done.
    fn explained(&self, error: &Error) -> String {
        let host = &self.source.options.host;
        let mut chain = error.to_string();
        let mut kind = None;
        let mut cause = std::error::Error::source(error);
        while let Some(one) = cause {
            let text = one.to_string();
            if !chain.contains(&text) {
                chain = format!("{chain}: {text}");
            }
            kind = one.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
            cause = one.source();
        }
        let remedy = match (error, kind) {
            (Error::SocketNotFoundError(_), _) => {
                "start Docker, or name its socket in sources.docker_host"
            }
            (_, Some(io::ErrorKind::PermissionDenied)) => {
                "let Hanabi's user read the socket, as members of the group docker do"
            }
            (_, Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)) => {
                "the engine does not answer; it is tried again"
            }
            _ => "it is tried again",
        };
        format!("Docker at {host}: {chain}; {remedy}")
    }
}

/// Takes an entry in, and those that are there already, up to a batch. False at the end of the log.
fn take_in(
    first: Option<Result<LogOutput, Error>>,
    mut log: std::pin::Pin<&mut impl Stream<Item = Result<LogOutput, Error>>>,
    joiner: &mut Joiner,
    tty: bool,
) -> Result<bool, Error> {
    let mut entry = first;
    loop {
        let Some(output) = entry.transpose()? else { return Ok(false) };
        match output {
            LogOutput::Console { message } if tty => joiner.raw(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                joiner.frame(&message);
            }
            LogOutput::StdErr { .. } | LogOutput::StdIn { .. } => {}
        }
        if joiner.ready() >= BATCH_BYTES {
            return Ok(true);
        }
        match log.next().now_or_never() {
            Some(next) => entry = next,
            None => return Ok(true),
        }
    }
}

/// The container of a name or an id; none where there is none.
async fn inspect(docker: &Docker, name: &str) -> Result<Option<Found>, Error> {
    let asked = tokio::time::timeout(ANSWER, docker.inspect_container(name, None)).await;
    match asked {
        Ok(Ok(answer)) => Ok(found(answer)),
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::RequestTimeoutError),
    }
}

fn found(answer: ContainerInspectResponse) -> Option<Found> {
    let state = answer.state.unwrap_or_default();
    let driver = answer.host_config.and_then(|host| host.log_config).and_then(|log| log.typ);
    Some(Found {
        id: answer.id?,
        running: state.running.unwrap_or(false),
        started: state.started_at.unwrap_or_default(),
        tty: answer.config.and_then(|config| config.tty).unwrap_or(false),
        driver: driver.unwrap_or_default(),
    })
}
