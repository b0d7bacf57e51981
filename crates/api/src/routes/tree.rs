//! The part of a tree that was asked for.

use std::collections::VecDeque;

use hanabi_profile::TreeNode;

use crate::error::ApiError;

/// What to show of a tree.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// `process`, `network` or `file`: the other branches are left out.
    pub(super) branch: Option<String>,
    /// A JSON pointer over the keys of `children`: only the tree below that node.
    pub(super) node: Option<String>,
    /// Levels below the node shown.
    pub(super) depth: usize,
    /// Only nodes whose name contains this, in lower case, with the way to them and what is below.
    pub(super) needle: Option<String>,
    /// Nodes at most.
    pub(super) nodes: usize,
}

/// Where children were left out, `metadata` says so by this name, with how many.
const LEFT_OUT: &str = "children_left_out";

/// Cuts a tree to what was asked for. Cost is linear in its nodes.
pub(super) fn cut(mut root: TreeNode, view: &View) -> Result<TreeNode, ApiError> {
    if let Some(branch) = &view.branch {
        let prefix = format!("{branch}_");
        root.children.retain(|key, _| key == branch || key.starts_with(&prefix));
    }
    if let Some(pointer) = &view.node {
        root = descend(root, pointer)?;
    }
    if let Some(needle) = &view.needle {
        retain(&mut root, needle);
    }
    limit(&mut root, view.depth, view.nodes);
    Ok(root)
}

/// The longest pointer that is looked up: deeper than any tree, with the longest names.
const POINTER_BYTES: usize = 8_192;

/// The keys of a JSON pointer over the keys of `children` (RFC 6901).
pub(super) fn keys(pointer: &str) -> Result<Vec<String>, ApiError> {
    let keys = pointer.strip_prefix('/').filter(|keys| keys.len() < POINTER_BYTES);
    let keys = keys.ok_or_else(|| {
        let bound = "it is a JSON pointer over the keys of children, up to 8192 bytes, such as \
                     /file_branch/openat/nginx/file_name:*.html";
        ApiError::parameter("node", pointer, bound)
    })?;
    Ok(keys.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect())
}

fn descend(mut node: TreeNode, pointer: &str) -> Result<TreeNode, ApiError> {
    for key in keys(pointer)? {
        node = node.children.remove(&key).ok_or_else(|| ApiError::not_found("node", pointer))?;
    }
    Ok(node)
}

/// Leaves the nodes that match, all below them, and the way to them; answers whether any does.
fn retain(node: &mut TreeNode, needle: &str) -> bool {
    if node.name.to_lowercase().contains(needle) {
        return true;
    }
    node.children.retain(|_, child| retain(child, needle));
    !node.children.is_empty()
}

/// Leaves at most so many levels and nodes, the upper levels first.
fn limit(root: &mut TreeNode, depth: usize, nodes: usize) {
    let mut left = nodes.saturating_sub(1);
    let mut level: VecDeque<(&mut TreeNode, usize)> = VecDeque::from([(root, 0)]);
    while let Some((node, at)) = level.pop_front() {
        let allowed = if at < depth { left } else { 0 };
        if node.children.len() > allowed {
            // The busiest children say most of a node.
            let mut by_events: Vec<_> = node
                .children
                .iter()
                .map(|(key, child)| (child.events_count, key.clone()))
                .collect();
            by_events.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            for (_, key) in by_events.iter().skip(allowed) {
                node.children.remove(key);
            }
            let gone = by_events.len() - node.children.len();
            node.metadata.insert(LEFT_OUT.into(), gone.into());
        }
        left -= node.children.len();
        level.extend(node.children.values_mut().map(|child| (child, at + 1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, events: u64, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            name: name.into(),
            events_count: events,
            children: children.into_iter().map(|child| (child.name.clone(), child)).collect(),
            ..TreeNode::default()
        }
    }

    fn sample() -> TreeNode {
        let shell = node("sh", 3, vec![node("-c", 3, vec![]), node("/etc/x", 1, vec![])]);
        let execve = node("execve", 5, vec![shell, node("nginx", 2, vec![])]);
        node(
            "web",
            9,
            vec![
                node("process_branch", 5, vec![execve]),
                node("file_branch", 4, vec![node("openat", 4, vec![])]),
            ],
        )
    }

    fn whole() -> View {
        View { branch: None, node: None, depth: 60, needle: None, nodes: 1_000 }
    }

    fn outline(node: &TreeNode) -> String {
        let children: Vec<String> = node.children.values().map(outline).collect();
        let more = node.metadata.get(LEFT_OUT).map_or(String::new(), |n| format!("+{n}"));
        match (children.is_empty(), more.is_empty()) {
            (true, true) => node.name.clone(),
            _ => format!("{}({}{more})", node.name, children.join(" ")),
        }
    }

    #[test]
    fn views_are_parts_of_the_tree() {
        for (view, expected) in [
            (whole(), "web(file_branch(openat) process_branch(execve(nginx sh(-c /etc/x))))"),
            (View { branch: Some("file".into()), ..whole() }, "web(file_branch(openat))"),
            (View { depth: 1, ..whole() }, "web(file_branch(+1) process_branch(+1))"),
            (View { depth: 0, ..whole() }, "web(+2)"),
            (View { node: Some("/process_branch/execve/sh".into()), ..whole() }, "sh(-c /etc/x)"),
            (View { node: Some("/process_branch/execve/sh/~1etc~1x".into()), ..whole() }, "/etc/x"),
            (View { needle: Some("ngi".into()), ..whole() }, "web(process_branch(execve(nginx)))"),
            (View { needle: Some("nothing".into()), ..whole() }, "web"),
            (
                View { nodes: 6, ..whole() },
                "web(file_branch(openat) process_branch(execve(sh(+2)+1)))",
            ),
        ] {
            assert_eq!(outline(&cut(sample(), &view).unwrap()), expected, "{view:?}");
        }
    }

    #[test]
    fn wrong_nodes_are_refused() {
        for (pointer, status) in [("process_branch", "bad"), ("/nothing", "none")] {
            let refused = cut(sample(), &View { node: Some(pointer.into()), ..whole() });
            match status {
                "bad" => assert!(matches!(refused, Err(ApiError::BadParameter { .. }))),
                _ => assert!(matches!(refused, Err(ApiError::NotFound { .. }))),
            }
        }
    }
}
