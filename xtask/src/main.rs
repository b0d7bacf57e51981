//! The repository checks itself: `cargo xtask tidy`.
#![forbid(unsafe_code)]

mod tidy;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
cargo xtask tidy    check structure, sizes, documents";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("tidy"), None) => tidy::tidy(&root()?),
        (None | Some("help" | "--help" | "-h"), None) => {
            eprintln!("{USAGE}");
            Ok(true)
        }
        (Some(other), _) => bail!("unknown arguments, beginning with `{other}`\n{USAGE}"),
        (None, Some(_)) => bail!("{USAGE}"),
    }
}

/// The workspace's folder, wherever the command was called.
fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask lies in the workspace")?.to_path_buf())
}
