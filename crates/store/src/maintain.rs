//! What people do with a data directory that no service holds.

use std::path::Path;
use std::sync::Arc;

use crate::backup::{self, About, Manifest};
use crate::database::Access;
use crate::directory::{self, Directory, FORMAT_VERSION};
use crate::log::{self, LogReport};
use crate::store::DATABASE_FILE;
use crate::{Store, StoreError, StoreOptions};

/// A data directory that is there, held so that no service can start in it meanwhile.
#[derive(Debug)]
pub struct DataDirectory(Arc<Directory>);

impl DataDirectory {
    /// Holds a directory; refuses what is absent, no data directory, of a later version, or held.
    pub fn hold(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Directory::hold(dir.as_ref())?)))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The format that it is in.
    pub fn format(&self) -> Result<u32, StoreError> {
        Ok(directory::format_of(self.path())?.unwrap_or(FORMAT_VERSION))
    }

    /// The store as it is: what would be repaired or written is so in memory only.
    pub fn look_at_store(&self) -> Result<Store, StoreError> {
        self.store(Access::Look)
    }

    /// The store, to be changed.
    pub fn open_store(&self) -> Result<Store, StoreError> {
        self.store(Access::Write)
    }

    /// The event log as it is; with `blocks`, every block of it is read.
    pub fn look_at_log(&self, blocks: bool) -> Result<LogReport, StoreError> {
        log::look(self.path(), blocks)
    }

    /// Copies the directory to a place where nothing is yet: see [`Manifest`].
    pub fn back_up(&self, target: &Path, about: &About) -> Result<Manifest, StoreError> {
        backup::create(self.path(), target, about)
    }

    fn store(&self, access: Access) -> Result<Store, StoreError> {
        let path = self.path().join(DATABASE_FILE);
        if !path.exists() {
            return Err(StoreError::damaged("open the database", &path, "it is not there"));
        }
        Store::inside(Arc::clone(&self.0), StoreOptions::default(), access)
    }
}

impl Store {
    /// Gives the room of what was deleted back to the file system. Writers and readers wait.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.db.compact()
    }
}
