//! How a failed command ends: an error chain for people, a hint, an exit code.

use std::{fmt, io, process::ExitCode};

use crate::config::ConfigError;

const FAILED: u8 = 1;
const CONFIGURATION: u8 = 3;
const PARTLY: u8 = 4;

/// Adds a hint to an error: what the user can do about it.
pub(crate) trait Hint<T> {
    /// The same result; a failure carries the hint.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| anyhow::Error::new(Hinted { error: error.into(), hint: hint.into() }))
    }
}

/// An error with a hint; shown as the error itself.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.chain().nth(1)
    }
}

/// The command did its work, but a part of its input was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotAccepted(pub(crate) String);

/// Prints the chain to standard error and chooses the exit code.
///
/// A reader that closed our standard output (`hanabi … | head`) is no failure.
pub(crate) fn report(error: &anyhow::Error, color: bool) -> ExitCode {
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    eprint!("{}", describe(error, color));
    ExitCode::from(exit_code(error))
}

fn describe(error: &anyhow::Error, color: bool) -> String {
    use fmt::Write as _;
    let paint = |code: &str, text: &str| {
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut text = format!("{} {error}\n", paint("1;31", "error:"));
    for cause in error.chain().skip(1) {
        _ = writeln!(text, "  {} {cause}", paint("31", "caused by:"));
    }
    for hint in hints(error) {
        _ = writeln!(text, "{} {hint}", paint("1;36", "hint:"));
    }
    text
}

/// All hints, outermost first. A hinted error hides the one it wraps from the chain, so it is
/// opened here.
fn hints(error: &anyhow::Error) -> Vec<&str> {
    let mut found = Vec::new();
    for cause in error.chain() {
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            found.push(hinted.hint.as_str());
            if let Some(inner) = hinted.error.downcast_ref::<Hinted>() {
                found.push(inner.hint.as_str());
            }
        }
    }
    found
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if finds::<ConfigError>(error) {
        CONFIGURATION
    } else if finds::<NotAccepted>(error) {
        PARTLY
    } else {
        FAILED
    }
}

fn finds<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<E>()
            || cause.downcast_ref::<Hinted>().is_some_and(|hinted| finds::<E>(&hinted.error))
    })
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{Hint, NotAccepted, describe, exit_code};
    use crate::config::{ConfigError, Origin, Problem};

    #[test]
    fn a_chain_with_hints_repeats_nothing() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire"))
            .context("failed to write the snapshot")
            .hint("free some space")
            .context("failed to stop cleanly")
            .unwrap_err();
        insta::assert_snapshot!(describe(&error, false), @"
        error: failed to stop cleanly
          caused by: failed to write the snapshot
          caused by: disk on fire
        hint: free some space
        ");
        assert_eq!(exit_code(&error), 1);
    }

    #[test]
    fn exit_codes_follow_the_kind() {
        let problem = Problem::new("learn.warmup", &Origin::Default, "is odd");
        let configuration = Err::<(), _>(ConfigError(vec![problem])).hint("fix it").unwrap_err();
        assert_eq!(exit_code(&configuration), 3);
        assert_eq!(exit_code(&anyhow::Error::new(NotAccepted("3 lines".into()))), 4);
    }

    #[test]
    fn colours_only_where_asked_for() {
        let error = anyhow::anyhow!("broken");
        assert_eq!(describe(&error, false), "error: broken\n");
        assert_eq!(describe(&error, true), "\u{1b}[1;31merror:\u{1b}[0m broken\n");
    }
}
