//! The parts of the running service; `run` wires them.
//!
//! One thread, the [`driver`], owns the engine: it takes batches from the [`input`], steps, and
//! publishes. A second, the [`keeper`], writes checkpoints and snapshots, so that no disk holds the
//! engine up. [`sources`] read on threads of their own, and the API has a runtime of its own.

pub(crate) mod alerts;
pub(crate) mod driver;
pub(crate) mod input;
pub(crate) mod keeper;
pub(crate) mod observer;
pub(crate) mod publish;
pub(crate) mod reload;
pub(crate) mod remote_write;
pub(crate) mod rows;
pub(crate) mod security;
pub(crate) mod series;
pub(crate) mod sources;
pub(crate) mod state;
pub(crate) mod worker;

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, in nanoseconds since the epoch: for metrics and never for events.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos() as u64)
}
