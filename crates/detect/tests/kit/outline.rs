//! Alerts as lines and trees as outlines, to be read by a person.
#![allow(unreachable_pub, reason = "shared by the test binaries of two crates")]

use std::fmt::Write as _;

use hanabi_detect::Alert;
use hanabi_profile::TreeNode;
use serde_json::Value;

/// One alert as one line.
pub fn line(alert: &Alert) -> String {
    format!(
        "{:<13} {:.2} {} {} [{}] ×{} +{} | {}",
        alert.priority.as_str(),
        alert.score,
        alert.source.as_str(),
        alert.rule,
        alert.container.name,
        alert.count,
        alert.evidence.len(),
        alert.summary.en,
    )
}

/// Deeper levels and longer lists are only counted: the outline is for reading.
const DEEPEST: usize = 8;
const WIDEST: usize = 10;

/// Counts rounded down to powers of ten: `1+`, `10+`, `1k+`.
fn about(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        1..10 => "1+".to_owned(),
        10..100 => "10+".to_owned(),
        100..1_000 => "100+".to_owned(),
        1_000..10_000 => "1k+".to_owned(),
        _ => "10k+".to_owned(),
    }
}

/// Calls whose paths are worth reading; the others repeat them.
const TOLD: [&str; 12] = [
    "accept4", "bind", "connect", "execve", "listen", "mkdir", "openat", "rename", "socket",
    "unlink", "unlinkat", "chmod",
];

/// A tree, indented, without what repeats itself.
pub fn outline(key: &str, node: &TreeNode, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let word = match key.split_once(':').map_or("", |(kind, _)| kind) {
        "user" => "user ",
        "exe_path" => "executable ",
        "parent_name" => "parent ",
        "cmd_argument" => "argument ",
        _ => "",
    };
    let access = node.metadata.get("access").map_or_else(String::new, |a| {
        let words: Vec<&str> =
            a.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        format!(" ({})", words.join(" "))
    });
    writeln!(out, "{indent}{word}{} {}{access}", node.name, about(node.events_count))
        .expect("a string");
    let told = |name: &str| depth != 1 || TOLD.contains(&name);
    let shown = if depth >= DEEPEST { 0 } else { WIDEST };
    let children = node.children.iter().filter(|(_, c)| told(&c.name)).take(shown);
    let mut count = 0;
    for (key, child) in children {
        outline(key, child, depth + 1, out);
        count += 1;
    }
    if node.children.len() > count {
        writeln!(out, "{indent}  … {} more", node.children.len() - count).expect("a string");
    }
}
