//! The one queue between the sources and the engine.
//!
//! It is bounded by bytes and by batches. A batch's share is given back when the batch is dropped,
//! so what the consumer still holds counts, too. One lock covers writing to the journal and
//! queueing, so both have the same order.

mod gate;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::{Batch, Control, Journal, JournalError, Position, SourceId};
pub(crate) use gate::Ticket;
use gate::{Gate, Patience};

/// How large the queue is.
#[derive(Clone, Copy, Debug)]
pub struct IntakeOptions {
    /// Most bytes queued or in the consumer's hands. 64 MiB: about a second of work for the
    /// engine, which rides out a checkpoint, and no more, since what waits here is late.
    pub max_bytes: u64,
    /// Most batches. 32 768: single events by HTTP are small, and each costs about 200 bytes
    /// beside its text.
    pub max_batches: u64,
}

impl Default for IntakeOptions {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_batches: 32_768 }
    }
}

/// What became of lines that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Lines taken, blank ones not counted.
    pub lines: u64,
    /// Their number in the journal; `None` without one.
    pub sequence: Option<u64>,
}

/// Why lines were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("event queue is full: {bytes} of {max_bytes} bytes used")]
    QueueFull {
        /// Bytes queued.
        bytes: u64,
        /// [`IntakeOptions::max_bytes`].
        max_bytes: u64,
    },
    /// The journal is full or cannot be written.
    #[error("failed to record events of source {source_id}")]
    Journal {
        /// Whose lines.
        source_id: SourceId,
        /// Why.
        source: JournalError,
    },
    /// The service is ending.
    #[error("event queue is closed")]
    Closed,
}

impl Refused {
    /// After what time it makes sense to offer the same lines again; `None` if never.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { .. } => Some(Duration::from_secs(1)),
            Self::Journal { .. } => Some(Duration::from_secs(5)),
            Self::Closed => None,
        }
    }

    fn waits_for_checkpoint(&self) -> bool {
        matches!(self, Self::Journal { source: JournalError::Full { .. }, .. })
    }
}

/// Why lines were dropped. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The queue was full and the origin cannot wait.
    QueueFull,
    /// The journal was full or could not be written, and the origin cannot repeat itself.
    Journal,
    /// The service was ending.
    Closed,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::QueueFull, Self::Journal, Self::Closed];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Journal => "journal",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    lines: AtomicU64,
    bytes: AtomicU64,
    batches: AtomicU64,
    refused: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

/// One source's counters since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// The source.
    pub source: SourceId,
    /// Lines queued, blank ones not counted.
    pub lines: u64,
    /// Bytes queued.
    pub bytes: u64,
    /// Batches queued.
    pub batches: u64,
    /// Offers refused; their origin was told to come again.
    pub refused: u64,
    /// Lines dropped, in the order of [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
}

/// The queue's state and counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeStatus {
    /// Bytes queued or in the consumer's hands.
    pub queued_bytes: u64,
    /// Lines queued or in the consumer's hands.
    pub queued_lines: u64,
    /// Batches queued or in the consumer's hands.
    pub queued_batches: u64,
    /// The bound on `queued_bytes`.
    pub max_bytes: u64,
    /// The sources seen so far, by name.
    pub sources: Vec<SourceStatus>,
}

#[derive(Debug)]
struct Lane {
    sender: Option<Sender<Batch>>,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Shared {
    gate: Arc<Gate>,
    lane: Mutex<Lane>,
    sources: Mutex<BTreeMap<SourceId, Arc<Counters>>>,
}

/// The sources' side of the queue. Clones are the same queue; when the last one is gone, or after
/// [`Intake::close`], the consumer drains what is queued and sees the end.
#[derive(Clone, Debug)]
pub struct Intake(Arc<Shared>);

impl Intake {
    /// A queue and its consumer's side. With a journal, what is offered or recorded is written to
    /// it before it is queued.
    pub fn new(options: IntakeOptions, journal: Option<Journal>) -> (Self, Receiver<Batch>) {
        // The gate bounds the channel; a bounded channel would allocate all its slots at once.
        let (sender, receiver) = crossbeam_channel::unbounded();
        let shared = Shared {
            gate: Arc::new(Gate::new(options)),
            lane: Mutex::new(Lane { sender: Some(sender), journal }),
            sources: Mutex::default(),
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// Queues a batch as it is, waiting while the queue is full. For origins that can wait and be
    /// read again, and for what the journal replays. Fails only with [`Refused::Closed`].
    pub fn push_wait(&self, batch: Batch) -> Result<(), Refused> {
        if batch.bytes.is_empty() {
            return Ok(());
        }
        let counters = self.counters(&batch.source);
        let ticket = self.0.gate.wait(batch.bytes.len() as u64, batch.lines)?;
        self.send(&counters, batch, ticket)
    }

    /// Records and queues lines, or refuses them all at once: for origins that can be told to come
    /// again. A missing last newline is added.
    pub fn offer(&self, source: &SourceId, lines: Vec<u8>) -> Result<Accepted, Refused> {
        let batch = Batch::new(source.clone(), lines, Position::None);
        let counters = self.counters(source);
        let offered = self
            .0
            .gate
            .admit(batch.bytes.len() as u64, batch.lines, Patience::None)
            .and_then(|ticket| self.record(&counters, batch, ticket).map_err(|(_, why)| why));
        if offered.is_err() {
            counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        offered
    }

    /// Records and queues lines, waiting while queue or journal are full. For origins that can
    /// wait but not be read again. When the journal cannot be written, or `control` stops the
    /// wait, the lines are dropped and counted.
    pub fn record_wait(
        &self,
        source: &SourceId,
        lines: Vec<u8>,
        control: &Control,
    ) -> Result<Accepted, Refused> {
        /// How often a full journal is tried again: a checkpoint takes longer than that.
        const RETRY: Duration = Duration::from_millis(100);
        let counters = self.counters(source);
        let mut batch = Batch::new(source.clone(), lines, Position::None);
        let lines = batch.lines;
        loop {
            let why = match self.0.gate.wait(batch.bytes.len() as u64, lines) {
                Err(why) => why,
                Ok(ticket) => match self.record(&counters, batch, ticket) {
                    Ok(accepted) => return Ok(accepted),
                    Err((back, why)) if why.waits_for_checkpoint() && !control.is_stopped() => {
                        batch = *back;
                        control.sleep(RETRY);
                        continue;
                    }
                    Err((_, why)) => why,
                },
            };
            let reason = match why {
                Refused::QueueFull { .. } | Refused::Closed => DropReason::Closed,
                Refused::Journal { .. } => DropReason::Journal,
            };
            count_dropped(&counters, reason, lines);
            return Err(why);
        }
    }

    /// Queues a batch, or drops it and counts its lines: for origins that can neither wait nor be
    /// read again. True when it was queued.
    pub fn push_or_drop(&self, batch: Batch) -> bool {
        let counters = self.counters(&batch.source);
        let lines = batch.lines;
        let pushed = self
            .0
            .gate
            .admit(batch.bytes.len() as u64, lines, Patience::None)
            .and_then(|ticket| self.send(&counters, batch, ticket));
        let reason = match pushed {
            Ok(()) => return true,
            Err(Refused::QueueFull { .. }) => DropReason::QueueFull,
            Err(Refused::Journal { .. }) => DropReason::Journal,
            Err(Refused::Closed) => DropReason::Closed,
        };
        count_dropped(&counters, reason, lines);
        false
    }

    /// Counts lines that a source had to drop by itself.
    pub fn note_dropped(&self, source: &SourceId, reason: DropReason, lines: u64) {
        count_dropped(&self.counters(source), reason, lines);
    }

    /// Ends the queue: nothing more is taken, and the consumer sees the end after the last batch.
    pub fn close(&self) {
        self.lane().sender = None;
        self.0.gate.close();
    }

    /// State and counters, read one after the other.
    pub fn status(&self) -> IntakeStatus {
        let load = self.0.gate.load();
        let sources = self.sources();
        IntakeStatus {
            queued_bytes: load.bytes,
            queued_lines: load.lines,
            queued_batches: load.batches,
            max_bytes: self.0.gate.max_bytes(),
            sources: sources.iter().map(|(id, counters)| source_status(id, counters)).collect(),
        }
    }

    fn send(&self, counters: &Counters, mut batch: Batch, ticket: Ticket) -> Result<(), Refused> {
        batch.ticket = Some(ticket);
        let (lines, bytes) = (batch.lines, batch.bytes.len() as u64);
        let lane = self.lane();
        let sender = lane.sender.as_ref().ok_or(Refused::Closed)?;
        sender.send(batch).map_err(|_| Refused::Closed)?;
        count_queued(counters, lines, bytes);
        Ok(())
    }

    /// Hands the batch back when it was not taken.
    fn record(
        &self,
        counters: &Counters,
        mut batch: Batch,
        ticket: Ticket,
    ) -> Result<Accepted, (Box<Batch>, Refused)> {
        let (lines, bytes) = (batch.lines, batch.bytes.len() as u64);
        if lines == 0 {
            return Ok(Accepted { lines, sequence: None });
        }
        let lane = self.lane();
        let Some(sender) = &lane.sender else { return Err((Box::new(batch), Refused::Closed)) };
        let mut sequence = None;
        if let Some(journal) = &lane.journal {
            match journal.append(&batch.source, &batch.bytes) {
                Ok(number) => sequence = Some(number),
                Err(source) => {
                    let source_id = batch.source.clone();
                    return Err((Box::new(batch), Refused::Journal { source_id, source }));
                }
            }
        }
        batch.position = sequence.map_or(Position::None, |n| Position::Journal { sequence: n });
        batch.ticket = Some(ticket);
        sender.send(batch).map_err(|unsent| (Box::new(unsent.into_inner()), Refused::Closed))?;
        count_queued(counters, lines, bytes);
        Ok(Accepted { lines, sequence })
    }

    fn counters(&self, source: &SourceId) -> Arc<Counters> {
        let mut sources = self.sources();
        if let Some(counters) = sources.get(source) {
            return Arc::clone(counters);
        }
        Arc::clone(sources.entry(source.clone()).or_default())
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<SourceId, Arc<Counters>>> {
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.0.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_queued(counters: &Counters, lines: u64, bytes: u64) {
    counters.lines.fetch_add(lines, Ordering::Relaxed);
    counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    counters.batches.fetch_add(1, Ordering::Relaxed);
}

fn count_dropped(counters: &Counters, reason: DropReason, lines: u64) {
    let slot = match reason {
        DropReason::QueueFull => &counters.dropped[0],
        DropReason::Journal => &counters.dropped[1],
        DropReason::Closed => &counters.dropped[2],
    };
    slot.fetch_add(lines, Ordering::Relaxed);
}

fn source_status(source: &SourceId, counters: &Counters) -> SourceStatus {
    SourceStatus {
        source: source.clone(),
        lines: counters.lines.load(Ordering::Relaxed),
        bytes: counters.bytes.load(Ordering::Relaxed),
        batches: counters.batches.load(Ordering::Relaxed),
        refused: counters.refused.load(Ordering::Relaxed),
        dropped: std::array::from_fn(|i| counters.dropped[i].load(Ordering::Relaxed)),
    }
}
