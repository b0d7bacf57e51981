//! The hierarchical behaviour tree: tokens, generalisation, learning, snapshots. Pure.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod arguments;
pub mod behaviour;
mod evidence;
mod key;
mod learning;
mod names;
pub mod path;
pub mod peer;
mod phase;
mod profile;
mod revision;
mod structural;
pub mod token;
mod tree;
mod tree_node;
mod view;

pub use key::{ProgramKey, is_installed};
pub use learning::{LearnRules, QUIET, unseen};
pub use phase::{BranchProgress, Learning, Phase, ProfileSummary};
pub use profile::{Found, Hit, Profile, ProgramInfo};
pub use revision::{Addition, MAX_ADDITIONS, MAX_DIFFS, MAX_REVISIONS, RevisionDiff};
pub use structural::Limits;
pub use tree::{EXAMPLES, Incidences, Node, NodeId, NodeKind, Origin, REST, Tree, covers};
pub use tree_node::TreeNode;
pub use view::SNAPSHOT_VERSION;
