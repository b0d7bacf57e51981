//! The profile of one identity: its tree, its programs, its phase.

use std::hash::{BuildHasher, Hash};

use hanabi_event::{Category, EventTime, SECOND};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    behaviour::Steps,
    evidence::evidence,
    key::{OperationName, ProgramKey, SEPARATOR, branch_index, program_name},
    learning::{LearnRules, LearningState},
    limits::Limits,
    names::NameId,
    node::{Flags, NodeId, NodeKind, Origin},
    phase::{Phase, ProfileSummary},
    program::ProgramInfo,
    promote::Promotion,
    revision::RevisionDiff,
    tree::{REST, Tree},
};

/// Where a path stopped fitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All of it is known.
    Known(NodeId),
    /// The step of this index has no node below `parent`.
    Missing {
        /// The last node that fits.
        parent: NodeId,
        /// The index of the first step that does not.
        step: usize,
    },
}

/// The learned behaviour of one identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Profile {
    /// The version of its stored form.
    #[serde(default = "crate::stored::first_version")]
    pub(crate) version: u32,
    /// Whose.
    pub identity: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// First event.
    pub first_seen: EventTime,
    /// Last event.
    pub last_seen: EventTime,
    /// Events modelled.
    pub events: u64,
    /// Deviations found.
    pub deviations: u64,
    /// Events accepted by meaning though their exact path is new.
    pub variations: u64,
    /// Images seen, in the order of their first appearance.
    pub revisions: Vec<String>,
    /// What the last images changed, newest last.
    #[serde(default)]
    pub diffs: Vec<RevisionDiff>,
    /// The tree.
    pub tree: Tree,
    pub(crate) learning: LearningState,
    /// What other origins have counted.
    #[serde(default)]
    pub(crate) foreign: Vec<crate::merge::Totals>,
    #[serde(skip)]
    pub(crate) programs: HashMap<String, NodeId>,
    pub(crate) info: std::collections::BTreeMap<NodeId, ProgramInfo>,
    /// Parents with more children than fit, to be looked at when the window ends.
    pub(crate) crowded: Vec<NodeId>,
    /// What people have put in.
    #[serde(default)]
    pub(crate) promotions: Vec<Promotion>,
    #[serde(skip)]
    seen: HashMap<u64, (NodeId, NodeId)>,
    #[serde(skip)]
    hasher: foldhash::fast::RandomState,
    #[serde(skip)]
    scratch: String,
}

impl Profile {
    /// An empty profile whose first event is at `now` and whose warm-up lasts `warmup`.
    pub fn new(identity: &str, now: EventTime, warmup: EventTime) -> Self {
        Self {
            version: crate::stored::PROFILE_VERSION,
            identity: identity.to_owned(),
            phase: Phase::Warmup,
            first_seen: now,
            last_seen: now,
            events: 0,
            deviations: 0,
            variations: 0,
            revisions: Vec::new(),
            diffs: Vec::new(),
            tree: Tree::default(),
            learning: LearningState::new(now, warmup),
            foreign: Vec::new(),
            programs: HashMap::new(),
            info: std::collections::BTreeMap::new(),
            crowded: Vec::new(),
            promotions: Vec::new(),
            seen: HashMap::new(),
            hasher: foldhash::fast::RandomState::default(),
            scratch: String::new(),
        }
    }

    /// A program that is known. One hash.
    pub fn program(&mut self, key: &ProgramKey<'_>) -> Option<NodeId> {
        program_name(key, &mut self.scratch);
        self.programs.get(self.scratch.as_str()).copied()
    }

    /// A program, put in if it is new; true when it was.
    pub fn learn_program(
        &mut self,
        key: &ProgramKey<'_>,
        now: EventTime,
        limits: &Limits,
    ) -> (NodeId, bool) {
        if let Some(known) = self.program(key) {
            return (known, false);
        }
        let name = self.scratch.clone();
        self.make_room(limits, None);
        let full = self.is_full(limits);
        let id = if full {
            self.tree.folded += 1;
            self.rest(Tree::ROOT, NodeKind::Program)
        } else {
            let name_id = self.tree.names.intern(&name);
            self.tree.insert(Tree::ROOT, NodeKind::Program, name_id)
        };
        let name = if full { format!("{REST}{SEPARATOR}{SEPARATOR}") } else { name };
        let mut parts = name.split(SEPARATOR).map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        self.info.entry(id).or_insert_with(|| ProgramInfo {
            name: part(),
            executable: part(),
            user: part(),
            first: now,
            last: now,
            last_growth: now,
            ..ProgramInfo::default()
        });
        if !full {
            self.programs.insert(name, id);
        }
        self.learning.grew(now);
        (id, true)
    }

    fn rest(&mut self, parent: NodeId, kind: NodeKind) -> NodeId {
        self.tree.pattern(parent, kind, REST, Origin::Rest)
    }

    /// Where a tree without any room counts a path: the nearest rest on the way up.
    fn nearest_rest(&mut self, from: NodeId, kind: NodeKind) -> NodeId {
        let mut at = from;
        loop {
            let mut kinds = std::iter::once(kind).chain(kind.other());
            if let Some(rest) = kinds.find_map(|k| self.tree.child(at, k, REST)) {
                return rest;
            }
            let node = self.tree.node(at);
            if at == Tree::ROOT || node.kind == NodeKind::Program {
                return self.rest(at, kind);
            }
            at = node.parent;
        }
    }

    /// Walks a path below a program. One hash step a level, no allocation.
    ///
    /// What stands for the rest of a family fits only in a profile that detects: one that learns
    /// takes in by itself what it still has room for.
    pub fn find(&self, program: NodeId, steps: &Steps) -> Found {
        self.find_from(program, steps, 0)
    }

    /// As [`Profile::find`], from a node on the way and the step below it.
    pub fn find_from(&self, node: NodeId, steps: &Steps, first: usize) -> Found {
        let rest = self.phase.detects();
        let mut at = node;
        for (index, (kind, name)) in steps.iter().enumerate().skip(first) {
            let other = || kind.other().and_then(|k| self.tree.child_or_pattern(at, k, name, rest));
            match self.tree.child_or_pattern(at, kind, name, rest).or_else(other) {
                Some(next) => at = next,
                None => return Found::Missing { parent: at, step: index },
            }
        }
        Found::Known(at)
    }

    /// Puts a path in below a program; returns the leaf and how many nodes are new. A full tree is
    /// made coarser first, which leaves the ids of what is not folded as they are.
    pub fn learn(
        &mut self,
        program: NodeId,
        steps: &Steps,
        limits: &Limits,
        now: EventTime,
    ) -> (NodeId, u32) {
        self.make_room(limits, Some(program));
        let mut at = program;
        let mut grown = 0;
        for (kind, name) in steps.iter() {
            let kind = match self.tree.child(at, kind, name) {
                None => {
                    kind.other().filter(|k| self.tree.child(at, *k, name).is_some()).unwrap_or(kind)
                }
                Some(_) => kind,
            };
            if self.is_full(limits) && self.tree.child_or_pattern(at, kind, name, false).is_none() {
                self.tree.folded += 1;
                // A program can need a rest of its own for files and one for directories.
                let room = self.tree.len() + 2 * self.info.len() < limits.max_nodes;
                at = if room { self.rest(at, kind) } else { self.nearest_rest(at, kind) };
                break;
            }
            let (next, new) = self.tree.child_or_insert(at, kind, name);
            if new {
                grown += 1;
                self.note_width(at, kind, limits);
            }
            at = next;
        }
        if grown > 0 {
            self.learning.grew(now);
            if let Some(info) = self.info.get_mut(&program) {
                info.last_growth = now;
            }
        }
        (at, grown)
    }

    fn note_width(&mut self, parent: NodeId, kind: NodeKind, limits: &Limits) {
        let node = self.tree.node_mut(parent);
        if node.width > limits.least(kind) && !node.is(Flags::CROWDED) {
            node.flags |= Flags::CROWDED;
            self.crowded.push(parent);
        }
    }

    /// Counts an event at its leaf and at its program's call. `leaf` is `None` for events without
    /// an object.
    pub fn count(&mut self, program: NodeId, leaf: Option<NodeId>, hit: Hit<'_>) -> NodeId {
        let operation = self.operation(program, hit.category, hit.call);
        self.count_at(program, leaf, operation, hit);
        operation
    }

    /// Counts an event that does not fit. Nothing new enters the tree, its call neither.
    pub fn count_deviation(&mut self, program: NodeId, hit: Hit<'_>) {
        if let Some(operation) = self.find_operation(program, hit.category, hit.call) {
            self.count_at(program, None, operation, hit);
        } else {
            self.events += hit.count;
            self.last_seen = self.last_seen.max(hit.time);
        }
    }

    /// As [`Profile::count`] with the operation already known.
    pub fn count_at(
        &mut self,
        program: NodeId,
        leaf: Option<NodeId>,
        operation: NodeId,
        hit: Hit<'_>,
    ) {
        let branch = branch_index(hit.category);
        let call = self.tree.node(operation).name;
        self.events += hit.count;
        self.last_seen = self.last_seen.max(hit.time);
        let slot = (hit.time / SECOND) as u32;
        self.tree.incidences[branch].events += hit.count;
        if let Some(info) = self.info.get_mut(&program) {
            info.first = info.first.min(hit.time);
            info.last = info.last.max(hit.time);
            if info.last_slot != slot {
                info.last_slot = slot;
                info.slots += 1;
            }
            if info.branch_slots[branch] != slot {
                info.branch_slots[branch] = slot;
                self.tree.incidences[branch].sum +=
                    u64::from(hit.time >= self.learning.steady_from());
            }
        }
        if let Some(leaf) = leaf {
            let node = self.tree.node_mut(operation);
            if node.count == 0 || hit.time < node.first {
                node.first = hit.time;
            }
            node.count += hit.count;
            node.last = node.last.max(hit.time);
            self.tree.touch(leaf, branch, call, hit.access, hit.time, hit.count);
        } else {
            self.tree.touch(operation, branch, call, hit.access, hit.time, hit.count);
        }
    }

    /// A further path of an event that is already counted: its leaf was used, nothing else happened.
    pub fn count_further(&mut self, leaf: NodeId, operation: NodeId, hit: Hit<'_>) {
        let call = self.tree.node(operation).name;
        self.tree.touch(leaf, branch_index(hit.category), call, hit.access, hit.time, hit.count);
    }

    /// True when the program has made this call before.
    pub fn knows_call(&self, program: NodeId, category: Category, call: &str) -> bool {
        self.find_operation(program, category, call).is_some()
    }

    fn find_operation(&self, program: NodeId, category: Category, call: &str) -> Option<NodeId> {
        let name = self.tree.names.find(OperationName::new(category, call).as_str())?;
        self.tree.child_by_id(program, NodeKind::Operation, name)
    }

    fn operation(&mut self, program: NodeId, category: Category, call: &str) -> NodeId {
        let name = OperationName::new(category, call);
        self.tree.child_or_insert(program, NodeKind::Operation, name.as_str()).0
    }

    /// A key for [`Profile::recall`]: everything that decides where an event ends.
    pub fn raw_key(&self, parts: impl Hash) -> u64 {
        self.hasher.hash_one(parts)
    }

    /// Where an event of this very key ended last time: leaf and operation.
    pub fn recall(&self, key: u64) -> Option<(NodeId, NodeId)> {
        self.seen.get(&key).copied()
    }

    /// Remembers where an event of this key ended. Forgets all when the memory is full: keys with a
    /// client's port never come back, and what is in use returns at once.
    pub fn remember(&mut self, key: u64, leaf: NodeId, operation: NodeId) {
        let limit = (self.tree.len() * 4).clamp(256, 8_192);
        if self.seen.len() >= limit {
            self.seen.clear();
        }
        self.seen.insert(key, (leaf, operation));
    }

    /// Forgets all remembered keys, since nodes have moved.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
    }

    /// A window lost events: learning cannot end on its evidence.
    pub fn lossy(&mut self, now: EventTime) {
        self.learning.lossy(now);
    }

    /// Ends the windows up to `now`: merges, and the decision whether learning is done. True when
    /// the phase changed.
    pub fn end_windows(&mut self, now: EventTime, rules: &LearnRules, limits: &Limits) -> bool {
        let before = self.phase;
        while let Some(end) = self.learning.next_window(now) {
            if matches!(self.phase, Phase::Warmup | Phase::Learning | Phase::Degraded) {
                if (end / SECOND).is_multiple_of(MERGE_EVERY) {
                    self.merge_crowded(limits);
                }
                self.make_room_early(limits);
                self.phase = self.phase_at(end, rules);
                if self.phase.detects() {
                    self.merge_crowded(limits);
                    self.compact();
                }
            }
            self.end_revisions(end, limits);
        }
        before != self.phase
    }

    fn phase_at(&mut self, end: EventTime, rules: &LearnRules) -> Phase {
        let learning = &mut self.learning;
        let (tree, info) = (&self.tree, &self.info);
        learning.phase_at(end, rules, |steady_from| evidence(tree, info, steady_from))
    }

    /// Ends learning by an operator's or a test's word.
    pub fn detect_now(&mut self, limits: &Limits) {
        if !self.phase.detects() {
            self.merge_crowded(limits);
            self.compact();
            self.phase = Phase::Detecting;
        }
    }

    /// Rebuilds the table of programs after nodes have moved.
    pub(crate) fn reindex_programs(&mut self, moved: impl Fn(NodeId) -> Option<NodeId>) {
        self.programs = self.programs.drain().filter_map(|(n, id)| Some((n, moved(id)?))).collect();
        self.info = std::mem::take(&mut self.info)
            .into_iter()
            .filter_map(|(id, info)| Some((moved(id)?, info)))
            .collect();
        self.crowded = std::mem::take(&mut self.crowded).into_iter().filter_map(&moved).collect();
        self.forget();
    }

    /// The profile in numbers.
    pub fn summary(&self, rules: &LearnRules) -> ProfileSummary {
        ProfileSummary {
            identity: self.identity.clone(),
            phase: self.phase,
            learning: self.learning.progress(
                self.phase,
                self.last_seen,
                rules,
                &evidence(&self.tree, &self.info, self.learning.steady_from()),
            ),
            nodes: self.tree.len() as u64,
            events: self.events,
            deviations: self.deviations,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            revisions: self.revisions.clone(),
            diffs: self.diffs.clone(),
        }
    }

    pub(crate) fn call_name(&self, id: NameId) -> &str {
        self.tree.names.get(id).split_once(':').map_or("", |(_, call)| call)
    }
}

/// Every so many seconds of event time the crowded parts of a learning tree are merged.
const MERGE_EVERY: u64 = 10;

/// One event to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// Branch.
    pub category: Category,
    /// Call.
    pub call: &'a str,
    /// For files.
    pub access: Access,
    /// When.
    pub time: EventTime,
    /// How many, where a sensor has counted.
    pub count: u64,
}
