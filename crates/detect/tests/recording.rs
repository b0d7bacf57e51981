//! A real recording through the engine: `fixtures/shop-small.jsonl.zst`, detecting from the end of its
//! learn phase. Every alert as one line and the learned trees as outlines, to be read by a person.

mod kit;

use std::path::PathBuf;

use hanabi_detect::Settings;
use hanabi_event::{Block, time::parse_time};
use kit::{
    Run,
    outline::{line, outline},
};
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
