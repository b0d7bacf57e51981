//! Stored profiles: what is written is read back, and nothing else makes the reader panic.

mod kit;

use hanabi_event::SECOND;
use hanabi_profile::{PROFILE_VERSION, Profile};
use kit::{Feed, word};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(version: u32) -> String {
    let path = format!("{}/fixtures/profile-v{version}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn copy(profile: &Profile) -> Profile {
    let text = serde_json::to_string(profile).expect("a profile is JSON");
    serde_json::from_str(&text).expect("what was written is read")
}

/// A profile with everything in it: merges, splits, a rest, revisions, two origins.
fn rich() -> Feed {
    let mut feed = Feed::small(220).learned_at("host-a");
    feed.profile.note_image("shop/app:1", 0, 0);
    feed.profile.note_image("shop/app:2", 0, 0);
    for n in 0..30 {
        feed.file("app", &format!("/srv/logs/{}.log", word(n)));
        feed.file("app", &format!("/srv/www/page_{}.html", word(n)));
        feed.peer("app", "10.0.0.5:5432").argument("cron", "-f");
    }
    feed.merge_now();
    let merged = feed.node("app", "/srv/logs/*.log");
    feed.profile.split(merged, &feed.limits).expect("it was merged");
    let mut other = Feed::small(220).learned_at("host-b");
    other.file("app", "/srv/www/index.html").argument("app", "--once");
    feed.profile = feed.profile.merge(&other.profile);
    for n in 0..300 {
        feed.file("app", &format!("/data/{}", word(n)));
    }
    feed
}

#[test]
fn every_version_that_was_written_is_read() {
    for version in 1..=PROFILE_VERSION {
        let profile: Profile = serde_json::from_str(&fixture(version)).unwrap();
        let snapshot = profile.snapshot();
        assert_eq!(snapshot.events_count, profile.events, "version {version}");
        assert!(kit::knows(&profile, "nginx", &kit::file("/etc/nginx/nginx.conf")));
        assert!(kit::knows(&profile, "nginx", &kit::file("/var/cache/nginx/client_x.body")));
        assert!(!kit::knows(&profile, "nginx", &kit::file("/etc/shadow")));
        assert_eq!((profile.deviations, profile.variations), (3, 2));
        let again: Value = serde_json::to_value(&profile).unwrap();
        assert_eq!(again["version"], PROFILE_VERSION);
    }
}

/// Writes the fixture of the current version; to be run once, when the version goes up.
#[test]
#[ignore = "writes a fixture"]
fn write_the_fixture_of_this_version() {
    let profile: Profile = serde_json::from_str(&fixture(1)).unwrap();
    let mut feed = rich();
    feed.profile = profile;
    feed.profile.learned_at("host-z");
    feed.profile.note_image("shop/nginx:1.24", 0, 0);
    feed.second = 1_100;
    feed.file("nginx", "/etc/nginx/mime.types");
    let other = rich();
    let merged = feed.profile.merge(&other.profile);
    let path = format!("{}/fixtures/profile-v{PROFILE_VERSION}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(path, serde_json::to_string(&merged).unwrap() + "\n").unwrap();
}

#[test]
fn a_profile_read_back_behaves_the_same() {
    let mut left = rich();
    let mut right = Feed { profile: copy(&left.profile), limits: left.limits.clone(), ..rich() };
    right.second = left.second;
    for n in 0..3_000u64 {
        for feed in [&mut left, &mut right] {
            feed.at(1_100 + n / 100);
            match n % 5 {
                0 => feed.file("app", &format!("/data/{}", word(n * 7))),
                1 => feed.file(&word(n % 40), "/srv/www/page_other.html"),
                2 => feed.argument("app", &word(n)),
                3 => feed.peer("app", &format!("10.0.{}.7:5432", n % 40)),
                _ => feed.file("app", &format!("/srv/logs/{}.log", word(n % 300))),
            };
        }
        if n % 500 == 0 {
            right.profile = copy(&right.profile);
        }
    }
    assert!(left.snapshot() == right.snapshot(), "the trees differ");
    assert_eq!(
        serde_json::to_string(&left.profile).unwrap(),
        serde_json::to_string(&right.profile).unwrap()
    );
    left.detect();
    right.detect();
    for path in ["/data/x", "/srv/www/page_y.html", "/srv/logs/z.log", "/etc/shadow", "/srv/x/y"] {
        assert_eq!(left.knows_file("app", path), right.knows_file("app", path), "{path}");
    }
}

fn refused(change: impl Fn(&mut Value)) -> String {
    let mut value = serde_json::to_value(&rich().profile).expect("a profile is JSON");
    change(&mut value);
    let read = serde_json::from_value::<Profile>(value);
    read.map_or_else(|error| error.to_string(), |_| "it was read".to_owned())
}

fn promotion(kind: &str, name: &str) -> Value {
    let lesson = json!({ "name": "app", "executable": "/app", "user": "root", "lexical": true,
        "category": "file", "call": "openat", "access": 1, "paths": [[[kind, name]]] });
    json!([{ "id": "p", "at": 1, "by": "ada", "lessons": [lesson], "added": [] }])
}

#[test]
fn impossible_profiles_are_refused_with_a_reason() {
    let node = |v: &mut Value, n: usize, key: &str, to: Value| v["tree"]["nodes"][n][key] = to;
    for (reason, change) in [
        ("version 99", &(|v: &mut Value| v["version"] = json!(99)) as &dyn Fn(&mut Value)),
        ("without a root", &|v| v["tree"]["nodes"] = json!([])),
        ("is no root", &|v| node(v, 0, "dead", json!(true))),
        ("name that is not in its table", &|v| node(v, 3, "name", json!(1_000_000))),
        ("not its own", &|v| node(v, 0, "first_child", json!(1_000_000))),
        ("not its own", &|v| {
            let own = v["tree"]["nodes"][1]["first_child"].clone();
            node(v, own.as_u64().unwrap() as usize, "next_sibling", own);
        }),
        ("not its own", &|v| node(v, 2, "parent", json!(5))),
        ("nobody's children", &|v| node(v, 0, "first_child", json!(u32::MAX))),
        ("of a kind", &|v| node(v, 1, "kind", json!("File"))),
        ("nobody counted", &|v| node(v, 2, "count", json!(u64::MAX))),
        ("nobody counted", &|v| v["events"] = json!(u64::MAX)),
        ("members of a merge", &|v| {
            v["tree"]["merges"]["999999"] = json!({ "support": 1, "members": [] });
        }),
        ("another origin", &|v| v["tree"]["origins"]["foreign"]["999999"] = json!([])),
        ("origin without a name", &|v| v["tree"]["origins"]["own"] = json!(77)),
        ("free place", &|v| v["tree"]["free"] = json!([0])),
        ("sets of revisions", &|v| v["tree"]["revisions"]["sets"] = json!([1, 2])),
        ("revisions that it does not know", &|v| node(v, 2, "revisions", json!(999))),
        ("without a description", &|v| v["info"] = json!({})),
        ("not in the tree", &|v| {
            let info = v["info"].as_object().unwrap().values().next().unwrap().clone();
            v["info"]["999999"] = info;
        }),
        ("promotions that nobody", &|v| v["promotions"] = promotion("Root", "x")),
        ("promotions that nobody", &|v| v["promotions"] = promotion("File", &"x".repeat(5_000))),
        ("it was read", &|v| v["promotions"] = promotion("File", "x")),
        ("in a way that nobody can", &|v| v["learning"]["growth"] = json!([])),
    ] {
        let error = refused(change);
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

/// How many values there are that hold no others.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(items) => items.values().map(count).sum(),
        _ => 1,
    }
}

/// Replaces one of them, by its index among all.
fn replace(value: &mut Value, at: &mut usize, with: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().any(|v| replace(v, at, with)),
        Value::Object(items) => items.values_mut().any(|v| replace(v, at, with)),
        Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Null => {
            let hit = *at == 0;
            if hit {
                *value = with.clone();
            }
            *at = at.wrapping_sub(1);
            hit
        }
    }
}

/// Uses all of a profile that was read: nothing of it may panic or go on for ever.
fn exercise(profile: Profile) {
    let mut feed = rich();
    feed.profile = profile;
    feed.second = 1_200;
    for n in 0..40 {
        feed.file("app", &format!("/data/{}", word(n))).file("nginx", "/srv/logs/x.log");
    }
    feed.merge_now();
    feed.detect();
    feed.knows_file("app", "/data/unseen");
    feed.snapshot();
    let other = rich();
    kit::text(&feed.profile.merge(&other.profile));
    feed.profile.summary(&hanabi_profile::LearnRules::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_profile_is_refused_or_works(
        at in any::<prop::sample::Index>(),
        with in prop_oneof![
            Just(json!(0)), Just(json!(1)), Just(json!(7)), Just(json!(u32::MAX)),
            Just(json!(u64::MAX)), Just(json!(u64::MAX - 1)), Just(json!(-1)), Just(json!(true)),
            Just(json!("Learned")), Just(json!("File")), Just(json!("rest")), Just(json!("<rest>")),
            Just(json!("Program")), Just(json!("merged")), Just(Value::Null), Just(json!([])),
        ],
        version in 1..=PROFILE_VERSION,
    ) {
        let mut value: Value = serde_json::from_str(&fixture(version)).unwrap();
        let mut place = at.index(count(&value));
        replace(&mut value, &mut place, &with);
        if let Ok(profile) = serde_json::from_value::<Profile>(value) {
            exercise(profile);
        }
    }

    #[test]
    fn a_cut_profile_is_refused(at in any::<prop::sample::Index>()) {
        let text = fixture(2);
        let cut = at.index(text.trim_end().len());
        if text.is_char_boundary(cut) {
            prop_assert!(serde_json::from_str::<Profile>(&text[..cut]).is_err());
        }
    }
}

#[test]
fn times_are_those_of_the_events() {
    let feed = rich();
    assert_eq!(copy(&feed.profile).first_seen, 1_000 * SECOND);
}
