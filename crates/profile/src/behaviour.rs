//! What an event means for the tree: the program, the call, and the paths below the program.

use std::net::IpAddr;

use hanabi_event::{Category, Event, FdKind};

use crate::{
    access::{self, Access},
    arguments,
    node::NodeKind,
    path,
    peer::{self, AddressClass, End},
};

/// Which way a socket's bytes were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// This container connected.
    Out,
    /// Somebody connected to it.
    In,
    /// It waits for connections.
    Listen,
}

impl Flow {
    /// The node's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Listen => "listen",
        }
    }
}

/// What an event was done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// Nothing that could be named: the call alone counts.
    None,
    /// A path.
    File(&'a str),
    /// A path and the name it was renamed or linked to.
    Pair(&'a str, &'a str),
    /// Another end of an internet socket.
    Peer {
        /// Who asked.
        flow: Flow,
        /// The end whose port names the service.
        service: End,
        /// The other container's or host's address.
        peer: IpAddr,
    },
    /// A unix socket.
    Unix(&'a str),
    /// A socket of an unusual family: `packet`, `raw` …
    Socket(&'static str),
    /// A program was started: parent and arguments.
    Start,
}

/// A behaviour: an event without what does not matter.
#[derive(Clone, Debug)]
pub struct Behaviour<'a> {
    /// Branch.
    pub category: Category,
    /// Call.
    pub call: &'a str,
    /// For files.
    pub access: Access,
    /// To what.
    pub object: Object<'a>,
    /// True when a new object alone is no news, since the call only follows others (`close`).
    pub follows: bool,
    /// The call failed.
    pub failed: bool,
    /// Names are generalised; see [`crate::Limits::lexical`].
    pub lexical: bool,
}

impl<'a> Behaviour<'a> {
    /// Reads an exit event. `flow` is what is known of the direction of its socket, `target` the
    /// address from a connect's enter line.
    pub fn of(
        event: &Event<'a>,
        flow: Option<Flow>,
        target: Option<End>,
        limits: &crate::Limits,
    ) -> Self {
        let failed = event.result.is_some_and(|r| r < 0 && r != EINPROGRESS);
        let (access, object, follows) = match event.category {
            Category::File => file(event),
            Category::Network => network(event, flow, target),
            Category::Process => (Access::empty(), process(event, failed), false),
            Category::Unknown => (Access::empty(), Object::None, true),
        };
        let lexical = limits.lexical;
        Self {
            category: event.category,
            call: event.call,
            access,
            object,
            follows,
            failed,
            lexical,
        }
    }
}

/// A non-blocking connect has begun; that is as good as done for a profile.
const EINPROGRESS: i64 = -115;

fn file<'a>(event: &Event<'a>) -> (Access, Object<'a>, bool) {
    let access = access::of_file_event(event);
    if matches!(event.fd.kind, FdKind::Pipe | FdKind::Other) && event.fd.name.is_empty() {
        return (access, Object::None, true);
    }
    let name = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| event.args.get(key))
            .map(path::resolved)
            .filter(|p| !p.is_empty() && *p != "<NA>")
    };
    let object = if access.contains(Access::RENAME) || matches!(event.call, "link" | "linkat") {
        match (name(&["oldpath"]), name(&["newpath"])) {
            (Some(old), Some(new)) => Object::Pair(old, new),
            (Some(one), None) | (None, Some(one)) => Object::File(one),
            (None, None) => Object::None,
        }
    } else if matches!(event.call, "symlink" | "symlinkat") {
        name(&["linkpath"]).map_or(Object::None, Object::File)
    } else if access.contains(Access::MOUNT) {
        name(&["dir", "name", "target"]).map_or(Object::None, Object::File)
    } else if event.fd.name.is_empty() {
        name(&["path", "name", "filename", "pathname"]).map_or(Object::None, Object::File)
    } else {
        Object::File(event.fd.name)
    };
    (access, object, access.is_empty())
}

fn network<'a>(
    event: &Event<'a>,
    flow: Option<Flow>,
    target: Option<End>,
) -> (Access, Object<'a>, bool) {
    let none = (Access::empty(), Object::None, true);
    match event.call {
        "socket" | "socketpair" => (Access::empty(), family(event), true),
        "bind" | "listen" => (Access::empty(), listening(event), false),
        "connect" | "accept" | "accept4" => (Access::empty(), connected(event, target), false),
        _ => {
            if event.fd.kind == FdKind::Unix {
                let path = peer::unix_path(event.fd.name);
                let object = if path.is_empty() { Object::None } else { Object::Unix(path) };
                return (Access::empty(), object, true);
            }
            let Some(tuple) = peer::tuple(event.fd.name) else {
                return none;
            };
            let sends = is_send(event.call);
            let object = match flow {
                Some(Flow::Out) => Object::Peer {
                    flow: Flow::Out,
                    service: tuple.server,
                    peer: tuple.server.address,
                },
                Some(flow) => {
                    Object::Peer { flow, service: tuple.server, peer: tuple.client.address }
                }
                None => Object::None,
            };
            (Access::empty(), object, !sends)
        }
    }
}

/// True for the calls that send a message of their own on a socket.
pub fn is_send(call: &str) -> bool {
    matches!(call, "sendto" | "sendmsg" | "sendmmsg")
}

/// Families that only tools and attackers open; the rest is seen by what is done with the socket.
fn family<'a>(event: &Event<'a>) -> Object<'a> {
    let domain = event.args.get("domain").unwrap_or_default();
    let kind = event.args.get("type").and_then(|t| t.parse::<i64>().ok()).unwrap_or_default() & 0xf;
    if domain.contains("AF_PACKET") {
        Object::Socket("packet")
    } else if kind == 3 && (domain.contains("AF_INET") || domain.starts_with('2')) {
        Object::Socket("raw")
    } else if domain.contains("AF_VSOCK") || domain.starts_with("40") {
        Object::Socket("vsock")
    } else if domain.contains("AF_ALG") || domain.starts_with("38") {
        Object::Socket("alg")
    } else {
        Object::None
    }
}

fn listening<'a>(event: &Event<'a>) -> Object<'a> {
    let text = event.args.get("addr").filter(|a| *a != "NULL").unwrap_or(event.fd.name);
    match peer::end(text) {
        Some(end) => Object::Peer { flow: Flow::Listen, service: end, peer: end.address },
        None if event.fd.kind == FdKind::Unix && text.starts_with('/') => Object::Unix(text),
        None => Object::None,
    }
}

fn connected<'a>(event: &Event<'a>, target: Option<End>) -> Object<'a> {
    let text = event.args.get("tuple").filter(|t| *t != "NULL").unwrap_or(event.fd.name);
    let out = event.call == "connect";
    if let Some(tuple) = peer::tuple(text) {
        return if out {
            Object::Peer { flow: Flow::Out, service: tuple.server, peer: tuple.server.address }
        } else {
            Object::Peer { flow: Flow::In, service: tuple.server, peer: tuple.client.address }
        };
    }
    let address = event.args.get("addr").and_then(peer::end).or(target);
    match address {
        Some(end) if out => Object::Peer { flow: Flow::Out, service: end, peer: end.address },
        _ if event.fd.kind == FdKind::Unix => {
            let fd = event.args.get("fd").unwrap_or_default();
            let inner = fd.split_once('>').map_or("", |(_, rest)| rest.trim_end_matches(')'));
            let path = peer::unix_path(if text.is_empty() { inner } else { text });
            if path.is_empty() { Object::None } else { Object::Unix(path) }
        }
        _ => Object::None,
    }
}

fn process<'a>(event: &Event<'a>, failed: bool) -> Object<'a> {
    match event.call {
        "execve" | "execveat" if !failed => Object::Start,
        _ => Object::None,
    }
}

/// One path below a program: kinds and names, the names in one buffer.
#[derive(Clone, Debug)]
pub struct Steps {
    path: Vec<(NodeKind, u32, u32)>,
    text: String,
    spans: Vec<(u32, u32)>,
    lexical: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Steps {
    /// Empty; names are generalised where `lexical` is on.
    pub fn new(lexical: bool) -> Self {
        Self { path: Vec::new(), text: String::new(), spans: Vec::new(), lexical }
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.path.clear();
        self.text.clear();
    }

    /// The steps, root side first.
    pub fn iter(&self) -> impl Iterator<Item = (NodeKind, &str)> {
        self.path.iter().map(|(kind, start, end)| {
            (*kind, self.text.get(*start as usize..*end as usize).unwrap_or_default())
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.path.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty()
    }

    pub(crate) fn push(&mut self, kind: NodeKind, name: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(name);
        self.path.push((kind, start, self.text.len() as u32));
    }

    /// The steps of a file path.
    pub fn file(&mut self, text: &str) {
        self.clear();
        let count = path::segments(text, self.lexical, &mut self.spans, &mut self.text);
        if count == 0 {
            self.push(NodeKind::Directory, "/");
            return;
        }
        for (index, (start, end)) in self.spans.iter().enumerate() {
            let kind = if index + 1 == count { NodeKind::File } else { NodeKind::Directory };
            self.path.push((kind, *start, *end));
        }
    }

    /// The steps of a peer: direction, class, port, and for outgoing connections the address.
    pub fn peer(&mut self, flow: Flow, service: End, peer: IpAddr) {
        self.clear();
        self.push(NodeKind::Direction, flow.word());
        let class = AddressClass::of(peer);
        if flow != Flow::Listen {
            self.push(NodeKind::Class, class.token());
        }
        if self.lexical {
            self.push(NodeKind::Port, &peer::port_token(service.port));
        } else {
            self.push(NodeKind::Port, &service.port.to_string());
        }
        if flow == Flow::Out {
            self.push(NodeKind::Peer, &peer.to_string());
        }
    }

    /// The steps of a unix socket.
    pub fn unix(&mut self, text: &str) {
        self.clear();
        let name = path::joined(text, self.lexical);
        self.push(NodeKind::Unix, &name);
    }

    /// The one step of a socket family.
    pub fn socket(&mut self, family: &str) {
        self.clear();
        self.push(NodeKind::Socket, family);
    }

    /// A single step.
    pub fn single(&mut self, kind: NodeKind, name: &str) {
        self.clear();
        self.push(kind, name);
    }
}

/// The token of a process that only sets containers up: they come as a parent at random.
pub const RUNTIME: &str = "<runtime>";

/// The name of a parent as a token, as it is where `lexical` is off.
pub fn parent_token(parent: &str, lexical: bool) -> String {
    if parent.is_empty() || is_runtime(parent) {
        RUNTIME.to_owned()
    } else {
        crate::token::word(parent, lexical)
    }
}

/// True for the processes of container runtimes.
pub fn is_runtime(name: &str) -> bool {
    name.starts_with("runc:")
        || name.starts_with("crun:")
        || name.starts_with("containerd")
        || matches!(
            name,
            "runc"
                | "crun"
                | "youki"
                | "conmon"
                | "crio"
                | "dockerd"
                | "docker-init"
                | "tini"
                | "dumb-init"
                | "catatonit"
        )
}

/// True for a container's set-up before its own program runs: `runc:[2:INIT]` and the like.
pub fn is_setup(event: &Event<'_>) -> bool {
    let name = event.process.name;
    name.starts_with("runc:[")
        || name.starts_with("crun:[")
        || event.call == "container"
        || (event.container.id != "host" && (name == "runc" || name.starts_with("containerd-shim")))
}

/// The tokens of a start's arguments, with their values where `lexical` is off.
pub fn start_arguments(event: &Event<'_>, lexical: bool) -> Vec<String> {
    arguments::tokens(event.process.name, event.process.arguments, lexical)
}
