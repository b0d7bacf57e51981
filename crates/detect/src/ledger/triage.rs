//! What people do to the alerts of an identity.

use hanabi_event::EventTime;

use super::{Ledger, life::Bar, note_down};
use crate::{
    Alert, AlertAction, AlertState, ENGINE, Suppression,
    triage::{self, Act, Actor, Refusal, Undone, suppression_text},
};

impl Ledger {
    /// The fingerprint of an alert in memory.
    pub fn fingerprint_of(&self, id: &str) -> Option<&str> {
        self.alerts.values().find(|alert| alert.id == id).map(|alert| alert.fingerprint.as_str())
    }

    /// Does something to an alert; nothing when there is none of this fingerprint.
    pub fn act(&mut self, fingerprint: &str, act: &Act, actor: &Actor) -> Result<(), Refusal> {
        self.change(fingerprint, actor, |alert, actor| act.apply(alert, actor))
    }

    /// The same with anything that is the alert's own.
    pub fn change(
        &mut self,
        fingerprint: &str,
        actor: &Actor,
        apply: impl FnOnce(&mut Alert, &Actor) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return Ok(()) };
        let before = alert.state;
        apply(alert, actor)?;
        let (after, bar) = (alert.state, Bar::of(alert));
        if after != before {
            self.touched(fingerprint, actor.now);
        }
        if after == AlertState::Acknowledged && before != after {
            self.beside.entry(fingerprint.to_owned()).or_default().bar = Some(bar);
        }
        self.show(fingerprint);
        Ok(())
    }

    /// Takes the last action of a person back. Suppressions and promotions are the caller's to
    /// lift.
    pub fn undo(&mut self, fingerprint: &str, actor: &Actor) -> Result<Undone, Refusal> {
        let Some(alert) = self.alerts.get_mut(fingerprint) else {
            return Err(Refusal::NothingToUndo);
        };
        let before = alert.state;
        let undone = triage::undo(alert, actor)?;
        if alert.state == AlertState::Suppressed
            && self.rulings.suppression(alert, &alert.container, actor.now).is_none()
            && undone == Undone::Alert
        {
            // The suppression was taken away after what is undone here.
            alert.state = AlertState::Open;
        }
        if alert.state != before {
            self.touched(fingerprint, actor.now);
        }
        self.show(fingerprint);
        Ok(undone)
    }

    /// The alerts that a suppression would quieten, by fingerprint.
    pub fn quietened_by(&self, suppression: &Suppression) -> Vec<String> {
        let waits =
            |alert: &Alert| matches!(alert.state, AlertState::Open | AlertState::Acknowledged);
        self.alerts
            .values()
            .filter(|alert| waits(alert) && is_in_scope(suppression, alert))
            .map(|alert| alert.fingerprint.clone())
            .collect()
    }

    /// Quietens the alerts of a suppression; answers how many. The suppression itself holds from
    /// [`Ledger::set_rulings`] on.
    pub fn suppress(&mut self, suppression: &Suppression, actor: &Actor) -> usize {
        let quietened = self.quietened_by(suppression);
        for fingerprint in &quietened {
            let text = suppression_text(suppression);
            self.turn_to(
                fingerprint,
                AlertState::Suppressed,
                "suppress",
                &suppression.id,
                &text,
                actor,
            );
        }
        quietened.len()
    }

    /// Sets the state of an alert by a suppression or promotion.
    pub(crate) fn turn_to(
        &mut self,
        fingerprint: &str,
        state: AlertState,
        action: &str,
        reference: &str,
        text: &str,
        actor: &Actor,
    ) {
        let Some(alert) = self.alerts.get_mut(fingerprint) else { return };
        let action = AlertAction {
            reference: reference.to_owned(),
            state_before: Some(alert.state),
            ..actor.action(action, text)
        };
        note_down(alert, action);
        alert.state = state;
        self.touched(fingerprint, actor.now);
    }

    /// Takes back what a suppression or promotion has done; answers to how many alerts. To be
    /// called after [`Ledger::set_rulings`].
    pub fn lift(&mut self, reference: &str, actor: &Actor) -> usize {
        let mut lifted: Vec<String> = Vec::new();
        for (fingerprint, alert) in &mut self.alerts {
            if triage::lift(alert, reference) {
                lifted.push(fingerprint.clone());
            }
        }
        for fingerprint in &lifted {
            self.touched(fingerprint, actor.now);
            self.still_suppressed(fingerprint, actor);
        }
        lifted.len()
    }

    /// What one suppression leaves another may cover, unless somebody has reopened it from there.
    fn still_suppressed(&mut self, fingerprint: &str, actor: &Actor) {
        let Some(alert) = self.alerts.get(fingerprint) else { return };
        let known = |id: &str| alert.history.iter().any(|a| !a.undone && a.reference == id);
        let waits = matches!(alert.state, AlertState::Open | AlertState::Acknowledged);
        let other = self.rulings.suppression(alert, &alert.container, actor.now).cloned();
        if let (true, Some(other)) = (waits, other.filter(|other| !known(&other.id))) {
            let text = suppression_text(&other);
            // It is no action of the person who has ended the other one.
            let engine = Actor { by: ENGINE.to_owned(), ..actor.clone() };
            let state = AlertState::Suppressed;
            self.turn_to(fingerprint, state, "suppress", &other.id, &text, &engine);
        }
    }

    /// Resolves everything that waits for somebody: the profile is going.
    pub fn close(&mut self, actor: &Actor, why: &str) {
        let act = Act::Resolve { text: why.to_owned() };
        let all: Vec<String> = self.alerts.keys().cloned().collect();
        for fingerprint in all {
            // What is closed already refuses, and stays as it is.
            drop(self.act(&fingerprint, &act, actor));
        }
    }

    /// An alert is to be shown at once.
    fn show(&mut self, fingerprint: &str) {
        self.changed.entry(fingerprint.to_owned()).or_default();
        self.news = true;
    }

    /// Since when an alert is in its state, in event time.
    pub fn since(&self, fingerprint: &str) -> EventTime {
        self.beside.get(fingerprint).map_or(0, |beside| beside.since)
    }
}

fn is_in_scope(suppression: &Suppression, alert: &Alert) -> bool {
    std::iter::once(&alert.container)
        .chain(&alert.containers)
        .any(|container| suppression.covers(alert, container))
}
