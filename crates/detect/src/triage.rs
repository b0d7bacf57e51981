//! What people do to one alert, and how it is taken back.
//!
//! Everything is in the alert's own history, so that what was done can be undone for as long as the
//! alert exists, in memory or in the store.

use hanabi_event::EventTime;
use hanabi_profile::{PromoteError, SplitError};

use crate::{Alert, AlertAction, AlertState, ENGINE, Suppression, ledger::note_down};

/// What can be done to an alert without asking its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Somebody is on it.
    Acknowledge {
        /// Why, or `""`.
        text: String,
    },
    /// A remark.
    Note {
        /// The remark.
        text: String,
    },
    /// It is somebody's to deal with.
    Assign {
        /// Whose; `""` for nobody's.
        to: String,
    },
    /// It is dealt with.
    Resolve {
        /// Why, or `""`.
        text: String,
    },
    /// It is not.
    Reopen {
        /// Why, or `""`.
        text: String,
    },
}

/// Who acts, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub by: String,
    /// By the service's clock, ns.
    pub at: EventTime,
    /// How far event time has come, ns.
    pub now: EventTime,
}

/// What an undo has to take back beside the alert itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Nothing.
    Alert,
    /// A suppression, by its id.
    Suppression(String),
    /// A promotion, by its id.
    Promotion(String),
}

/// Why an action was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The alert's state does not allow it.
    #[error("an alert that is {} cannot be {done}: {remedy}", word(*state))]
    State {
        /// Its state.
        state: AlertState,
        /// `acknowledged`, `resolved` …
        done: &'static str,
        /// What can be done instead.
        remedy: &'static str,
    },
    /// Nobody has done anything that is not undone.
    #[error("nobody has done anything to this alert that could be undone")]
    NothingToUndo,
    /// It has no place in the profile.
    #[error("{0}")]
    NotPromotable(&'static str),
    /// The profile refuses.
    #[error(transparent)]
    Profile(#[from] PromoteError),
    /// It is not frozen.
    #[error("the profile is not frozen")]
    NotFrozen,
    /// The tree has no such node.
    #[error(
        "the tree has no node there: give the keys of children from the root on, such as /file_branch/openat/nginx/directory_path:srv"
    )]
    NoNode,
    /// It cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// No more dangerous behaviours can be listed.
    #[error("the profile's quarantine is full: accept or reject what waits there, or learn anew")]
    QuarantineFull,
}

/// The word for a state in sentences.
fn word(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "open",
        AlertState::Acknowledged => "acknowledged",
        AlertState::Suppressed => "suppressed",
        AlertState::Promoted => "promoted",
        AlertState::Resolved => "resolved",
    }
}

impl Actor {
    /// An action of this actor.
    pub(crate) fn action(&self, action: &str, text: &str) -> AlertAction {
        AlertAction {
            at: self.at,
            by: self.by.clone(),
            action: action.to_owned(),
            text: text.to_owned(),
            ..AlertAction::default()
        }
    }
}

impl Act {
    /// Does it to an alert, or says why not.
    pub fn apply(&self, alert: &mut Alert, actor: &Actor) -> Result<(), Refusal> {
        let (name, text) = match self {
            Self::Acknowledge { text } => ("ack", text),
            Self::Note { text } => ("note", text),
            Self::Assign { to } => ("assign", to),
            Self::Resolve { text } => ("resolve", text),
            Self::Reopen { text } => ("reopen", text),
        };
        let mut action = actor.action(name, text);
        match self {
            Self::Note { .. } => {}
            Self::Assign { to } => {
                action.assignee_before = Some(std::mem::replace(&mut alert.assignee, to.clone()));
            }
            Self::Acknowledge { .. } | Self::Resolve { .. } | Self::Reopen { .. } => {
                let next = self.next(alert.state)?;
                action.state_before = Some(std::mem::replace(&mut alert.state, next));
            }
        }
        note_down(alert, action);
        Ok(())
    }

    fn next(&self, state: AlertState) -> Result<AlertState, Refusal> {
        use AlertState::{Acknowledged, Open, Promoted, Resolved, Suppressed};
        let refuse = |done, remedy| Err(Refusal::State { state, done, remedy });
        match (self, state) {
            (Self::Acknowledge { .. }, Open) => Ok(Acknowledged),
            (Self::Acknowledge { .. }, Acknowledged) => {
                refuse("acknowledged", "it is already; add a note or assign it")
            }
            (Self::Acknowledge { .. }, Suppressed | Promoted | Resolved) => {
                refuse("acknowledged", "reopen it first, or undo what was done")
            }
            (Self::Resolve { .. }, Open | Acknowledged | Suppressed) => Ok(Resolved),
            (Self::Resolve { .. }, Promoted | Resolved) => {
                refuse("resolved", "it is closed already")
            }
            (Self::Reopen { .. }, Acknowledged | Suppressed | Resolved) => Ok(Open),
            (Self::Reopen { .. }, Open) => refuse("reopened", "it is already"),
            (Self::Reopen { .. }, Promoted) => {
                refuse("reopened", "undo the promotion, and it is open again")
            }
            (Self::Note { .. } | Self::Assign { .. }, state) => Ok(state),
        }
    }
}

/// Takes the last action of a person back. What else has to be taken back with it is in the
/// answer; the alert's part of that is [`lift`]'s.
pub fn undo(alert: &mut Alert, actor: &Actor) -> Result<Undone, Refusal> {
    let done = |a: &AlertAction| !a.undone && a.by != ENGINE && a.action != "undo";
    let at = alert.history.iter().rposition(done).ok_or(Refusal::NothingToUndo)?;
    let action = alert.history[at].clone();
    let undone = match action.action.as_str() {
        "suppress" => Undone::Suppression(action.reference.clone()),
        "promote" => Undone::Promotion(action.reference.clone()),
        _ => {
            alert.history[at].undone = true;
            if let Some(state) = action.state_before {
                alert.state = state;
            }
            if let Some(assignee) = action.assignee_before {
                alert.assignee = assignee;
            }
            Undone::Alert
        }
    };
    note_down(
        alert,
        AlertAction { reference: action.reference, ..actor.action("undo", &action.action) },
    );
    Ok(undone)
}

/// Puts a suppression that covers an alert into its history, and quietens it if somebody would have
/// to deal with it; true when it did.
pub fn note_suppression(alert: &mut Alert, suppression: &Suppression, actor: &Actor) -> bool {
    let waits = matches!(alert.state, AlertState::Open | AlertState::Acknowledged);
    let action = AlertAction {
        reference: suppression.id.clone(),
        state_before: waits.then_some(alert.state),
        ..actor.action("suppress", &suppression_text(suppression))
    };
    if waits {
        alert.state = AlertState::Suppressed;
    }
    note_down(alert, action);
    waits
}

pub(crate) fn suppression_text(suppression: &Suppression) -> String {
    let scope = suppression.scope.as_str();
    match suppression.note.as_str() {
        "" => format!("{scope} {}", suppression.value),
        note => format!("{scope} {}: {note}", suppression.value),
    }
}

/// Takes back what a suppression or a promotion has done to an alert; true when it had done
/// something.
pub fn lift(alert: &mut Alert, reference: &str) -> bool {
    let of_it = |a: &AlertAction| !a.undone && a.action != "undo" && a.reference == reference;
    let mut lifted = false;
    while let Some(at) = alert.history.iter().rposition(of_it) {
        let action = &mut alert.history[at];
        action.undone = true;
        let made = match action.action.as_str() {
            "promote" => AlertState::Promoted,
            _ => AlertState::Suppressed,
        };
        // Who reopened it meanwhile wanted it so.
        if alert.state == made
            && let Some(before) = action.state_before
        {
            alert.state = before;
        }
        lifted = true;
    }
    lifted
}
