//! All outputs: the engine's side, and the thread between the engine and the spools.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver as Channel, RecvTimeoutError, Sender as Queue, bounded};
use hanabi_detect::Alert;

use crate::{
    OutputSettings, OutputState, OutputStatus, Target,
    backoff::Backoff,
    deliver::{Receiver, Sent},
    notice::{Cause, Notice},
    sender::Sender,
    spool::{Spool, SpoolError, orphans},
    status::Counters,
    told::{Told, asks},
};

/// Changed alerts that wait to be looked at. A storm changes some thousands in a second, and what
/// takes them off writes tens of thousands a second to disk; each is a pointer here.
pub const QUEUE_ALERTS: usize = 16_384;
/// How often the spools are tidied up.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// Why an output cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder cannot be read or written.
    #[error("failed to open the spool of output {name}")]
    Spool {
        /// The output.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What it is configured with cannot be used.
    #[error("output {name} {why}")]
    Settings {
        /// The output.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The system gives no thread.
    #[error("failed to start a thread of output {name}")]
    Thread {
        /// The output.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Why a test was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// No output has this name.
    #[error("there is no output {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Another test is under way: receivers that hang must not collect threads.
    #[error("another test is under way: try again in some seconds")]
    Busy,
    /// The receiver did not take it.
    #[error("{why}")]
    NotTaken {
        /// What it, or the network, has said.
        why: String,
    },
}

/// All outputs; clones are the same ones.
#[derive(Clone, Default)]
pub struct Outputs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Option<Queue<Work>>,
    lanes: Vec<Lane>,
    /// Dropped to end the senders.
    ends: Mutex<Vec<Queue<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by the test that is under way.
    testing: Mutex<()>,
}

/// What is known of an output from outside.
struct Lane {
    settings: Arc<OutputSettings>,
    spool: Arc<Spool>,
    counters: Arc<Counters>,
}

/// For the thread before the spools.
enum Work {
    Alert(Arc<Alert>),
    /// Answered when all before it is on disk.
    Settle(Queue<()>),
    End,
}

impl Outputs {
    /// Starts the outputs, each with its spool in a folder of its name below `dir`. `present` are
    /// the alerts that the last run has left: what was told of them goes on.
    pub fn start(
        dir: &Path,
        settings: Vec<OutputSettings>,
        present: &[&Alert],
    ) -> Result<Self, StartError> {
        let names: Vec<&str> = settings.iter().map(|one| one.name.as_str()).collect();
        for name in orphans(dir, &names) {
            tracing::warn!("output {name} is configured no more; what waits for it stays on disk");
        }
        if settings.is_empty() {
            return Ok(Self::default());
        }
        let (mut lanes, mut desk, mut ends, mut threads) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for one in settings {
            let (lane, own, stop, thread) = begin(dir, one, present)?;
            lanes.push(lane);
            desk.push(own);
            ends.push(stop);
            threads.push(thread);
        }
        let (queue, work) = bounded(QUEUE_ALERTS);
        let desk = Desk { lines: desk, work };
        let started = std::thread::Builder::new()
            .name("hanabi-outputs".to_owned())
            .spawn(move || desk.run())
            .map_err(|source| StartError::Thread { name: "all".to_owned(), source })?;
        threads.push(started);
        let (ends, threads) = (Mutex::new(ends), Mutex::new(threads));
        Ok(Self(Arc::new(Shared {
            queue: Some(queue),
            lanes,
            ends,
            threads,
            testing: Mutex::default(),
        })))
    }

    /// Takes an alert that has changed. Never waits: past [`QUEUE_ALERTS`] the alert is left out and
    /// counted, and looked at again when it next changes.
    pub fn offer(&self, alert: &Arc<Alert>) {
        let Some(queue) = &self.0.queue else { return };
        if queue.try_send(Work::Alert(Arc::clone(alert))).is_err() {
            for lane in &self.0.lanes {
                Counters::add(&lane.counters.dropped, 1);
            }
        }
    }

    /// Waits until all that was offered is on disk, but not longer than `patience`; true when it is.
    /// Called before a checkpoint, it makes sure that what is stored as having happened is told.
    pub fn settle(&self, patience: Duration) -> bool {
        let Some(queue) = &self.0.queue else { return true };
        let (reply, settled) = bounded(1);
        let end = Instant::now() + patience;
        queue.send_timeout(Work::Settle(reply), patience).is_ok()
            && settled.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok()
    }

    /// How each is doing, in the order of the configuration.
    pub fn status(&self) -> Vec<OutputStatus> {
        self.0.lanes.iter().map(Lane::status).collect()
    }

    /// Sends a test by a way of its own, past the spool and the route. Waits for the receiver, some
    /// ten seconds at most.
    pub fn test(&self, name: &str) -> Result<(), OutputError> {
        let lane = self.0.lanes.iter().find(|lane| lane.settings.name == name);
        let lane = lane.ok_or_else(|| OutputError::Unknown { name: name.to_owned() })?;
        let _alone = self.0.testing.try_lock().map_err(|_| OutputError::Busy)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let notice = Notice::test(name, now.as_nanos() as u64);
        let sent = match Receiver::new(&lane.settings) {
            Ok(mut receiver) => receiver.deliver(&lane.settings, &[notice]),
            Err(why) => Sent::Refused(why),
        };
        match sent {
            Sent::Taken => Ok(()),
            Sent::Refused(why) | Sent::Later(why, _) => Err(OutputError::NotTaken { why }),
        }
    }

    /// Ends the threads, and waits for them no longer than `patience`: what is not delivered waits
    /// on disk for the next start.
    pub fn stop(&self, patience: Duration) {
        let end = Instant::now() + patience;
        if let Some(queue) = &self.0.queue {
            // A full queue is worked off, and one without a reader needs no word.
            drop(queue.send_timeout(Work::End, patience));
        }
        self.0.ends.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for thread in self.0.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a thread of the outputs had failed");
            }
        }
    }
}

impl Lane {
    fn status(&self) -> OutputStatus {
        let (counters, settings) = (&self.counters, &self.settings);
        let failing = counters.failing().clone();
        let (waiting, spool_bytes) = self.spool.load();
        let own = matches!(settings.target, Target::Alertmanager(_));
        OutputStatus {
            name: settings.name.clone(),
            kind: settings.target.kind().as_str(),
            place: settings.target.place(),
            format: if own { "" } else { settings.format.as_str() },
            state: match failing {
                Some(_) => OutputState::Failing,
                None => OutputState::Running,
            },
            detail: failing.unwrap_or_default(),
            delivered: Counters::get(&counters.delivered),
            retries: Counters::get(&counters.retries),
            refused: Counters::get(&counters.refused),
            dropped: Counters::get(&counters.dropped) + self.spool.lost(),
            let_go: Counters::get(&counters.let_go),
            forgotten: Counters::get(&counters.forgotten),
            waiting,
            spool_bytes,
            last_delivery: Counters::get(&counters.last_delivery),
        }
    }
}

type Begun = (Lane, Line, Queue<()>, JoinHandle<()>);

/// Opens an output's spool and starts its sender.
fn begin(dir: &Path, settings: OutputSettings, present: &[&Alert]) -> Result<Begun, StartError> {
    let name = settings.name.clone();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| StartError::Spool {
        name: name.clone(),
        source,
    };
    let spool =
        Spool::open(&dir.join(&name), settings.spool_bytes).map_err(|e| failed(Box::new(e)))?;
    let told = recall(&spool).map_err(failed)?;
    let mut receiver =
        Receiver::new(&settings).map_err(|why| StartError::Settings { name: name.clone(), why })?;
    if let Receiver::Alertmanager(alertmanager) = &mut receiver {
        let going_on =
            present.iter().filter(|alert| asks(alert.state) && told.is_going_on(&alert.id));
        let notices: Vec<Notice> = going_on.map(|alert| Notice::of(alert, Cause::Raised)).collect();
        alertmanager.resume(&settings, &notices);
    }
    let (settings, spool) = (Arc::new(settings), Arc::new(spool));
    let counters = Arc::new(Counters::default());
    // One word is enough: who is awake looks at all there is.
    let (wake, woken) = bounded(1);
    let (stop, stopped) = bounded(1);
    let sender = Sender {
        settings: Arc::clone(&settings),
        spool: Arc::clone(&spool),
        counters: Arc::clone(&counters),
        receiver,
        backoff: Backoff::new(settings.retry),
        wake: woken,
        stopped,
    };
    let thread = std::thread::Builder::new()
        .name(format!("hanabi-o-{name}"))
        .spawn(move || sender.run())
        .map_err(|source| StartError::Thread { name, source })?;
    let line = Line {
        settings: Arc::clone(&settings),
        spool: Arc::clone(&spool),
        counters: Arc::clone(&counters),
        told,
        wake,
        unsynced: false,
        saved: 0,
    };
    Ok((Lane { settings, spool, counters }, line, stop, thread))
}

/// What was told: as it was last written down, and the messages since.
fn recall(spool: &Spool) -> Result<Told, Box<dyn std::error::Error + Send + Sync>> {
    let path = spool.told_path();
    let named = |error| format!("failed to read {}: {error}", path.display());
    let (mut told, through) = Told::load(&path).map_err(named)?.unwrap_or_default();
    spool.each_after(through, usize::MAX, |_, notice| {
        if let Some(notice) = notice {
            told.note(&notice);
        }
    })?;
    Ok(told)
}

/// The thread before the spools.
struct Desk {
    lines: Vec<Line>,
    work: Channel<Work>,
}

/// An output, as this thread sees it.
struct Line {
    settings: Arc<OutputSettings>,
    spool: Arc<Spool>,
    counters: Arc<Counters>,
    told: Told,
    wake: Queue<()>,
    /// Messages were appended that a power cut would lose.
    unsynced: bool,
    /// The newest message when `told` was last written down.
    saved: u64,
}

impl Desk {
    fn run(mut self) {
        let mut tidied = Instant::now();
        loop {
            match self.work.recv_timeout(TIDY_EVERY) {
                Ok(Work::Alert(alert)) => self.lines.iter_mut().for_each(|line| line.look(&alert)),
                Ok(Work::Settle(reply)) => {
                    self.lines.iter_mut().for_each(Line::sync);
                    // Who asked may have lost patience.
                    reply.send(()).ok();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if tidied.elapsed() >= TIDY_EVERY {
                self.lines.iter_mut().for_each(Line::tidy);
                tidied = Instant::now();
            }
        }
        for line in &mut self.lines {
            line.sync();
            line.save();
        }
    }
}

impl Line {
    /// Writes down what is to be told of an alert, if anything is.
    fn look(&mut self, alert: &Alert) {
        let Some(cause) = self.told.judge(alert) else { return };
        if !self.settings.tells(cause) {
            return;
        }
        let notice = Notice::of(alert, cause);
        // The end of what was told is told, too, whatever the route says now.
        if cause == Cause::Raised && !self.settings.route.wants(&notice) {
            return;
        }
        match self.append(&notice) {
            Ok(()) => {
                self.told.note(&notice);
                let forgotten = self.told.forgotten();
                self.counters.forgotten.store(forgotten, std::sync::atomic::Ordering::Relaxed);
                self.unsynced = true;
                // It has a word waiting already, or has ended.
                self.wake.try_send(()).ok();
            }
            Err(error) => {
                Counters::add(&self.counters.dropped, 1);
                let (output, alert) = (&self.settings.name, &notice.id);
                tracing::error!(output, alert, "a message is lost: {error}");
            }
        }
    }

    fn append(&mut self, notice: &Notice) -> Result<(), SpoolError> {
        while !self.spool.append(notice)? {
            // What the oldest messages tell must not be forgotten with them.
            self.save();
            self.spool.drop_oldest()?;
        }
        Ok(())
    }

    fn sync(&mut self) {
        if !std::mem::take(&mut self.unsynced) {
            return;
        }
        if let Err(error) = self.spool.sync() {
            let output = &self.settings.name;
            tracing::warn!(output, "messages may not survive a power cut: {error}");
        }
    }

    fn tidy(&mut self) {
        self.sync();
        if !self.spool.has_old() || !self.save() {
            return;
        }
        if let Err(error) = self.spool.trim() {
            let output = &self.settings.name;
            tracing::warn!(output, "delivered messages stay on disk: {error}");
        }
    }

    /// Writes down what was told, if there is news; false when that fails, after which messages
    /// must stay, since they tell it, too.
    fn save(&mut self) -> bool {
        let newest = self.spool.newest();
        if newest == self.saved {
            return true;
        }
        match self.told.save(&self.spool.told_path(), newest) {
            Ok(()) => {
                self.saved = newest;
                true
            }
            Err(error) => {
                let output = &self.settings.name;
                tracing::error!(output, "what was told cannot be written down: {error}");
                false
            }
        }
    }
}
