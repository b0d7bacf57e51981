//! Which containers somebody may see and change.
//!
//! A scope is decided by two things that every record of a container has: its name, and its
//! profile's identity, whose first of three parts is the Kubernetes namespace. Containers of one
//! identity share a profile, so whoever may see one of them sees the profile and its alerts.

use std::sync::Arc;

use hanabi_detect::{Alert, Incident, Maintenance, Suppression, SuppressionScope};
use serde::{Deserialize, Serialize};

use crate::live::Fleet;

/// Patterns of one kind in a scope: more than a team has namespaces; each is held against every
/// container that is listed.
pub const SCOPE_PATTERNS_MAX: usize = 32;
/// Bytes of a pattern: Kubernetes' names have at most 253.
pub const SCOPE_PATTERN_BYTES: usize = 253;

/// Which containers. Both lists hold patterns in which `*` stands for any text; an empty list lets
/// everything through, and where both are filled both must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Kubernetes namespaces.
    pub namespaces: Vec<String>,
    /// Container names.
    pub containers: Vec<String>,
}

impl Scope {
    /// All containers, those that are none (the service itself) included.
    pub fn everything() -> Self {
        Self::default()
    }

    /// True for [`Scope::everything`].
    pub fn is_everything(&self) -> bool {
        self.namespaces.is_empty() && self.containers.is_empty()
    }

    /// Why it cannot be a scope, if so. Patterns are plain names, so that they can stand in a query.
    pub fn problem(&self) -> Option<String> {
        for (field, patterns) in
            [("namespaces", &self.namespaces), ("containers", &self.containers)]
        {
            if patterns.len() > SCOPE_PATTERNS_MAX {
                return Some(format!("{field} has more than {SCOPE_PATTERNS_MAX} patterns"));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "*-_./".contains(c);
            let wrong = patterns.iter().find(|pattern| {
                pattern.is_empty()
                    || pattern.len() > SCOPE_PATTERN_BYTES
                    || !pattern.chars().all(plain)
            });
            if let Some(wrong) = wrong {
                let wrong: String = wrong.escape_debug().take(100).collect();
                return Some(format!(
                    "{field} has `{wrong}`: a pattern is 1 to {SCOPE_PATTERN_BYTES} letters, \
                     digits, `-`, `_`, `.`, `/` and `*`"
                ));
            }
        }
        None
    }

    /// True for a container, by its profile's identity and its name.
    pub fn covers(&self, identity: &str, name: &str) -> bool {
        let meets = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
        };
        // An absent namespace is not one that a pattern means.
        let namespace = namespace(identity);
        (self.namespaces.is_empty() || !namespace.is_empty() && meets(&self.namespaces, namespace))
            && meets(&self.containers, name)
    }

    /// True for the profile of an identity, if none of its containers is known any more.
    pub fn covers_identity(&self, identity: &str) -> bool {
        self.covers(identity, identity.rsplit(':').next().unwrap_or_default())
    }

    /// True for an alert of one of its containers.
    pub fn covers_alert(&self, alert: &Alert) -> bool {
        let mut names = alert.containers.iter().chain([&alert.container]);
        names.any(|container| self.covers(&alert.identity, &container.name))
    }

    /// True for an incident of its container.
    pub fn covers_incident(&self, incident: &Incident) -> bool {
        self.covers(&incident.identity, &incident.container.name)
    }

    /// True for a suppression of nothing but what is in the scope. One of a fingerprint belongs to
    /// an alert, which alone tells whose it is.
    pub fn covers_suppression(&self, suppression: &Suppression) -> bool {
        self.covers_ruling(suppression.scope, &suppression.value)
    }

    /// The same of one that is yet to be made.
    pub fn covers_ruling(&self, scope: SuppressionScope, value: &str) -> bool {
        self.is_everything()
            || match scope {
                SuppressionScope::Identity => self.covers_identity(value),
                SuppressionScope::Container => self.covers_name(value),
                SuppressionScope::Fingerprint | SuppressionScope::Rule => false,
            }
    }

    /// True for a maintenance window of nothing but what is in the scope.
    pub fn covers_maintenance(&self, window: &Maintenance) -> bool {
        self.covers_word(&window.container)
    }

    /// True for a word that means containers wherever they are: a name or an identity without a star.
    pub fn covers_word(&self, word: &str) -> bool {
        self.is_everything()
            || !word.contains('*') && (self.covers_name(word) || self.covers_full_identity(word))
    }

    /// A name alone is in every namespace, so that it is only covered where namespaces do not count.
    fn covers_name(&self, name: &str) -> bool {
        !name.contains(':') && self.namespaces.is_empty() && self.covers("", name)
    }

    /// An identity with a colon is never a name.
    fn covers_full_identity(&self, identity: &str) -> bool {
        identity.contains(':') && self.covers_identity(identity)
    }

    /// The fleet as it is within the scope. Lines and sources are nobody's, and left out.
    pub(crate) fn fleet(&self, fleet: Arc<Fleet>) -> Arc<Fleet> {
        if self.is_everything() {
            return fleet;
        }
        let containers: Vec<_> = fleet
            .containers
            .iter()
            .filter(|row| self.covers(&row.identity, &row.name))
            .cloned()
            .collect();
        let seen = |identity: &str| containers.iter().any(|row| row.identity == identity);
        let profiles = fleet
            .profiles
            .iter()
            .filter(|p| self.covers_identity(&p.identity) || seen(&p.identity))
            .cloned()
            .collect();
        Arc::new(Fleet { generated: fleet.generated, containers, profiles, ..Fleet::default() })
    }

    /// The scope as part of the name of a kept answer.
    pub(crate) fn key(&self) -> String {
        format!("{:?} {:?}", self.namespaces, self.containers)
    }
}

/// The namespace of `namespace:workload:container`; `""` for identities outside Kubernetes, which
/// have at most two parts.
pub(crate) fn namespace(identity: &str) -> &str {
    let mut parts = identity.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(_), Some(_)) => namespace,
        _ => "",
    }
}

/// True when `text` is like `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(namespaces: &[&str], containers: &[&str]) -> Scope {
        let owned = |patterns: &[&str]| patterns.iter().map(|&p| p.to_owned()).collect();
        Scope { namespaces: owned(namespaces), containers: owned(containers) }
    }

    #[test]
    fn both_kinds_of_pattern_must_be_met() {
        for (namespaces, containers, identity, name, covered) in [
            (&[][..], &[][..], "shop:cart:api", "api", true),
            (&["shop"], &[], "shop:cart:api", "api", true),
            (&["shop"], &[], "shop2:cart:api", "api", false),
            (&["team-*"], &[], "team-a:cart:api", "api", true),
            (&["shop"], &["api"], "shop:cart:api", "api", true),
            (&["shop"], &["db"], "shop:cart:api", "api", false),
            (&["*"], &[], "h1:web", "web", false),
            (&["h1"], &[], "h1:web", "web", false),
            (&[], &["web", "db*"], "h1:db-1", "db-1", true),
            (&[], &["web"], "h1:db", "db", false),
            (&[], &["web"], "h1:web", "", false),
        ] {
            let scope = scope(namespaces, containers);
            assert_eq!(scope.covers(identity, name), covered, "{scope:?} {identity} {name}");
        }
    }

    #[test]
    fn words_that_mean_more_than_the_scope_are_not_covered() {
        for (namespaces, containers, word, covered) in [
            (&[][..], &[][..], "*", true),
            (&[], &["web"], "web", true),
            (&[], &["web"], "h1:web", true),
            (&[], &["web"], "we*", false),
            (&[], &["*"], "*", false),
            (&[], &["web"], "db", false),
            (&["shop"], &[], "web", false),
            (&["shop"], &[], "shop:cart:web", true),
            (&["shop"], &[], "other:cart:web", false),
        ] {
            let scope = scope(namespaces, containers);
            assert_eq!(scope.covers_word(word), covered, "{scope:?} {word}");
        }
    }

    #[test]
    fn patterns_are_plain_and_bounded() {
        assert_eq!(scope(&["shop", "team-*"], &["k8s_api_*"]).problem(), None);
        let many = vec!["a"; SCOPE_PATTERNS_MAX + 1];
        let long = "a".repeat(SCOPE_PATTERN_BYTES + 1);
        for wrong in [&["a\"b"][..], &[""], &["a b"], &["a|b"], &many, &[&long]] {
            assert!(scope(wrong, &[]).problem().is_some(), "{wrong:?}");
            assert!(scope(&[], wrong).problem().is_some(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_glob_is_its_regular_expression(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            let expression: String = pattern.replace('*', ".*");
            let expected = regex::Regex::new(&format!("^(?:{expression})$")).unwrap().is_match(&text);
            prop_assert_eq!(glob(&pattern, &text), expected);
        }
    }
}
