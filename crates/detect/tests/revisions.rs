//! A new image of a known container: what the change explains is one difference, the rest is judged.

mod kit;

use hanabi_event::Priority::{Notice, Warning};
use hanabi_profile::Phase;
use kit::{Box, Outcome, Proc, Run, Scene, shop};

/// The redeployment, after half a minute of detection.
const DEPLOY: f64 = 210.0;

fn renewed() -> Box {
    Box::new("web", "767fb1c3264d", "shop/nginx:1.23")
}

/// The baseline, a redeployment with a new image, the sequence `wait` seconds later, steady work.
fn redeployed(wait: f64, sequence: impl FnOnce(&mut Scene, &Box)) -> (Run, Outcome) {
    let (web, new) = (shop::web(), renewed());
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 210);
    scene.at(DEPLOY);
    shop::start(&mut scene, &new);
    sequence(scene.at(DEPLOY + wait), &new);
    let after = (DEPLOY + wait) as u64 + 5;
    shop::steady(&mut scene, &new, after, after + 70);
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene.texts(), 500).end();
    let outcome = run.outcome();
    (run, outcome)
}

/// What version 1.23 of the shop does and 1.22 did not.
fn new_version(s: &mut Scene, c: &Box) {
    s.openat(c, &shop::app(), "/app/lib/money.py", "O_RDONLY");
    s.openat(c, &shop::app(), "/app/lib/rates-2.0.jar", "O_RDONLY");
    s.execve(c, &shop::master().pid(140).args("-g daemon off; -t"));
}

#[test]
fn what_a_new_image_explains_is_one_notice() {
    let (run, outcome) = redeployed(5.0, new_version);
    let alert = outcome.alert("hbt.revision");
    assert_eq!((alert.priority, outcome.alerts.len()), (Notice, 1), "{:#?}", outcome.lines());
    assert!(alert.summary.en.contains("shop/nginx:1.23"), "{}", alert.summary.en);
    let tokens: Vec<&str> = alert.evidence.iter().map(|e| e.token.as_str()).collect();
    assert!(tokens.contains(&"/app/lib/money.py"), "{tokens:?}");
    let profile = &run.watch("vm:web").profile;
    assert_eq!((profile.revisions.len(), profile.phase), (2, Phase::Detecting));
    let diff = profile.diffs.last().expect("a difference");
    assert_eq!((diff.parent.as_str(), diff.image.as_str()), ("shop/nginx:1.22", "shop/nginx:1.23"));
    assert_eq!(diff.additions_total as usize, diff.additions.len());
    assert!(diff.additions_total >= 2, "{diff:#?}");
}

#[test]
fn the_same_without_a_new_image_is_judged() {
    let mut scene = Scene::default();
    shop::steady(&mut scene, &shop::web(), 0, 210);
    new_version(scene.at(DEPLOY), &shop::web());
    let outcome = Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome();
    assert!(!outcome.has("hbt.revision") && !outcome.alerts.is_empty(), "{:#?}", outcome.lines());
}

#[test]
fn after_its_window_a_new_image_is_judged_as_any() {
    let (run, outcome) = redeployed(90.0, new_version);
    assert!(!outcome.has("hbt.revision"), "{:#?}", outcome.lines());
    assert!(outcome.has("hbt.new_directory"), "{:#?}", outcome.lines());
    assert_eq!(run.watch("vm:web").profile.diffs.last().map(|d| d.additions_total), Some(0));
}

#[test]
fn an_attack_does_not_hide_in_a_new_image() {
    let (run, outcome) = redeployed(5.0, |s, c| {
        let shell = Proc::new("/usr/bin/dash", 9_000).named("sh").args("-c id");
        s.execve(c, &shell.child_of(&shop::worker()));
        s.connect(c, &shop::app(), "172.18.0.2", "203.0.113.9:443");
        s.openat(c, &shop::app(), "/etc/shadow", "O_RDONLY");
        s.openat(c, &shop::app(), "/app/lib/hook.py", "O_TRUNC|O_CREAT|O_WRONLY");
    });
    for (rule, least) in [
        ("danger.service_shell", Warning),
        ("hbt.new_peer", Warning),
        ("danger.credential_read", Warning),
        ("hbt.new_directory", Notice),
    ] {
        let alert = outcome.alert(rule);
        assert!(alert.priority >= least, "{rule} {} {:#?}", alert.priority, alert.score_parts);
    }
    assert_eq!(run.watch("vm:web").profile.diffs.last().map(|d| d.additions_total), Some(0));
}

#[test]
fn what_a_revision_took_in_is_known_afterwards_and_restored() {
    let (run, before) = redeployed(5.0, new_version);
    let mut run = run.restart();
    let mut later = Scene::default();
    new_version(later.at(DEPLOY + 200.0), &renewed());
    run.feed(&later.texts(), 500).end();
    let after = run.outcome();
    assert_eq!(before.lines(), after.lines());
    assert_eq!(before.alert("hbt.revision").count, after.alert("hbt.revision").count);
}
