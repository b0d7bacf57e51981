//! Profiles of one identity that were learned in several places become one.

mod kit;

use hanabi_profile::{Limits, Profile, access::Access};
use kit::{Feed, counted, text, word};
use proptest::prelude::*;

type Step = (u8, u64, u64);

/// Plays steps from a small alphabet: enough to merge siblings in some profiles and not in others.
fn play(feed: &mut Feed, steps: &[Step]) {
    for (n, (what, a, b)) in steps.iter().enumerate() {
        let (a, b) = (word(a % 3), word(*b));
        match what % 6 {
            0 => feed.file("app", &format!("/srv/{a}/{b}.log")),
            1 => feed.access("app", &format!("/srv/{a}/user-{b}/x"), Access::WRITE),
            2 => feed.argument("app", &format!("--{b}")),
            3 => feed.peer("app", &format!("10.0.0.{}:5432", b.len() + n % 9)),
            4 => feed.file(&a, &format!("/etc/{b}")),
            _ => feed.argument(&a, &b),
        };
        if n % 20 == 19 {
            feed.at(feed.second + 11);
        }
    }
    feed.merge_now();
}

fn learned(origin: &str, image: &str, steps: &[Step]) -> Profile {
    let mut feed = Feed::small(50_000).learned_at(origin);
    feed.profile.note_image(image, 0, 0);
    play(&mut feed, steps);
    feed.profile
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((any::<u8>(), 0u64..3, 0u64..60), 1..160)
}

/// Paths to ask both profiles for.
fn questions() -> Vec<String> {
    let mut paths = Vec::new();
    for a in 0..3 {
        for b in 0..60 {
            let (a, b) = (word(a), word(b));
            paths.push(format!("/srv/{a}/{b}.log"));
            paths.push(format!("/srv/{a}/user-{b}/x"));
            paths.push(format!("/etc/{b}"));
        }
    }
    paths
}

#[test]
fn counts_of_two_places_add_up_and_those_of_one_do_not() {
    let work: Vec<Step> = (0..30).map(|n| (0, 0, n % 4)).collect();
    let (a, b) = (learned("a", "app:1", &work), learned("b", "app:2", &work));
    let both = a.merge(&b);
    assert_eq!((both.events, counted(&both)), (60, 60));
    assert_eq!(both.revisions, ["app:2", "app:1"]);
    assert_eq!(both.snapshot().metadata["origins"], serde_json::json!(["a", "b"]));
    let older = learned("a", "app:1", &work[..10]);
    assert_eq!(text(&a.merge(&older)), text(&a), "an older state adds nothing");
    assert_eq!(text(&both.merge(&a)), text(&both));
    assert_eq!(text(&both.merge(&b)), text(&both));
}

#[test]
fn a_merged_profile_counts_on() {
    let work: Vec<Step> = (0..20).map(|n| (0, 0, n % 4)).collect();
    let (a, b) = (learned("a", "app:1", &work), learned("b", "app:1", &work));
    let mut feed = Feed::small(50_000);
    feed.profile = a.merge(&b);
    feed.second = 2_000;
    feed.profile.learned_at("a");
    play(&mut feed, &work);
    assert_eq!((feed.profile.events, counted(&feed.profile)), (60, 60));
    // Place `a` has counted 40 by now, and `b` is an older state of what is in there.
    assert_eq!(feed.profile.merge(&a).events, 60);
    assert_eq!(feed.profile.merge(&b).events, 60);
    let c = learned("c", "app:1", &work);
    assert_eq!(feed.profile.merge(&c).events, 80);
}

#[test]
fn the_shape_wins_over_the_names_it_covers() {
    let many: Vec<Step> = (0..60).map(|n| (0, 0, n)).collect();
    let few: Vec<Step> = (0..4).map(|n| (0, 0, n)).collect();
    let (a, b) = (learned("a", "app:1", &many), learned("b", "app:1", &few));
    let both = a.merge(&b);
    let pattern = kit::node(&both, "app", &format!("/srv/{}/*.log", word(0))).unwrap();
    assert_eq!(both.tree.node(pattern).count, 64);
    assert_eq!(kit::node(&both, "app", &format!("/srv/{}/{}.log", word(0), word(1))), None);
    let mut split = both.clone();
    let members = split.split(pattern, &Limits::default()).unwrap();
    // What came after its first merge was not told apart any more.
    assert_eq!((members.len(), counted(&split)), (40, 64));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_which_is_merged_into_which(
        a in steps(), b in steps(), same in any::<bool>(), detects in any::<bool>(),
    ) {
        let mut a = learned("a", "app:1", &a);
        let b = learned(if same { "a" } else { "b" }, "app:2", &b);
        if detects {
            a.detect_now(&Limits::default());
        }
        let (ab, ba) = (a.merge(&b), b.merge(&a));
        prop_assert!(text(&ab) == text(&ba), "not commutative");
        // Two histories under one name are taken for two states of one, node by node.
        prop_assert!(same || ab.events == counted(&ab));
        let stored = |p: &Profile| serde_json::to_string(p).unwrap();
        prop_assert!(stored(&ab) == stored(&ba), "not commutative when stored");
        for path in questions() {
            let steps = kit::file(&path);
            for program in ["app", &word(0)] {
                let knows = |p: &Profile| kit::knows(p, program, &steps);
                prop_assert_eq!(knows(&ab), knows(&ba));
                prop_assert!(knows(&ab) || !(knows(&a) || knows(&b)), "{} is lost", path);
            }
        }
    }

    #[test]
    fn merging_again_changes_nothing(a in steps(), b in steps()) {
        let (a, b) = (learned("a", "app:1", &a), learned("b", "app:2", &b));
        prop_assert!(text(&a.merge(&a)) == text(&a), "not idempotent");
        let both = a.merge(&b);
        prop_assert!(text(&both.merge(&a)) == text(&both), "not idempotent for a");
        prop_assert!(text(&b.merge(&both)) == text(&both), "not idempotent for b");
        let copy: Profile = serde_json::from_str(&serde_json::to_string(&both).unwrap()).unwrap();
        prop_assert!(text(&copy.merge(&a)) == text(&both), "not idempotent when stored");
    }
}
