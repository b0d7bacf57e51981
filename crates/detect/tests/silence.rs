//! Silence of containers and hosts, from lines to alerts.

mod kit;

use hanabi_detect::{Alert, AlertState};
use hanabi_event::{Block, Priority, SECOND};
use kit::{Box, Proc, Run, Scene, shop};

/// A second container on the same host, heard every second.
fn beside() -> Box {
    Box::new("cache", "2222aaaabbbb", "shop/redis:7")
}

fn steady_beside(scene: &mut Scene, from: u64, to: u64) {
    let redis = Proc::new("/usr/bin/redis-server", 501);
    for second in from..to {
        scene.at(second as f64 + 0.5);
        scene.openat(&beside(), &redis, "/data/dump.rdb", "O_RDONLY");
    }
}

/// Both containers until `silent`, then the other alone until `end`.
fn scene(silent: u64, end: u64, last: impl FnOnce(&mut Scene)) -> Vec<String> {
    let mut scene = Scene::default();
    shop::start(scene.at(0.0), &shop::web());
    for second in 0..silent {
        shop::second(&mut scene, &shop::web(), second);
        steady_beside(&mut scene, second, second + 1);
    }
    last(&mut scene);
    steady_beside(&mut scene, silent + 10, end);
    scene.texts()
}

fn silence(run: &Run) -> Vec<Alert> {
    let mut found: Vec<Alert> = run
        .watches()
        .flat_map(|watch| watch.ledger.alerts())
        .filter(|alert| alert.rule.starts_with("silence."))
        .cloned()
        .collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

#[test]
fn a_container_that_falls_silent_is_an_alert_until_it_is_heard_again() {
    let mut alerts = Vec::new();
    for block in [7, 500, 100_000] {
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&scene(800, 1_000, |_| {}), block);
        let found = silence(&run);
        assert_eq!(found.len(), 1, "{found:#?}");
        let alert = &found[0];
        assert_eq!((alert.rule.as_str(), alert.state), ("silence.container", AlertState::Open));
        assert_eq!((alert.container.name.as_str(), alert.priority), ("web", Priority::Warning));
        assert!(alert.summary.en.starts_with("web has sent nothing since"), "{}", alert.summary.en);
        alerts.push(found);
        let mut again = Scene::default();
        shop::second(&mut again, &shop::web(), 1_001);
        let mut run = run.restart();
        run.feed(&again.texts(), block);
        let settled = &silence(&run)[0];
        assert_eq!(settled.state, AlertState::Resolved);
        assert_eq!(settled.history[0].text, "it is heard again");
    }
    assert!(alerts.windows(2).all(|pair| pair[0] == pair[1]), "whatever the blocks");
}

#[test]
fn who_stops_or_is_replaced_is_not_silent() {
    for stops in [true, false] {
        let lines = scene(800, 1_000, |s| {
            if stops {
                s.exit(&shop::web(), &shop::master());
            } else {
                let successor = shop::web().with_id("333344445555");
                s.at(805.0);
                shop::start(s, &successor);
            }
        });
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&lines, 500).end();
        assert_eq!(silence(&run), []);
    }
}

#[test]
fn the_end_of_everything_is_silence_of_the_host_and_only_when_time_passes() {
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene(800, 800, |_| {}), 500);
    run.end();
    assert_eq!(silence(&run), [], "the end of a recording");
    for _ in 0..20 {
        run.silence(60 * SECOND);
    }
    let found = silence(&run);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule.as_str(), found[0].host.as_str()), ("silence.host", "vm"));
    assert_eq!(found[0].count, 1, "told once");
    let mut again = Scene::default();
    shop::second(&mut again, &shop::web(), 3_000);
    run.feed(&again.texts(), 500);
    assert_eq!(silence(&run)[0].state, AlertState::Resolved);
}

#[test]
fn a_source_that_falls_silent_beside_another_is_an_alert_until_it_is_heard_again() {
    let mut run = Run::learning_for(shop::LEARN);
    let both = |run: &mut Run, from: u64, to: u64, silent: bool| {
        for second in from..to {
            let mut web = Scene::default();
            shop::second(&mut web, &shop::web(), second);
            let mut cache = Scene::default();
            steady_beside(&mut cache, second, second + 1);
            run.block_of("http", &block(&cache.texts()));
            if !silent {
                run.block_of("file:/var/log/falco.jsonl", &block(&web.texts()));
            }
        }
    };
    both(&mut run, 0, 700, false);
    both(&mut run, 700, 1_100, true);
    let of_source = |run: &Run| {
        silence(run).into_iter().filter(|a| a.rule == "silence.source").collect::<Vec<_>>()
    };
    let found = of_source(&run);
    assert_eq!(found.len(), 1, "{:#?}", silence(&run));
    let start = "source file:/var/log/falco.jsonl has sent nothing since";
    assert!(found[0].summary.en.starts_with(start), "{}", found[0].summary.en);
    let mut run = run.restart();
    both(&mut run, 1_100, 1_105, false);
    assert_eq!(of_source(&run)[0].state, AlertState::Resolved);
}

fn block(lines: &[String]) -> Block {
    Block::decode((lines.join("\n") + "\n").into_bytes())
}
