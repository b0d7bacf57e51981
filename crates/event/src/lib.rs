//! What a runtime event is.
//!
//! A [`Block`] owns a stretch of input lines and the [`Record`]s found in them;
//! [`Block::event`] lends one record out as an [`Event`], whose strings point
//! into the block. Nothing here does I/O or reads a clock: time is the event's.
//!
//! Absent values are the empty string. Falco writes `null`, `"<NA>"`, `"NULL"`,
//! `"<unknown>"` and `""` for the same thing, and all of them become `""` here.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod block;
mod category;
mod decode;
mod errno;
pub mod identity;
mod json;
mod model;
mod outcome;
mod priority;
pub mod redact;
mod syscalls;
pub mod time;

pub use block::{Block, Record, Span};
pub use category::{Category, FdKind};
pub use decode::DecodeOptions;
pub use errno::result_text;
pub use identity::identity;
pub use json::MAX_TEXT;
pub use model::{Args, Container, Event, Fd, Process, User};
pub use outcome::{Direction, IgnoreReason, RejectReason, Rejected};
pub use priority::Priority;
pub use redact::{Redactor, mask_secrets};

/// Nanoseconds since the Unix epoch, as the event says; never the wall clock.
pub type EventTime = u64;

/// One second in [`EventTime`] units.
pub const SECOND: EventTime = 1_000_000_000;
/// One millisecond in [`EventTime`] units.
pub const MILLISECOND: EventTime = 1_000_000;
