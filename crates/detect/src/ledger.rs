//! Alerts and incidents of one identity: deviations grouped by fingerprint.

mod incidents;
mod life;
mod records;
mod triage;
mod unite;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hanabi_event::{EventTime, Priority, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Activity, Alert, AlertContainer, AlertK8s, AlertPath, AlertSource, AlertState, Evidence,
    Expected, Incident, Kind, LineageEntry, Nearest, Rulings, ScorePart, Summary,
    danger::priority_of, hash,
};

pub use incidents::{INCIDENT_GAP, MAX_INCIDENT_ALERTS, MAX_INCIDENTS};
pub use life::MAX_DEPARTED;
pub(crate) use life::note_down;
pub use records::{MAX_KEYS, MAX_LEDGER_LESSONS, MAX_LESSONS};

/// Alerts of an identity in memory. Past it those leave for the store that matter least; where all
/// of them matter, new fingerprints share one alert.
pub const MAX_ALERTS: usize = 2_000;
/// Seconds of activity kept in an alert.
pub const MAX_ACTIVITY: usize = 3_600;
/// Containers listed in an alert.
pub const MAX_CONTAINERS: usize = 20;
/// Sample events kept in an alert.
pub const MAX_SAMPLES: usize = 5;
/// Pieces of evidence kept in an alert.
pub const MAX_EVIDENCE: usize = 20;
/// Actions kept in an alert; the oldest go first.
pub const MAX_HISTORY: usize = 200;

/// A deviation ready to be grouped.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What failed.
    pub kind: Kind,
    /// Who says so.
    pub source: AlertSource,
    /// `hbt.new_process`, `danger.log_wipe`, a Falco rule.
    pub rule: String,
    /// What makes it one and the same next time: generalised, no pid, no time, no container id.
    pub subject: String,
    /// 0..1.
    pub score: f64,
    /// A rule's own priority instead of the score's.
    pub priority: Option<Priority>,
    /// How the score came about.
    pub parts: Vec<ScorePart>,
    /// Where in the tree.
    pub path: AlertPath,
    /// Learned siblings.
    pub expected: Vec<Expected>,
    /// The nearest of them.
    pub nearest: Option<Nearest>,
    /// Techniques.
    pub mitre: Vec<String>,
    /// One sentence.
    pub summary: Summary,
}

/// Where and when a finding was made.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Event time.
    pub time: EventTime,
    /// The profile's phase.
    pub phase: &'static str,
    /// The container.
    pub container: &'a AlertContainer,
    /// Its namespace.
    pub namespace: &'a str,
    /// Ancestors, oldest first.
    pub lineage: Vec<LineageEntry>,
    /// The redacted event.
    pub sample: Value,
}

/// What is known of an alert beside what people are shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Beside {
    /// Since when it is in its state, in event time.
    since: EventTime,
    /// What an acknowledged alert has to exceed to be news again.
    bar: Option<life::Bar>,
    /// What it would teach.
    records: records::Records,
}

/// What has come to an alert since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fresh {
    opened: bool,
    shown: u64,
    suppressed: u64,
}

/// An alert as it is now, and what has come to it since it was last taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The alert.
    pub alert: Alert,
    /// It is new.
    pub opened: bool,
    /// Occurrences under no suppression.
    pub shown: u64,
    /// Occurrences under one.
    pub suppressed: u64,
}

/// The alerts and incidents of one identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    alerts: BTreeMap<String, Alert>,
    incidents: Vec<Incident>,
    #[serde(default)]
    beside: BTreeMap<String, Beside>,
    /// Lessons kept beside all alerts.
    #[serde(default)]
    lessons: usize,
    /// What came to the alerts since [`Ledger::take_changed`], by fingerprint.
    #[serde(skip)]
    changed: BTreeMap<String, Fresh>,
    /// Alerts that have left memory since then.
    #[serde(skip)]
    departed: Vec<Changed>,
    #[serde(skip)]
    changed_incidents: BTreeSet<usize>,
    #[serde(skip)]
    departed_incidents: Vec<Incident>,
    #[serde(skip)]
    news: bool,
    #[serde(skip)]
    rulings: Arc<Rulings>,
    /// Findings that had to share the overflow alert.
    pub overflowed: u64,
    /// Alerts that have left memory for the store.
    #[serde(default)]
    pub left: u64,
    /// Times that a maintenance window kept an alert from asking for attention.
    #[serde(default)]
    pub held: u64,
}

impl Ledger {
    /// The fingerprint of a subject.
    pub fn fingerprint(identity: &str, rule: &str, subject: &str) -> String {
        hash::id(&[identity, rule, subject])
    }

    /// What operators have decided for all profiles.
    pub fn set_rulings(&mut self, rulings: Arc<Rulings>) {
        self.rulings = rulings;
    }

    /// The same, to be handed on.
    pub fn rulings(&self) -> Arc<Rulings> {
        Arc::clone(&self.rulings)
    }

    /// Takes a finding in; returns its fingerprint and whether its alert is new.
    pub fn raise(&mut self, identity: &str, finding: Finding, place: &Place<'_>) -> (String, bool) {
        let fingerprint = self.room_for(identity, &finding, place.time);
        let priority = finding.priority.unwrap_or_else(|| priority_of(finding.score));
        let new = !self.alerts.contains_key(&fingerprint);
        let mut risen = false;
        if new {
            let alert = open(identity, &fingerprint, finding, place, priority);
            self.alerts.insert(fingerprint.clone(), alert);
            let beside = Beside { since: place.time, ..Beside::default() };
            self.beside.insert(fingerprint.clone(), beside);
            self.changed.entry(fingerprint.clone()).or_default().opened = true;
        } else if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            if finding.score > alert.score {
                alert.score = finding.score;
                alert.score_parts = finding.parts;
            }
            risen = priority > alert.priority;
            alert.priority = alert.priority.max(priority);
        }
        self.occurred(&fingerprint, place, priority, risen);
        (fingerprint, new)
    }

    /// Adds evidence to the alert of a session; its score rises to `score` if that is more.
    pub fn evidence(
        &mut self,
        fingerprint: &str,
        evidence: Evidence,
        score: f64,
        mitre: &[String],
        place: &Place<'_>,
    ) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let mut risen = false;
        if score > alert.score {
            alert.score = score;
            risen = priority_of(score) > alert.priority;
            alert.priority = alert.priority.max(priority_of(score));
            alert
                .score_parts
                .push(ScorePart { name: format!("evidence:{}", evidence.kind), value: score });
            alert.score_parts.truncate(16);
        }
        for technique in mitre {
            if !alert.mitre.contains(technique) && alert.mitre.len() < 8 {
                alert.mitre.push(technique.clone());
            }
        }
        add_evidence(alert, evidence);
        let priority = alert.priority;
        self.occurred(fingerprint, place, priority, risen);
    }

    /// Adds evidence to an alert whose occurrence is counted already.
    pub fn add_evidence(&mut self, fingerprint: &str, evidence: Evidence) {
        if let Some(alert) = self.alerts.get_mut(fingerprint) {
            add_evidence(alert, evidence);
        }
    }

    /// What a session's alert has been given so far.
    pub fn get(&self, fingerprint: &str) -> Option<&Alert> {
        self.alerts.get(fingerprint)
    }

    /// Counts another event of a session without new evidence.
    pub fn continued(&mut self, fingerprint: &str, time: EventTime) {
        if let Some(alert) = self.alerts.get_mut(fingerprint) {
            alert.count += 1;
            alert.last_seen = alert.last_seen.max(time);
            active(alert, time, alert.priority);
            let suppressed = alert.state == AlertState::Suppressed;
            self.count(fingerprint, suppressed);
        }
    }

    fn count(&mut self, fingerprint: &str, suppressed: bool) {
        // An alert that goes on changes with every event; its name is there already.
        if !self.changed.contains_key(fingerprint) {
            self.changed.insert(fingerprint.to_owned(), Fresh::default());
        }
        if let Some(fresh) = self.changed.get_mut(fingerprint) {
            *(if suppressed { &mut fresh.suppressed } else { &mut fresh.shown }) += 1;
        }
    }

    fn occurred(&mut self, fingerprint: &str, place: &Place<'_>, priority: Priority, risen: bool) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        alert.count += 1;
        alert.first_seen = alert.first_seen.min(place.time);
        alert.last_seen = alert.last_seen.max(place.time);
        active(alert, place.time, priority);
        seen_in(alert, place);
        if alert.samples.len() < MAX_SAMPLES && alert.samples.last() != Some(&place.sample) {
            alert.samples.push(place.sample.clone());
        }
        self.recur(fingerprint, place, risen);
        self.join_incident(fingerprint, place);
    }

    /// All alerts in memory, by fingerprint.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// Alerts that have left memory and were not taken yet.
    pub fn departed(&self) -> impl Iterator<Item = &Alert> {
        self.departed.iter().map(|changed| &changed.alert)
    }

    /// What changed since the last call.
    pub fn take_changed(&mut self) -> (Vec<Changed>, Vec<Incident>) {
        self.news = false;
        let mut changed = std::mem::take(&mut self.departed);
        for (fingerprint, fresh) in std::mem::take(&mut self.changed) {
            let Some(alert) = self.alerts.get(&fingerprint) else { continue };
            changed.push(fresh.of(alert.clone()));
        }
        let mut incidents = std::mem::take(&mut self.departed_incidents);
        let indexes = std::mem::take(&mut self.changed_incidents);
        incidents.extend(indexes.iter().filter_map(|i| self.incidents.get(*i)).cloned());
        (changed, incidents)
    }

    /// True when something is worth showing at once since the last [`Ledger::take_changed`]: an
    /// alert was opened, rose, or was dealt with.
    pub fn has_news(&self) -> bool {
        self.news
    }

    /// True when something changed since the last [`Ledger::take_changed`].
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }
}

impl Fresh {
    fn of(self, alert: Alert) -> Changed {
        let Self { opened, shown, suppressed } = self;
        Changed { alert, opened, shown, suppressed }
    }
}

fn open(
    identity: &str,
    fingerprint: &str,
    finding: Finding,
    place: &Place<'_>,
    priority: Priority,
) -> Alert {
    Alert {
        id: hash::id(&[fingerprint, &place.time.to_string()]),
        fingerprint: fingerprint.to_owned(),
        state: AlertState::Open,
        source: finding.source,
        rule: finding.rule,
        priority,
        score: finding.score,
        score_parts: finding.parts,
        host: place.container.host.clone(),
        identity: identity.to_owned(),
        container: place.container.clone(),
        containers: Vec::new(),
        containers_total: 0,
        k8s: AlertK8s { namespace: place.namespace.to_owned(), pod: place.container.pod.clone() },
        kind: finding.kind,
        path: finding.path,
        expected: finding.expected,
        nearest: finding.nearest,
        evidence: Vec::new(),
        lineage: place.lineage.clone(),
        mitre: finding.mitre,
        count: 0,
        first_seen: place.time,
        last_seen: place.time,
        activity: Vec::new(),
        phase: place.phase.to_owned(),
        incident: String::new(),
        samples: Vec::new(),
        summary: finding.summary,
        assignee: String::new(),
        history: Vec::new(),
        notifications: 0,
        held: false,
    }
}

fn add_evidence(alert: &mut Alert, evidence: Evidence) {
    let same = |e: &&mut Evidence| {
        e.kind == evidence.kind && e.token == evidence.token && e.process == evidence.process
    };
    if let Some(known) = alert.evidence.iter_mut().find(same) {
        known.count += 1;
    } else if alert.evidence.len() < MAX_EVIDENCE {
        alert.evidence.push(evidence);
    }
}

fn active(alert: &mut Alert, time: EventTime, priority: Priority) {
    let start = time - time % SECOND;
    if let Some(step) = alert.activity.iter_mut().rev().take(4).find(|a| a.start == start) {
        step.count += 1;
        step.first = step.first.min(time);
        step.max_priority = step.max_priority.max(priority);
    } else {
        let at = alert.activity.partition_point(|a| a.start < start);
        alert
            .activity
            .insert(at, Activity { start, first: time, count: 1, max_priority: priority });
        if alert.activity.len() > MAX_ACTIVITY {
            alert.activity.remove(0);
        }
    }
}

fn seen_in(alert: &mut Alert, place: &Place<'_>) {
    if let Some(known) = alert.containers.iter_mut().find(|c| c.id == place.container.id) {
        known.count += 1;
        known.last_seen = known.last_seen.max(place.time);
    } else {
        alert.containers_total += 1;
        if alert.containers.len() < MAX_CONTAINERS {
            alert.containers.push(AlertContainer {
                count: 1,
                last_seen: place.time,
                ..place.container.clone()
            });
        }
    }
    if let Some(first) = alert.containers.first() {
        alert.container = first.clone();
    }
}
