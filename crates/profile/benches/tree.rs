//! What a tree costs: the look-up of known paths, memory, and floods of what never comes back.
//!
//! `cargo bench -p hanabi-profile`. Look-ups stand beside that of the whole path as a string in a
//! `std` `HashMap`, measured in the same loop: machines differ, ratios in one run do not much.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::{collections::HashMap, hint::black_box, time::Instant};

use hanabi_event::{Category, SECOND};
use hanabi_profile::{
    Found, Hit, LearnRules, Limits, NodeId, NodeKind, Profile, ProgramKey,
    access::Access,
    behaviour::{Flow, Steps},
    peer::End,
};

const KEY: ProgramKey<'_> =
    ProgramKey { name: "app", executable: "/usr/bin/app", user: "0", lexical: true };
const LOOKUPS: usize = 200_000;
const FLOOD: u64 = 1_000_000;

fn main() {
    println!("look-up of a known path, ns: p50 / p99 (ratio of the p50 to the HashMap's)");
    println!("{:>9} {:>15} {:>22} {:>22}", "leaves", "HashMap", "path + find", "recall");
    for leaves in [100, 1_000, 10_000, 100_000] {
        lookups(leaves);
    }
    println!("\nmemory, as allocated");
    println!("{:>9} {:>12} {:>12} {:>14}", "nodes", "bytes", "per node", "as stored");
    for nodes in [500, 5_000, 50_000] {
        memory(nodes);
    }
    println!("\na flood of {FLOOD} names that never come back, at most 50000 nodes");
    println!(
        "{:>12} {:>10} {:>10} {:>9} {:>12}",
        "what", "seconds", "ns/event", "nodes", "coarsenings"
    );
    flood("files", |steps, n| steps.file(&format!("/srv/data/{}", word(n))));
    flood("directories", |steps, n| {
        steps.file(&format!("/{}/{}/{}", word(n / 100), word(n / 10), word(n)));
    });
    flood("arguments", |steps, n| steps.single(NodeKind::Argument, &format!("--{}", word(n))));
    flood("addresses", |steps, n| {
        let [a, b, c, _] = (n as u32).to_be_bytes();
        let address = std::net::Ipv4Addr::new(11 + b % 90, c, n as u8, 9 + a).into();
        steps.peer(Flow::Out, End { address, port: 1_000 + (n % 20_000) as u16 }, address);
    });
}

/// Names without digits, so that generalisation has nothing to take hold of.
fn word(n: u64) -> String {
    let mut text = String::from("q");
    let mut n = (n as u32).wrapping_mul(2_654_435_761);
    for _ in 0..8 {
        text.push(char::from(b"bcdfghklmnprstvz"[(n % 16) as usize]));
        n /= 16;
    }
    text
}

/// A path of a tree of ten files a directory and a hundred directories a directory.
fn path(n: usize) -> String {
    let n = n as u64;
    format!("/srv/{}/{}/{}.conf", word(n / 1_000), word(n / 10), word(n))
}

fn learned(leaves: usize) -> (Profile, NodeId) {
    let limits = Limits { max_nodes: 1_000_000, merge: false, ..Limits::default() };
    let mut profile = Profile::new("bench", 0, 0);
    let (program, _) = profile.learn_program(&KEY, 0, &limits);
    let mut steps = Steps::default();
    for n in 0..leaves {
        steps.file(&path(n));
        let (leaf, _) = profile.learn(program, &steps, &limits, n as u64 * SECOND / 100);
        profile.count(program, Some(leaf), hit(n as u64 / 100));
    }
    profile.detect_now(&limits);
    let program = profile.program(&KEY).unwrap_or_default();
    (profile, program)
}

fn hit(second: u64) -> Hit<'static> {
    let (category, call, access) = (Category::File, "openat", Access::READ);
    Hit { category, call, access, time: second * SECOND, count: 1 }
}

/// Nanoseconds of each call, sorted, without those of the clock itself.
fn timed(paths: &[String], mut call: impl FnMut(&String)) -> (f64, f64) {
    let measure = |call: &mut dyn FnMut(&String)| {
        let mut times: Vec<u64> = paths
            .iter()
            .map(|path| {
                let begun = Instant::now();
                call(path);
                begun.elapsed().as_nanos() as u64
            })
            .collect();
        times.sort_unstable();
        (times[times.len() / 2] as f64, times[times.len() / 100 * 99] as f64)
    };
    let clock = measure(&mut |path| _ = black_box(path)).0;
    measure(&mut call);
    let (p50, p99) = measure(&mut call);
    ((p50 - clock).max(0.0), (p99 - clock).max(0.0))
}

fn lookups(leaves: usize) {
    let (mut profile, program) = learned(leaves);
    let mut state = 1u64;
    let paths: Vec<String> = (0..LOOKUPS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            path((state >> 33) as usize % leaves)
        })
        .collect();
    let baseline: HashMap<String, usize> = (0..leaves).map(|n| (path(n), n)).collect();
    let (map, map_p99) = timed(&paths, |path| _ = black_box(baseline.get(path)));
    let mut steps = Steps::default();
    let known = |found| assert!(matches!(found, Found::Known(_)));
    let whole = timed(&paths, |path| {
        steps.file(path);
        known(black_box(profile.find(program, &steps)));
    });
    for path in paths.iter().take(4_000) {
        steps.file(path);
        if let Found::Known(leaf) = profile.find(program, &steps) {
            profile.remember(profile.raw_key(path), leaf, leaf);
        }
    }
    let recall = timed(&paths, |path| _ = black_box(profile.recall(profile.raw_key(path))));
    let shown = |(p50, p99): (f64, f64)| format!("{p50:.0} / {p99:.0} ({:.1})", p50 / map.max(1.0));
    println!(
        "{leaves:>9} {:>15} {:>22} {:>22}",
        format!("{map:.0} / {map_p99:.0}"),
        shown(whole),
        shown(recall)
    );
}

fn memory(nodes: usize) {
    let mut kept = None;
    let allocated = allocation_counter::measure(|| {
        // A directory for ten files.
        kept = Some(learned(nodes * 10 / 11));
    });
    let Some((profile, _)) = kept else { return };
    let count = profile.tree.len();
    let stored = serde_json::to_vec(&profile).map_or(0, |text| text.len());
    let bytes = allocated.bytes_current;
    println!("{count:>9} {bytes:>12} {:>12} {stored:>14}", bytes / count as i64);
}

fn flood(what: &str, fill: impl Fn(&mut Steps, u64)) {
    // Without merges, which would make one node of most of it: the worst case.
    let limits = Limits { merge: false, ..Limits::default() };
    let rules = LearnRules { min_time: u64::MAX / 4, ..LearnRules::default() };
    let mut profile = Profile::new("bench", 0, 0);
    let (mut steps, mut most) = (Steps::default(), 0);
    let begun = Instant::now();
    for n in 0..FLOOD {
        let second = n / 10_000;
        profile.end_windows(second * SECOND, &rules, &limits);
        let (program, _) = profile.learn_program(&KEY, second * SECOND, &limits);
        fill(&mut steps, n);
        let leaf = match profile.find(program, &steps) {
            Found::Known(leaf) => leaf,
            Found::Missing { .. } => profile.learn(program, &steps, &limits, second * SECOND).0,
        };
        profile.count(program, Some(leaf), hit(second));
        most = most.max(profile.tree.len());
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert!(most <= limits.max_nodes && profile.events == FLOOD);
    println!(
        "{what:>12} {seconds:>10.2} {:>10.0} {most:>9} {:>12}",
        seconds * 1e9 / FLOOD as f64,
        profile.tree.coarsenings()
    );
}
