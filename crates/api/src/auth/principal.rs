//! Who asks, and what that allows.

use serde::{Deserialize, Serialize};

use super::scope::Scope;

/// What somebody may do. People have one of the first three, each of which holds those before it;
/// machines have one of the last two, which hold nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees containers, profiles, alerts and series.
    Viewer,
    /// Deals with alerts and profiles, too.
    Analyst,
    /// Everything: tokens, audit, configuration and what machines may do, too.
    Admin,
    /// Sends events and samples.
    Ingest,
    /// Scrapes `/metrics`.
    Metrics,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Analyst, Self::Admin, Self::Ingest, Self::Metrics];

    /// The word in configuration, API and claims.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
            Self::Ingest => "ingest",
            Self::Metrics => "metrics",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// True where it can be held to some containers: machines work for all of them.
    pub fn takes_scope(self) -> bool {
        match self {
            Self::Viewer | Self::Analyst | Self::Admin => true,
            Self::Ingest | Self::Metrics => false,
        }
    }
}

/// How somebody has said who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// Not at all: the service runs without authentication.
    Anyone,
    /// By a token of the service.
    Token,
    /// By a token that somebody else has signed.
    Jwt,
    /// By a client certificate.
    Certificate,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name in audit and history.
    pub name: String,
    /// What they may do …
    pub role: Role,
    /// … and to which containers.
    pub scope: Scope,
    /// How they have said who they are.
    pub kind: PrincipalKind,
}

impl Principal {
    /// Whoever asks for what is open to all, without saying who they are.
    pub(crate) fn nobody() -> Self {
        Self { name: String::new(), role: Role::Metrics, ..Self::operator() }
    }

    /// Whoever can reach the service while there is no authentication.
    pub fn operator() -> Self {
        Self {
            name: "operator".to_owned(),
            role: Role::Admin,
            scope: Scope::everything(),
            kind: PrincipalKind::Anyone,
        }
    }
}
