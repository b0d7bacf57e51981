//! Who has counted what: the part of each origin in a node's counters.
//!
//! Profiles of one identity that were learned in several places are merged by taking, for every
//! node and origin, the larger counters: the newer state of the same origin. Almost every profile
//! has one origin, so a node's own counters are the totals, and only what *other* origins have
//! counted is kept beside them; the own part is the difference.

use std::collections::BTreeMap;

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    names::NameId,
    node::{NONE, NodeId},
    tree::Tree,
};

/// Counters of one node by one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The origin's index in the tree's table.
    pub(crate) origin: u16,
    /// The set of revisions.
    #[serde(default)]
    pub(crate) revisions: u16,
    pub(crate) access: Access,
    pub(crate) slots: u32,
    pub(crate) last_slot: u32,
    pub(crate) count: u64,
    pub(crate) first: EventTime,
    pub(crate) last: EventTime,
    pub(crate) calls: Vec<(NameId, u64)>,
}

impl Share {
    /// Adds what the same origin counted at another node.
    pub(crate) fn add(&mut self, other: &Self) {
        self.span(other);
        self.count = self.count.saturating_add(other.count);
        self.slots = self.slots.saturating_add(other.slots);
        for (call, count) in &other.calls {
            match self.calls.iter_mut().find(|(name, _)| name == call) {
                Some((_, total)) => *total = total.saturating_add(*count),
                None => self.calls.push((*call, *count)),
            }
        }
    }

    /// Takes the larger of what the same origin counted at the same node at two times.
    pub(crate) fn join(&mut self, other: &Self) {
        self.span(other);
        self.count = self.count.max(other.count);
        self.slots = self.slots.max(other.slots);
        for (call, count) in &other.calls {
            match self.calls.iter_mut().find(|(name, _)| name == call) {
                Some((_, total)) => *total = (*total).max(*count),
                None => self.calls.push((*call, *count)),
            }
        }
    }

    /// True when nothing was counted, so that its times say nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0 && self.slots == 0
    }

    fn span(&mut self, other: &Self) {
        if !other.is_empty() && (self.is_empty() || other.first < self.first) {
            self.first = other.first;
        }
        self.last = self.last.max(other.last);
        if other.last_slot != NONE {
            let own = if self.last_slot == NONE { 0 } else { self.last_slot };
            self.last_slot = own.max(other.last_slot);
        }
        self.access |= other.access;
    }

    pub(crate) fn take(&mut self, other: &Self) {
        self.count = self.count.saturating_sub(other.count);
        self.slots = self.slots.saturating_sub(other.slots);
        for (call, count) in &other.calls {
            if let Some((_, total)) = self.calls.iter_mut().find(|(name, _)| name == call) {
                *total = total.saturating_sub(*count);
            }
        }
    }
}

/// The origins of a tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Origins {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// The one that is counting; none in a profile that was merged and not used since.
    pub(crate) own: Option<u16>,
    /// What the others have counted, by node.
    pub(crate) foreign: BTreeMap<NodeId, Vec<Share>>,
}

/// Origins of a profile: more come from a fleet that should be told apart by identity.
pub(crate) const MAX_ORIGINS: usize = 64;

impl Origins {
    /// Begins to count as `name`. Past [`MAX_ORIGINS`] the last one stands for further ones.
    pub(crate) fn begin(&mut self, name: &str) {
        let index = match self.names.iter().position(|n| n == name) {
            Some(index) => index,
            None if self.names.len() < MAX_ORIGINS => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
            None => MAX_ORIGINS - 1,
        } as u16;
        self.own = Some(index);
        // What it counted before is its own again: the difference to the totals.
        for shares in self.foreign.values_mut() {
            shares.retain(|s| s.origin != index);
        }
        self.foreign.retain(|_, shares| !shares.is_empty());
    }
}

impl Tree {
    /// All that a node has counted, as if by one origin.
    pub(crate) fn total(&self, id: NodeId) -> Share {
        let node = self.node(id);
        Share {
            origin: self.origins.own.unwrap_or_default(),
            revisions: node.revisions,
            access: node.access,
            slots: node.slots,
            last_slot: node.last_slot,
            count: node.count,
            first: node.first,
            last: node.last,
            calls: self.calls.list(node.first_call).collect(),
        }
    }

    /// What each origin has counted at a node, the own part first.
    pub(crate) fn shares(&self, id: NodeId) -> Vec<Share> {
        let mut own = self.total(id);
        let foreign = self.origins.foreign.get(&id).map_or(&[][..], Vec::as_slice);
        for share in foreign {
            own.take(share);
        }
        let mut shares = Vec::with_capacity(foreign.len() + 1);
        if foreign.is_empty() || (self.origins.own.is_some() && !own.is_empty()) {
            shares.push(own);
        }
        shares.extend_from_slice(foreign);
        shares
    }

    /// Adds to a node's totals.
    pub(crate) fn put(&mut self, id: NodeId, share: &Share) {
        let revisions = self.revisions.union(self.node(id).revisions, share.revisions);
        let node = &mut self.nodes[id.0 as usize];
        let mut total = Share {
            slots: node.slots,
            last_slot: node.last_slot,
            count: node.count,
            first: node.first,
            last: node.last,
            access: node.access,
            ..Share::default()
        };
        total.span(share);
        (node.first, node.last, node.last_slot) = (total.first, total.last, total.last_slot);
        node.access = total.access;
        node.count = node.count.saturating_add(share.count);
        node.slots = node.slots.saturating_add(share.slots);
        node.revisions = revisions;
        for (call, count) in &share.calls {
            node.first_call = self.calls.add(node.first_call, *call, *count);
        }
    }

    /// Adds what others have counted at `from` to what they have counted at `to`.
    pub(crate) fn move_foreign(&mut self, from: NodeId, to: NodeId) {
        let Some(shares) = self.origins.foreign.remove(&from) else { return };
        let known = self.origins.foreign.entry(to).or_default();
        for share in shares {
            match known.iter_mut().find(|s| s.origin == share.origin) {
                Some(same) => same.add(&share),
                None => known.push(share),
            }
        }
        known.sort_by_key(|s| s.origin);
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ORIGINS, Origins, Share};
    use crate::names::NameId;

    fn share(count: u64, call: u32) -> Share {
        Share {
            count,
            slots: count as u32,
            first: 100 - count,
            last: count,
            calls: vec![(NameId(call), count)],
            ..Share::default()
        }
    }

    #[test]
    fn shares_of_one_node_join_and_of_several_add() {
        let mut joined = share(3, 1);
        joined.join(&share(5, 1));
        joined.join(&share(2, 2));
        assert_eq!((joined.count, joined.first, joined.last), (5, 95, 5));
        assert_eq!(joined.calls, [(NameId(1), 5), (NameId(2), 2)]);
        let mut added = share(3, 1);
        added.add(&share(5, 1));
        assert_eq!((added.count, added.slots, added.calls[0].1), (8, 8, 8));
        added.take(&share(5, 1));
        assert_eq!((added.count, added.calls[0].1), (3, 3));
    }

    #[test]
    fn origins_are_bounded() {
        let mut origins = Origins::default();
        for n in 0..100 {
            origins.begin(&format!("host-{n}"));
        }
        assert_eq!((origins.names.len(), origins.own), (MAX_ORIGINS, Some(63)));
        origins.begin("host-7");
        assert_eq!(origins.own, Some(7));
    }
}
