//! `hanabi run`: the service.

use crate::config::Config;

/// Runs until it is told to stop.
pub(crate) fn run(_config: Config) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
