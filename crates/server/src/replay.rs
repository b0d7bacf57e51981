//! `hanabi replay`: recordings through the engine, alerts out.

use crate::{cli::ReplayArgs, config::Config};

/// Feeds the recordings through the engine.
pub(crate) fn replay(_args: ReplayArgs, _config: Config) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
