//! Falco's priorities.

use serde::{Deserialize, Serialize};

/// Falco's eight priorities, least severe first, so that `>=` reads as "at least as severe".
///
/// Written as Falco 0.40 writes them (`Informational`, not `Info`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Priority {
    /// Catch-all rules run here.
    #[default]
    Debug,
    /// For information.
    Informational,
    /// Normal but notable.
    Notice,
    /// Should be looked at.
    Warning,
    /// Likely harmful.
    Error,
    /// Harmful.
    Critical,
    /// Act at once.
    Alert,
    /// The system is unusable.
    Emergency,
}

impl Priority {
    /// All priorities, least severe first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Informational,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// Falco's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "Debug",
            Self::Informational => "Informational",
            Self::Notice => "Notice",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::Critical => "Critical",
            Self::Alert => "Alert",
            Self::Emergency => "Emergency",
        }
    }

    /// Reads a priority in any case; `info` and `informational` are one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|p| p.as_str().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Priority;

    #[test]
    fn parses_every_spelling() {
        for priority in Priority::ALL {
            assert_eq!(Priority::parse(priority.as_str()), Some(priority));
            assert_eq!(Priority::parse(&priority.as_str().to_lowercase()), Some(priority));
        }
        assert_eq!(Priority::parse("Info"), Some(Priority::Informational));
        assert_eq!(Priority::parse("loud"), None);
        assert!(Priority::Warning > Priority::Notice);
    }
}
