//! Incidents: alerts of one identity that belong together in time.

use hanabi_event::{EventTime, SECOND};

use super::{Ledger, Place};
use crate::{Alert, Incident, hash};

/// Alerts listed in an incident.
pub const MAX_INCIDENT_ALERTS: usize = 100;
/// Incidents of an identity in memory: only the newest can still grow; the others are there for
/// the end of a replay, and leave for the store.
pub const MAX_INCIDENTS: usize = 2_000;
/// An alert belongs to the running incident when it comes within this time of its last activity.
pub const INCIDENT_GAP: EventTime = 60 * SECOND;

impl Ledger {
    pub(super) fn join_incident(&mut self, fingerprint: &str, place: &Place<'_>) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let recent = |i: &Incident| place.time.saturating_sub(i.last_seen) <= INCIDENT_GAP;
        let index = if let Some(index) = self.incidents.iter().rposition(recent) {
            index
        } else {
            let incident = begin(alert, place);
            self.add_incident(incident)
        };
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
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

    fn add_incident(&mut self, incident: Incident) -> usize {
        if self.incidents.len() >= MAX_INCIDENTS {
            let oldest = self.incidents.remove(0);
            let changed = std::mem::take(&mut self.changed_incidents);
            if changed.contains(&0) {
                self.departed_incidents.push(oldest);
            }
            self.changed_incidents = changed.iter().filter_map(|i| i.checked_sub(1)).collect();
        }
        self.incidents.push(incident);
        self.incidents.len() - 1
    }

    /// All incidents, oldest first.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }
}

fn begin(alert: &Alert, place: &Place<'_>) -> Incident {
    Incident {
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
    }
}
