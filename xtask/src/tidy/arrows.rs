//! Which crate may use which: the list in ARCHITECTURE.md against what Cargo says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;

/// Where the allowed arrows are listed, in a fenced block marked `arrows`.
pub(super) const DOCUMENT: &str = "ARCHITECTURE.md";

const PREFIX: &str = "hanabi-";
const PURE: [&str; 3] = ["event", "profile", "detect"];
/// Crates that do I/O, run tasks or keep time; no pure crate may use one, not even through others.
const IMPURE: [&str; 13] = [
    "axum",
    "crossbeam-channel",
    "flate2",
    "hyper",
    "mio",
    "redb",
    "reqwest",
    "socket2",
    "tempfile",
    "tokio",
    "tracing-subscriber",
    "ureq",
    "zstd",
];

/// Names of the workspace's packages.
pub(super) fn workspace_crates(metadata: &Value) -> BTreeSet<String> {
    packages(metadata).into_keys().map(str::to_owned).collect()
}

/// Compares the document's arrows with the dependencies (those of tests are free).
pub(super) fn check(document: &str, metadata: &Value) -> Vec<Finding> {
    let allowed = match allowed(document) {
        Ok(allowed) => allowed,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    let packages = packages(metadata);
    for (name, package) in &packages {
        let from = name.strip_prefix(PREFIX).unwrap_or(name);
        let none = BTreeSet::new();
        let listed = allowed.get(from).unwrap_or(&none);
        if !allowed.contains_key(from) {
            findings.push(found(format!("crate `{from}` is not in the list of arrows")));
        }
        let used: BTreeSet<&str> =
            dependencies(package).filter_map(|name| name.strip_prefix(PREFIX)).collect();
        for to in used.iter().filter(|to| !listed.contains(**to)) {
            findings.push(found(format!("`{from}` uses `{to}`, but the arrow is not listed")));
        }
    }
    for name in allowed.keys() {
        let known = |name: &str| {
            packages.contains_key(name) || packages.contains_key(&*format!("{PREFIX}{name}"))
        };
        if !known(name) {
            findings.push(found(format!("the arrows name `{name}`, which is no crate")));
        }
    }
    findings.extend(impure(metadata));
    findings
}

fn found(message: String) -> Finding {
    Finding::error(DOCUMENT, 0, message)
}

/// Lines `from -> to to …` of the block; `from ->` alone uses nothing.
fn allowed(document: &str) -> Result<BTreeMap<&str, BTreeSet<&str>>, Finding> {
    let mut lines =
        document.lines().skip_while(|line| line.trim() != "```arrows").skip(1).peekable();
    if lines.peek().is_none() {
        return Err(found("has no fenced block marked `arrows`".into()));
    }
    let mut allowed = BTreeMap::new();
    for line in lines.take_while(|line| line.trim() != "```") {
        let Some((from, to)) = line.split_once("->") else {
            return Err(found(format!("cannot read the arrow {line:?}")));
        };
        allowed.insert(from.trim(), to.split_whitespace().collect());
    }
    Ok(allowed)
}

fn packages(metadata: &Value) -> BTreeMap<&str, &Value> {
    let members: BTreeSet<&str> = strings(metadata.get("workspace_members")).collect();
    list(metadata.get("packages"))
        .filter(|package| text(package, "id").is_some_and(|id| members.contains(id)))
        .filter_map(|package| Some((text(package, "name")?, package)))
        .collect()
}

/// Names of what a package needs to run; `kind` is null for those.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    list(package.get("dependencies"))
        .filter(|dependency| dependency.get("kind").is_some_and(Value::is_null))
        .filter_map(|dependency| text(dependency, "name"))
}

/// Pure crates that reach an impure one, by the resolved graph.
fn impure(metadata: &Value) -> Vec<Finding> {
    let names: BTreeMap<&str, &str> = list(metadata.get("packages"))
        .filter_map(|package| Some((text(package, "id")?, text(package, "name")?)))
        .collect();
    let nodes = || list(metadata.get("resolve").and_then(|resolve| resolve.get("nodes")));
    let edges: BTreeMap<&str, Vec<&str>> =
        nodes().filter_map(|node| Some((text(node, "id")?, normal_edges(node)))).collect();
    let mut findings = Vec::new();
    for (id, name) in &names {
        let Some(short) = name.strip_prefix(PREFIX).filter(|short| PURE.contains(short)) else {
            continue;
        };
        let mut seen = BTreeSet::from([*id]);
        let mut open = vec![*id];
        while let Some(id) = open.pop() {
            let next = edges.get(id).into_iter().flatten();
            open.extend(next.filter(|next| seen.insert(next)));
        }
        for reached in seen.iter().filter_map(|id| names.get(id)) {
            if IMPURE.contains(reached) {
                let message = format!("`{short}` must do no I/O, but it depends on `{reached}`");
                findings.push(found(message));
            }
        }
    }
    findings
}

fn normal_edges(node: &Value) -> Vec<&str> {
    let is_normal = |dependency: &&Value| {
        list(dependency.get("dep_kinds")).any(|kind| kind.get("kind").is_some_and(Value::is_null))
    };
    list(node.get("deps")).filter(is_normal).filter_map(|d| text(d, "pkg")).collect()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    /// A workspace of `event`, `profile` and `api`; `profile` uses `event`, `api` both.
    fn metadata(extra: &str) -> Value {
        let package = |name: &str, needs: &[&str]| {
            let needs: Vec<Value> =
                needs.iter().map(|name| json!({"name": name, "kind": null})).collect();
            json!({"id": name, "name": name, "dependencies": needs})
        };
        let node = |id: &str, needs: &[&str]| {
            let needs: Vec<Value> =
                needs.iter().map(|id| json!({"pkg": id, "dep_kinds": [{"kind": null}]})).collect();
            json!({"id": id, "deps": needs})
        };
        json!({
            "workspace_members": ["hanabi-event", "hanabi-profile", "hanabi-api"],
            "packages": [
                package("hanabi-event", &[extra]),
                package("hanabi-profile", &["hanabi-event"]),
                package("hanabi-api", &["hanabi-event", "hanabi-profile", "tokio"]),
                package("tokio", &[]),
                package("serde", &[]),
            ],
            "resolve": {"nodes": [
                node("hanabi-event", &[extra]),
                node("hanabi-profile", &["hanabi-event"]),
                node("hanabi-api", &["hanabi-event", "hanabi-profile", "tokio"]),
            ]},
        })
    }

    fn messages(block: &str, extra: &str) -> Vec<String> {
        let document = format!("# A\n\n```arrows\n{block}\n```\n");
        check(&document, &metadata(extra)).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn listed_arrows_pass() {
        let block = "event ->\nprofile -> event\napi -> event profile";
        assert!(messages(block, "serde").is_empty());
    }

    #[test]
    fn unlisted_arrows_and_crates_fail() {
        let block = "event ->\napi -> event\nstore -> event";
        assert_eq!(
            messages(block, "serde"),
            [
                "`api` uses `profile`, but the arrow is not listed",
                "crate `profile` is not in the list of arrows",
                "`profile` uses `event`, but the arrow is not listed",
                "the arrows name `store`, which is no crate",
            ]
        );
    }

    #[test]
    fn impurity_is_found_through_others() {
        let block = "event ->\nprofile -> event\napi -> event profile";
        assert_eq!(
            messages(block, "tokio"),
            [
                "`event` must do no I/O, but it depends on `tokio`",
                "`profile` must do no I/O, but it depends on `tokio`",
            ]
        );
    }

    #[test]
    fn a_missing_block_is_named() {
        let findings = check("# A\n", &metadata("serde"));
        assert_eq!(findings[0].message, "has no fenced block marked `arrows`");
    }
}
