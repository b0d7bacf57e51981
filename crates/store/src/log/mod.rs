//! The event log.
mod names;
mod options;
mod row;

use std::path::Path;

use hanabi_event::EventTime;

pub use options::{LogOptions, LogPage, LogQuery, LogStats};
pub use row::LogRow;

use crate::{CheckReport, StoreError};

/// The log of events on one machine.
pub struct EventLog {}

#[allow(clippy::unused_self, unused_variables, reason = "the words come before the work")]
impl EventLog {
    /// Opens the log of a data directory.
    pub fn open(dir: impl AsRef<Path>, options: LogOptions) -> Result<Self, StoreError> {
        Ok(Self {})
    }

    /// Hands rows to the writer; `sequence` is the engine's running number after them.
    pub fn append(&self, sequence: u64, rows: &[LogRow]) {}

    /// Waits until everything handed over before is written.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes out every event beyond a sequence.
    pub fn truncate_after(&self, sequence: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes out segments whose rows are all too old, seen from `now`.
    pub fn retain(&self, now: EventTime) -> Result<(), StoreError> {
        Ok(())
    }

    /// One page, newest first.
    pub fn query(&self, query: &LogQuery) -> Result<LogPage, StoreError> {
        Ok(LogPage::default())
    }

    /// The log in numbers.
    pub fn stats(&self) -> LogStats {
        LogStats::default()
    }

    /// Reads every block.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        Ok(CheckReport::default())
    }
}
