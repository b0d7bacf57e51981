//! What the engine is told from outside.

use hanabi_event::{EventTime, Priority, SECOND};
use hanabi_profile::{LearnRules, Limits};

use crate::{
    danger::DangerList,
    matcher::{SemanticMatcher, Structural},
};

/// The engine's settings; shared by all shards and never changed while it runs.
pub struct Settings {
    /// When learning ends.
    pub learn: LearnRules,
    /// How large trees may grow.
    pub limits: Limits,
    /// How unknown tokens are compared.
    pub matcher: Box<dyn SemanticMatcher>,
    /// What is dangerous whatever the profile.
    pub danger: DangerList,
    /// Falco rules from this priority raise alerts of their own.
    pub rule_min_priority: Priority,
    /// How long after a new image what it explains is lowered, ns of event time.
    pub revision_window: EventTime,
    /// Profiles that have learned something detect from this time on.
    pub detect_from: Option<EventTime>,
    /// Profiles detect this long after their first event.
    pub learn_for: Option<EventTime>,
    /// The host is part of identities.
    pub include_host: bool,
    /// Counts bursts; off for measurement.
    pub bursts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learn: LearnRules::default(),
            limits: Limits::default(),
            matcher: Box::new(Structural::default()),
            danger: DangerList::builtin(),
            rule_min_priority: Priority::Notice,
            revision_window: 60 * SECOND,
            detect_from: None,
            learn_for: None,
            include_host: true,
            bursts: true,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("learn", &self.learn)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
