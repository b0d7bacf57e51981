//! The thread that makes state durable: checkpoints first, then snapshots and retention.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use hanabi_api::{Carried, Live};
use hanabi_detect::{Alert, Incident};
use hanabi_event::EventTime;
use hanabi_ingest::Journal;
use hanabi_outputs::Outputs;
use hanabi_profile::TreeNode;
use hanabi_store::{Checkpoint, EventLog, Store, StoreError};
use hanabi_telemetry::Metrics;
use tokio::sync::oneshot;

/// Chores that wait at most: a tree in each is up to some megabytes.
const CHORES_MAX: usize = 4;
/// A failed checkpoint is tried again after this time, so that a full disk is not hammered.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a checkpoint waits for the spools of outputs, which write some megabytes a second.
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether room can be kept back again that a full disk took.
const RESERVE_EVERY: Duration = Duration::from_mins(1);
/// How often the last checkpoint is tried before the service ends without it.
const LAST_TRIES: usize = 3;

/// A checkpoint with what is to be done when it is durable.
pub(crate) struct Commit {
    pub(crate) checkpoint: Checkpoint,
    /// The alerts in it, as the overlay has them.
    pub(crate) alerts: Vec<Arc<Alert>>,
    /// The incidents in it.
    pub(crate) incidents: Vec<Arc<Incident>>,
    /// The journal is not needed up to here.
    pub(crate) journal: Option<u64>,
    /// Profiles whose histories go.
    pub(crate) forgotten: Vec<String>,
    /// What people are told then.
    pub(crate) replies: Vec<Reply>,
}

/// An answer, and who waits for it.
pub(crate) type Reply = (oneshot::Sender<Carried>, Carried);

/// Work that can wait.
pub(crate) enum Chore {
    /// Adds a tree to the history of a profile.
    Snapshot { identity: String, time: EventTime, tree: TreeNode },
    /// Takes out what is too old at a time.
    Retain(EventTime),
}

/// What the keeper writes to.
pub(crate) struct Stores {
    pub(crate) store: Arc<Store>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) journal: Journal,
    pub(crate) live: Arc<Live>,
    pub(crate) outputs: Outputs,
    pub(crate) metrics: Metrics,
}

/// The engine's side.
pub(crate) struct Keeper {
    commits: Sender<Commit>,
    chores: Sender<Chore>,
    busy: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Keeper {
    pub(crate) fn start(stores: Stores) -> anyhow::Result<Self> {
        let (commits, commit_queue) = bounded(1);
        let (chores, chore_queue) = bounded(CHORES_MAX);
        let busy = Arc::new(AtomicBool::new(false));
        let ending = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            stores,
            busy: Arc::clone(&busy),
            ending: Arc::clone(&ending),
            refused: None,
            reserved: None,
        };
        let thread = std::thread::Builder::new()
            .name("hanabi-keeper".to_owned())
            .spawn(move || worker.run(&commit_queue, &chore_queue))
            .context("failed to start the thread that writes checkpoints")?;
        Ok(Self { commits, chores, busy, ending, thread })
    }

    /// True while a checkpoint is being written: the next has to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Hands a checkpoint over; waits only if another is being written.
    pub(crate) fn commit(&self, commit: Commit) {
        self.busy.store(true, Ordering::Release);
        if self.commits.send(commit).is_err() {
            tracing::error!("the thread that writes checkpoints has ended");
        }
    }

    /// True when a chore would be taken.
    pub(crate) fn has_room(&self) -> bool {
        !self.chores.is_full()
    }

    /// Hands a chore over; to be called when there is room.
    pub(crate) fn chore(&self, chore: Chore) {
        if self.chores.try_send(chore).is_err() {
            tracing::debug!("a snapshot is taken later: others are being written");
        }
    }

    /// Writes the last checkpoint and ends.
    pub(crate) fn finish(self, last: Option<Commit>) -> anyhow::Result<()> {
        self.ending.store(true, Ordering::Release);
        if let Some(commit) = last {
            self.commit(commit);
        }
        drop((self.commits, self.chores));
        match self.thread.join() {
            Ok(ended) => ended,
            Err(_) => anyhow::bail!("the thread that writes checkpoints has failed"),
        }
    }
}

struct Worker {
    stores: Stores,
    busy: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
    /// Why the last checkpoint could not be written.
    refused: Option<anyhow::Error>,
    /// When room was last kept back, or tried to be.
    reserved: Option<Instant>,
}

impl Worker {
    fn run(mut self, commits: &Receiver<Commit>, chores: &Receiver<Chore>) -> anyhow::Result<()> {
        self.keep_reserve();
        loop {
            select_biased! {
                recv(commits) -> commit => match commit {
                    Ok(commit) => self.commit(commit),
                    Err(_) => break,
                },
                recv(chores) -> chore => if let Ok(chore) = chore {
                    self.chore(chore);
                },
            }
        }
        while let Ok(chore) = chores.try_recv() {
            self.chore(chore);
        }
        self.refused.map_or(Ok(()), Err)
    }

    /// Tries until it is durable: the engine goes on meanwhile, and the journal fills up until its
    /// senders are told to wait.
    fn commit(&mut self, commit: Commit) {
        let mut tries = 0;
        self.refused = None;
        // The log's rows up to the checkpoint do not come again after it. Without them events are
        // missing in the log and nowhere else, so a log that fails does not hold a checkpoint up.
        if let Err(error) = self.stores.log.flush() {
            self.stores.metrics.store_errors.increment();
            tracing::error!(error = &error as &dyn std::error::Error, "the event log failed");
        }
        // What is told of alerts comes before them: after a kill their events do not come again.
        if !self.stores.outputs.settle(SETTLE_PATIENCE) {
            tracing::warn!("the spools of outputs are slow: messages may be lost in a kill");
        }
        loop {
            let started = Instant::now();
            match self.with_room(|store| store.commit(&commit.checkpoint)) {
                Ok(()) => {
                    self.stores.metrics.store_commit.observe(started.elapsed());
                    break;
                }
                Err(error) => {
                    self.stores.metrics.store_errors.increment();
                    let error = anyhow::Error::new(error);
                    tries += 1;
                    if tries == 1 {
                        tracing::error!("a checkpoint failed and is tried again: {error:#}");
                    }
                    if self.ending.load(Ordering::Acquire) && tries >= LAST_TRIES {
                        self.refused = Some(error.context("failed to write the last checkpoint"));
                        return;
                    }
                    std::thread::sleep(RETRY_AFTER);
                }
            }
        }
        if self.reserved.is_none_or(|last| last.elapsed() >= RESERVE_EVERY) {
            self.keep_reserve();
        }
        let seconds = super::now() as f64 / 1e9;
        self.stores.metrics.store_checkpoint_time.set(seconds);
        self.stores.live.committed(&commit.alerts, &commit.incidents);
        for (reply, carried) in commit.replies {
            // Nobody waits any more when the request has timed out.
            drop(reply.send(carried));
        }
        for identity in &commit.forgotten {
            if let Err(error) = self.stores.store.delete_snapshots(identity) {
                self.stores.metrics.store_errors.increment();
                tracing::warn!("the history of {identity} was not deleted: {error}");
            }
        }
        if let Some(sequence) = commit.journal
            && let Err(error) = self.stores.journal.trim(sequence)
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the journal was not trimmed");
        }
        self.busy.store(false, Ordering::Release);
    }

    /// On a full disk the oldest events give way to state, and last the room that was kept back.
    fn with_room(
        &self,
        write: impl Fn(&Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            match write(&self.stores.store) {
                Err(error) if error.is_full() => {
                    self.stores.metrics.store_errors.increment();
                    if !self.stores.log.make_room()? && !self.stores.store.use_reserve()? {
                        return Err(error);
                    }
                    tracing::warn!("the disk is full: old events or the reserve gave way");
                }
                done => return done,
            }
        }
    }

    fn keep_reserve(&mut self) {
        self.reserved = Some(Instant::now());
        match self.stores.store.keep_reserve() {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the disk is nearly full: no room can be kept back"),
            Err(error) => tracing::warn!("no room can be kept back: {error}"),
        }
    }

    fn chore(&mut self, chore: Chore) {
        let done = match chore {
            Chore::Snapshot { identity, time, tree } => {
                self.with_room(|store| store.put_snapshot(&identity, time, &tree))
            }
            Chore::Retain(now) => self.stores.log.retain(now),
        };
        if let Err(error) = done {
            self.stores.metrics.store_errors.increment();
            tracing::error!(error = &error as &dyn std::error::Error, "the store refused");
        }
    }
}
