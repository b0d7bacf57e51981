//! The tree in memory: an arena of nodes, found by (parent, kind, name) in one hash step a level.

use std::hash::BuildHasher;

use hanabi_event::{EventTime, SECOND};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    names::{NameId, Names},
};

/// A node of a [`Tree`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub(crate) u32);

/// What a node stands for. The path of an event below its program is a sequence of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum NodeKind {
    /// The root.
    Root,
    /// A program: name, executable and user.
    Program,
    /// A call that the program makes; one for each branch and call.
    Operation,
    /// Who started it.
    Parent,
    /// An argument it was started with.
    Argument,
    /// A directory.
    Directory,
    /// A file.
    File,
    /// `out`, `in`, `listen`.
    Direction,
    /// An address class.
    Class,
    /// A port.
    Port,
    /// An address.
    Peer,
    /// A unix socket's path.
    Unix,
    /// A socket's family and type.
    Socket,
}

/// How a node came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Seen while learning.
    #[default]
    Learned,
    /// Several siblings of one shape.
    Merged,
    /// Put in by an operator.
    Promoted,
    /// What a full tree could not tell apart any more.
    Rest,
}

/// Up to this many members of a merge are remembered by name.
pub const EXAMPLES: usize = 5;

/// One node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    pub(crate) parent: NodeId,
    pub(crate) name: NameId,
    pub(crate) kind: NodeKind,
    pub(crate) origin: Origin,
    /// How its path was used, for files.
    pub access: Access,
    /// Events that ended here.
    pub count: u64,
    /// First of them.
    pub first: EventTime,
    /// Last of them.
    pub last: EventTime,
    /// The second of event time of the last one.
    pub(crate) last_slot: u32,
    /// In how many different seconds it was seen.
    pub slots: u32,
    pub(crate) first_child: u32,
    pub(crate) next_sibling: u32,
    /// How many children it has.
    pub(crate) width: u32,
    /// Events by call.
    pub(crate) calls: Vec<(NameId, u64)>,
    /// Names that were merged into this node.
    pub(crate) examples: Vec<NameId>,
    /// True when a child's name is a pattern, which a plain look-up does not find.
    pub(crate) has_patterns: bool,
    pub(crate) dead: bool,
}

pub(crate) const NONE: u32 = u32::MAX;

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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) names: Names,
    /// By branch: process, network, file.
    pub(crate) incidences: [Incidences; 3],
    pub(crate) alive: u32,
    /// Names that a full tree folded into `<rest>`.
    pub(crate) folded: u64,
    #[serde(skip)]
    index: HashTable<u32>,
    #[serde(skip)]
    hasher: foldhash::fast::RandomState,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            names: Names::default(),
            incidences: Default::default(),
            alive: 0,
            folded: 0,
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        };
        let name = tree.names.intern("root");
        tree.nodes.push(Node::new(NodeId(0), NodeKind::Root, name));
        tree.alive = 1;
        tree
    }
}

impl Node {
    fn new(parent: NodeId, kind: NodeKind, name: NameId) -> Self {
        Self {
            parent,
            name,
            kind,
            origin: Origin::Learned,
            access: Access::empty(),
            count: 0,
            first: 0,
            last: 0,
            last_slot: NONE,
            slots: 0,
            first_child: NONE,
            next_sibling: NONE,
            width: 0,
            calls: Vec::new(),
            examples: Vec::new(),
            has_patterns: false,
            dead: false,
        }
    }

    /// What it stands for.
    pub fn kind(&self) -> NodeKind {
        self.kind
    }

    /// How it came to be.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its parent; the root is its own.
    pub fn parent(&self) -> NodeId {
        self.parent
    }
}

/// The name of the node that stands for what a full tree folded together.
pub const REST: &str = "<rest>";

impl Tree {
    /// The root.
    pub const ROOT: NodeId = NodeId(0);

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

    /// True when only the root is there.
    pub fn is_empty(&self) -> bool {
        self.alive <= 1
    }

    /// Bytes held in memory, without the allocator's own share.
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self
                .nodes
                .iter()
                .map(|n| n.calls.capacity() * 16 + n.examples.capacity() * 4)
                .sum::<usize>()
            + self.names.bytes()
            + self.index.capacity() * 5
    }

    /// The child of this kind and name. One hash for the name, one for the node.
    pub fn child(&self, parent: NodeId, kind: NodeKind, name: &str) -> Option<NodeId> {
        self.child_by_id(parent, kind, self.names.find(name)?)
    }

    /// The child of this kind and name, or a pattern among the children that covers the name.
    pub fn child_or_pattern(&self, parent: NodeId, kind: NodeKind, name: &str) -> Option<NodeId> {
        if let Some(child) = self.child(parent, kind, name) {
            return Some(child);
        }
        if !self.node(parent).has_patterns {
            return None;
        }
        self.children(parent)
            .filter(|id| self.node(*id).kind == kind && self.node(*id).origin != Origin::Learned)
            .filter(|id| covers(self.name(*id), name))
            .min_by_key(|id| self.name(*id) == REST)
    }

    pub(crate) fn child_by_id(
        &self,
        parent: NodeId,
        kind: NodeKind,
        name: NameId,
    ) -> Option<NodeId> {
        let hash = self.hash(parent, kind, name);
        self.index
            .find(hash, |id| {
                let node = &self.nodes[*id as usize];
                node.parent == parent && node.kind == kind && node.name == name
            })
            .map(|id| NodeId(*id))
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
        if let Some(child) = self.child_or_pattern(parent, kind, name) {
            return (child, false);
        }
        let name = self.names.intern(name);
        (self.insert(parent, kind, name), true)
    }

    /// Puts a node in that is not there yet.
    pub(crate) fn insert(&mut self, parent: NodeId, kind: NodeKind, name: NameId) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let mut node = Node::new(parent, kind, name);
        node.next_sibling = self.node(parent).first_child;
        self.nodes.push(node);
        let parent = self.node_mut(parent);
        parent.first_child = id.0;
        parent.width += 1;
        self.alive += 1;
        self.index_node(id);
        id
    }

    fn index_node(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize];
        let hash = self.hash(node.parent, node.kind, node.name);
        let Self { nodes, index, hasher, .. } = self;
        index.insert_unique(hash, id.0, |id| {
            let node = &nodes[*id as usize];
            hasher.hash_one((node.parent.0, node.kind as u8, node.name.0))
        });
    }

    /// Takes a node out of its parent's list and of the index. Its slot in the arena stays until
    /// [`Tree::compact`].
    pub(crate) fn remove(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize];
        let (parent, next) = (node.parent, node.next_sibling);
        let hash = self.hash(node.parent, node.kind, node.name);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id.0) {
            entry.remove();
        }
        if self.node(parent).first_child == id.0 {
            self.node_mut(parent).first_child = next;
        } else {
            let before = self.children(parent).find(|c| self.node(*c).next_sibling == id.0);
            if let Some(before) = before {
                self.node_mut(before).next_sibling = next;
            }
        }
        self.node_mut(parent).width -= 1;
        self.node_mut(id).dead = true;
        self.alive -= 1;
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
            node.slots += 1;
            self.incidences[branch].paths += u64::from(node.slots == 1);
        }
        if node.count == 0 || time < node.first {
            node.first = time;
        }
        node.last = node.last.max(time);
        node.count += count;
        node.access |= access;
        match node.calls.iter_mut().find(|(name, _)| *name == call) {
            Some((_, calls)) => *calls += count,
            None => node.calls.push((call, count)),
        }
    }

    /// Rebuilds what is not stored. To be called after deserialising.
    pub fn reindex(&mut self) {
        self.index.clear();
        for id in 0..self.nodes.len() {
            if id > 0 && !self.nodes[id].dead {
                self.index_node(NodeId(id as u32));
            }
        }
    }

    fn hash(&self, parent: NodeId, kind: NodeKind, name: NameId) -> u64 {
        self.hasher.hash_one((parent.0, kind as u8, name.0))
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

/// True when a merged node's name covers `name`: `*`, `*.log`, `<rest>`, or equal.
pub fn covers(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        _ if pattern == REST => true,
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

    use super::{NodeKind, Tree, covers};
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
        let text = serde_json::to_string(&tree).unwrap();
        let mut copy: Tree = serde_json::from_str(&text).unwrap();
        copy.reindex();
        assert_eq!(copy.child(a, NodeKind::File, "b"), Some(b));
        tree.remove(b);
        assert_eq!(tree.child(a, NodeKind::File, "b"), None);
        assert_eq!((tree.len(), tree.children(a).count()), (2, 0));
    }

    #[test]
    fn patterns_cover_their_shape() {
        for (pattern, name, covered) in [
            ("*", "x", true),
            ("*.log", "a.log", true),
            ("*.log", ".lo", false),
            ("page.*", "page.<num>", true),
            ("<rest>", "anything", true),
            ("a", "b", false),
        ] {
            assert_eq!(covers(pattern, name), covered, "{pattern} {name}");
        }
    }
}
