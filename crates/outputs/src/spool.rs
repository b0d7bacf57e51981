//! What waits on disk to be delivered, in order.
//!
//! A folder for each output: the messages in a [`Journal`], beside it `cursor`, the number of the
//! last message that is done, and `told`. When it is full its oldest segment goes, and what nobody
//! had taken of it is counted.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hanabi_ingest::{Journal, JournalError, JournalOptions, Position, SourceId};

use crate::notice::Notice;

/// Parts of a full spool: with the oldest an eighth of what waits is lost at a time.
const SEGMENTS: u64 = 8;
/// Messages that are read at a time, and so in memory: at most half a megabyte.
pub(crate) const READ_TOGETHER: usize = 64;

/// Why there is no spool, or nothing gets into it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// The messages.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is beside them.
    #[error("failed to {operation} {path}", path = path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A message that is none.
    #[error("failed to write a message as JSON")]
    Message(#[source] serde_json::Error),
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Spool {
    journal: Journal,
    source: SourceId,
    cursor: Mutex<Cursor>,
    dropped: AtomicU64,
    unreadable: AtomicU64,
    dir: PathBuf,
}

#[derive(Debug)]
struct Cursor {
    /// The last message that is done.
    at: u64,
    file: File,
}

impl Spool {
    /// Opens the spool in a folder, which is created where missing.
    pub(crate) fn open(dir: &Path, bytes: u64) -> Result<Self, SpoolError> {
        let options = JournalOptions {
            max_bytes: bytes,
            segment_bytes: (bytes / SEGMENTS).max(1),
            sync: false,
        };
        let journal = Journal::open(dir, options)?;
        let path = dir.join("cursor");
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file =
            opened.map_err(|source| SpoolError::Io { operation: "open cursor", path, source })?;
        let at = read_cursor(&file);
        let spool = Self {
            journal,
            source: SourceId::new("outputs"),
            cursor: Mutex::new(Cursor { at, file }),
            dropped: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            dir: dir.to_path_buf(),
        };
        // Where the messages were lost and the cursor was not, numbers go on after it.
        drop(spool.journal.replay_from(at)?);
        Ok(spool)
    }

    /// Where the file beside the messages lies that holds what was told.
    pub(crate) fn told_path(&self) -> PathBuf {
        self.dir.join("told")
    }

    /// Writes a message behind all others; `false` when there is no room.
    pub(crate) fn append(&self, notice: &Notice) -> Result<bool, SpoolError> {
        let text = serde_json::to_vec(notice).map_err(SpoolError::Message)?;
        match self.journal.append(&self.source, &text) {
            Ok(_) => Ok(true),
            Err(JournalError::Full { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the oldest segment go; counts what nobody had taken of it. `false` when there is only
    /// one, whose messages wait to be delivered.
    pub(crate) fn drop_oldest(&self) -> Result<bool, SpoolError> {
        let mut cursor = self.cursor();
        let Some(last) = self.journal.drop_oldest()? else { return Ok(false) };
        self.dropped.fetch_add(last.saturating_sub(cursor.at), Ordering::Relaxed);
        if last > cursor.at {
            self.put(&mut cursor, last)?;
        }
        Ok(true)
    }

    /// The next messages that are not done, with their numbers, oldest first. What cannot be read is
    /// counted and passed over.
    pub(crate) fn read(&self) -> Result<Vec<(u64, Notice)>, SpoolError> {
        loop {
            let (mut found, mut last) = (Vec::new(), None);
            self.each_after(self.done(), READ_TOGETHER, |number, notice| {
                last = Some(number);
                match notice {
                    Some(notice) => found.push((number, notice)),
                    None => _ = self.unreadable.fetch_add(1, Ordering::Relaxed),
                }
            })?;
            match last {
                Some(last) if found.is_empty() => self.done_up_to(last)?,
                _ => return Ok(found),
            }
        }
    }

    /// Shows the messages after a number, `most` of them at most; nothing for one that cannot be
    /// read.
    pub(crate) fn each_after(
        &self,
        number: u64,
        most: usize,
        mut show: impl FnMut(u64, Option<Notice>),
    ) -> Result<(), SpoolError> {
        for batch in self.journal.replay_from(number)?.take(most) {
            let batch = batch?;
            let Position::Journal { sequence } = batch.position else { continue };
            let notice = serde_json::from_slice(&batch.bytes);
            if let Err(error) = &notice {
                let dir = self.dir.display();
                tracing::error!(%dir, number = sequence, %error, "a stored message cannot be read");
            }
            show(sequence, notice.ok());
        }
        Ok(())
    }

    /// Notes that everything up to a message is done.
    pub(crate) fn done_up_to(&self, number: u64) -> Result<(), SpoolError> {
        let mut cursor = self.cursor();
        if number > cursor.at {
            self.put(&mut cursor, number)?;
        }
        Ok(())
    }

    /// The number of the last message that is done.
    pub(crate) fn done(&self) -> u64 {
        self.cursor().at
    }

    /// The number of the newest message.
    pub(crate) fn newest(&self) -> u64 {
        self.journal.status().last_sequence
    }

    /// Messages that wait, and bytes on disk.
    pub(crate) fn load(&self) -> (u64, u64) {
        let status = self.journal.status();
        (status.last_sequence.saturating_sub(self.done()), status.bytes)
    }

    /// Messages that were lost: they had to make room, or could not be read back.
    pub(crate) fn lost(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.unreadable.load(Ordering::Relaxed)
    }

    /// True when segments could be removed by [`Spool::trim`].
    pub(crate) fn has_old(&self) -> bool {
        self.journal.status().segments > 1
    }

    /// Removes segments that are done.
    pub(crate) fn trim(&self) -> Result<(), SpoolError> {
        Ok(self.journal.trim(self.done())?)
    }

    /// Makes what was appended survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), SpoolError> {
        Ok(self.journal.sync()?)
    }

    fn put(&self, cursor: &mut Cursor, number: u64) -> Result<(), SpoolError> {
        cursor.at = number;
        // As long as the largest number, so that each write covers the one before.
        cursor.file.write_all_at(format!("{number:020}\n").as_bytes(), 0).map_err(|source| {
            SpoolError::Io { operation: "write cursor", path: self.dir.join("cursor"), source }
        })
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing, or what is no number, is the beginning: then messages are sent again, and none is lost.
fn read_cursor(file: &File) -> u64 {
    let mut text = [0; 20];
    let read = file.read_exact_at(&mut text, 0);
    let number = read.ok().and_then(|()| std::str::from_utf8(&text).ok()?.parse().ok());
    number.unwrap_or(0)
}

/// Folders of outputs that are configured no more: their messages wait for whoever brings the
/// output back under its name.
pub(crate) fn orphans(dir: &Path, names: &[&str]) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !names.contains(&name.as_str()))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{notice::Cause, testing};

    fn notice(number: usize) -> Notice {
        let mut notice = Notice::of(&testing::alert("a"), Cause::Raised);
        notice.id = number.to_string();
        notice
    }

    fn ids(spool: &Spool) -> Vec<String> {
        spool.read().unwrap().into_iter().map(|(_, notice)| notice.id).collect()
    }

    #[test]
    fn order_and_cursor_survive() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        for number in 0..5 {
            assert!(spool.append(&notice(number)).unwrap());
        }
        assert_eq!(ids(&spool), ["0", "1", "2", "3", "4"]);
        spool.done_up_to(2).unwrap();
        assert_eq!(spool.load().0, 3);
        // Nothing is closed in an orderly way.
        drop(spool);
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(ids(&spool), ["2", "3", "4"]);
        spool.done_up_to(1).unwrap();
        assert_eq!(spool.done(), 2, "it does not go back");
    }

    #[test]
    fn a_full_spool_loses_its_oldest_and_counts_them() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 16 << 10).unwrap();
        let mut written = 0;
        while written < 100 {
            if spool.append(&notice(written)).unwrap() {
                written += 1;
            } else {
                assert!(spool.drop_oldest().unwrap());
            }
        }
        let (waiting, bytes) = spool.load();
        assert!(bytes <= 16 << 10);
        assert_eq!(waiting + spool.lost(), 100);
        let left: Vec<String> =
            (spool.lost()..100).take(READ_TOGETHER).map(|n| n.to_string()).collect();
        assert_eq!(ids(&spool), left);
        let spool_lost = spool.lost();
        drop(spool);
        let spool = Spool::open(dir.path(), 16 << 10).unwrap();
        assert_eq!(spool.load().0, 100 - spool_lost);
    }

    #[test]
    fn a_broken_cursor_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        spool.append(&notice(0)).unwrap();
        spool.done_up_to(1).unwrap();
        drop(spool);
        fs::write(dir.path().join("cursor"), "12").unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(ids(&spool), ["0"]);
        // And lost messages do not make new ones pass for done.
        spool.done_up_to(1).unwrap();
        drop(spool);
        for entry in fs::read_dir(dir.path()).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "journal") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        spool.append(&notice(7)).unwrap();
        assert_eq!(ids(&spool), ["7"]);
    }
}
