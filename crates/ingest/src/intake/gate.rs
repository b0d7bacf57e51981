//! The queue's budget.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{IntakeOptions, Refused};

/// What origins that can wait have queued at most, in bytes. A tenth of a second of work for the
/// engine: what is read further ahead has left the processor's cache by the time it is decoded, and
/// holds up a pause and a stop, since lines can as well stay where they are.
const READ_AHEAD_BYTES: u64 = 8 << 20;

/// What is queued or in the consumer's hands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) batches: u64,
    /// Of `bytes`, those whose origins could have waited.
    ahead: u64,
    closed: bool,
}

/// Whether the origin can wait for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Waits,
}

#[derive(Debug)]
pub(super) struct Gate {
    options: IntakeOptions,
    load: Mutex<Load>,
    freed: Condvar,
}

impl Gate {
    pub(super) fn new(options: IntakeOptions) -> Self {
        Self { options, load: Mutex::default(), freed: Condvar::new() }
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }

    pub(super) fn load(&self) -> Load {
        *self.lock()
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.freed.notify_all();
    }

    /// Takes a share now or not at all.
    pub(super) fn admit(
        self: &Arc<Self>,
        bytes: u64,
        lines: u64,
        patience: Patience,
    ) -> Result<Ticket, Refused> {
        let mut load = self.lock();
        if load.closed {
            return Err(Refused::Closed);
        }
        if !self.fits(&load, bytes, patience) {
            let max_bytes = self.options.max_bytes;
            return Err(Refused::QueueFull { bytes: load.bytes, max_bytes });
        }
        Ok(self.take(&mut load, bytes, lines, patience))
    }

    /// Waits for a share. Fails only with [`Refused::Closed`].
    pub(super) fn wait(self: &Arc<Self>, bytes: u64, lines: u64) -> Result<Ticket, Refused> {
        let mut load = self.lock();
        while !load.closed && !self.fits(&load, bytes, Patience::Waits) {
            load = self.freed.wait(load).unwrap_or_else(PoisonError::into_inner);
        }
        if load.closed {
            return Err(Refused::Closed);
        }
        Ok(self.take(&mut load, bytes, lines, Patience::Waits))
    }

    /// A batch larger than the whole budget passes alone. Origins that can wait leave an eighth
    /// of the budget to those that cannot, or a file being caught up would starve them.
    fn fits(&self, load: &Load, bytes: u64, patience: Patience) -> bool {
        let share = |max: u64| match patience {
            Patience::None => max,
            Patience::Waits => max - max / 8,
        };
        let near =
            patience == Patience::None || load.ahead == 0 || load.ahead + bytes <= READ_AHEAD_BYTES;
        let room = load.bytes + bytes <= share(self.options.max_bytes)
            && load.batches < share(self.options.max_batches);
        load.batches == 0 || (near && room)
    }

    fn take(
        self: &Arc<Self>,
        load: &mut Load,
        bytes: u64,
        lines: u64,
        patience: Patience,
    ) -> Ticket {
        let ahead = if patience == Patience::Waits { bytes } else { 0 };
        load.bytes += bytes;
        load.lines += lines;
        load.batches += 1;
        load.ahead += ahead;
        Ticket { gate: Arc::clone(self), bytes, lines, ahead }
    }

    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A share of the budget, given back on drop.
#[derive(Debug)]
pub(crate) struct Ticket {
    gate: Arc<Gate>,
    bytes: u64,
    lines: u64,
    ahead: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut load = self.gate.lock();
        load.bytes -= self.bytes;
        load.lines -= self.lines;
        load.batches -= 1;
        load.ahead -= self.ahead;
        drop(load);
        self.gate.freed.notify_all();
    }
}
