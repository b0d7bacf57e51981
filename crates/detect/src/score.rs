//! How much a deviation matters, 0..1.
//!
//! A score is a base for what failed, plus what makes it worse or better:
//!
//! | ingredient | formula |
//! |---|---|
//! | new process | 0.30, +0.12 transfer tool, +0.08 looks around, +0.05 shell, archive, destruction, rights, +0.15 started by a service |
//! | new executable under a known name | 0.40 |
//! | new user | 0.25, +0.30 when a process that was not root has become root |
//! | new parent | 0.25 |
//! | new argument | 0.22, +0.08 for a new inline script |
//! | new outgoing peer or port | 0.55, +0.10 public, -0.20 when another program of the profile goes there, -0.30 loopback, -0.30 port 53, -0.25 another address of a known port and class |
//! | new incoming class or port | 0.40 |
//! | new listening port | 0.60, -0.15 when the kernel chose the port |
//! | file read | 0.20 (0.25 by a stable service) + 0.15 · (1 - shared path); by a stable service +0.10 for accounts, or for configuration read late and alone |
//! | file altered | 0.30 + 0.25 · (1 - shared path), -0.15 for a temporary name, -0.15 unless by a stable service, +0.15 for program text or pages by a stable service; distance 0.05 beside files it alters anyway |
//! | file known to the same program as another user | -0.30 |
//! | new access to a known file | 0.15, +0.20 when it alters; by a stable service also +0.10, +0.20 for program text or pages that it only read |
//! | accounts read late and alone by a stable service that read them only at its start | 0.55 |
//! | new call | 0.20 |
//! | stable service | +0.10 for files and peers: it serves connections, was active in 60 seconds, and its part of the tree has not grown for 60 |
//!
//! In a session (the processes under one alert) the highest score counts, plus 0.03 for each
//! further piece of evidence up to four, plus 0.08 for each tool of the `discovery` class after the
//! first. Priorities: 0.85 Critical, 0.7 Error, 0.5 Warning, 0.3 Notice.

use hanabi_event::{EventTime, SECOND};
use hanabi_profile::{
    NodeId, NodeKind, Profile, ProgramInfo, access::Access, arguments, behaviour::Flow,
    peer::AddressClass,
};

use crate::{ScorePart, danger::Classes};

/// A score and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// 0..1.
    pub value: f64,
    /// In order.
    pub parts: Vec<ScorePart>,
}

impl Score {
    /// Starts from a base.
    pub fn base(name: &str, value: f64) -> Self {
        Self { value, parts: vec![ScorePart { name: name.to_owned(), value }] }
    }

    /// Adds an ingredient.
    #[must_use]
    pub fn plus(mut self, name: &str, value: f64) -> Self {
        if value.abs() > f64::EPSILON {
            self.value = (self.value + value).clamp(0.0, 1.0);
            self.parts.push(ScorePart { name: name.to_owned(), value });
        }
        self
    }

    /// Adds an ingredient when it applies.
    #[must_use]
    pub fn when(self, applies: bool, name: &str, value: f64) -> Self {
        if applies { self.plus(name, value) } else { self }
    }
}

/// Below this a deviation is counted as a variation and raises nothing.
pub const FLOOR: f64 = 0.2;

/// A program that was never seen; `by_service` when one that serves connections started it.
pub fn new_process(name: &str, by_service: bool, classes: &Classes) -> Score {
    let is = |list: &[String]| list.iter().any(|n| n == name);
    Score::base("new_process", 0.30)
        .when(is(&classes.transfer), "transfer_tool", 0.12)
        .when(is(&classes.discovery), "discovery_tool", 0.08)
        .when(
            arguments::is_interpreter(name)
                || is(&classes.archive)
                || is(&classes.destruction)
                || is(&classes.permission),
            "tool",
            0.05,
        )
        .when(by_service, "started_by_service", 0.15)
}

/// True for a tool by which an intruder looks around.
pub fn is_discovery(name: &str, classes: &Classes) -> bool {
    classes.discovery.iter().any(|n| n == name)
}

/// Another end of an internet socket.
pub fn peer(flow: Flow, class: AddressClass, port: u16, elsewhere: bool, stable: bool) -> Score {
    match flow {
        Flow::Out => Score::base("new_peer", 0.55)
            .when(class == AddressClass::Public, "public", 0.10)
            .when(elsewhere, "known_elsewhere", -0.20)
            .when(class == AddressClass::Loopback, "loopback", -0.30)
            .when(port == 53, "name_resolution", -0.30)
            .when(stable && class != AddressClass::Loopback, "stable_service", 0.10),
        Flow::In => {
            Score::base("new_client", 0.40).when(class == AddressClass::Loopback, "loopback", -0.25)
        }
        Flow::Listen => Score::base("new_listener", 0.60).when(
            port >= hanabi_profile::peer::EPHEMERAL_FROM,
            "kernel_chosen_port",
            -0.15,
        ),
    }
}

/// What is known of a path that does not fit.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own weight")]
pub struct FileFacts {
    /// The share of the path that is known, 0..1.
    pub shared: f64,
    /// A generated name in a temporary directory.
    pub temporary: bool,
    /// By a stable service; see [`is_stable_service`].
    pub stable: bool,
    /// The list of accounts, which intruders read first.
    pub accounts: bool,
    /// The same program has it as another user.
    pub other_user: bool,
    /// The program alters other files of the same directory, or its neighbours.
    pub beside: bool,
    /// Program text or a page.
    pub text: bool,
    /// Configuration, read long after the start and not among other configuration.
    pub late: bool,
}

/// A path that does not fit.
pub fn file(access: Access, facts: &FileFacts) -> Score {
    let FileFacts { shared, temporary, stable, accounts, other_user, beside, text, late } = *facts;
    let score = if access.intersects(Access::ALTERING) {
        Score::base("file_altered", 0.30)
            .plus("distance", if beside { 0.05 } else { 0.25 * (1.0 - shared) })
            .when(temporary, "temporary_name", -0.15)
            .when(!stable, "not_a_stable_service", -0.15)
            .when(stable, "stable_service", 0.10)
            .when(stable && text, "program_text", 0.15)
    } else {
        Score::base("file_read", if stable { 0.25 } else { 0.20 })
            .plus("distance", if beside { 0.05 } else { 0.15 * (1.0 - shared) })
            .when(stable, "stable_service", 0.10)
            .when(stable && accounts, "account_files", 0.10)
            .when(stable && late && !accounts, "read_late", 0.10)
    };
    score.when(other_user, "known_as_other_user", -0.30)
}

/// A service that reads the list of accounts while it serves.
pub const LATE_ACCOUNTS: f64 = 0.55;
/// What is known of a file that is used in a new way.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessFacts {
    /// The new way alters it.
    pub alters: bool,
    /// By a stable service; see [`is_stable_service`].
    pub stable: bool,
    /// Program text or a page, which the program has only read.
    pub text: bool,
}

/// A known file used in a new way.
pub fn access(facts: AccessFacts) -> Score {
    let AccessFacts { alters, stable, text } = facts;
    Score::base("new_access", 0.15)
        .when(alters, "alters", 0.20)
        .when(alters && stable, "stable_service", 0.10)
        .when(alters && stable && text, "program_text", 0.20)
}

/// Files of others, altered by a process outside the profile: tampering, or destruction.
pub const TAMPERING: f64 = 0.55;
/// Files of a family deleted by such a process; when there are many it is a burst.
pub const HOUSEKEEPING: f64 = 0.45;
/// A container's start, within the revision window, is expected to differ a little: scores of
/// deviations below the container's first process are multiplied by this. Peers, bursts and the
/// danger list are not.
pub const START: f64 = 0.6;

/// Rules of the danger list below this are part of many a container's own start: what its first
/// process does there is taken as its own work.
pub const OWN_START: f64 = 0.7;

/// True for a program that accepts connections.
pub fn serves(profile: &Profile, program: NodeId) -> bool {
    ["in", "listen"].iter().any(|w| profile.tree.child(program, NodeKind::Direction, w).is_some())
}

/// A program that serves connections and has shown all it does.
pub fn is_stable_service(
    profile: &Profile,
    program: NodeId,
    info: &ProgramInfo,
    now: EventTime,
) -> bool {
    info.slots >= 60
        && now.saturating_sub(info.last_growth) >= 60 * SECOND
        && serves(profile, program)
}
