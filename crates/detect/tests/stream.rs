//! Lines as they come: names that are late, rules beside the catch-all, clocks that are wrong, losses,
//! danger while learning. What is counted, filed, held and waited for.

mod kit;

use hanabi_detect::{AlertSource, SKEW_AGREED, Settings};
use hanabi_event::{
    IgnoreReason::{Duplicate, Enter, Internal, NoContainer, OtherSource, Setup},
    Priority, SECOND,
};
use hanabi_profile::Phase;
use kit::{Box, FdIs, Proc, Run, Scene, ms, shop};
use serde_json::json;

fn feed(scene: &Scene) -> Run {
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 100).end();
    run
}

#[test]
fn enter_lines_are_counted_and_not_modelled() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::default();
    scene.openat(&web, &worker, "/srv/www/index.html", "O_RDONLY");
    scene.accept(&web, &worker, "172.18.0.6", "172.18.0.2:80");
    let both = feed(&scene).outcome();
    assert_eq!((both.ignored(Enter), both.counts.modelled, both.received), (3, 4, 7));
    // Falco 0.42 prints exits only: the model is the same but for the times.
    let mut scene = Scene::exits();
    scene.openat(&web, &worker, "/srv/www/index.html", "O_RDONLY");
    scene.accept(&web, &worker, "172.18.0.6", "172.18.0.2:80");
    let exits = feed(&scene).outcome();
    assert_eq!((exits.ignored(Enter), exits.counts.modelled), (0, 4));
    let shape = |node: &hanabi_profile::TreeNode| node.children["network_branch"].children.len();
    assert_eq!(shape(&both.snapshots["vm:web"]), shape(&exits.snapshots["vm:web"]));
}

#[test]
fn set_up_and_lines_without_a_container_are_ignored_by_reason() {
    let web = shop::web();
    let mut scene = Scene::default();
    let runc = Proc::new("/usr/sbin/runc", 99).named("runc:[2:INIT]");
    scene.openat(&web, &runc, "/var/lib/docker/overlay2/x/merged/dev", "O_RDONLY");
    scene.container_meta(&web, "shop/nginx:1.23");
    let nobody = Box { id: String::new(), ..web.unnamed() };
    scene.openat(&nobody, &runc, "/dev/null", "O_RDONLY");
    scene.raw(&scene.lines[0].1.replace("\"syscall\"", "\"k8s_audit\"").clone());
    let outcome = feed(&scene).outcome();
    assert_eq!((outcome.ignored(Setup), outcome.ignored(NoContainer)), (3, 2));
    assert_eq!((outcome.ignored(OtherSource), outcome.counts.modelled), (1, 0));
    assert_eq!(outcome.accounted(), outcome.received);
}

#[test]
fn the_meta_events_image_beats_the_field() {
    let web = shop::web();
    let mut scene = Scene::default();
    scene.container_meta(&web, "shop/nginx:1.23");
    scene.openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    let run = feed(&scene);
    assert_eq!(run.watch("vm:web").profile.revisions, ["shop/nginx:1.23"]);
}

#[test]
fn several_rules_for_one_event_are_modelled_once_in_any_order() {
    let (web, cat) = (shop::web(), Proc::new("/usr/bin/cat", 9_000).exec());
    let mut scene = Scene::exits();
    scene.openat(&web, &cat, "/etc/motd", "O_RDONLY");
    scene.rule(&web, &cat, "First", "Warning", &json!([]));
    scene.rule(&web, &cat, "Second", "Error", &json!([]));
    let texts = scene.texts();
    let mut later = Scene::exits();
    later.at(5.0).openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        for block in [1, 100] {
            let lines: Vec<&str> = order.iter().map(|n| texts[*n].as_str()).collect();
            let mut run = Run::by_itself();
            run.feed(&lines, block).feed(&later.texts(), 1).end();
            let outcome = run.outcome();
            assert_eq!((outcome.counts.modelled, outcome.ignored(Duplicate)), (2, 2), "{order:?}");
            assert_eq!(run.watch("vm:web").profile.events, 2, "{order:?}");
            for (rule, priority) in [("First", Priority::Warning), ("Second", Priority::Error)] {
                let alert = outcome.alert(rule);
                assert_eq!((alert.priority, alert.count), (priority, 1), "{order:?}");
                assert_eq!(alert.source, AlertSource::Falco);
            }
        }
    }
}

#[test]
fn a_rules_line_alone_is_modelled_after_a_millisecond() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::default();
    let start = scene.now();
    scene.rule_alone(&web, &worker, start, "unlink", "Lonely", "Notice", &json!([]));
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 1);
    assert_eq!((run.outcome().pending, run.outcome().counts.modelled), (1, 0));
    let at = |after| {
        let mut scene = Scene::exits();
        let c = Box::new("other", "aaaaaaaaaaaa", "shop/x:1");
        scene.at(after).openat(&c, &worker, "/x", "O_RDONLY");
        scene.texts()
    };
    run.feed(&at(0.0009), 1);
    assert_eq!(run.outcome().pending, 1, "not yet");
    run.feed(&at(0.0011), 1);
    let outcome = run.outcome();
    assert_eq!((outcome.pending, outcome.counts.modelled), (0, 3));
    assert_eq!(outcome.accounted(), outcome.received);
}

#[test]
fn a_rule_below_the_limit_raises_nothing() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::default();
    scene.openat(&web, &worker, "/srv/www/index.html", "O_RDONLY");
    scene.rule(&web, &worker, "Chatty", "Warning", &json!([]));
    let settings = Settings { rule_min_priority: Priority::Error, ..Settings::default() };
    let outcome = Run::new(settings).feed(&scene.texts(), 10).end().outcome();
    assert!(outcome.alerts.is_empty());
    assert_eq!(outcome.ignored(Duplicate), 1);
}

#[test]
fn lines_wait_for_their_containers_name_and_are_filed_in_order() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::exits();
    scene.openat(&web.unnamed(), &worker, "/first", "O_RDONLY");
    scene.at(1.0).openat(&web.unnamed(), &worker, "/second", "O_RDONLY");
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 1);
    assert_eq!((run.outcome().pending, run.identities().len()), (2, 0));
    let mut named = Scene::exits();
    named.at(2.0).openat(&web, &worker, "/third", "O_RDONLY");
    run.feed(&named.texts(), 1);
    assert_eq!((run.outcome().pending, run.outcome().counts.modelled), (0, 3));
    assert_eq!(run.identities(), ["vm:web"]);
    let profile = &run.watch("vm:web").profile;
    assert_eq!((profile.first_seen, profile.events), (kit::EPOCH + 20_000, 3));
}

#[test]
fn a_name_that_never_comes_files_under_the_id_and_a_late_one_renames() {
    let (web, worker) = (shop::web(), shop::worker());
    let other = Box::new("other", "aaaaaaaaaaaa", "shop/x:1");
    let mut scene = Scene::exits();
    scene.openat(&web.unnamed(), &worker, "/first", "O_RDONLY");
    scene.at(10.0).openat(&other, &worker, "/x", "O_RDONLY");
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 1);
    assert_eq!((run.outcome().pending, run.identities()), (1, vec!["vm:other"]));
    let mut later = Scene::exits();
    later.at(10.1).openat(&other, &worker, "/x", "O_RDONLY");
    later.openat(&web.unnamed(), &worker, "/second", "O_RDONLY");
    run.feed(&later.texts(), 1);
    assert_eq!(run.outcome().pending, 0);
    assert_eq!(run.identities(), ["id:112497b102cd", "vm:other"]);
    let mut named = Scene::exits();
    named.at(12.0).openat(&web, &worker, "/third", "O_RDONLY");
    run.feed(&named.texts(), 1);
    assert_eq!(run.identities(), ["vm:other", "vm:web"]);
    assert_eq!(run.watch("vm:web").profile.events, 3);
}

/// A profile of the name that has seen `/old`, and 15 seconds of another container of it whose name
/// comes after 12; the first detects after `learn` seconds.
fn a_late_replica(learn: u64, block: usize) -> Run {
    let (web, worker) = (shop::web(), shop::worker());
    let replica = web.with_id("777788889999");
    let mut scene = Scene::exits();
    for second in 0..60 {
        scene.at(f64::from(second)).openat(&web, &worker, "/old", "O_RDONLY");
    }
    for second in 60..72 {
        scene.at(f64::from(second)).openat(&replica.unnamed(), &worker, "/new", "O_RDONLY");
        scene.openat(&web, &worker, "/old", "O_RDONLY");
    }
    scene.execve(&replica.unnamed(), &Proc::new("/tmp/x", 900));
    for second in 72..75 {
        scene.at(f64::from(second)).openat(&replica, &worker, "/newer", "O_RDONLY");
    }
    let mut run = Run::learning_for(learn);
    run.feed(&scene.texts(), block).end();
    run
}

#[test]
fn what_was_filed_under_an_id_goes_to_the_profile_of_the_name_that_comes_late() {
    let text = a_late_replica(1_000, 1).outcome().text();
    for block in [1, 7, 1_000] {
        let run = a_late_replica(1_000, block);
        assert_eq!(run.outcome().text(), text, "block {block}");
        let watch = run.watch("vm:web");
        assert_eq!(watch.profile.events, 60 + 2 * 12 + 3, "what waits for a person is not learned");
        assert_eq!(watch.instances.len(), 2);
        let blank: Vec<_> = run.watches().filter(|watch| watch.is_blank()).collect();
        assert_eq!(blank.len(), 1, "its place waits for another");
        let tree = serde_json::to_string(&watch.profile.snapshot()).unwrap();
        for file in ["old", "new", "newer"] {
            assert!(tree.contains(&format!("\"file_name:{file}\"")), "{file}: {tree}");
        }
        let alerts = run.outcome().alerts;
        assert!(alerts.iter().any(|a| a.rule.starts_with("danger.")), "{alerts:#?}");
        assert!(alerts.iter().all(|a| a.identity == "vm:web"));
    }
}

#[test]
fn a_profile_that_detects_does_not_learn_from_what_nobody_judged() {
    let run = a_late_replica(50, 7);
    let tree = serde_json::to_string(&run.watch("vm:web").profile.snapshot()).unwrap();
    assert!(!tree.contains("\"file_name:new\""), "{tree}");
    assert!(run.outcome().alerts.iter().any(|a| a.rule.starts_with("danger.")));
    assert!(run.outcome().alerts.iter().all(|a| a.identity == "vm:web"));
}

#[test]
fn a_place_that_was_given_up_is_taken_by_the_next() {
    let mut run = a_late_replica(1_000, 7).restart();
    let before = run.watches().count();
    let mut scene = Scene::exits();
    let worker = shop::worker();
    for number in 0..200 {
        let next = Box::new(&format!("c{number}"), &format!("c{number:011}"), "shop/x:1");
        scene.at(80.0 + f64::from(number)).openat(&next, &worker, "/x", "O_RDONLY");
    }
    run.feed(&scene.texts(), 7).end();
    assert_eq!(run.watches().count(), before + 199);
    assert!(run.watches().all(|watch| !watch.is_blank()));
    let outcome = run.outcome();
    assert_eq!(outcome.accounted(), outcome.received);
}

#[test]
fn an_event_far_off_is_counted_and_does_not_move_the_time() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::exits();
    scene.at(0.0).openat(&web, &worker, "/a", "O_RDONLY");
    scene.at(400.0).openat(&web, &worker, "/b", "O_RDONLY");
    scene.at(1.0).openat(&web, &worker, "/c", "O_RDONLY");
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 1);
    assert_eq!((run.router.clock_skew, run.outcome().counts.modelled), (1, 3));
    assert!(run.router.now() < kit::EPOCH + 2 * SECOND);
}

#[test]
fn an_event_far_off_does_not_decide_on_learning() {
    let web = shop::web();
    // A day ahead: learning must not end by its longest time.
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 20);
    scene.at(30.0 * 3_600.0).openat(&web, &shop::worker(), "/srv/www/late.html", "O_RDONLY");
    shop::steady(&mut scene, &web, 20, 30);
    let run = feed(&scene);
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Warmup);
    // An hour ahead with something new: learning must still end.
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 20);
    scene.at(3_600.0).openat(&web, &shop::worker(), "/srv/www/late.html", "O_RDONLY");
    shop::steady(&mut scene, &web, 20, 400);
    let run = feed(&scene);
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Detecting);
}

#[test]
fn falcos_word_of_losses_makes_profiles_lossy() {
    let web = shop::web();
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 60);
    scene.loss();
    shop::steady(&mut scene, &web, 60, 70);
    let run = feed(&scene);
    assert_eq!(run.watch("vm:web").profile.phase, Phase::Degraded);
    assert_eq!((run.router.losses, run.outcome().ignored(Internal)), (1, 1));
    let mut run = run;
    for (from, to, phase) in [(70, 119, Phase::Degraded), (119, 130, Phase::Detecting)] {
        let mut longer = Scene::default();
        shop::steady(&mut longer, &web, from, to);
        run.feed(&longer.texts(), 100).end();
        assert_eq!(run.watch("vm:web").profile.phase, phase, "a minute without loss");
    }
}

#[test]
fn learning_ends_by_itself_on_steady_work_only() {
    let web = shop::web();
    let phase_after = |seconds, change: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, 0, seconds);
        change(&mut scene);
        shop::steady(&mut scene, &web, seconds, seconds + 3);
        feed(&scene).watch("vm:web").profile.phase
    };
    let nothing = |_: &mut Scene| {};
    assert_eq!(phase_after(40, &nothing), Phase::Warmup);
    assert_eq!(phase_after(115, &nothing), Phase::Learning, "not before min_time");
    assert_eq!(phase_after(600, &nothing), Phase::Detecting);
    // Every half minute something new.
    let mut scene = Scene::default();
    for at in (0..600).step_by(30) {
        shop::steady(&mut scene, &web, at, at + 30);
        let name =
            format!("/srv/www/{}", "abcdefghijklmnopqrstuvwxyz".split_at(at as usize / 30).0);
        scene.openat(&web, &shop::worker(), &name, "O_RDONLY");
    }
    assert_eq!(feed(&scene).watch("vm:web").profile.phase, Phase::Learning);
    // Every half minute a loss.
    let mut scene = Scene::default();
    for at in (0..600).step_by(30) {
        shop::steady(&mut scene, &web, at, at + 30);
        scene.loss();
    }
    assert_eq!(feed(&scene).watch("vm:web").profile.phase, Phase::Degraded);
}

#[test]
fn danger_while_learning_is_raised_kept_apart_and_not_learned() {
    let web = shop::web();
    let cat = Proc::new("/usr/bin/cat", 9_000).args("/etc/shadow").exec();
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 100);
    scene.execve(&web, &cat).openat(&web, &cat, "/etc/shadow", "O_RDONLY").exit(&web, &cat);
    shop::steady(&mut scene, &web, 100, 200);
    scene.at(210.0);
    scene.openat(&web, &cat, "/etc/shadow", "O_RDONLY");
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene.texts(), 100).end();
    let outcome = run.outcome();
    let alert = outcome.alert("danger.credential_read");
    assert_eq!((alert.count, alert.phase.as_str()), (3, "learning"));
    let items: Vec<_> = run.watch("vm:web").quarantine.values().collect();
    assert!(items.iter().any(|q| q.rule == "credential_read" && !q.accepted), "{items:?}");
    let snapshot = serde_json::to_string(&outcome.snapshots["vm:web"]).expect("json");
    assert!(!snapshot.contains("shadow"));
}

#[test]
fn danger_that_recurs_is_the_containers_own_work() {
    let web = shop::web();
    let keys = "/root/.ssh/id_rsa";
    let backup = Proc::new("/usr/bin/rclone", 300).args("sync");
    let with = |seconds: &[f64]| {
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, 0, 20);
        for at in seconds {
            scene.at(*at).openat(&web, &backup, keys, "O_RDONLY");
            scene.close(&web, &backup, &FdIs::File(6, keys.to_owned()));
        }
        shop::steady(&mut scene, &web, 60, 200);
        scene.at(210.0).openat(&web, &backup, keys, "O_RDONLY");
        let mut run = Run::learning_for(shop::LEARN);
        run.feed(&scene.texts(), 100).end();
        run
    };
    let own = with(&[30.0, 35.0, 40.0, 45.0]);
    assert_eq!(own.outcome().alert("danger.credential_read").count, 2, "the third is accepted");
    assert!(own.watch("vm:web").quarantine.values().all(|q| q.accepted));
    // Three times within one second is one burst of work, not three.
    let once = with(&[30.1, 30.2, 30.3, 30.4]);
    assert_eq!(once.outcome().alert("danger.credential_read").count, 5);
}

#[test]
fn ids_do_not_depend_on_pid_container_or_time() {
    let attack = |offset: f64, pid: i64, id: &str, host_shift: u64| {
        let web = shop::web().with_id(id);
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, host_shift, host_shift + 200);
        scene.at(host_shift as f64 + 205.0 + offset);
        let bash = Proc::new("/usr/bin/bash", pid).args("-i").exec().tty(34_816);
        scene.execve(&web, &bash);
        scene.connect(&web, &shop::app(), "172.18.0.2", "203.0.113.9:443");
        scene.openat(&web, &shop::worker(), "/opt/x/drop.bin", "O_CREAT|O_EXCL|O_WRONLY");
        Run::learning_for(shop::LEARN).feed(&scene.texts(), 100).end().outcome()
    };
    let fingerprints = |o: &kit::Outcome| -> Vec<String> {
        o.alerts.iter().map(|a| format!("{} {}", a.rule, a.fingerprint)).collect()
    };
    let one = attack(0.0, 9_000, "112497b102cd", 1);
    let two = attack(3.5, 77_123, "ffffffffffff", 5_000);
    assert!(one.alerts.len() >= 3);
    assert_eq!(fingerprints(&one), fingerprints(&two));
    let again = attack(0.0, 9_000, "112497b102cd", 1);
    let ids = |o: &kit::Outcome| -> Vec<String> { o.alerts.iter().map(|a| a.id.clone()).collect() };
    assert_eq!(ids(&one), ids(&again));
    assert_ne!(ids(&one), ids(&two), "the id tells one occurrence from the next");
}

#[test]
fn silence_moves_what_waits() {
    let (web, worker) = (shop::web(), shop::worker());
    let mut scene = Scene::exits();
    scene.openat(&web.unnamed(), &worker, "/first", "O_RDONLY");
    let mut run = Run::by_itself();
    run.feed(&scene.texts(), 1);
    run.silence(ms(5_000));
    assert_eq!(run.outcome().pending, 1);
    run.silence(ms(5_100));
    assert_eq!((run.outcome().pending, run.identities()), (0, vec!["id:112497b102cd"]));
}

/// A rule's line that waits, then so many events of a clock that was set back by more than any skew,
/// with a call under way before and after.
fn set_back() -> Vec<String> {
    let web = shop::web();
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 5);
    scene.at(400.0).openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    let again = SKEW_AGREED;
    for _ in 0..again {
        scene.openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    }
    scene.rule_alone(&web, &shop::app(), scene.now() + 1, "unlink", "Odd", "Notice", &json!([]));
    scene.at(20.0);
    for _ in 0..again {
        scene.openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    }
    scene.connect(&web, &shop::app(), "172.18.0.2", "172.18.0.5:5432");
    scene.texts()
}

#[test]
fn a_clock_that_is_set_back_ends_what_waits_and_nothing_else() {
    let mut whole = Run::learning_for(1_000);
    whole.feed(&set_back(), usize::MAX);
    let outcome = whole.outcome();
    assert_eq!(outcome.pending, 0);
    assert!(whole.router.now() < kit::EPOCH + ms(21_000), "the clock was taken");
    let unpaired: u64 = whole.shards.iter().map(|shard| shard.unpaired().0).sum();
    assert_eq!(unpaired, 0, "a call whose end comes at once is no attempt");
    let lines = set_back();
    for at in lines.len() - 140..lines.len() {
        let mut cut = Run::learning_for(1_000);
        cut.feed(&lines[..at], usize::MAX).feed(&lines[at..], usize::MAX);
        assert_eq!(cut.outcome().text(), outcome.text(), "cut at {at} of {}", lines.len());
    }
}

#[test]
fn a_rule_and_the_event_that_waited_with_it_for_a_name_are_one() {
    let (web, app) = (shop::web(), shop::app());
    let mut scene = Scene::exits();
    scene.openat(&web.unnamed(), &app, "/etc/motd", "O_RDONLY");
    scene.rule(&web.unnamed(), &app, "Odd", "Notice", &json!([]));
    let last = scene.lines.len() - 1;
    scene.lines.swap(last, last - 1);
    scene.at(2.0).openat(&web, &app, "/etc/motd", "O_RDONLY");
    let outcome = feed(&scene).outcome();
    assert_eq!((outcome.counts.modelled, outcome.ignored(Duplicate)), (2, 1));
}

/// Lines of one identity on two hosts, one of which waits for its catch-all line.
fn two_hosts() -> Vec<String> {
    let web = shop::web();
    let far = web.with_id("ffffffffffff").on("vm2");
    let mut scene = Scene::exits();
    shop::steady(&mut scene, &web, 0, 5);
    scene.at(10.0);
    let wget = Proc::new("/usr/bin/wget", 9_000).exec();
    scene.rule_alone(&web, &wget, kit::EPOCH + ms(10_000), "execve", "Odd", "Notice", &json!([]));
    let other = Box::new("other", "aaaaaaaaaaaa", "shop/x:1");
    scene.at(11.0).openat(&other, &shop::worker(), "/x", "O_RDONLY");
    scene.at(12.0).execve(&far, &wget);
    scene.texts()
}

#[test]
fn blocks_do_not_matter_where_hosts_share_an_identity() {
    let run = |block| {
        let settings =
            Settings { include_host: false, learn_for: Some(8 * SECOND), ..Settings::default() };
        Run::new(settings).feed(&two_hosts(), block).end().outcome()
    };
    assert_eq!(run(1).text(), run(1_000).text());
}

#[test]
fn a_health_check_is_no_start_of_a_container_that_runs() {
    // Hanabi begins when the container runs; its first process sleeps, the health check does not.
    let web = shop::web();
    let mut scene = Scene::exits();
    for second in 0..210 {
        scene.at(f64::from(second));
        shop::health(&mut scene, &web, 10_000 + i64::from(second) * 4);
    }
    let bash = Proc::new("/usr/bin/bash", 9_000).args("/opt/rotate.sh").exec();
    let gzip = Proc::new("/usr/bin/gzip", 9_001).child_of(&bash);
    scene.at(210.0).execve(&web, &bash).execve(&web, &gzip);
    let outcome = Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome();
    let alert = outcome.alert("hbt.new_process");
    assert!(alert.evidence[0].score > 0.3, "{:?}", alert.evidence);
}
