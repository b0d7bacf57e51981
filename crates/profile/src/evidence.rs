//! The evidence for the end of learning, gathered from a tree.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_event::{EventTime, SECOND};

use crate::{
    node::{Node, NodeId, NodeKind},
    program::ProgramInfo,
    tree::{Incidences, Tree},
};

/// The evidence of each branch: its counters, and the activities that hold something seen once.
/// Linear in the tree.
pub(crate) fn evidence(
    tree: &Tree,
    info: &BTreeMap<NodeId, ProgramInfo>,
    steady_from: EventTime,
) -> [Incidences; 3] {
    let mut evidence = tree.incidences;
    for (branch, incidences) in evidence.iter_mut().enumerate() {
        let mut once = BTreeSet::new();
        for program in info.keys() {
            singletons(tree, *program, *program, branch, (steady_from / SECOND) as u32, &mut once);
        }
        incidences.once = once.len() as u64;
    }
    evidence
}

fn singletons(
    tree: &Tree,
    at: NodeId,
    program: NodeId,
    branch: usize,
    from: u32,
    once: &mut BTreeSet<(NodeId, u32)>,
) {
    let node = tree.node(at);
    if node.slots == 1 && node.last_slot >= from && branch_of(tree, node) == branch {
        once.insert((program, node.last_slot));
    }
    for child in tree.children(at) {
        singletons(tree, child, program, branch, from, once);
    }
}

/// The index of the branch that a node belongs to.
pub(crate) fn branch_of(tree: &Tree, node: &Node) -> usize {
    match node.kind {
        NodeKind::Directory | NodeKind::File => 2,
        NodeKind::Direction
        | NodeKind::Class
        | NodeKind::Port
        | NodeKind::Peer
        | NodeKind::Unix
        | NodeKind::Socket => 1,
        NodeKind::Operation => match tree.names.get(node.name).as_bytes().first() {
            Some(b'f') => 2,
            Some(b'n') => 1,
            _ => 0,
        },
        NodeKind::Root | NodeKind::Program | NodeKind::Parent | NodeKind::Argument => 0,
    }
}
