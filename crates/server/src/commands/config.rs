//! `hanabi config check|show|default`.

use std::io;

use anyhow::Result;
use hanabi_series::{TEMPLATES, Template};

use crate::{
    cli::{ConfigArgs, ConfigCommand, Reference},
    config::{Config, DEFAULT_TOML, Origin, reference},
};

const METRICS_HEAD: &str = "\
# Metrics

Written from the table of metrics in `crates/telemetry/src/table.rs` by `make docs`; change that file, not this one.

`GET /metrics` exposes them in Prometheus' text format, or in OpenMetrics where the scraper asks for it. See [promql-templates.md](promql-templates.md) for queries.
";

const TEMPLATES_HEAD: &str = "\
# PromQL templates

Written from `crates/series/src/templates.rs` by `make docs`; change that file, not this one.

Queries over what `GET /metrics` exposes, on the service's own series or on a Prometheus that scrapes it; see [promql.md](promql.md). `$id` is a container's name. Absent values are `unknown`, and `none` for Kubernetes; values past a label's budget are `_other_`.

| name | question | query |
| --- | --- | --- |
";

const API_HEAD: &str = "\
# Written from `crates/api/src/openapi.rs` by `make docs`; change that file, not this one.
";

/// Runs the command; data goes to standard output.
pub(crate) fn config(command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check { file, config } => check(file, config),
        ConfigCommand::Show { config } => show(&load(&config)?),
        ConfigCommand::Default => print(DEFAULT_TOML),
        ConfigCommand::Reference { of: Reference::Configuration } => print(&reference()),
        ConfigCommand::Reference { of: Reference::Metrics } => print(&metrics_reference()),
        ConfigCommand::Reference { of: Reference::Templates } => print(&templates()),
        ConfigCommand::Reference { of: Reference::Api } => print(&api()?),
    }
}

fn metrics_reference() -> String {
    format!("{METRICS_HEAD}\n{}", hanabi_telemetry::reference())
}

fn api() -> Result<String> {
    Ok(format!("{API_HEAD}{}", serde_saphyr::to_string(&hanabi_api::openapi_document())?))
}

fn templates() -> String {
    let mut text = TEMPLATES_HEAD.to_owned();
    for Template { name, question, query } in TEMPLATES {
        text.extend(["| `", name, "` | ", question, " | `", query, "` |\n"]);
    }
    text.push_str("\nUse windows of `5m` or `15m`: shorter ones hold too few scrapes.\n");
    text
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

#[cfg(test)]
mod tests {
    use super::{api, metrics_reference, templates};

    #[test]
    fn the_checked_in_references_are_current() {
        for (name, made) in [
            ("metrics.md", metrics_reference()),
            ("promql-templates.md", templates()),
            ("interfaces/openapi.yaml", api().unwrap()),
        ] {
            let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(written == made, "docs/{name} is stale; run `make docs`");
        }
    }
}
