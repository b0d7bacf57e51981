//! Same input, same bits, whatever the number of threads that compute or ask.

use std::{fmt::Write as _, process::Command, sync::Arc};

use hanabi_detect::matcher::SemanticMatcher as _;
use hanabi_embedding::{CACHED, Embedding, Encoder, Options, Unwatched};
use hanabi_profile::NodeKind;

use crate::kit::Model;

const OPTIONS: Options = Options { threshold: 0.8, cosine: 0.5, siblings: 8, cached: CACHED };
const STEMS: [&str; 6] = ["orders", "invoices", "backup", "archive", "daily-cat", "catalog_dogs"];

/// All answers of all pairs, bit by bit.
fn answers(matcher: &Embedding, begin: usize) -> Vec<u64> {
    let names: Vec<String> = STEMS.iter().map(|stem| format!("{stem}.csv")).collect();
    let siblings: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut answers = vec![0; names.len()];
    for step in 0..names.len() {
        let at = (begin + step) % names.len();
        let others: Vec<&str> = siblings.iter().copied().filter(|s| *s != names[at]).collect();
        let found = matcher.nearest(NodeKind::File, &names[at], &others).unwrap();
        answers[at] = found.similarity.to_bits() ^ found.index as u64;
    }
    answers
}

#[test]
fn threads_that_ask_get_the_same() {
    let directory = Model::tiny().write();
    let load = || Embedding::load(directory.path(), OPTIONS, Box::new(Unwatched)).unwrap();
    let expected = answers(&load(), 0);
    let shared = Arc::new(load());
    let threads: Vec<_> = (0..8)
        .map(|begin| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || answers(&shared, begin))
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), expected);
    }
}

/// The libraries read the number of threads from the environment once in a process, so this test
/// starts itself again with two others.
#[test]
fn threads_that_compute_give_the_same() {
    const NAME: &str = "determinism::threads_that_compute_give_the_same";
    const PRINT: &str = "HANABI_TEST_PRINT_VECTORS";
    if std::env::var_os(PRINT).is_some() {
        let encoder = Encoder::load(Model::wide().write().path()).unwrap();
        let mut bits = String::new();
        for x in STEMS.iter().flat_map(|stem| encoder.encode(stem).unwrap()) {
            write!(bits, "{:08x}", x.to_bits()).unwrap();
        }
        println!("vectors:{bits}:");
        return;
    }
    let vectors = |threads: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(PRINT, "1")
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let found = text.split("vectors:").nth(1).and_then(|rest| rest.split(':').next());
        found.unwrap_or_else(|| panic!("no vectors in {text}")).to_owned()
    };
    assert_eq!(vectors("1"), vectors("5"));
}
