//! Documents name only what exists: paths and crates in backticks, relative links.

use std::collections::BTreeSet;

use super::Finding;

/// Folders of this repository: a path in backticks that begins with one is meant to exist.
const FOLDERS: [&str; 16] = [
    ".cargo",
    ".ci",
    ".config",
    "benches",
    "console",
    "crates",
    "deploy",
    "docs",
    "falco",
    "fixtures",
    "grafana",
    "prometheus",
    "scripts",
    "target",
    "tests",
    "xtask",
];
/// Folders that are made by building or running.
const MADE: [&str; 2] = ["target", "data"];

/// Checks one document; `exists` knows files and folders from the workspace's folder.
pub(super) fn check(
    path: &str,
    content: &str,
    exists: &dyn Fn(&str) -> bool,
    crates: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_fence = false;
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            for word in backticked(line) {
                if let Some(message) = misses(word, exists, crates) {
                    findings.push(Finding::error(path, index + 1, message));
                }
            }
            for target in links(line) {
                let target = resolve(path, target);
                if !exists(&target) {
                    let message = format!("links to `{target}`, which does not exist");
                    findings.push(Finding::error(path, index + 1, message));
                }
            }
        }
    }
    findings
}

fn misses(word: &str, exists: &dyn Fn(&str) -> bool, crates: &BTreeSet<String>) -> Option<String> {
    if let Some(tail) = word.strip_prefix("hanabi-") {
        let is_name = tail.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        return (is_name && !crates.contains(word))
            .then(|| format!("names the crate `{word}`, which does not exist"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_./-".contains(&b);
    let (first, rest) = word.split_once('/').unwrap_or((word, ""));
    let is_path = FOLDERS.contains(&first) && !rest.is_empty() && word.bytes().all(plain);
    let is_root_file = first
        .strip_suffix(".md")
        .is_some_and(|name| rest.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase()));
    let made = MADE.contains(&first);
    ((is_path || is_root_file) && !made && !exists(word))
        .then(|| format!("names `{word}`, which does not exist"))
}

/// What stands between single backticks.
fn backticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Targets of links and pictures that are files: no address, no anchor of the same page.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

/// A link's target seen from the workspace's folder.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::check;

    fn messages(path: &str, content: &str) -> Vec<String> {
        let exists =
            |path: &str| ["docs/a.md", "docs", "crates/event", "README.md"].contains(&path);
        let crates = ["hanabi-event".to_owned()].into();
        check(path, content, &exists, &crates).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_exists_passes() {
        let content = "`docs/a.md`, `crates/event`, `hanabi-event`, `README.md`, `target/debug/hanabi`,\n\
            `/etc/passwd`, `a/b`, `docs/*.md`, `hanabi run`, [a](a.md#top), [b](../README.md), <https://x.y/z>\n";
        assert!(messages("docs/b.md", content).is_empty());
    }

    #[test]
    fn what_does_not_exist_fails() {
        assert_eq!(
            messages(
                "docs/b.md",
                "one `docs/c.md`\ntwo `hanabi-sensor` and [c](c.md)\n`NOTES.md`\n"
            ),
            [
                "docs/b.md:1: error: names `docs/c.md`, which does not exist",
                "docs/b.md:2: error: names the crate `hanabi-sensor`, which does not exist",
                "docs/b.md:2: error: links to `docs/c.md`, which does not exist",
                "docs/b.md:3: error: names `NOTES.md`, which does not exist",
            ]
        );
    }

    #[test]
    fn code_blocks_are_free() {
        assert!(messages("a.md", "```sh\n`docs/c.md`\n```\n").is_empty());
    }
}
