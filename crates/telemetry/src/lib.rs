//! Metric names, bounded labels and the exposition formats.
//!
//! [`Metrics`] are the service's own numbers: one table of names and plain atomics, set by every
//! other crate. [`EventCounter`] counts events by label on a worker thread without locks;
//! [`Exporter`] merges what the workers drained into families whose size is bounded, and writes
//! everything in Prometheus' text format or in `OpenMetrics`.
//!
//! No clock is read here: time comes in as nanoseconds since the epoch.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cell;
mod counter;
mod exporter;
mod exposition;
mod family;
mod label;
mod labels;
mod process;
mod reference;
mod table;
#[cfg(test)]
mod tests;

pub use cell::{By, Counter, Gauge, Histogram, NameLabel, Named};
pub use counter::{EventCounter, EventDeltas, SeriesDelta};
pub use exporter::{Exporter, ExporterOptions};
pub use exposition::Format;
pub use family::OTHER;
pub use label::{
    AlertSource, CacheResult, DeviationKind, DropReason, Family, HttpStatus, Label, Outcome,
    OutputName, Phase, Route, SourceKind,
};
pub use labels::Labels;
pub use process::observe_process;
pub use reference::reference;
pub use table::{Definition, Kind, Metrics, Table, Unit, definitions};
