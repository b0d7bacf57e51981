//! The event log: what happened, row by row, for as long as there is room.
//!
//! Rows go by a bounded queue to one thread, which keeps the newest in a *buffer* in memory and
//! writes them, at most half a second later, to a *tail* file. A full buffer becomes a *segment*:
//! one sealed file of compressed blocks, each holding rows of one container and category (or of
//! severe rows, or of several small containers), with an index at its end that stays in memory. A
//! search looks at the buffer and opens only blocks that can hold a row of its page, those with the
//! newest rows first, so that a page deep in the log costs what the first one does. Retention
//! unlinks whole segments.
//!
//! Every row knows which place in the engine's input it came from, so that a restart can cut off
//! what lies beyond the restored checkpoint: see [`EventLog::truncate_after`].

mod buffer;
mod check;
mod merge;
mod names;
mod options;
mod query;
mod queue;
mod recover;
mod row;
mod segment;
mod shared;
mod tail;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use hanabi_event::EventTime;

pub use check::LogReport;
pub(crate) use check::look;
pub use options::{LogOptions, LogPage, LogQuery, LogStats};
pub use row::LogRow;

use crate::directory::{self, Directory};
use crate::{CheckReport, StoreError};
use queue::{Batch, Task};
use shared::{Shared, State};

const DIRECTORY: &str = "events";

/// The log of events on one machine. All methods may be called from any thread.
pub struct EventLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    _directory: Directory,
}

impl EventLog {
    /// Opens the log under a data directory, and creates it where there is none. What a kill left
    /// half written is cut off. No other process can open it until this value is dropped.
    pub fn open(dir: impl AsRef<Path>, options: LogOptions) -> Result<Self, StoreError> {
        directory::check_format(dir.as_ref())?;
        directory::create(dir.as_ref())?;
        let directory = Directory::open(&dir.as_ref().join(DIRECTORY))?;
        let (shared, writer) = Shared::open(directory.path(), options)?;
        let shared = Arc::new(shared);
        let writer = writer::Writer::new(Arc::clone(&shared), Some(writer.0), writer.1);
        let writer = std::thread::Builder::new()
            .name("hanabi-log".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| StoreError::io("start the writer of", directory.path(), source))?;
        Ok(Self { shared, writer: Some(writer), _directory: directory })
    }

    /// Hands rows to the writer, which turns them into bytes, and never waits for the disk. Where
    /// the queue is full they are dropped and counted in [`LogStats::dropped_queue`].
    ///
    /// `sequence` is the engine's running number of the input that they came from, as in
    /// [`crate::Checkpoint::sequence`]: a checkpoint of this sequence or a higher one covers them.
    pub fn append(&self, sequence: u64, rows: Vec<LogRow>) {
        if rows.is_empty() {
            return;
        }
        let count = rows.len() as u64;
        let meters = &self.shared.meters;
        meters.appended.fetch_add(count, Ordering::Relaxed);
        if !self.shared.queue.push_rows(Batch::new(sequence, rows)) {
            meters.dropped_queue.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Waits until everything handed over before is on disk and would survive a power cut.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.shared.queue.request("flush the event log", Task::Flush)
    }

    /// Takes out every event of input beyond `sequence`, also out of the counts of merged rows. To
    /// be called after a restart with the restored checkpoint's sequence, before that input is read
    /// again.
    pub fn truncate_after(&self, sequence: u64) -> Result<(), StoreError> {
        let task = |done| Task::Truncate(sequence, done);
        self.shared.queue.request("truncate the event log", task)
    }

    /// Unlinks the segments whose newest row is older, seen from `now`, than [`LogOptions::age`].
    /// The bound on bytes needs no call.
    pub fn retain(&self, now: EventTime) -> Result<(), StoreError> {
        let task = |done| Task::Retain(now, done);
        self.shared.queue.request("remove old segments", task)
    }

    /// Gives up the oldest segment for what matters more on a full disk; `false` where there is
    /// none. Its rows count as expired.
    pub fn make_room(&self) -> Result<bool, StoreError> {
        self.shared.remove_oldest()
    }

    /// Unlinks the segments that hold no rows, and the oldest past [`LogOptions::total_bytes`].
    pub fn compact(&self) -> Result<(), StoreError> {
        self.flush()?;
        self.shared.remove_empty()?;
        self.shared.shrink_to(self.shared.options.total_bytes)
    }

    /// One page, newest first. A page deep in the log costs what the first one does, and its rows
    /// are neither doubled nor left out for what comes in meanwhile.
    pub fn query(&self, query: &LogQuery) -> Result<LogPage, StoreError> {
        query::query(&self.shared, query)
    }

    /// The log in numbers.
    pub fn stats(&self) -> LogStats {
        self.shared.stats()
    }

    /// Reads every block and holds it against its index.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        self.shared.check()
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the event log's writer had panicked");
        }
    }
}
