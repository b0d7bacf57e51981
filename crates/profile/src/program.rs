//! What is known of a program beside its tree.

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::{node::NodeId, profile::Profile, tree::REST};

/// What is known of a program beside its tree.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProgramInfo {
    /// Its generalised name.
    pub name: String,
    /// Its generalised executable.
    pub executable: String,
    /// Its user.
    pub user: String,
    /// First event.
    pub first: EventTime,
    /// Last event.
    pub last: EventTime,
    /// Seconds in which it was active.
    pub slots: u32,
    pub(crate) last_slot: u32,
    /// The last second of activity in each branch.
    pub(crate) branch_slots: [u32; 3],
    /// How often it was started.
    pub starts: u64,
    /// When its part of the tree last grew.
    pub last_growth: EventTime,
}

impl ProgramInfo {
    /// Adds what is known of another program, to stand for both.
    pub(crate) fn add(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.slots = self.slots.saturating_add(other.slots);
        self.starts = self.starts.saturating_add(other.starts);
        self.latest(other);
    }

    /// The later of what is known of when it was last active.
    pub(crate) fn latest(&mut self, other: &Self) {
        self.last_slot = self.last_slot.max(other.last_slot);
        for (own, other) in self.branch_slots.iter_mut().zip(other.branch_slots) {
            *own = (*own).max(other);
        }
        self.last_growth = self.last_growth.max(other.last_growth);
    }
}

impl Profile {
    /// What is known of a program.
    pub fn info(&self, program: NodeId) -> Option<&ProgramInfo> {
        self.info.get(&program)
    }

    /// The same, to be changed.
    pub fn info_mut(&mut self, program: NodeId) -> Option<&mut ProgramInfo> {
        self.info.get_mut(&program)
    }

    /// The busiest program of an executable and user, whatever its name. Linear in the programs.
    pub fn program_by_executable(&self, executable: &str, user: &str) -> Option<NodeId> {
        self.info
            .iter()
            .filter(|(_, info)| info.executable == executable && info.user == user)
            .max_by_key(|(id, info)| (info.slots, std::cmp::Reverse(**id)))
            .map(|(id, _)| *id)
    }

    /// All programs, in order of their places in the tree.
    pub fn programs(&self) -> impl Iterator<Item = (NodeId, &ProgramInfo)> {
        self.info.iter().map(|(id, info)| (*id, info))
    }

    /// Programs that a full tree has folded: one stands for them, and none of them is known any
    /// more. It is no answer to what an unknown program is, or a flood would make all of them known.
    pub(crate) fn fold_programs(&mut self, folded: &[NodeId], rest: NodeId) {
        let known: Vec<ProgramInfo> =
            [&[rest], folded].concat().iter().filter_map(|id| self.info.remove(id)).collect();
        if let Some(mut sum) = known.first().cloned() {
            for info in known.iter().skip(1) {
                sum.add(info);
            }
            (sum.name, sum.executable, sum.user) = (REST.to_owned(), String::new(), String::new());
            self.info.insert(rest, sum);
        }
        let info = &self.info;
        self.programs.retain(|_, id| *id != rest && info.contains_key(id));
    }
}
