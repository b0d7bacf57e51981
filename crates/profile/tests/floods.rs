//! A full tree becomes coarser, least valuable first, and goes on learning.

mod kit;

use hanabi_profile::{Found, access::Access};
use kit::{Feed, counted, word};
use proptest::prelude::*;

/// A profile with some work of its own, seen again and again.
fn working(max_nodes: usize) -> Feed {
    let mut feed = Feed::small(max_nodes);
    for second in 0..30 {
        feed.at(1_000 + second);
        work(&mut feed);
    }
    feed
}

fn work(feed: &mut Feed) {
    for n in 0..20 {
        feed.file("app", &format!("/srv/app/{}", word(1_000_000 + n)));
        feed.argument("app", &format!("--{}", word(2_000_000 + n % 5)));
    }
    feed.peer("app", "10.0.0.5:5432");
    feed.file("cron", "/etc/crontab");
}

/// Feeds `count` events, 500 in a second, and looks at the size after each window.
fn flood(feed: &mut Feed, count: u64, each: impl Fn(&mut Feed, u64)) {
    for n in 0..count {
        if n % 500 == 0 {
            feed.at(feed.second + 1);
        }
        each(feed, n);
        assert!(feed.profile.tree.len() <= feed.limits.max_nodes, "at event {n}");
    }
}

#[track_caller]
fn sound(feed: &Feed, events: u64) {
    assert_eq!(feed.profile.events, events);
    assert_eq!(counted(&feed.profile), events, "every event is counted at a path");
    assert_eq!(feed.profile.snapshot().events_count, events);
    assert!(feed.profile.tree.coarsenings() > 0);
    let metadata = &feed.profile.snapshot().metadata;
    assert_eq!(metadata["coarsened"], feed.profile.tree.coarsenings());
    // What was there before the flood is known to the letter.
    for n in 0..20 {
        feed.node("app", &format!("/srv/app/{}", word(1_000_000 + n)));
    }
    feed.node("cron", "/etc/crontab");
}

/// A directory and a program that are new after a flood are learned as themselves.
#[track_caller]
fn still_learns(mut feed: Feed) {
    for second in 1..5 {
        feed.at(feed.second + second);
        feed.file("app", "/opt/plugin/new.conf").file("backup", "/opt/backup/list");
        feed.argument("backup", "--full").peer("backup", "10.0.0.9:22");
    }
    feed.node("app", "/opt/plugin/new.conf");
    feed.node("backup", "/opt/backup/list");
    assert!(feed.knows_program("backup"));
    feed.detect();
    assert!(feed.knows_file("app", "/opt/plugin/new.conf"));
    assert!(feed.knows("backup", &kit::peer("10.0.0.9:22")));
    assert!(!feed.knows("backup", &kit::peer("10.0.0.10:22")));
}

#[test]
fn random_names() {
    let mut feed = working(2_000);
    let before = feed.profile.events;
    flood(&mut feed, 40_000, |f, n| {
        f.access("app", &format!("/srv/data/{}", word(n)), Access::WRITE);
    });
    sound(&feed, before + 40_000);
    still_learns(feed);
}

#[test]
fn random_directories() {
    let mut feed = working(2_000);
    let before = feed.profile.events;
    flood(&mut feed, 40_000, |f, n| {
        f.file("app", &format!("/{}/{}/{}", word(n / 40), word(n / 4), word(n)));
    });
    sound(&feed, before + 40_000);
    still_learns(feed);
}

#[test]
fn random_arguments() {
    let mut feed = working(2_000);
    let before = feed.profile.events;
    flood(&mut feed, 40_000, |f, n| {
        f.argument("app", &format!("--{}", word(n)));
    });
    sound(&feed, before + 40_000);
    still_learns(feed);
}

#[test]
fn random_addresses() {
    let mut feed = working(2_000);
    let before = feed.profile.events;
    flood(&mut feed, 40_000, |f, n| {
        let (a, b, c) = (11 + n % 90, n / 90 % 250, n / 22_500);
        f.peer("app", &format!("{a}.{b}.{c}.9:{}", 1_000 + n % 20_000));
    });
    sound(&feed, before + 40_000);
    still_learns(feed);
}

#[test]
fn random_programs() {
    let mut feed = working(2_000);
    let before = feed.profile.events;
    flood(&mut feed, 40_000, |f, n| {
        f.file(&word(n), "/srv/www/index");
    });
    sound(&feed, before + 40_000);
    assert!(!feed.knows_program("never-seen"), "a flood makes no program known");
    still_learns(feed);
}

#[test]
fn a_flood_within_one_second_stays_within_the_limit() {
    let mut feed = working(2_000);
    for n in 0..20_000 {
        feed.file("app", &format!("/srv/data/{}", word(n)));
        assert!(feed.profile.tree.len() <= 2_000);
    }
    still_learns(feed);
}

#[test]
fn programs_beyond_any_room_are_counted() {
    // Every program has calls of its own, which are not folded one by one.
    let mut feed = Feed::small(1_000);
    for n in 0..5_000 {
        for _ in 0..3 {
            feed.file(&word(n % 700), "/srv/www/index");
        }
        feed.at(1_000 + n / 100);
        assert!(feed.profile.tree.len() <= 1_000);
    }
    assert_eq!(counted(&feed.profile), 15_000);
}

#[test]
fn the_same_flood_makes_the_same_tree() {
    let run = || {
        let mut feed = working(2_000);
        flood(&mut feed, 10_000, |f, n| {
            f.file("app", &format!("/{}/{}", word(n % 97), word(n))).argument("app", &word(n));
        });
        feed.snapshot()
    };
    assert_eq!(run(), run());
}

#[test]
fn what_a_full_tree_folded_is_accepted_only_by_a_profile_that_detects() {
    let mut feed = working(2_000);
    feed.limits.merge = false;
    flood(&mut feed, 10_000, |f, n| {
        f.file("app", &format!("/srv/data/{}", word(n)));
    });
    let (app, _) = feed.profile.programs().find(|(_, info)| info.name == "app").unwrap();
    let unseen = kit::file("/srv/data/unseen");
    assert!(matches!(feed.profile.find(app, &unseen), Found::Missing { .. }));
    feed.detect();
    assert!(feed.knows_file("app", "/srv/data/unseen"));
    assert!(!feed.knows_file("app", "/srv/app/unseen"), "only where the flood was");
    let snapshot = feed.snapshot();
    assert!(snapshot.contains("\"coarsened\": true") && snapshot.contains("\"support\""));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_within_a_window_does_not_matter_to_what_is_folded(seed in any::<u64>()) {
        let tree = |seed: u64| {
            let mut feed = Feed::small(1_000);
            feed.limits.merge = false;
            feed.file("app", "/etc/app.conf").at(1_001);
            // More than nine tenths at the end of the window, and never full within it.
            let mut names: Vec<u64> = (0..905).collect();
            let mut state = seed | 1;
            for n in (1..names.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                names.swap(n, (state >> 33) as usize % (n + 1));
            }
            for n in names {
                feed.file("app", &format!("/srv/{}/{}", word(n % 3), word(n)));
            }
            feed.at(1_002);
            assert_eq!((feed.profile.tree.coarsenings(), counted(&feed.profile)), (1, 906));
            feed.snapshot()
        };
        prop_assert!(tree(seed) == tree(1), "another order, another tree");
    }
}
