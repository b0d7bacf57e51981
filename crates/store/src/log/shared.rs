//! What the writer and the readers of the log share.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hanabi_event::EventTime;
use parking_lot::RwLock;

use super::buffer::{Buffer, Span};
use super::check::check_segment;
use super::names::Interner;
use super::options::{LogOptions, LogStats};
use super::queue::Queue;
use super::recover::recover;
use super::segment::Segment;
use super::tail::Tail;
use crate::store::PROBLEM_LIMIT;
use crate::{CheckReport, StoreError};

/// The rows of the log, oldest segment first.
pub(crate) struct State {
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The full buffer, while its segment is being written.
    pub(crate) sealing: Option<Arc<Buffer>>,
    pub(crate) active: Buffer,
}

#[derive(Default)]
pub(crate) struct Meters {
    pub(crate) appended: AtomicU64,
    pub(crate) merged: AtomicU64,
    pub(crate) dropped_queue: AtomicU64,
    pub(crate) dropped_disk: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) damaged_blocks: AtomicU64,
    pub(crate) covered_sequence: AtomicU64,
    pub(crate) tail_bytes: AtomicU64,
}

pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) options: LogOptions,
    /// Written by the writer alone, a batch at a time; readers hold it while they look at memory.
    pub(crate) state: RwLock<State>,
    pub(crate) queue: Queue,
    pub(crate) names: Interner,
    pub(crate) meters: Meters,
}

impl Shared {
    pub(crate) fn open(dir: &Path, options: LogOptions) -> Result<(Self, (Tail, u64)), StoreError> {
        let names = Interner::default();
        let found = recover(dir, &names)?;
        let shared = Self {
            dir: dir.to_path_buf(),
            queue: Queue::new(options.queue_bytes),
            options,
            state: RwLock::new(found.state),
            names,
            meters: Meters::default(),
        };
        let covered = shared.span().max_sequence;
        shared.cover(covered);
        shared.meters.tail_bytes.store(found.tail.length, Ordering::Relaxed);
        Ok((shared, (found.tail, found.next_ordinal)))
    }

    /// Input up to this sequence is on disk.
    pub(crate) fn cover(&self, sequence: u64) {
        self.meters.covered_sequence.fetch_max(sequence, Ordering::Relaxed);
    }

    pub(crate) fn note_write_error(&self, error: &StoreError) {
        self.meters.write_errors.fetch_add(1, Ordering::Relaxed);
        tracing::error!(error = error as &dyn std::error::Error, "event log could not be written");
    }

    pub(crate) fn note_damage(&self, segment: &Segment, detail: &str) {
        self.meters.damaged_blocks.fetch_add(1, Ordering::Relaxed);
        tracing::error!(path = %segment.path.display(), detail, "event log block left out");
    }

    /// Tries to write, and as long as the disk is full, again without the oldest segment.
    pub(crate) fn with_room<T>(
        &self,
        mut write: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            match write() {
                Err(error) if error.is_full() => {
                    if !self.remove_oldest()? {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }

    /// Unlinks the oldest segments until the log takes no more than `bytes`.
    pub(crate) fn shrink_to(&self, bytes: u64) -> Result<(), StoreError> {
        while self.bytes() > bytes && self.remove_oldest()? {}
        Ok(())
    }

    /// Unlinks the segments whose rows are all older than the retention, seen from `now`.
    pub(crate) fn expire(&self, now: EventTime) -> Result<(), StoreError> {
        let oldest = now.saturating_sub(self.options.age);
        let segments = self.state.read().segments.clone();
        for segment in segments.iter().filter(|segment| segment.span.max_time < oldest) {
            self.remove(segment)?;
        }
        Ok(())
    }

    pub(crate) fn remove_empty(&self) -> Result<(), StoreError> {
        let segments = self.state.read().segments.clone();
        segments.iter().filter(|segment| segment.rows == 0).try_for_each(|empty| self.remove(empty))
    }

    pub(crate) fn remove_oldest(&self) -> Result<bool, StoreError> {
        let oldest = self.state.read().segments.first().cloned();
        oldest.map_or(Ok(false), |oldest| self.remove(&oldest).map(|()| true))
    }

    fn remove(&self, segment: &Segment) -> Result<(), StoreError> {
        match fs::remove_file(&segment.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &segment.path, source));
            }
            _ => {}
        }
        let generation = segment.generation;
        let mut state = self.state.write();
        let before = state.segments.len();
        state.segments.retain(|kept| kept.generation != generation);
        // The writer and whoever needs its room may have chosen the same one.
        if state.segments.len() < before {
            self.meters.expired.fetch_add(segment.rows, Ordering::Relaxed);
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let sealed: u64 = self.state.read().segments.iter().map(|one| one.file_bytes).sum();
        sealed + self.meters.tail_bytes.load(Ordering::Relaxed)
    }

    fn span(&self) -> Span {
        let state = self.state.read();
        let mut span = state.active.span;
        state.sealing.iter().for_each(|buffer| span.join(&buffer.span));
        state.segments.iter().for_each(|segment| span.join(&segment.span));
        span
    }

    pub(crate) fn stats(&self) -> LogStats {
        let span = self.span();
        let bytes = self.bytes();
        let state = self.state.read();
        let buffers = state.sealing.iter().map(AsRef::as_ref).chain([&state.active]);
        let (mut rows, mut events) = (0, 0);
        for buffer in buffers {
            rows += buffer.rows;
            events += buffer.events;
        }
        for segment in &state.segments {
            rows += segment.rows;
            events += segment.events;
        }
        let meters = &self.meters;
        let read = |meter: &AtomicU64| meter.load(Ordering::Relaxed);
        LogStats {
            segments: state.segments.len() as u64,
            bytes,
            rows,
            events,
            oldest: (rows > 0).then_some(span.min_time),
            newest: (rows > 0).then_some(span.max_time),
            appended: read(&meters.appended),
            merged: read(&meters.merged),
            dropped_queue: read(&meters.dropped_queue),
            dropped_disk: read(&meters.dropped_disk),
            expired: read(&meters.expired),
            write_errors: read(&meters.write_errors),
            damaged_blocks: read(&meters.damaged_blocks),
            queued_bytes: self.queue.bytes() as u64,
            covered_sequence: read(&meters.covered_sequence),
        }
    }

    pub(crate) fn check(&self) -> Result<CheckReport, StoreError> {
        let segments = self.state.read().segments.clone();
        let mut report = CheckReport::default();
        for segment in segments {
            let name = segment.path.display();
            let Some(found) = check_segment(&segment)? else { continue };
            report.problems.extend(found.problems.iter().map(|what| format!("{name}: {what}")));
            report.looked_at += found.rows;
        }
        report.problems.truncate(PROBLEM_LIMIT);
        Ok(report)
    }
}
