//! The data directory: created, checked for its format, held by one process.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::StoreError;

/// The newest format of a data directory that this version reads and writes.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const FORMAT_FILE: &str = "format";
const FORMAT_WORD: &str = "hanabi-store";
/// What the format's file says while the content of a directory is exchanged.
pub(crate) const UNFINISHED: &str = "hanabi-restore unfinished\n";
/// The name of every lock file below a data directory.
pub(crate) const LOCK_FILE: &str = "lock";

/// A data directory that no other process can open while this value lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Held for its lock, which the system drops with the process, however that ends. A read-only
    /// directory may have none.
    _lock: Option<File>,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // The format is read before anything is written, so that a directory of a later version
        // stays as it is.
        let found = read_format(path)?;
        create(path)?;
        let lock = take_lock(path)?;
        if found.is_none() && read_format(path)?.is_none() {
            let text = format!("{FORMAT_WORD} {FORMAT_VERSION}\n");
            write_whole(&path.join(FORMAT_FILE), text.as_bytes())?;
        }
        Ok(Self { path: path.to_path_buf(), _lock: Some(lock) })
    }

    /// Holds a directory that is one already, and refuses any other: for looking into it, copying
    /// it and moving it away. Works on a read-only medium.
    pub(crate) fn hold(path: &Path) -> Result<Self, StoreError> {
        let dir = path.to_path_buf();
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Absent { dir });
            }
            Err(source) => return Err(StoreError::io("read", path, source)),
            Ok(found) if !found.is_dir() => {
                return Err(StoreError::Foreign { dir, detail: "it is a file".to_owned() });
            }
            Ok(_) => {}
        }
        if read_format(path)?.is_none() {
            let detail = format!("it holds no file `{FORMAT_FILE}`");
            return Err(StoreError::Foreign { dir, detail });
        }
        let lock = match take_lock(path) {
            Ok(lock) => Some(lock),
            Err(StoreError::ReadOnly { .. }) => lock_as_reader(path)?,
            Err(error) => return Err(error),
        };
        Ok(Self { path: dir, _lock: lock })
    }

    /// Holds a directory whatever is in it.
    pub(crate) fn lock(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_path_buf(), _lock: Some(take_lock(path)?) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses a directory that a later version wrote.
pub(crate) fn check_format(path: &Path) -> Result<(), StoreError> {
    read_format(path).map(drop)
}

/// The format of a data directory; `None` where there is none.
pub(crate) fn format_of(path: &Path) -> Result<Option<u32>, StoreError> {
    read_format(path)
}

/// Creates a directory that only its owner can enter: it holds command lines and paths.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StoreError::io("create", path, source))
}

/// Puts a file in place so that, after a crash, it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let fresh = path.with_extension("tmp");
    let written = create_private(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(source) = written {
        // The rest of a file that could not be written only takes space on a disk that may be full.
        drop(fs::remove_file(&fresh));
        return Err(StoreError::io("write", &fresh, source));
    }
    fs::rename(&fresh, path).map_err(|source| StoreError::io("rename", path, source))?;
    sync_parent(path)
}

/// Makes a rename or an unlink in the path's directory durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(path);
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| StoreError::io("sync", dir, source))
}

/// Creates or empties a file that only its owner can read.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn read_format(dir: &Path) -> Result<Option<u32>, StoreError> {
    let path = dir.join(FORMAT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::io("read", &path, source)),
    };
    let mut words = text.split_whitespace();
    let found = match (words.next(), words.next()) {
        (Some(FORMAT_WORD), Some(version)) => version.parse::<u32>().ok(),
        _ => None,
    };
    let found = found.ok_or_else(|| {
        let detail = if text == UNFINISHED {
            "a restore into this directory did not finish; restore once more, with --force".into()
        } else {
            format!("it does not read `{FORMAT_WORD} {FORMAT_VERSION}`")
        };
        StoreError::damaged("read the format of the data directory", &path, detail)
    })?;
    if found > FORMAT_VERSION {
        let dir = dir.to_path_buf();
        return Err(StoreError::FutureFormat { dir, found, known: FORMAT_VERSION });
    }
    Ok(Some(found))
}

/// Tries again, for a fifth of a second, what is refused because another holds a lock: a process
/// that is about to end, or one that was forked off and has not begun its own program yet.
pub(crate) fn patiently<T>(mut attempt: impl FnMut() -> T, held: impl Fn(&T) -> bool) -> T {
    let mut done = attempt();
    for _ in 0..20 {
        if !held(&done) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        done = attempt();
    }
    done
}

/// Where the lock cannot be written, it can still be held; where it is not there, nobody holds it.
fn lock_as_reader(dir: &Path) -> Result<Option<File>, StoreError> {
    let path = dir.join(LOCK_FILE);
    match File::open(&path) {
        Ok(mut file) => lock(dir, &path, &mut file).map(|()| Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::io("open", &path, source)),
    }
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StoreError::io("open", &path, source))?;
    lock(dir, &path, &mut file)?;
    // The process id only helps the reader of the message above, so a disk too full to take it is
    // no reason to refuse.
    drop(file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())));
    Ok(file)
}

fn lock(dir: &Path, path: &Path, file: &mut File) -> Result<(), StoreError> {
    let locked =
        patiently(|| file.try_lock(), |done| matches!(done, Err(TryLockError::WouldBlock)));
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let holder = if known {
                format!("process {}", pid.trim())
            } else {
                "another process".to_owned()
            };
            Err(StoreError::Locked { dir: dir.to_path_buf(), holder })
        }
        Err(TryLockError::Error(source)) => Err(StoreError::io("lock", path, source)),
    }
}
