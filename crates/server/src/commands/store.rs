//! `hanabi store …`: a data directory while no service holds it.

mod check;
mod sizes;
mod stats;

use std::{fmt::Write as _, path::Path};

use anyhow::{Context as _, Result};
use hanabi_series::{SeriesStore, StoreOptions as SeriesOptions};
use hanabi_store::{About, DataDirectory, EventLog, LogOptions, Manifest, StoreError};
use serde_json::json;

use super::{
    failure::Hint as _,
    text::{pretty, print},
};
use crate::{
    cli::store::{DataArgs, StoreCommand},
    config::Config,
};
use sizes::{Sizes, human};

/// Does what was typed.
pub(crate) fn store(command: &StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Check { data } => {
            let report = check::check(&hold(&load(data)?)?)?;
            print(&if data.json { pretty(&report.json())? } else { report.text() })?;
            report.verdict()
        }
        StoreCommand::Stats { data } => {
            let stats = stats::stats(&hold(&load(data)?)?)?;
            print(&if data.json { pretty(&stats)? } else { stats::text(&stats) })
        }
        StoreCommand::Compact { data } => compact(&load(data)?, data.json),
        StoreCommand::Backup { data, target } => {
            let manifest = hold(&load(data)?)?.back_up(target, &about())?;
            written("backup", target, &manifest, None, data.json)
        }
        StoreCommand::Restore { data, backup, force } => {
            let config = load(data)?;
            let dir = &config.server().data_dir;
            let done = hanabi_store::restore(backup, dir, *force)?;
            let aside = done.moved_aside.as_deref();
            written("data directory", dir, &done.manifest, aside, data.json)
        }
    }
}

fn load(args: &DataArgs) -> Result<Config> {
    let config = Config::load(&args.overrides(), std::env::vars())?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(config)
}

fn hold(config: &Config) -> Result<DataDirectory> {
    let held = DataDirectory::hold(&config.server().data_dir);
    match held {
        Err(error @ StoreError::Locked { .. }) => Err(error)
            .hint("`hanabi store` works while no service runs; see docs/backup.md for the others"),
        held => Ok(held?),
    }
}

fn about() -> About {
    About {
        created: hanabi_event::time::format_time(crate::service::now()),
        program: format!("hanabi {}", env!("CARGO_PKG_VERSION")),
    }
}

fn written(
    what: &str,
    place: &Path,
    manifest: &Manifest,
    aside: Option<&Path>,
    json: bool,
) -> Result<()> {
    let (place, aside) = (place.display().to_string(), aside.map(|path| path.display()));
    let files = manifest.files.len();
    if json {
        return print(&pretty(&json!({
            "place": place,
            "moved_aside": aside.map(|aside| aside.to_string()),
            "format": manifest.format,
            "created": manifest.created,
            "files": files,
            "bytes": manifest.bytes,
        }))?);
    }
    let (size, created) = (human(manifest.bytes), &manifest.created);
    let mut text = format!("{what} {place}: {files} files, {size}, of {created}\n");
    if let Some(aside) = aside {
        _ = writeln!(text, "what was there before is now {aside}");
    }
    print(&text)
}

fn compact(config: &Config, json: bool) -> Result<()> {
    let dir = hold(config)?;
    let before = Sizes::of(dir.path())?;
    dir.open_store()?.compact()?;
    let options = LogOptions {
        total_bytes: config.store().event_log_bytes.as_u64(),
        ..LogOptions::default()
    };
    EventLog::open(dir.path(), options)?.compact()?;
    if hanabi_series::database_path(dir.path()).exists() {
        SeriesStore::open(dir.path(), SeriesOptions::default())
            .and_then(|mut series| series.compact())
            .context("failed to compact the series")?;
    }
    let after = Sizes::of(dir.path())?;
    if json {
        return print(&pretty(&json!({ "before": before.json(), "after": after.json() }))?);
    }
    let mut text = format!("{:<12} {:>12} {:>12}\n", "", "before", "after");
    for ((name, before), (_, after)) in before.rows().into_iter().zip(after.rows()) {
        _ = writeln!(text, "{name:<12} {:>12} {:>12}", human(before), human(after));
    }
    print(&text)
}
