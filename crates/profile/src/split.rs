//! A merge undone: its members come back as they were counted.

use crate::{
    limits::Limits,
    node::{Flags, NodeId, NodeKind, Origin},
    profile::Profile,
    shares::Share,
    tree::{REST, Tree},
};

/// Why a node was not split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// It is not in the tree, or was not made of others.
    NotMerged,
    /// What lies below it would have to be there once for each member, and that is more than the
    /// tree has room for.
    NoRoom,
}

impl std::fmt::Display for SplitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotMerged => "the node was not made of others",
            Self::NoRoom => "the tree has no room for the members and all below them",
        })
    }
}

impl std::error::Error for SplitError {}

impl Profile {
    /// Undoes a merge: the members that were kept are nodes again, with what was counted at each of
    /// them. What cannot be told apart any more stays in one node that stands for the rest
    /// (`<rest>.log` for `*.log`), with its counts; there is none when nothing is left. What lies
    /// below the merged node was anybody's, so that each member has it all, uncounted.
    ///
    /// Siblings under this parent are not merged again. Returns the members, sorted by name. Linear
    /// in the members and what lies below each.
    pub fn split(&mut self, id: NodeId, limits: &Limits) -> Result<Vec<NodeId>, SplitError> {
        let tree = &mut self.tree;
        let known = tree.nodes.get(id.0 as usize).is_some_and(|n| !n.is(Flags::DEAD));
        if !known || !tree.merges.contains_key(&id) {
            return Err(SplitError::NotMerged);
        }
        let below = tree.size(id) - 1;
        let names = tree.merges.get(&id).map_or(0, crate::members::Merge::names);
        if tree.len() + names * (below + 1) > limits.max_nodes {
            return Err(SplitError::NoRoom);
        }
        let members = tree.split(id);
        self.forget();
        Ok(members)
    }
}

impl Tree {
    /// The nodes of a subtree, itself among them.
    pub(crate) fn size(&self, id: NodeId) -> usize {
        1 + self.children(id).map(|c| self.size(c)).sum::<usize>()
    }

    fn split(&mut self, id: NodeId) -> Vec<NodeId> {
        let (parent, kind) = (self.node(id).parent, self.node(id).kind);
        self.node_mut(parent).flags |= Flags::APART;
        let merge = self.merges.remove(&id).unwrap_or_default();
        let names = merge.names() as u64;
        let mut restored: Vec<NodeId> = Vec::new();
        for member in &merge.members {
            let node = match self.child_by_id(parent, kind, member.name) {
                Some(node) => node,
                None => self.insert(parent, kind, member.name),
            };
            if restored.last() != Some(&node) {
                self.copy_below(id, node);
                restored.push(node);
            }
            self.give(id, node, &member.share);
        }
        self.leave(id, merge.support.saturating_sub(names));
        restored
    }

    /// Moves a member's counters from the merged node to its own.
    fn give(&mut self, from: NodeId, to: NodeId, share: &Share) {
        let branch = crate::evidence::branch_of(self, self.node(to));
        let new = self.node(to).slots == 0 && share.slots > 0;
        self.incidences[branch].paths += u64::from(new);
        self.put(to, share);
        let node = self.node_mut(from);
        node.count = node.count.saturating_sub(share.count);
        node.slots = node.slots.saturating_sub(share.slots);
        let first = node.first_call;
        for (call, count) in &share.calls {
            self.calls.take(first, *call, *count);
        }
        if self.origins.own == Some(share.origin) || self.origins.names.is_empty() {
            return;
        }
        if let Some(shares) = self.origins.foreign.get_mut(&from)
            && let Some(rest) = shares.iter_mut().find(|s| s.origin == share.origin)
        {
            rest.take(share);
        }
        self.origins.foreign.entry(to).or_default().push(share.clone());
    }

    /// Puts under `to`, with nothing counted, what is under `from`.
    fn copy_below(&mut self, from: NodeId, to: NodeId) {
        let children: Vec<NodeId> = self.children(from).collect();
        for child in children.into_iter().rev() {
            let (kind, name) = (self.node(child).kind, self.node(child).name);
            if self.child_by_id(to, kind, name).is_some() {
                continue;
            }
            let copy = self.insert(to, kind, name);
            let (origin, access) = (self.node(child).origin, self.node(child).access);
            let (revisions, flags) = (self.node(child).revisions, self.node(child).flags);
            let calls: Vec<_> = self.calls.list(self.node(child).first_call).collect();
            let node = self.node_mut(copy);
            (node.access, node.revisions, node.flags) = (access, revisions, flags & Flags::APART);
            for (call, _) in calls {
                let first = self.node(copy).first_call;
                self.node_mut(copy).first_call = self.calls.add(first, call, 0);
            }
            if matches!(origin, Origin::Merged | Origin::Rest) {
                self.stand_for_others(copy, origin);
            } else {
                self.node_mut(copy).origin = origin;
            }
            self.copy_below(child, copy);
        }
    }

    /// What is left of a merged node: nothing, or what stands for the rest of its members.
    fn leave(&mut self, id: NodeId, unknown: u64) {
        let (parent, kind) = (self.node(id).parent, self.node(id).kind);
        let empty = self.node(id).count == 0 && unknown == 0 && self.node(id).width == 0;
        if empty {
            let branch = crate::evidence::branch_of(self, self.node(id));
            let paths = &mut self.incidences[branch].paths;
            *paths = paths.saturating_sub(1);
            self.remove(id);
            return;
        }
        let name = self.name(id).replacen('*', REST, 1);
        let merge = crate::members::Merge { support: unknown, members: Vec::new() };
        let twin = self.child(parent, kind, &name).filter(|twin| *twin != id);
        if let Some(twin) = twin {
            self.merges.insert(id, merge);
            self.merge_group(parent, kind, &name, Origin::Rest, &[id, twin]);
            return;
        }
        self.rename(id, &name);
        self.stand_for_others(id, Origin::Rest);
        self.merges.insert(id, merge);
    }

    /// A merged child of this kind and pattern, to be split.
    pub fn merged(&self, parent: NodeId, kind: NodeKind, pattern: &str) -> Option<NodeId> {
        self.child(parent, kind, pattern).filter(|id| self.merges.contains_key(id))
    }
}
