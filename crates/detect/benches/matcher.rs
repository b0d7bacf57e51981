//! What it costs to compare a new token with its learned siblings.
//!
//! `cargo bench -p hanabi-detect --bench matcher`. Beside each stands the comparison of the same
//! token with all of its siblings for equality, in the same run.
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::{hint::black_box, time::Instant};

use hanabi_detect::matcher::{Exact, SemanticMatcher, Structural};
use hanabi_profile::NodeKind;

const ROUNDS: usize = 20_000;

fn main() {
    println!("a new token among learned siblings, µs: p50 / p99 (ratio of the p50 to equality's)");
    println!("{:>10} {:>9} {:>18} {:>14}", "kind", "siblings", "structural", "equality");
    for siblings in [10, 128, 1_000] {
        let files: Vec<String> = (0..siblings).map(|n| format!("{}.conf", word(n))).collect();
        row("file", NodeKind::File, "session-cache.conf", &files);
        let arguments: Vec<String> =
            (0..siblings).map(|n| format!("--{}={}", word(n), word(n + 7))).collect();
        row("argument", NodeKind::Argument, "--tenant-of-this-call=some-value", &arguments);
        let peers: Vec<String> =
            (0..siblings).map(|n| format!("10.{}.{}.9", n / 250, n % 250)).collect();
        row("address", NodeKind::Peer, "203.0.113.9", &peers);
    }
}

fn word(n: u32) -> String {
    let mut text = String::from("q");
    let mut n = n.wrapping_mul(2_654_435_761);
    for _ in 0..8 {
        text.push(char::from(b"bcdfghklmnprstvz"[(n % 16) as usize]));
        n /= 16;
    }
    text
}

fn row(name: &str, kind: NodeKind, token: &str, siblings: &[String]) {
    let siblings: Vec<&str> = siblings.iter().map(String::as_str).collect();
    let time = |matcher: &dyn SemanticMatcher| {
        let mut times: Vec<u64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                black_box(matcher.nearest(kind, black_box(token), &siblings));
                begun.elapsed().as_nanos() as u64
            })
            .collect();
        times.sort_unstable();
        (times[ROUNDS / 2] as f64 / 1e3, times[ROUNDS / 100 * 99] as f64 / 1e3)
    };
    let (exact, exact_p99) = time(&Exact);
    let (p50, p99) = time(&Structural::default());
    println!(
        "{name:>10} {:>9} {:>18} {:>14}",
        siblings.len(),
        format!("{p50:.1} / {p99:.1} ({:.0})", p50 / exact.max(0.01)),
        format!("{exact:.2} / {exact_p99:.2}")
    );
}
