//! One event against one profile: learned, accepted, or a finding.

use hanabi_event::Event;
use hanabi_profile::{
    Found, Hit, NodeId, NodeKind, Profile, ProgramKey, Tree,
    access::Access,
    arguments,
    behaviour::{self, Behaviour, Flow, Object, Steps},
    path,
    peer::AddressClass,
};

use crate::{
    AlertPath, AlertSource, Expected, Kind, Nearest, ScorePart, Summary,
    danger::DangerRule,
    ledger::Finding,
    score::{self, Score},
    settings::Settings,
    text,
    words::{Words, summary},
};

/// An event in its container, with what has been found out about it.
pub(crate) struct Case<'a> {
    pub(crate) event: &'a Event<'a>,
    pub(crate) behaviour: Behaviour<'a>,
    /// Name for people.
    pub(crate) container: &'a str,
    /// The user's id as text.
    pub(crate) user: &'a str,
    /// The process is root and what it came from was not.
    pub(crate) became_root: bool,
    /// The process belongs to the container's start.
    pub(crate) starting: bool,
}

impl<'a> Case<'a> {
    pub(crate) fn key(&self) -> ProgramKey<'a> {
        ProgramKey {
            name: self.event.process.name,
            executable: self.event.process.executable,
            user: self.user,
        }
    }

    pub(crate) fn hit(&self) -> Hit<'a> {
        Hit {
            category: self.behaviour.category,
            call: self.behaviour.call,
            access: self.behaviour.access,
            time: self.event.time,
            count: 1,
        }
    }

    fn sentence(&self, kind: Kind, object: &str) -> Summary {
        let parent = self.event.process.parent;
        summary(
            kind,
            &Words {
                container: self.container,
                process: &text::bounded(self.event.process.name, 40),
                parent: if parent.is_empty() { "the runtime" } else { parent },
                object: &text::shown(object, 160),
                access: &self.behaviour.access.words().join(", "),
            },
        )
    }

    fn finding(&self, kind: Kind, subject: &str, score: Score, raw: &str) -> Finding {
        let lowered = self.starting && !matches!(kind, Kind::NewPeer | Kind::NewPort);
        let value = score.value * (score::START - 1.0);
        let score = score.when(lowered, "container_start", value);
        Finding {
            kind,
            source: AlertSource::Hanabi,
            rule: format!("hbt.{}", kind.as_str()),
            subject: subject.to_owned(),
            score: score.value,
            priority: None,
            parts: score.parts,
            path: AlertPath { raw: text::shown(raw, 300), ..AlertPath::default() },
            expected: Vec::new(),
            nearest: None,
            mitre: mitre(kind, &self.behaviour),
            summary: self.sentence(kind, raw),
        }
    }
}

/// The technique that a kind implies, where it implies one.
fn mitre(kind: Kind, behaviour: &Behaviour<'_>) -> Vec<String> {
    let altering = behaviour.access.intersects(Access::ALTERING);
    let technique = match kind {
        Kind::NewProcess | Kind::NewParent | Kind::NewArgument => "T1059",
        Kind::NewExecutable => "T1036.005",
        Kind::NewUser => "T1548",
        Kind::NewPeer => "T1071",
        Kind::NewPort => "T1571",
        Kind::NewDirectory | Kind::NewFile | Kind::NewAccess if altering => "T1565.001",
        Kind::NewDirectory | Kind::NewFile | Kind::NewAccess => "T1083",
        Kind::NewOperation | Kind::Danger | Kind::Burst | Kind::Rule => return Vec::new(),
    };
    vec![technique.to_owned()]
}

/// The paths of a behaviour below its program.
pub(crate) fn paths(case: &Case<'_>, out: &mut Vec<Steps>) {
    let mut add = |fill: &dyn Fn(&mut Steps)| {
        let mut steps = Steps::default();
        fill(&mut steps);
        out.push(steps);
    };
    match &case.behaviour.object {
        Object::None => {}
        Object::File(path) => {
            if !case.behaviour.access.contains(Access::PROBE) {
                add(&|s| s.file(path));
            }
        }
        Object::Pair(old, new) => {
            if !case.behaviour.access.contains(Access::PROBE) {
                add(&|s| s.file(old));
                add(&|s| s.file(new));
            }
        }
        Object::Peer { flow, service, peer } => {
            if service.port != 0 {
                add(&|s| s.peer(*flow, *service, *peer));
            }
        }
        Object::Unix(path) => {
            if !case.behaviour.failed {
                add(&|s| s.unix(path));
            }
        }
        Object::Socket(family) => add(&|s| s.socket(family)),
        Object::Start => {
            let parent = behaviour::parent_token(case.event.process.parent);
            add(&|s| s.single(NodeKind::Parent, &parent));
            for argument in behaviour::start_arguments(case.event) {
                add(&|s| s.single(NodeKind::Argument, &argument));
            }
        }
    }
}

/// Puts a behaviour into the tree; returns the last leaf and the operation.
pub(crate) fn learn(
    profile: &mut Profile,
    program: NodeId,
    case: &Case<'_>,
    settings: &Settings,
    buffer: &mut Vec<Steps>,
) -> (Option<NodeId>, NodeId) {
    buffer.clear();
    paths(case, buffer);
    let hit = case.hit();
    let mut operation = None;
    let mut last = None;
    for steps in buffer.iter() {
        // A call that only follows others does not make new nodes.
        let leaf = match profile.find(program, steps) {
            Found::Known(leaf) => Some(leaf),
            Found::Missing { .. } if case.behaviour.follows => None,
            Found::Missing { .. } => {
                Some(profile.learn(program, steps, &settings.limits, hit.time).0)
            }
        };
        let hit = Hit { count: u64::from(operation.is_none()), ..hit };
        match operation {
            None => operation = Some(profile.count(program, leaf, hit)),
            Some(operation) => profile.count_at(program, leaf, operation, Hit { count: 1, ..hit }),
        }
        last = leaf.or(last);
    }
    // Further paths of one event were counted as events of their own above.
    if buffer.len() > 1 {
        profile.events -= buffer.len() as u64 - 1;
    }
    match operation {
        Some(operation) => (last, operation),
        None => (None, profile.count(program, None, hit)),
    }
}

/// What a known program's event comes to.
pub(crate) enum Judged {
    /// It fits: leaf, and whether every path was found to the letter.
    Fits(Option<NodeId>, bool),
    /// It does not.
    Deviates(Finding),
}

/// Holds a known program's event against the tree.
pub(crate) fn judge(
    profile: &Profile,
    program: NodeId,
    case: &Case<'_>,
    settings: &Settings,
    buffer: &mut Vec<Steps>,
) -> Judged {
    buffer.clear();
    paths(case, buffer);
    let mut leaf = None;
    let mut exact = true;
    let mut worst: Option<Finding> = None;
    for steps in buffer.iter() {
        let finding = match profile.find(program, steps) {
            Found::Known(known) => {
                leaf = Some(known);
                new_access(profile, program, case, known, steps)
            }
            Found::Missing { .. } if case.behaviour.follows => {
                exact = false;
                None
            }
            Found::Missing { parent, step } => {
                exact = false;
                let miss = Miss { profile, program, case, settings, steps, parent, step };
                match miss.judge() {
                    Ok(near) => {
                        leaf = near.or(leaf);
                        None
                    }
                    Err(finding) => Some(*finding),
                }
            }
        };
        if let Some(finding) = finding
            && worst.as_ref().is_none_or(|w| finding.score > w.score)
        {
            worst = Some(finding);
        }
    }
    if worst.is_none()
        && buffer.is_empty()
        && !profile.knows_call(program, case.behaviour.category, case.behaviour.call)
    {
        exact = false;
        if !is_common(case.behaviour.call) {
            let name = program_name(profile, program);
            let subject = format!("{name} {}", case.behaviour.call);
            worst = Some(case.finding(
                Kind::NewOperation,
                &subject,
                Score::base("new_operation", 0.20),
                case.behaviour.call,
            ));
        }
    }
    match worst {
        Some(finding) if finding.score >= score::FLOOR => Judged::Deviates(finding),
        Some(_) => Judged::Fits(leaf, false),
        None => Judged::Fits(leaf, exact),
    }
}

/// Calls that every program may make at any time without telling anything.
fn is_common(call: &str) -> bool {
    !matches!(
        call,
        "ptrace"
            | "setns"
            | "unshare"
            | "mount"
            | "umount2"
            | "umount"
            | "pivot_root"
            | "chroot"
            | "bpf"
            | "init_module"
            | "finit_module"
            | "delete_module"
            | "kexec_load"
            | "keyctl"
            | "add_key"
            | "request_key"
            | "userfaultfd"
            | "perf_event_open"
            | "process_vm_readv"
            | "process_vm_writev"
            | "personality"
            | "setuid"
            | "setgid"
            | "setresuid"
            | "setresgid"
            | "capset"
            | "memfd_create"
            | "io_uring_setup"
            | "setdomainname"
            | "sethostname"
            | "settimeofday"
            | "clock_settime"
            | "swapon"
            | "swapoff"
            | "reboot"
            | "mknod"
            | "mknodat"
    )
}

fn program_name(profile: &Profile, program: NodeId) -> String {
    profile.info(program).map(|i| format!("{} {}", i.name, i.executable)).unwrap_or_default()
}

/// What a program that used a path in these ways may do with it without telling anything new.
pub(crate) fn covered_by(known: Access) -> Access {
    // Writing covers truncation and reading what was written, looking is covered by any use.
    let mut covered = known | Access::STAT | Access::LIST | Access::REFUSED;
    if known.intersects(Access::WRITE | Access::CREATE | Access::RENAME) {
        covered |=
            Access::WRITE | Access::TRUNCATE | Access::READ | Access::CREATE | Access::CHANGE;
    }
    if known.intersects(Access::DELETE | Access::RENAME) {
        covered |= Access::DELETE | Access::RENAME | Access::CREATE;
    }
    covered
}

fn new_access(
    profile: &Profile,
    program: NodeId,
    case: &Case<'_>,
    leaf: NodeId,
    steps: &Steps,
) -> Option<Finding> {
    let access = case.behaviour.access;
    let known = profile.tree.node(leaf).access;
    let fresh = access.difference(covered_by(known));
    if fresh.is_empty()
        || profile.tree.node(leaf).kind() == NodeKind::Parent
        || !matches!(case.behaviour.object, Object::File(_) | Object::Pair(..))
    {
        return None;
    }
    let raw = raw_object(case);
    let full = path_text(steps);
    if is_device(&full) {
        return None;
    }
    let score =
        Score::base("new_access", 0.15).when(fresh.intersects(Access::ALTERING), "alters", 0.20);
    let words = fresh.words().join("+");
    let mut finding = case.finding(
        Kind::NewAccess,
        &format!("{} {full} {words}", program_name(profile, program)),
        score,
        &raw,
    );
    finding.path.learned = learned_names(profile, leaf);
    finding.path.token = words;
    finding.expected = known
        .words()
        .into_iter()
        .map(|w| Expected { token: w.to_owned(), count: profile.tree.node(leaf).count })
        .collect();
    Some(finding)
}

/// Devices that everything writes to.
fn is_device(path: &str) -> bool {
    path.starts_with("/dev/") && !path.starts_with("/dev/shm/")
}

fn path_text(steps: &Steps) -> String {
    steps.iter().fold(String::new(), |mut text, (_, name)| {
        if name != "/" {
            text.push('/');
            text.push_str(name);
        }
        text
    })
}

fn raw_object(case: &Case<'_>) -> String {
    match &case.behaviour.object {
        Object::File(path) | Object::Unix(path) => (*path).to_owned(),
        Object::Pair(old, new) => format!("{old} -> {new}"),
        Object::Peer { flow, service, peer } => match flow {
            Flow::In => format!("{peer} -> {}:{}", service.address, service.port),
            Flow::Out | Flow::Listen => format!("{}:{}", service.address, service.port),
        },
        Object::Socket(family) => (*family).to_owned(),
        Object::Start => case.event.process.command_line.to_owned(),
        Object::None => case.behaviour.call.to_owned(),
    }
}

/// Names from the root's child down to a node; the program's by its name alone.
fn learned_names(profile: &Profile, node: NodeId) -> Vec<String> {
    profile
        .tree
        .path(node)
        .into_iter()
        .map(|id| match profile.info(id) {
            Some(info) => info.name.clone(),
            None => profile.tree.name(id).to_owned(),
        })
        .collect()
}

struct Miss<'a> {
    profile: &'a Profile,
    program: NodeId,
    case: &'a Case<'a>,
    settings: &'a Settings,
    steps: &'a Steps,
    parent: NodeId,
    step: usize,
}

impl Miss<'_> {
    fn judge(&self) -> Result<Option<NodeId>, Box<Finding>> {
        let Some((kind, token)) = self.steps.iter().nth(self.step) else { return Ok(None) };
        let mut siblings: Vec<(&str, NodeId)> = self
            .profile
            .tree
            .children(self.parent)
            .filter(|id| same_level(self.profile.tree.node(*id).kind(), kind))
            .map(|id| (self.profile.tree.name(id), id))
            .collect();
        siblings.sort_by_key(|(name, id)| {
            (std::cmp::Reverse(self.profile.tree.node(*id).count), *name)
        });
        let names: Vec<&str> = siblings.iter().map(|(name, _)| *name).collect();
        let nearest = self.settings.matcher.nearest(kind, token, &names);
        let threshold = self.settings.matcher.threshold(kind);
        if let Some(found) = &nearest
            && found.similarity >= threshold
            && self.accepts(kind, siblings.get(found.index).map(|s| s.1))
        {
            return Ok(siblings.get(found.index).map(|s| s.1));
        }
        let Some((deviation, subject, score)) = self.kind_and_score(kind, token) else {
            return Ok(None);
        };
        let mut finding = self.case.finding(deviation, &subject, score, &raw_object(self.case));
        finding.path.learned = learned_names(self.profile, self.parent);
        finding.path.token = text::bounded(token, 200);
        finding.expected = siblings
            .iter()
            .take(5)
            .map(|(name, id)| Expected {
                token: text::bounded(name, 120),
                count: self.profile.tree.node(*id).count,
            })
            .collect();
        finding.nearest = nearest.and_then(|found| {
            let name = siblings.get(found.index)?.0;
            Some(Nearest {
                token: text::bounded(name, 120),
                similarity: round(found.similarity),
                threshold,
            })
        });
        Err(Box::new(finding))
    }

    /// A near name is not enough where the sibling was never used in this way.
    fn accepts(&self, kind: NodeKind, sibling: Option<NodeId>) -> bool {
        if !matches!(kind, NodeKind::File | NodeKind::Directory) {
            return true;
        }
        let altering = self.case.behaviour.access & Access::ALTERING;
        sibling.is_some_and(|id| {
            let known = self.profile.tree.node(id).access;
            altering.is_empty() || known.intersects(Access::ALTERING)
        })
    }

    fn kind_and_score(&self, kind: NodeKind, token: &str) -> Option<(Kind, String, Score)> {
        let name = program_name(self.profile, self.program);
        match kind {
            NodeKind::Parent => {
                Some((Kind::NewParent, format!("{name} {token}"), Score::base("new_parent", 0.25)))
            }
            NodeKind::Argument => {
                let script = token.starts_with("script:");
                let interpreter = arguments::is_interpreter(self.case.event.process.name);
                let score = Score::base("new_argument", 0.22)
                    .when(script, "inline_script", 0.08)
                    .when(!interpreter, "plain_program", -0.02);
                Some((Kind::NewArgument, format!("{name} {token}"), score))
            }
            NodeKind::File | NodeKind::Directory => self.file(kind, &name),
            NodeKind::Direction | NodeKind::Class | NodeKind::Port | NodeKind::Peer => {
                self.peer(kind, &name)
            }
            NodeKind::Unix => Some((
                Kind::NewPeer,
                format!("{name} unix {token}"),
                Score::base("new_socket", 0.25),
            )),
            NodeKind::Socket => Some((
                Kind::NewOperation,
                format!("{name} socket {token}"),
                Score::base("new_socket_family", 0.35),
            )),
            NodeKind::Root | NodeKind::Program | NodeKind::Operation => None,
        }
    }

    fn file(&self, kind: NodeKind, name: &str) -> Option<(Kind, String, Score)> {
        let access = self.case.behaviour.access;
        let altering = access.intersects(Access::ALTERING);
        let full = path_text(self.steps);
        let looked = !altering && !access.intersects(Access::READ | Access::EXECUTE);
        if looked || self.settings.danger.background.covers(&full, altering) {
            return None;
        }
        let info = self.profile.info(self.program)?;
        let stable =
            score::is_stable_service(self.profile, self.program, info, self.case.event.time);
        let total = self.steps.len().max(1);
        let shared = self.step as f64 / total as f64;
        let last = self.steps.iter().last().map_or("", |(_, n)| n);
        let temporary = (full.starts_with("/tmp/")
            || full.starts_with("/var/tmp/")
            || full.starts_with("/dev/shm/"))
            && last.contains('<');
        let accounts = matches!(full.as_str(), "/etc/passwd" | "/etc/group");
        let other_user = self.known_as_other_user(info, access);
        let beside = ((kind == NodeKind::File && self.alters_here()) || self.in_own_area());
        let facts = score::FileFacts { shared, temporary, stable, accounts, other_user, beside };
        let score = score::file(access, &facts);
        let kind = if kind == NodeKind::File && self.step + 1 == total {
            Kind::NewFile
        } else {
            Kind::NewDirectory
        };
        // Files of one new directory are one subject; a new file is its own.
        let place =
            if kind == Kind::NewFile { full } else { prefix_text(self.steps, self.step + 1) };
        let how = if altering { "alter" } else { "read" };
        Some((kind, format!("{name} {how} {place}"), score))
    }

    fn peer(&self, kind: NodeKind, name: &str) -> Option<(Kind, String, Score)> {
        let Object::Peer { flow, service, peer } = &self.case.behaviour.object else { return None };
        let class = AddressClass::of(*peer);
        let info = self.profile.info(self.program)?;
        let stable =
            score::is_stable_service(self.profile, self.program, info, self.case.event.time);
        if *flow == Flow::Listen && self.accepts_on(service.port) {
            return None;
        }
        let elsewhere = self.known_elsewhere();
        let score = score::peer(*flow, class, service.port, elsewhere, stable);
        let deviation = if kind == NodeKind::Port { Kind::NewPort } else { Kind::NewPeer };
        let end = match flow {
            Flow::Out => format!("{}:{}", service.address, service.port),
            Flow::In => {
                format!("{} {}", class.token(), hanabi_profile::peer::port_token(service.port))
            }
            Flow::Listen => hanabi_profile::peer::port_token(service.port),
        };
        Some((deviation, format!("{name} {} {end}", flow.word()), score))
    }

    /// The program, or it as another user, has accepted connections on this port: a start was not
    /// seen while learning.
    fn accepts_on(&self, port: u16) -> bool {
        let tree = &self.profile.tree;
        let Some(own) = self.profile.info(self.program) else { return false };
        let port = hanabi_profile::peer::port_token(port);
        self.profile.programs().filter(|(_, info)| info.executable == own.executable).any(
            |(id, _)| {
                tree.child(id, NodeKind::Direction, Flow::In.word()).is_some_and(|flow| {
                    tree.children(flow)
                        .any(|class| tree.child(class, NodeKind::Port, &port).is_some())
                })
            },
        )
    }

    /// The program alters other files of this very directory.
    fn alters_here(&self) -> bool {
        let tree = &self.profile.tree;
        tree.children(self.parent).any(|c| {
            tree.node(c).kind() == NodeKind::File
                && tree.node(c).access.intersects(Access::ALTERING)
        })
    }

    /// A directory on the way is the program's own: it alters files in several directories of it.
    fn in_own_area(&self) -> bool {
        let tree = &self.profile.tree;
        let mut at = self.parent;
        loop {
            let altered = tree.children(at).filter(|c| self.is_altered_directory(*c)).count();
            // Everything is below the root, so more has to speak for it.
            let enough = if at == self.program { 4 } else { 2 };
            if altered >= enough {
                return true;
            }
            if at == self.program || at == Tree::ROOT {
                return false;
            }
            at = tree.node(at).parent();
        }
    }

    fn is_altered_directory(&self, directory: NodeId) -> bool {
        let tree = &self.profile.tree;
        let altered = |id: NodeId| tree.node(id).access.intersects(Access::ALTERING);
        tree.node(directory).kind() == NodeKind::Directory
            && tree.children(directory).any(|c| altered(c) || tree.children(c).any(altered))
    }

    /// The same program has this path and access as another user: a server's master, its workers.
    fn known_as_other_user(&self, own: &hanabi_profile::ProgramInfo, access: Access) -> bool {
        self.profile.programs().any(|(other, info)| {
            other != self.program
                && info.name == own.name
                && info.executable == own.executable
                && matches!(self.profile.find(other, self.steps), Found::Known(leaf)
                    if covered_by(self.profile.tree.node(leaf).access).contains(access))
        })
    }

    /// Another program of the profile has this very path.
    fn known_elsewhere(&self) -> bool {
        known_anywhere(self.profile, self.steps)
    }
}

fn prefix_text(steps: &Steps, count: usize) -> String {
    steps.iter().take(count).fold(String::new(), |mut text, (_, name)| {
        text.push('/');
        text.push_str(name);
        text
    })
}

fn same_level(a: NodeKind, b: NodeKind) -> bool {
    let place = |k| matches!(k, NodeKind::File | NodeKind::Directory);
    a == b || (place(a) && place(b))
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The finding for a program that the profile does not know.
pub(crate) fn unknown_program(profile: &Profile, case: &Case<'_>, settings: &Settings) -> Finding {
    let process = &case.event.process;
    let name = hanabi_profile::token::generalised(process.name);
    let parent = behaviour::parent_token(process.parent);
    let mut same_name: Vec<String> = Vec::new();
    let mut same_exe = false;
    let mut other_user: Option<String> = None;
    for (_, info) in profile.programs() {
        if info.name == name && info.executable == process.executable {
            other_user = Some(info.user.clone());
        } else if info.name == name {
            same_name.push(info.executable.clone());
        } else if info.executable == process.executable && !process.executable.is_empty() {
            same_exe = true;
        }
    }
    let exe = path::generalised(process.executable);
    let (kind, score, token) = if other_user.is_some() {
        (
            Kind::NewUser,
            Score::base("new_user", 0.25).when(case.became_root, "became_root", 0.30),
            case.user.to_owned(),
        )
    } else if !same_name.is_empty() && !same_exe {
        (Kind::NewExecutable, Score::base("new_executable", 0.40), exe.clone())
    } else {
        (
            Kind::NewProcess,
            score::new_process(
                process.name,
                by_service(profile, &parent),
                &settings.danger.classes,
            ),
            name.clone(),
        )
    };
    let raw = if kind == Kind::NewUser { case.user } else { process.command_line };
    // What an interpreter is told to do is who it is: a backup and an intruder share a shell.
    let script = if arguments::is_interpreter(process.name) {
        behaviour::start_arguments(case.event).join(" ")
    } else {
        String::new()
    };
    let mut finding = case.finding(kind, &format!("{name} {exe} {parent} {script}"), score, raw);
    finding.path.token = token;
    finding.expected = match kind {
        Kind::NewUser => other_user.into_iter().map(|token| Expected { token, count: 0 }).collect(),
        Kind::NewExecutable => {
            same_name.into_iter().take(5).map(|token| Expected { token, count: 0 }).collect()
        }
        _ => children_of(profile, &parent),
    };
    let names: Vec<&str> = profile.programs().map(|(_, i)| i.name.as_str()).collect();
    finding.nearest = settings.matcher.nearest(NodeKind::Program, &name, &names).and_then(|m| {
        Some(Nearest {
            token: (*names.get(m.index)?).to_owned(),
            similarity: round(m.similarity),
            threshold: 1.0,
        })
    });
    finding
}

/// True when a parent of this name serves connections.
pub(crate) fn by_service(profile: &Profile, parent: &str) -> bool {
    profile.programs().any(|(id, info)| {
        info.name == parent
            && info.slots >= 30
            && !arguments::is_shell(parent)
            && score::serves(profile, id)
    })
}

/// True when any program of the profile has this very path.
pub(crate) fn known_anywhere(profile: &Profile, steps: &Steps) -> bool {
    profile.programs().any(|(id, _)| matches!(profile.find(id, steps), Found::Known(_)))
}

/// What a parent has been seen to start, most often first.
fn children_of(profile: &Profile, parent: &str) -> Vec<Expected> {
    let mut children: Vec<Expected> = profile
        .programs()
        .filter_map(|(id, info)| {
            let node = profile.tree.child(id, NodeKind::Parent, parent)?;
            Some(Expected { token: info.name.clone(), count: profile.tree.node(node).count })
        })
        .collect();
    children.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.token.cmp(&b.token)));
    children.dedup_by(|a, b| a.token == b.token);
    children.truncate(5);
    children
}

/// The finding for a rule of the danger list.
pub(crate) fn danger(case: &Case<'_>, rule: &DangerRule, further: &[&DangerRule]) -> Finding {
    let process = &case.event.process;
    let raw = raw_object(case);
    let exe = path::generalised(process.executable);
    let name = hanabi_profile::token::generalised(process.name);
    let words = |title: &str, zh: bool| {
        let (container, object) = (case.container, text::shown(&raw, 160));
        let name = text::bounded(process.name, 40);
        if zh {
            format!("容器 {container} 中 {name}：{title}：{object}")
        } else {
            format!("in {container} {name}: {title}: {object}")
        }
    };
    let mut mitre = rule.mitre.clone();
    mitre.extend(further.iter().flat_map(|r| r.mitre.iter().cloned()));
    mitre.dedup();
    mitre.truncate(8);
    let mut parts = vec![ScorePart { name: format!("danger:{}", rule.id), value: rule.score }];
    parts.extend(
        further.iter().map(|r| ScorePart { name: format!("also:{}", r.id), value: r.score }),
    );
    Finding {
        kind: Kind::Danger,
        source: AlertSource::Hanabi,
        rule: format!("danger.{}", rule.id),
        subject: format!("{name} {exe}"),
        score: rule.score,
        priority: None,
        parts,
        path: AlertPath {
            learned: vec![name],
            token: rule.id.clone(),
            raw: text::shown(&raw, 300),
        },
        expected: Vec::new(),
        nearest: None,
        mitre,
        summary: Summary { en: words(&rule.title, false), zh: words(&rule.title_zh, true) },
    }
}

/// The object of a case as one generalised token.
pub(crate) fn object_token(case: &Case<'_>) -> String {
    match &case.behaviour.object {
        Object::File(path) => path::generalised(path),
        Object::Pair(_, new) => path::generalised(new),
        _ => raw_object(case),
    }
}
