//! A full tree made coarser: what tells least is folded together, until a quarter is free.
//!
//! The unit is a family: the children of one kind of one parent. First go those that were seen in a
//! single second, of the widest families, which is what a flood of random names looks like; among
//! those of like width the ones not seen for longest, then the deepest. When that is not enough, it
//! is the turn of those seen in two seconds, in four, and so on. What is folded is counted in the
//! family's `<rest>`, and a tree that still learns takes further names in by themselves, so that it
//! never stops learning. As a quarter becomes free each time, the cost of a pass over the tree is
//! spread over as many new nodes.

use std::cmp::Reverse;

use crate::{
    limits::Limits,
    node::{NONE, NodeId, NodeKind, Origin},
    profile::Profile,
    tree::{REST, Tree},
};

/// What a subtree is worth keeping for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    /// The most seconds in which one of its nodes was seen.
    slots: u32,
    /// The last second in which one was.
    last: u32,
}

/// Children of one kind of one parent that are worth no more than the measure.
struct Family {
    /// Rather the widest; widths of one order of magnitude are the same.
    order: (Reverse<u32>, u32, Reverse<usize>),
    parent: NodeId,
    kind: NodeKind,
    members: Vec<(Value, NodeId)>,
}

impl Profile {
    /// True when a node more could be one too many. The last twentieth is kept for calls and for
    /// what stands for the rest.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.tree.len() + limits.max_nodes / 20 >= limits.max_nodes
    }

    /// Makes a full tree coarser; `kept` and what it lies below are not folded.
    pub(crate) fn make_room(&mut self, limits: &Limits, kept: Option<NodeId>) {
        if self.is_full(limits) && self.tree.folded >= self.tree.patience {
            self.coarsen(limits, kept);
        }
    }

    /// At the end of a window, before the tree is full: so the order of events within the window
    /// does not matter. Nodes move together.
    pub(crate) fn make_room_early(&mut self, limits: &Limits) {
        if self.tree.len() * 10 >= limits.max_nodes * 9 && self.tree.folded >= self.tree.patience {
            self.coarsen(limits, None);
        }
        if self.tree.is_littered() {
            self.compact();
        }
    }

    fn coarsen(&mut self, limits: &Limits, kept: Option<NodeId>) {
        let goal = limits.max_nodes / 4 * 3;
        let before = self.tree.len();
        let mut measure = 1;
        loop {
            let mut values = vec![Value::default(); self.tree.nodes.len()];
            let most = self.value(Tree::ROOT, &mut values).slots;
            let mut families = self.families(&values, measure, kept);
            families.sort_by_cached_key(|family| (family.order, self.place(family)));
            for family in families {
                if self.tree.len() <= goal {
                    break;
                }
                self.fold_family(family, goal);
            }
            if self.tree.len() <= goal || measure > most {
                break;
            }
            measure *= 2;
        }
        self.tree.coarsenings += 1;
        let freed = before - self.tree.len();
        if freed < limits.max_nodes / 20 {
            self.tree.patience = self.tree.folded + limits.max_nodes as u64 / 4;
        }
        self.forget();
    }

    /// The values of a subtree's nodes; a program's own are in its info.
    fn value(&self, id: NodeId, values: &mut [Value]) -> Value {
        let node = self.tree.node(id);
        let last = if node.last_slot == NONE { 0 } else { node.last_slot };
        let mut value = Value { slots: node.slots, last };
        if let Some(info) = self.info.get(&id) {
            value.slots = value.slots.max(info.slots);
        }
        for child in self.tree.children(id) {
            let below = self.value(child, values);
            value.slots = value.slots.max(below.slots);
            value.last = value.last.max(below.last);
        }
        values[id.0 as usize] = value;
        value
    }

    fn families(&self, values: &[Value], measure: u32, kept: Option<NodeId>) -> Vec<Family> {
        let above = kept.map(|id| self.tree.path(id)).unwrap_or_default();
        let mut families = Vec::new();
        let mut stack = vec![(Tree::ROOT, 0)];
        while let Some((parent, depth)) = stack.pop() {
            let first = families.len();
            for child in self.tree.children(parent) {
                let node = self.tree.node(child);
                if node.width > 0 {
                    stack.push((child, depth + 1));
                }
                let value = values[child.0 as usize];
                let stays = matches!(node.kind, NodeKind::Operation | NodeKind::Direction)
                    || matches!(node.origin, Origin::Promoted | Origin::Rest)
                    || value.slots > measure
                    || above.contains(&child);
                if stays {
                    continue;
                }
                let known =
                    families[first..].iter_mut().find(|f: &&mut Family| f.kind == node.kind);
                match known {
                    Some(family) => family.members.push((value, child)),
                    None => families.push(Family {
                        order: (Reverse(0), 0, Reverse(depth)),
                        parent,
                        kind: node.kind,
                        members: vec![(value, child)],
                    }),
                }
            }
        }
        families
            .retain(|f| f.members.len() > 1 || self.tree.child(f.parent, f.kind, REST).is_some());
        for family in &mut families {
            let last = family.members.iter().map(|(value, _)| value.last).max();
            family.order.0 = Reverse(family.members.len().ilog2());
            family.order.1 = last.unwrap_or_default();
        }
        families
    }

    fn place(&self, family: &Family) -> (Vec<&str>, NodeKind) {
        let path = self.tree.path(family.parent);
        (path.into_iter().map(|id| self.tree.name(id)).collect(), family.kind)
    }

    /// Folds a family's least valuable members until the goal is reached.
    fn fold_family(&mut self, mut family: Family, goal: usize) {
        // It may have been part of what was folded before it.
        let alive = |tree: &Tree, id: NodeId| !tree.node(id).is(crate::node::Flags::DEAD);
        let tree = &self.tree;
        family.members.retain(|(_, id)| alive(tree, *id) && tree.node(*id).parent == family.parent);
        if !alive(tree, family.parent) || family.members.is_empty() {
            return;
        }
        let least = |a: &(Value, NodeId), b: &(Value, NodeId)| {
            a.0.cmp(&b.0).then_with(|| tree.name(a.1).cmp(tree.name(b.1)))
        };
        let over = tree.len().saturating_sub(goal) + 1;
        let flat = family.members.iter().all(|(_, id)| tree.node(*id).width == 0);
        if flat && over < family.members.len() {
            // A wide family of leaves is not worth putting in order.
            family.members.select_nth_unstable_by(over, least);
            family.members.truncate(over);
        } else {
            family.members.sort_by(least);
        }
        let mut group = Vec::new();
        let mut freed = 0;
        for (_, id) in &family.members {
            if freed >= over {
                break;
            }
            group.push(*id);
            freed += tree.size(*id);
        }
        self.tree.folded += group.len() as u64;
        let rest = self.tree.merge_group(family.parent, family.kind, REST, Origin::Rest, &group);
        if family.kind == NodeKind::Program {
            self.fold_programs(&group, rest);
        }
    }
}
