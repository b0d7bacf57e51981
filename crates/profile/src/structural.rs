//! Structural generalisation: siblings of one shape become one node.
//!
//! Merges run at the ends of windows over sorted siblings, so that the order of events within a
//! window does not matter. Each merge sums the members' counts and keeps a few of their names.

use crate::{
    profile::Profile,
    tree::{EXAMPLES, NodeId, NodeKind, Origin, Tree},
};

/// How wide and how large a tree may grow.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Nodes of a profile. Past it the tree coarsens and never stops counting.
    pub max_nodes: usize,
    /// File names in a directory before those of one ending merge.
    pub files: u32,
    /// Directories in a directory, two levels down or deeper.
    pub directories: u32,
    /// Arguments of a program.
    pub arguments: u32,
    /// Ports of one class of address.
    pub ports: u32,
    /// Addresses of one port.
    pub peers: u32,
    /// Switches merging off, for measurement.
    pub merge: bool,
    /// Switches lexical generalisation off, for measurement: names keep their numbers.
    pub lexical: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_nodes: 50_000,
            files: 24,
            directories: 24,
            arguments: 48,
            ports: 24,
            peers: 16,
            merge: true,
            lexical: true,
        }
    }
}

impl Limits {
    /// The number of siblings of a kind above which they are looked at.
    pub fn width(&self, kind: NodeKind) -> u32 {
        match kind {
            NodeKind::File | NodeKind::Unix => self.files,
            NodeKind::Directory => self.directories,
            NodeKind::Argument => self.arguments,
            NodeKind::Port => self.ports,
            NodeKind::Peer => self.peers,
            _ => 4_096,
        }
    }
}

/// A merge needs at least this many members: fewer are a list, not a shape.
const MEMBERS: usize = 8;
/// Directories nearer to the root than this hold names of different meaning (`/etc`, `/usr/bin`)
/// and are never merged.
const GUARDED_DEPTH: usize = 2;
/// Directories in which every file means something of its own: `*` never stands for their files.
const GUARDED_FILES: [&str; 9] =
    ["", "etc", "bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "root"];

impl Profile {
    /// Merges below the parents that have become too wide, then compacts the arena.
    pub(crate) fn merge_crowded(&mut self, limits: &Limits) {
        if self.crowded.is_empty() || !limits.merge {
            return;
        }
        let mut crowded = std::mem::take(&mut self.crowded);
        crowded.sort_unstable();
        crowded.dedup();
        let mut merged = false;
        for parent in crowded {
            if !self.tree.node(parent).dead {
                merged |= merge_children(&mut self.tree, parent, limits);
            }
        }
        if merged {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let moved = self.tree.compact();
        self.reindex_programs(|id| moved.get(id.0 as usize).copied().flatten());
    }
}

fn merge_children(tree: &mut Tree, parent: NodeId, limits: &Limits) -> bool {
    let mut merged = false;
    for kind in [
        NodeKind::File,
        NodeKind::Directory,
        NodeKind::Argument,
        NodeKind::Port,
        NodeKind::Peer,
        NodeKind::Unix,
    ] {
        merged |= merge_kind(tree, parent, kind, limits.width(kind) as usize);
    }
    merged
}

fn merge_kind(tree: &mut Tree, parent: NodeId, kind: NodeKind, limit: usize) -> bool {
    let mut members: Vec<(String, NodeId)> = tree
        .children(parent)
        .filter(|id| tree.node(*id).kind == kind && tree.node(*id).origin == Origin::Learned)
        .map(|id| (tree.name(id).to_owned(), id))
        .collect();
    if members.len() <= limit {
        return false;
    }
    members.sort();
    let depth = tree.path(parent).len().saturating_sub(1);
    if kind == NodeKind::Directory && depth < GUARDED_DEPTH {
        return false;
    }
    let mut merged = false;
    for (pattern, group) in groups(kind, &members) {
        merge_group(tree, parent, kind, &pattern, &group);
        members.retain(|(_, id)| !group.contains(id));
        merged = true;
    }
    if members.len() > limit && !(kind == NodeKind::File && is_guarded(tree, parent)) {
        let rest: Vec<NodeId> = members
            .iter()
            .filter(|(name, _)| kind != NodeKind::Argument || !name.starts_with('-'))
            .map(|(_, id)| *id)
            .collect();
        if rest.len() >= MEMBERS {
            merge_group(tree, parent, kind, "*", &rest);
            merged = true;
        }
    }
    merged
}

fn is_guarded(tree: &Tree, directory: NodeId) -> bool {
    let path = tree.path(directory);
    let names: Vec<&str> = path.iter().skip(1).map(|id| tree.name(*id)).collect();
    GUARDED_FILES.contains(&names.join("/").as_str())
}

/// Groups of one shape, by pattern: the same ending after the last dot, or the same beginning
/// before the first typed part.
fn groups(kind: NodeKind, members: &[(String, NodeId)]) -> Vec<(String, Vec<NodeId>)> {
    let mut by_shape = std::collections::BTreeMap::<String, Vec<NodeId>>::new();
    for (name, id) in members {
        let shape = match kind {
            NodeKind::File | NodeKind::Unix => ending(name),
            _ => None,
        };
        if let Some(shape) = shape {
            by_shape.entry(shape).or_default().push(*id);
        }
    }
    by_shape.into_iter().filter(|(_, group)| group.len() >= MEMBERS).collect()
}

fn ending(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    let plain = !ending.is_empty() && ending.len() <= 12 && !ending.contains(['*', '<']);
    (plain && !stem.is_empty()).then(|| format!("*.{ending}"))
}

fn merge_group(tree: &mut Tree, parent: NodeId, kind: NodeKind, pattern: &str, group: &[NodeId]) {
    let name = tree.names.intern(pattern);
    let target = match tree.child_by_id(parent, kind, name) {
        Some(existing) => existing,
        None => tree.insert(parent, kind, name),
    };
    tree.node_mut(target).origin = Origin::Merged;
    tree.node_mut(parent).has_patterns = true;
    for member in group {
        if *member != target {
            fold(tree, *member, target);
        }
    }
}

/// Moves what is known of `from`, and everything below it, into `to`.
fn fold(tree: &mut Tree, from: NodeId, to: NodeId) {
    let children: Vec<NodeId> = tree.children(from).collect();
    for child in children {
        let (kind, name) = (tree.node(child).kind, tree.node(child).name);
        let target = match tree.child_by_id(to, kind, name) {
            Some(existing) => existing,
            None => tree.insert(to, kind, name),
        };
        if tree.node(child).origin != Origin::Learned {
            let origin = tree.node(child).origin;
            tree.node_mut(target).origin = origin;
            tree.node_mut(to).has_patterns = true;
        }
        fold(tree, child, target);
    }
    let source = tree.node(from).clone();
    let branch = branch_of(&source);
    let node = tree.node_mut(to);
    let (before_from, before_to) = (source.slots, node.slots);
    node.access |= source.access;
    if node.count == 0 || (source.count > 0 && source.first < node.first) {
        node.first = source.first;
    }
    node.count += source.count;
    node.last = node.last.max(source.last);
    node.slots += source.slots;
    if source.last_slot != u32::MAX {
        node.last_slot = if node.last_slot == u32::MAX {
            source.last_slot
        } else {
            node.last_slot.max(source.last_slot)
        };
    }
    for (call, count) in source.calls {
        match node.calls.iter_mut().find(|(name, _)| *name == call) {
            Some((_, total)) => *total += count,
            None => node.calls.push((call, count)),
        }
    }
    for example in std::iter::once(source.name).chain(source.examples) {
        if node.examples.len() < EXAMPLES
            && !node.examples.contains(&example)
            && example != node.name
        {
            node.examples.push(example);
        }
    }
    tree.incidences[branch].paths -= u64::from(before_from > 0 && before_to > 0);
    tree.remove(from);
}

fn branch_of(node: &crate::tree::Node) -> usize {
    match node.kind {
        NodeKind::Directory | NodeKind::File => 2,
        NodeKind::Direction
        | NodeKind::Class
        | NodeKind::Port
        | NodeKind::Peer
        | NodeKind::Unix
        | NodeKind::Socket => 1,
        _ => 0,
    }
}

impl Tree {
    /// Drops dead nodes and unused names; returns where each node went.
    pub(crate) fn compact(&mut self) -> Vec<Option<NodeId>> {
        let mut moved: Vec<Option<NodeId>> = vec![None; self.nodes.len()];
        let mut names = crate::names::Names::default();
        let old_nodes = std::mem::take(&mut self.nodes);
        let mut next = 0u32;
        for (index, node) in old_nodes.iter().enumerate() {
            if !node.dead {
                moved[index] = Some(NodeId(next));
                next += 1;
            }
        }
        let place = |id: u32| moved.get(id as usize).copied().flatten().map_or(u32::MAX, |n| n.0);
        self.nodes = Vec::with_capacity(next as usize);
        for mut node in old_nodes.into_iter().filter(|n| !n.dead) {
            node.parent = NodeId(place(node.parent.0));
            node.first_child = place(node.first_child);
            node.next_sibling = place(node.next_sibling);
            node.name = names.intern(self.names.get(node.name));
            for (call, _) in &mut node.calls {
                *call = names.intern(self.names.get(*call));
            }
            for example in &mut node.examples {
                *example = names.intern(self.names.get(*example));
            }
            self.nodes.push(node);
        }
        self.names = names;
        self.reindex();
        moved
    }
}
