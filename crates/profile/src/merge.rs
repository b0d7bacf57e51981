//! Two profiles of one identity, learned in two places, made one.
//!
//! A state-based merge: for every node and every origin the larger counters are taken, and the
//! totals are the sums over the origins. So it does not matter which profile is merged into which,
//! how often, or whether one is an older state of the other; only what one origin counted twice,
//! from the beginning and under one name, is taken for the same.
//!
//! Where one profile has merged siblings that the other still tells apart, the shape wins: the other
//! would have merged them, too, had it seen as many.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    evidence::branch_of,
    members::{Member, Merge},
    node::{Flags, NONE, NodeId, NodeKind, Origin},
    phase::Phase,
    profile::Profile,
    program::ProgramInfo,
    revision::{MAX_DIFFS, RevisionDiff},
    revision_sets::RevisionSets,
    shares::Share,
    tree::{Incidences, Tree, covers},
};

/// What one origin has counted in a profile as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) origin: u16,
    pub(crate) events: u64,
    pub(crate) deviations: u64,
    pub(crate) variations: u64,
    pub(crate) incidences: [Incidences; 3],
}

impl Totals {
    fn each(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        self.events = with(self.events, other.events);
        self.deviations = with(self.deviations, other.deviations);
        self.variations = with(self.variations, other.variations);
        for (own, other) in self.incidences.iter_mut().zip(other.incidences) {
            own.sum = with(own.sum, other.sum);
            own.events = with(own.events, other.events);
        }
    }
}

impl Profile {
    /// Names the place where this profile is learned: a host. The first name is kept for as long as
    /// nothing is merged in; a merged profile counts on under the next.
    pub fn learned_at(&mut self, origin: &str) {
        if self.tree.origins.own.is_some() || origin.is_empty() {
            return;
        }
        self.tree.origins.begin(origin);
        let own = self.tree.origins.own;
        self.foreign.retain(|t| Some(t.origin) != own);
    }

    /// Both profiles as one. Commutative, and idempotent for each origin: see the module's text.
    /// Linear in the nodes of both.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let first = if self.precedence() >= other.precedence() { self } else { other };
        let identity = self.identity.as_str().min(&other.identity);
        let mut merged = Self::new(identity, self.first_seen.min(other.first_seen), 0);
        (merged.phase, merged.learning) = (first.phase, first.learning.clone());
        merged.last_seen = self.last_seen.max(other.last_seen);
        merged.revisions = in_order(&self.revisions, &other.revisions);
        merged.diffs = diffs(&self.diffs, &other.diffs);
        merged.promotions = crate::promote::joined(&self.promotions, &other.promotions);
        let mut builder = Builder::new(self, other);
        builder.programs();
        let Builder { mut out, info, crowded, sides } = builder;
        // Nodes stay where they are; names come into an order that does not tell the sides apart.
        out.compact();
        (merged.tree, merged.info, merged.crowded) = (out, info, crowded);
        merged.sum_totals(&sides);
        for (id, _) in merged.info.iter().filter(|(id, _)| !merged.tree.is_rest(**id)) {
            merged.programs.insert(merged.tree.name(*id).to_owned(), *id);
        }
        merged
    }

    /// Of two profiles the one that has come further tells how far the merged one has.
    fn precedence(&self) -> (u8, u64, String) {
        let rank = match self.phase {
            Phase::Warmup => 0,
            Phase::Degraded => 1,
            Phase::Learning => 2,
            Phase::Relearning => 3,
            Phase::Detecting => 4,
            Phase::Frozen => 5,
        };
        (rank, self.last_seen, serde_json::to_string(&self.learning).unwrap_or_default())
    }

    fn totals(&self) -> Vec<Totals> {
        let mut own = Totals {
            origin: self.tree.origins.own.unwrap_or_default(),
            events: self.events,
            deviations: self.deviations,
            variations: self.variations,
            incidences: self.tree.incidences,
        };
        for totals in &self.foreign {
            own.each(totals, u64::saturating_sub);
        }
        let mut all = self.foreign.clone();
        if self.tree.origins.own.is_some() || all.is_empty() {
            all.push(own);
        }
        all
    }

    fn sum_totals(&mut self, sides: &[Side<'_>; 2]) {
        let mut joined = BTreeMap::<u16, Totals>::new();
        for side in sides {
            for totals in side.profile.totals() {
                let origin = side.origin(totals.origin);
                joined.entry(origin).or_default().each(&totals, u64::max);
            }
        }
        let mut sum = Totals::default();
        for (origin, totals) in joined {
            sum.each(&totals, u64::saturating_add);
            if !self.tree.is_own(origin) {
                self.foreign.push(Totals { origin, ..totals });
            }
        }
        (self.events, self.deviations, self.variations) =
            (sum.events, sum.deviations, sum.variations);
        self.tree.incidences = sum.incidences;
        let mut paths = [0; 3];
        for node in self.tree.nodes.iter().filter(|n| n.slots > 0) {
            paths[branch_of(&self.tree, node)] += 1;
        }
        for (incidences, paths) in self.tree.incidences.iter_mut().zip(paths) {
            incidences.paths = paths;
        }
    }
}

impl Tree {
    fn is_rest(&self, id: NodeId) -> bool {
        self.node(id).origin == Origin::Rest
    }

    /// Calls by name: the order of their arrival is another on each side.
    fn sort_calls(&self, share: &mut Share) {
        share.calls.sort_by(|a, b| self.names.get(a.0).cmp(self.names.get(b.0)));
    }

    /// What this origin counts is in the totals alone.
    fn is_own(&self, origin: u16) -> bool {
        self.origins.names.is_empty() || self.origins.own == Some(origin)
    }
}

/// The longer of two lists, or the later in order, with what only the other has behind it.
fn in_order(a: &[String], b: &[String]) -> Vec<String> {
    let (first, second) = if (a.len(), a) >= (b.len(), b) { (a, b) } else { (b, a) };
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|image| !first.contains(image)).cloned());
    all
}

/// The newest differences of both, each once, in the state that lists more.
fn diffs(a: &[RevisionDiff], b: &[RevisionDiff]) -> Vec<RevisionDiff> {
    let text = |d: &RevisionDiff| serde_json::to_string(d).unwrap_or_default();
    let mut all: Vec<RevisionDiff> = a.iter().chain(b).cloned().collect();
    all.sort_by_cached_key(|d| {
        (d.since, d.image.clone(), d.parent.clone(), std::cmp::Reverse(d.additions_total), text(d))
    });
    all.dedup_by(|next, kept| {
        (next.since, &next.image, &next.parent) == (kept.since, &kept.image, &kept.parent)
    });
    all.split_off(all.len().saturating_sub(MAX_DIFFS))
}

/// One of the two profiles, with its indices in the merged one.
struct Side<'a> {
    profile: &'a Profile,
    origins: Vec<u16>,
    revisions: Vec<u16>,
}

impl Side<'_> {
    fn origin(&self, origin: u16) -> u16 {
        self.origins.get(usize::from(origin)).copied().unwrap_or_default()
    }
}

/// Nodes of both sides that become one.
type Group = [Vec<NodeId>; 2];

struct Builder<'a> {
    out: Tree,
    info: BTreeMap<NodeId, ProgramInfo>,
    crowded: Vec<NodeId>,
    sides: [Side<'a>; 2],
}

impl<'a> Builder<'a> {
    fn new(a: &'a Profile, b: &'a Profile) -> Self {
        let mut out = Tree::default();
        let images = in_order(a.tree.revisions.all(), b.tree.revisions.all());
        out.revisions = RevisionSets::of_images(images.iter().map(String::as_str));
        let (names_a, names_b) = (origins(a), origins(b));
        let names: BTreeSet<&str> = names_a.iter().chain(&names_b).copied().collect();
        let names: Vec<&str> = names.into_iter().collect();
        let place = |name: &str| names.iter().position(|n| *n == name).unwrap_or(0) as u16;
        let own = [a, b].map(|p| {
            let origins = &p.tree.origins;
            origins.own.map(|own| place(&origins.names[usize::from(own)]))
        });
        if names != [""] {
            out.origins.names = names.iter().map(|n| (*n).to_owned()).collect();
            out.origins.own = own[0].filter(|_| own[0] == own[1]);
        }
        out.folded = a.tree.folded.max(b.tree.folded);
        out.coarsenings = a.tree.coarsenings.max(b.tree.coarsenings);
        out.revisions.take_sets([&a.tree.revisions, &b.tree.revisions]);
        let mut side = |profile: &'a Profile, names: &[&str]| Side {
            profile,
            origins: names.iter().map(|name| place(name)).collect(),
            revisions: out.revisions.translate(&profile.tree.revisions),
        };
        let sides = [side(a, &names_a), side(b, &names_b)];
        if let (Some(x), Some(y)) = (a.tree.revisions.current(), b.tree.revisions.current())
            && x == y
        {
            out.revisions.enter(x);
        }
        Self { out, info: BTreeMap::new(), crowded: Vec::new(), sides }
    }

    fn programs(&mut self) {
        let mut programs = BTreeMap::<String, Group>::new();
        for (index, side) in self.sides.iter().enumerate() {
            let tree = &side.profile.tree;
            for id in tree.children(Tree::ROOT) {
                programs.entry(tree.name(id).to_owned()).or_default()[index].push(id);
            }
        }
        for (name, group) in programs {
            let id = self.insert(Tree::ROOT, NodeKind::Program, &name, &group);
            self.describe(id, &group);
            self.below(id, &group);
        }
    }

    fn tree(&self, side: usize) -> &'a Tree {
        &self.sides[side].profile.tree
    }

    /// All nodes of a group, each with its side.
    fn all(group: &Group) -> impl Iterator<Item = (usize, NodeId)> {
        group.iter().enumerate().flat_map(|(side, ids)| ids.iter().map(move |id| (side, *id)))
    }

    fn insert(&mut self, parent: NodeId, kind: NodeKind, name: &str, group: &Group) -> NodeId {
        let name = self.out.names.intern(name);
        let id = self.out.insert(parent, kind, name);
        for (side, from) in Self::all(group) {
            let node = self.tree(side).node(from);
            // Of a merge and its members the merge is what they become.
            let own = node.kind == kind && self.tree(side).name(from) == self.out.name(id);
            match node.origin {
                origin @ (Origin::Merged | Origin::Rest) if own => {
                    self.out.stand_for_others(id, origin);
                }
                Origin::Promoted => self.out.set_promoted(id),
                _ => {}
            }
            self.out.node_mut(id).flags |= node.flags & Flags::APART;
        }
        id
    }

    /// What the programs of a group know of themselves; starts and seconds are counted by origin.
    fn describe(&mut self, id: NodeId, group: &Group) {
        let mut joined = BTreeMap::<u16, Share>::new();
        let mut described: Option<ProgramInfo> = None;
        for (side, from) in Self::all(group) {
            let Some(info) = self.sides[side].profile.info(from) else { continue };
            for share in program_shares(self.tree(side), from, info) {
                let share = self.translated(side, share);
                join(&mut joined, share);
            }
            match &mut described {
                Some(known) => known.latest(info),
                None => described = Some(info.clone()),
            }
        }
        let Some(mut info) = described else { return };
        (info.starts, info.slots) = (0, 0);
        for (origin, share) in joined {
            info.first = info.first.min(share.first);
            info.last = info.last.max(share.last);
            info.starts = info.starts.saturating_add(share.count);
            info.slots = info.slots.saturating_add(share.slots);
            if !self.out.is_own(origin) {
                self.out.origins.foreign.entry(id).or_default().push(share);
            }
        }
        self.info.insert(id, info);
    }

    /// The children of a group's nodes, those of like name together.
    fn below(&mut self, parent: NodeId, group: &Group) {
        let widest = |side: &usize| {
            group[*side].iter().map(|id| self.tree(*side).node(*id).width).max().unwrap_or(0)
        };
        let widest = [0, 1].iter().map(widest).max().unwrap_or(0);
        for ((kind, name), group) in self.children(group) {
            let id = self.insert(parent, kind, &name, &group);
            self.count(id, &group);
            self.members(id, &group);
            self.below(id, &group);
        }
        let crowded = Self::all(group).any(|(s, id)| self.tree(s).node(id).is(Flags::CROWDED));
        if self.out.node(parent).width > widest || crowded {
            self.out.node_mut(parent).flags |= Flags::CROWDED;
            self.crowded.push(parent);
        }
    }

    fn children(&self, group: &Group) -> BTreeMap<(NodeKind, String), Group> {
        let apart = Self::all(group).any(|(s, id)| self.tree(s).node(id).is(Flags::APART));
        let mut patterns: [BTreeSet<(NodeKind, &str)>; 2] = Default::default();
        let mut names: [Vec<(NodeKind, &str, NodeId)>; 2] = Default::default();
        for (side, id) in Self::all(group) {
            let tree = self.tree(side);
            for child in tree.children(id) {
                let (kind, name) = (tree.node(child).kind, tree.name(child));
                if tree.node(child).origin == Origin::Merged {
                    patterns[side].insert((kind, name));
                }
                names[side].push((kind, name, child));
            }
        }
        let covered = |patterns: &BTreeSet<(NodeKind, &'a str)>, kind: NodeKind, name: &str| {
            let fits = patterns.iter().filter(|(k, p)| *k == kind && *p != name);
            let fits = fits.map(|(_, p)| *p).filter(|p| covers(kind, p, name));
            fits.max_by_key(|p| (p.len(), std::cmp::Reverse(*p)))
        };
        // Names that a profile tells apart though a pattern beside them would cover them.
        let mut kept = BTreeSet::new();
        for (patterns, names) in patterns.iter().zip(&names) {
            kept.extend(
                names
                    .iter()
                    .filter(|(kind, name, _)| apart || covered(patterns, *kind, name).is_some())
                    .map(|(kind, name, _)| (*kind, *name)),
            );
        }
        let all: BTreeSet<(NodeKind, &str)> = patterns.iter().flatten().copied().collect();
        let mut children = BTreeMap::<(NodeKind, String), Group>::new();
        for (side, names) in names.iter().enumerate() {
            for (kind, name, id) in names {
                let literal = self.tree(side).node(*id).origin == Origin::Learned;
                let place = if literal && !kept.contains(&(*kind, *name)) {
                    covered(&all, *kind, name).unwrap_or(name)
                } else {
                    name
                };
                children.entry((*kind, place.to_owned())).or_default()[side].push(*id);
            }
        }
        children
    }

    /// By origin, the larger of what the sides have counted.
    fn count(&mut self, id: NodeId, group: &Group) {
        let mut joined = BTreeMap::<u16, Share>::new();
        for (side, ids) in group.iter().enumerate() {
            let mut sums = BTreeMap::<u16, Share>::new();
            for from in ids {
                for share in self.tree(side).shares(*from) {
                    let share = self.translated(side, share);
                    match sums.get_mut(&share.origin) {
                        Some(sum) => {
                            sum.add(&share);
                            sum.revisions =
                                self.out.revisions.union(sum.revisions, share.revisions);
                        }
                        None => _ = sums.insert(share.origin, share),
                    }
                }
            }
            for share in sums.into_values() {
                let origin = share.origin;
                let before = joined.get(&origin).map_or(share.revisions, |s| s.revisions);
                let revisions = self.out.revisions.union(before, share.revisions);
                join(&mut joined, share);
                if let Some(share) = joined.get_mut(&origin) {
                    share.revisions = revisions;
                }
            }
        }
        for (origin, mut share) in joined {
            self.out.sort_calls(&mut share);
            self.out.put(id, &share);
            if !self.out.is_own(origin) {
                self.out.origins.foreign.entry(id).or_default().push(share);
            }
        }
    }

    fn translated(&mut self, side: usize, mut share: Share) -> Share {
        let from = &self.sides[side];
        share.origin = from.origin(share.origin);
        share.revisions = from.revisions.get(usize::from(share.revisions)).copied().unwrap_or(0);
        for (call, _) in &mut share.calls {
            *call = self.out.names.intern(from.profile.tree.names.get(*call));
        }
        share
    }

    /// What a merged node is made of: the members that a side knows, and the nodes that become
    /// members only here.
    fn members(&mut self, id: NodeId, group: &Group) {
        if !matches!(self.out.node(id).origin, Origin::Merged | Origin::Rest) {
            return;
        }
        let origin = self.out.node(id).origin;
        let mut sides = [Merge::default(), Merge::default()];
        for (side, from) in Self::all(group) {
            let tree = self.tree(side);
            let mut found: Vec<Member> = Vec::new();
            if let Some(inner) = tree.merges.get(&from) {
                sides[side].support += inner.support;
                found.extend(inner.members.iter().cloned());
            } else if tree.name(from) != self.out.name(id) {
                sides[side].support += 1;
                let name = tree.node(from).name;
                found.extend(tree.shares(from).into_iter().map(|share| Member { name, share }));
            }
            for Member { name, share } in found {
                let name = self.out.names.intern(tree.names.get(name));
                let share = self.translated(side, share);
                sides[side].members.push(Member { name, share });
            }
        }
        for merge in &mut sides {
            self.out.bound(merge, origin);
        }
        let [mut merge, other] = sides;
        for member in other.members {
            merge.join(member);
        }
        for member in &mut merge.members {
            self.out.sort_calls(&mut member.share);
        }
        let names = merge.names() as u64;
        merge.support = merge.support.max(other.support).max(names);
        self.out.bound(&mut merge, origin);
        self.out.merges.insert(id, merge);
    }
}

fn join(joined: &mut BTreeMap<u16, Share>, share: Share) {
    match joined.get_mut(&share.origin) {
        Some(known) => known.join(&share),
        None => _ = joined.insert(share.origin, share),
    }
}

/// The origins of a profile; one without a name where none was told.
fn origins(profile: &Profile) -> Vec<&str> {
    match profile.tree.origins.names.as_slice() {
        [] => vec![""],
        names => names.iter().map(String::as_str).collect(),
    }
}

/// Starts and seconds of a program by origin, as if they were events.
fn program_shares(tree: &Tree, id: NodeId, info: &ProgramInfo) -> Vec<Share> {
    let mut own = Share {
        origin: tree.origins.own.unwrap_or_default(),
        count: info.starts,
        slots: info.slots,
        first: info.first,
        last: info.last,
        last_slot: NONE,
        ..Share::default()
    };
    let foreign = tree.origins.foreign.get(&id).map_or(&[][..], Vec::as_slice);
    for share in foreign {
        own.take(share);
    }
    let mut shares = foreign.to_vec();
    if tree.origins.own.is_some() || foreign.is_empty() {
        shares.push(own);
    }
    shares
}
