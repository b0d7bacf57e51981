//! What became of a line that did not turn into a modelled event.

use serde::{Deserialize, Serialize};

/// Whether a line tells of a call's start or of its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The call begins (Falco up to 0.41 prints these, too).
    Enter,
    /// The call has ended; its result is known.
    #[default]
    Exit,
}

/// Why a line could not be read as an event. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Not JSON: Falco's start-up messages, binary garbage, a truncated line.
    NotJson,
    /// JSON, but not an object with Falco's `output_fields`.
    NotFalco,
    /// Longer than [`crate::Block::MAX_LINE`].
    TooLong,
    /// Nested deeper than any Falco event.
    TooDeep,
    /// No event time anywhere.
    NoTime,
}

impl RejectReason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::NotJson, Self::NotFalco, Self::TooLong, Self::TooDeep, Self::NoTime];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotFalco => "not_falco",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::NoTime => "no_time",
        }
    }
}

/// Why a well-formed event is not modelled. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// An enter line: its exit line carries the behaviour.
    Enter,
    /// Another rule's report of an event already modelled.
    Duplicate,
    /// The container runtime setting a container up.
    Setup,
    /// No category for this call.
    UnknownCategory,
    /// An empty container id.
    NoContainer,
    /// Falco talking of itself (metrics, dropped events).
    Internal,
    /// A source other than system calls.
    OtherSource,
}

impl IgnoreReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Enter,
        Self::Duplicate,
        Self::Setup,
        Self::UnknownCategory,
        Self::NoContainer,
        Self::Internal,
        Self::OtherSource,
    ];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Duplicate => "duplicate",
            Self::Setup => "setup",
            Self::UnknownCategory => "unknown_category",
            Self::NoContainer => "no_container",
            Self::Internal => "internal",
            Self::OtherSource => "other_source",
        }
    }
}

/// A line that is not an event, kept as a sample for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// The line's beginning, as text, at most [`crate::Block::REJECT_SAMPLE`] bytes.
    pub sample: String,
}
