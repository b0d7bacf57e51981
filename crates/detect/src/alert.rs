//! The alert: what an analyst reads, in its stable JSON shape.

use hanabi_event::{EventTime, Priority};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time_text;

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSource {
    /// Behaviour did not fit its tree.
    Hanabi,
    /// A Falco rule matched.
    Falco,
}

impl AlertSource {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hanabi => "hanabi",
            Self::Falco => "falco",
        }
    }
}

/// Where an alert is in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Nobody has dealt with it.
    #[default]
    Open,
    /// Somebody is on it.
    Acknowledged,
    /// Hidden by a suppression.
    Suppressed,
    /// Added to the profile.
    Promoted,
    /// Dealt with.
    Resolved,
}

/// The level of the tree that failed, or the behaviour that no single event shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call that the profile has not seen of this process.
    NewOperation,
    /// A program that the profile has not seen.
    NewProcess,
    /// Arguments unlike those of the program so far.
    NewArgument,
    /// A known program name run from another file.
    NewExecutable,
    /// A known program started by another parent.
    NewParent,
    /// A known program run as another user.
    NewUser,
    /// A peer address outside the known ones.
    NewPeer,
    /// A port outside the known ones.
    NewPort,
    /// A directory outside the known ones.
    NewDirectory,
    /// A file outside the known ones of a known directory.
    NewFile,
    /// A known file accessed in a new way.
    NewAccess,
    /// Behaviour on the danger list.
    Danger,
    /// Many peers, ports or files in a short time.
    Burst,
    /// A Falco rule's match.
    Rule,
    /// What a new image does and its parent did not.
    Revision,
    /// Nothing came for longer than ever before.
    Silence,
}

impl Kind {
    /// The word used in JSON, rules and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewOperation => "new_operation",
            Self::NewProcess => "new_process",
            Self::NewArgument => "new_argument",
            Self::NewExecutable => "new_executable",
            Self::NewParent => "new_parent",
            Self::NewUser => "new_user",
            Self::NewPeer => "new_peer",
            Self::NewPort => "new_port",
            Self::NewDirectory => "new_directory",
            Self::NewFile => "new_file",
            Self::NewAccess => "new_access",
            Self::Danger => "danger",
            Self::Burst => "burst",
            Self::Rule => "rule",
            Self::Revision => "revision",
            Self::Silence => "silence",
        }
    }
}

/// A container instance that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertContainer {
    /// Short id.
    pub id: String,
    /// Name, or `""`.
    pub name: String,
    /// The host it runs on.
    pub host: String,
    /// Its pod, or `""`.
    pub pod: String,
    /// `repository:tag`.
    pub image: String,
    /// Occurrences in this container.
    pub count: u64,
    /// The last of them.
    #[serde(with = "time_text")]
    pub last_seen: EventTime,
}

/// Kubernetes coordinates; empty outside Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertK8s {
    /// Namespace.
    pub namespace: String,
    /// Pod.
    pub pod: String,
}

/// Where in the tree the event stopped fitting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertPath {
    /// Names of the nodes that fitted, root first.
    pub learned: Vec<String>,
    /// The generalised token that did not.
    pub token: String,
    /// The value as the event had it, redacted and bounded.
    pub raw: String,
}

/// A learned sibling of what failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its name.
    pub token: String,
    /// How often it was seen.
    pub count: u64,
}

/// The most similar learned sibling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Its name.
    pub token: String,
    /// 0 (nothing alike) to 1 (the same).
    pub similarity: f64,
    /// At or above this the event would have been accepted.
    pub threshold: f64,
}

/// A process on the way from the container's start to the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageEntry {
    /// `proc.name`.
    pub name: String,
    /// Executable path, or `""`.
    pub executable: String,
    /// Redacted command line, or `""`.
    pub command_line: String,
    /// Host pid, where known.
    pub pid: Option<i64>,
}

/// One second in which the alert occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The second's start.
    #[serde(with = "time_text")]
    pub start: EventTime,
    /// The first occurrence in it.
    #[serde(with = "time_text")]
    pub first: EventTime,
    /// Occurrences in it.
    pub count: u64,
    /// The highest priority of them.
    pub max_priority: Priority,
}

/// One sentence for a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// Something that happened under an alert's process, counted rather than raised by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What failed, in the words of [`Kind`].
    pub kind: String,
    /// The program that did it.
    pub process: String,
    /// The generalised token.
    pub token: String,
    /// Its own score.
    pub score: f64,
    /// Occurrences.
    pub count: u64,
}

/// How the score came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScorePart {
    /// The ingredient: `kind`, `distance`, `sensitivity`, `stability`, `maturity` …
    pub name: String,
    /// Its factor or addend.
    pub value: f64,
}

/// Who is named where nobody but the engine itself changed an alert.
pub const ENGINE: &str = "hanabi";

/// A note or an action, by a person or by the engine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertAction {
    /// When: by the service's clock, or in event time for what the engine did by itself.
    #[serde(with = "time_text")]
    pub at: EventTime,
    /// Who; [`ENGINE`] for the engine.
    pub by: String,
    /// `ack`, `note`, `assign`, `resolve`, `reopen`, `suppress`, `promote`, `undo`.
    pub action: String,
    /// Free text, or what the action was given.
    pub text: String,
    /// The suppression or promotion that it made or came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// The state before it, where it is an action that sets the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<AlertState>,
    /// The assignee before it, where it is an action that sets the assignee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_before: Option<String>,
    /// A later `undo` took it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
}

/// Deviations of one fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Hash of fingerprint and `first_seen`, 16 hex digits: a replay gives the same.
    pub id: String,
    /// Hash of identity and subject, 16 hex digits: no pid, no time, no container id.
    pub fingerprint: String,
    /// Where it is in its life.
    pub state: AlertState,
    /// Who says so.
    pub source: AlertSource,
    /// `hbt.new_process` … or Falco's rule name.
    pub rule: String,
    /// From the score, or the Falco rule's own.
    pub priority: Priority,
    /// 0 to 1.
    pub score: f64,
    /// What made the score.
    pub score_parts: Vec<ScorePart>,
    /// The host of the first occurrence.
    pub host: String,
    /// The profile's identity.
    pub identity: String,
    /// The first container.
    pub container: AlertContainer,
    /// The first 20 containers.
    pub containers: Vec<AlertContainer>,
    /// How many containers there are.
    pub containers_total: u64,
    /// Kubernetes coordinates.
    pub k8s: AlertK8s,
    /// What failed.
    pub kind: Kind,
    /// Where.
    pub path: AlertPath,
    /// The likeliest learned siblings.
    pub expected: Vec<Expected>,
    /// The nearest learned sibling.
    pub nearest: Option<Nearest>,
    /// What its process and the descendants did that did not fit, the first 20 by arrival.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Ancestors, oldest first, the process itself last.
    pub lineage: Vec<LineageEntry>,
    /// MITRE ATT&CK technique ids.
    pub mitre: Vec<String>,
    /// Occurrences.
    pub count: u64,
    /// First occurrence.
    #[serde(with = "time_text")]
    pub first_seen: EventTime,
    /// Last occurrence.
    #[serde(with = "time_text")]
    pub last_seen: EventTime,
    /// Non-empty seconds, newest 3 600.
    pub activity: Vec<Activity>,
    /// The profile's phase at the first occurrence.
    pub phase: String,
    /// The incident it belongs to, or `""`.
    pub incident: String,
    /// Up to five redacted events.
    pub samples: Vec<Value>,
    /// One sentence.
    pub summary: Summary,
    /// Who is to deal with it, or `""`.
    pub assignee: String,
    /// What people did, and what the engine did by itself; the newest 200.
    pub history: Vec<AlertAction>,
    /// How often it has asked for attention: opened, reopened, risen. Who tells people looks at
    /// nothing else.
    #[serde(default)]
    pub notifications: u64,
    /// It asked for attention in a maintenance window, and will again after it.
    #[serde(default)]
    pub held: bool,
}

/// Alerts of one container that belong together in time and lineage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Stable id, 16 hex digits.
    pub id: String,
    /// The profile's identity.
    pub identity: String,
    /// The container of its first alert.
    pub container: AlertContainer,
    /// The highest priority of its alerts.
    pub priority: Priority,
    /// Its alerts' ids, in order of first occurrence, the first 100.
    pub alerts: Vec<String>,
    /// How many alerts there are.
    pub alerts_total: u64,
    /// Occurrences over all of them.
    pub count: u64,
    /// First occurrence.
    #[serde(with = "time_text")]
    pub first_seen: EventTime,
    /// Last occurrence.
    #[serde(with = "time_text")]
    pub last_seen: EventTime,
    /// One sentence.
    pub summary: Summary,
}
