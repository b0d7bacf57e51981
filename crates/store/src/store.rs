//! The store: opened, looked at, checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hanabi_event::{EventTime, SECOND};
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, WriteTransaction};
use serde::Serialize;

use crate::checkpoint::{META, POSITIONS, PROFILES};
use crate::database::{Access, Db};
use crate::directory::Directory;
use crate::error::Fault;
use crate::{StoreError, alerts, audit, codec, points, snapshots, tokens};

pub(crate) const DATABASE_FILE: &str = "hanabi.redb";
const DAY: EventTime = 86_400 * SECOND;

/// How a store keeps what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes of the database held in memory.
    pub cache_bytes: usize,
    /// Snapshots kept of one profile.
    pub snapshots_kept: usize,
    /// How old a snapshot may get, ns, unless it is a profile's newest.
    pub snapshot_age: EventTime,
    /// Restore points kept of one profile.
    pub points_kept: usize,
    /// How old a restore point may get, ns, unless it is a profile's newest.
    pub point_age: EventTime,
    /// Bytes of all restore points; past it the oldest go.
    pub points_bytes: u64,
    /// How much older than the newest, ns, a resolved or promoted alert may be and still be
    /// restored: as long as a recurrence reopens it.
    pub restored_age: EventTime,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            snapshots_kept: 50,
            snapshot_age: 90 * DAY,
            // A week of days, and as many revisions and returns beside them.
            points_kept: 14,
            point_age: 90 * DAY,
            // A profile of 10 000 nodes takes about 200 KiB, so this is 1 300 of them; it bounds
            // the database where there are thousands of containers.
            points_bytes: 256 << 20,
            restored_age: DAY,
        }
    }
}

/// Durable state on one machine. All methods may be called from any thread; writers wait for each
/// other, readers for nobody.
pub struct Store {
    pub(crate) db: Db,
    pub(crate) options: StoreOptions,
    pub(crate) points_dropped: AtomicU64,
    directory: Arc<Directory>,
}

/// The store in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStats {
    /// Size of the database file.
    pub file_bytes: u64,
    /// The last checkpoint's sequence.
    pub sequence: Option<u64>,
    /// Profiles stored.
    pub profiles: u64,
    /// Alerts stored.
    pub alerts: u64,
    /// Incidents stored.
    pub incidents: u64,
    /// Snapshots stored, of all profiles.
    pub snapshots: u64,
    /// Restore points stored, of all profiles.
    pub restore_points: u64,
    /// Restore points that went because of a bound, since the start.
    pub restore_points_dropped: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Suppressions stored.
    pub suppressions: u64,
    /// Durable transactions since the start.
    pub commits: u64,
    /// Operations that failed to write since the start.
    pub commit_errors: u64,
    /// How often the database had to be opened anew after an error.
    pub reopened: u64,
    /// How long the last durable transaction took.
    pub last_commit: Duration,
}

/// What a walk over everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// One sentence for each thing that is not as it should be, the first [`PROBLEM_LIMIT`].
    pub problems: Vec<String>,
    /// Records, rows and blobs looked at.
    pub looked_at: u64,
}

/// A thing that is not as it should be, where it is, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file or directory.
    pub place: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What a person can do.
    pub remedy: String,
}

impl Problem {
    /// A problem of a file or a directory.
    pub fn new(place: &Path, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.to_path_buf(), what: what.into(), remedy: remedy.into() }
    }
}

/// How many problems a report names: enough to see a pattern.
pub const PROBLEM_LIMIT: usize = 100;

impl CheckReport {
    /// True when nothing was found.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Store {
    /// Opens a data directory, and creates it (mode 0700) where there is none. No other process
    /// can open it until this store is dropped or the process ends, however it ends.
    pub fn open(dir: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let directory = Arc::new(Directory::open(dir.as_ref())?);
        Self::inside(directory, options, Access::Write)
    }

    pub(crate) fn inside(
        directory: Arc<Directory>,
        options: StoreOptions,
        access: Access,
    ) -> Result<Self, StoreError> {
        let db = Db::open(directory.path().join(DATABASE_FILE), options.cache_bytes, access)?;
        // A start on a full disk works, as long as there is nothing to create.
        if !db.read("look for the tables", |from| Ok(count_rows(from).is_ok()))? {
            db.write("create the tables", create_tables)?;
        }
        Ok(Self { db, options, points_dropped: AtomicU64::new(0), directory })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// The database file.
    pub fn database_path(&self) -> PathBuf {
        self.db.path().to_path_buf()
    }

    /// Sizes, rows and commits; cheap enough to be asked every few seconds.
    pub fn stats(&self) -> Result<StoreStats, StoreError> {
        let meters = self.db.stats();
        let path = self.db.path();
        let file = std::fs::metadata(path).map_err(|e| StoreError::io("measure", path, e))?;
        Ok(StoreStats {
            file_bytes: file.len(),
            sequence: self.sequence()?,
            commits: meters.commits,
            commit_errors: meters.errors,
            reopened: meters.reopened,
            last_commit: meters.last_commit,
            restore_points_dropped: self.points_dropped.load(Ordering::Relaxed),
            ..self.db.read("count rows", count_rows)?
        })
    }

    /// Walks everything: page checksums, both ways of every index, every stored body. Writers and
    /// readers wait while the pages are checked.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        let mut problems = Vec::new();
        if !self.db.check_integrity()? {
            problems.push("pages did not match their checksums and were repaired".to_owned());
        }
        let looked_at = self.db.read("check", |from| {
            let profiles = check_profiles(from, &mut problems)?;
            let (alerts, incidents) = alerts::check(from, &mut problems)?;
            let snapshots = snapshots::check(from, &mut problems)?;
            audit::check(from, &mut problems)?;
            let tokens = tokens::check(from, &mut problems)? + points::check(from, &mut problems)?;
            let (audit, suppressions) = audit::count(from)?;
            Ok(profiles + alerts + incidents + snapshots + audit + suppressions + tokens)
        })?;
        problems.truncate(PROBLEM_LIMIT);
        Ok(CheckReport { problems, looked_at })
    }
}

fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(META)?;
    to.open_table(POSITIONS)?;
    to.open_table(PROFILES)?;
    alerts::create_tables(to)?;
    snapshots::create_tables(to)?;
    points::create_tables(to)?;
    audit::create_tables(to)?;
    tokens::create_tables(to)
}

fn count_rows(from: &ReadTransaction) -> Result<StoreStats, Fault> {
    from.open_table(META)?;
    from.open_table(POSITIONS)?;
    let (alerts, incidents) = alerts::count(from)?;
    let (audit, suppressions) = audit::count(from)?;
    tokens::count(from)?;
    Ok(StoreStats {
        profiles: from.open_table(PROFILES)?.len()?,
        alerts,
        incidents,
        snapshots: snapshots::count(from)?,
        restore_points: points::count(from)?,
        audit,
        suppressions,
        ..StoreStats::default()
    })
}

fn check_profiles(from: &ReadTransaction, problems: &mut Vec<String>) -> Result<u64, Fault> {
    let mut count = 0;
    for entry in from.open_table(PROFILES)?.iter()? {
        let (identity, blob) = entry?;
        count += 1;
        if let Err(fault) = codec::unpack(blob.value()) {
            problems.push(format!("profile {}: {}", identity.value(), fault.what()));
        }
    }
    Ok(count)
}
