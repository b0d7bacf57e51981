//! `hanabi send`: a recording played into a running service.

use crate::cli::SendArgs;

/// Plays the recording.
pub(crate) fn send(_args: SendArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
