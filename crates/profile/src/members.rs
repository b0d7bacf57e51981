//! What a merge was made of: the names, with what was counted at each, so that it can be undone.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{names::NameId, node::Origin, shares::Share, tree::Tree};

/// Members of a merge that are kept with their counters, the most used ones. What a further one
/// counted stays in the merged node, and is its remainder when it is split.
pub const MEMBERS_KEPT: usize = 64;
/// Members kept of what a full tree folded: it is full, and they are what it could do without.
const FOLDED_KEPT: usize = 5;
/// Members shown as examples.
pub const EXAMPLES: usize = 5;

/// One member, by one origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: NameId,
    pub(crate) share: Share,
}

/// What a merged node was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Merge {
    /// Names that were merged, kept or not.
    pub(crate) support: u64,
    /// The kept ones.
    pub(crate) members: Vec<Member>,
}

impl Merge {
    /// Takes the larger of two states of the same member.
    pub(crate) fn join(&mut self, member: Member) {
        let same = |m: &&mut Member| m.name == member.name && m.share.origin == member.share.origin;
        match self.members.iter_mut().find(same) {
            Some(known) => known.share.join(&member.share),
            None => self.members.push(member),
        }
    }

    /// How many names are kept.
    pub(crate) fn names(&self) -> usize {
        let mut names: Vec<NameId> = self.members.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}

impl Tree {
    /// Adds up what one origin counted under one name, keeps the most used members, and orders them
    /// by their names.
    pub(crate) fn bound(&self, merge: &mut Merge, origin: Origin) {
        let most = if origin == Origin::Rest { FOLDED_KEPT } else { MEMBERS_KEPT };
        merge.members.sort_by(|a, b| {
            let name = |m: &Member| self.names.get(m.name);
            name(a).cmp(name(b)).then(a.share.origin.cmp(&b.share.origin))
        });
        merge.members.dedup_by(|next, kept| {
            let same = next.name == kept.name && next.share.origin == kept.share.origin;
            if same {
                kept.share.add(&next.share);
            }
            same
        });
        let mut used: Vec<(NameId, u64, u64)> = Vec::new();
        for Member { name, share } in &merge.members {
            match used.last_mut() {
                Some((last, slots, count)) if last == name => {
                    *slots += u64::from(share.slots);
                    *count = count.saturating_add(share.count);
                }
                _ => used.push((*name, u64::from(share.slots), share.count)),
            }
        }
        if used.len() > most {
            // Stable, so that those of equal use stay in the order of their names.
            used.sort_by_key(|(_, slots, count)| std::cmp::Reverse((*slots, *count)));
            let kept: HashSet<NameId> = used.iter().take(most).map(|(name, ..)| *name).collect();
            merge.members.retain(|m| kept.contains(&m.name));
        }
        merge.members.shrink_to_fit();
    }

    /// The first names of a merge.
    pub(crate) fn examples(&self, merge: &Merge) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for member in &merge.members {
            let name = self.names.get(member.name);
            if names.len() < EXAMPLES && names.last() != Some(&name) {
                names.push(name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::{MEMBERS_KEPT, Member, Merge};
    use crate::{node::Origin, shares::Share, tree::Tree};

    #[test]
    fn the_most_used_members_are_kept_in_order_of_their_names() {
        let mut tree = Tree::default();
        let mut merge = Merge::default();
        for n in 0..100u32 {
            let name = tree.names.intern(&format!("n{:02}", 99 - n));
            let share = Share { slots: 1 + n % 2, count: 1, ..Share::default() };
            merge.members.push(Member { name, share });
        }
        tree.bound(&mut merge, Origin::Merged);
        assert_eq!((merge.names(), merge.members.len()), (MEMBERS_KEPT, MEMBERS_KEPT));
        assert!(merge.members.iter().filter(|m| m.share.slots == 2).count() == 50);
        assert_eq!(tree.examples(&merge), ["n00", "n01", "n02", "n03", "n04"]);
        tree.bound(&mut merge, Origin::Rest);
        assert_eq!(tree.examples(&merge), ["n00", "n02", "n04", "n06", "n08"]);
    }
}
