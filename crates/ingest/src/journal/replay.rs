//! Reading back what a checkpoint does not cover yet.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use super::frame::Reader;
use super::{Journal, JournalError, segment_path};
use crate::{Batch, Position};

/// The batches of a journal after a checkpoint, oldest first. Holds one batch at a time.
///
/// A damaged stretch ends its segment; it is counted, logged, and reading goes on with the next.
pub struct Replay {
    journal: Journal,
    dir: PathBuf,
    segments: VecDeque<u64>,
    reader: Option<Reader>,
    /// Batches up to this one are done.
    after: u64,
    /// Batches past this one came later and are queued by whoever appended them.
    last: u64,
}

impl Replay {
    pub(super) fn new(
        journal: Journal,
        dir: PathBuf,
        mut segments: VecDeque<u64>,
        after: u64,
        last: u64,
    ) -> Self {
        while segments.get(1).is_some_and(|second| *second <= after.saturating_add(1)) {
            segments.pop_front();
        }
        Self { journal, dir, segments, reader: None, after, last }
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, JournalError> {
        while self.after < self.last {
            let Some(reader) = &mut self.reader else {
                let Some(first) = self.segments.pop_front() else { break };
                self.reader = self.open(first)?;
                continue;
            };
            let Some(frame) = reader.next_frame()? else {
                self.finish_segment();
                continue;
            };
            if frame.sequence > self.last {
                break;
            }
            if frame.sequence > self.after {
                self.after = frame.sequence;
                let position = Position::Journal { sequence: frame.sequence };
                return Ok(Some(Batch::new(frame.source, frame.lines, position)));
            }
        }
        Ok(None)
    }

    fn open(&self, first: u64) -> Result<Option<Reader>, JournalError> {
        match Reader::open(&segment_path(&self.dir, first)) {
            // Trimmed meanwhile, so it was done.
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    fn finish_segment(&mut self) {
        let damaged = self.reader.take().map_or(0, |reader| reader.rest());
        if damaged > 0 {
            self.journal.note_damage(damaged);
            tracing::error!(
                journal = %self.dir.display(),
                after = self.after,
                bytes = damaged,
                "skipped a damaged stretch of the journal"
            );
        }
    }
}

impl Iterator for Replay {
    type Item = Result<Batch, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch().transpose();
        if matches!(next, Some(Err(_))) {
            self.after = self.last;
        }
        next
    }
}
