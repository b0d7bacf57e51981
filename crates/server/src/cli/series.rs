//! `hanabi series …`: the time series of a data directory, while no service has it.
#![allow(clippy::doc_markdown, reason = "these comments are printed as help")]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use crate::config::Overrides;

/// `hanabi series`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SeriesArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SeriesCommand,
}

/// What can be done with stored series.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SeriesCommand {
    /// Take in samples of OpenMetrics text with times, as `promtool tsdb create-blocks-from` does.
    ///
    /// Samples may be of any time and in any order. Of two of one series with one time the first
    /// stays, and that of the store was first: an import can be repeated. Samples older than
    /// `series.retention` stay until a service cleans up, an hour after its start.
    ///
    /// Every sample needs a time in seconds, and the text ends with `# EOF`. A file with an error is
    /// refused as a whole; of standard input what comes before the error stays.
    Import(ImportArgs),
    /// Print samples as OpenMetrics text with times, which `import` reads back.
    ///
    /// The text is sorted by name and labels, then by time. A sample that marks the end of its series
    /// is written as NaN with an exemplar that says so, which other readers pass over.
    Dump(DumpArgs),
    /// Evaluate a PromQL query at one time, or over a range of times.
    ///
    /// The answer is printed as `promtool query instant` and `promtool query range` print it.
    Query(QueryArgs),
}

/// Where the series are; common to all commands on them.
#[derive(Args, Clone, Debug)]
pub(crate) struct DirectoryArgs {
    /// File and keys.
    #[command(flatten)]
    config: ConfigArgs,
    /// The data directory of a service, which must not run meanwhile.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl DirectoryArgs {
    /// What these flags say.
    pub(crate) fn overrides(&self) -> Overrides {
        let mut overrides = self.config.overrides();
        if let Some(directory) = &self.data_dir {
            overrides.values.push(("server.data_dir".into(), directory.clone(), "--data-dir"));
        }
        overrides
    }
}

impl SeriesArgs {
    /// What the flags say.
    pub(crate) fn overrides(&self) -> Overrides {
        match &self.command {
            SeriesCommand::Import(args) => args.directory.overrides(),
            SeriesCommand::Dump(args) => args.directory.overrides(),
            SeriesCommand::Query(args) => args.directory.overrides(),
        }
    }
}

/// `hanabi series import`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// Where the series are.
    #[command(flatten)]
    directory: DirectoryArgs,
    /// The text: plain, `.gz` or `.zst`, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `hanabi series dump`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DumpArgs {
    /// Where the series are.
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Only series that this selects, as in `--match 'up{job="api"}'`; may be repeated: one of them
    /// is enough.
    #[arg(long = "match", value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// Only samples from this time on (seconds since 1970, or RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub(crate) from: Option<i64>,
    /// Only samples up to this time.
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub(crate) to: Option<i64>,
}

/// `hanabi series query`.
#[derive(Args, Clone, Debug)]
pub(crate) struct QueryArgs {
    /// Where the series are.
    #[command(flatten)]
    directory: DirectoryArgs,
    /// The query.
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: String,
    /// The time of the answer (seconds since 1970, or RFC 3339); default: now.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = time,
        allow_negative_numbers = true,
        conflicts_with_all = ["start", "end", "step"]
    )]
    pub(crate) time: Option<i64>,
    /// Answer over a range from this time on; default with `--end`: five minutes before that.
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub(crate) start: Option<i64>,
    /// Answer over a range up to this time; default with `--start`: now.
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    pub(crate) end: Option<i64>,
    /// The time between two answers of a range (seconds, or as in `1m30s`); default: a 250th of it,
    /// at least a second.
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub(crate) step: Option<i64>,
    /// Let windows hold their first instant, too, as Prometheus 2 did; default: as
    /// `series.closed_windows` has it.
    #[arg(long)]
    pub(crate) closed_windows: bool,
    /// Print the answer as JSON: `data` of Prometheus' HTTP API.
    #[arg(long)]
    pub(crate) json: bool,
}

fn time(text: &str) -> Result<i64, String> {
    let why = "write seconds since 1970, or a time such as 2026-11-22T08:55:32Z (RFC 3339)";
    hanabi_series::time(text).ok_or_else(|| why.to_owned())
}

fn length(text: &str) -> Result<i64, String> {
    let why = "write seconds, or a duration such as 1m30s";
    hanabi_series::length(text).filter(|length| *length > 0).ok_or_else(|| why.to_owned())
}
