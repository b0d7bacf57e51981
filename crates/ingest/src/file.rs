//! Following a file: rotation, truncation, resuming.

mod siblings;
pub(crate) mod tail;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Batch, Control, Intake, Position, SourceId};
use tail::{Step, Tail};

/// How a file is followed.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// Without a stored position, starts behind what is there instead of at the beginning.
    pub from_end: bool,
    /// Ends at the end of the file instead of waiting for more.
    pub once: bool,
    /// How often a quiet file is looked at.
    pub poll: Duration,
    /// How often a file is looked at that grew within the last second: batches stay few, and a
    /// line waits no longer than this.
    pub active_poll: Duration,
    /// How long a renamed file must be quiet before its successor is read: writers reopen their
    /// log a moment after it was renamed.
    pub rotate_idle: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            from_end: false,
            once: false,
            poll: Duration::from_millis(100),
            active_poll: Duration::from_millis(20),
            rotate_idle: Duration::from_secs(1),
        }
    }
}

/// Why following ended early.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could be opened, but not read.
    #[error("failed to read event file {path}", path = path.display())]
    Read {
        /// The followed path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Counters of a [`FileSource`], readable while it runs.
#[derive(Debug, Default)]
pub struct FileStats {
    offset: AtomicU64,
    size: AtomicU64,
    rotations: AtomicU64,
    truncations: AtomicU64,
    too_long: AtomicU64,
    positions_lost: AtomicU64,
    waiting: AtomicBool,
    error: Mutex<Option<String>>,
}

/// What a [`FileSource`] is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Bytes read of the present file.
    pub offset: u64,
    /// Its size when it was last looked at; `size - offset` is how far reading is behind.
    pub size: u64,
    /// Files that were finished and followed by another.
    pub rotations: u64,
    /// Times the file was cut to nothing and started anew.
    pub truncations: u64,
    /// Lines longer than [`crate::MAX_LINE_BYTES`], handed out cut off.
    pub too_long: u64,
    /// Stored positions whose file was gone, so that lines may be missing.
    pub positions_lost: u64,
    /// True while there is no file to read.
    pub waiting: bool,
    /// Why the file cannot be opened, where that is so.
    pub error: Option<String>,
}

impl FileStats {
    /// The counters now.
    pub fn status(&self) -> FileStatus {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FileStatus {
            offset: load(&self.offset),
            size: load(&self.size),
            rotations: load(&self.rotations),
            truncations: load(&self.truncations),
            too_long: load(&self.too_long),
            positions_lost: load(&self.positions_lost),
            waiting: self.waiting.load(Ordering::Relaxed),
            error: self.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    fn set_error(&self, error: Option<String>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// Follows a path through rotation by rename and by copy and truncate. Every line is handed out
/// once, as long as the rotated files stay in the same directory until they have been read.
#[derive(Debug)]
pub struct FileSource {
    id: SourceId,
    path: PathBuf,
    options: FileOptions,
    stats: Arc<FileStats>,
}

impl FileSource {
    /// Follows `path` under the name `file:PATH`.
    pub fn new(path: &Path, options: FileOptions) -> Self {
        Self {
            id: SourceId::new(&format!("file:{}", path.display())),
            path: path.to_path_buf(),
            options,
            stats: Arc::default(),
        }
    }

    /// The source's name.
    pub fn id(&self) -> &SourceId {
        &self.id
    }

    /// The source's counters.
    pub fn stats(&self) -> Arc<FileStats> {
        Arc::clone(&self.stats)
    }

    /// Reads into `intake` until stopped, or to the end with [`FileOptions::once`]. Blocks while
    /// the queue is full. `resume` is the position of the last batch that is done.
    ///
    /// An unfinished last line is handed out at the end of a `once` run and of a rotated file. When
    /// stopped it is handed out if it is a whole JSON value that merely lacks its newline;
    /// otherwise it is left for the run that resumes here and will find it finished.
    pub fn run(
        &self,
        intake: &Intake,
        resume: &Position,
        control: &Control,
    ) -> Result<(), FileError> {
        let failed = |source| FileError::Read { path: self.path.clone(), source };
        let mut tail = Tail::new(&self.path, self.options, resume, self.stats());
        let mut last_data = Instant::now();
        loop {
            if control.wait_while_paused() {
                break;
            }
            let now = Instant::now();
            match tail.step(now).map_err(failed)? {
                Step::Lines(bytes, position) => {
                    last_data = now;
                    if !self.push(intake, bytes, position) {
                        return Ok(());
                    }
                }
                Step::Idle => {
                    let active = now.duration_since(last_data) < Duration::from_secs(1);
                    let options = &self.options;
                    control.sleep(if active { options.active_poll } else { options.poll });
                }
                Step::End => return Ok(()),
            }
        }
        if let Some((bytes, position)) = tail.stop().map_err(failed)? {
            self.push(intake, bytes, position);
        }
        Ok(())
    }

    /// False when the queue is closed; the lines are read again when the next run resumes.
    fn push(&self, intake: &Intake, bytes: Vec<u8>, position: Position) -> bool {
        intake.push_wait(Batch::new(self.id.clone(), bytes, position)).is_ok()
    }
}
