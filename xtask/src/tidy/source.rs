//! What holds for Rust files: a header, a bounded size, plain log messages, purity.

use super::Finding;

/// More production lines than this ask whether the file is one thing.
const LONG: usize = 500;
/// More than this fail.
const TOO_LONG: usize = 1000;
/// Files that are longer all the same, with the number of lines they may not pass. It only
/// shrinks: a file that got shorter lowers its number here, and leaves when it is short enough.
const OVERSIZED: &[(&str, usize)] = &[];

/// Crates that do no I/O and know no clock: time and data come in as arguments.
const PURE: [&str; 3] = ["crates/event/src/", "crates/profile/src/", "crates/detect/src/"];
const IMPURE: [&str; 11] = [
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::env::var",
    "std::thread",
    "tokio::",
];

const LOG_MACROS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];

/// Checks one file.
pub(super) fn check(path: &str, content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !content.starts_with("//!") {
        findings.push(Finding::error(path, 1, "begins without `//!`: say what the file is for"));
    }
    if is_crate_root(path) && !content.contains("#![forbid(unsafe_code)]") {
        findings.push(Finding::error(path, 1, "the crate's root lacks `#![forbid(unsafe_code)]`"));
    }
    if is_test_file(path) {
        return findings;
    }
    let production = production(content);
    findings.extend(size(path, production.len(), OVERSIZED));
    findings.extend(log_messages(path, &production));
    if PURE.iter().any(|folder| path.starts_with(folder)) {
        findings.extend(purity(path, &production));
    }
    findings
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs")
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.split('/').any(|part| part == "tests" || part == "benches")
}

/// The lines that are not in a test module, with their numbers. It relies on rustfmt: a module
/// ends at the first `}` that is indented like its head.
fn production(content: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut within: Option<String> = None;
    let mut all = content.lines().enumerate().peekable();
    while let Some((index, line)) = all.next() {
        if let Some(end) = &within {
            if line == end {
                within = None;
            }
            continue;
        }
        let head = all.peek().map_or("", |(_, next)| next.trim());
        if line.trim() == "#[cfg(test)]" && head.starts_with("mod ") {
            if head.ends_with('{') {
                let indent = line.len() - line.trim_start().len();
                within = Some(format!("{}}}", " ".repeat(indent)));
            } else {
                all.next();
            }
            continue;
        }
        lines.push((index + 1, line));
    }
    lines
}

fn size(path: &str, lines: usize, oversized: &[(&str, usize)]) -> Option<Finding> {
    if let Some((_, limit)) = oversized.iter().find(|(listed, _)| *listed == path) {
        if lines > *limit {
            let message = format!("{lines} production lines; it may not pass {limit}");
            return Some(Finding::error(path, 0, message));
        }
        if lines < *limit {
            let message = format!("now {lines} production lines: lower its limit of {limit}");
            return Some(Finding::error(path, 0, message));
        }
        return None;
    }
    if lines > TOO_LONG {
        let message = format!("{lines} production lines; {TOO_LONG} is the limit");
        return Some(Finding::error(path, 0, message));
    }
    let message = format!("{lines} production lines; is it one thing?");
    (lines > LONG).then(|| Finding::warning(path, 0, message))
}

fn purity(path: &str, lines: &[(usize, &str)]) -> Vec<Finding> {
    let code = lines.iter().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter_map(|(number, line)| {
        let call = IMPURE.iter().find(|call| line.contains(*call))?;
        let message = format!("`{call}` in a crate that does no I/O and knows no clock");
        Some(Finding::error(path, *number, message))
    })
    .collect()
}

/// Log messages begin in lower case and end without a full stop, like errors.
fn log_messages(path: &str, lines: &[(usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, (number, line)) in lines.iter().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let Some(start) = LOG_MACROS.iter().find_map(|name| macro_start(line, name)) else {
            continue;
        };
        let following = lines[position + 1..].iter().take(12).map(|(_, line)| *line);
        let text: String =
            std::iter::once(&line[start..]).chain(following).collect::<Vec<_>>().join("\n");
        let Some(message) = message_of(&text) else { continue };
        let shouts = message.chars().next().is_some_and(char::is_uppercase)
            && !message.chars().nth(1).is_some_and(char::is_uppercase);
        if shouts {
            findings.push(Finding::error(path, *number, "log message begins in upper case"));
        } else if message.ends_with('.') {
            findings.push(Finding::error(path, *number, "log message ends in a full stop"));
        }
    }
    findings
}

/// Where the arguments of a macro begin, if the line calls it by just this name.
fn macro_start(line: &str, name: &str) -> Option<usize> {
    let at = line.find(name)?;
    let before = line[..at].chars().next_back();
    let longer = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    (!longer).then_some(at + name.len())
}

/// The string literal that stands as an argument of its own before the call's end.
fn message_of(arguments: &str) -> Option<&str> {
    let mut depth = 0usize;
    let mut at_start = true;
    let mut rest = arguments;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' => {
                let literal = literal(rest)?;
                let after = rest.get(literal.len() + 2..)?;
                if depth == 0 && at_start {
                    return Some(literal);
                }
                rest = after;
                at_start = false;
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return None,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ => at_start = at_start && c.is_whitespace(),
        }
        if c == '(' {
            at_start = false;
        }
        rest = &rest[c.len_utf8()..];
    }
    None
}

/// The text between the quotes at the start of `text`.
fn literal(text: &str) -> Option<&str> {
    let inner = text.get(1..)?;
    let mut escaped = false;
    for (index, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return inner.get(..index),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{check, message_of, production, size};

    fn messages(path: &str, content: &str) -> Vec<String> {
        check(path, content).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_begin_by_saying_what_they_are_for() {
        assert!(messages("crates/api/src/a.rs", "//! A.\n").is_empty());
        assert_eq!(
            messages("crates/api/src/lib.rs", "fn main() {}\n"),
            [
                "crates/api/src/lib.rs:1: error: begins without `//!`: say what the file is for",
                "crates/api/src/lib.rs:1: error: the crate's root lacks `#![forbid(unsafe_code)]`",
            ]
        );
    }

    #[test]
    fn test_modules_do_not_count() {
        let content = "//! A.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let lines: Vec<usize> = production(content).iter().map(|(number, _)| *number).collect();
        assert_eq!(lines, [1, 2, 3, 9, 12]);
    }

    #[test]
    fn sizes_are_a_ratchet() {
        assert_eq!(size("a.rs", 500, &[]), None);
        assert!(size("a.rs", 501, &[]).unwrap().to_string().contains("warning"));
        assert!(size("a.rs", 1001, &[]).unwrap().to_string().contains("error"));
        let listed = [("a.rs", 1200)];
        assert_eq!(size("a.rs", 1200, &listed), None);
        assert!(size("a.rs", 1201, &listed).unwrap().message.contains("may not pass"));
        assert!(size("a.rs", 1199, &listed).unwrap().message.contains("lower its limit"));
    }

    #[test]
    fn pure_crates_know_no_clock() {
        let content = "//! A.\n// std::fs is not used.\nlet now = Instant::now();\n";
        assert_eq!(
            messages("crates/profile/src/a.rs", content),
            [
                "crates/profile/src/a.rs:3: error: `Instant::now` in a crate that does no I/O and knows no clock"
            ]
        );
        assert!(messages("crates/ingest/src/a.rs", content).is_empty());
        assert!(messages("crates/profile/src/tree/tests.rs", content).is_empty());
    }

    #[test]
    fn messages_are_found_among_fields() {
        for (arguments, message) in [
            ("\"plain\")", Some("plain")),
            ("%error, \"failed\")", Some("failed")),
            (
                "name = \"Upper\", count = f(\"A\", 1), \"text {count}\", count)",
                Some("text {count}"),
            ),
            ("\n    error = %e,\n    \"a \\\"quoted\\\" word\"\n)", Some("a \\\"quoted\\\" word")),
            ("name = \"Upper\")", None),
        ] {
            assert_eq!(message_of(arguments), message, "{arguments}");
        }
    }

    #[test]
    fn log_messages_look_like_errors() {
        let content = "//! A.\ntracing::warn!(%e, \"Failed to read\");\ninfo!(\"done.\");\ninfo!(\"HTTP is on\");\nmy_info!(\"Not a log\");\n";
        assert_eq!(
            messages("crates/api/src/a.rs", content),
            [
                "crates/api/src/a.rs:2: error: log message begins in upper case",
                "crates/api/src/a.rs:3: error: log message ends in a full stop",
            ]
        );
    }
}
