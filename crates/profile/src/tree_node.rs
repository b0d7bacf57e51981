//! The snapshot format: the `TreeNode` of the specification, stable and versioned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One node of a snapshot. The format is a view: in memory the tree is something else.
///
/// Keys of `children` are the plain name down to the process level and `<type>:<name>` below it, so
/// that an argument and a user of one name do not collide; `name` is always the plain name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// The generalised token.
    pub name: String,
    /// `root`, `branch`, `process_operation`, `network_operation`, `file_operation`,
    /// `process_name`, `cmd_argument`, `exe_path`, `parent_name`, `user`, `network_attribute`,
    /// `directory_path`, `file_name`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Events that went through this node.
    pub events_count: u64,
    /// `first_seen`, `last_seen`, examples, token types, revisions, origin …
    pub metadata: Map<String, Value>,
    /// Children by key, sorted.
    pub children: BTreeMap<String, TreeNode>,
}
