//! `hanabi replay`: recordings through the engine, alerts out.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hanabi_detect::Settings;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::ReplayArgs,
    config::Config,
    engine::{Engine, Totals},
    feed::{self, Metered},
    profiles,
};

/// Feeds the recordings through the engine.
pub(crate) fn replay(args: &ReplayArgs, config: &Config) -> anyhow::Result<()> {
    let mut settings: Settings = feed::settings(config)?;
    settings.detect_from = args.detect_from;
    settings.learn_for = args.learn_for.map(crate::config::Period::as_nanos);
    let threads = feed::threads(args.threads);
    let mut engine =
        feed::engine(settings, config, threads, args.profiles.as_deref(), Metered::new)?;
    let started = Instant::now();
    let bar = progress_bar();
    feed::recordings(&mut engine, &args.files, feed::Lines::All, |progress| {
        bar.set_length(progress.total().unwrap_or_default());
        bar.set_position(progress.position());
    })?;
    bar.finish_and_clear();
    let elapsed = started.elapsed();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for alert in engine.alerts() {
        serde_json::to_writer(&mut out, &alert).context("failed to write an alert")?;
        out.write_all(b"\n").context("failed to write an alert")?;
    }
    out.flush().context("failed to write the alerts")?;
    if let Some(directory) = &args.snapshots {
        profiles::write(directory, engine.watches())?;
    }
    let mut summary = String::new();
    summarise(&engine, elapsed, &mut summary);
    std::io::stderr().write_all(summary.as_bytes()).context("failed to write the summary")?;
    Ok(())
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn summarise(engine: &Engine<Metered>, elapsed: Duration, out: &mut String) {
    use std::fmt::Write as _;
    let totals: Totals = engine.totals();
    let mut line = |text: std::fmt::Arguments<'_>| {
        let written = out.write_fmt(format_args!("{text}\n"));
        debug_assert!(written.is_ok(), "a string takes all text");
    };
    line(format_args!("lines read      {}", totals.received));
    line(format_args!("  modelled      {}", totals.counts.modelled));
    for (reason, count) in totals.ignored() {
        line(format_args!("  ignored       {count} {reason}"));
    }
    for (reason, count) in &totals.rejected {
        line(format_args!("  dropped       {count} {reason}"));
    }
    line(format_args!("  pending       {}", totals.pending));
    if engine.router.clock_skew > 0 {
        line(format_args!("clock skew      {} events", engine.router.clock_skew));
    }
    let mut watches: Vec<_> = engine.watches().collect();
    watches.sort_by(|a, b| a.profile.identity.cmp(&b.profile.identity));
    line(format_args!("profiles        {}", watches.len()));
    for watch in watches {
        let summary = watch.profile.summary(&engine.settings.learn);
        line(format_args!(
            "  {:<24} {:<9} {:>5.1}% {:>6} nodes {:>9} events {:>6} deviations {}",
            summary.identity,
            summary.phase.as_str(),
            summary.learning.progress,
            summary.nodes,
            summary.events,
            summary.deviations,
            summary.learning.waiting_for.join(" "),
        ));
    }
    let alerts = engine.alerts();
    line(format_args!("alerts          {}", alerts.len()));
    line(format_args!("incidents       {}", engine.incidents().len()));
    let seconds = elapsed.as_secs_f64();
    line(format_args!(
        "time            {seconds:.2} s, {:.0} events/s",
        totals.received as f64 / seconds.max(1e-9)
    ));
    if let Some(bytes) = peak_memory() {
        line(format_args!("peak memory     {} MiB", bytes >> 20));
    }
}

/// The process's largest resident size, from `/proc/self/status` (`VmHWM`, see `proc_pid_status(5)`).
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
