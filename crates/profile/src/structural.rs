//! Structural generalisation: siblings of one shape become one node.
//!
//! Merges run at the ends of windows over sorted siblings, so that the order of events within a
//! window does not matter. Each merge sums the members' counts, and keeps what each of them was, so
//! that it can be split again.

use std::collections::{BTreeMap, HashSet};

use crate::{
    limits::Limits,
    node::{Flags, NodeId, NodeKind, Origin},
    profile::Profile,
    shape::{MEMBERS, Shape, groups},
    tree::Tree,
};

/// Directories nearer to the root than this hold names of different meaning (`/etc`, `/usr/bin`),
/// of which only those with a typed part are merged.
const GUARDED_DEPTH: usize = 2;
/// Directories in which every file means something of its own: only those with a typed part are
/// merged.
const GUARDED_FILES: [&str; 15] = [
    "",
    "/etc",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/root",
    "/var",
];

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
            self.tree.node_mut(parent).flags -= Flags::CROWDED;
            if !self.tree.node(parent).is(Flags::DEAD) {
                merged |= merge_children(&mut self.tree, parent, limits);
            }
        }
        if merged {
            self.compact();
        }
    }

    /// Moves all nodes together. Whoever holds a node's id must ask for it anew.
    pub(crate) fn compact(&mut self) {
        let moved = self.tree.compact();
        self.reindex_programs(|id| moved.get(id.0 as usize).copied().flatten());
    }
}

/// True for a directory whose files mean something of their own.
pub(crate) fn is_guarded_directory(path: &str) -> bool {
    GUARDED_FILES.contains(&path)
}

fn merge_children(tree: &mut Tree, parent: NodeId, limits: &Limits) -> bool {
    if tree.node(parent).is(Flags::APART) {
        return false;
    }
    tree.settle_kinds(parent);
    let mut merged = false;
    for kind in [
        NodeKind::File,
        NodeKind::Directory,
        NodeKind::Argument,
        NodeKind::Port,
        NodeKind::Peer,
        NodeKind::Unix,
    ] {
        let family = Family::of(tree, parent, kind, limits);
        merged |= family.merge(tree);
    }
    merged
}

/// The children of one kind.
struct Family {
    parent: NodeId,
    kind: NodeKind,
    limit: usize,
    /// Names that people chose stay apart here.
    guarded: bool,
    /// The learned ones by name, sorted.
    members: Vec<(String, NodeId)>,
    /// The merged ones.
    patterns: Vec<(String, NodeId)>,
}

impl Family {
    fn of(tree: &Tree, parent: NodeId, kind: NodeKind, limits: &Limits) -> Self {
        let path = tree.path(parent);
        let directory = path.iter().skip(1).fold(String::new(), |mut text, id| {
            text.push('/');
            text.push_str(tree.name(*id));
            text
        });
        let guarded = match kind {
            NodeKind::Directory => path.len() <= GUARDED_DEPTH,
            NodeKind::File => is_guarded_directory(&directory),
            _ => false,
        };
        let of = |origin: Origin| {
            let mut names: Vec<(String, NodeId)> = tree
                .children(parent)
                .filter(|id| tree.node(*id).kind == kind && tree.node(*id).origin == origin)
                .map(|id| (tree.name(id).to_owned(), id))
                .collect();
            names.sort();
            names
        };
        Self {
            parent,
            kind,
            limit: limits.width_at(kind, &directory) as usize,
            guarded,
            members: of(Origin::Learned),
            patterns: of(Origin::Merged),
        }
    }

    fn merge(mut self, tree: &mut Tree) -> bool {
        let before = self.members.len();
        for shape in Shape::ALL {
            if self.members.len() <= self.limit {
                break;
            }
            for (pattern, group) in groups(shape, self.kind, &self.members, self.guarded) {
                self.fold(tree, &pattern, &group);
            }
        }
        if self.members.len() > self.limit && !self.guarded {
            let rest = self.values();
            if rest.len() >= MEMBERS {
                self.fold(tree, "*", &rest);
            }
        }
        let narrow = self.patterns.len() > self.limit && self.widen(tree);
        narrow || self.members.len() < before
    }

    /// Members that `*` may stand for: a flag is no value.
    fn values(&self) -> Vec<NodeId> {
        let flag = |name: &str| self.kind == NodeKind::Argument && name.starts_with('-');
        self.members.iter().filter(|(name, _)| !flag(name)).map(|(_, id)| *id).collect()
    }

    fn fold(&mut self, tree: &mut Tree, pattern: &str, group: &[NodeId]) {
        let id = tree.merge_group(self.parent, self.kind, pattern, Origin::Merged, group);
        let gone: HashSet<NodeId> = group.iter().copied().collect();
        self.members.retain(|(_, member)| !gone.contains(member));
        self.patterns.retain(|(_, known)| *known != id && !gone.contains(known));
        self.patterns.push((pattern.to_owned(), id));
    }

    /// Too many patterns: those of one ending become one, then all of them.
    fn widen(&mut self, tree: &mut Tree) -> bool {
        let mut by_ending = BTreeMap::<String, Vec<NodeId>>::new();
        for (name, id) in &self.patterns {
            let plain = name.replace('*', "x");
            if let Some((wide, _)) = Shape::Ending.pattern(self.kind, &plain)
                && *name != wide
            {
                by_ending.entry(wide).or_default().push(*id);
            }
        }
        let mut widened = false;
        for (pattern, group) in by_ending.into_iter().filter(|(_, group)| group.len() >= 2) {
            self.fold(tree, &pattern, &group);
            widened = true;
        }
        if self.patterns.len() > self.limit && !self.guarded {
            let flag = |name: &str| self.kind == NodeKind::Argument && name.starts_with('-');
            let all: Vec<NodeId> =
                self.patterns.iter().filter(|(name, _)| !flag(name)).map(|(_, id)| *id).collect();
            if all.len() >= 2 {
                self.fold(tree, "*", &all);
                widened = true;
            }
        }
        widened
    }
}
