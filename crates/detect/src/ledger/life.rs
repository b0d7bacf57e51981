//! What recurrences and learning do to an alert's state, and which alerts leave memory.

use hanabi_event::{EventTime, Priority, SECOND};
use serde::{Deserialize, Serialize};

use super::{Beside, Finding, Ledger, MAX_ALERTS, MAX_HISTORY, Place};
use crate::{Alert, AlertAction, AlertState, alert::ENGINE};

/// Alerts that left memory and wait to be taken. The service takes them with every block; a replay
/// keeps them to its end, and at some 10 KiB each has to stop somewhere.
pub const MAX_DEPARTED: usize = 20_000;
/// Alerts that leave memory together: to look for them costs a walk over all of them.
const LEAVE_TOGETHER: usize = MAX_ALERTS / 20;
/// The stretch in which occurrences are counted for a rate.
const RATE_WINDOW: EventTime = 60 * SECOND;
/// An acknowledged alert is news again at so many times the rate at which it was acknowledged.
const RATE_FACTOR: u64 = 10;

/// What an acknowledged alert has to exceed to be news again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bar {
    priority: Priority,
    /// Occurrences in a minute.
    rate: u64,
}

impl Bar {
    /// What an alert has come to by its last occurrence.
    pub(super) fn of(alert: &Alert) -> Self {
        Self { priority: alert.priority, rate: rate(alert).max(1) }
    }

    fn is_exceeded_by(self, alert: &Alert) -> bool {
        alert.priority > self.priority || rate(alert) >= RATE_FACTOR * self.rate
    }
}

/// Occurrences in the minute that ends with the last one.
fn rate(alert: &Alert) -> u64 {
    let since = alert.last_seen.saturating_sub(RATE_WINDOW);
    alert.activity.iter().rev().take_while(|a| a.start > since).map(|a| a.count).sum()
}

/// Adds an action to an alert's history, which is bounded.
pub(crate) fn note_down(alert: &mut Alert, action: AlertAction) {
    if alert.history.len() >= MAX_HISTORY {
        alert.history.remove(0);
    }
    alert.history.push(action);
}

impl Ledger {
    /// The fingerprint under which a finding is filed, with room for it.
    pub(super) fn room_for(&mut self, identity: &str, finding: &Finding, now: EventTime) -> String {
        let fingerprint = Self::fingerprint(identity, &finding.rule, &finding.subject);
        if let Some(alert) = self.alerts.get(&fingerprint) {
            if !self.is_over(alert, now) {
                return fingerprint;
            }
            self.depart(&fingerprint);
        }
        if self.alerts.len() < MAX_ALERTS || self.make_room() {
            return fingerprint;
        }
        self.overflowed += 1;
        Self::fingerprint(identity, "overflow", "")
    }

    /// True for an alert that was dealt with so long ago that a recurrence is another one.
    fn is_over(&self, alert: &Alert, now: EventTime) -> bool {
        let since = self.beside.get(&alert.fingerprint).map_or(0, |b| b.since);
        matches!(alert.state, AlertState::Resolved | AlertState::Promoted)
            && now > since.saturating_add(self.rulings.reopen_within)
    }

    /// Lets those go that matter least: dealt with or suppressed, else of low priority; the oldest
    /// of them first. False when all of them matter.
    fn make_room(&mut self) -> bool {
        if self.departed.len() >= MAX_DEPARTED {
            return false;
        }
        let closed = |alert: &Alert| {
            use AlertState::{Promoted, Resolved, Suppressed};
            matches!(alert.state, Resolved | Suppressed | Promoted)
        };
        let low = |alert: &Alert| alert.priority < Priority::Warning;
        let mut leaving = self.oldest(closed);
        if leaving.is_empty() {
            leaving = self.oldest(low);
        }
        for fingerprint in &leaving {
            self.depart(fingerprint);
        }
        !leaving.is_empty()
    }

    fn oldest(&self, of: impl Fn(&Alert) -> bool) -> Vec<String> {
        let mut found: Vec<(EventTime, &String)> = self
            .alerts
            .iter()
            .filter(|(_, alert)| of(alert))
            .map(|(fingerprint, alert)| (alert.last_seen, fingerprint))
            .collect();
        found.sort_unstable();
        found.into_iter().take(LEAVE_TOGETHER).map(|(_, fingerprint)| fingerprint.clone()).collect()
    }

    fn depart(&mut self, fingerprint: &str) {
        let fresh = self.changed.remove(fingerprint).unwrap_or_default();
        self.forget_records(fingerprint);
        if let Some(alert) = self.alerts.remove(fingerprint) {
            self.left += 1;
            self.departed.push(fresh.of(alert));
        }
    }

    /// What another occurrence does to an alert: its state, and whether people are to be told.
    pub(super) fn recur(&mut self, fingerprint: &str, place: &Place<'_>, risen: bool) {
        let opened = self.changed.get(fingerprint).is_some_and(|f| f.opened);
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let new = opened && alert.count == 1;
        let rulings = &self.rulings;
        let ruling = rulings.suppression(alert, place.container, place.time);
        let next = match (alert.state, ruling.is_some()) {
            (AlertState::Open, true) if new => AlertState::Suppressed,
            (AlertState::Resolved | AlertState::Promoted, true) => AlertState::Suppressed,
            (AlertState::Resolved | AlertState::Promoted | AlertState::Suppressed, false) => {
                AlertState::Open
            }
            (state, _) => state,
        };
        let turned = next != alert.state;
        let Some(beside) = self.beside.get_mut(fingerprint) else { return };
        if turned {
            let action = turn(alert, next, ruling.map(|r| r.id.as_str()), place.time);
            note_down(alert, action);
            alert.state = next;
            beside.since = place.time;
        }
        let exceeds = next == AlertState::Acknowledged
            && beside.bar.get_or_insert_with(|| Bar::of(alert)).is_exceeded_by(alert);
        let wants = match next {
            AlertState::Open => new || turned || risen || alert.held,
            AlertState::Acknowledged => exceeds,
            AlertState::Suppressed | AlertState::Promoted | AlertState::Resolved => false,
        };
        self.news |= new || turned || risen || exceeds;
        if wants {
            if exceeds {
                beside.bar = Some(Bar::of(alert));
            }
            let holds = rulings.holds(alert, place.container, place.time);
            // What waits for the end of a window is counted once.
            self.held += u64::from(holds && !alert.held);
            self.news |= alert.held != holds;
            alert.held = holds;
            alert.notifications += u64::from(!holds);
        }
        self.count(fingerprint, next == AlertState::Suppressed);
    }

    /// Resolves an alert, since it has turned out to be no news; `why` is for its history.
    pub(crate) fn settle(&mut self, fingerprint: &str, now: EventTime, why: &str) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        if matches!(alert.state, AlertState::Resolved | AlertState::Promoted) {
            return;
        }
        let action = AlertAction {
            at: now,
            by: ENGINE.to_owned(),
            action: "resolve".to_owned(),
            text: why.to_owned(),
            state_before: Some(alert.state),
            ..AlertAction::default()
        };
        note_down(alert, action);
        alert.state = AlertState::Resolved;
        self.touched(fingerprint, now);
    }

    /// An alert's state was set at `now`.
    pub(super) fn touched(&mut self, fingerprint: &str, now: EventTime) {
        let beside: &mut Beside = self.beside.entry(fingerprint.to_owned()).or_default();
        beside.since = now;
        self.changed.entry(fingerprint.to_owned()).or_default();
        self.news = true;
    }
}

/// What a history says of a state that a recurrence has set.
fn turn(alert: &Alert, next: AlertState, ruling: Option<&str>, now: EventTime) -> AlertAction {
    let (action, text) = match (next, alert.state) {
        (AlertState::Suppressed, _) => ("suppress", "a suppression covers it"),
        (_, AlertState::Suppressed) => ("reopen", "no suppression covers it any more"),
        (_, AlertState::Promoted) => ("reopen", "it came again, unlike what was promoted"),
        _ => ("reopen", "it came again"),
    };
    AlertAction {
        at: now,
        by: ENGINE.to_owned(),
        action: action.to_owned(),
        text: text.to_owned(),
        reference: ruling.unwrap_or_default().to_owned(),
        state_before: Some(alert.state),
        ..AlertAction::default()
    }
}
