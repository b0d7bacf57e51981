//! Durable state on one machine: checkpoints, snapshots, alerts, the event log.
//!
//! A [`Store`] is one embedded database in a data directory. What must be true together — how far
//! the input was read, what was learned from it, which alerts came of it — goes in by
//! [`Store::commit`] in one transaction, so that a kill at any moment leaves the last committed
//! state and nothing in between. An [`EventLog`] lies beside it in files of its own: it may lose
//! what was not flushed, and [`EventLog::truncate_after`] brings it back in step with the restored
//! checkpoint, so that the input read again from there is not in it twice.
//!
//! Nothing here asks for the time of day: whatever is aged or kept by time is so by the times that
//! callers pass in.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alert_query;
mod alerts;
mod audit;
mod backup;
mod checkpoint;
mod codec;
mod cursor;
mod database;
mod directory;
mod error;
mod indexed;
mod kinds;
mod log;
mod maintain;
mod overlay;
mod owner;
mod page;
mod points;
mod reserve;
mod restore;
mod snapshots;
mod store;
mod tokens;

pub use alert_query::{
    AlertBucket, AlertQuery, AlertStats, BUCKET_LIMIT, IncidentQuery, TEXT_SCAN_LIMIT,
};
pub use audit::{AUDIT_LIMIT, AuditEntry};
pub use backup::{About, FileEntry, MANIFEST_FILE, Manifest};
pub use checkpoint::{Checkpoint, Restored};
pub use database::open_unchanged;
pub use directory::FORMAT_VERSION;
pub use error::StoreError;
pub use kinds::KindStats;
pub use log::{EventLog, LogOptions, LogPage, LogQuery, LogReport, LogRow, LogStats};
pub use maintain::DataDirectory;
pub use owner::{Keep, Owner};
pub use page::{PAGE_LIMIT, Page};
pub use points::{NewPoint, PointInfo, PointReason};
pub use restore::{Restoration, restore};
pub use snapshots::{SNAPSHOT_DEPTH, SnapshotInfo};
pub use store::{CheckReport, PROBLEM_LIMIT, Problem, Store, StoreOptions, StoreStats};
pub use tokens::{StoredToken, TOKENS_LIMIT};
