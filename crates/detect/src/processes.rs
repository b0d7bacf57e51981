//! The processes of one container: who started whom, and under which alert they run.

use std::collections::{BTreeMap, VecDeque};

use hanabi_event::{Event, EventTime, SECOND};
use hanabi_profile::{NodeId, behaviour};
use serde::{Deserialize, Serialize};

use crate::{LineageEntry, text};

/// Processes remembered in a container; the oldest go first. Four times the default limit of
/// processes in a pod, so that a fork bomb costs memory for this many and no more.
pub const MAX_PROCESSES: usize = 4_096;

/// A container's first process lives longer than this; health checks and commands do not.
const SHORT_LIFE: EventTime = 30 * SECOND;

/// A process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    /// `proc.name` at its last start.
    pub name: String,
    /// Executable.
    pub executable: String,
    /// Redacted command line.
    pub command_line: String,
    /// Parent's pid.
    pub parent: Option<i64>,
    /// First seen.
    pub since: EventTime,
    /// Its program in the tree, when it was learned.
    pub program: Option<NodeId>,
    /// The fingerprint of the alert that its session belongs to.
    pub session: Option<String>,
    /// It descends from the container's first process.
    pub entry: bool,
    /// It has a terminal.
    pub terminal: bool,
    /// As whom it runs.
    pub user: Option<i64>,
    /// It is root, and what it came from was not.
    pub became_root: bool,
    /// When it, or the process that it was forked from, was started as what it is.
    #[serde(default)]
    pub started: EventTime,
    /// When it last read what it reads seldom and never alters; 0 for never.
    #[serde(default)]
    pub rare_read: EventTime,
}

/// All of a container's processes by pid.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Processes {
    by_pid: BTreeMap<i64, Process>,
    order: VecDeque<i64>,
    /// The container's first process, while it runs.
    entry: Option<i64>,
    /// What was taken for the container's first process was a command in it.
    #[serde(default)]
    mistaken: bool,
    /// When it was first seen.
    pub entry_since: EventTime,
    /// Processes forgotten because there were too many.
    pub forgotten: u64,
}

impl Processes {
    /// The process of an event, made known if it is not. An exec replaces what it was.
    pub fn observe(&mut self, event: &Event<'_>) -> Option<&mut Process> {
        let pid = event.process.pid.filter(|pid| *pid > 0)?;
        let exec = is_start(event);
        let known = self
            .by_pid
            .get(&pid)
            .is_some_and(|p| !exec && p.executable == event.process.executable);
        if !known {
            let made = self.make(event, pid, exec);
            if made.entry && self.entry.is_none() {
                self.entry = Some(pid);
                self.entry_since = event.time;
            }
            if self.by_pid.insert(pid, made).is_none() {
                self.order.push_back(pid);
                self.trim();
            }
        }
        self.by_pid.get_mut(&pid)
    }

    fn make(&mut self, event: &Event<'_>, pid: i64, exec: bool) -> Process {
        let before = self.by_pid.get(&pid);
        let parent_pid = event.process.parent_pid.or_else(|| before.and_then(|b| b.parent));
        let parent = parent_pid.and_then(|p| self.by_pid.get(&p));
        let from_runtime =
            behaviour::is_runtime(event.process.parent) || event.process.parent.is_empty();
        let inherited = before.or(parent);
        // With other processes there already, this is somebody's exec into a container whose first
        // process has not been heard of.
        let begins = self.by_pid.is_empty() || self.entry_since > 0;
        let entry = match inherited {
            Some(p) => p.entry && !(exec && from_runtime && before.is_none()),
            None => from_runtime && self.entry.is_none() && begins && !self.mistaken,
        };
        let terminal =
            event.process.tty.map_or(inherited.is_some_and(|p| p.terminal), |tty| tty > 0);
        let user = event.user.uid;
        let was = inherited.and_then(|p| p.user);
        let inherited =
            self.by_pid.get(&pid).or_else(|| parent_pid.and_then(|p| self.by_pid.get(&p)));
        Process {
            name: text::bounded(event.process.name, 64),
            executable: text::bounded(event.process.executable, 256),
            command_line: text::shown(event.process.command_line, 256),
            parent: parent_pid,
            since: event.time,
            program: None,
            session: inherited.and_then(|p| p.session.clone()),
            entry,
            terminal,
            user,
            became_root: user == Some(0) && was.is_some_and(|uid| uid != 0),
            started: inherited.filter(|_| !exec).map_or(event.time, |p| p.started),
            rare_read: 0,
        }
    }

    fn trim(&mut self) {
        while self.by_pid.len() > MAX_PROCESSES {
            let Some(oldest) = self.order.pop_front() else { return };
            if self.by_pid.remove(&oldest).is_some() {
                self.forgotten += 1;
            }
        }
        if self.order.len() > 4 * MAX_PROCESSES {
            let by_pid = &self.by_pid;
            self.order.retain(|pid| by_pid.contains_key(pid));
        }
    }

    /// A process by pid.
    pub fn get(&self, pid: i64) -> Option<&Process> {
        self.by_pid.get(&pid)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, pid: i64) -> Option<&mut Process> {
        self.by_pid.get_mut(&pid)
    }

    /// All, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.by_pid.values_mut()
    }

    /// A process has ended.
    pub fn ended(&mut self, pid: i64, now: EventTime) {
        self.by_pid.remove(&pid);
        if self.entry == Some(pid) {
            // The container stops; what the runtime starts next is its first process again. One
            // that was soon over was a command in a container that runs, its first process silent.
            self.entry = None;
            self.mistaken |= now.saturating_sub(self.entry_since) < SHORT_LIFE;
        }
    }

    /// True when the container's first process was known and has ended: the container has stopped.
    pub(crate) fn has_ended(&self) -> bool {
        self.entry.is_none() && self.entry_since > 0 && !self.mistaken
    }

    /// Ancestors, oldest first, the process itself last; at most eight.
    pub fn lineage(&self, event: &Event<'_>) -> Vec<LineageEntry> {
        let mut chain = vec![LineageEntry {
            name: text::bounded(event.process.name, 64),
            executable: text::bounded(event.process.executable, 256),
            command_line: text::shown(event.process.command_line, 256),
            pid: event.process.pid,
        }];
        let mut next = event.process.parent_pid;
        while let Some(pid) = next
            && chain.len() < 8
            && let Some(process) = self.by_pid.get(&pid)
        {
            chain.push(LineageEntry {
                name: process.name.clone(),
                executable: process.executable.clone(),
                command_line: process.command_line.clone(),
                pid: Some(pid),
            });
            next = process.parent.filter(|p| *p != pid);
        }
        if chain.len() == 1 && !event.process.parent.is_empty() {
            chain.push(LineageEntry {
                name: text::bounded(event.process.parent, 64),
                pid: event.process.parent_pid,
                ..LineageEntry::default()
            });
        }
        chain.reverse();
        chain
    }
}

/// A successful execve: a process becomes a program.
pub(crate) fn is_start(event: &Event<'_>) -> bool {
    matches!(event.call, "execve" | "execveat") && event.result.is_none_or(|r| r >= 0)
}
