//! `hanabi config check|show|default`.

use std::io;

use anyhow::Result;

use crate::{
    cli::{ConfigArgs, ConfigCommand},
    config::{Config, DEFAULT_TOML, Origin, reference},
};

/// Runs the command; data goes to standard output.
pub(crate) fn config(command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check { file, config } => check(file, config),
        ConfigCommand::Show { config } => show(&load(&config)?),
        ConfigCommand::Default => print(DEFAULT_TOML),
        ConfigCommand::Reference => print(&reference()),
    }
}

fn load(args: &ConfigArgs) -> Result<Config> {
    let config = Config::load(&args.overrides(), std::env::vars())?;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(config)
}

fn check(file: Option<std::path::PathBuf>, mut args: ConfigArgs) -> Result<()> {
    args.config = file.or(args.config);
    load(&args)?;
    match &args.config {
        Some(path) => eprintln!("{}: the configuration is valid", path.display()),
        None => eprintln!("the configuration is valid (no file given)"),
    }
    Ok(())
}

fn show(config: &Config) -> Result<()> {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut section = "";
    for (key, setting) in config.values() {
        let (in_section, name) = key.split_once('.').unwrap_or(("", key));
        if in_section != section {
            let blank = if section.is_empty() { "" } else { "\n" };
            _ = writeln!(text, "{blank}[{in_section}]");
            section = in_section;
        }
        let origin = match &setting.origin {
            Origin::Default => String::new(),
            origin => format!("  # {origin}"),
        };
        _ = writeln!(text, "{name} = {}{origin}", setting.value);
    }
    print(&text)
}

fn print(text: &str) -> Result<()> {
    use io::Write as _;
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
