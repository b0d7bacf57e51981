//! `hanabi output …`: what people type.

use clap::{Args, Subcommand};

use super::ServiceArgs;

/// `hanabi output`.
#[derive(Args, Clone, Debug)]
pub(crate) struct OutputArgs {
    /// Which service.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: OutputCommand,
}

/// What can be done with outputs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OutputCommand {
    /// List them with their states and numbers.
    List,
    /// Send a message that says it is a test, and tell whether the receiver took it.
    Test {
        /// The output's name, as configured.
        #[arg(value_name = "NAME")]
        name: String,
    },
}
