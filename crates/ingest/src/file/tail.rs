//! One followed path as a state machine: each step reads once, and time comes in as an argument.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::siblings::{self, FileKey, HEAD_BYTES, Mark};
use super::{FileOptions, FileStats};
use crate::lines::LineCutter;
use crate::{BATCH_BYTES, Position};

/// How many finished files are remembered, so that none is taken for a later one.
const DONE_FILES: usize = 64;

pub(crate) enum Step {
    /// Whole lines, and the position behind them.
    Lines(Vec<u8>, Position),
    /// Nothing to read now.
    Idle,
    /// Nothing to read any more.
    End,
}

pub(crate) struct Tail {
    path: PathBuf,
    options: FileOptions,
    stats: Arc<FileStats>,
    /// Where the last run ended, until its file is found.
    resume: Option<Mark>,
    followed: Option<Followed>,
    done: Vec<FileKey>,
    /// The first file was opened: later ones are read from their beginning.
    started: bool,
}

/// An open file and how far it was read.
struct Followed {
    file: File,
    key: FileKey,
    offset: u64,
    head: Vec<u8>,
    cutter: LineCutter,
    idle_since: Option<Instant>,
}

impl Tail {
    pub(crate) fn new(
        path: &Path,
        options: FileOptions,
        resume: &Position,
        stats: Arc<FileStats>,
    ) -> Self {
        let resume = match *resume {
            Position::File { device, inode, offset, head, .. } => {
                Some(Mark { key: FileKey { device, inode }, offset, head })
            }
            Position::None
            | Position::Journal { .. }
            | Position::Docker { .. }
            | Position::Within { .. } => None,
        };
        let path = path.to_path_buf();
        Self { path, options, stats, resume, followed: None, done: Vec::new(), started: false }
    }

    /// Reads once.
    pub(crate) fn step(&mut self, now: Instant) -> io::Result<Step> {
        loop {
            if let Some(step) = self.advance(now)? {
                return Ok(step);
            }
        }
    }

    /// `None` when another file was opened, which is to be read at once.
    fn advance(&mut self, now: Instant) -> io::Result<Option<Step>> {
        let Some(mut followed) = self.followed.take() else {
            self.followed = self.open_first()?;
            return Ok(match self.followed {
                Some(_) => None,
                None if self.options.once => Some(Step::End),
                None => Some(Step::Idle),
            });
        };
        if followed.was_truncated(&self.stats)? {
            self.followed = Some(self.restart(followed)?);
            return Ok(None);
        }
        let read = followed.read(&self.stats);
        if let Ok(None) = read {
            return self.at_end(followed, now);
        }
        let position = followed.position(&self.path);
        self.followed = Some(followed);
        Ok(read?.map(|lines| Step::Lines(lines, position)))
    }

    /// The position so many bytes before the end of the lines that were handed out last: there they
    /// are whole entries that are not a line yet. They must be of the present file.
    pub(crate) fn position_before(&self, bytes: u64) -> Option<Position> {
        self.followed.as_ref().map(|followed| followed.position_before(&self.path, bytes))
    }

    /// True when all was read, and nobody has written for so long that a file without a name gets
    /// no more.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        let idle = |followed: &Followed| {
            let since = followed.idle_since?;
            Some(now.saturating_duration_since(since) >= self.options.rotate_idle)
        };
        self.followed.as_ref().is_none_or(|followed| idle(followed).unwrap_or(false))
    }

    /// What a stop hands out: an unfinished last line that is whole but for its newline.
    pub(crate) fn stop(&mut self) -> io::Result<Option<(Vec<u8>, Position)>> {
        let Some(followed) = &mut self.followed else { return Ok(None) };
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(followed.cutter.partial());
        let at_end = followed.file.metadata()?.len() == followed.offset;
        if whole.is_err() || !at_end {
            return Ok(None);
        }
        let lines = followed.cutter.finish();
        Ok(lines.map(|lines| (lines, followed.position(&self.path))))
    }

    /// The file to begin with, and where in it; `None` while there is none.
    fn open_first(&mut self) -> io::Result<Option<Followed>> {
        if let Some(mark) = self.resume
            && let Some((_, file)) = siblings::find(&self.path, &mark)
        {
            self.resume = None;
            self.started = true;
            self.note_opened();
            return Followed::new(file, mark.offset).map(Some);
        }
        let Some(file) = self.open_path() else {
            // What appears later is new from its first byte.
            self.started = true;
            return Ok(None);
        };
        if let Some(mark) = self.resume.take() {
            FileStats::add(&self.stats.positions_lost, 1);
            tracing::warn!(
                path = %self.path.display(),
                offset = mark.offset,
                "file of the stored position is gone, starting at the beginning of the present one"
            );
        }
        let from_end = self.options.from_end && !self.started;
        let offset = if from_end { file.metadata()?.len() } else { 0 };
        self.started = true;
        Followed::new(file, offset).map(Some)
    }

    fn open_path(&self) -> Option<File> {
        self.note_opening(File::open(&self.path))
    }

    fn note_opening(&self, opened: io::Result<File>) -> Option<File> {
        match opened {
            Ok(file) => {
                self.note_opened();
                Some(file)
            }
            Err(error) => {
                if !self.stats.waiting.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        path = %self.path.display(),
                        %error,
                        "event file cannot be opened, waiting for it"
                    );
                    self.stats.set_error(Some(error.to_string()));
                }
                None
            }
        }
    }

    fn note_opened(&self) {
        if self.stats.waiting.swap(false, Ordering::Relaxed) {
            self.stats.set_error(None);
        }
    }

    /// The file was cut to nothing. What was not read of it may be in a copy beside it.
    fn restart(&mut self, mut followed: Followed) -> io::Result<Followed> {
        FileStats::add(&self.stats.truncations, 1);
        let mark = followed.mark();
        let copy = siblings::find(&self.path, &mark).filter(|(_, file)| {
            file.metadata().is_ok_and(|m| {
                FileKey::of(&m) != followed.key
                    && !self.done.contains(&FileKey::of(&m))
                    && m.len() > mark.offset
            })
        });
        if let Some((path, file)) = copy {
            tracing::info!(path = %path.display(), "reading the rest of a truncated file in its copy");
            return Followed::new(file, mark.offset);
        }
        tracing::info!(path = %self.path.display(), "event file was truncated, starting anew");
        followed.file.seek(SeekFrom::Start(0))?;
        Followed::new(followed.file, 0)
    }

    /// Everything there was has been read: waits, or goes on to the next file.
    fn at_end(&mut self, mut followed: Followed, now: Instant) -> io::Result<Option<Step>> {
        let idle_since = *followed.idle_since.get_or_insert(now);
        let current = fs::metadata(&self.path).ok().map(|m| FileKey::of(&m));
        let quiet = now.saturating_duration_since(idle_since) >= self.options.rotate_idle;
        let is_last = current == Some(followed.key)
            || (current.is_none() && self.rotated_after(&followed, None)?.is_none());
        if is_last && self.options.once {
            return Ok(Some(self.finish_once(followed)));
        }
        if is_last || !(quiet || self.options.once) {
            self.followed = Some(followed);
            return Ok(Some(Step::Idle));
        }
        // The unfinished line of a file that nobody writes any more is as whole as it will be.
        if let Some(lines) = followed.cutter.finish() {
            let position = followed.position(&self.path);
            self.followed = Some(followed);
            return Ok(Some(Step::Lines(lines, position)));
        }
        let Some(next) = self.open_next(&followed)? else {
            self.followed = Some(followed);
            return Ok(Some(Step::Idle));
        };
        FileStats::add(&self.stats.rotations, 1);
        if self.done.len() == DONE_FILES {
            self.done.remove(0);
        }
        self.done.push(followed.key);
        self.followed = Some(next);
        Ok(None)
    }

    fn finish_once(&mut self, mut followed: Followed) -> Step {
        let last = followed.cutter.finish();
        let position = followed.position(&self.path);
        self.followed = Some(followed);
        last.map_or(Step::End, |lines| Step::Lines(lines, position))
    }

    /// The file after `finished`: the oldest rotated one that is newer, else the path itself.
    /// `None` while renames are going on, and while there is nothing to be opened.
    fn open_next(&self, finished: &Followed) -> io::Result<Option<Followed>> {
        // The path is opened before the directory is listed: whatever was rotated away between the
        // finished file and the one now at the path then has its rotated name. Nothing may be at
        // the path: it was rotated away, and its writer has not begun a new file yet.
        let file = File::open(&self.path);
        let current = file.as_ref().ok().map(File::metadata).transpose()?;
        let current = current.map(|m| FileKey::of(&m));
        let between = self.rotated_after(finished, current)?;
        // A listing during renames may miss a file, which would be skipped for good.
        let again = self.rotated_after(finished, current)?;
        if again.as_ref().map(|(_, key)| key) != between.as_ref().map(|(_, key)| key) {
            return Ok(None);
        }
        let Some((path, key)) = again else {
            let file = self.note_opening(file);
            return file.map(|file| Followed::new(file, 0)).transpose();
        };
        match File::open(path) {
            // Renamed since it was listed: its name may be a newer file's by now.
            Ok(older) if FileKey::of(&older.metadata()?) != key => Ok(None),
            Ok(older) => {
                self.note_opened();
                Followed::new(older, 0).map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The oldest rotated file that is newer than `finished` and not the one at the path.
    fn rotated_after(
        &self,
        finished: &Followed,
        current: Option<FileKey>,
    ) -> io::Result<Option<(PathBuf, FileKey)>> {
        let metadata = finished.file.metadata()?;
        Ok(siblings::successor(&self.path, &metadata, current, &self.done))
    }
}

impl Followed {
    fn new(mut file: File, offset: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        file.seek(SeekFrom::Start(offset))?;
        let cutter = if offset > 0 && !ends_line(&file, offset)? {
            LineCutter::within_line()
        } else {
            LineCutter::default()
        };
        let head = siblings::read_head(&file, offset.min(HEAD_BYTES as u64) as usize)?;
        Ok(Self { file, key: FileKey::of(&metadata), offset, head, cutter, idle_since: None })
    }

    /// Reads up to a batch; `None` when there is no whole line to be had.
    fn read(&mut self, stats: &FileStats) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = Vec::new();
        loop {
            self.cutter.begin(&mut buffer);
            let before = buffer.len();
            buffer.reserve(BATCH_BYTES);
            let read = (&mut self.file).take(BATCH_BYTES as u64).read_to_end(&mut buffer);
            // What was read before an error is read already.
            let bytes = buffer.len() - before;
            self.note_head(buffer.get(before..).unwrap_or_default());
            self.offset += bytes as u64;
            let too_long = self.cutter.too_long();
            let whole = self.cutter.cut(&mut buffer);
            FileStats::add(&stats.too_long, self.cutter.too_long() - too_long);
            stats.offset.store(self.offset, Ordering::Relaxed);
            stats.size.fetch_max(self.offset, Ordering::Relaxed);
            read?;
            if bytes > 0 {
                self.idle_since = None;
            }
            if whole {
                return Ok(Some(buffer));
            }
            if bytes == 0 {
                return Ok(None);
            }
        }
    }

    fn note_head(&mut self, read: &[u8]) {
        let missing = HEAD_BYTES - self.head.len();
        if missing > 0 && self.offset == self.head.len() as u64 {
            self.head.extend_from_slice(read.get(..missing).unwrap_or(read));
        }
    }

    /// True when the file is shorter than what was read, or begins otherwise: it was emptied, and
    /// may have grown again since.
    fn was_truncated(&self, stats: &FileStats) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        stats.size.store(size, Ordering::Relaxed);
        stats.offset.store(self.offset, Ordering::Relaxed);
        if size < self.offset {
            return Ok(true);
        }
        Ok(siblings::read_head(&self.file, self.head.len())? != self.head)
    }

    fn mark(&self) -> Mark {
        self.mark_before(0)
    }

    fn mark_before(&self, bytes: u64) -> Mark {
        let unfinished = self.cutter.partial().len() as u64;
        let offset = self.offset.saturating_sub(unfinished + bytes);
        let length = offset.min(HEAD_BYTES as u64) as usize;
        let head = siblings::checksum(self.head.get(..length).unwrap_or(&self.head));
        Mark { key: self.key, offset, head }
    }

    fn position(&self, path: &Path) -> Position {
        self.position_before(path, 0)
    }

    fn position_before(&self, path: &Path, bytes: u64) -> Position {
        let mark = self.mark_before(bytes);
        let Mark { key: FileKey { device, inode }, offset, head } = mark;
        Position::File { device, inode, offset, head, path: path.to_path_buf() }
    }
}

/// True when the byte before `offset` ends a line, so that a new one begins there.
fn ends_line(file: &File, offset: u64) -> io::Result<bool> {
    let mut last = [0; 1];
    let read = file.read_at(&mut last, offset - 1)?;
    Ok(read == 0 || last == *b"\n")
}
