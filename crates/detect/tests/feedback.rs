//! What people teach a profile: every kind of alert, promoted, does not come again; undone, it does.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod kit;

use hanabi_detect::{AlertState, Settings, Watch, triage::Actor};
use hanabi_event::SECOND;
use hanabi_profile::{Phase, TreeDiff};
use kit::{Box, Proc, Run, Scene, shop};

type Sequence = fn(&mut Scene, &Box, i64);

/// What can be seen of one kind or another; `pid` is where its processes' ids begin.
const SEQUENCES: [(&str, Sequence); 14] = [
    ("hbt.new_process", |s, web, pid| {
        let sed = Proc::new("/usr/bin/sed", pid).args("-i s/a/b/ /srv/app.conf").exec();
        s.execve(web, &sed);
        s.openat(web, &sed, "/srv/conf/app.conf", "O_CREAT|O_WRONLY");
        s.exit(web, &sed);
    }),
    ("hbt.new_executable", |s, web, pid| {
        let fake = Proc::new("/usr/local/lib/nginx", pid).named("nginx").child_of(&shop::master());
        s.execve(web, &fake);
        s.exit(web, &fake);
    }),
    ("hbt.new_port", |s, web, _| {
        s.connect(web, &shop::app(), "172.18.0.2", "172.18.0.5:6379");
    }),
    ("hbt.new_peer", |s, web, _| {
        s.connect(web, &shop::app(), "172.18.0.2", "203.0.113.9:443");
    }),
    ("hbt.new_file", |s, web, _| {
        s.openat(web, &shop::worker(), "/srv/www/extra.db", "O_CREAT|O_WRONLY");
    }),
    ("hbt.new_directory", |s, web, _| {
        s.openat(web, &shop::app(), "/srv/other/deep/x.txt", "O_CREAT|O_WRONLY");
    }),
    ("hbt.new_access", |s, web, _| {
        s.unlink(web, &shop::app(), "/app/app.py");
    }),
    ("hbt.new_access", |s, web, _| {
        s.openat(web, &shop::serving(), "/etc/passwd", "O_RDONLY");
    }),
    ("hbt.new_argument", |s, web, pid| {
        let shell = Proc::new("/usr/bin/dash", pid).named("sh").args("-c make-report --all").exec();
        s.execve(web, &shell);
        s.exit(web, &shell);
    }),
    ("hbt.new_operation", |s, web, _| {
        s.process_call(web, &shop::app(), "personality", "res=0 persona=8");
    }),
    ("danger.credential_read", |s, web, _| {
        s.openat(web, &shop::app(), "/etc/shadow", "O_RDONLY");
    }),
    ("danger.writable_execution", |s, web, pid| {
        let tool = Proc::new("/tmp/tool", pid).exec();
        s.execve(web, &tool);
        s.openat(web, &tool, "/opt/results/out.bin", "O_CREAT|O_WRONLY");
        s.exit(web, &tool);
    }),
    ("hbt.new_parent", |s, web, pid| {
        let curl = Proc::new("/usr/bin/curl", pid).args("-fs http://127.0.0.1/ -o /dev/null");
        let curl = curl.child_of(&shop::app()).uid(0);
        s.execve(web, &curl);
        s.exit(web, &curl);
    }),
    ("hbt.new_user", |s, web, pid| {
        let server = Proc::new("/usr/sbin/dbd", pid).child_of(&shop::serving()).uid(1001);
        s.execve(web, &server);
        s.exit(web, &server);
    }),
];

fn learned() -> Run {
    let mut scene = Scene::default();
    shop::steady(&mut scene, &shop::web(), 0, 210);
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene.texts(), 500);
    run
}

/// The sequence at a second, and two seconds of steady work after it.
fn play(run: &mut Run, sequence: Sequence, second: u64) {
    let mut scene = Scene::default();
    sequence(scene.at(second as f64), &shop::web(), 9_000 + 10 * second as i64);
    shop::steady(&mut scene, &shop::web(), second + 5, second + 7);
    run.feed(&scene.texts(), 500);
}

fn watch_mut(run: &mut Run) -> &mut Watch {
    run.shards
        .iter_mut()
        .flat_map(|shard| shard.watches_mut().iter_mut())
        .find(|watch| watch.profile.identity == "vm:web")
        .unwrap()
}

fn ann(run: &Run) -> Actor {
    let now = run.router.now();
    Actor { by: "ann".to_owned(), at: now, now }
}

/// Every alert by rule, state and count.
fn alerts(run: &Run) -> Vec<(String, AlertState, u64)> {
    let alerts = run.watch("vm:web").ledger.alerts();
    alerts.map(|a| (a.rule.clone(), a.state, a.count)).collect()
}

/// Promotes whatever is open; answers the promotions' ids.
fn promote_all(run: &mut Run, wide: bool) -> Vec<String> {
    let actor = ann(run);
    let settings = Settings::default();
    let watch = watch_mut(run);
    let open: Vec<String> = watch
        .ledger
        .alerts()
        .filter(|alert| alert.state == AlertState::Open)
        .map(|alert| alert.fingerprint.clone())
        .collect();
    let mut ids = Vec::new();
    for fingerprint in open {
        if watch.ledger.get(&fingerprint).unwrap().state == AlertState::Promoted {
            continue;
        }
        let preview = watch.preview_promotion(&fingerprint, wide, &actor, &settings).unwrap();
        let id = format!("p-{fingerprint}");
        let done = watch.promote(&fingerprint, &id, wide, &actor, &settings).unwrap();
        assert_eq!(preview, done, "what was announced is what happens");
        let promoted = |a: &&hanabi_detect::Alert| {
            a.history.iter().any(|h| h.reference == id && h.action == "promote")
        };
        assert_eq!(watch.ledger.alerts().filter(promoted).count(), done.alerts.len());
        ids.push(id);
    }
    ids
}

#[test]
fn what_was_promoted_does_not_come_again_until_it_is_undone() {
    for (rule, sequence) in SEQUENCES {
        let mut run = learned();
        play(&mut run, sequence, 220);
        let first = alerts(&run);
        assert!(first.iter().any(|(r, ..)| r == rule), "{rule}: {first:#?}");
        let tree = run.watch("vm:web").profile.snapshot();
        let quarantine = run.watch("vm:web").quarantine.clone();
        let ids = promote_all(&mut run, false);
        assert!(!ids.is_empty());
        let promoted = alerts(&run);
        assert!(promoted.iter().all(|(_, state, _)| *state == AlertState::Promoted), "{rule}");

        let mut run = run.restart();
        play(&mut run, sequence, 240);
        assert_eq!(alerts(&run), promoted, "{rule} came again");
        let actor = ann(&run);
        let watch = watch_mut(&mut run);
        for id in ids.iter().rev() {
            assert!(watch.demote(id, &actor, &Settings::default()).is_some());
        }
        assert_eq!(watch.quarantine, quarantine, "{rule}");
        assert!(alerts(&run).iter().all(|(_, state, _)| *state == AlertState::Open));
        play(&mut run, sequence, 260);
        let last = alerts(&run);
        let count = |all: &[(String, AlertState, u64)]| {
            all.iter().filter(|(r, ..)| r == rule).map(|(.., n)| n).sum::<u64>()
        };
        assert_eq!(count(&last), 2 * count(&first), "{rule}: {last:#?}");

        // Undone at once it leaves nothing behind.
        let mut run = learned();
        play(&mut run, sequence, 220);
        let ids = promote_all(&mut run, true);
        let actor = ann(&run);
        let watch = watch_mut(&mut run);
        for id in ids.iter().rev() {
            watch.demote(id, &actor, &Settings::default());
        }
        let mut after = watch.profile.snapshot();
        after.metadata.clone_from(&tree.metadata);
        assert_eq!(after, tree, "{rule}");
    }
}

#[test]
fn what_was_promoted_survives_learning_anew() {
    let mut run = learned();
    let sequence = SEQUENCES[0].1;
    play(&mut run, sequence, 220);
    promote_all(&mut run, false);
    let promoted = alerts(&run);
    let actor = ann(&run);
    watch_mut(&mut run).relearn(&actor, &Settings::default());
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Warmup);
    let mut scene = Scene::default();
    shop::steady(&mut scene, &shop::web(), 300, 600);
    run.feed(&scene.texts(), 500);
    assert!(run.watch("vm:web").profile.phase.detects());
    play(&mut run, sequence, 610);
    assert_eq!(alerts(&run), promoted);
}

#[test]
fn a_wide_promotion_lets_the_like_through_and_says_so() {
    let mut run = learned();
    play(&mut run, SEQUENCES[4].1, 220);
    let actor = ann(&run);
    let settings = Settings::default();
    let watch = watch_mut(&mut run);
    let fingerprint = watch.ledger.alerts().next().unwrap().fingerprint.clone();
    let narrow = watch.preview_promotion(&fingerprint, false, &actor, &settings).unwrap();
    let wide = watch.promote(&fingerprint, "p", true, &actor, &settings).unwrap();
    assert!(narrow.lets_through[0].contains("/srv/www/extra.db"), "{narrow:?}");
    assert!(wide.lets_through[0].contains("/srv/www/*.db"), "{wide:?}");
    let before = alerts(&run).len();
    let like: Sequence = |s, web, _| {
        s.openat(web, &shop::worker(), "/srv/www/other.db", "O_CREAT|O_WRONLY");
    };
    play(&mut run, like, 240);
    assert_eq!(alerts(&run).len(), before);
    let unlike: Sequence = |s, web, _| {
        s.openat(web, &shop::worker(), "/srv/www/other.so", "O_CREAT|O_WRONLY");
    };
    play(&mut run, unlike, 260);
    assert_eq!(alerts(&run).len(), before + 1);
}

#[test]
fn danger_that_learning_takes_for_own_work_resolves_itself() {
    let mut scene = Scene::default();
    let web = shop::web();
    shop::steady(&mut scene, &web, 0, 80);
    let read: Sequence = |s, web, _| {
        s.openat(web, &shop::app(), "/etc/shadow", "O_RDONLY");
    };
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene.texts(), 500);
    play(&mut run, read, 81);
    play(&mut run, read, 91);
    let waiting = alerts(&run);
    assert_eq!((waiting.len(), waiting[0].1), (1, AlertState::Open));
    play(&mut run, read, 101);
    let settled = alerts(&run);
    assert_eq!(
        (settled.len(), settled[0].1, settled[0].2),
        (1, AlertState::Resolved, waiting[0].2)
    );
    let watch = run.watch("vm:web");
    let last = watch.ledger.alerts().next().unwrap().history.last().unwrap().clone();
    assert_eq!((last.by.as_str(), last.action.as_str()), ("hanabi", "resolve"));
    assert!(last.text.contains("own work"), "{}", last.text);
}

#[test]
fn what_waits_in_quarantine_is_decided_by_people() {
    let read: Sequence = |s, web, _| {
        s.openat(web, &shop::app(), "/etc/shadow", "O_RDONLY");
    };
    for accept in [true, false] {
        let mut scene = Scene::default();
        shop::steady(&mut scene, &shop::web(), 0, 80);
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&scene.texts(), 500);
        play(&mut run, read, 81);
        let (actor, settings) = (ann(&run), Settings::default());
        let watch = watch_mut(&mut run);
        let key = watch.quarantine.keys().next().unwrap().clone();
        if accept {
            let taught = watch.accept(&key, "q", &actor, &settings).unwrap().unwrap();
            assert_eq!(taught.alerts.len(), 1);
            assert_eq!(alerts(&run)[0].1, AlertState::Promoted);
        } else {
            assert!(watch.reject(&key, &actor, &settings));
        }
        let before = alerts(&run);
        for second in [91, 101, 111, 220] {
            play(&mut run, read, second);
        }
        let after = alerts(&run);
        if accept {
            assert_eq!(after, before);
        } else {
            assert_eq!(after[0].1, AlertState::Open, "however often it recurs");
            assert_eq!(after[0].2, before[0].2 + 4);
        }
        assert!(watch_mut(&mut run).accept("nothing", "q", &actor, &settings).is_none());
    }
}

#[test]
fn a_frozen_profile_detects_and_goes_on_when_told() {
    let mut run = learned();
    let settings = Settings::default();
    watch_mut(&mut run).freeze(&settings);
    play(&mut run, SEQUENCES[0].1, 220);
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Frozen);
    assert_eq!(alerts(&run).len(), 1);
    assert!(watch_mut(&mut run).unfreeze().is_ok());
    assert!(watch_mut(&mut run).unfreeze().is_err());
    let actor = Actor { now: run.router.now() + SECOND, ..ann(&run) };
    watch_mut(&mut run).forget(&actor, &settings);
    assert!(run.watch("vm:web").is_blank());
    play(&mut run, SEQUENCES[0].1, 260);
    assert!(!run.watch("vm:web").is_blank());
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Warmup);
}

#[test]
fn a_merge_that_a_person_splits_stays_split() {
    let mut scene = Scene::default();
    shop::steady(&mut scene, &shop::web(), 0, 100);
    for second in 100..200u32 {
        let word: String =
            (0..6).map(|n| char::from(b'a' + ((second * 7 + n * n) % 26) as u8)).collect();
        scene.at(f64::from(second));
        scene.openat(
            &shop::web(),
            &shop::worker(),
            &format!("/srv/pages/{word}{word}.html"),
            "O_RDONLY",
        );
    }
    shop::steady(&mut scene, &shop::web(), 200, 215);
    let mut run = Run::learning_for(220);
    run.feed(&scene.texts(), 500);
    let pages = "/file_branch/openat/nginx/directory_path:srv/directory_path:pages";
    let tree = |run: &Run| {
        let root = serde_json::to_value(run.watch("vm:web").profile.snapshot()).unwrap();
        let pointer = pages.replace('/', "/children/");
        root.pointer(&pointer).unwrap_or_else(|| panic!("{root:#}"))["children"].clone()
    };
    let before = tree(&run);
    let merged = before.as_object().unwrap().keys().find(|key| key.contains('*')).cloned();
    let merged = merged.unwrap_or_else(|| panic!("{before:#}"));
    let limits = Settings::default().limits;
    let keys = |pointer: &str| pointer.split('/').skip(1).map(String::from).collect::<Vec<_>>();
    let merged = keys(&format!("{pages}/{merged}"));
    let into = watch_mut(&mut run).split(&merged, &limits).unwrap();
    assert!(into.members.len() >= 20, "{into:?}");
    let after = tree(&run.restart());
    for member in into.members {
        assert!(after.get(format!("file_name:{member}")).is_some(), "{member}: {after:#}");
    }
    let mut run = learned();
    let refused =
        |run: &mut Run, at: &str| watch_mut(run).split(&keys(at), &limits).unwrap_err().to_string();
    assert!(refused(&mut run, "/file_branch/openat/nobody/x:y").contains("no node there"));
    let whole = "/file_branch/openat/nginx/directory_path:srv";
    assert_eq!(refused(&mut run, whole), "the node was not made of others");
}

#[test]
fn a_profile_goes_back_and_what_people_decided_stays() {
    let settings = Settings::default();
    let (decided, other) = (SEQUENCES[0].1, SEQUENCES[3].1);
    let mut run = learned();
    let point = run.watch("vm:web").learned();
    play(&mut run, decided, 220);
    promote_all(&mut run, false);
    let promoted = run.watch("vm:web").learned();
    let actor = ann(&run);
    let watch = watch_mut(&mut run);
    watch.relearn(&actor, &settings);
    assert!(!watch.profile.phase.detects());
    watch.roll_back(point.clone(), &settings);
    assert_eq!(watch.profile.phase, Phase::Detecting);
    let diff = TreeDiff::of(&point.profile.snapshot(), &watch.profile.snapshot(), 100);
    assert_eq!(diff.removed, [], "everything is back");
    assert!(!diff.added.is_empty(), "and the promotion is there");

    // What was promoted after the point is known, and what was not is news.
    let before = alerts(&run);
    let mut run = run.restart();
    play(&mut run, decided, 240);
    assert_eq!(alerts(&run), before);
    play(&mut run, other, 260);
    assert!(alerts(&run).iter().any(|(rule, ..)| rule == "hbt.new_peer"), "{:?}", alerts(&run));

    // What was undone after a point does not come back with it, and a freeze stays.
    let actor = ann(&run);
    let watch = watch_mut(&mut run);
    let ids: Vec<String> = promoted.profile.promotions().iter().map(|p| p.id.clone()).collect();
    for id in ids.iter().rev() {
        watch.demote(id, &actor, &settings).unwrap();
    }
    watch.freeze(&settings);
    watch.roll_back(promoted, &settings);
    assert_eq!((watch.profile.promotions(), watch.profile.phase), (&[][..], Phase::Frozen));
    let diff = TreeDiff::of(&point.profile.snapshot(), &watch.profile.snapshot(), 100);
    assert_eq!((diff.added, diff.removed), (vec![], vec![]));
}
