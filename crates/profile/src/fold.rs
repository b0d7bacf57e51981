//! Several nodes become one: the counters are summed, nothing is lost.

use std::collections::HashSet;

use crate::{
    evidence::branch_of,
    members::{Member, Merge},
    node::{Flags, NONE, NodeId, NodeKind, Origin},
    tree::Tree,
};

impl Tree {
    /// Makes one node of a group of siblings, or adds them to the one that is there. What each was
    /// is kept in the merge, within its bounds.
    pub(crate) fn merge_group(
        &mut self,
        parent: NodeId,
        kind: NodeKind,
        pattern: &str,
        origin: Origin,
        group: &[NodeId],
    ) -> NodeId {
        let target = self.pattern(parent, kind, pattern, origin);
        let mut merge = self.merges.remove(&target).unwrap_or_default();
        let group: HashSet<NodeId> = group.iter().copied().filter(|id| *id != target).collect();
        let mut sorted: Vec<NodeId> = group.iter().copied().collect();
        sorted.sort_unstable();
        for id in sorted {
            self.enter(&mut merge, id);
            self.pour(id, target);
        }
        self.remove_all(parent, &group);
        self.bound(&mut merge, origin);
        self.merges.insert(target, merge);
        target
    }

    /// Notes a node as a member, or its own members.
    fn enter(&mut self, merge: &mut Merge, id: NodeId) {
        if let Some(inner) = self.merges.remove(&id) {
            merge.support += inner.support;
            merge.members.extend(inner.members);
            return;
        }
        merge.support += 1;
        let name = self.node(id).name;
        merge.members.extend(self.shares(id).into_iter().map(|share| Member { name, share }));
    }

    /// Adds what is known of `from`, and everything below it, to `to`. What is left of `from` is
    /// empty, and to be removed.
    pub(crate) fn pour(&mut self, from: NodeId, to: NodeId) {
        let children: Vec<NodeId> = self.children(from).collect();
        for child in children.iter().rev() {
            let (kind, name) = (self.node(*child).kind, self.node(*child).name);
            let target = match self.child_by_id(to, kind, name) {
                Some(existing) => existing,
                None => self.insert(to, kind, name),
            };
            match self.node(*child).origin {
                origin @ (Origin::Merged | Origin::Rest) => self.stand_for_others(target, origin),
                Origin::Promoted => self.set_promoted(target),
                Origin::Learned => {}
            }
            let apart = self.node(*child).flags & Flags::APART;
            self.node_mut(target).flags |= apart;
            self.pour(*child, target);
        }
        self.remove_all(from, &children.into_iter().collect());
        let total = self.total(from);
        let branch = branch_of(self, self.node(from));
        let both = total.slots > 0 && self.node(to).slots > 0;
        let paths = &mut self.incidences[branch].paths;
        *paths = paths.saturating_sub(u64::from(both));
        self.put(to, &total);
        self.move_foreign(from, to);
        if let Some(inner) = self.merges.remove(&from) {
            let origin = self.node(to).origin;
            let mut merge = self.merges.remove(&to).unwrap_or_default();
            merge.support += inner.support;
            merge.members.extend(inner.members);
            self.bound(&mut merge, origin);
            self.merges.insert(to, merge);
        }
    }

    /// Drops the places of nodes that are gone and names that nobody has; returns where each node
    /// went.
    pub(crate) fn compact(&mut self) -> Vec<Option<NodeId>> {
        let mut moved: Vec<Option<NodeId>> = vec![None; self.nodes.len()];
        let mut next = 0u32;
        for (index, node) in self.nodes.iter().enumerate() {
            if !node.is(Flags::DEAD) {
                moved[index] = Some(NodeId(next));
                next += 1;
            }
        }
        self.move_nodes(&moved, next as usize);
        self.move_tables(&moved);
        self.free = Vec::new();
        self.reindex();
        moved
    }

    fn move_nodes(&mut self, moved: &[Option<NodeId>], count: usize) {
        let place = |id: u32| moved.get(id as usize).copied().flatten().map_or(NONE, |n| n.0);
        let mut names = crate::names::Names::default();
        let mut calls = crate::calls::Calls::default();
        let old = std::mem::take(&mut self.nodes);
        let mut nodes = Vec::with_capacity(count);
        for mut node in old.into_iter().filter(|n| !n.is(Flags::DEAD)) {
            node.parent = NodeId(place(node.parent.0));
            node.first_child = place(node.first_child);
            node.next_sibling = place(node.next_sibling);
            node.name = names.intern(self.names.get(node.name));
            let mut first = NONE;
            for (call, count) in self.calls.list(node.first_call) {
                first = calls.add(first, names.intern(self.names.get(call)), count);
            }
            node.first_call = first;
            nodes.push(node);
        }
        let shares = self.origins.foreign.values_mut().flatten();
        let members = self.merges.values_mut().flat_map(|m| &mut m.members);
        let old = &self.names;
        let mut rename = |share: &mut crate::shares::Share| {
            for (call, _) in &mut share.calls {
                *call = names.intern(old.get(*call));
            }
        };
        shares.for_each(&mut rename);
        for member in members {
            rename(&mut member.share);
        }
        for member in self.merges.values_mut().flat_map(|m| &mut m.members) {
            member.name = names.intern(self.names.get(member.name));
        }
        names.shrink();
        calls.shrink();
        (self.nodes, self.names, self.calls) = (nodes, names, calls);
    }

    fn move_tables(&mut self, moved: &[Option<NodeId>]) {
        let place = |id: NodeId| moved.get(id.0 as usize).copied().flatten();
        let merges = std::mem::take(&mut self.merges);
        self.merges = merges.into_iter().filter_map(|(id, m)| Some((place(id)?, m))).collect();
        let foreign = std::mem::take(&mut self.origins.foreign);
        self.origins.foreign =
            foreign.into_iter().filter_map(|(id, s)| Some((place(id)?, s))).collect();
    }
}
