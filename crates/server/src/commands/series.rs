//! `hanabi series import|dump|query`.

mod import;

use std::io::{BufWriter, Write as _};

use anyhow::{Context as _, Result, anyhow, bail};
use hanabi_series::{
    Answer, Edges, Engine, FILE, Matcher, Options, SeriesError, SeriesStore, openmetrics, selector,
};

use super::{failure::Hint as _, text};
use crate::{
    cli::series::{DumpArgs, QueryArgs, SeriesArgs, SeriesCommand},
    config::Config,
    service::{now, series::options},
};

/// What `promtool query range` asks for without a start, ms.
const DEFAULT_RANGE: i64 = 300_000;
/// Steps of a range without one, as `promtool` has it.
const DEFAULT_STEPS: i64 = 250;

/// Runs the command; data goes to standard output.
pub(crate) fn series(args: &SeriesArgs, config: &Config) -> Result<()> {
    match &args.command {
        SeriesCommand::Import(args) => import::import(&args.file, &open(config, true)?),
        SeriesCommand::Dump(args) => dump(args, &open(config, false)?),
        SeriesCommand::Query(args) => query(args, config, &open(config, false)?),
    }
}

fn open(config: &Config, create: bool) -> Result<SeriesStore> {
    let dir = &config.server().data_dir;
    if !dir.is_dir() {
        return Err(anyhow!("there is no data directory {}", dir.display()))
            .hint("name that of a service with --data-dir, or create an empty one to import into");
    }
    if !create && !dir.join(FILE).is_file() {
        return Err(anyhow!(
            "the directory {} holds no time series: it has no {FILE}",
            dir.display()
        ))
        .hint("name the data directory of a service, or import something first");
    }
    let opened = SeriesStore::open(dir, options(config));
    match opened {
        Err(error @ SeriesError::InUse { .. }) => Err(error).hint(
            "a running service holds the directory: ask it at /api/v1/query, or stop it first",
        ),
        opened => Ok(opened?),
    }
}

fn dump(args: &DumpArgs, store: &SeriesStore) -> Result<()> {
    let mut selectors: Vec<Vec<Matcher>> = Vec::new();
    for given in &args.selectors {
        let parsed = selector(given).with_context(|| format!("failed to read --match {given}"))?;
        selectors.push(parsed);
    }
    let times = (args.from.unwrap_or(i64::MIN + 1), args.to.unwrap_or(i64::MAX));
    if times.0 > times.1 {
        bail!("--from is after --to");
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut lines = String::new();
    store.each(&selectors, times, |series| -> Result<()> {
        lines.clear();
        for sample in &series.samples {
            openmetrics::write(&series.labels, *sample, &mut lines);
        }
        Ok(out.write_all(lines.as_bytes())?)
    })?;
    out.write_all(b"# EOF\n")?;
    Ok(out.flush()?)
}

fn query(args: &QueryArgs, config: &Config, store: &SeriesStore) -> Result<()> {
    let closed = args.closed_windows || config.series().closed_windows;
    let edges = if closed { Edges::Closed } else { Edges::default() };
    let options = Options { edges, ..Options::default() };
    let never = || None;
    let engine = Engine::new(store, options, &never);
    let answer = answer(args, &engine, (now() / 1_000_000) as i64);
    let answer =
        answer.with_context(|| format!("failed to evaluate {}", text::plain(&args.query)))?;
    let printed = if args.json { answer.to_json().to_string() } else { answer.to_string() };
    if printed.is_empty() { Ok(()) } else { text::print(&(printed + "\n")) }
}

fn answer(args: &QueryArgs, engine: &Engine<'_>, now: i64) -> Result<Answer> {
    if args.start.or(args.end).or(args.step).is_none() {
        return Ok(engine.instant(&args.query, args.time.unwrap_or(now))?);
    }
    let end = args.end.unwrap_or(now);
    let start = args.start.unwrap_or(end.saturating_sub(DEFAULT_RANGE));
    let whole_seconds = end.saturating_sub(start) / DEFAULT_STEPS / 1_000;
    let step = args.step.unwrap_or(whole_seconds.max(1) * 1_000);
    Ok(engine.range(&args.query, start, end, step)?)
}
