//! What commands print of a service's answers.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Several lines of JSON.
pub(super) fn pretty(value: &Value) -> Result<String> {
    let text = serde_json::to_string_pretty(value).context("failed to write an answer")?;
    let lines: Vec<String> = text.lines().map(plain).collect();
    Ok(lines.join("\n") + "\n")
}

/// Text of events comes from attackers: nothing in it may move the terminal's cursor.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An id as one segment of a path.
pub(super) fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte as char),
            _ => out.push_str(&percent(byte)),
        }
        out
    })
}

fn percent(byte: u8) -> String {
    format!("%{byte:02X}")
}

/// To standard output.
pub(super) fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("failed to write the answer")
}

#[cfg(test)]
mod tests {
    use super::{escaped, plain};

    #[test]
    fn what_attackers_wrote_stays_text() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(escaped("../a b"), "..%2Fa%20b");
    }
}
