//! `hanabi token …`: what people type.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hanabi_api::Role;

use super::ServiceArgs;
use crate::config::Period;

/// Tokens of a service: of the running one at `--url`, or where none runs there, of its data
/// directory.
#[derive(Args, Clone, Debug)]
pub(crate) struct TokenArgs {
    /// The running service.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// The data directory of a service that does not run; with it no service is asked.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// What can be done with tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make one and print it; it is shown this once.
    Create {
        /// The name of whoever uses it, in audit and history.
        #[arg(value_name = "NAME", default_value = "admin")]
        name: String,
        /// What it allows.
        #[arg(long, value_enum, value_name = "ROLE")]
        role: RoleWord,
        /// Only for containers of such a Kubernetes namespace (`team-*`); may be repeated.
        #[arg(long, value_name = "PATTERN")]
        namespace: Vec<String>,
        /// Only for containers of such a name (`web-*`); may be repeated.
        #[arg(long, value_name = "PATTERN")]
        container: Vec<String>,
        /// Refuse it after this long, as in `90d`; without this it is valid until it is revoked.
        #[arg(long = "for", value_name = "DURATION")]
        length: Option<Period>,
    },
    /// List them, without their secrets.
    List,
    /// Refuse one from now on.
    Revoke {
        /// Its id, as `list` has it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// [`Role`] as a word of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleWord {
    /// Sees containers, profiles, alerts and series.
    Viewer,
    /// Deals with alerts and profiles, too.
    Analyst,
    /// Everything.
    Admin,
    /// Sends events and samples.
    Ingest,
    /// Scrapes `/metrics`.
    Metrics,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Viewer => Self::Viewer,
            RoleWord::Analyst => Self::Analyst,
            RoleWord::Admin => Self::Admin,
            RoleWord::Ingest => Self::Ingest,
            RoleWord::Metrics => Self::Metrics,
        }
    }
}
