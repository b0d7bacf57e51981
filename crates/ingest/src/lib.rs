//! Sources of event lines: files, Docker, Kubernetes' logs, standard input, HTTP bodies; the bounded queue and the journal.
//!
//! Sources run on plain threads with blocking I/O and push [`Batch`]es of whole lines into one
//! [`Intake`]. What cannot be read again at its origin (HTTP, standard input) goes through a
//! [`Journal`] first; what can (files, Docker, Kubernetes' logs) carries a [`Position`] from which it is read again.
//! No line is judged here: what is not an event is the decoder's to reject and count.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod batch;
pub mod body;
mod control;
mod docker;
mod file;
mod input;
mod intake;
mod journal;
mod kubernetes;
mod lines;
#[cfg(test)]
mod measurements;
pub mod player;
mod stdin;

pub use batch::{Batch, Position, SourceId, count_lines};
pub use control::Control;
pub use docker::{
    DEFAULT_DOCKER_HOST, DockerError, DockerOptions, DockerSource, DockerStats, DockerStatus,
};
pub use file::{FileError, FileOptions, FileSource, FileStats, FileStatus};
pub use input::{Input, OpenError, Progress, open_lines};
pub use intake::{
    Accepted, DropReason, Intake, IntakeOptions, IntakeStatus, Refused, SourceStatus,
};
pub use journal::{
    Journal, JournalError, JournalOptions, JournalReport, JournalStatus, Replay, check_journal,
};
pub use kubernetes::{KubernetesOptions, KubernetesSource, KubernetesStats, KubernetesStatus};
pub use lines::{LineBlocks, MAX_LINE_BYTES};
pub use stdin::{StdinError, StdinSource};

/// How large a batch is meant to be: large enough that the cost of handing it over is nothing
/// beside that of decoding it, small enough to stay in a core's cache.
pub const BATCH_BYTES: usize = 1 << 20;
