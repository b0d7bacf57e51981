//! The tree in memory: an arena of nodes, found by (parent, kind, name) in one hash step a level.

use std::{collections::BTreeMap, hash::BuildHasher};

use hanabi_event::{EventTime, SECOND};
use hashbrown::{HashMap, HashTable};
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    calls::Calls,
    members::Merge,
    names::{NameId, Names},
    node::{Flags, NONE, Node, NodeId, NodeKind, Origin},
    promote::can_be_wide,
    revision_sets::RevisionSets,
    shares::Origins,
};

/// What a branch has shown, for the estimate of what has not been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidences {
    /// Activities since the warm-up that hold a path seen in no other second (Q1).
    pub once: u64,
    /// Activities since the warm-up: pairs of a program and a second in which it was active (m).
    pub sum: u64,
    /// Distinct paths.
    pub paths: u64,
    /// Events.
    pub events: u64,
}

/// The arena. See the module's text.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) names: Names,
    pub(crate) calls: Calls,
    /// By branch: process, network, file.
    pub(crate) incidences: [Incidences; 3],
    pub(crate) alive: u32,
    /// Names that a full tree folded into `<rest>`.
    pub(crate) folded: u64,
    /// How often a full tree was made coarser.
    pub(crate) coarsenings: u64,
    /// Making it coarser did not help enough: not again before so many names are folded.
    pub(crate) patience: u64,
    /// What the merged nodes were made of.
    pub(crate) merges: BTreeMap<NodeId, Merge>,
    pub(crate) origins: Origins,
    pub(crate) revisions: RevisionSets,
    /// Places of nodes that are gone.
    pub(crate) free: Vec<u32>,
    /// The children of a node whose names are patterns.
    patterns: HashMap<NodeId, Vec<NodeId>>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self::of(Vec::new(), Names::default());
        let name = tree.names.intern("root");
        tree.nodes.push(Node::new(NodeId(0), NodeKind::Root, name));
        tree.alive = 1;
        tree
    }
}

/// The name of the node that stands for what a full tree folded together.
pub const REST: &str = "<rest>";

/// Less than this is no litter worth moving nodes for.
const LITTER: usize = 1_000;

impl Tree {
    /// The root.
    pub const ROOT: NodeId = NodeId(0);

    pub(crate) fn of(nodes: Vec<Node>, names: Names) -> Self {
        Self {
            nodes,
            names,
            calls: Calls::default(),
            incidences: Default::default(),
            alive: 0,
            folded: 0,
            coarsenings: 0,
            patience: 0,
            merges: BTreeMap::new(),
            origins: Origins::default(),
            revisions: RevisionSets::default(),
            free: Vec::new(),
            patterns: HashMap::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// A node's name.
    pub fn name(&self, id: NodeId) -> &str {
        self.names.get(self.node(id).name)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.alive as usize
    }

    /// True when more than half of what is held is of nodes that are gone.
    pub(crate) fn is_littered(&self) -> bool {
        self.names.len() > 2 * self.len() + LITTER || self.free.len() > self.len() + LITTER
    }

    /// True when only the root is there.
    pub fn is_empty(&self) -> bool {
        self.alive <= 1
    }

    /// How often it was made coarser because it was full.
    pub fn coarsenings(&self) -> u64 {
        self.coarsenings
    }

    /// Bytes held in memory, without the allocator's own share. Linear in the merged nodes.
    pub fn bytes(&self) -> usize {
        let calls = |s: &crate::shares::Share| s.calls.capacity() * 16;
        let members: usize = self
            .merges
            .values()
            .map(|m| {
                m.members.capacity() * size_of::<crate::members::Member>()
                    + m.members.iter().map(|m| calls(&m.share)).sum::<usize>()
            })
            .sum();
        let foreign: usize = self
            .origins
            .foreign
            .values()
            .flatten()
            .map(|s| size_of::<crate::shares::Share>() + calls(s))
            .sum();
        self.nodes.capacity() * size_of::<Node>()
            + self.calls.bytes()
            + self.names.bytes()
            + self.index.capacity() * 5
            + self.free.capacity() * 4
            + self.patterns.capacity() * 32
            + members
            + foreign
    }

    /// The child of this kind and name. One hash.
    pub fn child(&self, parent: NodeId, kind: NodeKind, name: &str) -> Option<NodeId> {
        let hash = self.hash(parent, kind, name);
        self.index
            .find(hash, |id| {
                let node = &self.nodes[*id as usize];
                node.parent == parent && node.kind == kind && self.names.get(node.name) == name
            })
            .map(|id| NodeId(*id))
    }

    /// The child of this kind and name, or a pattern among the children that covers the name. What
    /// stands for a rest covers it only where `rest` is asked for, since a tree that learns tells
    /// apart what it can.
    pub fn child_or_pattern(
        &self,
        parent: NodeId,
        kind: NodeKind,
        name: &str,
        rest: bool,
    ) -> Option<NodeId> {
        if let Some(child) = self.child(parent, kind, name) {
            return Some(child);
        }
        if !self.node(parent).is(Flags::PATTERNS) {
            return None;
        }
        let patterns = self.patterns.get(&parent)?;
        let fits = |id: &&NodeId| {
            let node = self.node(**id);
            node.kind == kind
                && (rest || node.origin != Origin::Rest)
                && covers(kind, self.names.get(node.name), name)
        };
        // The narrowest: the longest pattern, and what stands for a rest only where nothing else
        // does.
        let narrow = |id: &&NodeId| {
            let name = self.name(**id);
            (self.node(**id).origin != Origin::Rest, name.len(), std::cmp::Reverse(name))
        };
        patterns.iter().filter(fits).max_by(|a, b| narrow(a).cmp(&narrow(b))).copied()
    }

    pub(crate) fn child_by_id(
        &self,
        parent: NodeId,
        kind: NodeKind,
        name: NameId,
    ) -> Option<NodeId> {
        self.child(parent, kind, self.names.get(name))
    }

    /// The children, newest first.
    pub fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.node(parent).first_child;
        std::iter::from_fn(move || {
            let id = (next != NONE).then_some(NodeId(next))?;
            next = self.node(id).next_sibling;
            Some(id)
        })
    }

    /// The child, put in if it is new; true when it was.
    pub fn child_or_insert(
        &mut self,
        parent: NodeId,
        kind: NodeKind,
        name: &str,
    ) -> (NodeId, bool) {
        if let Some(child) = self.child_or_pattern(parent, kind, name, false) {
            return (child, false);
        }
        let name = self.names.intern(name);
        (self.insert(parent, kind, name), true)
    }

    /// Puts a node in that is not there yet.
    pub(crate) fn insert(&mut self, parent: NodeId, kind: NodeKind, name: NameId) -> NodeId {
        let mut node = Node::new(parent, kind, name);
        node.next_sibling = self.node(parent).first_child;
        let id = if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            NodeId(place)
        } else {
            self.nodes.push(node);
            NodeId((self.nodes.len() - 1) as u32)
        };
        let parent = self.node_mut(parent);
        parent.first_child = id.0;
        parent.width += 1;
        self.alive += 1;
        self.index_node(id);
        id
    }

    /// The child of this name, put in if it is new, as one that stands for others.
    pub(crate) fn pattern(
        &mut self,
        parent: NodeId,
        kind: NodeKind,
        name: &str,
        origin: Origin,
    ) -> NodeId {
        let name = self.names.intern(name);
        let id = match self.child_by_id(parent, kind, name) {
            Some(id) => id,
            None => self.insert(parent, kind, name),
        };
        self.stand_for_others(id, origin);
        id
    }

    /// From now on this node's name is a pattern.
    pub(crate) fn stand_for_others(&mut self, id: NodeId, origin: Origin) {
        self.node_mut(id).origin = origin;
        self.note_pattern(id);
    }

    fn note_pattern(&mut self, id: NodeId) {
        let parent = self.node(id).parent;
        self.node_mut(parent).flags |= Flags::PATTERNS;
        let patterns = self.patterns.entry(parent).or_default();
        if !patterns.contains(&id) {
            patterns.push(id);
        }
    }

    fn index_node(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize];
        let hash = self.hash(node.parent, node.kind, self.names.get(node.name));
        let Self { nodes, names, index, hasher, .. } = self;
        index.insert_unique(hash, id.0, |id| {
            let node = &nodes[*id as usize];
            hasher.hash_one((node.parent.0, node.kind as u8, names.get(node.name)))
        });
    }

    fn unindex(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize];
        let hash = self.hash(node.parent, node.kind, self.names.get(node.name));
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id.0) {
            entry.remove();
        }
    }

    /// Takes a node without children out of the tree; its place may be used again.
    pub(crate) fn remove(&mut self, id: NodeId) {
        self.unindex(id);
        let (parent, next) = (self.node(id).parent, self.node(id).next_sibling);
        if self.node(parent).first_child == id.0 {
            self.node_mut(parent).first_child = next;
        } else {
            let before = self.children(parent).find(|c| self.node(*c).next_sibling == id.0);
            if let Some(before) = before {
                self.node_mut(before).next_sibling = next;
            }
        }
        self.node_mut(parent).width -= 1;
        self.discard(id);
    }

    /// Takes many children of one parent out at once: one by one, each would be looked for in the
    /// list of all.
    pub(crate) fn remove_all(&mut self, parent: NodeId, gone: &std::collections::HashSet<NodeId>) {
        let kept: Vec<NodeId> = self.children(parent).filter(|c| !gone.contains(c)).collect();
        let mut next = NONE;
        for id in kept.iter().rev() {
            self.node_mut(*id).next_sibling = next;
            next = id.0;
        }
        let node = self.node_mut(parent);
        (node.first_child, node.width) = (next, kept.len() as u32);
        let mut gone: Vec<NodeId> = gone.iter().copied().collect();
        gone.sort_unstable();
        for id in gone {
            self.unindex(id);
            self.discard(id);
        }
    }

    fn discard(&mut self, id: NodeId) {
        let parent = self.node(id).parent;
        if let Some(patterns) = self.patterns.get_mut(&parent) {
            patterns.retain(|p| *p != id);
        }
        self.patterns.remove(&id);
        self.merges.remove(&id);
        self.origins.foreign.remove(&id);
        self.calls.release(self.node(id).first_call);
        let node = self.node_mut(id);
        (node.flags, node.first_call, node.first_child) = (Flags::DEAD, NONE, NONE);
        self.free.push(id.0);
        self.alive -= 1;
    }

    /// Makes directories of the children that were seen as files and have children of their own, so
    /// that it does not matter which was seen first.
    pub(crate) fn settle_kinds(&mut self, parent: NodeId) {
        let files: Vec<NodeId> = self
            .children(parent)
            .filter(|id| self.node(*id).kind == NodeKind::File && self.node(*id).width > 0)
            .collect();
        for id in files {
            self.unindex(id);
            self.node_mut(id).kind = NodeKind::Directory;
            self.index_node(id);
        }
    }

    /// Gives a node another name.
    pub(crate) fn rename(&mut self, id: NodeId, name: &str) {
        self.unindex(id);
        self.node_mut(id).name = self.names.intern(name);
        self.index_node(id);
    }

    /// Counts an event at a leaf.
    pub(crate) fn touch(
        &mut self,
        id: NodeId,
        branch: usize,
        call: NameId,
        access: Access,
        time: EventTime,
        count: u64,
    ) {
        let slot = (time / SECOND) as u32;
        let node = &mut self.nodes[id.0 as usize];
        if node.last_slot != slot {
            node.last_slot = slot;
            node.slots = node.slots.saturating_add(1);
            self.incidences[branch].paths += u64::from(node.slots == 1);
            node.revisions = self.revisions.with_current(node.revisions);
        }
        if node.count == 0 || time < node.first {
            node.first = time;
        }
        node.last = node.last.max(time);
        node.count = node.count.saturating_add(count);
        node.access |= access;
        node.first_call = self.calls.add(node.first_call, call, count);
    }

    /// Rebuilds what is not stored.
    pub(crate) fn reindex(&mut self) {
        self.index.clear();
        self.patterns.clear();
        for id in 1..self.nodes.len() {
            let id = NodeId(id as u32);
            if self.node(id).is(Flags::DEAD) {
                continue;
            }
            self.index_node(id);
            let wide = match self.node(id).origin {
                Origin::Learned => false,
                Origin::Merged | Origin::Rest => true,
                Origin::Promoted => can_be_wide(self.node(id).kind, self.name(id)),
            };
            if wide {
                self.note_pattern(id);
            }
        }
    }

    fn hash(&self, parent: NodeId, kind: NodeKind, name: &str) -> u64 {
        self.hasher.hash_one((parent.0, kind as u8, name))
    }

    /// The nodes from the root's child down to `id`.
    pub fn path(&self, mut id: NodeId) -> Vec<NodeId> {
        let mut path = Vec::new();
        while id != Self::ROOT {
            path.push(id);
            id = self.node(id).parent;
        }
        path.reverse();
        path
    }
}

/// True when a merged node's name covers `name`: `*`, `*.log`, `<rest>`, or equal. A flag is no
/// value, so that only what stands for a rest covers flags among values.
pub fn covers(kind: NodeKind, pattern: &str, name: &str) -> bool {
    if kind == NodeKind::Argument && pattern == "*" && name.starts_with('-') {
        return false;
    }
    match pattern.split_once(REST).or_else(|| pattern.split_once('*')) {
        Some((before, after)) => {
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::SECOND;

    use super::{NodeKind, Origin, REST, Tree, covers};
    use crate::access::Access;

    #[test]
    fn nodes_are_found_counted_and_removed() {
        let mut tree = Tree::default();
        let (a, new) = tree.child_or_insert(Tree::ROOT, NodeKind::Directory, "a");
        assert!(new);
        let (b, _) = tree.child_or_insert(a, NodeKind::File, "b");
        let call = tree.names.intern("openat");
        for second in [1, 1, 2, 5] {
            tree.touch(b, 2, call, Access::READ, second * SECOND, 1);
        }
        assert_eq!((tree.node(b).count, tree.node(b).slots), (4, 3));
        assert_eq!(tree.incidences[2].paths, 1);
        tree.remove(b);
        assert_eq!(tree.child(a, NodeKind::File, "b"), None);
        assert_eq!((tree.len(), tree.children(a).count()), (2, 0));
        let (c, _) = tree.child_or_insert(a, NodeKind::File, "c");
        assert_eq!((c, tree.node(c).count, tree.nodes.len()), (b, 0, 3), "its place is used again");
    }

    #[test]
    fn many_children_are_removed_at_once() {
        let mut tree = Tree::default();
        let ids: Vec<_> = (0..10)
            .map(|n| tree.child_or_insert(Tree::ROOT, NodeKind::File, &format!("f{n}")).0)
            .collect();
        tree.remove_all(Tree::ROOT, &ids[3..9].iter().copied().collect());
        let left: Vec<&str> = tree.children(Tree::ROOT).map(|id| tree.name(id)).collect();
        assert_eq!(left, ["f9", "f2", "f1", "f0"]);
        assert_eq!((tree.len(), tree.node(Tree::ROOT).width), (5, 4));
        assert_eq!(tree.child(Tree::ROOT, NodeKind::File, "f4"), None);
        assert_eq!(tree.child(Tree::ROOT, NodeKind::File, "f9"), Some(ids[9]));
    }

    #[test]
    fn the_narrowest_pattern_is_found_and_a_rest_last() {
        let mut tree = Tree::default();
        let kind = NodeKind::File;
        let all = tree.pattern(Tree::ROOT, kind, "*.log", Origin::Merged);
        let narrow = tree.pattern(Tree::ROOT, kind, "app-*.log", Origin::Merged);
        let rest = tree.pattern(Tree::ROOT, kind, REST, Origin::Rest);
        let found = |name, rest| tree.child_or_pattern(Tree::ROOT, kind, name, rest);
        assert_eq!(found("app-x.log", false), Some(narrow));
        assert_eq!(found("x.log", true), Some(all));
        assert_eq!((found("x.txt", false), found("x.txt", true)), (None, Some(rest)));
    }

    #[test]
    fn patterns_cover_their_shape() {
        for (kind, pattern, name, covered) in [
            (NodeKind::File, "*", "x", true),
            (NodeKind::File, "*.log", "a.log", true),
            (NodeKind::File, "*.log", ".lo", false),
            (NodeKind::File, "page.*", "page.<num>", true),
            (NodeKind::File, "page_*.html", "page_.html", true),
            (NodeKind::File, "<rest>", "anything", true),
            (NodeKind::File, "<rest>.log", "a.log", true),
            (NodeKind::File, "<rest>.log", "a.txt", false),
            (NodeKind::File, "a", "b", false),
            (NodeKind::Argument, "*", "x", true),
            (NodeKind::Argument, "*", "-x", false),
            (NodeKind::Argument, "<rest>", "-x", true),
        ] {
            assert_eq!(covers(kind, pattern, name), covered, "{pattern} {name}");
        }
    }
}
