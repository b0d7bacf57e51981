//! Command-line arguments by grammar: flags, typed values, sub-commands, inline scripts.
//!
//! Falco joins arguments with blanks, so their borders are guesses: what matters is that the same
//! command line always gives the same tokens.

use crate::{path, token};

/// More arguments than this are folded into the last token.
pub const MAX_ARGUMENTS: usize = 12;
/// An inline script is remembered by at most this many bytes of its generalised text.
pub const MAX_SCRIPT: usize = 400;

/// Programs that run what stands behind `-c` or `-e`.
pub fn is_interpreter(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    matches!(
        stem,
        "sh" | "bash"
            | "dash"
            | "ash"
            | "zsh"
            | "ksh"
            | "fish"
            | "csh"
            | "tcsh"
            | "busybox"
            | "python"
            | "perl"
            | "ruby"
            | "node"
            | "nodejs"
            | "php"
            | "lua"
            | "tclsh"
            | "pwsh"
    )
}

/// The shells among the interpreters.
pub fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "sh" | "bash"
            | "dash"
            | "ash"
            | "zsh"
            | "ksh"
            | "ksh93"
            | "mksh"
            | "fish"
            | "csh"
            | "tcsh"
            | "rbash"
            | "busybox"
    )
}

/// The generalised arguments of a command, one token each: `-o`, `<path:/tmp/page.<num>>`, `<url>` …
///
/// An interpreter's inline script becomes one token `script:…` with its text generalised. Where
/// `lexical` is off, values stay as they are.
pub fn tokens(program: &str, arguments: &str, lexical: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let interpreter = is_interpreter(program);
    let mut rest = arguments.trim();
    while !rest.is_empty() && out.len() < MAX_ARGUMENTS {
        let (word, after) = next_word(rest);
        rest = after;
        if interpreter && matches!(word, "-c" | "-e" | "-ec" | "-lc" | "-ic" | "-xc" | "-r") {
            out.push(word.to_owned());
            if !rest.is_empty() {
                out.push(script(rest, lexical));
            }
            return dedup(out);
        }
        out.push(argument(word, lexical));
    }
    dedup(out)
}

/// Repeated neighbours tell nothing more: `-name x -name y` is one habit.
fn dedup(mut tokens: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::with_capacity(tokens.len());
    tokens.retain(|t| {
        let new = !seen.contains(t);
        if new {
            seen.push(t.clone());
        }
        new
    });
    tokens
}

fn next_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn script(text: &str, lexical: bool) -> String {
    let mut out = String::from("script:");
    for word in text.split_whitespace() {
        if out.len() > MAX_SCRIPT {
            break;
        }
        if out.len() > "script:".len() {
            out.push(' ');
        }
        if !lexical {
            out.push_str(&token::word(word, false));
            continue;
        }
        for (index, piece) in word.split('/').enumerate() {
            if index > 0 {
                out.push('/');
            }
            token::generalise(piece, &mut out);
        }
    }
    out
}

/// One argument by type.
fn argument(word: &str, lexical: bool) -> String {
    if let Some(flag) = word.strip_prefix('-') {
        return flag_token(word, flag, lexical);
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        return url(scheme, rest);
    }
    argument_value(word, lexical)
}

/// `--name=value` keeps the name and the value's type; `-n5` keeps the letters.
fn flag_token(word: &str, flag: &str, lexical: bool) -> String {
    match word.split_once('=') {
        // What a number means is said by the flag's name, and that is not cut off from it.
        Some(_) if !word.contains('/') => token::word(word, lexical),
        Some((name, value)) => format!("{name}={}", argument_value(value, lexical)),
        None if flag.bytes().any(|b| b.is_ascii_digit()) => token::word(word, lexical),
        None => word.chars().take(token::MAX_WORD).collect(),
    }
}

fn argument_value(value: &str, lexical: bool) -> String {
    if value.starts_with('/') || value.starts_with("./") || value.starts_with("../") {
        path::joined(value, lexical)
    } else {
        token::word(value, lexical)
    }
}

/// A URL by scheme and host; the path says which page, and pages are many.
fn url(scheme: &str, rest: &str) -> String {
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!(
        "<url:{}://{}>",
        scheme.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()),
        host.chars().take(60).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn arguments_become_tokens() {
        for (program, arguments, expected) in [
            (
                "curl",
                "-s -o /tmp/page.22953 http://web/p58.html",
                "-s|-o|/tmp/page.<num>|<url:http://web>",
            ),
            (
                "gzip",
                "-f /work/in/orders-20261122-091239.csv",
                "-f|/work/in/orders-<date>-<time>.csv",
            ),
            (
                "sh",
                "-c curl -fs http://127.0.0.1/ -o /dev/null || exit 1",
                "-c|script:curl -fs http://<ip:loopback>/ -o /dev/null || exit <num>",
            ),
            ("postgres", "-D /var/lib/pgdata", "-D|/var/lib/pgdata"),
            ("app", "--port=8080 --dir=/srv/x1", "--port=<port>|--dir=/srv/x<num>"),
            (
                "app",
                "--pid=77 --n1=5 10.0.0.9:5432",
                "--pid=<pid>|--n<num>=<num>|<ip:private>:5432",
            ),
            ("wc", "", ""),
        ] {
            assert_eq!(
                tokens(program, arguments, true).join("|"),
                expected,
                "{program} {arguments}"
            );
        }
    }

    #[test]
    fn values_stay_where_generalising_is_off() {
        let line = "-n5 --port=8080 /tmp/page.22953 10.0.0.9";
        assert_eq!(tokens("curl", line, false).join(" "), line);
        assert_eq!(tokens("sh", "-c kill 77", false)[1], "script:kill 77");
    }

    #[test]
    fn a_million_arguments_stay_bounded() {
        let long = "x".repeat(100) + " ";
        assert!(tokens("app", &long.repeat(10_000), true).len() <= super::MAX_ARGUMENTS);
        assert!(tokens("sh", &format!("-c {}", long.repeat(10_000)), true)[1].len() < 700);
    }
}
