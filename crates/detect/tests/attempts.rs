//! Calls that were begun and whose end was not printed, from lines to alerts.

mod kit;

use hanabi_detect::{MAX_ATTEMPTS, PAIR_WAIT};
use hanabi_event::{IgnoreReason, SECOND};
use kit::{Run, Scene, shop};

/// A service that has learned, then what `more` adds at 300 s, and some seconds of its work.
fn scene(more: impl FnOnce(&mut Scene)) -> Vec<String> {
    let mut scene = Scene::default();
    shop::start(scene.at(0.0), &shop::web());
    for second in 0..300 {
        shop::second(&mut scene, &shop::web(), second);
    }
    more(scene.at(300.0));
    for second in 301..320 {
        shop::second(&mut scene, &shop::web(), second);
    }
    scene.texts()
}

fn unpaired(run: &Run) -> (u64, u64) {
    run.shards
        .iter()
        .map(hanabi_detect::Shard::unpaired)
        .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

#[test]
fn a_connection_that_nobody_answers_is_an_attempt_whatever_the_blocks() {
    let lines = scene(|s| {
        s.connect_begun(&shop::web(), &shop::worker(), "203.0.113.9:4444");
    });
    let mut texts = Vec::new();
    for block in [1, 7, 300, usize::MAX] {
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&lines, block).end();
        let outcome = run.outcome();
        assert_eq!(unpaired(&run), (1, 0), "block {block}");
        let alert = outcome.alerts.iter().find(|a| a.path.raw.contains("203.0.113.9:4444"));
        let alert = alert.unwrap_or_else(|| panic!("{:#?}", outcome.lines()));
        assert_eq!((alert.first_seen - kit::EPOCH) / SECOND, 300, "the time it began");
        assert_eq!(outcome.accounted(), outcome.received);
        texts.push(outcome.text());
    }
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn it_is_decided_when_its_wait_is_over_or_its_process_ends_and_survives_a_restart() {
    let worker = shop::worker();
    for ends in [false, true] {
        let mut begun = Scene::default();
        begun.at(320.5).connect_begun(&shop::web(), &worker, "203.0.113.9:4444");
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&scene(|_| {}), 100).feed(&begun.texts(), 1);
        assert_eq!(unpaired(&run), (0, 0), "it waits");
        let mut run = run.restart();
        let mut more = Scene::default();
        if ends {
            more.at(321.0).exit(&shop::web(), &worker);
        }
        run.feed(&more.texts(), 1).silence(if ends { 0 } else { PAIR_WAIT });
        assert_eq!(unpaired(&run), (1, 0), "its process ends: {ends}");
    }
}

#[test]
fn a_call_that_ends_is_none() {
    let lines = scene(|s| {
        s.connect_refused(&shop::web(), &shop::worker(), "172.18.0.3:5432");
    });
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&lines, 100).end();
    assert_eq!(unpaired(&run), (0, 0));
    assert!(run.outcome().ignored(IgnoreReason::Enter) > 0);
}

#[test]
fn calls_under_way_are_bounded() {
    let lines = scene(|s| {
        for port in 0..MAX_ATTEMPTS + 5 {
            s.connect_begun(&shop::web(), &shop::worker(), &format!("203.0.113.9:{}", port + 1));
        }
    });
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&lines, 100).end();
    let (attempts, refused) = unpaired(&run);
    assert_eq!(attempts, MAX_ATTEMPTS as u64);
    assert!(refused >= 5, "{refused}");
    let scan = run.outcome().alerts.iter().any(|a| a.rule == "burst.network_scan");
    assert!(scan, "unanswered ports are a scan, too: {:#?}", run.outcome().lines());
}
