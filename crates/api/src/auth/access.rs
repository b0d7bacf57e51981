//! Which role each route needs: one table, and what it does not name is refused.

use super::principal::{Principal, Role};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever can reach the service.
    Open,
    /// Whoever has said who they are.
    SignedIn,
    /// People who see; within their scope.
    Viewer,
    /// People who deal with alerts and profiles; within their scope.
    Analyst,
    /// People who run the service; without a scope, since it is about no container.
    Admin,
    /// Machines that send events or samples.
    Ingest,
    /// Machines that scrape, and people who see everything.
    Metrics,
}

impl Access {
    /// True when somebody may.
    pub(crate) fn admits(self, who: &Principal) -> bool {
        let everything = who.scope.is_everything();
        match (self, who.role) {
            (Self::Open | Self::SignedIn, _)
            | (Self::Viewer, Role::Viewer | Role::Analyst | Role::Admin)
            | (Self::Analyst, Role::Analyst | Role::Admin)
            | (Self::Ingest, Role::Ingest)
            | (Self::Metrics, Role::Metrics) => true,
            // The page of metrics has all containers in it.
            (Self::Metrics, Role::Viewer | Role::Analyst | Role::Admin)
            // Whoever makes tokens can make one for a machine.
            | (Self::Ingest | Self::Admin, Role::Admin) => everything,
            (Self::Viewer | Self::Analyst | Self::Admin | Self::Ingest | Self::Metrics, _) => false,
        }
    }

    /// What it takes, in words.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::Open => "nothing",
            Self::SignedIn => "a token",
            Self::Viewer => "the role viewer, analyst or admin",
            Self::Analyst => "the role analyst or admin",
            Self::Admin => "the role admin without a scope",
            Self::Ingest => "the role ingest, or admin without a scope",
            Self::Metrics => "the role metrics, or viewer, analyst or admin without a scope",
        }
    }
}

/// What the table says of a method and the template of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The route is there.
    Route(Access),
    /// The path is there, by other methods.
    OtherMethod,
    /// The path is not.
    Missing,
}

/// Looks a route up. `HEAD` is `GET` without its body.
pub(crate) fn of(method: &str, path: &str) -> Entry {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut found = Entry::Missing;
    for (known, template, access) in ROUTES {
        if *template == path {
            if *known == method {
                return Entry::Route(*access);
            }
            found = Entry::OtherMethod;
        }
    }
    found
}

/// True for a route that asks nobody who they are.
pub(crate) fn is_open(method: &str, path: &str) -> bool {
    of(method, path) == Entry::Route(Access::Open)
}

/// What somebody may do, as methods and templates of paths.
pub(crate) fn allowed(who: &Principal) -> Vec<String> {
    let admitted = ROUTES.iter().filter(|(_, _, access)| access.admits(who));
    admitted.map(|(method, path, _)| format!("{method} {path}")).collect()
}

/// Every route. A test holds it to the document of the routes.
pub(crate) const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Access::Open),
    ("GET", "/livez", Access::Open),
    ("GET", "/readyz", Access::Open),
    ("GET", "/metrics", Access::Metrics),
    ("POST", "/ingest/falco", Access::Ingest),
    ("POST", "/api/v1/write", Access::Ingest),
    ("GET", "/api/openapi.json", Access::SignedIn),
    ("GET", "/api/docs", Access::SignedIn),
    ("GET", "/api/docs.css", Access::SignedIn),
    ("GET", "/api/containers", Access::Viewer),
    ("GET", "/api/containers/{id}", Access::Viewer),
    ("GET", "/api/containers/{id}/logs", Access::Viewer),
    ("GET", "/api/containers/{id}/alerts", Access::Viewer),
    ("GET", "/api/alerts", Access::Viewer),
    ("GET", "/api/alerts/{id}", Access::Viewer),
    ("POST", "/api/alerts/{id}/ack", Access::Analyst),
    ("POST", "/api/alerts/{id}/note", Access::Analyst),
    ("POST", "/api/alerts/{id}/assign", Access::Analyst),
    ("POST", "/api/alerts/{id}/resolve", Access::Analyst),
    ("POST", "/api/alerts/{id}/reopen", Access::Analyst),
    ("POST", "/api/alerts/{id}/suppress", Access::Analyst),
    ("POST", "/api/alerts/{id}/promote", Access::Analyst),
    ("POST", "/api/alerts/{id}/undo", Access::Analyst),
    ("POST", "/api/alerts/bulk", Access::Analyst),
    ("GET", "/api/incidents", Access::Viewer),
    ("GET", "/api/incidents/{id}", Access::Viewer),
    ("GET", "/api/overview", Access::Viewer),
    ("GET", "/api/dashboards", Access::Viewer),
    ("GET", "/api/hbt/{id}", Access::Viewer),
    ("DELETE", "/api/hbt/{id}", Access::Analyst),
    ("GET", "/api/hbt/{id}/history", Access::Viewer),
    ("GET", "/api/hbt/{id}/diff", Access::Viewer),
    ("GET", "/api/export/alerts", Access::Viewer),
    ("GET", "/api/export/logs", Access::Viewer),
    ("GET", "/api/export/hbt", Access::Viewer),
    ("GET", "/api/export/report", Access::Viewer),
    ("GET", "/api/hbt/{id}/quarantine", Access::Viewer),
    ("POST", "/api/hbt/{id}/quarantine/{item}/accept", Access::Analyst),
    ("POST", "/api/hbt/{id}/quarantine/{item}/reject", Access::Analyst),
    ("POST", "/api/hbt/{id}/relearn", Access::Analyst),
    ("POST", "/api/hbt/{id}/freeze", Access::Analyst),
    ("POST", "/api/hbt/{id}/unfreeze", Access::Analyst),
    ("POST", "/api/hbt/{id}/split", Access::Analyst),
    ("POST", "/api/hbt/{id}/rollback", Access::Analyst),
    ("GET", "/api/stream", Access::Viewer),
    ("GET", "/api/stream/{id}", Access::Viewer),
    ("GET", "/api/ws", Access::Viewer),
    ("GET", "/api/ws/{id}", Access::Viewer),
    ("GET", "/api/suppressions", Access::Viewer),
    ("POST", "/api/suppressions", Access::Analyst),
    ("DELETE", "/api/suppressions/{id}", Access::Analyst),
    ("GET", "/api/maintenance", Access::Viewer),
    ("POST", "/api/maintenance", Access::Analyst),
    ("DELETE", "/api/maintenance/{id}", Access::Analyst),
    ("GET", "/api/v1/query", Access::Viewer),
    ("POST", "/api/v1/query", Access::Viewer),
    ("GET", "/api/v1/query_range", Access::Viewer),
    ("POST", "/api/v1/query_range", Access::Viewer),
    ("GET", "/api/v1/series", Access::Viewer),
    ("POST", "/api/v1/series", Access::Viewer),
    ("GET", "/api/v1/labels", Access::Viewer),
    ("POST", "/api/v1/labels", Access::Viewer),
    ("GET", "/api/v1/label/{name}/values", Access::Viewer),
    ("GET", "/api/v1/metadata", Access::Viewer),
    ("GET", "/api/v1/status/buildinfo", Access::Viewer),
    ("POST", "/api/login", Access::Open),
    ("POST", "/api/logout", Access::SignedIn),
    ("GET", "/api/me", Access::SignedIn),
    ("GET", "/api/tokens", Access::Admin),
    ("POST", "/api/tokens", Access::Admin),
    ("DELETE", "/api/tokens/{id}", Access::Admin),
    ("GET", "/api/audit", Access::Admin),
    ("GET", "/api/config", Access::Admin),
    ("GET", "/api/sources", Access::Admin),
    ("POST", "/api/sources/{id}/pause", Access::Admin),
    ("POST", "/api/sources/{id}/resume", Access::Admin),
    ("GET", "/api/outputs", Access::Admin),
    ("POST", "/api/outputs/{name}/test", Access::Admin),
    ("GET", "/api/ingest/rejected", Access::Admin),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::scope::Scope;
    use super::*;
    use crate::auth::PrincipalKind;

    #[test]
    fn every_documented_route_is_in_the_table_once() {
        let document = crate::openapi::document();
        let mut known = BTreeSet::new();
        for (method, path, _) in ROUTES {
            assert!(known.insert((*method, *path)), "{method} {path} is there twice");
        }
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                let entry = of(&method.to_uppercase(), path);
                assert!(matches!(entry, Entry::Route(_)), "{method} {path} has no entry");
            }
        }
    }

    #[test]
    fn what_the_table_does_not_name_is_missing() {
        assert_eq!(of("HEAD", "/metrics"), Entry::Route(Access::Metrics));
        assert_eq!(of("PUT", "/metrics"), Entry::OtherMethod);
        assert_eq!(of("GET", "/api/hbt/h1:web"), Entry::Missing);
    }

    #[test]
    fn roles_hold_one_another() {
        use Access::{Admin, Analyst, Ingest, Metrics, Open, SignedIn, Viewer};
        let all = [Open, SignedIn, Viewer, Analyst, Admin, Ingest, Metrics];
        for (role, scoped, admitted) in [
            (Role::Viewer, false, &[Open, SignedIn, Viewer, Metrics][..]),
            (Role::Viewer, true, &[Open, SignedIn, Viewer]),
            (Role::Analyst, false, &[Open, SignedIn, Viewer, Analyst, Metrics]),
            (Role::Analyst, true, &[Open, SignedIn, Viewer, Analyst]),
            (Role::Admin, false, &all),
            (Role::Admin, true, &[Open, SignedIn, Viewer, Analyst]),
            (Role::Ingest, false, &[Open, SignedIn, Ingest]),
            (Role::Metrics, false, &[Open, SignedIn, Metrics]),
        ] {
            let containers = if scoped { vec!["web".to_owned()] } else { Vec::new() };
            let scope = Scope { containers, ..Scope::default() };
            let who = Principal { name: "x".into(), role, scope, kind: PrincipalKind::Token };
            for access in all {
                assert_eq!(access.admits(&who), admitted.contains(&access), "{access:?} {who:?}");
            }
        }
    }
}
