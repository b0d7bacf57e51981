//! `docs/configuration.md`, written from `default.toml`.

use std::fmt::Write as _;

use super::layers::{DEFAULT_TOML, variable_name};

const HEAD: &str = "\
# Configuration

Written from the commented default file (`hanabi config default` prints it) by `make docs`; change that file, not this one.

Every key has a default. A TOML file (`--config FILE` or `HANABI_CONFIG`) overrides it, an environment variable overrides the file, a flag overrides all (`--set learn.warmup=30s`, and `--listen`, `--data-dir`, `--source` for the three most used). In variables and `--set`, lists are separated by commas.

Durations are written `500ms`, `45s`, `10m`, `24h`, `7d` or `1h30m`; sizes `512B`, `64KiB`, `64MiB`, `2GiB`. Unknown keys are refused. `hanabi config check` tells all that is wrong at once, `hanabi config show` the values in force and who set them.
";

/// The reference in Markdown: a table for each section, in the order of the file.
pub(crate) fn reference() -> String {
    let mut out = String::from(HEAD);
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    for line in DEFAULT_TOML.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            write_line(&mut out, &format!("\n## `[{section}]`\n"));
            write_line(&mut out, "| key | default | variable | meaning |");
            write_line(&mut out, "| --- | --- | --- | --- |");
            comment.clear();
        } else if let Some((key, default)) = line.split_once(" = ") {
            let variable = variable_name(&format!("{section}.{key}"));
            let meaning = comment.join(" ");
            write_line(&mut out, &format!("| `{key}` | `{default}` | `{variable}` | {meaning} |"));
            comment.clear();
        } else {
            comment.clear();
        }
    }
    out
}

/// Writing to a string cannot fail.
fn write_line(out: &mut String, line: &str) {
    _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn the_checked_in_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == reference(), "docs/configuration.md is stale; run `make docs`");
    }
}
