//! A service that reads the list of accounts long after its start.
//!
//! Nearly every service reads `/etc/passwd` once, to become the user it runs as, and so the path is
//! known. Read again while it serves, by itself, it is what a request made it read: a traversal, an
//! injected `LOAD_FILE`, an included file. A reload reads it too, but among the configuration.

use hanabi_event::{EventTime, SECOND};
use hanabi_profile::{Found, NodeId, access::Access, behaviour::Object};

use crate::{
    Instance, Kind, Process, Watch, files,
    judge::{self, Case},
    ledger::Finding,
    score::{self, Score},
};

/// What a process reads in its first half minute belongs to its start.
pub(crate) const START: EventTime = 30 * SECOND;
/// A reload reads its files within this time of each other.
const RELOAD: EventTime = 2 * SECOND;
/// Programs remembered as readers of accounts at any time; a profile has rarely a dozen.
const MAX_READERS: usize = 256;

/// True while a process reads its configuration anew.
pub(crate) fn reloads(process: &Process, now: EventTime) -> bool {
    process.rare_read > 0 && now.saturating_sub(process.rare_read) <= RELOAD
}

impl Watch {
    /// A read of accounts long after the process's start; what is learned is expected later.
    fn is_late_account_read(case: &Case<'_>) -> bool {
        matches!(&case.behaviour.object, Object::File(path) if judge::is_account_list(path))
            && case.behaviour.access.contains(Access::READ)
            && case.age >= START
    }

    /// Learns who reads accounts at any time.
    pub(crate) fn learn_account_read(&mut self, case: &Case<'_>) {
        if Self::is_late_account_read(case) && self.account_readers.len() < MAX_READERS {
            self.account_readers.insert(case.program.to_owned());
        }
    }

    /// The finding for a stable service that reads accounts late and alone, and never did.
    pub(crate) fn late_account_read(&self, case: &Case<'_>, program: NodeId) -> Option<Finding> {
        let now = case.event.time;
        if !Self::is_late_account_read(case) || self.account_readers.contains(case.program) {
            return None;
        }
        let mut paths = Vec::new();
        judge::paths(case, &mut paths);
        let known = |steps| matches!(self.profile.find(program, steps), Found::Known(_));
        if !paths.iter().all(known) {
            return None;
        }
        let info = self.profile.info(program)?;
        if case.reloads || !score::is_stable_service(&self.profile, program, info, now) {
            return None;
        }
        let raw = judge::raw_object(case);
        let subject = format!("{} read late {raw}", judge::program_name(&self.profile, program));
        let score = Score::base("known_from_start_only", score::LATE_ACCOUNTS);
        let mut finding = case.finding(Kind::NewAccess, &subject, score, &raw);
        finding.path.learned = vec![info.name.clone()];
        "read long after its start".clone_into(&mut finding.path.token);
        finding.mitre = vec!["T1087.001".to_owned()];
        Some(finding)
    }

    /// Notes a read of what the program reads seldom and never alters: its configuration.
    pub(crate) fn note_rare_read(
        &self,
        instance: &mut Instance,
        case: &Case<'_>,
        program: NodeId,
        leaf: NodeId,
    ) {
        let node = self.profile.tree.node(leaf);
        let configuration = case.behaviour.access.contains(Access::READ)
            && !node.access.intersects(Access::ALTERING)
            && matches!(&case.behaviour.object, Object::File(path)
                if files::is_configuration(path) && !judge::is_account_list(path));
        let seldom = || {
            self.profile
                .info(program)
                .is_some_and(|info| node.slots <= 2 || node.slots.saturating_mul(50) <= info.slots)
        };
        if configuration
            && seldom()
            && let Some(pid) = case.event.process.pid
            && let Some(process) = instance.processes.get_mut(pid)
        {
            process.rare_read = case.event.time;
        }
    }
}
