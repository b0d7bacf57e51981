//! The command line: what people type, and nothing of what it does.

pub(crate) mod alerts;
#[cfg(test)]
mod documents;
pub(crate) mod output;
pub(crate) mod profile;
pub(crate) mod series;
pub(crate) mod store;
pub(crate) mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hanabi_event::EventTime;

use crate::config::{Overrides, Period};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  the configuration is not valid
  4  done, but a part of the input was not accepted";

/// Learns what containers normally do, and says plainly when one does something else.
#[derive(Debug, Parser)]
#[command(name = "hanabi", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    /// Colours: `always`, `never`, or `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(crate) color: Color,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service: ingest, learning, detection, API and metrics in one process.
    Run(RunArgs),
    /// Feed recordings through the engine and print the alerts as JSON lines.
    Replay(ReplayArgs),
    /// Play a recording into a running service, in its own rhythm.
    Send(SendArgs),
    /// Judge detection on a labelled recording: recall, false alerts, time to detect.
    Eval(EvalArgs),
    /// List the alerts of a running service, and deal with them.
    Alerts(alerts::AlertsArgs),
    /// List the profiles of a running service, look at their trees, and change them.
    Profile(profile::ProfileArgs),
    /// List where a running service sends its alerts, and try it.
    Output(output::OutputArgs),
    /// Import, print and query the time series of a data directory, while no service runs on it.
    Series(series::SeriesArgs),
    /// Check, measure, compact, back up or restore a data directory that no service holds.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Make, list and revoke the tokens of a service.
    Token(token::TokenArgs),
    /// Check, show or print the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a service whether it is ready: for health checks of containers and of scripts.
    Health(HealthArgs),
    /// Print completions of the command line for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
}

/// `hanabi health`.
#[derive(Args, Clone, Debug)]
pub(crate) struct HealthArgs {
    /// The service to ask; it needs no token.
    #[arg(long, value_name = "URL", env = "HANABI_URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
}

/// A running service; common to all commands that ask one.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceArgs {
    /// The running service.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HANABI_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub(crate) url: String,
    /// The token of a service with authentication.
    #[arg(long, global = true, value_name = "TOKEN", env = "HANABI_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Print the service's answer as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The configuration file and single keys; common to all commands that run the engine.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// The configuration file (TOML); see `hanabi config default`.
    #[arg(long, value_name = "FILE", env = "HANABI_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Set one key, as in `--set learn.warmup=30s`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub(crate) set: Vec<(String, String)>,
}

impl ConfigArgs {
    /// What these flags say.
    pub(crate) fn overrides(&self) -> Overrides {
        let values =
            self.set.iter().map(|(key, value)| (key.clone(), value.clone(), "--set")).collect();
        Overrides { file: self.config.clone(), values }
    }
}

/// `hanabi run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// File and keys.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Address of the API, the metrics and HTTP ingest.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Directory for all durable state.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where event lines come from: `stdin` (or `-`), `file:PATH`, `docker:NAME`,
    /// `kubernetes:DIR`; may be repeated. HTTP ingest is always on.
    #[arg(long, value_name = "SPEC")]
    source: Vec<String>,
}

impl RunArgs {
    /// What these flags say.
    pub(crate) fn overrides(&self) -> Overrides {
        let mut overrides = self.config.overrides();
        if let Some(listen) = &self.listen {
            overrides.values.push(("server.listen".into(), listen.clone(), "--listen"));
        }
        if let Some(directory) = &self.data_dir {
            overrides.values.push(("server.data_dir".into(), directory.clone(), "--data-dir"));
        }
        if !self.source.is_empty() {
            overrides.values.push(("sources.list".into(), self.source.join(","), "--source"));
        }
        overrides
    }
}

/// `hanabi replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// File and keys.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Recordings, in this order: `.jsonl`, `.gz`, `.zst`, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// End learning at this time (RFC 3339), as events tell it; without this or `--learn-for`
    /// learning ends by itself.
    #[arg(long, value_name = "TIME", value_parser = event_time, conflicts_with = "learn_for")]
    pub(crate) detect_from: Option<EventTime>,
    /// End the learning of each profile this long after its first event.
    #[arg(long, value_name = "DURATION")]
    pub(crate) learn_for: Option<Period>,
    /// Start from the profiles stored in this directory instead of from nothing.
    #[arg(long, value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Write every profile's snapshot into this directory at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) snapshots: Option<PathBuf>,
    /// Number of threads; the output does not depend on it. Default: one for each core.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
}

/// `hanabi send`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SendArgs {
    /// The recording: `.jsonl`, `.gz`, `.zst`, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The service to send to.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) to: String,
    /// How many times faster than it was recorded; `max` sends without waiting.
    #[arg(long, value_name = "N|max", default_value = "1", value_parser = speed)]
    pub(crate) speed: Speed,
    /// Move all times: `now` makes the first event happen now, and at a speed above 1 the gaps
    /// shrink in the timestamps, too; `end` keeps the gaps and makes the last event happen when
    /// it is sent, so that what a profile learns does not depend on the speed.
    #[arg(long, value_name = "now|end", hide_possible_values = true)]
    pub(crate) shift: Option<Shift>,
    /// The token of a service with authentication.
    #[arg(long, value_name = "TOKEN", env = "HANABI_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    /// So many times faster than it was recorded.
    Times(f64),
    /// Without waiting.
    Max,
}

/// To when a recording is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shift {
    /// The first event becomes now; gaps shrink with the speed.
    Now,
    /// The last event becomes the moment in which it is sent; gaps stay.
    End,
}

/// `hanabi eval`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalArgs {
    /// File and keys.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The recording: `.jsonl`, `.gz`, `.zst`, or `-` for standard input.
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: PathBuf,
    /// Its labels: phases of learning, benign work and attacks with start and end.
    #[arg(long, value_name = "LABELS")]
    pub(crate) labels: PathBuf,
    /// Let learning end by itself instead of at the end of the labelled learning phase.
    #[arg(long)]
    pub(crate) self_ending: bool,
    /// Start from the profiles stored in this directory, detecting from the first event.
    #[arg(long, value_name = "DIR")]
    pub(crate) profiles: Option<PathBuf>,
    /// Leave an ingredient of detection out, to see what it is worth; may be repeated.
    #[arg(long, value_name = "INGREDIENT")]
    pub(crate) without: Vec<Ingredient>,
    /// Print one row of a Markdown table under this name instead of the table of episodes.
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub(crate) row: Option<String>,
    /// Judge Falco's own rules and exact matching on the same recording, too.
    #[arg(long)]
    pub(crate) baselines: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What detection is made of and `eval` can leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ingredient {
    /// Replacing numbers, hashes, dates and their like in names.
    Lexical,
    /// Merging siblings of one shape.
    Structural,
    /// Accepting what is near to something learned.
    Semantic,
    /// The danger list.
    Danger,
    /// Behaviour that single events do not show.
    Bursts,
    /// Lines for the entry of a call, which Falco 0.42 and later do not print.
    Enters,
}

/// `hanabi config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration.
    Check {
        /// The file to check, instead of `--config`.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// File and keys.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the values in force as TOML, each with who set it.
    Show {
        /// File and keys.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the commented file of all keys with their defaults.
    Default,
    /// Print a generated reference; `make docs` writes them.
    #[command(hide = true)]
    Reference {
        /// Which one.
        #[arg(default_value = "configuration")]
        of: Reference,
    },
}

/// What there is a generated reference of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reference {
    /// Every key of the configuration.
    Configuration,
    /// Every metric.
    Metrics,
    /// The queries to begin with.
    Templates,
    /// The API, as `OpenAPI` in YAML.
    Api,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "write KEY=VALUE, as in learn.warmup=30s".to_owned())
}

fn event_time(text: &str) -> Result<EventTime, String> {
    let stamp: jiff::Timestamp = text
        .parse()
        .map_err(|_| "write a time such as 2026-11-22T08:55:32Z (RFC 3339)".to_owned())?;
    EventTime::try_from(stamp.as_nanosecond())
        .map_err(|_| "the time must be between 1970 and 2554".to_owned())
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("write a number above 0, or max".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, Speed};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_run_become_overrides() {
        let cli = Cli::parse_from([
            "hanabi",
            "run",
            "--listen",
            "[::1]:1",
            "--source",
            "-",
            "--source",
            "file:/a",
            "--set",
            "learn.warmup=1s",
        ]);
        let Command::Run(args) = cli.command else { panic!("not run") };
        let values: Vec<String> = args
            .overrides()
            .values
            .iter()
            .map(|(key, value, flag)| format!("{flag} {key}={value}"))
            .collect();
        assert_eq!(
            values,
            [
                "--set learn.warmup=1s",
                "--listen server.listen=[::1]:1",
                "--source sources.list=-,file:/a"
            ]
        );
    }

    #[test]
    fn times_and_speeds() {
        assert_eq!(super::event_time("1970-01-01T00:00:01.5Z"), Ok(1_500_000_000));
        assert!(super::event_time("1969-01-01T00:00:00Z").is_err());
        assert!(super::event_time("yesterday").is_err());
        assert_eq!(super::speed("max"), Ok(Speed::Max));
        assert_eq!(super::speed("0.5"), Ok(Speed::Times(0.5)));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(super::speed(wrong).is_err(), "{wrong}");
        }
    }
}
