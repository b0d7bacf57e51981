//! The stored form of a profile: what is written is read back, or refused with a reason.
//!
//! A stored profile comes from disk, and may come from anybody. Everything that the tree relies on
//! is looked at when it is read: an index that points nowhere, a circle of parents, a child in two
//! lists would make it panic, or walk for ever, on the first event. What can be derived is not
//! stored at all.
//!
//! Fields are added with defaults and the version goes up; each version that was ever written has a
//! file in `fixtures`, which a test reads.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct,
};

use crate::{
    access::Access,
    calls::Calls,
    members::{Member, Merge},
    names::{NameId, Names},
    node::{Flags, NONE, Node, NodeId, NodeKind, Origin},
    profile::Profile,
    revision_sets::RevisionSets,
    shares::{MAX_ORIGINS, Origins, Share},
    tree::{Incidences, Tree},
};

/// The version that is written. 1 had no members of merges, no origins and no revisions of nodes.
pub const PROFILE_VERSION: u32 = 2;

/// Stored profiles of the first version do not tell it.
pub(crate) fn first_version() -> u32 {
    1
}

/// No path is so long: a program, its steps, and room to spare.
const MAX_TREE_DEPTH: usize = 64;
/// Counters above this were not counted by anybody, and sums of them would not fit.
const MAX_COUNT: u64 = 1 << 60;

/// Why a stored profile is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileError {
    /// It is of a later version than this program knows.
    Version(u32),
    /// A node is impossible: its place, and what is wrong.
    Node(u32, &'static str),
    /// Something beside the nodes is.
    Table(&'static str),
}

impl std::fmt::Display for ProfileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "the profile is of version {version}, and this program knows versions up to \
                 {PROFILE_VERSION}"
            ),
            Self::Node(place, what) => write!(f, "node {place} of the stored tree {what}"),
            Self::Table(what) => write!(f, "the stored profile {what}"),
        }
    }
}

impl std::error::Error for ProfileError {}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut profile = Self::deserialize(from)?;
        profile.check().map_err(D::Error::custom)?;
        profile.version = PROFILE_VERSION;
        let programs: Vec<NodeId> = profile.info.keys().copied().collect();
        for id in programs {
            if profile.tree.node(id).origin != Origin::Rest {
                profile.programs.insert(profile.tree.name(id).to_owned(), id);
            }
        }
        Ok(profile)
    }
}

impl Profile {
    fn check(&mut self) -> Result<(), ProfileError> {
        if self.version > PROFILE_VERSION {
            return Err(ProfileError::Version(self.version));
        }
        let tree = &self.tree;
        let alive = |id: &NodeId| tree.nodes.get(id.0 as usize).is_some_and(|n| !n.is(Flags::DEAD));
        let program = |id: &NodeId| alive(id) && tree.node(*id).kind == NodeKind::Program;
        if !self.info.keys().all(program) {
            return Err(ProfileError::Table("describes a program that is not in the tree"));
        }
        let known = |id: &NodeId| self.info.contains_key(id);
        if !tree.children(Tree::ROOT).all(|id| known(&id)) {
            return Err(ProfileError::Table("has a program without a description"));
        }
        if self.info.values().any(|i| i.slots > 1 << 31 || i.starts > MAX_COUNT) {
            return Err(ProfileError::Table("has counters that nobody counted"));
        }
        let totals = [self.events, self.deviations, self.variations];
        let incidences = tree.incidences.iter().flat_map(|i| [i.sum, i.paths, i.events]);
        if totals.into_iter().chain(incidences).any(|n| n > MAX_COUNT) {
            return Err(ProfileError::Table("has counters that nobody counted"));
        }
        if self.foreign.iter().any(|t| usize::from(t.origin) >= tree.origins.names.len()) {
            return Err(ProfileError::Table("counts for an origin without a name"));
        }
        if !crate::promote::are_sound(&self.promotions) {
            return Err(ProfileError::Table("has promotions that nobody can have made"));
        }
        if !self.learning.is_sound() {
            return Err(ProfileError::Table("has learned in a way that nobody can"));
        }
        self.crowded.retain(alive);
        for id in &self.crowded {
            self.tree.nodes[id.0 as usize].flags |= Flags::CROWDED;
        }
        Ok(())
    }
}

struct StoredCalls<'a>(&'a Tree, u32);

impl Serialize for StoredCalls<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.calls.list(self.1))
    }
}

struct NodeRef<'a>(&'a Tree, &'a Node);

impl Serialize for NodeRef<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(tree, node) = self;
        let mut fields = to.serialize_struct("Node", 16)?;
        fields.serialize_field("parent", &node.parent)?;
        fields.serialize_field("name", &node.name)?;
        fields.serialize_field("kind", &node.kind)?;
        fields.serialize_field("origin", &node.origin)?;
        fields.serialize_field("access", &node.access)?;
        fields.serialize_field("count", &node.count)?;
        fields.serialize_field("first", &node.first)?;
        fields.serialize_field("last", &node.last)?;
        fields.serialize_field("last_slot", &node.last_slot)?;
        fields.serialize_field("slots", &node.slots)?;
        fields.serialize_field("first_child", &node.first_child)?;
        fields.serialize_field("next_sibling", &node.next_sibling)?;
        fields.serialize_field("calls", &StoredCalls(tree, node.first_call))?;
        fields.serialize_field("revisions", &node.revisions)?;
        fields.serialize_field("apart", &node.is(Flags::APART))?;
        fields.serialize_field("dead", &node.is(Flags::DEAD))?;
        fields.end()
    }
}

struct NodesRef<'a>(&'a Tree);

impl Serialize for NodesRef<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.nodes.iter().map(|node| NodeRef(self.0, node)))
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("Tree", 10)?;
        fields.serialize_field("nodes", &NodesRef(self))?;
        fields.serialize_field("names", &self.names)?;
        fields.serialize_field("incidences", &self.incidences)?;
        fields.serialize_field("folded", &self.folded)?;
        fields.serialize_field("coarsenings", &self.coarsenings)?;
        fields.serialize_field("patience", &self.patience)?;
        fields.serialize_field("free", &self.free)?;
        fields.serialize_field("merges", &self.merges)?;
        fields.serialize_field("origins", &self.origins)?;
        fields.serialize_field("revisions", &self.revisions)?;
        fields.end()
    }
}

#[derive(Deserialize)]
struct StoredNode {
    parent: NodeId,
    name: NameId,
    kind: NodeKind,
    origin: Origin,
    access: Access,
    count: u64,
    first: u64,
    last: u64,
    last_slot: u32,
    slots: u32,
    first_child: u32,
    next_sibling: u32,
    calls: Vec<(NameId, u64)>,
    /// Version 1 had a few names of members and nothing else of them.
    #[serde(default)]
    examples: Vec<NameId>,
    #[serde(default)]
    revisions: u16,
    #[serde(default)]
    apart: bool,
    dead: bool,
}

#[derive(Deserialize)]
struct StoredTree {
    nodes: Vec<StoredNode>,
    names: Names,
    incidences: [Incidences; 3],
    folded: u64,
    #[serde(default)]
    coarsenings: u64,
    #[serde(default)]
    patience: u64,
    #[serde(default)]
    free: Vec<u32>,
    #[serde(default)]
    merges: BTreeMap<NodeId, Merge>,
    #[serde(default)]
    origins: Origins,
    #[serde(default)]
    revisions: RevisionSets,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let stored = StoredTree::deserialize(from)?;
        let tree = read(stored).and_then(|mut tree| {
            link(&mut tree)?;
            tables(&tree)?;
            tree.reindex();
            unique(&tree)?;
            Ok(tree)
        });
        tree.map_err(D::Error::custom)
    }
}

/// Takes the nodes in, each by itself.
fn read(stored: StoredTree) -> Result<Tree, ProfileError> {
    let mut calls = Calls::default();
    let mut nodes = Vec::with_capacity(stored.nodes.len());
    let mut merges = stored.merges;
    let known = stored.names.len();
    for (place, node) in stored.nodes.into_iter().enumerate() {
        let place = place as u32;
        let named = |id: NameId| (id.0 as usize) < known;
        if !named(node.name) || !node.calls.iter().all(|(call, _)| named(*call)) {
            return Err(ProfileError::Node(place, "has a name that is not in its table"));
        }
        let counts = node.calls.iter().map(|(_, n)| *n).chain([node.count]);
        if counts.max() > Some(MAX_COUNT) || node.slots > 1 << 31 {
            return Err(ProfileError::Node(place, "has counters that nobody counted"));
        }
        let mut first_call = NONE;
        for (call, count) in node.calls {
            first_call = calls.add(first_call, call, count);
        }
        if !node.examples.is_empty() {
            let member =
                |name| Member { name, share: Share { last_slot: NONE, ..Share::default() } };
            let merge = merges.entry(NodeId(place)).or_default();
            merge.support = node.examples.len() as u64;
            merge.members = node.examples.into_iter().map(member).collect();
        }
        let mut read = Node::new(node.parent, node.kind, node.name);
        (read.origin, read.access, read.revisions) = (node.origin, node.access, node.revisions);
        (read.count, read.first, read.last) = (node.count, node.first, node.last);
        (read.slots, read.last_slot, read.first_call) = (node.slots, node.last_slot, first_call);
        (read.first_child, read.next_sibling) = (node.first_child, node.next_sibling);
        read.flags.set(Flags::APART, node.apart);
        read.flags.set(Flags::DEAD, node.dead);
        nodes.push(read);
    }
    let mut tree = Tree::of(nodes, stored.names);
    (tree.calls, tree.merges, tree.free) = (calls, merges, stored.free);
    (tree.incidences, tree.origins, tree.revisions) =
        (stored.incidences, stored.origins, stored.revisions);
    (tree.folded, tree.coarsenings) = (stored.folded, stored.coarsenings);
    tree.patience = stored.patience;
    Ok(tree)
}

/// Walks the lists of children from the root: every node that is alive is met once, from its parent.
fn link(tree: &mut Tree) -> Result<(), ProfileError> {
    let alive = tree.nodes.iter().filter(|n| !n.is(Flags::DEAD)).count();
    let root = tree.nodes.first().ok_or(ProfileError::Table("has a tree without a root"))?;
    if root.is(Flags::DEAD) || root.kind != NodeKind::Root || root.next_sibling != NONE {
        return Err(ProfileError::Node(0, "is no root"));
    }
    let mut met = vec![false; tree.nodes.len()];
    let mut stack = vec![(0u32, 0usize)];
    met[0] = true;
    let mut count = 1;
    while let Some((parent, depth)) = stack.pop() {
        if depth > MAX_TREE_DEPTH {
            return Err(ProfileError::Node(parent, "lies too deep"));
        }
        let mut at = tree.nodes[parent as usize].first_child;
        let mut width = 0;
        while at != NONE {
            let child = tree.nodes.get(at as usize).filter(|n| !n.is(Flags::DEAD));
            let Some(child) = child.filter(|n| n.parent.0 == parent && !met[at as usize]) else {
                return Err(ProfileError::Node(parent, "has a child that is not its own"));
            };
            if (child.kind == NodeKind::Program) != (parent == 0) || child.kind == NodeKind::Root {
                return Err(ProfileError::Node(at, "is of a kind that cannot be at its place"));
            }
            met[at as usize] = true;
            stack.push((at, depth + 1));
            width += 1;
            at = child.next_sibling;
        }
        tree.nodes[parent as usize].width = width;
        count += width as usize;
    }
    if count != alive {
        return Err(ProfileError::Table("has nodes that are nobody's children"));
    }
    tree.alive = alive as u32;
    Ok(())
}

/// What lies beside the nodes points to nodes, names, origins and sets that are there.
fn tables(tree: &Tree) -> Result<(), ProfileError> {
    if !tree.revisions.is_sound() {
        return Err(ProfileError::Table("has sets of revisions that cannot be"));
    }
    if tree.nodes.iter().any(|n| usize::from(n.revisions) >= tree.revisions.len()) {
        return Err(ProfileError::Table("has a node used by revisions that it does not know"));
    }
    let origins = tree.origins.names.len();
    if origins > MAX_ORIGINS || tree.origins.own.is_some_and(|own| usize::from(own) >= origins) {
        return Err(ProfileError::Table("has an origin without a name"));
    }
    let place = |id: &NodeId| tree.nodes.get(id.0 as usize);
    let alive = |id: &NodeId| place(id).is_some_and(|n| !n.is(Flags::DEAD));
    let mut free = tree.free.clone();
    free.sort_unstable();
    free.dedup();
    let dead = tree.nodes.iter().filter(|n| n.is(Flags::DEAD)).count();
    // Version 1 kept no list of free places; its dead nodes stay until nodes move together.
    let listed = free.iter().all(|id| place(&NodeId(*id)).is_some_and(|n| n.is(Flags::DEAD)));
    if !listed || free.len() != tree.free.len() || free.len() > dead {
        return Err(ProfileError::Table("has a free place that is not free"));
    }
    let named = |id: &NameId| (id.0 as usize) < tree.names.len();
    let share = |s: &Share| {
        (usize::from(s.origin) < origins.max(1))
            && usize::from(s.revisions) < tree.revisions.len()
            && s.count.max(u64::from(s.slots)) <= MAX_COUNT
            && s.calls.iter().all(|(call, count)| named(call) && *count <= MAX_COUNT)
    };
    let members = |m: &Merge| {
        m.support <= MAX_COUNT && m.members.iter().all(|m| named(&m.name) && share(&m.share))
    };
    if !tree.merges.iter().all(|(id, merge)| alive(id) && members(merge)) {
        return Err(ProfileError::Table("has members of a merge that cannot be"));
    }
    if !tree.origins.foreign.iter().all(|(id, list)| alive(id) && list.iter().all(share)) {
        return Err(ProfileError::Table("has counters of another origin that cannot be"));
    }
    Ok(())
}

/// No two children of one parent are the same.
fn unique(tree: &Tree) -> Result<(), ProfileError> {
    for (place, node) in tree.nodes.iter().enumerate().skip(1) {
        let found = tree.child_by_id(node.parent, node.kind, node.name);
        if !node.is(Flags::DEAD) && found != Some(NodeId(place as u32)) {
            return Err(ProfileError::Node(place as u32, "is there twice"));
        }
    }
    Ok(())
}
