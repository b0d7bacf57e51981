//! Following the output of a container through Docker's Engine API.
//!
//! A position is a container's id, the time stamp of the last line that is done, and how many
//! entries of that time are: the engine can be asked for what came since a second, and the rest is
//! skipped. So a line is handed out once, whatever restarts: this service, the container, the
//! daemon. A container that was made again under the same name is read from its beginning, after
//! what is left of its predecessor. The origin waits: what is not read stays in the engine's log,
//! for as long as its rotation keeps it.

mod follow;
mod found;
mod join;
mod read;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{Control, Intake, Position, SourceId};

/// Where the engine listens when nobody says otherwise.
pub const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";

/// How a container is followed.
#[derive(Clone, Debug)]
pub struct DockerOptions {
    /// `unix://PATH` or `tcp://HOST:PORT`.
    pub host: String,
    /// How often a container that is not there, or does not run, is looked for.
    pub poll: Duration,
    /// The longest wait between two tries to reach the engine; the first waits [`Self::poll`], and
    /// each further one twice as long.
    pub retry_max: Duration,
}

impl Default for DockerOptions {
    fn default() -> Self {
        Self {
            host: DEFAULT_DOCKER_HOST.to_owned(),
            poll: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// Why following could not begin.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// What runs the requests could not be started.
    #[error("failed to start reading from Docker")]
    Start(#[source] std::io::Error),
}

/// Counters of a [`DockerSource`], readable while it runs.
#[derive(Debug, Default)]
pub struct DockerStats {
    reconnects: AtomicU64,
    errors: AtomicU64,
    too_long: AtomicU64,
    unstamped: AtomicU64,
    positions_lost: AtomicU64,
    lag: AtomicU64,
    following: AtomicBool,
    state: Mutex<String>,
}

/// What a [`DockerSource`] is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerStatus {
    /// Times that the log was opened again.
    pub reconnects: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Lines longer than [`crate::MAX_LINE_BYTES`], handed out cut off.
    pub too_long: u64,
    /// Entries that came without a time stamp.
    pub unstamped: u64,
    /// Times that lines may be missing: the container was gone before all of its log was read, or
    /// the engine had rotated away where reading had stopped.
    pub positions_lost: u64,
    /// From the time stamp of the last line to when it was read, ns.
    pub lag: u64,
    /// True while the log of a running container is open.
    pub following: bool,
    /// Why it is not, or nothing.
    pub detail: String,
}

impl DockerStats {
    /// The counters now.
    pub fn status(&self) -> DockerStatus {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DockerStatus {
            reconnects: load(&self.reconnects),
            errors: load(&self.errors),
            too_long: load(&self.too_long),
            unstamped: load(&self.unstamped),
            positions_lost: load(&self.positions_lost),
            lag: load(&self.lag),
            following: self.following.load(Ordering::Relaxed),
            detail: self.state.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Notes what it waits for, `None` while it follows; true when that is news.
    fn tell(&self, waits_for: Option<&str>) -> bool {
        self.following.store(waits_for.is_none(), Ordering::Relaxed);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let detail = waits_for.unwrap_or_default();
        let news = *state != detail;
        detail.clone_into(&mut state);
        news
    }
}

/// Follows the standard output of a container by its name.
#[derive(Debug)]
pub struct DockerSource {
    id: SourceId,
    name: String,
    options: DockerOptions,
    stats: Arc<DockerStats>,
}

impl DockerSource {
    /// Follows the container `name` under the name `docker:NAME`.
    pub fn new(name: &str, options: DockerOptions) -> Self {
        let id = SourceId::new(&format!("docker:{name}"));
        Self { id, name: name.to_owned(), options, stats: Arc::default() }
    }

    /// The source's name.
    pub fn id(&self) -> &SourceId {
        &self.id
    }

    /// The source's counters.
    pub fn stats(&self) -> Arc<DockerStats> {
        Arc::clone(&self.stats)
    }

    /// Reads into `intake` until stopped. Blocks while the queue is full. `resume` is the position
    /// of the last batch that is done. What goes wrong is told by [`DockerStatus::detail`] and tried
    /// again.
    pub fn run(
        &self,
        intake: &Intake,
        resume: &Position,
        control: &Control,
    ) -> Result<(), DockerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DockerError::Start)?;
        runtime.block_on(follow::Follower::new(self, intake, resume, control).run());
        // A connection that hangs must not hold the end up.
        runtime.shutdown_background();
        Ok(())
    }
}
