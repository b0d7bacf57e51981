//! The binary `hanabi`: parse, configure, dispatch, report.
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "read by the engine's commands as they are wired")]
mod cli;
#[allow(dead_code, reason = "read by the engine's commands as they are wired")]
mod commands;
#[allow(dead_code, reason = "read by the engine's commands as they are wired")]
mod config;
mod engine;
mod eval;
mod feed;
mod matchers;
mod profiles;
mod prototype;
mod replay;
mod run;
mod send;
mod service;

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};

use cli::{Cli, Color, Command};
use commands::{failure, logging};
use config::{Config, Overrides};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = Cli::command().color(help_color()).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let color = use_color(cli.color);
    match dispatch(cli.command, color) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, color),
    }
}

fn dispatch(command: Command, color: bool) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => run::run(&configure(&args.overrides(), color)?),
        Command::Replay(args) => {
            let config = configure(&args.config.overrides(), color)?;
            replay::replay(&args, &config)
        }
        Command::Send(args) => send::send(&args),
        Command::Eval(args) => {
            let config = configure(&args.config.overrides(), color)?;
            eval::eval(&args, &config)
        }
        Command::Alerts(args) => commands::alerts::alerts(&args),
        Command::Profile(args) => commands::profile::profile(&args),
        Command::Output(args) => commands::output::output(&args),
        Command::Series(args) => {
            let config = configure(&args.overrides(), color)?;
            commands::series::series(&args, &config)
        }
        Command::Store(command) => commands::store::store(&command),
        Command::Token(args) => commands::token::token(&args),
        Command::Config(command) => commands::config::config(command),
        Command::Health(args) => commands::health::health(&args),
        Command::Completions { shell } => commands::completions::completions(shell),
    }
}

/// Loads the configuration and starts logging as it says.
fn configure(overrides: &Overrides, color: bool) -> anyhow::Result<Config> {
    let config = Config::load(overrides, std::env::vars())?;
    logging::start(config.log(), color);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Help and usage errors are printed while the command line is still being parsed, so their
/// colours are decided by a look at the raw arguments.
fn help_color() -> ColorChoice {
    let arguments: Vec<String> = std::env::args().collect();
    let says = |value: &str| {
        arguments.iter().any(|a| *a == format!("--color={value}"))
            || arguments.windows(2).any(|pair| pair[0] == "--color" && pair[1] == value)
    };
    if says("never") {
        ColorChoice::Never
    } else if says("always") {
        ColorChoice::Always
    } else {
        ColorChoice::Auto
    }
}

fn use_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            !refused && std::io::stderr().is_terminal()
        }
    }
}
