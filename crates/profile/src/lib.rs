//! The hierarchical behaviour tree: tokens, generalisation, learning, snapshots. Pure.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod phase;
mod tree_node;

pub use phase::{BranchProgress, Learning, Phase, ProfileSummary};
pub use tree_node::TreeNode;
