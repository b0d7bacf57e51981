//! A profile's phases and how far its learning is.

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::revision::RevisionDiff;

/// Where a profile is in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first moments: learns, and may not end learning.
    #[default]
    Warmup,
    /// Learns until the evidence says that little is missing.
    Learning,
    /// Holds every event against the tree.
    Detecting,
    /// Detects, and takes in what a new image explains.
    Relearning,
    /// Events were lost while it learned.
    Degraded,
    /// Detects and never changes, by an operator's word.
    Frozen,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 6] = [
        Self::Warmup,
        Self::Learning,
        Self::Detecting,
        Self::Relearning,
        Self::Degraded,
        Self::Frozen,
    ];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Learning => "learning",
            Self::Detecting => "detecting",
            Self::Relearning => "relearning",
            Self::Degraded => "degraded",
            Self::Frozen => "frozen",
        }
    }

    /// True while events that do not fit raise deviations.
    pub fn detects(self) -> bool {
        matches!(self, Self::Detecting | Self::Relearning | Self::Frozen)
    }
}

/// The numbers behind one branch's learning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BranchProgress {
    /// `process`, `network` or `file`.
    pub branch: String,
    /// Events modelled.
    pub events: u64,
    /// Distinct paths.
    pub paths: u64,
    /// Paths seen in exactly one one-second slot (Q1).
    pub singletons: u64,
    /// Sum of slot incidences (m).
    pub incidences: u64,
    /// Upper bound of the unseen mass, 0..1.
    pub unseen: f64,
}

/// How far learning is, and why it is not done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// 0 to 100.
    pub progress: f64,
    /// One word a condition that is not met yet: `min_time`, `min_events`, `novelty:file`,
    /// `new_nodes`, `lossy`.
    pub waiting_for: Vec<String>,
    /// Per branch.
    pub branches: Vec<BranchProgress>,
    /// Learning ended by `learn.max_time` without the evidence.
    pub partial: bool,
}

/// A profile in numbers, as the API shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileSummary {
    /// Its identity.
    pub identity: String,
    /// Its phase.
    pub phase: Phase,
    /// Its learning.
    pub learning: Learning,
    /// Nodes in the tree.
    pub nodes: u64,
    /// Events modelled.
    pub events: u64,
    /// Deviations found.
    pub deviations: u64,
    /// First event, ns.
    pub first_seen: EventTime,
    /// Last event, ns.
    pub last_seen: EventTime,
    /// Images seen, in the order of their first appearance.
    pub revisions: Vec<String>,
    /// What the last images changed, newest last.
    #[serde(default)]
    pub diffs: Vec<RevisionDiff>,
}
