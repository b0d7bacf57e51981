//! Log messages: to standard error, in the configured form.

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging; a second call changes nothing.
///
/// The level is that of our own crates: of others only warnings are of interest to an operator.
pub(crate) fn start(log: &Log, color: bool) {
    let level = log.level.as_str();
    let others = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},hanabi={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(color).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
