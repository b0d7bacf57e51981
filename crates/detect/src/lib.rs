//! Matching, scoring, explanation, alerts and incidents. Pure.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alert;
mod time_text;

pub use alert::{
    Activity, Alert, AlertAction, AlertContainer, AlertK8s, AlertPath, AlertSource, AlertState,
    Expected, Incident, Kind, LineageEntry, Nearest, ScorePart, Summary,
};
