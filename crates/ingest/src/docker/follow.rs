//! The loop that looks for the container, reads its log, and looks again.
//!
//! A log that does not rotate is followed. Where the engine rotates it, its own following repeats
//! what is in the new file and leaves out files while the reader waits; what it gives of the log as
//! it is at a moment is whole. So such a log is read again and again, from its end back to where
//! reading stopped.

use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use futures_util::StreamExt as _;

use super::found::{Found, inspect};
use super::join::Mark;
use super::read::{End, Readings};
use super::{DockerSource, DockerStats};
use crate::{Control, Intake, Position};

/// How often a stop or a pause is looked for while nothing comes.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How often a log that rotates is read: a request costs the engine some milliseconds.
const READ_AGAIN: Duration = Duration::from_millis(250);
/// What comes after a round.
enum Next {
    /// Look again at once.
    Again,
    /// The same log goes on.
    Read,
    /// Look again later; for what it waits.
    Wait(String),
    /// Somebody wants it to end, or to pause.
    Told,
}

pub(super) struct Follower<'a> {
    pub(super) source: &'a DockerSource,
    pub(super) intake: &'a Intake,
    control: &'a Control,
    /// The container that is read, and how far.
    pub(super) at: Option<(String, Option<Mark>)>,
    /// The run of a container whose log was read to its end after it had stopped.
    finished: Option<(String, String)>,
    /// The container whose log came to an end while it was followed: all of it was sent.
    ended: Option<String>,
    pub(super) readings: Readings,
    /// A log is open, or is read again and again.
    reading: bool,
    opened: u64,
    pub(super) closed: bool,
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
            Position::None
            | Position::Journal { .. }
            | Position::File { .. }
            | Position::Within { .. } => None,
        };
        Self {
            source,
            intake,
            control,
            at,
            finished: None,
            ended: None,
            readings: Readings::default(),
            reading: false,
            opened: 0,
            closed: false,
        }
    }

    pub(super) async fn run(mut self) {
        let options = &self.source.options;
        let mut pause = options.poll;
        while !self.closed && !self.control.wait_while_paused() {
            match self.round().await {
                Ok(Next::Told | Next::Read) => pause = options.poll,
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
                    self.reading = false;
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
        if self.leave(&docker, &found).await? {
            return Ok(Next::Told);
        }
        let run = (found.id.clone(), found.started.clone());
        if !found.running && self.finished.as_ref() == Some(&run) {
            return Ok(Next::Wait(format!("container {name:?} does not run")));
        }
        if found.running {
            self.ended = None;
            self.source.stats.tell(None);
        }
        if !std::mem::replace(&mut self.reading, true) {
            self.opened += 1;
            self.source.stats.reconnects.store(self.opened - 1, Ordering::Relaxed);
        }
        match self.read(&docker, &found).await? {
            End::Told => Ok(Next::Told),
            End::Log if found.running && found.rotates => {
                let stopped = self.until_next_read(&docker, &found.id).await;
                if stopped {
                    // It may be removed next, and its log with it.
                    let id = found.id.clone();
                    let end = self.read(&docker, &Found { running: false, ..found }).await?;
                    self.ended = matches!(end, End::Log).then_some(id);
                }
                Ok(Next::Read)
            }
            End::Log => {
                self.reading = false;
                self.ended = Some(found.id);
                if !found.running {
                    self.finished = Some(run);
                }
                Ok(Next::Again)
            }
        }
    }

    /// Waits until a log that rotates is to be read again, and not any longer when its container
    /// stops, which is said.
    async fn until_next_read(&self, docker: &Docker, container: &str) -> bool {
        let mut stops = pin!(docker.wait_container(container, None));
        let end = Instant::now() + READ_AGAIN;
        while Instant::now() < end && !self.is_told() {
            match tokio::time::timeout(LOOK, stops.next()).await {
                Err(_) => {}
                Ok(Some(Ok(_) | Err(Error::DockerContainerWaitError { .. }))) => return true,
                // Not everybody may ask for it.
                Ok(_) => {
                    self.control.sleep(end.saturating_duration_since(Instant::now()));
                    return false;
                }
            }
        }
        false
    }

    pub(super) fn is_told(&self) -> bool {
        self.control.is_stopped() || self.control.is_paused()
    }

    /// Turns to the container that has the name now, when what is left of the one before is read.
    /// True when somebody wants it to end or to pause.
    async fn leave(&mut self, docker: &Docker, new: &Found) -> Result<bool, Error> {
        let before = match &self.at {
            Some((id, _)) if *id == new.id => return Ok(false),
            Some((id, _)) => Some(id.clone()),
            None => None,
        };
        if let Some(old) = before {
            match inspect(docker, &old).await? {
                Some(left) => {
                    let left = Found { running: false, ..left };
                    if let End::Told = self.read(docker, &left).await? {
                        return Ok(true);
                    }
                }
                None if self.ended.as_ref() != Some(&old) => {
                    self.lost(&old, "it is gone before its end was read");
                }
                None => {}
            }
        }
        tracing::info!("source {} reads container {}", self.source.id, new.id);
        self.at = Some((new.id.clone(), None));
        Ok(false)
    }

    pub(super) fn lost(&self, container: &str, why: &str) {
        DockerStats::add(&self.source.stats.positions_lost, 1);
        let id = &self.source.id;
        tracing::warn!("source {id}: lines of container {container} may be missing: {why}");
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
            (Error::DockerResponseServerError { status_code: 500 | 501, .. }, _)
                if chain.contains("does not support reading") =>
            {
                "start the container with --log-driver json-file or local"
            }
            _ => "it is tried again",
        };
        format!("Docker at {host}: {chain}; {remedy}")
    }
}
