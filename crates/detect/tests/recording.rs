//! A real recording through the engine: `fixtures/shop-small.jsonl.zst`, detecting from the end of its
//! learn phase. Every alert as one line and the learned trees as outlines, to be read by a person.

mod kit;

use std::{fmt::Write as _, path::PathBuf};

use hanabi_detect::{Alert, Settings};
use hanabi_event::{Block, time::parse_time};
use hanabi_profile::TreeNode;
use kit::Run;
use serde_json::Value;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The recording, replayed in blocks of a megabyte of whole lines.
fn replay(name: &str) -> Run {
    let labels: Value =
        serde_json::from_slice(&fixture(&format!("{name}.labels.json"))).expect("json");
    let phases = labels["phases"].as_array().expect("phases");
    let learn = phases.iter().find(|p| p["kind"] == "learn");
    let end = learn.and_then(|p| p["end"].as_str()).and_then(parse_time);
    let text = zstd::decode_all(&fixture(&format!("{name}.jsonl.zst"))[..]).expect("zstd");
    let mut run = Run::new(Settings { detect_from: end, ..Settings::default() });
    let mut rest = &text[..];
    while !rest.is_empty() {
        let cut = rest.len().min(1 << 20);
        let line = rest[cut..].iter().position(|b| *b == b'\n').map_or(rest.len(), |n| cut + n + 1);
        let (block, later) = rest.split_at(line);
        run.block(&Block::decode(block.to_vec()));
        rest = later;
    }
    run.end();
    run
}

fn line(alert: &Alert) -> String {
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

fn outline(key: &str, node: &TreeNode, depth: usize, out: &mut String) {
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

#[test]
fn the_small_shop() {
    let run = replay("shop-small");
    let outcome = run.outcome();
    assert_eq!(outcome.received, 135_282);
    assert_eq!((outcome.accounted(), outcome.pending), (outcome.received, 0));
    let lines: Vec<String> = outcome.alerts.iter().map(line).collect();
    insta::assert_snapshot!("small_shop_alerts", lines.join("\n"));
    for (identity, tree) in &outcome.snapshots {
        let mut text = String::new();
        outline("", tree, 0, &mut text);
        assert!(text.lines().count() < 800, "{identity}: {} lines", text.lines().count());
        insta::assert_snapshot!(format!("small_shop_{}", identity.replace(':', "_")), text);
    }
}

#[test]
fn the_shop_with_stock_rules() {
    let outcome = replay("shop-rules").outcome();
    assert_eq!((outcome.accounted(), outcome.pending), (outcome.received, 0));
    let falco: Vec<String> =
        outcome.alerts.iter().filter(|a| a.source.as_str() == "falco").map(line).collect();
    insta::assert_snapshot!("shop_rules_falco", falco.join("\n"));
}
