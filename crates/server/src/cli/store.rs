//! `hanabi store …`: what people type.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use crate::config::Overrides;

/// What can be done with a data directory that no service holds.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything and tell what is damaged; changes nothing.
    Check {
        /// Which.
        #[command(flatten)]
        data: DataArgs,
    },
    /// Tell what is in it, since when, and how much room it takes.
    Stats {
        /// Which.
        #[command(flatten)]
        data: DataArgs,
    },
    /// Give the room of what was deleted back to the file system.
    Compact {
        /// Which.
        #[command(flatten)]
        data: DataArgs,
    },
    /// Copy it, with a manifest of checksums.
    Backup {
        /// Which.
        #[command(flatten)]
        data: DataArgs,
        /// Where to: a directory that does not exist yet, or a file ending in `.tar` or `.tar.zst`.
        #[arg(value_name = "DIR|FILE")]
        target: PathBuf,
    },
    /// Put a backup in its place, after all checksums were verified.
    Restore {
        /// Which.
        #[command(flatten)]
        data: DataArgs,
        /// What `hanabi store backup` has written.
        #[arg(value_name = "DIR|FILE")]
        backup: PathBuf,
        /// Move aside what is in the data directory.
        #[arg(long)]
        force: bool,
    },
}

/// A data directory, found as `hanabi run` finds it.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataArgs {
    /// File and keys.
    #[command(flatten)]
    config: ConfigArgs,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl DataArgs {
    /// What these flags say.
    pub(crate) fn overrides(&self) -> Overrides {
        let mut overrides = self.config.overrides();
        if let Some(directory) = &self.data_dir {
            overrides.values.push(("server.data_dir".into(), directory.clone(), "--data-dir"));
        }
        overrides
    }
}
