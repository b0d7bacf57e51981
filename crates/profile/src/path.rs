//! File paths as Falco prints them, made comparable.

use crate::token;

/// Deeper directories are folded into the last kept one: a tree of nodes is not a file system.
pub const MAX_DEPTH: usize = 16;

/// The path inside `relative(/resolved)`, as Falco prints a path relative to a directory it knows.
pub fn resolved(text: &str) -> &str {
    if let Some(inner) = text.strip_suffix(')')
        && let Some(open) = inner.rfind("(/")
    {
        return inner.get(open + 1..).unwrap_or(text);
    }
    text
}

/// True when the path climbs with `..` out of the directory it began in: `/data/../etc/passwd`.
///
/// Only a climb out of the first named directory counts, so that `/usr/lib/x/../y`, which linkers
/// and interpreters write all day, does not.
pub fn climbs_out(text: &str) -> bool {
    if !text.contains("/..") {
        return false;
    }
    let mut depth = 0i32;
    let mut named = false;
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                depth -= 1;
                if named && depth <= 0 {
                    return true;
                }
            }
            _ => {
                depth += 1;
                named = true;
            }
        }
    }
    false
}

/// Appends every generalised segment of the path to `out` and its place to `spans`, `..` and `.`
/// resolved; the segments as they are where `lexical` is off.
///
/// A process or thread id under `/proc` becomes `<pid>`, except 1, the container's own first
/// process, whose environment and root are worth telling apart. Returns the number of segments.
pub fn segments(text: &str, lexical: bool, spans: &mut Vec<(u32, u32)>, out: &mut String) -> usize {
    spans.clear();
    let base = out.len();
    for raw in text.split('/') {
        match raw {
            "" | "." => {}
            ".." => {
                if let Some((start, _)) = spans.pop() {
                    out.truncate(start as usize);
                }
            }
            _ if spans.len() < MAX_DEPTH => {
                let start = out.len() as u32;
                if !lexical {
                    out.push_str(&token::word(raw, false));
                } else if is_process(raw, spans.len(), out.get(base..).unwrap_or_default()) {
                    out.push_str(if raw == "1" { "1" } else { "<pid>" });
                } else {
                    token::generalise(raw, out);
                }
                spans.push((start, out.len() as u32));
            }
            _ => {}
        }
    }
    spans.len()
}

/// `/proc/N` and `/proc/…/task/N`. `before` is what stands before it, without slashes.
fn is_process(raw: &str, index: usize, before: &str) -> bool {
    let place = (index == 1 && before == "proc")
        || (index == 3 && before.starts_with("proc") && before.ends_with("task"));
    place && raw.bytes().all(|b| b.is_ascii_digit())
}

/// The generalised path as one string.
pub fn generalised(text: &str) -> String {
    joined(text, true)
}

/// The path as one string, its segments generalised or, where `lexical` is off, as they are.
pub fn joined(text: &str, lexical: bool) -> String {
    let mut out = String::new();
    let mut spans = Vec::new();
    segments(text, lexical, &mut spans, &mut out);
    let mut path = String::with_capacity(out.len() + spans.len());
    for (start, end) in spans {
        path.push('/');
        path.push_str(out.get(start as usize..end as usize).unwrap_or_default());
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::{climbs_out, generalised, resolved};

    #[test]
    fn paths_are_made_comparable() {
        for (path, expected) in [
            ("/proc/4711/stat", "/proc/<pid>/stat"),
            ("/proc/1/environ", "/proc/1/environ"),
            ("/proc/self/task/4712/comm", "/proc/self/task/<pid>/comm"),
            ("/var/log/2026-11-22/app.1.log", "/var/log/<date>/app.<num>.log"),
            ("/data/../etc/passwd", "/etc/passwd"),
            ("/a/./b//c", "/a/b/c"),
            ("/", "/"),
            ("/tmp/tmp.Whvbww/x", "/tmp/tmp.<rand>/x"),
            ("base/5/16424_fsm", "/base/<num>/<num>_fsm"),
        ] {
            assert_eq!(generalised(path), expected, "{path}");
        }
        assert_eq!(resolved("temp-1.rdb(/tmp/temp-1.rdb)"), "/tmp/temp-1.rdb");
        assert_eq!(resolved("/tmp/a (b)"), "/tmp/a (b)");
    }

    #[test]
    fn only_a_climb_out_of_the_first_directory_counts() {
        assert!(climbs_out("/data/../etc/passwd"));
        assert!(climbs_out("/srv/www/../../etc/passwd"));
        assert!(!climbs_out("/usr/lib/python3/../x"));
        assert!(!climbs_out("../x"));
        assert!(!climbs_out("/etc/passwd"));
    }
}
