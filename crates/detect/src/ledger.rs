//! Alerts and incidents of one identity: deviations grouped by fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_event::{EventTime, Priority, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Activity, Alert, AlertContainer, AlertK8s, AlertPath, AlertSource, AlertState, Evidence,
    Expected, Incident, Kind, LineageEntry, Nearest, ScorePart, Summary, danger::priority_of, hash,
};

/// Alerts kept for an identity; past it new fingerprints share one alert named so.
pub const MAX_ALERTS: usize = 2_000;
/// Seconds of activity kept in an alert.
pub const MAX_ACTIVITY: usize = 3_600;
/// Containers listed in an alert.
pub const MAX_CONTAINERS: usize = 20;
/// Sample events kept in an alert.
pub const MAX_SAMPLES: usize = 5;
/// Pieces of evidence kept in an alert.
pub const MAX_EVIDENCE: usize = 20;
/// Alerts listed in an incident.
pub const MAX_INCIDENT_ALERTS: usize = 100;
/// An alert belongs to the running incident when it comes within this time of its last activity.
pub const INCIDENT_GAP: EventTime = 60 * SECOND;

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

/// The alerts and incidents of one identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    alerts: BTreeMap<String, Alert>,
    incidents: Vec<Incident>,
    /// Fingerprints whose alerts changed since [`Ledger::take_changed`].
    #[serde(skip)]
    changed: BTreeSet<String>,
    #[serde(skip)]
    changed_incidents: BTreeSet<usize>,
    #[serde(skip)]
    news: bool,
    /// Findings that had to share the overflow alert.
    pub overflowed: u64,
}

impl Ledger {
    /// The fingerprint of a subject.
    pub fn fingerprint(identity: &str, rule: &str, subject: &str) -> String {
        hash::id(&[identity, rule, subject])
    }

    /// Takes a finding in; returns its fingerprint and whether its alert is new.
    pub fn raise(&mut self, identity: &str, finding: Finding, place: &Place<'_>) -> (String, bool) {
        let mut fingerprint = Self::fingerprint(identity, &finding.rule, &finding.subject);
        if !self.alerts.contains_key(&fingerprint) && self.alerts.len() >= MAX_ALERTS {
            self.overflowed += 1;
            fingerprint = Self::fingerprint(identity, "overflow", "");
        }
        let priority = finding.priority.unwrap_or_else(|| priority_of(finding.score));
        let new = !self.alerts.contains_key(&fingerprint);
        if new {
            let alert = open(identity, &fingerprint, finding, place, priority);
            self.alerts.insert(fingerprint.clone(), alert);
            self.news = true;
        } else if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            if finding.score > alert.score {
                alert.score = finding.score;
                alert.score_parts = finding.parts;
            }
            self.news |= priority > alert.priority;
            alert.priority = alert.priority.max(priority);
        }
        self.occurred(&fingerprint, place, priority);
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
        if score > alert.score {
            alert.score = score;
            self.news |= priority_of(score) > alert.priority;
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
        self.occurred(fingerprint, place, priority);
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

    /// The same, to be changed by an operator's action.
    pub fn get_mut(&mut self, fingerprint: &str) -> Option<&mut Alert> {
        self.changed.insert(fingerprint.to_owned());
        self.alerts.get_mut(fingerprint)
    }

    /// Counts another event of a session without new evidence.
    pub fn continued(&mut self, fingerprint: &str, time: EventTime) {
        if let Some(alert) = self.alerts.get_mut(fingerprint) {
            alert.count += 1;
            alert.last_seen = alert.last_seen.max(time);
            active(alert, time, alert.priority);
            self.changed.insert(fingerprint.to_owned());
        }
    }

    fn occurred(&mut self, fingerprint: &str, place: &Place<'_>, priority: Priority) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        alert.count += 1;
        alert.first_seen = alert.first_seen.min(place.time);
        alert.last_seen = alert.last_seen.max(place.time);
        active(alert, place.time, priority);
        seen_in(alert, place);
        if alert.samples.len() < MAX_SAMPLES && alert.samples.last() != Some(&place.sample) {
            alert.samples.push(place.sample.clone());
        }
        self.changed.insert(fingerprint.to_owned());
        self.join_incident(fingerprint, place);
    }

    fn join_incident(&mut self, fingerprint: &str, place: &Place<'_>) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let recent = |i: &Incident| place.time.saturating_sub(i.last_seen) <= INCIDENT_GAP;
        let index = self.incidents.iter().rposition(recent).unwrap_or_else(|| {
            self.incidents.push(Incident {
                id: hash::id(&[&alert.identity, "incident", &place.time.to_string()]),
                identity: alert.identity.clone(),
                container: alert.container.clone(),
                priority: alert.priority,
                alerts: Vec::new(),
                alerts_total: 0,
                count: 0,
                first_seen: place.time,
                last_seen: place.time,
                summary: alert.summary.clone(),
            });
            self.incidents.len() - 1
        });
        let incident = &mut self.incidents[index];
        incident.count += 1;
        incident.last_seen = incident.last_seen.max(place.time);
        if alert.priority > incident.priority {
            incident.priority = alert.priority;
            incident.summary = alert.summary.clone();
        }
        if alert.incident != incident.id {
            alert.incident.clone_from(&incident.id);
            if !incident.alerts.contains(&alert.id) {
                incident.alerts_total += 1;
                if incident.alerts.len() < MAX_INCIDENT_ALERTS {
                    incident.alerts.push(alert.id.clone());
                }
            }
        }
        self.changed_incidents.insert(index);
    }

    /// All alerts, by fingerprint.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// All incidents, oldest first.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// What changed since the last call.
    pub fn take_changed(&mut self) -> (Vec<Alert>, Vec<Incident>) {
        let changed = std::mem::take(&mut self.changed);
        let incidents = std::mem::take(&mut self.changed_incidents);
        self.news = false;
        (
            changed.iter().filter_map(|f| self.alerts.get(f)).cloned().collect(),
            incidents.iter().filter_map(|i| self.incidents.get(*i)).cloned().collect(),
        )
    }

    /// True when an alert was opened or its priority rose since the last [`Ledger::take_changed`].
    pub fn has_news(&self) -> bool {
        self.news
    }

    /// True when something changed since the last [`Ledger::take_changed`].
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
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
