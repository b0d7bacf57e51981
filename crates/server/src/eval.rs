//! `hanabi eval`: detection judged on a labelled recording.

use crate::{cli::EvalArgs, config::Config};

/// Judges detection on one recording.
pub(crate) fn eval(_args: EvalArgs, _config: Config) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
