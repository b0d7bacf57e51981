//! What operators have decided for all profiles: what is kept quiet, and when work is done.

use std::{collections::BTreeMap, sync::Arc};

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

use crate::{Alert, AlertContainer};

/// Suppressions at a time: more are a rule that belongs switched off at its source.
pub const MAX_SUPPRESSIONS: usize = 1_000;
/// Maintenance windows at a time, those to come included: some years of weekly ones.
pub const MAX_MAINTENANCE: usize = 500;
/// How long a resolved alert can be reopened by a recurrence, unless configured.
const REOPEN_WITHIN: EventTime = 86_400 * SECOND;

/// What a suppression covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionScope {
    /// Alerts of one fingerprint.
    Fingerprint,
    /// Alerts of one rule.
    Rule,
    /// Alerts of one container, by id or name.
    Container,
    /// Alerts of one identity.
    Identity,
}

impl SuppressionScope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Fingerprint, Self::Rule, Self::Container, Self::Identity];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Rule => "rule",
            Self::Container => "container",
            Self::Identity => "identity",
        }
    }
}

/// Alerts that are recorded and not shown as open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// Its id.
    pub id: String,
    /// What it covers …
    pub scope: SuppressionScope,
    /// … by its exact value.
    pub value: String,
    /// When it was made (wall clock of the service), ns.
    pub created: EventTime,
    /// Who made it.
    pub by: String,
    /// When it ends in event time, ns; `None` for never.
    pub expires: Option<EventTime>,
    /// Why.
    pub note: String,
}

impl Suppression {
    /// True while it covers what happens at `time`.
    pub fn holds_at(&self, time: EventTime) -> bool {
        self.expires.is_none_or(|end| time < end)
    }

    /// True for an alert of its scope that occurs in `container`.
    pub fn covers(&self, alert: &Alert, container: &AlertContainer) -> bool {
        match self.scope {
            SuppressionScope::Fingerprint => self.value == alert.fingerprint,
            SuppressionScope::Rule => self.value == alert.rule,
            SuppressionScope::Container => {
                self.value == container.id || self.value == container.name
            }
            SuppressionScope::Identity => self.value == alert.identity,
        }
    }
}

/// A stretch of time in which people work on containers and need not be told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its id.
    pub id: String,
    /// Which containers: a name, an id or an identity, `*` for any text in it.
    pub container: String,
    /// Its start in event time, ns.
    pub start: EventTime,
    /// Its end in event time, ns.
    pub end: EventTime,
    /// When it was made (wall clock of the service), ns.
    pub created: EventTime,
    /// Who made it.
    pub by: String,
    /// Why.
    pub note: String,
}

impl Maintenance {
    fn holds(&self, alert: &Alert, container: &AlertContainer, time: EventTime) -> bool {
        (self.start..self.end).contains(&time)
            && [&container.name, &container.id, &alert.identity]
                .into_iter()
                .any(|text| glob(&self.container, text))
    }
}

/// All of them, as every ledger holds them. Changed by making a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct Rulings {
    suppressions: Vec<Arc<Suppression>>,
    maintenance: Vec<Maintenance>,
    /// By scope and value: a raised alert must not cost a walk over all of them.
    by_value: [BTreeMap<String, Vec<Arc<Suppression>>>; SuppressionScope::ALL.len()],
    /// A recurrence so soon after an alert was resolved reopens it, ns of event time.
    pub reopen_within: EventTime,
}

impl Default for Rulings {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), REOPEN_WITHIN)
    }
}

impl Rulings {
    /// Of these suppressions and windows.
    pub fn new(
        suppressions: Vec<Suppression>,
        maintenance: Vec<Maintenance>,
        reopen_within: EventTime,
    ) -> Self {
        let suppressions: Vec<Arc<Suppression>> = suppressions.into_iter().map(Arc::new).collect();
        let mut by_value: [BTreeMap<String, Vec<Arc<Suppression>>>; 4] = Default::default();
        for suppression in &suppressions {
            by_value[suppression.scope as usize]
                .entry(suppression.value.clone())
                .or_default()
                .push(Arc::clone(suppression));
        }
        Self { suppressions, maintenance, by_value, reopen_within }
    }

    /// All suppressions, also those that have expired.
    pub fn suppressions(&self) -> impl Iterator<Item = &Suppression> {
        self.suppressions.iter().map(Arc::as_ref)
    }

    /// All maintenance windows, also those that are over.
    pub fn maintenance(&self) -> &[Maintenance] {
        &self.maintenance
    }

    /// The suppression under which an alert occurs in `container` at `time`.
    pub fn suppression(
        &self,
        alert: &Alert,
        container: &AlertContainer,
        time: EventTime,
    ) -> Option<&Suppression> {
        if self.suppressions.is_empty() {
            return None;
        }
        let values = [
            (SuppressionScope::Fingerprint, &alert.fingerprint),
            (SuppressionScope::Rule, &alert.rule),
            (SuppressionScope::Container, &container.id),
            (SuppressionScope::Container, &container.name),
            (SuppressionScope::Identity, &alert.identity),
        ];
        values
            .into_iter()
            .filter_map(|(scope, value)| self.by_value[scope as usize].get(value.as_str()))
            .flatten()
            .find(|suppression| suppression.holds_at(time))
            .map(Arc::as_ref)
    }

    /// True when nobody is to be told of an alert in `container` at `time`.
    pub fn holds(&self, alert: &Alert, container: &AlertContainer, time: EventTime) -> bool {
        self.maintenance.iter().any(|window| window.holds(alert, container, time))
    }
}

/// True when `text` is like `pattern`, in which `*` stands for any text. Linear in both but for
/// the number of stars.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = text.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, like) in [
            ("web", "web", true),
            ("web", "web-1", false),
            ("web-*", "web-1", true),
            ("*", "", true),
            ("*", "anything", true),
            ("shop:*:api", "shop:cart:api", true),
            ("shop:*:api", "shop:cart:db", false),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxxax", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(glob(pattern, text), like, "{pattern} {text}");
        }
    }
}
