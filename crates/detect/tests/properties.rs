//! What must hold for any input: block boundaries, restarts and the order within a second change
//! nothing, every line is accounted for, trees stay bounded and keep counting.

mod kit;

use hanabi_detect::Settings;
use hanabi_profile::{Limits, TreeNode};
use kit::{Box, Proc, Run, Scene, shop};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};
use serde_json::json;

/// One thing that may happen, from a small alphabet that covers learning, danger, sessions, bursts,
/// rules, names that are late, losses, clocks and garbage.
#[derive(Clone, Debug)]
enum Step {
    Work(u8),
    NewProcess(u8),
    Shell(bool),
    Read(u8),
    Write(u8),
    Peer(u8),
    Refused(u8),
    Rename(u8),
    RuleFirst(u8),
    RuleAfter(u8),
    RuleAlone(u8),
    Unnamed(u8),
    NoContainer,
    Loss,
    Skew(bool),
    SetBack,
    Garbage(u8),
    Other(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..8).prop_map(Step::Work),
        1 => (0u8..6).prop_map(Step::NewProcess),
        1 => any::<bool>().prop_map(Step::Shell),
        2 => any::<u8>().prop_map(Step::Read),
        2 => any::<u8>().prop_map(Step::Write),
        1 => (0u8..12).prop_map(Step::Peer),
        1 => any::<u8>().prop_map(Step::Refused),
        1 => any::<u8>().prop_map(Step::Rename),
        1 => (0u8..3).prop_map(Step::RuleFirst),
        1 => (0u8..3).prop_map(Step::RuleAfter),
        1 => (0u8..3).prop_map(Step::RuleAlone),
        2 => (0u8..3).prop_map(Step::Unnamed),
        1 => Just(Step::NoContainer),
        1 => Just(Step::Loss),
        1 => any::<bool>().prop_map(Step::Skew),
        1 => Just(Step::SetBack),
        1 => (0u8..5).prop_map(Step::Garbage),
        2 => (0u8..4).prop_map(Step::Other),
    ]
}

#[allow(clippy::too_many_lines, reason = "one arm a step")]
fn play(scene: &mut Scene, step: &Step, at: f64) {
    let web = shop::web();
    scene.at(at);
    let app = shop::app();
    let exec =
        |n: u8| Proc::new(&format!("/usr/bin/tool-{}", letters(n)), 9_000 + i64::from(n)).exec();
    match step {
        Step::Work(n) => shop::second(scene, &web, u64::from(*n) + at as u64),
        Step::NewProcess(n) => {
            scene.execve(&web, &exec(*n));
        }
        Step::Shell(tty) => {
            let tty = if *tty { 34_816 } else { 0 };
            let sh = Proc::new("/usr/bin/bash", 8_000).child_of(&shop::worker()).tty(tty);
            let id = Proc::new("/usr/bin/id", 8_001).child_of(&sh);
            scene.execve(&web, &sh).execve(&web, &id).exit(&web, &id);
        }
        Step::Read(n) => {
            let path = format!("/etc/{}", ["shadow", "passwd", "motd", "hosts"][*n as usize % 4]);
            scene.openat(&web, &exec(n % 3), &path, "O_RDONLY");
        }
        Step::Write(n) => {
            let path = format!("/srv/{}/{}", letters(n / 16), letters(*n));
            scene.openat(&web, &app, &path, "O_CREAT|O_EXCL|O_WRONLY");
        }
        Step::Peer(n) => {
            scene.connect(
                &web,
                &app,
                "172.18.0.2",
                &format!("10.{n}.0.1:{}", 8_000 + u16::from(*n)),
            );
        }
        Step::Refused(n) => {
            scene.connect_refused(&web, &app, &format!("172.18.0.5:{}", 20 + n % 40));
        }
        Step::Rename(n) => {
            let path = format!("/srv/data/{}", letters(*n));
            scene.rename(&web, &app, &path, &format!("{path}.locked"));
        }
        Step::RuleFirst(n) | Step::RuleAfter(n) => {
            scene.openat(&web, &app, "/etc/motd", "O_RDONLY");
            scene.rule(&web, &app, &format!("Rule {n}"), "Warning", &json!(["T1005"]));
            let last = scene.lines.len() - 1;
            if matches!(step, Step::RuleFirst(_)) {
                scene.lines.swap(last, last - 1);
            }
        }
        Step::RuleAlone(n) => {
            let time = scene.now() + 10_000;
            let c = if *n == 0 { web } else { Box::new("db", "cccccccccccc", "shop/pg:15") };
            scene.rule_alone(&c, &app, time, "unlink", "Lonely", "Notice", &json!([]));
        }
        Step::Unnamed(n) => {
            let c = Box::new("late", &format!("dddddddddd0{n}"), "shop/x:1");
            let c = if at as u64 % 3 == 2 { c } else { c.unnamed() };
            scene.openat(&c, &app, "/app/x", "O_RDONLY");
        }
        Step::NoContainer => {
            let c = Box { id: String::new(), ..web.unnamed() };
            scene.openat(&c, &app, "/app/x", "O_RDONLY");
        }
        Step::Loss => {
            scene.loss();
        }
        Step::Skew(ahead) => {
            scene.at(if *ahead { at + 4_000.0 } else { 0.0 });
            scene.openat(&web, &app, "/app/skew", "O_RDONLY");
        }
        Step::SetBack => {
            // More than the router wants before it believes a clock.
            scene.at(at - 305.0);
            for n in 0..33 {
                scene.openat(&web, &app, &format!("/app/back-{}", letters(n)), "O_RDONLY");
            }
        }
        Step::Garbage(n) => {
            let texts = ["{", "not json", "{\"output_fields\":1}", "[]", "{\"a\":\"\\ud800\"}"];
            scene.raw(texts[*n as usize]);
        }
        Step::Other(n) => {
            let c = Box::new(&format!("other-{}", letters(*n)), &format!("eeeeeeeeee0{n}"), "x:1");
            let c = c.on(if n % 2 == 0 { "vm" } else { "vm2" });
            scene.openat(&c, &app, "/app/x", "O_RDONLY");
        }
    }
}

fn letters(n: u8) -> String {
    format!("{}{}", char::from(b'a' + n / 16), char::from(b'a' + n % 16))
}

/// A short baseline, then the steps, a third of a second apart, so that detection begins amid them.
fn lines(steps: &[Step]) -> Vec<String> {
    let mut scene = Scene::default();
    shop::steady(&mut scene, &shop::web(), 0, 8);
    for (n, step) in steps.iter().enumerate() {
        play(&mut scene, step, 310.0 + n as f64 / 3.0);
    }
    scene.texts()
}

fn run() -> Run {
    Run::new(Settings {
        learn_for: Some(312 * hanabi_event::SECOND),
        include_host: false,
        ..Settings::default()
    })
}

fn same(left: &str, right: &str) -> Result<(), TestCaseError> {
    let differs = left.lines().zip(right.lines()).enumerate().find(|(_, (l, r))| l != r);
    prop_assert!(differs.is_none() && left.len() == right.len(), "first difference: {differs:#?}");
    Ok(())
}

fn depth(node: &TreeNode) -> usize {
    1 + node.children.values().map(depth).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn block_boundaries_do_not_matter(
        steps in vec(step(), 1..60),
        blocks in vec(1usize..40, 1..6),
    ) {
        let lines = lines(&steps);
        let whole = run().feed(&lines, usize::MAX).end().outcome();
        let mut cut = run();
        let mut rest = &lines[..];
        for size in blocks.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*size));
            cut.feed(now, usize::MAX);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        same(&whole.text(), &cut.end().outcome().text())?;
        prop_assert_eq!(whole.received, lines.len() as u64);
    }

    #[test]
    fn every_line_is_accounted_for_at_every_moment(steps in vec(step(), 1..60)) {
        let lines = lines(&steps);
        let mut run = run();
        for part in lines.chunks(17) {
            run.feed(part, 5);
            let outcome = run.outcome();
            prop_assert_eq!(outcome.accounted(), outcome.received);
        }
        let outcome = run.end().outcome();
        prop_assert_eq!((outcome.pending, outcome.accounted()), (0, lines.len() as u64));
        for tree in outcome.snapshots.values() {
            prop_assert!(depth(tree) <= 60);
        }
    }

    #[test]
    fn a_restart_in_the_middle_changes_nothing(
        steps in vec(step(), 1..60),
        at in 0.0f64..1.0,
    ) {
        let lines = lines(&steps);
        let whole = run().feed(&lines, 7).end().outcome();
        let middle = (lines.len() as f64 * at) as usize / 7 * 7;
        let mut first = run();
        first.feed(&lines[..middle], 7);
        let mut second = first.restart();
        second.feed(&lines[middle..], 7).end();
        same(&whole.text(), &second.outcome().text())?;
    }

    #[test]
    fn the_order_within_a_second_of_learning_does_not_matter(
        objects in vec((0u8..6, any::<u8>(), 0u8..4), 1..80),
        seed in any::<u64>(),
    ) {
        let web = shop::web();
        let mut scene = Scene::exits();
        scene.at(0.0).openat(&web, &shop::master(), "/etc/nginx/nginx.conf", "O_RDONLY");
        let before = scene.lines.len();
        scene.at(20.2);
        for (process, object, what) in &objects {
            let p = Proc::new(&format!("/usr/bin/own-{}", letters(*process)), 500 + i64::from(*process));
            let path = format!("/srv/{}/{}", letters(object % 4), letters(*object));
            match what {
                0 => scene.openat(&web, &p, &path, "O_RDONLY"),
                1 => scene.openat(&web, &p, &path, "O_TRUNC|O_CREAT|O_WRONLY"),
                2 => scene.connect(&web, &p, "172.18.0.2", &format!("172.18.0.{object}:5432")),
                _ => scene.execve(&web, &p.args(&format!("--{} x", letters(*object)))),
            };
        }
        let straight = scene.texts();
        let mut shuffled = straight.clone();
        let mut state = seed | 1;
        for n in (before + 1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let other = before + (state >> 33) as usize % (n - before + 1);
            shuffled.swap(n, other);
        }
        let mut later = Scene::exits();
        for second in [21.0, 30.5, 31.0, 41.0] {
            later.at(second).openat(&web, &shop::master(), "/etc/nginx/nginx.conf", "O_RDONLY");
        }
        let tree = |lines: &[String]| {
            let mut run = Run::by_itself();
            run.feed(lines, 50).feed(&later.texts(), 50).end();
            serde_json::to_string_pretty(&run.outcome().snapshots).expect("json")
        };
        same(&tree(&straight), &tree(&shuffled))?;
    }
}

/// Events of one process after another with objects that never come back.
fn flood(count: u32, max_nodes: usize, each: impl Fn(&mut Scene, &Box, u32)) -> Run {
    let limits = Limits { max_nodes, ..Limits::default() };
    let mut run = Run::new(Settings { limits, ..Settings::default() });
    let web = shop::web();
    let mut n = 0;
    while n < count {
        let mut scene = Scene::exits();
        scene.at(f64::from(n / 500));
        for _ in 0..500 {
            each(&mut scene, &web, n);
            n += 1;
        }
        run.feed(&scene.texts(), 500);
    }
    run.end();
    run
}

/// Names without digits, so that generalisation has nothing to take hold of.
fn word(n: u32) -> String {
    let mut text = String::from("q");
    let mut n = n.wrapping_mul(2_654_435_761);
    for _ in 0..6 {
        text.push(char::from(b"bcdfghklmnprstvz"[(n % 16) as usize]));
        n /= 16;
    }
    text
}

#[track_caller]
fn bounded(run: &Run, count: u64, max_nodes: usize) {
    let profile = &run.watch("vm:web").profile;
    assert!(profile.tree.len() <= max_nodes, "{} nodes", profile.tree.len());
    assert_eq!(profile.events, count, "{:#?}", run.outcome().lines());
    assert_eq!(profile.snapshot().events_count, count, "the root counts every event");
}

#[test]
fn floods_of_names_stay_within_the_limit_and_are_counted() {
    let count = 50_000;
    let app = shop::app();
    bounded(
        &flood(count, 2_000, |s, c, n| {
            s.openat(c, &app, &format!("/srv/data/{}", word(n)), "O_RDONLY");
        }),
        count.into(),
        2_000,
    );
    bounded(
        &flood(count, 2_000, |s, c, n| {
            s.openat(
                c,
                &app,
                &format!("/{}/{}/{}", word(n / 40), word(n / 4), word(n)),
                "O_RDONLY",
            );
        }),
        count.into(),
        2_000,
    );
}

#[test]
fn a_flood_into_directories_that_are_there_stays_within_the_limit() {
    let (count, app) = (20_000, shop::app());
    let run = flood(count, 2_000, |s, c, n| {
        // First the directories, then file after file into each.
        let path = format!("/srv/{}/{}", word(n % 900), word(n));
        s.openat(c, &app, &path, "O_RDONLY");
    });
    bounded(&run, count.into(), 2_000);
}

#[test]
fn floods_of_peers_and_arguments_stay_within_the_limit_and_are_counted() {
    let (count, app) = (20_000, shop::app());
    bounded(
        &flood(count, 2_000, |s, c, n| {
            let to =
                format!("{}.{}.{}.9:{}", 11 + n % 200, n / 200 % 250, n % 250, 10_000 + n % 2_000);
            s.connect(c, &app, "172.18.0.2", &to);
        }),
        count.into(),
        2_000,
    );
    bounded(
        &flood(count, 2_000, |s, c, n| {
            s.execve(c, &shop::app().args(&format!("--{} {}", word(n), word(n + 1))));
        }),
        count.into(),
        2_000,
    );
}

#[test]
fn floods_of_programs_stay_within_the_limit_and_are_counted() {
    let count = 20_000;
    let run = flood(count, 2_000, |s, c, n| {
        let p = Proc::new(&format!("/usr/bin/{}", word(n)), 500).named(&word(n));
        s.openat(c, &p, "/srv/www/index.html", "O_RDONLY");
    });
    bounded(&run, count.into(), 2_000);
}

#[test]
fn merges_keep_the_counts() {
    // Thousands of files of a few endings: they merge again and again, and nothing is lost.
    let count = 10_000;
    let app = shop::app();
    let run = flood(count, 50_000, |s, c, n| {
        let ending = ["log", "tmp", "json"][n as usize % 3];
        s.openat(c, &app, &format!("/var/lib/app/{}.{ending}", word(n)), "O_RDONLY");
    });
    bounded(&run, count.into(), 200);
    let snapshot = run.watch("vm:web").profile.snapshot();
    let mut at = &snapshot.children["file_branch"].children["openat"].children["python<num>"];
    for name in ["var", "lib", "app"] {
        at = &at.children[&format!("directory_path:{name}")];
    }
    assert_eq!(at.events_count, u64::from(count));
    assert_eq!(at.children.values().map(|c| c.events_count).sum::<u64>(), u64::from(count));
    let merged = &at.children["file_name:*.log"];
    assert_eq!(merged.metadata["origin"], "merged");
    assert_eq!(merged.metadata["examples"].as_array().map(Vec::len), Some(5));
}

#[test]
fn directories_of_different_meaning_never_merge() {
    let count = 15_000;
    let app = shop::app();
    let run = flood(count, 50_000, |s, c, n| {
        s.openat(c, &app, &format!("/{}/x", word(n % 60)), "O_RDONLY");
        s.openat(c, &app, &format!("/usr/bin/{}", word(n % 60)), "O_RDONLY");
    });
    let tree = &run.watch("vm:web").profile.snapshot().children["file_branch"].children["openat"]
        .children["python<num>"];
    assert!(!tree.children.contains_key("directory_path:*"));
    assert_eq!(tree.children.keys().filter(|k| k.starts_with("directory_path:q")).count(), 60);
    let bin = &tree.children["directory_path:usr"].children["directory_path:bin"];
    assert!(!bin.children.contains_key("file_name:*"), "/usr/bin never becomes *");
}
