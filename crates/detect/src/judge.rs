//! One event against one profile: learned, accepted, or a finding.

use hanabi_event::{Event, EventTime};
use hanabi_profile::{
    Found, Hit, NodeId, NodeKind, Profile, ProgramKey,
    access::Access,
    behaviour::{self, Behaviour, Flow, Object, Steps},
    path,
};

use crate::{
    AlertPath, AlertSource, Expected, Kind, Summary, files,
    ledger::Finding,
    matcher::SemanticMatcher,
    miss::Miss,
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
    /// The program's name, which a thread's name may hide.
    pub(crate) program: &'a str,
    /// The user's id as text.
    pub(crate) user: &'a str,
    /// The process is root and what it came from was not.
    pub(crate) became_root: bool,
    /// The process belongs to the container's start.
    pub(crate) starting: bool,
    /// How long ago the process became what it is, ns of event time.
    pub(crate) age: EventTime,
    /// The process is reading its configuration anew.
    pub(crate) reloads: bool,
    /// What compares unknown tokens.
    pub(crate) matcher: &'a dyn SemanticMatcher,
}

impl<'a> Case<'a> {
    pub(crate) fn key(&self) -> ProgramKey<'a> {
        ProgramKey {
            name: self.program,
            executable: self.event.process.executable,
            user: self.user,
            lexical: self.behaviour.lexical,
        }
    }

    /// The path was asked for with a climb, and where it leads says only half.
    pub(crate) fn climbs(&self) -> bool {
        self.behaviour.call.starts_with("open") && self.event.args.head.contains("/../")
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
                parent: if behaviour::parent_token(parent, true) == behaviour::RUNTIME {
                    "the container runtime"
                } else {
                    parent
                },
                object: &text::shown(object, 160),
                access: &self.behaviour.access.words().join(", "),
            },
        )
    }

    pub(crate) fn finding(&self, kind: Kind, subject: &str, score: Score, raw: &str) -> Finding {
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
        Kind::NewOperation
        | Kind::Danger
        | Kind::Burst
        | Kind::Rule
        | Kind::Revision
        | Kind::Silence => {
            return Vec::new();
        }
    };
    vec![technique.to_owned()]
}

/// The paths of a behaviour below its program.
pub(crate) fn paths(case: &Case<'_>, out: &mut Vec<Steps>) {
    let lexical = case.behaviour.lexical;
    let mut add = |fill: &dyn Fn(&mut Steps)| {
        let mut steps = Steps::new(lexical);
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
            let parent = behaviour::parent_token(case.event.process.parent, lexical);
            add(&|s| s.single(NodeKind::Parent, &parent));
            for argument in behaviour::start_arguments(case.event, lexical) {
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
        match (operation, leaf) {
            (None, _) => operation = Some(profile.count(program, leaf, hit)),
            (Some(operation), Some(leaf)) => profile.count_further(leaf, operation, hit),
            (Some(_), None) => {}
        }
        last = leaf.or(last);
    }
    match operation {
        Some(operation) => (last, operation),
        None => (None, profile.count(program, None, hit)),
    }
}

/// What a known program's event comes to.
pub(crate) enum Judged {
    /// It fits: where its paths end, and whether all of them were found to the letter.
    Fits(Vec<NodeId>, bool),
    /// It does not.
    Deviates(Box<Finding>),
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
    let mut leaves = Vec::new();
    let mut exact = true;
    let mut worst: Option<Finding> = None;
    for steps in buffer.iter() {
        let finding = follow(profile, program, case, settings, steps, &mut leaves, &mut exact);
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
        Some(finding) if finding.score >= score::FLOOR => Judged::Deviates(Box::new(finding)),
        Some(_) => Judged::Fits(leaves, false),
        None => Judged::Fits(leaves, exact),
    }
}

/// Walks one path. Where it stops fitting, and what is there is near enough to be a variation, it
/// goes on from the sibling: a directory that is called a little otherwise vouches for nothing in it.
fn follow(
    profile: &Profile,
    program: NodeId,
    case: &Case<'_>,
    settings: &Settings,
    steps: &Steps,
    leaves: &mut Vec<NodeId>,
    exact: &mut bool,
) -> Option<Finding> {
    let mut found = profile.find(program, steps);
    loop {
        let (parent, step) = match found {
            Found::Known(known) => {
                leaves.push(known);
                return new_access(profile, program, case, known, steps);
            }
            Found::Missing { parent, step } => (parent, step),
        };
        *exact = false;
        if case.behaviour.follows {
            return None;
        }
        let miss = Miss { profile, program, case, settings, steps, parent, step };
        match miss.judge() {
            Err(finding) => return Some(*finding),
            Ok(Some(near)) if step + 1 < steps.len() => {
                found = profile.find_from(near, steps, step + 1);
            }
            Ok(near) => {
                leaves.extend(near);
                return None;
            }
        }
    }
}

/// Calls that every program may make at any time without telling anything.
pub(crate) fn is_common(call: &str) -> bool {
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

pub(crate) fn program_name(profile: &Profile, program: NodeId) -> String {
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
    let score = score::access(access_facts(profile, program, case, leaf, &full, fresh));
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

/// The lists of accounts, which intruders read first.
pub(crate) fn is_account_list(path: &str) -> bool {
    matches!(path, "/etc/passwd" | "/etc/group")
}

fn access_facts(
    profile: &Profile,
    program: NodeId,
    case: &Case<'_>,
    leaf: NodeId,
    path: &str,
    fresh: Access,
) -> score::AccessFacts {
    let node = profile.tree.node(leaf);
    let info = profile.info(program);
    score::AccessFacts {
        alters: fresh.intersects(Access::ALTERING),
        stable: info
            .is_some_and(|info| score::is_stable_service(profile, program, info, case.event.time)),
        text: files::is_text(path) && !node.access.intersects(Access::ALTERING),
    }
}

/// Devices that everything writes to.
fn is_device(path: &str) -> bool {
    path.starts_with("/dev/") && !path.starts_with("/dev/shm/")
}

pub(crate) fn path_text(steps: &Steps) -> String {
    steps.iter().fold(String::new(), |mut text, (_, name)| {
        if name != "/" {
            text.push('/');
            text.push_str(name);
        }
        text
    })
}

pub(crate) fn raw_object(case: &Case<'_>) -> String {
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
pub(crate) fn learned_names(profile: &Profile, node: NodeId) -> Vec<String> {
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

pub(crate) fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// True when any program of the profile has this very path.
pub(crate) fn known_anywhere(profile: &Profile, steps: &Steps) -> bool {
    profile.programs().any(|(id, _)| matches!(profile.find(id, steps), Found::Known(_)))
}

/// The object of a case as one generalised token.
pub(crate) fn object_token(case: &Case<'_>) -> String {
    match &case.behaviour.object {
        Object::File(path) => path::generalised(path),
        Object::Pair(_, new) => path::generalised(new),
        _ => raw_object(case),
    }
}
