//! What is wrong with a configuration, in words that name the key, the value and the bound.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The built-in defaults.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Environment(String),
    /// A flag, as the user would type it.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Everything that is wrong with a configuration; one line each.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
pub(crate) struct ConfigError(pub(crate) Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key or variable.
    pub(crate) what: String,
    /// Where it was set.
    pub(crate) origin: Origin,
    /// Why it cannot be used.
    pub(crate) why: String,
}

impl Problem {
    /// A problem with something set at `origin`.
    pub(crate) fn new(what: impl Into<String>, origin: &Origin, why: impl Into<String>) -> Self {
        Self { what: what.into(), origin: origin.clone(), why: why.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}", self.what, self.origin, self.why)
    }
}
