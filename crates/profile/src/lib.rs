//! The hierarchical behaviour tree: tokens, generalisation, learning, snapshots. Pure.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access;
pub mod arguments;
pub mod behaviour;
mod calls;
mod coarsen;
mod evidence;
mod fold;
mod key;
mod learning;
mod limits;
mod members;
mod merge;
mod names;
mod node;
pub mod path;
pub mod peer;
mod phase;
mod profile;
mod program;
mod promote;
mod revision;
mod revision_sets;
mod shape;
mod shares;
mod split;
mod stored;
mod structural;
pub mod token;
mod tree;
mod tree_diff;
mod tree_node;
mod view;

pub use key::{ProgramKey, is_installed};
pub use learning::{LearnRules, QUIET, unseen};
pub use limits::Limits;
pub use members::{EXAMPLES, MEMBERS_KEPT};
pub use node::{Node, NodeId, NodeKind, Origin};
pub use phase::{BranchProgress, Learning, Phase, ProfileSummary};
pub use profile::{Found, Hit, Profile};
pub use program::ProgramInfo;
pub use promote::{Lesson, MAX_PROMOTED_LESSONS, MAX_PROMOTIONS, PromoteError, Promotion};
pub use revision::{Addition, MAX_ADDITIONS, MAX_DIFFS, MAX_REVISIONS, RevisionDiff};
pub use split::SplitError;
pub use stored::{PROFILE_VERSION, ProfileError};
pub use tree::{Incidences, REST, Tree, covers};
pub use tree_diff::{Difference, TreeDiff, push_pointer};
pub use tree_node::TreeNode;
pub use view::SNAPSHOT_VERSION;
