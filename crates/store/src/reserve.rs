//! Room that is kept back for alerts and checkpoints, for when the disk is full.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::directory::create_private;
use crate::{Store, StoreError};

/// The file that only takes room.
pub(crate) const RESERVE_FILE: &str = "reserve";
/// 8 MiB: some thousand alerts, or an hour of checkpoints in which only counters change.
const RESERVE: usize = 8 << 20;

impl Store {
    /// Keeps room back, if that is not done yet; `false` where the disk has none left.
    pub fn keep_reserve(&self) -> Result<bool, StoreError> {
        let path = self.dir().join(RESERVE_FILE);
        if fs::metadata(&path).is_ok_and(|found| found.len() >= RESERVE as u64) {
            return Ok(true);
        }
        match fill(&path).map_err(|source| StoreError::io("write", &path, source)) {
            Ok(()) => Ok(true),
            Err(error) => {
                drop(fs::remove_file(&path));
                if error.is_full() { Ok(false) } else { Err(error) }
            }
        }
    }

    /// Gives the room that was kept back to the next commit; `false` where there is none.
    pub fn use_reserve(&self) -> Result<bool, StoreError> {
        let path = self.dir().join(RESERVE_FILE);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::io("remove", &path, source)),
        }
    }
}

/// Writes noise, since a file system that packs would keep nothing back for zeros.
fn fill(path: &Path) -> std::io::Result<()> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(RESERVE);
    while bytes.len() < RESERVE {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    let mut file = create_private(path)?;
    file.write_all(&bytes)?;
    file.sync_all()
}
