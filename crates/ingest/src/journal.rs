//! The log of what cannot be read again at its origin.
//!
//! A directory of segments, each named after the number of its first batch. A batch is appended
//! before it is queued and acknowledged, so it survives the process being killed (the page cache
//! keeps it); [`JournalOptions::sync`] makes it survive a power failure, too, at the price of one
//! disk flush a batch. After a checkpoint whole segments that lie before it are removed.

mod check;
mod frame;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SourceId;

pub use check::{JournalReport, check_journal};
pub use replay::Replay;

/// How a [`Journal`] is kept.
#[derive(Clone, Copy, Debug)]
pub struct JournalOptions {
    /// A segment is closed when it would grow past this. 64 MiB: a checkpoint frees space in steps
    /// small beside the budget, and opening reads one segment in well under a second.
    pub segment_bytes: u64,
    /// The most the directory may hold; past it appends are refused until a checkpoint frees
    /// space. 1 GiB is ten minutes of a busy host while the service cannot keep up.
    pub max_bytes: u64,
    /// Flushes every batch to the disk before it counts as taken.
    pub sync: bool,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, max_bytes: 1 << 30, sync: false }
    }
}

/// Why the journal did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("failed to {operation} {path}", path = path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("journal {dir} is in use by another process", dir = dir.display())]
    InUse {
        /// The journal's directory.
        dir: PathBuf,
    },
    /// A segment was written by another version.
    #[error("journal segment {path} has an unknown format", path = path.display())]
    UnknownFormat {
        /// The segment.
        path: PathBuf,
    },
    /// Appending would go past the budget.
    #[error("journal is full: {bytes} of {max_bytes} bytes used")]
    Full {
        /// Bytes in the directory.
        bytes: u64,
        /// [`JournalOptions::max_bytes`].
        max_bytes: u64,
    },
    /// One batch is larger than a frame can be.
    #[error("batch of {bytes} bytes is larger than a journal frame can be")]
    BatchTooLarge {
        /// The batch's size.
        bytes: usize,
    },
}

impl JournalError {
    fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }
}

/// What the journal holds and what befell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStatus {
    /// Bytes in the directory.
    pub bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// The number of the newest batch; 0 before the first.
    pub last_sequence: u64,
    /// Appends refused because the budget was used up, since the start.
    pub refused: u64,
    /// Bytes of an unfinished last batch that were cut off at the start.
    pub torn_bytes: u64,
    /// Bytes skipped in replay because they were damaged.
    pub damaged_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    options: JournalOptions,
    /// Oldest first; never empty, the last one is open for appending.
    segments: VecDeque<Segment>,
    active: File,
    next: u64,
    status: JournalStatus,
    scratch: Vec<u8>,
    /// Held open for its lock.
    _lock: File,
}

/// An append-only, checksummed, segmented log. Clones are the same journal.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Mutex<Inner>>);

impl Journal {
    /// Opens the journal in `dir`, which is created where missing. An unfinished last batch is
    /// cut off. Cost: one read of the newest segment.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        fs::create_dir_all(dir).map_err(JournalError::io("create journal directory", dir))?;
        let lock = lock_directory(dir)?;
        let mut segments = list_segments(dir)?;
        let mut status = JournalStatus::default();
        let next = match segments.back_mut() {
            Some(last) => recover(dir, last, &mut status)?,
            None => 1,
        };
        let active = if let Some(last) = segments.back() {
            open_segment(&segment_path(dir, last.first))?
        } else {
            segments.push_back(Segment { first: next, bytes: frame::MAGIC.len() as u64 });
            create_segment(dir, next, options.sync)?
        };
        let dir = dir.to_path_buf();
        Ok(Self(Arc::new(Mutex::new(Inner {
            dir,
            options,
            segments,
            active,
            next,
            status,
            scratch: Vec::new(),
            _lock: lock,
        }))))
    }

    /// Writes the lines behind all others and returns their number. They are replayed until a
    /// later [`Journal::trim`] passes them. On an error nothing was written.
    pub fn append(&self, source: &SourceId, lines: &[u8]) -> Result<u64, JournalError> {
        self.lock().append(source, lines)
    }

    /// The batches after `sequence` that are there now, oldest first; 0 gives all.
    ///
    /// If the journal is younger than `sequence` (its directory was lost), numbering goes on after
    /// `sequence`, so that no new batch passes for one that was already done.
    pub fn replay_from(&self, sequence: u64) -> Result<Replay, JournalError> {
        let mut inner = self.lock();
        inner.advance_past(sequence)?;
        let segments = inner.segments.iter().map(|s| s.first).collect();
        let last = inner.next - 1;
        Ok(Replay::new(self.clone(), inner.dir.clone(), segments, sequence, last))
    }

    /// Removes the segments of which every batch is at or before `sequence`.
    pub fn trim(&self, sequence: u64) -> Result<(), JournalError> {
        self.lock().trim(sequence)
    }

    /// Removes the oldest segment, whoever still needs it, and returns the number of its last batch;
    /// `None` when it is the only one. For logs in which what is new matters more.
    pub fn drop_oldest(&self) -> Result<Option<u64>, JournalError> {
        let mut inner = self.lock();
        let Some(last) = inner.segments.get(1).map(|second| second.first - 1) else {
            return Ok(None);
        };
        inner.trim(last)?;
        Ok(Some(last))
    }

    /// Makes the batches of the newest segment survive a power failure; older ones do where this
    /// was called while they were the newest. Cost: one disk flush.
    pub fn sync(&self) -> Result<(), JournalError> {
        let inner = self.lock();
        let path = inner.segments.back().map(|last| segment_path(&inner.dir, last.first));
        let path = path.unwrap_or_else(|| inner.dir.clone());
        inner.active.sync_data().map_err(JournalError::io("flush journal segment", &path))
    }

    /// What it holds.
    pub fn status(&self) -> JournalStatus {
        let inner = self.lock();
        JournalStatus {
            bytes: inner.bytes(),
            segments: inner.segments.len(),
            last_sequence: inner.next - 1,
            ..inner.status
        }
    }

    fn note_damage(&self, bytes: u64) {
        self.lock().status.damaged_bytes += bytes;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    fn append(&mut self, source: &SourceId, lines: &[u8]) -> Result<u64, JournalError> {
        let size = frame::size(source, lines);
        if lines.len() > frame::MAX_LINES_BYTES {
            return Err(JournalError::BatchTooLarge { bytes: lines.len() });
        }
        let bytes = self.bytes();
        if bytes + size > self.options.max_bytes {
            self.status.refused += 1;
            return Err(JournalError::Full { bytes, max_bytes: self.options.max_bytes });
        }
        let used = self.segments.back().map_or(0, |s| s.bytes);
        if used > frame::MAGIC.len() as u64 && used + size > self.options.segment_bytes {
            self.rotate()?;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        frame::write(&mut scratch, self.next, source, lines);
        let written = self.write(&scratch);
        // One huge batch must not keep its memory for ever.
        if scratch.capacity() <= 4 * crate::BATCH_BYTES {
            self.scratch = scratch;
        }
        written?;
        let sequence = self.next;
        self.next += 1;
        Ok(sequence)
    }

    fn write(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        let Some(segment) = self.segments.back_mut() else {
            unreachable!("a journal has at least one segment");
        };
        let mut written = self.active.write_all(frame);
        if written.is_ok() && self.options.sync {
            written = self.active.sync_data();
        }
        let Err(source) = written else {
            segment.bytes += frame.len() as u64;
            return Ok(());
        };
        let path = segment_path(&self.dir, segment.first);
        // Half a batch on a full disk would hide everything that is appended behind it.
        self.active
            .set_len(segment.bytes)
            .map_err(JournalError::io("cut a half-written batch off journal segment", &path))?;
        Err(JournalError::Io { operation: "append to journal segment", path, source })
    }

    fn rotate(&mut self) -> Result<(), JournalError> {
        self.active = create_segment(&self.dir, self.next, self.options.sync)?;
        let bytes = frame::MAGIC.len() as u64;
        self.segments.push_back(Segment { first: self.next, bytes });
        Ok(())
    }

    fn advance_past(&mut self, sequence: u64) -> Result<(), JournalError> {
        if sequence < self.next {
            return Ok(());
        }
        tracing::warn!(
            newest = self.next - 1,
            checkpoint = sequence,
            "journal is older than the checkpoint, numbering goes on after the checkpoint"
        );
        self.next = sequence + 1;
        self.rotate()
    }

    fn trim(&mut self, sequence: u64) -> Result<(), JournalError> {
        while self.segments.get(1).is_some_and(|second| second.first <= sequence.saturating_add(1))
        {
            let Some(oldest) = self.segments.front() else { break };
            let path = segment_path(&self.dir, oldest.first);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(JournalError::io("remove journal segment", &path)(error));
                }
                Ok(()) | Err(_) => {
                    self.segments.pop_front();
                }
            }
        }
        Ok(())
    }
}

fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.journal"))
}

fn lock_directory(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open journal lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(JournalError::InUse { dir: dir.to_path_buf() }),
        Err(fs::TryLockError::Error(error)) => {
            Err(JournalError::io("lock journal directory", dir)(error))
        }
    }
}

fn list_segments(dir: &Path) -> Result<VecDeque<Segment>, JournalError> {
    let failed = || JournalError::io("list journal directory", dir);
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|n| n.strip_suffix(".journal")?.parse().ok());
        if let Some(first) = first {
            let path = entry.path();
            let metadata =
                entry.metadata().map_err(JournalError::io("inspect journal segment", &path))?;
            segments.push(Segment { first, bytes: metadata.len() });
        }
    }
    segments.sort_by_key(|s| s.first);
    Ok(segments.into())
}

/// Cuts an unfinished batch off the newest segment and returns the number of the next batch.
fn recover(
    dir: &Path,
    segment: &mut Segment,
    status: &mut JournalStatus,
) -> Result<u64, JournalError> {
    let path = segment_path(dir, segment.first);
    let magic = frame::MAGIC.len() as u64;
    if segment.bytes < magic {
        // Killed between creating the segment and writing its first bytes.
        fs::write(&path, frame::MAGIC)
            .map_err(JournalError::io("rewrite journal segment", &path))?;
        segment.bytes = magic;
        return Ok(segment.first);
    }
    let mut reader = frame::Reader::open(&path)?;
    let mut next = segment.first;
    while let Some(frame) = reader.next_frame()? {
        next = frame.sequence + 1;
    }
    let end = reader.offset();
    if end < segment.bytes {
        status.torn_bytes = segment.bytes - end;
        tracing::warn!(
            segment = %path.display(),
            bytes = status.torn_bytes,
            "cut an unfinished batch off the journal"
        );
        open_segment(&path)?
            .set_len(end)
            .map_err(JournalError::io("cut journal segment", &path))?;
        segment.bytes = end;
    }
    Ok(next)
}

fn open_segment(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(JournalError::io("open journal segment", path))
}

fn create_segment(dir: &Path, first: u64, sync: bool) -> Result<File, JournalError> {
    let path = segment_path(dir, first);
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(JournalError::io("create journal segment", &path))?;
    file.set_len(0)
        .and_then(|()| file.write_all(&frame::MAGIC))
        .map_err(JournalError::io("start journal segment", &path))?;
    if sync {
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(JournalError::io("flush journal directory", dir))?;
    }
    Ok(file)
}
