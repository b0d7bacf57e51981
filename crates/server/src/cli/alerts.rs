//! `hanabi alerts …`: what people type.

use clap::{Args, Subcommand, ValueEnum};

use super::ServiceArgs;
use crate::config::Period;

/// `hanabi alerts`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AlertsArgs {
    /// Which service.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

/// What can be done with alerts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts, last seen newest first.
    List(ListArgs),
    /// Show one alert with its evidence, as JSON.
    Show {
        /// Its id.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Say that somebody is on it.
    Ack {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// Add a remark.
    Note {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// The remark.
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// Say whose it is.
    Assign {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// Whose; nobody's without it.
        #[arg(long, value_name = "WHO", default_value = "")]
        to: String,
    },
    /// Say that it is dealt with.
    Resolve {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// How.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// Say that it is not.
    Reopen {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// Keep it quiet, or everything like it.
    Suppress {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// How much beside it.
        #[arg(long, value_name = "SCOPE", default_value = "fingerprint")]
        scope: Scope,
        /// For how long, in event time; for ever without it.
        #[arg(long = "for", value_name = "DURATION")]
        length: Option<Period>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// Add its behaviour to the profile; `--dry-run` tells what else that lets through.
    Promote {
        /// Which.
        #[command(flatten)]
        target: Target,
        /// Also files and addresses of the same kind.
        #[arg(long)]
        generalised: bool,
    },
    /// Take the last action back, and all that came of it.
    Undo {
        /// Which.
        #[command(flatten)]
        target: Target,
    },
}

/// Which alerts to list.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// Only of this container: id, name or identity.
    #[arg(long, value_name = "CONTAINER")]
    pub(crate) container: Option<String>,
    /// Only in these states: `open`, `acknowledged`, `suppressed`, `promoted`, `resolved`.
    #[arg(long, value_name = "STATE,…")]
    pub(crate) state: Option<String>,
    /// Only of this priority and higher ones.
    #[arg(long, value_name = "PRIORITY")]
    pub(crate) priority: Option<String>,
    /// Only with this text in summary, rule or path.
    #[arg(long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
}

/// Which alerts an action is for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Their ids.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Change nothing; tell what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a suppression covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// This alert's behaviour.
    Fingerprint,
    /// Its rule, in every container.
    Rule,
    /// Its container.
    Container,
    /// Its profile.
    Identity,
}

impl Scope {
    /// The word of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Rule => "rule",
            Self::Container => "container",
            Self::Identity => "identity",
        }
    }
}
