//! A web server's learned baseline, then one sequence of events: the alert it must raise, or none.

mod kit;

use hanabi_detect::{Alert, AlertSource};
use hanabi_event::Priority::{self, Critical, Error, Notice, Warning};
use kit::{Box, Outcome, Proc, Run, Scene, shop};
use serde_json::json;

/// When the sequence begins: detection is on for half a minute, all start-up windows are over.
const THEN: f64 = 210.0;

/// The baseline, the sequence, and two seconds of the steady work.
fn after(sequence: impl FnOnce(&mut Scene, &Box)) -> Outcome {
    let web = shop::web();
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 210);
    sequence(scene.at(THEN), &web);
    shop::steady(&mut scene, &web, 240, 242);
    let mut run = Run::learning_for(shop::LEARN);
    run.feed(&scene.texts(), 500).end().outcome()
}

/// The one alert of this rule, with this priority; `and` lists what else may be there.
#[track_caller]
fn expect(outcome: &Outcome, rule: &str, priority: Priority) -> Alert {
    let alert = outcome.alert(rule).clone();
    assert_eq!(alert.priority, priority, "{rule}: {:#?}", alert.score_parts);
    alert
}

#[track_caller]
fn only(outcome: &Outcome, rule: &str, priority: Priority) -> Alert {
    let alert = expect(outcome, rule, priority);
    assert_eq!(outcome.alerts.len(), 1, "more than one: {:#?}", outcome.lines());
    alert
}

#[track_caller]
fn none(outcome: &Outcome) {
    assert_eq!(outcome.lines(), [""; 0]);
}

#[track_caller]
fn below(outcome: &Outcome, priority: Priority) {
    let loud: Vec<String> = outcome
        .alerts
        .iter()
        .filter(|a| a.priority >= priority)
        .map(|a| format!("{} {} {}", a.priority, a.rule, a.summary.en))
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

fn shell(pid: i64) -> Proc {
    Proc::new("/usr/bin/dash", pid).named("sh")
}

#[test]
fn the_baseline_itself_is_silent() {
    let outcome = after(|_, _| {});
    none(&outcome);
    assert!(outcome.phases["vm:web"].detects());
}

#[test]
fn a_new_process_by_docker_exec() {
    let outcome = after(|s, web| {
        let sed = Proc::new("/usr/bin/sed", 9_000).args("-i s/a/b/ /etc/app.conf").exec();
        s.execve(web, &sed).exit(web, &sed);
    });
    let alert = only(&outcome, "hbt.new_process", Notice);
    assert_eq!(alert.container.name, "web");
    assert_eq!(alert.path.token, "sed");
    assert!(alert.summary.en.contains("sed -i s/a/b/ /etc/app.conf"), "{}", alert.summary.en);
    assert!(alert.summary.zh.contains("sed"), "{}", alert.summary.zh);
    assert_eq!(alert.mitre, ["T1059"]);
    assert!(!alert.samples.is_empty() && alert.source == AlertSource::Hanabi);
}

#[test]
fn a_known_name_from_another_executable() {
    let outcome = after(|s, web| {
        s.execve(web, &Proc::new("/usr/local/lib/nginx", 9_000).named("nginx").child_of(&shell(1)));
    });
    let alert = only(&outcome, "hbt.new_executable", Notice);
    assert_eq!(alert.path.token, "/usr/local/lib/nginx");
    assert!(alert.expected.iter().any(|e| e.token == "/usr/sbin/nginx"), "{:?}", alert.expected);

    let outcome = after(|s, web| {
        s.execve(web, &Proc::new("/tmp/nginx", 9_000).exec());
    });
    expect(&outcome, "danger.writable_execution", Critical);
}

#[test]
fn outgoing_connections() {
    // A new port of a known host.
    let outcome = after(|s, web| {
        s.connect(web, &shop::app(), "172.18.0.2", "172.18.0.5:6379");
    });
    let alert = only(&outcome, "hbt.new_port", Warning);
    assert_eq!(alert.path.raw, "172.18.0.5:6379");
    assert_eq!(alert.expected[0].token, "5432");

    // A public peer.
    let outcome = after(|s, web| {
        s.connect(web, &shop::app(), "172.18.0.2", "203.0.113.9:443");
    });
    let alert = only(&outcome, "hbt.new_peer", Warning);
    assert!(alert.score_parts.iter().any(|p| p.name == "public"), "{:?}", alert.score_parts);
    // The same by a service that never did such a thing.
    let outcome = after(|s, web| {
        s.connect(web, &shop::worker(), "172.18.0.2", "203.0.113.9:443");
    });
    only(&outcome, "hbt.new_peer", Error);

    // Another container of the same network, the same port.
    let outcome = after(|s, web| {
        s.connect(web, &shop::app(), "172.18.0.2", "172.18.0.77:5432");
    });
    none(&outcome);

    // Another private network, the same port: worth a look, no more.
    let outcome = after(|s, web| {
        s.connect(web, &shop::app(), "172.18.0.2", "10.99.0.7:5432");
    });
    only(&outcome, "hbt.new_peer", Notice);
}

#[test]
fn a_refused_connect_is_seen_by_its_enter_line() {
    let outcome = after(|s, web| {
        s.connect_refused(web, &shop::app(), "172.18.0.9:8086");
    });
    let alert = only(&outcome, "hbt.new_port", Warning);
    assert_eq!(alert.path.raw, "172.18.0.9:8086");
}

#[test]
fn incoming_connections() {
    let outcome = after(|s, web| {
        s.accept(web, &shop::worker(), "172.18.0.200", "172.18.0.2:80");
        s.accept(web, &shop::worker(), "10.3.2.1", "172.18.0.2:80");
    });
    none(&outcome);
    let outcome = after(|s, web| {
        s.accept(web, &shop::worker(), "203.0.113.50", "172.18.0.2:80");
    });
    only(&outcome, "hbt.new_peer", Notice);
}

#[test]
fn a_new_listener() {
    let outcome = after(|s, web| {
        s.listen(web, &shop::app(), "0.0.0.0:4040");
    });
    let alert = only(&outcome, "hbt.new_port", Warning);
    assert_eq!(alert.path.raw, "0.0.0.0:4040");
}

#[test]
fn a_service_starts_a_shell() {
    let outcome = after(|s, web| {
        let child = shell(9_000).args("-c id").child_of(&shop::worker());
        let id = Proc::new("/usr/bin/id", 9_001).child_of(&child);
        s.execve(web, &child).execve(web, &id).exit(web, &id).exit(web, &child);
    });
    let alert = expect(&outcome, "danger.service_shell", Error);
    assert_eq!(alert.mitre[..2], ["T1190", "T1059.004"]);
    let names: Vec<&str> = alert.lineage.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["nginx", "nginx", "sh"]);
    assert_eq!(outcome.alerts.len(), 1, "{:#?}", outcome.lines());
}

#[test]
fn a_shell_with_a_terminal() {
    let outcome = after(|s, web| {
        s.execve(web, &Proc::new("/usr/bin/bash", 9_000).exec().tty(34_816));
    });
    only(&outcome, "danger.terminal_shell", Error);
}

#[test]
fn a_read_of_shadow_by_a_new_program() {
    let outcome = after(|s, web| {
        let cat = Proc::new("/usr/bin/cat", 9_000).args("/etc/shadow").exec();
        s.execve(web, &cat).openat(web, &cat, "/etc/shadow", "O_RDONLY").exit(web, &cat);
    });
    let alert = expect(&outcome, "danger.credential_read", Error);
    assert!(alert.mitre.contains(&"T1003.008".to_owned()));
    assert!(alert.summary.en.contains("/etc/shadow"), "{}", alert.summary.en);
}

#[test]
fn a_path_that_climbs() {
    let outcome = after(|s, web| {
        s.openat_named(web, &shop::worker(), "/data/../etc/passwd", "/etc/passwd", "O_RDONLY");
    });
    expect(&outcome, "danger.path_traversal", Error);
}

#[test]
fn a_path_that_climbs_to_a_file_that_the_program_reads_anyway() {
    let outcome = after(|s, web| {
        let (c, p) = (web, shop::worker());
        s.openat_named(c, &p, "/data/../srv/www/index.html", "/srv/www/index.html", "O_RDONLY");
    });
    expect(&outcome, "danger.path_traversal", Error);
}

#[test]
fn a_stable_service_writes_into_a_new_directory() {
    let outcome = after(|s, web| {
        s.openat(web, &shop::worker(), "/opt/x/drop.bin", "O_CREAT|O_EXCL|O_WRONLY");
    });
    let alert = only(&outcome, "hbt.new_directory", Warning);
    assert!(alert.summary.en.contains("write"), "{}", alert.summary.en);
}

#[test]
fn writes_beside_the_files_it_always_writes() {
    let outcome = after(|s, web| {
        let flags = "O_TRUNC|O_CREAT|O_WRONLY";
        s.openat(web, &shop::app(), "/var/lib/app/sessions/b.json", flags);
        s.openat(web, &shop::app(), "/var/lib/app/sessions/index.db", flags);
    });
    below(&outcome, Warning);
}

#[test]
fn a_socket_becomes_standard_input() {
    let tuple = "172.18.0.2:48600->172.18.0.1:4242";
    let outcome = after(|s, web| {
        let python = Proc::new("/usr/bin/python3.11", 9_000).named("python3").exec();
        s.execve(web, &python).dup2_socket(web, &python, tuple, 0);
    });
    let alert = expect(&outcome, "danger.socket_stdio", Critical);
    assert_eq!(alert.lineage.last().map(|l| l.name.as_str()), Some("python3"));
    // Onto another descriptor it is ordinary.
    let outcome = after(|s, web| {
        s.dup2_socket(web, &shop::app(), tuple, 7);
    });
    assert!(!outcome.has("danger.socket_stdio"), "{:#?}", outcome.lines());
}

#[test]
fn executables_that_are_not_the_images() {
    let outcome = after(|s, web| {
        let flags = "5(EXE_WRITABLE|EXE_FROM_MEMFD)";
        let p = Proc::new("memfd:x", 9_000).named("3").exec().exe_flags(flags);
        s.execve(web, &p);
    });
    expect(&outcome, "danger.memory_execution", Critical);
    let outcome = after(|s, web| {
        let flags = "3(EXE_WRITABLE|EXE_UPPER_LAYER)";
        s.execve(web, &Proc::new("/usr/bin/helper", 9_000).exec().exe_flags(flags));
    });
    expect(&outcome, "danger.dropped_execution", Error);
}

#[test]
fn a_burst_of_ports_is_a_scan() {
    let outcome = after(|s, web| {
        for port in 21..60 {
            s.connect_refused(web, &shop::app(), &format!("172.18.0.5:{port}"));
        }
    });
    let alert = expect(&outcome, "burst.network_scan", Error);
    assert_eq!(alert.mitre, ["T1046"]);
}

#[test]
fn a_burst_of_files_is_a_sweep_unless_they_are_known() {
    let tar = || Proc::new("/usr/bin/tar", 9_000).args("-cf /dev/null /srv").exec();
    let outcome = after(|s, web| {
        s.execve(web, &tar());
        for n in 0..200 {
            let letter = char::from(b'a' + (n % 26) as u8);
            s.openat(web, &tar(), &format!("/srv/{letter}x{letter}/{letter}-{n}q"), "O_RDONLY");
            s.openat(web, &tar(), &format!("/home/{}/{}", word(n), word(n + 7)), "O_RDONLY");
        }
    });
    expect(&outcome, "burst.file_sweep", Warning);

    let outcome = after(|s, web| {
        s.execve(web, &tar());
        for _ in 0..100 {
            s.openat(web, &tar(), "/srv/www/index.html", "O_RDONLY");
            s.openat(web, &tar(), "/srv/www/style.css", "O_RDONLY");
        }
    });
    assert!(!outcome.has("burst.file_sweep"), "{:#?}", outcome.lines());
    below(&outcome, Warning);
}

/// Words without digits, all different.
fn word(n: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    format!("{}{}o{}", letter(n / 676), letter(n / 26), letter(n))
}

#[test]
fn a_sweep_of_200_files_that_another_program_reads_is_no_sweep() {
    let web = shop::web();
    let mut scene = Scene::default();
    shop::steady(&mut scene, &web, 0, 30);
    for n in 0..200 {
        let path = format!("/srv/www/{}/{}", word(n / 20), word(n));
        scene.openat(&web, &shop::worker(), &path, "O_RDONLY");
    }
    shop::steady(&mut scene, &web, 30, 210);
    scene.at(THEN);
    let tar = Proc::new("/usr/bin/tar", 9_000).args("-cf /dev/null /srv").exec();
    scene.execve(&web, &tar);
    for n in 0..200 {
        let path = format!("/srv/www/{}/{}", word(n / 20), word(n));
        scene.openat(&web, &tar, &path, "O_RDONLY");
    }
    let outcome = Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome();
    assert!(!outcome.has("burst.file_sweep"), "{:#?}", outcome.lines());
}

#[test]
fn a_mass_rename() {
    let outcome = after(|s, web| {
        let python = shop::app();
        for n in 0..60 {
            let path = format!("/srv/data/{}", word(n));
            s.rename(web, &python, &path, &format!("{path}.locked"));
        }
    });
    expect(&outcome, "burst.mass_change", Error);
    expect(&outcome, "danger.encrypted_files", Error);
}

#[test]
fn a_session_is_one_alert_with_its_evidence() {
    let ordinary = after(|s, web| {
        let bash = Proc::new("/usr/bin/bash", 9_000).args("-c ls; wc; sort").exec();
        s.execve(web, &bash);
        for (n, tool) in ["/usr/bin/ls", "/usr/bin/wc", "/usr/bin/sort"].iter().enumerate() {
            let child = Proc::new(tool, 9_001 + n as i64).child_of(&bash);
            s.execve(web, &child).exit(web, &child);
        }
        s.exit(web, &bash);
    });
    let alert = only(&ordinary, "hbt.new_process", Notice);
    let tokens: Vec<&str> = alert.evidence.iter().map(|e| e.token.as_str()).collect();
    assert_eq!(tokens, ["ls", "wc", "sort"]);
    assert!(alert.count >= 4, "{}", alert.count);

    let worse = after(|s, web| {
        let bash = Proc::new("/usr/bin/bash", 9_000).args("-c ls; mysql").exec();
        let client = Proc::new("/usr/bin/mysql", 9_002).child_of(&bash);
        s.execve(web, &bash).execve(web, &client);
        s.connect(web, &client, "172.18.0.2", "172.18.0.9:8080");
    });
    let louder = only(&worse, "hbt.new_process", Warning);
    assert!(louder.evidence.iter().any(|e| e.kind == "new_peer"), "{:?}", louder.evidence);
    assert!(louder.score > alert.score);
}

#[test]
fn an_ordinary_admin_session_stays_below_warning() {
    let outcome = after(|s, web| {
        let bash = Proc::new("/usr/bin/bash", 9_000).args("/opt/rotate.sh").exec();
        s.execve(web, &bash);
        for (n, (exe, path, flags)) in [
            ("/usr/bin/sed", "/opt/app.conf", "O_TRUNC|O_CREAT|O_WRONLY"),
            ("/usr/bin/chmod", "/opt/app.conf", "O_RDONLY"),
            ("/usr/bin/gzip", "/var/backups/app.log.gz", "O_CREAT|O_EXCL|O_WRONLY"),
        ]
        .into_iter()
        .enumerate()
        {
            let child = Proc::new(exe, 9_001 + n as i64).args(path).child_of(&bash);
            s.execve(web, &child).openat(web, &child, path, flags).exit(web, &child);
        }
        s.exit(web, &bash);
    });
    below(&outcome, Warning);
    only(&outcome, "hbt.new_process", Notice);
}

#[test]
fn looking_around_adds_up() {
    let session = |tools: &[&str]| {
        let tools: Vec<String> = tools.iter().map(|t| (*t).to_owned()).collect();
        after(move |s, web| {
            let bash = Proc::new("/usr/bin/bash", 9_000).args("-c look").exec();
            s.execve(web, &bash);
            for (n, tool) in tools.iter().enumerate() {
                let exe = format!("/usr/bin/{tool}");
                let child = Proc::new(&exe, 9_001 + n as i64).child_of(&bash);
                s.execve(web, &child).exit(web, &child);
            }
        })
    };
    below(&session(&["id"]), Warning);
    let outcome = session(&["id", "whoami", "uname", "ps", "netstat"]);
    let alert = only(&outcome, "hbt.new_process", Error);
    assert!(alert.score > 0.6, "{}", alert.score);
    let outcome = session(&["id", "whoami", "uname"]);
    only(&outcome, "hbt.new_process", Warning);
}

#[test]
fn a_start_is_expected_to_differ() {
    let extra = |c: &Box, s: &mut Scene, parent: &Proc| {
        let gzip = Proc::new("/usr/bin/gzip", 9_500).child_of(parent);
        s.execve(c, &gzip).exit(c, &gzip);
    };
    let restarted = after(|s, web| {
        let again = web.with_id("767fb1c3264d");
        shop::start(s, &again);
        extra(&again, s, &shop::master());
    });
    let quiet = restarted.alert("hbt.new_process");
    assert!(quiet.score_parts.iter().any(|p| p.name == "container_start"), "{quiet:#?}");
    let running = after(|s, web| extra(web, s, &shop::master()));
    let loud = running.alert("hbt.new_process");
    assert!(quiet.score < loud.score && quiet.priority < loud.priority);
    // A new peer at the start is not lowered.
    let restarted = after(|s, web| {
        let again = web.with_id("767fb1c3264d");
        shop::start(s, &again);
        s.connect(&again, &shop::app(), "172.18.0.2", "203.0.113.9:443");
    });
    assert!(restarted.alert("hbt.new_peer").priority >= Warning);
}

#[test]
fn an_exec_into_a_container_whose_first_process_sleeps_is_no_start() {
    // Hanabi begins when the container runs: its first process makes no calls.
    let web = shop::web();
    let mut scene = Scene::default();
    for second in 0..210 {
        scene.at(f64::from(second));
        scene.accept(&web, &shop::worker(), "172.18.0.6", "172.18.0.2:80");
        scene.openat(&web, &shop::worker(), "/srv/www/index.html", "O_RDONLY");
    }
    scene.at(THEN);
    let bash = Proc::new("/usr/bin/bash", 9_000).args("/opt/rotate.sh").exec();
    let gzip = Proc::new("/usr/bin/gzip", 9_001).child_of(&bash);
    scene.execve(&web, &bash).execve(&web, &gzip);
    let outcome = Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome();
    let alert = only(&outcome, "hbt.new_process", Notice);
    assert!(alert.score_parts.iter().all(|p| p.name != "container_start"), "{alert:#?}");
    assert!(alert.evidence[0].score > 0.3, "{:?}", alert.evidence);
}

#[test]
fn replicas_share_a_profile_and_an_alert() {
    let (one, two) = (
        Box::new("shop-web-1", "112497b102cd", "shop/nginx:1.22"),
        Box::new("shop-web-2", "222497b102cd", "shop/nginx:1.22"),
    );
    let mut scene = Scene::default();
    shop::steady(&mut scene, &one, 0, 200);
    let mut run = Run::learning_for(shop::LEARN);
    let mut attack = Scene::default();
    for (at, c) in [(THEN, &one), (THEN + 5.0, &two)] {
        attack.at(at).execve(c, &Proc::new("/usr/bin/wget", 9_000).exec());
    }
    run.feed(&scene.then(&attack).texts(), 500).end();
    assert_eq!(run.identities(), ["vm:shop-web"]);
    let outcome = run.outcome();
    let alert = only(&outcome, "hbt.new_process", Notice);
    let ids: Vec<&str> = alert.containers.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, [one.id.as_str(), two.id.as_str()]);
    assert_eq!((alert.containers_total, alert.container.name.as_str()), (2, "shop-web-1"));
}

#[test]
fn every_rule_raises_its_own_alert_above_the_limit() {
    let outcome = after(|s, web| {
        let cat = Proc::new("/usr/bin/cat", 9_000).args("/etc/shadow").exec();
        s.execve(web, &cat).openat(web, &cat, "/etc/shadow", "O_RDONLY");
        let tags = json!(["T1555", "container", "filesystem"]);
        s.rule(web, &cat, "Read sensitive file untrusted", "Warning", &tags);
        s.rule(web, &cat, "Read sensitive file", "Critical", &tags);
        s.rule(web, &cat, "Too quiet a rule", "Informational", &tags);
    });
    let alert = expect(&outcome, "Read sensitive file untrusted", Warning);
    assert_eq!((alert.source, alert.count), (AlertSource::Falco, 1));
    assert_eq!(alert.mitre, ["T1555"]);
    expect(&outcome, "Read sensitive file", Critical);
    assert!(!outcome.has("Too quiet a rule"));
}

#[test]
fn a_call_outside_the_profile_stays_outside() {
    let once = after(|s, web| {
        s.process_call(web, &shop::app(), "personality", "res=0 persona=8");
    });
    assert_eq!(once.alert("hbt.new_operation").count, 1);
    let thrice = after(|s, web| {
        for _ in 0..3 {
            s.process_call(web, &shop::app(), "personality", "res=0 persona=8");
        }
    });
    assert_eq!(thrice.alert("hbt.new_operation").count, 3);
    assert_eq!(
        once.snapshots["vm:web"].children["process_branch"].children.get("personality"),
        None,
        "what deviates does not enter the tree"
    );
}

#[test]
fn a_storm_is_a_handful_of_alerts_and_one_incident() {
    let outcome = after(|s, web| {
        for n in 0..1_000 {
            let path = format!("/var/lib/app/{}/{}", word(n / 10), word(n));
            s.openat(web, &shop::app(), &path, "O_TRUNC|O_CREAT|O_WRONLY");
        }
    });
    assert!(outcome.alerts.len() <= 8, "{:#?}", outcome.lines());
    assert!(outcome.has("burst.mass_change"), "{:#?}", outcome.lines());
    assert_eq!(outcome.incidents.len(), 1);
    let counted: u64 = outcome.alerts.iter().map(|a| a.count).sum();
    assert!(counted >= 1_000, "nothing is lost: {counted}");
    let folded = outcome.alerts.iter().find(|a| a.summary.en.contains("many files"));
    assert_eq!(folded.map(|a| a.evidence.len()), Some(20));
}

#[test]
fn many_small_sends_to_a_new_resolver() {
    let outcome = after(|s, web| {
        for _ in 0..60 {
            s.send(web, &shop::app(), "172.18.0.2", "172.18.0.66:53");
        }
    });
    let alert = expect(&outcome, "burst.many_sends", Warning);
    assert_eq!(alert.mitre, ["T1071", "T1048"]);
    let outcome = after(|s, web| {
        for _ in 0..6 {
            s.send(web, &shop::app(), "172.18.0.2", "172.18.0.66:53");
        }
    });
    below(&outcome, Warning);
}

#[test]
fn configuration_read_by_a_service_long_after_its_start() {
    let outcome = after(|s, web| {
        s.openat(web, &shop::serving(), "/etc/mail/relay.cnf", "O_RDONLY");
    });
    let alert = only(&outcome, "hbt.new_directory", Warning);
    assert!(alert.score_parts.iter().any(|p| p.name == "read_late"), "{:?}", alert.score_parts);
    let outcome = after(|s, web| {
        s.openat(web, &shop::serving(), "/etc/db/server.conf", "O_RDONLY");
        s.openat(web, &shop::serving(), "/etc/mail/relay.cnf", "O_RDONLY");
    });
    below(&outcome, Warning);
}

#[test]
fn accounts_read_by_a_service_long_after_its_start() {
    // The master read them once, to become another user.
    let outcome = after(|s, web| {
        s.openat(web, &shop::worker(), "/etc/passwd", "O_RDONLY");
    });
    only(&outcome, "hbt.new_directory", Warning);

    let accounts = |s: &mut Scene, web: &Box| {
        s.openat(web, &shop::serving(), "/etc/passwd", "O_RDONLY");
    };
    let read = |reload: bool, learned: bool| {
        let web = shop::web();
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, 0, 100);
        if learned {
            accounts(&mut scene, &web);
        }
        shop::steady(&mut scene, &web, 100, 210);
        scene.at(THEN);
        if reload {
            scene.openat(&web, &shop::serving(), "/etc/db/server.conf", "O_RDONLY");
        }
        accounts(&mut scene, &web);
        Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome()
    };
    let alert = only(&read(false, false), "hbt.new_access", Warning);
    assert!(alert.summary.en.contains("/etc/passwd"), "{}", alert.summary.en);
    below(&read(true, false), Warning);
    none(&read(false, true));
}

#[test]
fn a_service_alters_its_own_text() {
    let outcome = after(|s, web| {
        s.openat(web, &shop::worker(), "/srv/www/index.html", "O_TRUNC|O_CREAT|O_WRONLY");
    });
    let alert = only(&outcome, "hbt.new_access", Warning);
    assert!(alert.score_parts.iter().any(|p| p.name == "program_text"), "{:?}", alert.score_parts);
    // By somebody who works on the container it is a change like others.
    let outcome = after(|s, web| {
        let sed = Proc::new("/usr/bin/sed", 9_000).args("-i s/a/b/ /etc/app.conf").exec();
        s.execve(web, &sed).openat(web, &sed, "/etc/app.conf", "O_TRUNC|O_CREAT|O_WRONLY");
    });
    below(&outcome, Warning);
}

#[test]
fn a_service_deletes_what_it_lives_on() {
    let deleted = |names: &[&str]| {
        let web = shop::web();
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, 0, 20);
        for name in names {
            scene.openat(&web, &shop::serving(), &format!("/var/lib/db/{name}"), "O_RDWR");
        }
        shop::steady(&mut scene, &web, 20, 210);
        scene.at(THEN);
        for name in names {
            scene.unlink(&web, &shop::serving(), &format!("/var/lib/db/{name}"));
        }
        Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome()
    };
    let outcome = deleted(&["orders.ibd", "items.ibd", "users.ibd"]);
    assert_eq!(expect(&outcome, "burst.data_loss", Warning).mitre, ["T1485"]);
    below(&deleted(&["orders.ibd"]), Warning);
    below(&deleted(&["a.lock", "b.lock", "db.pid", "c.log"]), Warning);
}

#[test]
fn a_build_does_what_it_always_does() {
    let build = |s: &mut Scene, ci: &Box, at: u64, files: usize, place: &str| {
        s.at(at as f64);
        let make = Proc::new("/usr/bin/make", 7_000 + at as i64).exec();
        let git = Proc::new("/usr/bin/git", 8_000 + at as i64).child_of(&make);
        let place = format!("{place}{}Q{at}x", word(at as usize));
        let product = format!("{place}/app");
        s.execve(ci, &make).execve(ci, &git);
        for n in 0..files {
            s.openat(ci, &git, &format!("{place}/{}", word(n)), "O_CREAT|O_EXCL|O_WRONLY");
        }
        let flags = "3(EXE_WRITABLE|EXE_UPPER_LAYER)";
        let app = Proc::new(&product, 9_000 + at as i64).child_of(&make).exe_flags(flags);
        s.execve(ci, &app).exit(ci, &app).exit(ci, &git).exit(ci, &make);
    };
    let ci = Box::new("ci", "332497b102cd", "shop/ci:1");
    let mut scene = Scene::default();
    for at in (10..400).step_by(20) {
        build(&mut scene, &ci, at, 60, "/work/build.");
    }
    let learned = Run::learning_for(200).feed(&scene.texts(), 500).end().outcome();
    let raised = |o: &Outcome| -> Vec<String> {
        let after = kit::EPOCH + 200_000_000_000;
        let late = o.alerts.iter().filter(|a| a.first_seen >= after && a.priority >= Warning);
        late.map(|a| a.rule.clone()).collect()
    };
    assert_eq!(raised(&learned), [""; 0]);
    // Much more of it elsewhere is news, and so is another program.
    build(&mut scene, &ci, 410, 200, "/work/home/x/y/z.");
    let dropped = Proc::new("/work/x/miner", 9_999).exec().exe_flags("3(EXE_UPPER_LAYER)");
    scene.execve(&ci, &dropped);
    let more = Run::learning_for(200).feed(&scene.texts(), 500).end().outcome();
    assert_eq!(raised(&more), ["burst.mass_change", "danger.dropped_execution"]);
}

#[test]
fn data_in_the_names_that_are_asked_for() {
    let asked = |size: u32, times: usize| {
        let web = shop::web();
        let mut scene = Scene::default();
        shop::steady(&mut scene, &web, 0, 10);
        for second in 10..210 {
            shop::second(&mut scene, &web, second);
            scene.query(&web, &shop::app(), 24);
        }
        scene.at(THEN);
        for _ in 0..times {
            scene.query(&web, &shop::app(), size);
        }
        Run::learning_for(shop::LEARN).feed(&scene.texts(), 500).end().outcome()
    };
    let alert = only(&asked(120, 20), "burst.long_queries", Warning).clone();
    assert_eq!(alert.mitre, ["T1071.004", "T1048.003"]);
    none(&asked(120, 5));
    none(&asked(40, 60));
}
