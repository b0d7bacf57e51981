//! Siblings of one shape become one node, and come apart again.

mod kit;

use hanabi_profile::{Limits, Origin, SplitError, access::Access};
use kit::{Feed, counted, word};
use proptest::prelude::*;

fn many(feed: &mut Feed, count: u64, path: impl Fn(u64) -> String) {
    for n in 0..count {
        feed.file("app", &path(n));
    }
    feed.merge_now();
}

fn names(feed: &Feed, directory: &str) -> Vec<String> {
    let tree = &feed.profile.tree;
    let mut names: Vec<String> =
        tree.children(feed.node("app", directory)).map(|id| tree.name(id).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_most_particular_shape_is_found() {
    let mut feed = Feed::small(50_000);
    many(&mut feed, 30, |n| format!("/srv/www/page_{}.html", word(n)));
    many(&mut feed, 30, |n| format!("/srv/home/user-{}/x", word(n)));
    many(&mut feed, 30, |n| format!("/srv/logs/{}.log", word(n)));
    many(&mut feed, 30, |n| format!("/srv/any/{}", word(n)));
    many(&mut feed, 30, |n| format!("/srv/lib/{}.so.1.2", word(n)));
    assert_eq!(names(&feed, "/srv/www"), ["page_*.html"]);
    assert_eq!(names(&feed, "/srv/home"), ["user-*"]);
    assert_eq!(names(&feed, "/srv/logs"), ["*.log"]);
    assert_eq!(names(&feed, "/srv/any"), ["*"]);
    assert_eq!(names(&feed, "/srv/lib"), ["*.so.<version>"]);
    assert!(feed.knows_file("app", "/srv/www/page_other.html"));
    assert!(!feed.knows_file("app", "/srv/www/evil.html"));
    assert!(feed.knows_file("app", "/srv/home/user-bob/x"));
}

#[test]
fn names_that_people_chose_stay_apart_near_the_root() {
    let mut feed = Feed::small(50_000);
    for directory in ["/etc", "/usr/bin", "/var", "/usr", "/lib"] {
        many(&mut feed, 40, |n| format!("{directory}/{}", word(n)));
        many(&mut feed, 40, |n| format!("{directory}/conf-{}.conf", word(n)));
        let kept = names(&feed, directory);
        assert!(kept.len() >= 80 && !kept.iter().any(|n| n.contains('*')), "{directory} {kept:?}");
    }
    many(&mut feed, 30, |n| format!("/{}/x", word(n)));
    many(&mut feed, 30, |n| format!("/opt/app-{}/x", word(n)));
    assert!(
        !feed
            .profile
            .tree
            .children(feed.node("app", ""))
            .any(|id| { feed.profile.tree.name(id).contains('*') })
    );
    assert!(!names(&feed, "/opt").contains(&"app-*".to_owned()));
}

#[test]
fn arguments_and_peers_have_shapes() {
    let mut feed = Feed::small(50_000);
    for n in 0..60 {
        feed.argument("app", &format!("--tenant={}", word(n)));
        feed.peer("app", &format!("10.0.3.{}:5432", n + 1));
    }
    feed.merge_now();
    let snapshot = feed.snapshot();
    assert!(snapshot.contains("\"cmd_argument:--tenant=*\""), "{snapshot}");
    assert!(snapshot.contains("\"network_attribute:10.0.3.*\""));
    assert!(!feed.knows("app", &kit::peer("10.0.4.1:5432")));
    assert!(feed.knows("app", &kit::peer("10.0.3.99:5432")));
}

#[test]
fn limits_can_be_set_by_path() {
    let paths = vec![("/var/lib".to_owned(), 10), ("/srv".to_owned(), 500)];
    let mut feed = Feed::new(Limits { paths, ..Limits::default() });
    many(&mut feed, 12, |n| format!("/var/lib/app/{}.db", word(n)));
    many(&mut feed, 200, |n| format!("/srv/app/{}.db", word(n)));
    many(&mut feed, 12, |n| format!("/data/app/{}.db", word(n)));
    assert_eq!(names(&feed, "/var/lib/app"), ["*.db"]);
    assert_eq!(names(&feed, "/srv/app").len(), 200);
    assert_eq!(names(&feed, "/data/app").len(), 12);
}

#[test]
fn too_many_patterns_become_wider_ones() {
    let mut feed = Feed::small(50_000);
    for prefix in 0..40 {
        many(&mut feed, 30, |n| format!("/srv/www/{}_{}.html", word(prefix), word(n)));
    }
    assert_eq!(names(&feed, "/srv/www"), ["*.html"]);
    assert_eq!(counted(&feed.profile), 40 * 30);
}

#[test]
fn a_split_brings_the_members_back() {
    let mut feed = Feed::small(50_000);
    for n in 0..30 {
        for _ in 0..=n {
            feed.access("app", &format!("/srv/logs/{}.log", word(n)), Access::WRITE);
        }
    }
    let before = feed.snapshot();
    feed.merge_now();
    let merged = feed.node("app", "/srv/logs/*.log");
    let split = feed.profile.split(merged, &feed.limits).unwrap();
    assert_eq!(split.len(), 30);
    assert_eq!(feed.snapshot(), before, "nothing is left of the merge");
    assert!(!feed.knows_file("app", "/srv/logs/other.log"));
    assert_eq!(feed.profile.split(split[0], &feed.limits), Err(SplitError::NotMerged));
    many(&mut feed, 60, |n| format!("/srv/logs/{}.log", word(n)));
    assert_eq!(names(&feed, "/srv/logs").len(), 60, "they stay apart");
}

#[test]
fn what_a_split_cannot_tell_apart_stays_in_the_rest() {
    let mut feed = Feed::small(50_000);
    many(&mut feed, 200, |n| format!("/srv/logs/{}.log", word(n)));
    feed.file("app", "/srv/logs/later.log").file("app", "/srv/logs/later.log");
    let total = feed.profile.snapshot().events_count;
    let merged = feed.node("app", "/srv/logs/*.log");
    assert_eq!(feed.profile.split(merged, &feed.limits).unwrap().len(), 64);
    let kept = names(&feed, "/srv/logs");
    assert_eq!(kept.len(), 65);
    let rest = feed.profile.tree.node(feed.node("app", "/srv/logs/<rest>.log"));
    assert_eq!((rest.count, rest.origin()), (136 + 2, Origin::Rest));
    assert_eq!((feed.profile.snapshot().events_count, counted(&feed.profile)), (total, total));
    feed.detect();
    assert!(feed.knows_file("app", "/srv/logs/unseen.log"));
    assert!(!feed.knows_file("app", "/srv/logs/unseen.txt"));
}

#[test]
fn what_lies_below_a_merge_is_known_of_every_member() {
    let mut feed = Feed::small(50_000);
    many(&mut feed, 30, |n| format!("/srv/home/user-{}/.profile", word(n)));
    let merged = feed.node("app", "/srv/home/user-*");
    let too_small = Limits { max_nodes: 60, ..Limits::default() };
    assert_eq!(feed.profile.split(merged, &too_small), Err(SplitError::NoRoom));
    feed.profile.split(merged, &feed.limits).unwrap();
    assert!(feed.knows_file("app", &format!("/srv/home/user-{}/.profile", word(3))));
    assert_eq!((feed.profile.snapshot().events_count, counted(&feed.profile)), (30, 30));
}

#[test]
fn the_view_says_what_a_merge_was_made_of() {
    let mut feed = Feed::small(50_000);
    feed.profile.note_image("shop/app:1", 0, 0);
    many(&mut feed, 30, |n| format!("/srv/www/page_{}.html", word(n)));
    feed.profile.note_image("shop/app:2", 0, 0);
    feed.at(2_000).file("app", "/srv/www/page_new.html").file("app", "/etc/app-1.2.3.conf");
    let snapshot = feed.profile.snapshot();
    let at = &snapshot.children["file_branch"].children["openat"].children["app"];
    let www = &at.children["directory_path:srv"].children["directory_path:www"];
    let merged = &www.children["file_name:page_*.html"].metadata;
    assert_eq!(merged["support"], 30);
    assert_eq!(merged["origin"], "merged");
    assert_eq!(merged["examples"].as_array().map(Vec::len), Some(5));
    assert_eq!(merged["revisions"], serde_json::json!(["shop/app:1", "shop/app:2"]));
    let versioned = &at.children["directory_path:etc"].children["file_name:app-<version>.conf"];
    assert_eq!(versioned.metadata["token_types"], serde_json::json!(["<version>"]));
    assert_eq!(versioned.metadata["revisions"], serde_json::json!(["shop/app:2"]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_within_a_window_does_not_matter(
        mut paths in proptest::collection::vec((0u64..4, 0u64..60, 0u64..4), 1..300),
        seed in any::<u64>(),
    ) {
        let tree = |paths: &[(u64, u64, u64)]| {
            let mut feed = Feed::small(50_000);
            for (directory, name, ending) in paths {
                let ending = ["log", "html", "d/x", "d"][*ending as usize];
                feed.file("app", &format!("/srv/{}/p-{}.{ending}", word(*directory), word(*name)));
            }
            feed.merge_now();
            feed.snapshot()
        };
        let straight = tree(&paths);
        let mut state = seed | 1;
        for n in (1..paths.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            paths.swap(n, (state >> 33) as usize % (n + 1));
        }
        prop_assert!(tree(&paths) == straight, "another order, another tree");
    }

    #[test]
    fn merges_and_splits_keep_the_counts(
        paths in proptest::collection::vec((0u64..3, 0u64..90, 0u64..3), 1..400),
    ) {
        let mut feed = Feed::small(50_000);
        for (n, (directory, name, ending)) in paths.iter().enumerate() {
            let ending = ["log", "html", "d/x"][*ending as usize];
            feed.file("app", &format!("/srv/{}/{}.{ending}", word(*directory), word(*name)));
            if n % 100 == 99 {
                feed.merge_now();
            }
        }
        feed.merge_now();
        let count = paths.len() as u64;
        let check = |feed: &Feed| {
            (feed.profile.snapshot().events_count, counted(&feed.profile), feed.profile.events)
        };
        prop_assert_eq!(check(&feed), (count, count, count));
        for directory in 0..3 {
            for pattern in ["*.log", "*.html", "*.d", "*"] {
                let path = format!("/srv/{}/{pattern}", word(directory));
                if let Some(id) = kit::node(&feed.profile, "app", &path) {
                    feed.profile.split(id, &feed.limits).unwrap();
                    prop_assert_eq!(check(&feed), (count, count, count), "split {}", path);
                }
            }
        }
        for (directory, name, ending) in &paths {
            let ending = ["log", "html", "d/x"][*ending as usize];
            let path = format!("/srv/{}/{}.{ending}", word(*directory), word(*name));
            feed.detect();
            prop_assert!(feed.knows_file("app", &path), "{} is not known any more", path);
        }
    }
}
