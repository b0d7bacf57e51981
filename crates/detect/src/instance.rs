//! One running container: its processes, its sockets, its recent lines.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use hanabi_event::{Direction, Event, EventTime, MILLISECOND};
use hanabi_profile::{
    behaviour::Flow,
    peer::{self, End},
};
use serde::{Deserialize, Serialize};

use crate::{AlertContainer, bursts::Bursts, processes::Processes};

/// Sockets whose direction is remembered; the table is emptied when full, and a socket whose
/// direction is unknown never deviates by itself.
const MAX_SOCKETS: usize = 8_192;
/// Lines of other rules are compared with this many recent lines.
const RECENT: usize = 64;
/// Several rules report one kernel event within this much event time.
pub(crate) const SAME_EVENT: EventTime = MILLISECOND;

/// A container instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Instance {
    /// As alerts show it.
    pub shown: AlertContainer,
    /// Namespace.
    pub namespace: String,
    /// First event.
    pub first: EventTime,
    /// Last event.
    pub last: EventTime,
    /// Lines that are events of it.
    pub events: u64,
    /// Its processes.
    pub processes: Processes,
    /// Its bursts.
    pub bursts: Bursts,
    /// Its name for people; made again when the name comes.
    #[serde(skip)]
    label: Option<Arc<str>>,
    targets: BTreeMap<i64, End2>,
    flows: BTreeMap<(i64, i64), u8>,
    own: BTreeSet<std::net::IpAddr>,
    recent: VecDeque<(EventTime, u64)>,
}

/// [`End`] in a form that can be stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct End2(std::net::IpAddr, u16);

impl Instance {
    /// Takes names in as they come.
    pub fn observe(&mut self, event: &Event<'_>) {
        let container = &event.container;
        let shown = &mut self.shown;
        let fill = |to: &mut String, from: &str| {
            if to.is_empty() && !from.is_empty() {
                *to = crate::text::bounded(from, 200);
            }
        };
        fill(&mut shown.id, container.id);
        if shown.name.is_empty() && !container.name.is_empty() {
            self.label = None;
        }
        fill(&mut shown.name, container.name);
        fill(&mut shown.host, event.host);
        fill(&mut shown.pod, container.pod);
        fill(&mut self.namespace, container.namespace);
        if shown.image.is_empty() && !container.repository.is_empty() {
            shown.image = image(container.repository, container.tag);
        }
        if self.first == 0 {
            self.first = event.time;
        }
        self.last = self.last.max(event.time);
        self.events += 1;
    }

    /// Its name for people, or its profile's while it has none.
    pub(crate) fn label(&mut self, identity: &str) -> Arc<str> {
        let name = if self.shown.name.is_empty() { identity } else { &self.shown.name };
        Arc::clone(self.label.get_or_insert_with(|| crate::text::bounded(name, 80).into()))
    }

    /// Remembers the line for [`Instance::reported`].
    pub fn note(&mut self, event: &Event<'_>) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((event.time, call_hash(event.call)));
    }

    /// True when a catch-all line has reported this very kernel event.
    pub fn reported(&self, time: EventTime, call: &str) -> bool {
        let hash = call_hash(call);
        self.recent.iter().rev().any(|(t, h)| *t == time && *h == hash)
    }

    /// Follows sockets: what a connect or accept says of a descriptor holds for what comes after.
    pub fn follow(&mut self, event: &Event<'_>) {
        let Some(pid) = event.process.pid else { return };
        match (event.call, event.direction) {
            ("connect", Direction::Enter) => {
                if let Some(End { address, port }) = event.args.get("addr").and_then(peer::end) {
                    self.bound();
                    self.targets.insert(pid, End2(address, port));
                }
            }
            ("connect", Direction::Exit) => self.opened(event, pid, Flow::Out),
            ("accept" | "accept4", Direction::Exit) => self.opened(event, pid, Flow::In),
            ("close", Direction::Exit) => {
                if let Some(fd) = event.fd.number {
                    self.flows.remove(&(pid, fd));
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, event: &Event<'_>, pid: i64, flow: Flow) {
        if let Some(tuple) = peer::tuple(event.fd.name)
            && self.own.len() < 16
        {
            let own = if flow == Flow::Out { tuple.client } else { tuple.server };
            self.own.insert(own.address);
        }
        if let Some(fd) = event.fd.number {
            self.bound();
            self.flows.insert((pid, fd), flow as u8);
        }
    }

    fn bound(&mut self) {
        if self.flows.len() >= MAX_SOCKETS {
            self.flows.clear();
        }
        if self.targets.len() >= MAX_SOCKETS {
            self.targets.clear();
        }
    }

    /// Where the process's last connect was going, once.
    pub fn target(&mut self, event: &Event<'_>) -> Option<End> {
        if event.call != "connect" {
            return None;
        }
        let End2(address, port) = self.targets.remove(&event.process.pid?)?;
        Some(End { address, port })
    }

    /// Which way the event's socket was opened: by its connect or accept, else by whose the
    /// addresses are.
    pub fn flow(&self, event: &Event<'_>) -> Option<Flow> {
        let known = event.process.pid.zip(event.fd.number).and_then(|key| self.flows.get(&key));
        if let Some(flow) = known {
            return Some(if *flow == Flow::Out as u8 { Flow::Out } else { Flow::In });
        }
        let tuple = peer::tuple(event.fd.name)?;
        if tuple.client.address == tuple.server.address {
            return None;
        }
        if self.own.contains(&tuple.client.address) {
            Some(Flow::Out)
        } else if self.own.contains(&tuple.server.address) {
            Some(Flow::In)
        } else {
            None
        }
    }
}

/// `repository:tag`, without the colon where there is no tag.
pub(crate) fn image(repository: &str, tag: &str) -> String {
    let text = if tag.is_empty() { repository.to_owned() } else { format!("{repository}:{tag}") };
    crate::text::bounded(&text, 200)
}

fn call_hash(call: &str) -> u64 {
    stable_hash(call)
}

/// FNV-1a, for what is stored or decides a place and must not change with the process.
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
