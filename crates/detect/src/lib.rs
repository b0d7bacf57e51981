//! Matching, scoring, explanation, alerts and incidents. Pure.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod accounts;
mod alert;
mod attempts;
mod burst_finder;
pub mod bursts;
pub mod danger;
mod detector;
mod effort;
mod feedback;
mod files;
mod findings;
mod hash;
mod held;
mod instance;
mod judge;
mod learner;
pub mod ledger;
pub mod matcher;
mod miss;
mod processes;
mod queries;
mod revision;
mod rollback;
mod router;
mod rules;
mod rulings;
pub mod score;
mod settings;
mod shard;
mod silence;
mod split;
mod storms;
mod text;
mod time_text;
pub mod triage;
mod unite;
mod watch;
mod words;

pub use alert::{
    Activity, Alert, AlertAction, AlertContainer, AlertK8s, AlertPath, AlertSource, AlertState,
    ENGINE, Evidence, Expected, Incident, Kind, LineageEntry, Nearest, ScorePart, Summary,
};
pub use attempts::{MAX_ATTEMPTS, PAIR_WAIT};
pub use effort::{Effort, NEW_TOKENS_A_MINUTE};
pub use feedback::{PREVIEW_LINES, Taught};
pub use hash::id as stable_id;
pub use held::MAX_HELD;
pub use instance::Instance;
pub use processes::{MAX_PROCESSES, Process, Processes};
pub use router::{
    MAX_SKEW, MAX_WAITING, Move, NAME_WAIT, Pause, Progress, Router, SHARDS, SKEW_AGREED, Work,
};
pub use rulings::{
    MAX_MAINTENANCE, MAX_SUPPRESSIONS, Maintenance, Rulings, Suppression, SuppressionScope,
};
pub use settings::Settings;
pub use shard::{Counts, Item, Observer, Shard, ShardRest, SharedBlock, Task, Waited};
pub use silence::{MAX_SEATS, MAX_SOURCES, Silent, Who};
pub use split::SplitInto;
pub use storms::{FOLD_AFTER, MAX_STORMS, Storms};
pub use watch::{MAX_INSTANCES, MAX_QUARANTINE, Quarantined, Verdict, Watch};
