//! The one thread that writes: rows into memory and tail, full buffers into segments.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use super::merge::{Merger, Verdict};
use super::names::ContainerNames;
use super::queue::{Batch, Next, Task};
use super::row;
use super::segment::Segment;
use super::tail::Tail;
use super::{Shared, recover};
use crate::StoreError;
use crate::error::Fault;

/// Entries that wait for the tail are written at this size, whatever the time.
const TAIL_WAITS: usize = 1 << 20;
/// After a failed write the next try waits this long, so that a full disk is not hammered.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// `None` while none can be created: then rows are in memory only.
    tail: Option<Tail>,
    merger: Merger,
    next_ordinal: u64,
    flush_at: Option<Instant>,
    /// The last write failed: the next waits for `flush_at`.
    blocked: bool,
}

/// Tells those who wait when the thread ends, however it ends.
struct Abandon(Arc<Shared>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, tail: Option<Tail>, next_ordinal: u64) -> Self {
        let merger = Merger::new(shared.options.merge_above);
        Self { shared, tail, merger, next_ordinal, flush_at: None, blocked: false }
    }

    pub(crate) fn run(mut self) {
        let _abandon = Abandon(Arc::clone(&self.shared));
        loop {
            match self.shared.queue.next(self.flush_at) {
                Next::Task(Task::Rows(batch)) => self.take(&batch),
                Next::Task(Task::Flush(done)) => answer(&done, self.flush(true)),
                Next::Task(Task::Truncate(last, done)) => answer(&done, self.truncate(last)),
                Next::Task(Task::Retain(now, done)) => answer(&done, self.shared.expire(now)),
                Next::Late => drop(self.flush(false)),
                Next::Closed => break,
            }
        }
        if let Err(error) = self.flush(true) {
            tracing::error!(error = &error as &dyn std::error::Error, "event log not flushed");
        }
    }

    fn take(&mut self, batch: &Batch) {
        let (mut bytes, names) = self.encode(batch);
        let (mut at, mut rows) = (0, 0);
        while at < bytes.len() {
            let rest = bytes.get_mut(at..).unwrap_or_default();
            match self.take_some(rest, &names) {
                Ok((taken, some)) => {
                    at += taken;
                    rows += some;
                }
                Err(fault) => {
                    // The bytes were made by this process a moment ago.
                    tracing::error!(?fault, "event log rows could not be read back");
                    let lost = batch.rows.len() as u64 - rows;
                    self.shared.meters.dropped_disk.fetch_add(lost, Ordering::Relaxed);
                    break;
                }
            }
            if self.shared.state.read().active.bytes >= self.shared.options.memory_bytes {
                self.seal();
            }
        }
        let now = Instant::now();
        let due = *self.flush_at.get_or_insert(now + self.shared.options.flush_every);
        let waiting = self.tail.as_ref().map_or(0, Tail::waiting);
        if now >= due || (waiting >= TAIL_WAITS && !self.blocked) {
            drop(self.flush(false));
        }
    }

    /// The rows as bytes, with containers numbered by the list beside them.
    fn encode(&self, batch: &Batch) -> (Vec<u8>, Vec<Arc<ContainerNames>>) {
        let mut bytes = Vec::with_capacity(batch.rows.len() * 256);
        let mut names: Vec<Arc<ContainerNames>> = Vec::new();
        let mut last = 0;
        for row in &batch.rows {
            // Rows of one container mostly follow each other.
            if names.get(last).is_none_or(|names| !names.is(row)) {
                last = names.iter().position(|names| names.is(row)).unwrap_or_else(|| {
                    names.push(self.shared.names.intern(ContainerNames::of(row)));
                    names.len() - 1
                });
            }
            row::encode(&mut bytes, row, last as u32, batch.sequence);
        }
        (bytes, names)
    }

    /// Takes rows until the buffer is full; answers the bytes and the rows taken.
    fn take_some(
        &mut self,
        bytes: &mut [u8],
        names: &[Arc<ContainerNames>],
    ) -> Result<(usize, u64), Fault> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.write();
        let (mut at, mut rows) = (0, 0);
        while at < bytes.len() && state.active.bytes < shared.options.memory_bytes {
            let end = at + row::row_at(bytes, at)?.len();
            let row = bytes.get_mut(at..end).unwrap_or_default();
            self.take_row(&mut state.active, row, names)?;
            at = end;
            rows += 1;
        }
        Ok((at, rows))
    }

    fn take_row(
        &mut self,
        buffer: &mut Buffer,
        bytes: &mut [u8],
        batch: &[Arc<ContainerNames>],
    ) -> Result<(), Fault> {
        let names = batch.get(row::head(bytes)?.container as usize);
        let names = names.ok_or_else(|| Fault::damaged("a row of no container"))?;
        let (container, fresh) = buffer.number(names);
        if let Some(tail) = self.tail.as_mut().filter(|_| fresh) {
            tail.put_names(names);
        }
        row::set_container(bytes, container);
        row::set_ordinal(bytes, self.next_ordinal);
        let head = row::head(bytes)?;
        let verdict = self.merger.judge(container, &head, bytes)?;
        if let Verdict::Add(place) = verdict {
            buffer.add(place, head.sequence, head.count)?;
            if let Some(tail) = &mut self.tail {
                tail.put_add(place.ordinal, head.sequence, head.count);
            }
            self.shared.meters.merged.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.next_ordinal += 1;
        let place = buffer.insert(bytes, &head);
        if let Some(tail) = &mut self.tail {
            tail.put_row(bytes, head.sequence);
        }
        if let Verdict::Lead(behaviour) = verdict {
            self.merger.remember(container, behaviour, place);
        }
        Ok(())
    }

    /// Writes what waits for the tail, making room by the oldest segments on a full disk.
    fn flush(&mut self, sync: bool) -> Result<(), StoreError> {
        let written = self.write_tail(sync);
        self.blocked = written.is_err();
        self.flush_at = self.blocked.then(|| Instant::now() + RETRY_AFTER);
        if let Err(error) = &written {
            self.shared.note_write_error(error);
        }
        written
    }

    fn write_tail(&mut self, sync: bool) -> Result<(), StoreError> {
        if self.tail.is_none() {
            let shared = &self.shared;
            // The lock is let go before each try, since making room takes it, too.
            self.tail =
                Some(shared.with_room(|| Tail::rewrite(&shared.dir, &shared.state.read().active))?);
            shared.cover(shared.state.read().active.span.max_sequence);
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        let covered = self.shared.with_room(|| tail.flush())?;
        self.shared.cover(covered);
        self.shared.meters.tail_bytes.store(tail.length, Ordering::Relaxed);
        if sync { tail.sync() } else { Ok(()) }
    }

    /// Makes a segment of the buffer and begins a new one.
    fn seal(&mut self) {
        self.merger.clear();
        let shared = Arc::clone(&self.shared);
        let buffer = {
            let mut state = shared.state.write();
            let fresh = Buffer::new(state.active.generation + 1);
            let buffer = Arc::new(std::mem::replace(&mut state.active, fresh));
            state.sealing = Some(Arc::clone(&buffer));
            buffer
        };
        self.flush_at = None;
        let old_tail = self.tail.take();
        let sealed = shared.with_room(|| Segment::write(&shared.dir, &buffer));
        {
            let mut state = shared.state.write();
            state.sealing = None;
            match sealed {
                Ok(segment) => {
                    shared.cover(segment.span.max_sequence);
                    state.segments.push(Arc::new(segment));
                }
                Err(error) => {
                    shared.note_write_error(&error);
                    shared.meters.dropped_disk.fetch_add(buffer.rows, Ordering::Relaxed);
                }
            }
        }
        if let Some(tail) = old_tail
            && let Err(error) = Tail::remove(&tail.path)
        {
            shared.note_write_error(&error);
        }
        let generation = buffer.generation + 1;
        match shared.with_room(|| Tail::create(&shared.dir, generation)) {
            Ok(tail) => self.tail = Some(tail),
            Err(error) => {
                shared.note_write_error(&error);
                self.blocked = true;
                self.flush_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
        shared.meters.tail_bytes.store(0, Ordering::Relaxed);
        if let Err(error) = shared.shrink_to(shared.options.total_bytes) {
            shared.note_write_error(&error);
        }
        shared.names.sweep();
    }

    /// Takes out every event beyond a place in the input.
    fn truncate(&mut self, last: u64) -> Result<(), StoreError> {
        self.merger.clear();
        recover::truncate_segments(&self.shared, last)?;
        let mut state = self.shared.state.write();
        let failed = |fault: Fault| fault.into_error("truncate the event log", &self.shared.dir);
        let kept = state.active.until(last).map_err(failed)?;
        self.tail = Some(Tail::rewrite(&self.shared.dir, &kept)?);
        state.active = kept;
        self.shared.meters.covered_sequence.fetch_min(last, Ordering::Relaxed);
        Ok(())
    }
}

fn answer(done: &super::queue::Done, result: Result<(), StoreError>) {
    // Nobody waiting any more is fine.
    drop(done.send(result));
}
