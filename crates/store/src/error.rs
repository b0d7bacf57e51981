//! What can go wrong, said with the operation, the object and the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do something. The cause, where there is one, is the error's source.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory open.
    #[error(
        "cannot open {dir}: {holder} is using it; stop that process, or choose another data directory"
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// `process 4711`, or `another process` where its id is not known.
        holder: String,
    },
    /// The directory was written by a later version.
    #[error(
        "cannot open {dir}: its format is {found} and this version knows formats up to {known}; run the later version, or choose another data directory"
    )]
    FutureFormat {
        /// The directory.
        dir: PathBuf,
        /// The format it is in.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// There is no such directory.
    #[error(
        "cannot open {dir}: there is no such directory; name the one that the service was started with (--data-dir, or server.data_dir)"
    )]
    Absent {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory is not one of ours.
    #[error(
        "cannot open {dir}: it is not a data directory ({detail}); name the one that the service was started with (--data-dir, or server.data_dir)"
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is missing in it.
        detail: String,
    },
    /// Something cannot be put where it was to go.
    #[error("cannot write {path}: {detail}; {remedy}")]
    Place {
        /// Where it was to go.
        path: PathBuf,
        /// What is in the way.
        detail: &'static str,
        /// What can be done.
        remedy: &'static str,
    },
    /// No space is left for a backup, or for what is restored from one.
    #[error(
        "cannot write {path}: no space is left on its disk, and up to {bytes} bytes are needed; free some, or choose another place"
    )]
    NoRoom {
        /// Where it was to go.
        path: PathBuf,
        /// How much it is.
        bytes: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What is to be restored is no backup, or not a whole one.
    #[error("cannot restore from {path}: {detail}; nothing was changed; use another backup")]
    Backup {
        /// The backup.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The directory or its file system refuses writes.
    #[error(
        "cannot write in {dir}: it is read-only for this user; correct its owner, mode or mount, or choose another data directory"
    )]
    ReadOnly {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No space is left.
    #[error(
        "cannot {operation} {path}: no space is left on its disk; free some, or lower the retention limits"
    )]
    Full {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("cannot {operation} {path}; check the disk, and the owner and mode of the directory")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database refused.
    #[error("cannot {operation} in {path}; the previous state is kept")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// The database's file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Box<redb::Error>,
    },
    /// Stored bytes are not what was written.
    #[error(
        "cannot {operation}: {path} is damaged ({detail}); restore it from a backup, or move it away to start anew"
    )]
    Damaged {
        /// What was tried.
        operation: &'static str,
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A checkpoint older than the stored one.
    #[error("cannot commit checkpoint {sequence}: checkpoint {stored} is stored already")]
    Backwards {
        /// The one refused.
        sequence: u64,
        /// The one stored.
        stored: u64,
    },
    /// A cursor of another query, or no cursor at all.
    #[error(
        "cannot continue from this cursor: it belongs to another query; leave it out to start with the newest"
    )]
    Cursor,
    /// A value outside what the store takes.
    #[error("cannot store {object}: {detail}")]
    Refused {
        /// What was to be stored.
        object: String,
        /// Why not, with the bound.
        detail: String,
    },
    /// The event log's writer has ended.
    #[error("cannot {operation}: the event log is closed")]
    Closed {
        /// What was tried.
        operation: &'static str,
    },
}

impl StoreError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { operation, path, source }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                let dir = path.parent().unwrap_or(&path).to_path_buf();
                Self::ReadOnly { dir, source }
            }
            _ => Self::Io { operation, path, source },
        }
    }

    pub(crate) fn damaged(operation: &'static str, path: &Path, detail: impl Into<String>) -> Self {
        Self::Damaged { operation, path: path.to_path_buf(), detail: detail.into() }
    }

    /// True when the disk is full: the caller may free space and try again.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

/// A failure inside a transaction, before it is known to belong to an operation and a file.
#[derive(Debug)]
pub(crate) enum Fault {
    Database(Box<redb::Error>),
    Store(StoreError),
    Damaged(String),
}

impl Fault {
    pub(crate) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }

    /// In a report, where the operation is known and the file is named before it.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Database(error) => error.to_string(),
            Self::Store(error) => error.to_string(),
            Self::Damaged(detail) => detail.clone(),
        }
    }

    pub(crate) fn into_error(self, operation: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Damaged(detail) => StoreError::damaged(operation, path, detail),
            Self::Database(error) => match *error {
                redb::Error::Io(source) => StoreError::io(operation, path, source),
                redb::Error::Corrupted(detail) => StoreError::damaged(operation, path, detail),
                other => StoreError::Database {
                    operation,
                    path: path.to_path_buf(),
                    source: Box::new(other),
                },
            },
        }
    }

    /// True when the database refuses everything from here on until it is opened again.
    pub(crate) fn needs_reopen(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(
            **error,
            redb::Error::Io(_)
                | redb::Error::PreviousIo
                | redb::Error::Corrupted(_)
                | redb::Error::DatabaseClosed
                | redb::Error::LockPoisoned(_)
        ))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

macro_rules! from_database {
    ($($kind:ident),*) => {
        $(impl From<redb::$kind> for Fault {
            fn from(error: redb::$kind) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })*
    };
}

from_database!(
    CommitError,
    CompactionError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);
