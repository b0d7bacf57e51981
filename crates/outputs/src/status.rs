//! What an output is doing, readable while it runs.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// How an output is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputState {
    /// What came last was taken, or nothing has come yet.
    #[default]
    Running,
    /// What came last was not taken, and is tried again.
    Failing,
}

impl OutputState {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failing => "failing",
        }
    }
}

/// An output and its numbers, since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputStatus {
    /// Its name.
    pub name: String,
    /// Its kind, in the configuration's word.
    pub kind: &'static str,
    /// Where it is, without what could be a secret.
    pub place: String,
    /// What messages are written as; `""` where the receiver has its own form.
    pub format: &'static str,
    /// How it is doing.
    pub state: OutputState,
    /// Why the last message was not taken, or nothing. A receiver's words: shown as text.
    pub detail: String,
    /// Messages taken by the receiver.
    pub delivered: u64,
    /// Tries that failed, after which the same messages are tried again.
    pub retries: u64,
    /// Messages that the receiver does not want, now or ever.
    pub refused: u64,
    /// Messages lost before they could be delivered: the spool or the queue before it was full, or
    /// the disk failed.
    pub dropped: u64,
    /// Alerts that go on and are not sent to Alertmanager again, since there are too many.
    pub let_go: u64,
    /// Alerts of which it was forgotten that they were told.
    pub forgotten: u64,
    /// Messages that wait.
    pub waiting: u64,
    /// Bytes of the spool on disk.
    pub spool_bytes: u64,
    /// When the receiver last took a message, ns since 1970; 0 for never.
    pub last_delivery: u64,
}

/// What the threads of an output count.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) delivered: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Beside those that the spool lost.
    pub(crate) dropped: AtomicU64,
    pub(crate) let_go: AtomicU64,
    pub(crate) forgotten: AtomicU64,
    pub(crate) last_delivery: AtomicU64,
    failing: Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Notes why messages are not taken, or that they are; true when that is news.
    pub(crate) fn tell(&self, failing: Option<String>) -> bool {
        let mut known = self.failing();
        let news = known.is_some() != failing.is_some();
        *known = failing;
        news
    }

    /// Why messages are not taken, where that is so.
    pub(crate) fn failing(&self) -> MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
