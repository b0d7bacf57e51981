//! What people ask the engine to change. The API checks that a request can be read; whether it can
//! be done is the engine's word.

use hanabi_detect::{SuppressionScope, triage::Act};
use hanabi_event::EventTime;
use serde_json::Value;

/// Alerts of one bulk request: a page of a list.
pub const BULK_MAX: usize = 1_000;

/// Alerts of one bulk request that changes more than the alerts themselves: each looks at a whole
/// profile, or at all of them, and the engine does nothing else meanwhile.
pub const BULK_HEAVY_MAX: usize = 50;

/// A change, or a look at what it would come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What is to be done.
    pub command: Command,
    /// Nothing is to be changed; the answer says what would be.
    pub dry_run: bool,
    /// Who asks …
    pub by: String,
    /// … from which address …
    pub address: String,
    /// … by which request.
    pub request: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Something to one alert.
    Alert {
        /// Its id.
        id: String,
        /// What.
        action: Action,
    },
    /// The same to several, each for itself.
    Bulk {
        /// Their ids.
        ids: Vec<String>,
        /// What.
        action: Action,
    },
    /// A suppression that no alert asked for.
    Suppress {
        /// What it covers …
        scope: SuppressionScope,
        /// … by its exact value.
        value: String,
        /// When it ends.
        expiry: Option<Expiry>,
        /// Why, or `""`.
        note: String,
    },
    /// The end of a suppression.
    Unsuppress {
        /// Its id.
        id: String,
    },
    /// A maintenance window.
    Maintain {
        /// Which containers.
        container: String,
        /// From this time on.
        start: EventTime,
        /// Before this time.
        end: EventTime,
        /// Why, or `""`.
        note: String,
    },
    /// The end of a maintenance window.
    EndMaintenance {
        /// Its id.
        id: String,
    },
    /// A decision on quarantined behaviour.
    Quarantine {
        /// Whose.
        identity: String,
        /// Its key.
        item: String,
        /// It is the container's own work, or never will be.
        accept: bool,
    },
    /// The end of a merge in a profile's tree.
    Split {
        /// Whose.
        identity: String,
        /// The merged node: the keys of `children` on the way to it.
        node: Vec<String>,
    },
    /// Something to a profile as a whole.
    Profile {
        /// Whose.
        identity: String,
        /// What.
        operation: ProfileOperation,
    },
    /// A return to what a profile had learned before.
    Rollback {
        /// Whose.
        identity: String,
        /// To when.
        to: RollbackTo,
    },
    /// A pause of a source, or its end.
    Source {
        /// Its id, as in [`crate::SourceStatus::id`].
        id: String,
        /// What.
        operation: SourceOperation,
    },
}

/// What can be done to an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Something that is the alert's own.
    Act(Act),
    /// A suppression that covers it.
    Suppress {
        /// How much beside it.
        scope: SuppressionScope,
        /// When it ends.
        expiry: Option<Expiry>,
        /// Why, or `""`.
        note: String,
    },
    /// Its behaviour goes into its profile.
    Promote {
        /// Files and addresses of the same kind, too.
        wide: bool,
    },
    /// The last action is taken back.
    Undo,
}

impl Action {
    /// The word in routes, histories and the audit log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Act(Act::Acknowledge { .. }) => "ack",
            Self::Act(Act::Note { .. }) => "note",
            Self::Act(Act::Assign { .. }) => "assign",
            Self::Act(Act::Resolve { .. }) => "resolve",
            Self::Act(Act::Reopen { .. }) => "reopen",
            Self::Suppress { .. } => "suppress",
            Self::Promote { .. } => "promote",
            Self::Undo => "undo",
        }
    }
}

/// When a suppression ends, in event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// At this time.
    At(EventTime),
    /// So long from now, ns.
    In(EventTime),
}

/// What can be done to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileOperation {
    /// Learns anew; what people have decided stays.
    Relearn,
    /// Detects and never changes.
    Freeze,
    /// Goes on after a freeze.
    Unfreeze,
    /// Is forgotten with everything.
    Delete,
}

impl ProfileOperation {
    /// The word in routes and the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relearn => "relearn",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Delete => "delete",
        }
    }
}

/// Which restore point of a profile is meant; the newest of those that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTo {
    /// One of this time or before.
    Time(EventTime),
    /// One whose newest image is this.
    Revision(String),
}

/// What can be done to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceOperation {
    /// Reads no further, and keeps its position.
    Pause,
    /// Goes on from there.
    Resume,
}

impl SourceOperation {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pause, Self::Resume];

    /// The word in routes and the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What it is about is not there.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which id.
        id: String,
    },
    /// The state of things does not allow it.
    #[error("{reason}")]
    Conflict {
        /// Why, and what can be done.
        reason: String,
    },
    /// Something of ours failed.
    #[error("{context}")]
    Failed {
        /// For the log.
        context: String,
    },
}

/// The engine's answer, as the route gives it.
pub type Carried = Result<Value, Refused>;
