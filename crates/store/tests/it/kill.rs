//! Kills for real: a child process commits under load and is killed at any moment; what it said was
//! done must be there, once.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{alert, row, tree};
use hanabi_detect::{Alert, AlertState};
use hanabi_store::{
    AuditEntry, Checkpoint, EventLog, LogOptions, LogQuery, LogRow, Store, StoreOptions,
};

const CHILD_DIR: &str = "HANABI_STORE_TEST_CHILD";
/// Kills in the usual run; a hundred take their time.
const ROUNDS: u64 = 12;
const SLOW_ROUNDS: u64 = 100;
const IDENTITY: &str = "shop:web";
const PROFILES: u64 = 5;
const ALERTS: u64 = 40;
const ROWS: u64 = 20;

fn log_options() -> LogOptions {
    LogOptions { memory_bytes: 128 << 10, ..LogOptions::default() }
}

fn profile(sequence: u64) -> Vec<u8> {
    (0..20_000).map(|at| (at as u64).wrapping_mul(sequence) as u8).collect()
}

fn alert_of(sequence: u64, state: AlertState) -> Alert {
    let mut alert = alert(sequence % ALERTS, 1_000 + sequence);
    alert.count = sequence;
    alert.state = state;
    alert
}

fn checkpoint(sequence: u64) -> Checkpoint {
    Checkpoint {
        sequence,
        positions: vec![("file".into(), sequence.to_le_bytes().to_vec())],
        profiles: vec![(format!("p{}", sequence % PROFILES), profile(sequence))],
        alerts: vec![alert_of(sequence, AlertState::Open)],
        // What a person did, in the transaction that it belongs to.
        audit: vec![AuditEntry { object: sequence.to_string(), ..AuditEntry::default() }],
        engine: sequence.to_string().into_bytes(),
        counters: sequence.to_le_bytes().to_vec(),
        ..Checkpoint::default()
    }
}

fn rows(sequence: u64) -> Vec<LogRow> {
    let row = |at| LogRow { object: format!("{sequence}/{at}"), ..row(at, sequence * 1_000 + at) };
    (0..ROWS).map(row).collect()
}

/// Not a test of its own: what the killed process runs.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = Store::open(&dir, StoreOptions::default()).unwrap();
    let log = EventLog::open(&dir, log_options()).unwrap();
    let last = store.restore().unwrap().sequence.unwrap_or(0);
    log.truncate_after(last).unwrap();
    // What a person asks for is asked for again when no answer came.
    if last > 0 && last.is_multiple_of(3) {
        store.put_alert(&alert_of(last, AlertState::Acknowledged)).unwrap();
    }
    let mut out = std::io::stdout();
    for sequence in last + 1.. {
        log.append(sequence, rows(sequence));
        store.commit(&checkpoint(sequence)).unwrap();
        writeln!(out, "\ncommitted {sequence}").unwrap();
        if sequence.is_multiple_of(3) {
            store.put_alert(&alert_of(sequence, AlertState::Acknowledged)).unwrap();
            writeln!(out, "\nacknowledged {sequence}").unwrap();
        }
        if sequence.is_multiple_of(4) {
            store.put_snapshot(IDENTITY, sequence, &tree(4, sequence)).unwrap();
            writeln!(out, "\nkept {sequence}").unwrap();
        }
        if sequence.is_multiple_of(10) {
            log.flush().unwrap();
            writeln!(out, "\nflushed {sequence}").unwrap();
        }
    }
}

/// What the child said before it was killed.
#[derive(Default)]
struct Said {
    committed: u64,
    acknowledged: u64,
    kept: u64,
    flushed: u64,
}

fn run_and_kill(dir: &Path, after: Duration) -> Said {
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (begun, begins) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut said = Said::default();
        for line in lines.map_while(Result::ok) {
            let Some((word, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            match word {
                "committed" => said.committed = number,
                "acknowledged" => said.acknowledged = number,
                "kept" => said.kept = number,
                "flushed" => said.flushed = number,
                _ => continue,
            }
            begun.send(()).ok();
        }
        said
    });
    // Every other round is killed while it starts, the rest some time after its first commit.
    if !after.is_zero() {
        begins.recv_timeout(Duration::from_secs(30)).expect("the child commits");
    }
    std::thread::sleep(after.max(Duration::from_millis(15)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled() {
    survive(ROUNDS);
}

#[test]
#[ignore = "a hundred kills take a minute"]
fn slow_nothing_is_lost_or_doubled_by_a_hundred_kills() {
    survive(SLOW_ROUNDS);
}

/// Milliseconds up to `limit`, others in every run.
fn any_moment(limit: u64) -> u64 {
    RandomState::new().build_hasher().finish() % limit
}

fn survive(rounds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (mut flushed, mut last) = (BTreeSet::new(), 0);
    for round in 0..rounds {
        let after = if round % 4 == 3 { 0 } else { 1 + any_moment(250) };
        let said = run_and_kill(dir.path(), Duration::from_millis(after));
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let sequence = check_store(&store, last, &said);
        check_history(&store, sequence, &said);
        drop(store);
        if said.flushed > 0 {
            flushed.extend(last + 1..=said.flushed);
        }
        check_log(dir.path(), sequence, &flushed);
        last = sequence;
    }
    assert!(last > rounds, "the child got to {last} only");
}

/// Actions are there once each, snapshots as they were when the child said so.
fn check_history(store: &Store, last: u64, said: &Said) {
    let (mut actions, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.audit(1_000, cursor.as_deref()).unwrap();
        actions.extend(page.items.into_iter().map(|entry| entry.object.parse::<u64>().unwrap()));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(actions, (1..=last).rev().collect::<Vec<_>>());
    let history = store.snapshots(IDENTITY).unwrap();
    assert!(history.iter().all(|one| one.time.is_multiple_of(4)), "{history:?}");
    if said.kept > 0 {
        assert!(history[0].time >= said.kept, "{} of {history:?}", said.kept);
        let (_, kept) = store.snapshot(IDENTITY, Some(said.kept)).unwrap().unwrap();
        assert_eq!(kept, tree(4, said.kept));
    }
}

fn check_store(store: &Store, before: u64, said: &Said) -> u64 {
    let restored = store.restore().unwrap();
    let last = restored.sequence.unwrap_or(0);
    assert!(last >= said.committed.max(before), "{last} after {} was committed", said.committed);
    assert!(last <= said.committed.max(before) + 1);
    if last == 0 {
        return 0;
    }
    assert_eq!(restored.positions, checkpoint(last).positions);
    assert_eq!(restored.engine, checkpoint(last).engine);
    assert_eq!(restored.counters, checkpoint(last).counters);
    let newest = |of: u64, count: u64| (1..=last).rev().find(|one| one % count == of);
    let profiles: Vec<_> = (0..PROFILES)
        .filter_map(|of| Some((format!("p{of}"), profile(newest(of, PROFILES)?))))
        .collect();
    assert_eq!(restored.profiles, profiles);
    let alerts = (0..ALERTS).filter_map(|of| newest(of, ALERTS));
    let mut found = restored.alerts.iter();
    for sequence in alerts {
        let alert = found.next().unwrap();
        assert_eq!(alert.count, sequence);
        // What a person did to the newest alert may have been on its way.
        if sequence < last || said.acknowledged == sequence {
            let acknowledged = alert.state == AlertState::Acknowledged;
            assert_eq!(acknowledged, sequence.is_multiple_of(3), "{sequence} of {last}");
        }
    }
    assert_eq!(found.next(), None);
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    last
}

fn check_log(dir: &Path, last: u64, flushed: &BTreeSet<u64>) {
    let log = EventLog::open(dir, log_options()).unwrap();
    let present = |log: &EventLog| {
        let mut query = LogQuery { limit: 1_000, ..LogQuery::default() };
        let mut seen = BTreeSet::new();
        loop {
            let page = log.query(&query).unwrap();
            for row in page.rows {
                assert_eq!(row.count, 1);
                let (sequence, at) = row.object.split_once('/').unwrap();
                let key = (sequence.parse::<u64>().unwrap(), at.parse::<u64>().unwrap());
                assert!(seen.insert(key), "{} is there twice", row.object);
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return seen;
            }
        }
    };
    let seen = present(&log);
    for sequence in flushed {
        for at in 0..ROWS {
            assert!(seen.contains(&(*sequence, at)), "{sequence}/{at} was flushed");
        }
    }
    log.truncate_after(last).unwrap();
    assert!(present(&log).iter().all(|(sequence, _)| *sequence <= last));
    let report = log.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
}
