//! What the event log is told, asked and says of itself.

use std::time::Duration;

use hanabi_event::{Category, EventTime, Priority, SECOND};
use serde::{Deserialize, Serialize};

use super::row::LogRow;

/// How the event log keeps what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// How old rows may get, ns, when [`super::EventLog::retain`] is told the time.
    pub age: EventTime,
    /// Bytes on disk; past it the oldest segments go.
    pub total_bytes: u64,
    /// Bytes of newest rows held in memory, and the size of a segment before compression.
    pub memory_bytes: usize,
    /// Bytes of rows that may wait for the writer; past it rows are dropped and counted.
    pub queue_bytes: usize,
    /// Rows of one container in one second of event time that are kept as they come; past it
    /// repetitions of one behaviour are merged.
    pub merge_above: u32,
    /// The longest that a row waits before it is written, so that a kill cannot take it.
    pub flush_every: Duration,
    /// How long one text search may take before it hands out a cursor instead.
    pub scan_limit: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            age: 7 * 86_400 * SECOND,
            total_bytes: 2 << 30,
            // A segment of 16 MiB holds some 50 000 rows: small enough to be memory's share at a
            // hundred containers, large enough to make blocks worth compressing.
            memory_bytes: 16 << 20,
            queue_bytes: 16 << 20,
            merge_above: 200,
            flush_every: Duration::from_millis(500),
            scan_limit: Duration::from_millis(200),
        }
    }
}

/// Which rows. Filters that are absent let everything through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// A container's id (short or full), its name, or its profile's identity.
    pub container: Option<String>,
    /// Rows of this time or later.
    pub start: Option<EventTime>,
    /// Rows before this time.
    pub end: Option<EventTime>,
    /// Rows at least as severe.
    pub min_priority: Option<Priority>,
    /// Rows of one category.
    pub category: Option<Category>,
    /// Text in rule, call, process, command line, object, outcome or deviation; letters of ASCII
    /// in any case.
    pub q: Option<String>,
    /// Rows a page, 1 to [`crate::PAGE_LIMIT`].
    pub limit: usize,
    /// [`LogPage::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// A page of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    /// Rows, newest first.
    pub rows: Vec<LogRow>,
    /// Where to go on; `None` at the end of the log.
    pub next_cursor: Option<String>,
    /// Set when a text search ran out of time: every row after this time was looked at.
    pub scanned_until: Option<EventTime>,
}

/// The log in numbers. What it took in, `appended` events, is at every moment written, merged into
/// a row's count, waiting, or counted here as dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogStats {
    /// Sealed files.
    pub segments: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Rows that can be read.
    pub rows: u64,
    /// Events in them.
    pub events: u64,
    /// The oldest row's time.
    pub oldest: Option<EventTime>,
    /// The newest row's time.
    pub newest: Option<EventTime>,
    /// Rows handed over since the start.
    pub appended: u64,
    /// Rows of them that went into another row's count.
    pub merged: u64,
    /// Rows dropped because the queue was full.
    pub dropped_queue: u64,
    /// Rows dropped because they could not be written.
    pub dropped_disk: u64,
    /// Rows that went with their segment, by age, size or a full disk.
    pub expired: u64,
    /// Writes that failed.
    pub write_errors: u64,
    /// Blocks that could not be read back.
    pub damaged_blocks: u64,
    /// Bytes waiting for the writer.
    pub queued_bytes: u64,
    /// The highest sequence of a row that was written.
    pub covered_sequence: u64,
}
