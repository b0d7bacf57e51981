//! The store from outside: what goes in comes back, in pages, after restarts, under refusals.

use std::fs;

use crate::common::{alert, incident, tree};
use hanabi_detect::{AlertState, Maintenance, Suppression, SuppressionScope};
use hanabi_event::Priority;
use hanabi_store::{
    AlertQuery, AuditEntry, Checkpoint, EventLog, IncidentQuery, LogOptions, Owner, Store,
    StoreError, StoreOptions,
};

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(dir.path().join("data"), StoreOptions::default()).unwrap()
}

#[test]
fn a_checkpoint_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint {
        sequence: 7,
        positions: vec![("file:/a".into(), b"{\"offset\":3}".to_vec())],
        profiles: vec![("shop:web".into(), vec![1; 100_000]), ("shop:db".into(), vec![2])],
        alerts: vec![alert(1, 100)],
        incidents: vec![incident(1, 100)],
        engine: b"engine".to_vec(),
        counters: b"counters".to_vec(),
        ..Checkpoint::default()
    };
    let store = open(&dir);
    assert_eq!(store.restore().unwrap().sequence, None);
    store.commit(&checkpoint).unwrap();
    let removed_profiles = vec!["shop:db".to_owned()];
    let next = Checkpoint { sequence: 8, removed_profiles, ..Checkpoint::default() };
    store.commit(&next).unwrap();
    let older = store.commit(&Checkpoint { sequence: 6, ..Checkpoint::default() });
    assert!(matches!(older, Err(StoreError::Backwards { sequence: 6, stored: 8 })), "{older:?}");
    drop(store);

    let store = open(&dir);
    let restored = store.restore().unwrap();
    assert_eq!(restored.sequence, Some(8));
    assert_eq!(restored.positions, checkpoint.positions);
    assert_eq!(restored.profiles, checkpoint.profiles[..1]);
    assert_eq!(restored.alerts, checkpoint.alerts);
    assert_eq!(restored.incidents, checkpoint.incidents);
    assert_eq!(restored.engine, b"");
    assert_eq!(store.profile("shop:web").unwrap().unwrap(), checkpoint.profiles[0].1);
    let stats = store.stats().unwrap();
    assert_eq!((stats.profiles, stats.alerts, stats.incidents), (1, 1, 1));
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn only_alerts_that_matter_are_restored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let day = StoreOptions::default().restored_age;
    let with = |number, time, state| {
        let mut alert = alert(number, time);
        alert.state = state;
        alert
    };
    let alerts = vec![
        with(1, 1, AlertState::Open),
        with(2, 1, AlertState::Suppressed),
        with(3, 1, AlertState::Acknowledged),
        with(4, 1, AlertState::Resolved),
        with(5, 1, AlertState::Promoted),
        with(6, 2 * day, AlertState::Resolved),
    ];
    store.commit(&Checkpoint { alerts, ..Checkpoint::default() }).unwrap();
    let ids: Vec<_> = store.restore().unwrap().alerts.into_iter().map(|alert| alert.id).collect();
    assert_eq!(ids, [1, 2, 3, 6].map(|number| format!("{number:016x}")));
    assert_eq!(store.prune_alerts(day).unwrap(), 2);
    assert_eq!(store.stats().unwrap().alerts, 4);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn alerts_are_found_by_every_filter() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let all: Vec<_> = (0..500).map(|number| alert(number, 10_000 + number * 10)).collect();
    store.put_alerts(&all).unwrap();
    let mut moved = all[20].clone();
    moved.last_seen = 99_999;
    moved.state = AlertState::Resolved;
    store.put_alert(&moved).unwrap();
    let count = |query: AlertQuery| store.alert_stats(&query, 0).unwrap().alerts;
    let base = AlertQuery::default;
    assert_eq!(count(base()), 500);
    let full_id = format!("000000000003{}", "a".repeat(52));
    for container in ["000000000003", &full_id, "web-3", "shop:web-3"] {
        let query = AlertQuery { container: Some(container.into()), ..base() };
        assert_eq!(count(query), 71, "{container}");
    }
    assert_eq!(count(AlertQuery { container: Some("web".into()), ..base() }), 0);
    assert_eq!(count(AlertQuery { min_priority: Some(Priority::Alert), ..base() }), 124);
    assert_eq!(count(AlertQuery { states: vec![AlertState::Resolved], ..base() }), 1);
    let open = vec![AlertState::Open, AlertState::Acknowledged];
    assert_eq!(count(AlertQuery { states: open, ..base() }), 499);
    assert_eq!(count(AlertQuery { rule: Some("hbt.new_process".into()), ..base() }), 400);
    assert_eq!(count(AlertQuery { kind: Some(hanabi_detect::Kind::Rule), ..base() }), 100);
    let falco = Some(hanabi_detect::AlertSource::Falco);
    assert_eq!(count(AlertQuery { source: falco, ..base() }), 100);
    assert_eq!(count(AlertQuery { q: Some("TOOL 499 ".into()), ..base() }), 1);
    assert_eq!(count(AlertQuery { q: Some("工具 49".into()), ..base() }), 11);
    assert_eq!(count(AlertQuery { start: Some(14_990), ..base() }), 2);
    assert_eq!(count(AlertQuery { end: Some(10_010), ..base() }), 2);
    assert_eq!(store.alert(&moved.id).unwrap().unwrap(), moved);
    assert_eq!(store.alert("none").unwrap(), None);
    let first = store.alerts(&AlertQuery { limit: 1, ..base() }).unwrap();
    assert_eq!(first.items, [moved]);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn what_is_not_kept_is_in_no_list_and_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let of = |number: u64, name: &str| {
        let mut one = alert(number, 1_000 + number);
        one.identity = format!("h:{name}");
        one.container.name = name.to_owned();
        one.containers.clear();
        one
    };
    let all: Vec<_> = (0..90).map(|n| of(n, ["web", "db", "api"][n as usize % 3])).collect();
    store.put_alerts(&all).unwrap();
    let keep = |owner: &Owner| owner.identity == "h:web" && owner.names().any(|name| name == "web");
    let query = |cursor| AlertQuery { limit: 20, cursor, ..AlertQuery::default() };
    let first = store.alerts_kept(&query(None), Some(&keep)).unwrap();
    let second = store.alerts_kept(&query(first.next_cursor.clone()), Some(&keep)).unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next_cursor), (20, 10, None));
    assert!(first.items.iter().chain(&second.items).all(|one| one.identity == "h:web"));
    assert_eq!(store.alert_stats_kept(&query(None), 0, Some(&keep)).unwrap().alerts, 30);
    assert_eq!(store.alert_stats(&query(None), 0).unwrap().alerts, 90);
}

#[test]
fn cursors_hold_while_alerts_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    // Ten of each time, so that pages end between alerts of one time, too.
    let all: Vec<_> = (0..300).map(|number| alert(number, 1_000 + number / 10)).collect();
    store.put_alerts(&all).unwrap();
    let mut query = AlertQuery { limit: 7, ..AlertQuery::default() };
    let mut seen = Vec::new();
    for fresh in 1_000.. {
        let page = store.alerts(&query).unwrap();
        seen.extend(page.items.into_iter().map(|alert| alert.id));
        store.put_alert(&alert(fresh, 5_000 + fresh)).unwrap();
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let mut expected: Vec<_> = all.iter().map(|alert| (alert.last_seen, &alert.id)).collect();
    expected.sort_unstable();
    let expected: Vec<_> = expected.iter().rev().map(|(_, id)| (*id).clone()).collect();
    assert_eq!(seen, expected);
    let cursor = store.alerts(&AlertQuery { limit: 7, ..query.clone() }).unwrap().next_cursor;
    let other = AlertQuery { cursor, min_priority: Some(Priority::Error), ..query };
    assert!(matches!(store.alerts(&other), Err(StoreError::Cursor)));
}

#[test]
fn incidents_and_audit_are_paged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let incidents = (0..50).map(|number| incident(number, 100 + number)).collect();
    store.commit(&Checkpoint { incidents, ..Checkpoint::default() }).unwrap();
    let container = Some("web-2".to_owned());
    let mut query = IncidentQuery { container, limit: 3, ..IncidentQuery::default() };
    let mut seen = 0;
    loop {
        let page = store.incidents(&query).unwrap();
        seen += page.items.len();
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, 7);
    for number in 1..=25 {
        let entry = AuditEntry { action: "alert.ack".into(), at: number, ..AuditEntry::default() };
        assert_eq!(store.append_audit(&entry).unwrap(), number);
    }
    let (mut cursor, mut times) = (None, Vec::new());
    loop {
        let page = store.audit(10, cursor.as_deref()).unwrap();
        times.extend(page.items.iter().map(|entry| entry.at));
        store.append_audit(&AuditEntry::default()).unwrap();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(times, (1..=25).rev().collect::<Vec<_>>());
}

#[test]
fn what_people_did_is_committed_with_the_state_it_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let suppression = Suppression {
        id: "s1".into(),
        scope: SuppressionScope::Rule,
        value: "Terminal shell in container".into(),
        created: 5,
        by: "ann".into(),
        expires: Some(10),
        note: "the nightly job".into(),
    };
    let window = Maintenance {
        id: "m1".into(),
        container: "web-*".into(),
        start: 5,
        end: 9,
        created: 4,
        by: "ann".into(),
        note: String::new(),
    };
    let entry = |action: &str| AuditEntry { action: action.into(), ..AuditEntry::default() };
    let made = Checkpoint {
        sequence: 1,
        audit: vec![entry("alert.suppress"), entry("maintenance.add")],
        suppressions: Some(vec![suppression.clone()]),
        maintenance: Some(vec![window.clone()]),
        ..Checkpoint::default()
    };
    store.commit(&made).unwrap();
    store.commit(&Checkpoint { sequence: 2, ..Checkpoint::default() }).unwrap();
    drop(store);
    let store = open(&dir);
    let restored = store.restore().unwrap();
    assert_eq!(restored.suppressions, [suppression]);
    assert_eq!(restored.maintenance, [window]);
    let audit = store.audit(10, None).unwrap().items;
    let actions: Vec<_> = audit.iter().map(|e| (e.sequence, e.action.as_str())).collect();
    assert_eq!(actions, [(2, "maintenance.add"), (1, "alert.suppress")]);
    let gone = Checkpoint { sequence: 3, suppressions: Some(Vec::new()), ..Checkpoint::default() };
    store.commit(&gone).unwrap();
    assert!(store.suppressions().unwrap().is_empty());
    assert_eq!(store.maintenance().unwrap().len(), 1);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn snapshots_keep_a_bounded_history() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { snapshots_kept: 5, snapshot_age: 100, ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    for time in 1..=8 {
        store.put_snapshot("shop:web", time * 10, &tree(4, time)).unwrap();
    }
    store.put_snapshot("shop:we", 1, &tree(1, 1)).unwrap();
    let times = |store: &Store| -> Vec<u64> {
        store.snapshots("shop:web").unwrap().iter().map(|info| info.time).collect()
    };
    assert_eq!(times(&store), [80, 70, 60, 50, 40]);
    let (time, found) = store.snapshot("shop:web", Some(65)).unwrap().unwrap();
    assert_eq!((time, found), (60, tree(4, 6)));
    assert_eq!(store.snapshot("shop:web", None).unwrap().unwrap().0, 80);
    assert_eq!(store.snapshot("shop:web", Some(39)).unwrap(), None);
    store.put_snapshot("shop:web", 165, &tree(60, 9)).unwrap();
    assert_eq!(times(&store), [165, 80, 70]);
    assert_eq!(store.snapshot("shop:web", None).unwrap().unwrap().1, tree(60, 9));
    let deep = store.put_snapshot("shop:web", 200, &tree(70, 1));
    assert!(matches!(deep, Err(StoreError::Refused { .. })), "{deep:?}");
    assert_eq!(store.delete_snapshots("shop:web").unwrap(), 3);
    assert_eq!(store.stats().unwrap().snapshots, 1);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let Err(error) = Store::open(store.dir(), StoreOptions::default()) else {
        panic!("the directory is open already")
    };
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("choose another data directory"), "{text}");
}

#[test]
fn a_later_format_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("format"), "hanabi-store 99\n").unwrap();
    let Err(error) = Store::open(dir.path(), StoreOptions::default()) else {
        panic!("format 99 is not known")
    };
    assert!(error.to_string().contains("its format is 99"), "{error}");
    assert!(EventLog::open(dir.path(), LogOptions::default()).is_err());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    fs::write(dir.path().join("format"), "something else").unwrap();
    assert!(matches!(
        Store::open(dir.path(), StoreOptions::default()),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn a_new_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mode = fs::metadata(store.dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_damaged_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.put_alerts(&(0..100).map(|n| alert(n, n)).collect::<Vec<_>>()).unwrap();
    let path = store.database_path();
    drop(store);
    for (from, to) in [(0, 64), (4_096, 60_000)] {
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[from..to].fill(0xa5);
        fs::write(&path, &bad).unwrap();
        let dir = path.parent().unwrap();
        let found = Store::open(dir, StoreOptions::default())
            .and_then(|store| store.check().map(|report| report.is_clean()));
        match found {
            Ok(clean) => assert!(!clean, "damage in {from}..{to} was not found"),
            Err(error) => assert!(error.to_string().contains("hanabi.redb"), "{error}"),
        }
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn a_score_that_is_no_number_does_not_hide_its_alert() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut odd = alert(1, 1);
    odd.score = f64::NAN;
    store.put_alerts(&[odd, alert(2, 2)]).unwrap();
    let scores: Vec<_> = store.restore().unwrap().alerts.iter().map(|alert| alert.score).collect();
    assert_eq!(scores, [0.0, 0.5]);
}

#[test]
fn readers_see_whole_checkpoints_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for sequence in 1..=60u64 {
                let alerts = (0..5).map(|number| {
                    let mut alert = alert(number, 1_000 + sequence);
                    alert.count = sequence;
                    alert
                });
                let alerts = alerts.collect();
                store.commit(&Checkpoint { sequence, alerts, ..Checkpoint::default() }).unwrap();
            }
        });
        while !writer.is_finished() {
            let restored = store.restore().unwrap();
            let counts: Vec<_> = restored.alerts.iter().map(|alert| alert.count).collect();
            assert!(counts.iter().all(|count| Some(*count) == restored.sequence), "{counts:?}");
            let page = store.alerts(&AlertQuery { limit: 10, ..AlertQuery::default() }).unwrap();
            assert!(page.items.windows(2).all(|pair| pair[0].count == pair[1].count));
        }
    });
}
