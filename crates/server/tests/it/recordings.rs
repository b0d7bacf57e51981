//! The full recordings, where they are there: detection holds its bars, and nothing depends on the
//! number of threads. Ignored by default; `make test` runs them in the optimised profile.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::outline;

/// The folder that `HANABI_RECORDINGS` names; its absence is said aloud.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("HANABI_RECORDINGS").map(PathBuf::from).filter(|f| f.is_dir());
    if folder.is_none() {
        eprintln!("SKIPPED: HANABI_RECORDINGS names no folder with recordings");
    }
    folder
}

fn hanabi(args: &[&str], files: &[&Path]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_hanabi"))
        .args(args)
        .args(files)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn eval(folder: &Path, name: &str, args: &[&str]) -> Value {
    let labels = folder.join(format!("{name}.labels.json"));
    let labels = labels.to_str().expect("a path in UTF-8");
    let recording = folder.join(format!("{name}.jsonl.zst"));
    let all = [&["eval", "--json", "--labels", labels], args].concat();
    serde_json::from_slice(&hanabi(&all, &[&recording]).stdout).expect("JSON")
}

/// The bars of the behaviour tree: nearly every episode, hardly a false alert, few alerts each.
fn holds(report: &Value, found: u64, name: &str) {
    let number = |key: &str| report[key].as_f64().unwrap_or(f64::MAX);
    assert!(
        report["found_at"]["Warning"].as_u64() >= Some(found),
        "{name}: {:#}",
        report["episodes"]
    );
    assert!(number("false_alerts") <= 2.0, "{name}: {:#}", report["false_alert_list"]);
    assert!(number("alerts_per_episode") <= 5.0, "{name}");
    assert!(number("incidents_per_episode") <= 2.0, "{name}");
    assert!(number("alerts_total") <= 150.0, "{name}");
}

#[test]
#[ignore = "reads a whole recording"]
fn slow_detection_on_shop() {
    let Some(folder) = recordings() else { return };
    holds(&eval(&folder, "shop", &[]), 17, "shop");
    holds(&eval(&folder, "shop", &["--self-ending"]), 17, "shop, learning ends by itself");
}

#[test]
#[ignore = "reads a whole recording"]
fn slow_detection_on_shop_b() {
    let Some(folder) = recordings() else { return };
    holds(&eval(&folder, "shop-b", &[]), 18, "shop-b");
    holds(&eval(&folder, "shop-b", &["--self-ending"]), 18, "shop-b, learning ends by itself");
    holds(&eval(&folder, "shop-b", &["--without", "enters"]), 17, "shop-b, exits only");
}

/// What a person reads of a whole recording: each alert as a line with what it says, and the tree of
/// every container. A change of these files is a change of what analysts are told, to be read.
#[test]
#[ignore = "reads a whole recording"]
fn slow_every_alert_and_tree_of_shop_b() {
    let Some(folder) = recordings() else { return };
    let trees = tempfile::tempdir().expect("a directory");
    let at = trees.path().to_str().expect("a path in UTF-8");
    let args = ["replay", "--detect-from", "2026-11-22T09:14:42.102859244Z", "--snapshots", at];
    let output = hanabi(&args, &[&folder.join("shop-b.jsonl.zst")]);
    let alerts = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<String> = alerts
        .lines()
        .map(|l| outline::line(&serde_json::from_str(l).expect("an alert")))
        .collect();
    insta::assert_snapshot!("shop_b_alerts", lines.join("\n"));
    let containers = ["batch", "cache", "cart", "db", "loadgen", "loadgen2", "pgbench", "web"];
    for container in containers {
        let path = trees.path().join(format!("vm_{container}.json"));
        let text = std::fs::read_to_string(&path).expect("a snapshot for every container");
        let tree = serde_json::from_str(&text).expect("a tree");
        let mut drawn = String::new();
        outline::outline("", &tree, 0, &mut drawn);
        assert!(drawn.lines().count() < 1_000, "{container} is too long to be read");
        insta::assert_snapshot!(format!("shop_b_{container}"), drawn);
    }
}

#[test]
#[ignore = "reads two whole recordings"]
fn slow_profiles_of_one_recording_serve_another() {
    let Some(folder) = recordings() else { return };
    let learned = tempfile::tempdir().expect("a directory");
    let at = learned.path().to_str().expect("a path in UTF-8");
    let args = ["replay", "--detect-from", "2026-11-22T08:59:26.180722979Z", "--snapshots", at];
    hanabi(&args, &[&folder.join("shop.jsonl.zst")]);
    holds(&eval(&folder, "shop-b", &["--profiles", at]), 18, "shop-b with the profiles of shop");
}

#[test]
#[ignore = "reads a whole recording"]
fn slow_threads_do_not_matter_and_lines_add_up() {
    let Some(folder) = recordings() else { return };
    let recording = folder.join("shop.jsonl.zst");
    let replay = |threads: &str| {
        let args =
            ["replay", "--detect-from", "2026-11-22T08:59:26.180722979Z", "--threads", threads];
        hanabi(&args, &[&recording])
    };
    let one = replay("1");
    assert!(one.stdout.len() > 10_000);
    for threads in ["2", "8"] {
        assert!(replay(threads).stdout == one.stdout, "{threads} threads give other alerts");
    }
    let summary = String::from_utf8_lossy(&one.stderr).into_owned();
    let count = |word: &str| -> u64 {
        summary
            .lines()
            .filter(|l| l.trim_start().starts_with(word))
            .filter_map(|l| l.split_whitespace().find_map(|w| w.parse::<u64>().ok()))
            .sum()
    };
    let parts = count("modelled") + count("ignored") + count("dropped") + count("pending");
    assert_eq!((count("lines read"), count("pending")), (parts, 0), "{summary}");
}
