//! Random histories against plain maps: whatever happened, what is read is what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::common::{alert, incident, row};
use hanabi_detect::{Alert, AlertState};
use hanabi_event::SECOND;
use hanabi_store::{
    AlertQuery, Checkpoint, EventLog, LogOptions, LogQuery, LogRow, Store, StoreOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Commit { profiles: Vec<(u8, u16)>, removed: Vec<u8>, alerts: Vec<(u8, u16, u8)>, source: u8 },
    Act { alert: u8, state: u8 },
    Prune { before: u16 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (
            vec((0..12u8, any::<u16>()), 0..4),
            vec(0..12u8, 0..2),
            vec((0..40u8, 0..2_000u16, 0..5u8), 0..6),
            0..3u8,
        )
            .prop_map(|(profiles, removed, alerts, source)| Step::Commit {
                profiles,
                removed,
                alerts,
                source,
            }),
        3 => (0..40u8, 0..5u8).prop_map(|(alert, state)| Step::Act { alert, state }),
        1 => (0..2_000u16).prop_map(|before| Step::Prune { before }),
        1 => Just(Step::Reopen),
    ]
}

const STATES: [AlertState; 5] = [
    AlertState::Open,
    AlertState::Acknowledged,
    AlertState::Suppressed,
    AlertState::Promoted,
    AlertState::Resolved,
];

#[derive(Default)]
struct Model {
    sequence: u64,
    profiles: BTreeMap<String, Vec<u8>>,
    positions: BTreeMap<String, Vec<u8>>,
    alerts: BTreeMap<String, Alert>,
    incidents: BTreeSet<u64>,
}

impl Model {
    fn commit(&mut self, step: &Step) -> Checkpoint {
        let Step::Commit { profiles, removed, alerts, source } = step else { unreachable!() };
        self.sequence += 1;
        let removed_profiles: Vec<_> = removed.iter().map(|n| format!("p{n}")).collect();
        self.profiles.retain(|identity, _| !removed_profiles.contains(identity));
        let profiles: Vec<_> =
            profiles.iter().map(|(n, size)| (format!("p{n}"), vec![*n; *size as usize])).collect();
        self.profiles.extend(profiles.iter().cloned());
        let alerts: Vec<_> = alerts
            .iter()
            .map(|(number, time, state)| {
                let mut alert = alert(u64::from(*number), u64::from(*time));
                alert.state = STATES[*state as usize];
                alert
            })
            .collect();
        self.alerts.extend(alerts.iter().map(|alert| (alert.id.clone(), alert.clone())));
        self.incidents.insert(self.sequence);
        let positions = vec![(format!("s{source}"), self.sequence.to_le_bytes().to_vec())];
        self.positions.extend(positions.iter().cloned());
        Checkpoint {
            sequence: self.sequence,
            positions,
            profiles,
            points: Vec::new(),
            removed_profiles,
            alerts,
            incidents: vec![incident(self.sequence, self.sequence)],
            engine: self.sequence.to_string().into_bytes(),
            audit: Vec::new(),
            suppressions: None,
            maintenance: None,
            counters: vec![7; 3],
        }
    }

    fn newest_first(&self, keep: impl Fn(&Alert) -> bool) -> Vec<Alert> {
        let mut alerts: Vec<_> = self.alerts.values().filter(|a| keep(a)).cloned().collect();
        alerts.sort_by(|a, b| (b.last_seen, &b.id).cmp(&(a.last_seen, &a.id)));
        alerts
    }
}

fn listed(store: &Store, query: AlertQuery) -> Vec<Alert> {
    let (mut query, mut alerts) = (AlertQuery { limit: 5, ..query }, Vec::new());
    loop {
        let page = store.alerts(&query).unwrap();
        alerts.extend(page.items);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return alerts;
        }
    }
}

fn compare(store: &Store, model: &Model) {
    let restored = store.restore().unwrap();
    assert_eq!(restored.sequence.unwrap_or(0), model.sequence);
    assert_eq!(restored.profiles.into_iter().collect::<BTreeMap<_, _>>(), model.profiles);
    assert_eq!(restored.positions.into_iter().collect::<BTreeMap<_, _>>(), model.positions);
    assert_eq!(restored.alerts, model.alerts.values().cloned().collect::<Vec<_>>());
    let query = AlertQuery::default;
    assert_eq!(listed(store, query()), model.newest_first(|_| true));
    for state in STATES {
        let one = AlertQuery { states: vec![state], ..query() };
        assert_eq!(listed(store, one), model.newest_first(|alert| alert.state == state));
    }
    let container = Some("web-3".to_owned());
    let one = AlertQuery { container, start: Some(500), ..query() };
    let meant = |alert: &Alert| alert.container.name == "web-3" && alert.last_seen >= 500;
    assert_eq!(listed(store, one), model.newest_first(meant));
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// The files of the log that are not sealed, with their lengths.
fn tails(dir: &Path) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(dir.join("events")).unwrap().map(|entry| entry.unwrap().path());
    let tails = entries.filter(|path| path.to_str().unwrap().contains("/tail-"));
    tails.map(|path| (path.clone(), std::fs::metadata(path).unwrap().len())).collect()
}

/// A log's files as they are at this moment, in another directory.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("events")).unwrap();
    for entry in std::fs::read_dir(dir.join("events")).unwrap() {
        let from = entry.unwrap().path();
        let to = copy.path().join("events").join(from.file_name().unwrap());
        std::fs::copy(from, to).unwrap();
    }
    copy
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(steps in vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Commit { .. } => store.commit(&model.commit(step)).unwrap(),
                Step::Act { alert, state } => {
                    if let Some(alert) = model.alerts.get_mut(&format!("{alert:016x}")) {
                        alert.state = STATES[*state as usize];
                        alert.assignee = "ann".into();
                        store.put_alert(alert).unwrap();
                    }
                }
                Step::Prune { before } => {
                    let before = u64::from(*before);
                    store.prune_alerts(before).unwrap();
                    model.alerts.retain(|_, alert| {
                        alert.last_seen >= before || STATES[..3].contains(&alert.state)
                    });
                    model.incidents.retain(|time| *time >= before);
                }
                Step::Reopen => {
                    drop(store);
                    store = Store::open(dir.path(), StoreOptions::default()).unwrap();
                }
            }
        }
        compare(&store, &model);
        prop_assert_eq!(store.stats().unwrap().incidents, model.incidents.len() as u64);
    }
}

#[derive(Clone, Debug)]
enum LogStep {
    Append(Vec<(u16, u16)>),
    Truncate(u8),
    Reopen,
    Read { container: u8, start: u16, limit: u8 },
}

fn log_step() -> impl Strategy<Value = LogStep> {
    prop_oneof![
        6 => vec((0..60u16, 0..3_000u16), 1..120).prop_map(LogStep::Append),
        1 => (0..6u8).prop_map(LogStep::Truncate),
        1 => Just(LogStep::Reopen),
        3 => (0..5u8, 0..3_000u16, 1..40u8)
            .prop_map(|(container, start, limit)| LogStep::Read { container, start, limit }),
    ]
}

fn read(log: &EventLog, query: LogQuery) -> Vec<LogRow> {
    let (mut query, mut rows) = (query, Vec::new());
    loop {
        let page = log.query(&query).unwrap();
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return rows;
        }
    }
}

/// Rows as the log must give them: newest first, and of one time the last come first.
fn ordered(rows: &[(u64, LogRow)], keep: impl Fn(&LogRow) -> bool) -> Vec<LogRow> {
    let mut rows: Vec<_> =
        rows.iter().map(|(_, row)| row.clone()).filter(|row| keep(row)).collect();
    rows.reverse();
    rows.sort_by_key(|row| std::cmp::Reverse(row.time));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_sorted_list(steps in vec(log_step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        // No merging here: rows are compared one by one.
        let options = LogOptions {
            memory_bytes: 40 << 10,
            merge_above: u32::MAX,
            ..LogOptions::default()
        };
        let mut log = EventLog::open(dir.path(), options.clone()).unwrap();
        let (mut model, mut sequence) = (Vec::new(), 0u64);
        for step in steps {
            match step {
                LogStep::Append(rows) => {
                    sequence += 1;
                    let rows: Vec<_> = rows
                        .into_iter()
                        .map(|(number, time)| row(u64::from(number), u64::from(time)))
                        .collect();
                    log.append(sequence, rows.clone());
                    model.extend(rows.into_iter().map(|row| (sequence, row)));
                }
                LogStep::Truncate(back) => {
                    sequence = sequence.saturating_sub(u64::from(back));
                    log.truncate_after(sequence).unwrap();
                    model.retain(|(of, _)| *of <= sequence);
                }
                LogStep::Reopen => {
                    drop(log);
                    log = EventLog::open(dir.path(), options.clone()).unwrap();
                }
                LogStep::Read { container, start, limit } => {
                    log.flush().unwrap();
                    let name = format!("web-{container}");
                    let (start, limit) = (u64::from(start), usize::from(limit));
                    let query = LogQuery {
                        container: Some(name.clone()),
                        start: Some(start),
                        limit,
                        ..LogQuery::default()
                    };
                    let keep = |row: &LogRow| row.container_name == name && row.time >= start;
                    prop_assert_eq!(read(&log, query), ordered(&model, keep));
                }
            }
        }
        log.flush().unwrap();
        let found = read(&log, LogQuery { limit: 50, ..LogQuery::default() });
        prop_assert_eq!(found, ordered(&model, |_| true));
        prop_assert!(log.check().unwrap().is_clean());
    }

    #[test]
    fn merging_loses_no_event(
        batches in vec(vec((0..12u64, 0..4u64, 1..4u64), 1..80), 1..12),
        cut in 0..12u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { memory_bytes: 20 << 10, merge_above: 3, ..LogOptions::default() };
        let log = EventLog::open(dir.path(), options.clone()).unwrap();
        let total = |upto: u64| -> u64 {
            let kept = batches.iter().take(upto as usize);
            kept.flatten().map(|(_, _, count)| *count).sum()
        };
        for (at, batch) in batches.iter().enumerate() {
            let rows: Vec<_> = batch
                .iter()
                .map(|(object, second, count)| LogRow { count: *count, ..row(*object, second * SECOND) })
                .collect();
            log.append(at as u64 + 1, rows.clone());
        }
        log.flush().unwrap();
        let count = |log: &EventLog| -> u64 {
            let rows = read(log, LogQuery { limit: 100, ..LogQuery::default() });
            rows.iter().map(|row| row.count).sum()
        };
        prop_assert_eq!(count(&log), total(u64::MAX));
        drop(log);
        let log = EventLog::open(dir.path(), options).unwrap();
        prop_assert_eq!(count(&log), total(u64::MAX));
        log.truncate_after(cut).unwrap();
        prop_assert_eq!(count(&log), total(cut));
        prop_assert_eq!(log.stats().events, total(cut));
        prop_assert!(log.check().unwrap().is_clean());
    }

    /// What a kill leaves is what the files held at that moment, the last write cut off anywhere.
    #[test]
    fn counts_are_exact_through_kills_at_the_borders_of_flushes(
        batches in vec(vec((0..6u64, 0..3u64, 1..4u64), 1..60), 4..16),
        kills in vec((1..6u64, 0..4u64, any::<prop::sample::Index>(), any::<bool>()), 1..5),
    ) {
        let options = LogOptions { memory_bytes: 12 << 10, merge_above: 2, ..LogOptions::default() };
        let rows = |sequence: u64| -> Vec<LogRow> {
            let merged = batches[sequence as usize - 1].iter().map(|(object, second, count)| {
                LogRow { count: *count, ..row(*object, second * SECOND) }
            });
            merged.collect()
        };
        let total = |upto: u64| -> u64 {
            batches.iter().take(upto as usize).flatten().map(|(_, _, count)| *count).sum()
        };
        let count = |log: &EventLog| -> u64 {
            let rows = read(log, LogQuery { limit: 100, ..LogQuery::default() });
            rows.iter().map(|row| row.count).sum()
        };
        let last = batches.len() as u64;
        let mut dir = tempfile::tempdir().unwrap();
        let mut checkpoint = 0;
        for (flushed, beyond, cut, whole) in kills {
            let log = EventLog::open(dir.path(), options.clone()).unwrap();
            log.truncate_after(checkpoint).unwrap();
            prop_assert_eq!(count(&log), total(checkpoint));
            let flushed = (checkpoint + flushed).min(last);
            (checkpoint + 1..=flushed).for_each(|sequence| log.append(sequence, rows(sequence)));
            log.flush().unwrap();
            checkpoint = flushed;
            let border = tails(dir.path());
            let beyond = (flushed + beyond).min(last);
            (flushed + 1..=beyond).for_each(|sequence| log.append(sequence, rows(sequence)));
            log.flush().unwrap();
            dir = copied(dir.path());
            for (path, length) in tails(dir.path()) {
                let name = path.file_name();
                let kept = border.iter().find(|(old, _)| old.file_name() == name);
                // A tail that was begun after the border may be cut anywhere, too.
                let kept = kept.map_or(0, |(_, length)| *length);
                if !whole {
                    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                    file.set_len(kept + cut.index((length - kept) as usize + 1) as u64).unwrap();
                }
            }
        }
        let log = EventLog::open(dir.path(), options).unwrap();
        log.truncate_after(checkpoint).unwrap();
        (checkpoint + 1..=last).for_each(|sequence| log.append(sequence, rows(sequence)));
        log.flush().unwrap();
        prop_assert_eq!(count(&log), total(last));
        prop_assert_eq!(log.stats().events, total(last));
        prop_assert!(log.check().unwrap().is_clean());
    }
}
