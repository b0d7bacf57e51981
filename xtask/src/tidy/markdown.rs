//! Documents name only what exists: paths and crates in backticks, relative links and the headings
//! that they point to. A translation has the headings and commands of its original.

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

/// Where the translations are, beside their originals.
const TRANSLATIONS: &str = "docs/zh/";

/// What a document may name.
pub(super) struct Known<'a> {
    /// Whether there is a file or folder, by its path from the workspace's folder.
    pub(super) exists: &'a dyn Fn(&str) -> bool,
    /// The text of another document, none where there is no such file.
    pub(super) document: &'a dyn Fn(&str) -> Option<String>,
    /// Names of crates.
    pub(super) crates: &'a BTreeSet<String>,
}

/// Checks one document.
pub(super) fn check(path: &str, content: &str, known: &Known<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_fence = false;
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            for word in backticked(line) {
                if let Some(message) = misses(word, known.exists, known.crates) {
                    findings.push(Finding::error(path, index + 1, message));
                }
            }
            for target in links(line) {
                if let Some(message) = dangles(path, content, target, known) {
                    findings.push(Finding::error(path, index + 1, message));
                }
            }
        }
    }
    findings.extend(translation(path, content, known));
    findings
}

/// What is wrong with a link's target.
fn dangles(path: &str, content: &str, target: &str, known: &Known<'_>) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
    if file != path && !(known.exists)(&file) {
        return Some(format!("links to `{file}`, which does not exist"));
    }
    if heading.is_empty() || file.rsplit_once('.').is_none_or(|(_, kind)| kind != "md") {
        return None;
    }
    let there = if file == path { Some(content.to_owned()) } else { (known.document)(&file) };
    let has = there.is_some_and(|text| headings(&text).any(|one| anchor(one) == heading));
    (!has).then(|| format!("links to `{file}#{heading}`, and there is no such heading"))
}

/// Text of a document outside of code blocks, or inside of them.
fn lines(content: &str, in_code: bool) -> impl Iterator<Item = &str> {
    let mut in_fence = false;
    content.lines().filter(move |line| {
        let fences = line.trim_start().starts_with("```");
        in_fence ^= fences;
        !fences && in_fence == in_code
    })
}

fn headings(content: &str) -> impl Iterator<Item = &str> {
    lines(content, false).filter_map(|line| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
    })
}

/// A heading as forges make it an anchor: small letters, hyphens for blanks, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Whether a translation has fallen behind. It only asks for a look: not everybody who changes a
/// document can write the other language.
fn translation(path: &str, content: &str, known: &Known<'_>) -> Option<Finding> {
    let original = format!("docs/{}", path.strip_prefix(TRANSLATIONS)?);
    let Some(text) = (known.document)(&original) else {
        return Some(Finding::warning(path, 0, format!("is a translation of no `{original}`")));
    };
    let shape = |text: &str| {
        let commands =
            lines(text, true).map(|line| line.split('#').next().unwrap_or(line).trim_end());
        let commands: Vec<String> = commands.map(str::to_owned).collect();
        (headings(text).count(), commands)
    };
    let ((own, commands), (its, originals)) = (shape(content), shape(&text));
    if own != its {
        let message = format!("has {own} headings, and `{original}` has {its}");
        return Some(Finding::warning(path, 0, message));
    }
    let differs = commands.iter().zip(&originals).find(|(one, other)| one != other);
    let differs = differs.map(|(one, _)| one.clone());
    let other = (commands.len() != originals.len()).then(|| "another number of lines".to_owned());
    let what = differs.or(other)?;
    Some(Finding::warning(path, 0, format!("has other code than `{original}`: {what}")))
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

/// Targets of links and pictures that are files or headings, and no addresses.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
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
    use super::{Known, anchor, check};

    fn messages(path: &str, content: &str) -> Vec<String> {
        let exists =
            |path: &str| ["docs/a.md", "docs", "crates/event", "README.md"].contains(&path);
        let page = "# A page\n\n## Top `x`\n\n```sh\nrun it # so\n```\n";
        let document = |path: &str| (path == "docs/a.md").then(|| page.to_owned());
        let crates = ["hanabi-event".to_owned()].into();
        let known = Known { exists: &exists, document: &document, crates: &crates };
        check(path, content, &known).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_exists_passes() {
        let content = "`docs/a.md`, `crates/event`, `hanabi-event`, `README.md`, `target/debug/hanabi`,\n\
            `/etc/passwd`, `a/b`, `docs/*.md`, `hanabi run`, [a](a.md#top-x), [b](../README.md), <https://x.y/z>\n";
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

    #[test]
    fn headings_that_are_not_there_fail() {
        assert_eq!(
            messages("docs/b.md", "# Here\n[a](a.md#bottom) [b](#here) [c](#there)\n"),
            [
                "docs/b.md:2: error: links to `docs/a.md#bottom`, and there is no such heading",
                "docs/b.md:2: error: links to `docs/b.md#there`, and there is no such heading",
            ]
        );
        assert_eq!(anchor("401, 403, 429"), "401-403-429");
        assert_eq!(anchor("没有容器出现"), "没有容器出现");
    }

    #[test]
    fn translations_keep_up() {
        let same = "# 页\n\n## 上\n\n```sh\nrun it # 如此\n```\n";
        assert!(messages("docs/zh/a.md", same).is_empty());
        let fewer = messages("docs/zh/a.md", "# 页\n");
        assert_eq!(fewer, ["docs/zh/a.md: warning: has 1 headings, and `docs/a.md` has 2"]);
        let other = messages("docs/zh/a.md", &same.replace("run it", "run that"));
        assert_eq!(other, ["docs/zh/a.md: warning: has other code than `docs/a.md`: run that"]);
        let orphan = messages("docs/zh/z.md", "# 页\n");
        assert_eq!(orphan, ["docs/zh/z.md: warning: is a translation of no `docs/z.md`"]);
    }
}
