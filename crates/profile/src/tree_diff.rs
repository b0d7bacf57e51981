//! What two snapshots of one tree differ in.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::TreeNode;

/// A node that only one of two snapshots has, with all below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// A JSON pointer over the keys of `children` (RFC 6901), as `node` of the tree's route takes it.
    pub pointer: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Events that went through it.
    pub events_count: u64,
    /// Nodes of it, itself and those below.
    pub nodes: u64,
}

/// What the later of two snapshots has and the earlier has not, and the other way round, in the order
/// of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TreeDiff {
    /// Nodes that are new, only the uppermost of each.
    pub added: Vec<Difference>,
    /// Nodes that are gone: merged with others, folded away, or given up by a new start of learning.
    pub removed: Vec<Difference>,
    /// Differences past the limit, of both sorts.
    pub left_out: u64,
}

impl TreeDiff {
    /// Compares two snapshots; at most `limit` differences of each sort are listed. Linear in the
    /// nodes of both.
    pub fn of(before: &TreeNode, after: &TreeNode, limit: usize) -> Self {
        let mut diff = Self::default();
        let mut pointer = String::new();
        diff.walk(before, after, &mut pointer, limit);
        diff
    }

    fn walk(&mut self, before: &TreeNode, after: &TreeNode, pointer: &mut String, limit: usize) {
        let length = pointer.len();
        let keys: BTreeSet<&String> = before.children.keys().chain(after.children.keys()).collect();
        for key in keys {
            push_pointer(pointer, key);
            match (before.children.get(key), after.children.get(key)) {
                (Some(known), Some(node)) => self.walk(known, node, pointer, limit),
                (None, Some(node)) => {
                    note(&mut self.added, &mut self.left_out, pointer, node, limit);
                }
                (Some(node), None) => {
                    note(&mut self.removed, &mut self.left_out, pointer, node, limit);
                }
                (None, None) => {}
            }
            pointer.truncate(length);
        }
    }
}

/// Appends a key of `children` to a JSON pointer, escaped as RFC 6901 has it.
pub fn push_pointer(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

fn note(
    to: &mut Vec<Difference>,
    left_out: &mut u64,
    pointer: &str,
    node: &TreeNode,
    limit: usize,
) {
    if to.len() >= limit {
        *left_out += 1;
        return;
    }
    to.push(Difference {
        pointer: pointer.to_owned(),
        kind: node.kind.clone(),
        events_count: node.events_count,
        nodes: size(node),
    });
}

fn size(node: &TreeNode) -> u64 {
    1 + node.children.values().map(size).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::{TreeDiff, TreeNode};

    /// A tree of these paths; every node counts the paths through it.
    fn tree(paths: &[&[&str]]) -> TreeNode {
        let mut root = TreeNode { kind: "root".into(), ..TreeNode::default() };
        for path in paths {
            let mut node = &mut root;
            for key in *path {
                node = node.children.entry((*key).to_owned()).or_default();
                node.kind = "file_name".into();
                node.events_count += 1;
            }
        }
        root
    }

    fn pointers(diff: &TreeDiff) -> (Vec<String>, Vec<String>) {
        let text = |d: &super::Difference| format!("{} {}/{}", d.pointer, d.events_count, d.nodes);
        (diff.added.iter().map(text).collect(), diff.removed.iter().map(text).collect())
    }

    #[test]
    fn only_the_uppermost_node_of_a_difference_is_listed() {
        let before = tree(&[&["file_branch", "open", "a"], &["file_branch", "read", "x/y", "~"]]);
        let after = tree(&[
            &["file_branch", "open", "a"],
            &["file_branch", "open", "b"],
            &["network_branch", "connect", "c"],
            &["network_branch", "connect", "d"],
        ]);
        let diff = TreeDiff::of(&before, &after, 10);
        let expected = (
            vec!["/file_branch/open/b 1/1".to_owned(), "/network_branch 2/4".to_owned()],
            vec!["/file_branch/read 1/3".to_owned()],
        );
        assert_eq!((pointers(&diff), diff.left_out), (expected, 0));
        let back = TreeDiff::of(&after, &before, 10);
        assert_eq!((back.added, back.removed), (diff.removed, diff.added));
        assert_eq!(TreeDiff::of(&after, &after, 10), TreeDiff::default());
    }

    #[test]
    fn keys_are_escaped_as_in_a_json_pointer_and_the_rest_is_counted() {
        let before = tree(&[&["a"]]);
        let after = tree(&[&["a"], &["b/c~d"], &["e"], &["f"]]);
        let diff = TreeDiff::of(&before, &after, 1);
        assert_eq!(pointers(&diff), (vec!["/b~1c~0d 1/1".to_owned()], vec![]));
        assert_eq!(diff.left_out, 2);
    }
}
