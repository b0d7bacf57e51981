//! The embedded database: transactions with a name, and a new start after an I/O error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use redb::{Builder, Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::StoreError;
use crate::directory::patiently;
use crate::error::Fault;
use crate::overlay::Overlay;

/// What may become of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is written to, and created where there is none.
    Write,
    /// It stays as it is; what is written goes into memory.
    Look,
}

pub(crate) struct Db {
    path: PathBuf,
    cache_bytes: usize,
    access: Access,
    /// Transactions hold the read side; opening the database anew holds the write side.
    cell: RwLock<Option<Database>>,
    /// An I/O error was seen: the database answers nothing more until it is opened again.
    suspect: AtomicBool,
    meters: Meters,
}

#[derive(Default)]
struct Meters {
    commits: AtomicU64,
    errors: AtomicU64,
    reopened: AtomicU64,
    last_commit_ns: AtomicU64,
}

/// What the database did since it was opened.
pub(crate) struct DbStats {
    pub(crate) commits: u64,
    pub(crate) errors: u64,
    pub(crate) reopened: u64,
    pub(crate) last_commit: Duration,
}

impl Db {
    pub(crate) fn open(
        path: PathBuf,
        cache_bytes: usize,
        access: Access,
    ) -> Result<Self, StoreError> {
        let database = open_file(&path, cache_bytes, access)?;
        Ok(Self {
            path,
            cache_bytes,
            access,
            cell: RwLock::new(Some(database)),
            suspect: AtomicBool::new(false),
            meters: Meters::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn stats(&self) -> DbStats {
        DbStats {
            commits: self.meters.commits.load(Ordering::Relaxed),
            errors: self.meters.errors.load(Ordering::Relaxed),
            reopened: self.meters.reopened.load(Ordering::Relaxed),
            last_commit: Duration::from_nanos(self.meters.last_commit_ns.load(Ordering::Relaxed)),
        }
    }

    /// Runs `work` on one consistent view.
    pub(crate) fn read<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.run(operation, |database| {
            let view = database.begin_read()?;
            work(&view)
        })
    }

    /// Runs `work` and makes all of it durable at once, or none of it.
    pub(crate) fn write<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let done = self.run(operation, |database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            // Without it the first start after a kill walks the whole file.
            transaction.set_quick_repair(true);
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        match &done {
            Ok(_) => {
                self.meters.commits.fetch_add(1, Ordering::Relaxed);
                let taken = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.meters.last_commit_ns.store(taken, Ordering::Relaxed);
            }
            Err(_) => {
                self.meters.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        done
    }

    /// Checks every page; `false` when the file had to be repaired.
    pub(crate) fn check_integrity(&self) -> Result<bool, StoreError> {
        self.reopen_if_suspect()?;
        let mut cell = self.cell.write();
        let Some(database) = cell.as_mut() else { return Err(self.closed("check")) };
        // As in opening: damage can make the database contradict itself.
        catch_unwind(AssertUnwindSafe(|| database.check_integrity()))
            .map_err(|_| {
                StoreError::damaged("check", &self.path, "its pages contradict each other")
            })?
            .map_err(|error| self.note(error.into(), "check"))
    }

    /// Gives unused pages back to the file system.
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        self.reopen_if_suspect()?;
        let mut cell = self.cell.write();
        let Some(database) = cell.as_mut() else { return Err(self.closed("compact")) };
        while database.compact().map_err(|error| self.note(error.into(), "compact"))? {}
        Ok(())
    }

    fn run<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.reopen_if_suspect()?;
        let cell = self.cell.read();
        let Some(database) = cell.as_ref() else { return Err(self.closed(operation)) };
        work(database).map_err(|fault| self.note(fault, operation))
    }

    fn note(&self, fault: Fault, operation: &'static str) -> StoreError {
        if fault.needs_reopen() {
            self.suspect.store(true, Ordering::Release);
        }
        let error = fault.into_error(operation, &self.path);
        tracing::warn!(error = &error as &dyn std::error::Error, "store operation failed");
        error
    }

    fn closed(&self, operation: &'static str) -> StoreError {
        StoreError::Database {
            operation,
            path: self.path.clone(),
            source: Box::new(redb::Error::DatabaseClosed),
        }
    }

    fn reopen_if_suspect(&self) -> Result<(), StoreError> {
        if !self.suspect.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut cell = self.cell.write();
        if self.suspect.load(Ordering::Acquire) {
            // The old handle holds the file's lock, so it goes first.
            drop(cell.take());
            *cell = Some(open_file(&self.path, self.cache_bytes, self.access)?);
            self.suspect.store(false, Ordering::Release);
            self.meters.reopened.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Opens a database file so that nothing is written to it, not even a repair; for databases beside
/// the store's own.
pub fn open_unchanged(path: &Path) -> Result<Database, StoreError> {
    open_file(path, 16 << 20, Access::Look)
}

fn open_file(path: &Path, cache_bytes: usize, access: Access) -> Result<Database, StoreError> {
    const OPERATION: &str = "open the database";
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let open = || match access {
        Access::Write => {
            let open = || builder.create(path);
            patiently(open, |done| matches!(done, Err(redb::DatabaseError::DatabaseAlreadyOpen)))
        }
        Access::Look => {
            let file = Overlay::open(path).map_err(redb::StorageError::Io)?;
            builder.create_with_backend(file)
        }
    };
    // The database trusts its own file and panics on some of what others can do to it.
    let opened = catch_unwind(AssertUnwindSafe(open))
        .map_err(|_| StoreError::damaged(OPERATION, path, "its pages contradict each other"))?;
    match opened {
        Ok(database) => Ok(database),
        Err(redb::DatabaseError::Storage(redb::StorageError::Io(source)))
            if source.kind() == std::io::ErrorKind::InvalidData =>
        {
            Err(StoreError::damaged(OPERATION, path, source.to_string()))
        }
        Err(error) => Err(Fault::from(error).into_error(OPERATION, path)),
    }
}
