//! The event log from outside: rows, pages, merging, restarts, torn files, retention.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::row;
use hanabi_event::{Category, Priority, SECOND};
use hanabi_store::{EventLog, LogOptions, LogQuery, LogRow};

fn all(log: &EventLog, query: &LogQuery) -> Vec<LogRow> {
    let mut query = query.clone();
    let mut rows = Vec::new();
    loop {
        let page = log.query(&query).unwrap();
        rows.extend(page.rows);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return rows;
        }
    }
}

fn base() -> LogQuery {
    LogQuery { limit: 100, ..LogQuery::default() }
}

/// Small enough for many segments out of few rows.
fn small() -> LogOptions {
    LogOptions { memory_bytes: 64 << 10, ..LogOptions::default() }
}

fn files(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("events")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    let mut found: Vec<_> = entries.filter(named).collect();
    found.sort();
    found
}

#[test]
fn rows_are_found_by_every_filter() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..3_000).map(|number| row(number, 1_000 + number)).collect();
    let log = EventLog::open(dir.path(), small()).unwrap();
    rows.chunks(100).for_each(|rows| log.append(1, rows.to_vec()));
    log.flush().unwrap();
    let expect = |query: LogQuery, keep: &dyn Fn(&LogRow) -> bool| {
        let expected: Vec<_> = rows.iter().rev().filter(|row| keep(row)).cloned().collect();
        let found = all(&log, &query);
        assert_eq!(found.len(), expected.len(), "{query:?}");
        assert_eq!(found, expected, "{query:?}");
    };
    assert!(log.stats().segments > 5, "{:?}", log.stats());
    expect(base(), &|_| true);
    for name in ["web-3", "shop:web-3", "000000000003"] {
        let container = Some(name.to_owned());
        expect(LogQuery { container, ..base() }, &|row| row.container_name == "web-3");
    }
    expect(LogQuery { container: Some("nobody".into()), ..base() }, &|_| false);
    let window = LogQuery { start: Some(1_500), end: Some(2_000), ..base() };
    expect(window.clone(), &|row| (1_500..2_000).contains(&row.time));
    let severe = LogQuery { min_priority: Some(Priority::Notice), ..base() };
    expect(severe, &|row| row.priority == Priority::Warning);
    let files = LogQuery { category: Some(Category::File), ..window };
    let inside = |row: &LogRow| (1_500..2_000).contains(&row.time);
    expect(files, &|row| row.category == Category::File && inside(row));
    expect(LogQuery { q: Some("FILE-29".into()), ..base() }, &|row| row.object.contains("file-29"));
    // Text that only the raw event holds is not looked for.
    expect(LogQuery { q: Some("evt.num".into()), ..base() }, &|_| false);
    assert!(log.check().unwrap().is_clean(), "{:?}", log.check());
}

#[test]
fn a_text_search_without_time_still_ends() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { scan_limit: Duration::ZERO, ..small() };
    let log = EventLog::open(dir.path(), options).unwrap();
    let rows: Vec<_> = (0..2_000).map(|number| row(number, 1_000 + number / 3)).collect();
    log.append(1, rows.clone());
    log.flush().unwrap();
    let query = LogQuery { q: Some("file-19".into()), ..base() };
    let page = log.query(&query).unwrap();
    assert!(page.scanned_until.is_some() && page.next_cursor.is_some(), "{page:?}");
    let found = all(&log, &query);
    let expected: Vec<_> =
        rows.iter().rev().filter(|row| row.object.contains("file-19")).cloned().collect();
    assert_eq!(found, expected);
}

#[test]
fn cursors_hold_while_rows_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    let rows: Vec<_> = (0..1_000).map(|number| row(number, 1_000 + number / 7)).collect();
    log.append(1, rows.clone());
    let mut query = LogQuery { limit: 13, ..LogQuery::default() };
    let mut found = Vec::new();
    for fresh in 0.. {
        log.flush().unwrap();
        let page = log.query(&query).unwrap();
        found.extend(page.rows);
        log.append(2, vec![row(fresh, 10_000 + fresh), row(fresh, 20_000)]);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = rows.iter().rev().cloned().collect();
    assert_eq!(found, expected);
}

#[test]
fn repetitions_merge_above_the_rate_and_no_event_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { merge_above: 10, ..LogOptions::default() };
    let log = EventLog::open(dir.path(), options.clone()).unwrap();
    let same = |number: u64, object: u64| LogRow {
        object: format!("/object-{object}"),
        ..row(0, 5 * SECOND + number)
    };
    // Three batches of one second: what the later ones add must go when they are cut off.
    for sequence in 1..=3 {
        let rows: Vec<_> =
            (0..100).map(|number| same(sequence * 100 + number, number % 4)).collect();
        log.append(sequence, rows.clone());
    }
    log.append(4, vec![same(SECOND, 0)]);
    log.flush().unwrap();
    let stats = log.stats();
    assert_eq!((stats.appended, stats.events, stats.rows), (301, 301, 15));
    assert_eq!(stats.rows + stats.merged, stats.appended);
    let count = |log: &EventLog| all(log, &base()).iter().map(|row| row.count).sum::<u64>();
    assert_eq!(count(&log), 301);
    drop(log);
    let log = EventLog::open(dir.path(), options).unwrap();
    assert_eq!((count(&log), log.stats().covered_sequence), (301, 4));
    for (last, left) in [(4, 301), (3, 300), (2, 200), (1, 100), (0, 0)] {
        log.truncate_after(last).unwrap();
        assert_eq!(count(&log), left, "after {last}");
    }
    assert_eq!(log.stats().rows, 0);
}

#[test]
fn sealed_segments_are_cut_off_too() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { merge_above: 5, ..small() };
    let log = EventLog::open(dir.path(), options.clone()).unwrap();
    let rows: Vec<_> =
        (0..3_000).map(|number| LogRow { count: 2, ..row(number % 100, number * 1_000) }).collect();
    for (sequence, rows) in rows.chunks(50).enumerate() {
        log.append(sequence as u64, rows.to_vec());
    }
    log.append(1_000, (0..2_000).map(|n| row(n, n * SECOND)).collect());
    log.flush().unwrap();
    assert!(log.stats().segments > 2 && log.stats().merged > 100, "{:?}", log.stats());
    for (last, left) in [(2_000, 8_000), (999, 6_000), (40, 4_100), (3, 400)] {
        log.truncate_after(last).unwrap();
        let count = all(&log, &base()).iter().map(|row| row.count).sum::<u64>();
        assert_eq!((count, log.stats().events), (left, left), "after {last}");
        assert!(log.check().unwrap().is_clean(), "{:?}", log.check());
    }
    drop(log);
    let log = EventLog::open(dir.path(), options).unwrap();
    assert_eq!(log.stats().events, 400);
    log.append(4, rows[200..250].to_vec());
    log.flush().unwrap();
    assert_eq!(log.stats().events, 500);
}

#[test]
fn a_torn_tail_is_cut_off_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    let rows: Vec<_> = (0..6).map(|number| row(number, 100 + number)).collect();
    log.append(1, rows[..4].to_vec());
    log.flush().unwrap();
    let tail = files(dir.path(), "tail").pop().unwrap();
    let whole = fs::metadata(&tail).unwrap().len();
    log.append(2, rows[4..].to_vec());
    drop(log);
    let bytes = fs::read(&tail).unwrap();
    let expected = |count: usize| rows[..count].iter().rev().cloned().collect::<Vec<_>>();
    for cut in whole as usize..=bytes.len() {
        fs::write(&tail, &bytes[..cut]).unwrap();
        let log = EventLog::open(dir.path(), LogOptions::default()).unwrap();
        let left = if cut == bytes.len() { 6 } else { 4 };
        assert_eq!(all(&log, &base()), expected(left), "cut at {cut}");
        // What comes next is not lost behind the torn frame.
        log.append(3, vec![row(9, 900)]);
        drop(log);
        let log = EventLog::open(dir.path(), LogOptions::default()).unwrap();
        assert_eq!(all(&log, &base()).len(), left + 1, "cut at {cut}");
    }
    for cut in 0..whole as usize {
        fs::write(&tail, &bytes[..cut]).unwrap();
        let log = EventLog::open(dir.path(), LogOptions::default()).unwrap();
        assert_eq!(log.stats().rows, 0, "cut at {cut}");
        drop(log);
        for left in files(dir.path(), "tail") {
            fs::remove_file(left).unwrap();
        }
    }
}

#[test]
fn a_kill_between_seal_and_removal_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    let rows: Vec<_> = (0..100).map(|number| row(number, number)).collect();
    log.append(1, rows.clone());
    log.flush().unwrap();
    let tail = files(dir.path(), "tail").pop().unwrap();
    let bytes = fs::read(&tail).unwrap();
    log.append(2, (100..1_000).map(|number| row(number, number)).collect());
    log.flush().unwrap();
    assert!(!tail.exists(), "the first buffer is sealed");
    drop(log);
    fs::write(&tail, bytes).unwrap();
    fs::write(dir.path().join("events/segment-00000000000000ff.tmp"), b"half").unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    assert_eq!(all(&log, &base()).len(), 1_000);
    assert!(!tail.exists());
}

#[test]
fn a_damaged_segment_costs_its_own_rows_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    log.append(1, (0..2_000).map(|number| row(number, number)).collect());
    log.flush().unwrap();
    let before = log.stats();
    drop(log);
    let segments = files(dir.path(), "segment");
    let mut bytes = fs::read(&segments[0]).unwrap();
    bytes[100] ^= 1;
    fs::write(&segments[0], &bytes).unwrap();
    let bytes = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &bytes[..bytes.len() - 1]).unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    let found = all(&log, &base()).len() as u64;
    assert!(found < before.rows && found > before.rows / 2, "{found}");
    assert!(log.stats().damaged_blocks > 0);
    assert!(!log.check().unwrap().is_clean());
    assert!(segments[1].with_extension("damaged").exists());
}

#[test]
fn retention_unlinks_the_oldest_segments() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { total_bytes: 60_000, age: 1_000, ..small() };
    let log = EventLog::open(dir.path(), options).unwrap();
    for batch in 0..40u64 {
        let rows: Vec<_> = (0..250).map(|number| row(number, batch * 250 + number)).collect();
        log.append(batch, rows.clone());
    }
    log.flush().unwrap();
    let stats = log.stats();
    assert!(stats.bytes <= 60_000 + (64 << 10), "{stats:?}");
    assert_eq!(stats.rows + stats.expired, 10_000);
    assert!(stats.oldest > Some(1_000) && stats.newest == Some(9_999), "{stats:?}");
    assert_eq!(all(&log, &base()).len() as u64, stats.rows);
    log.retain(20_000).unwrap();
    let left = log.stats();
    assert_eq!(left.segments, 0);
    assert_eq!(left.rows + left.expired, 10_000);
    assert!(files(dir.path(), "segment").is_empty());
}

#[test]
fn a_full_queue_drops_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { queue_bytes: 10_000, ..LogOptions::default() };
    let log = EventLog::open(dir.path(), options).unwrap();
    let rows: Vec<_> = (0..200).map(|number| row(number, number)).collect();
    for _ in 0..200 {
        log.append(1, rows.clone());
    }
    log.flush().unwrap();
    let stats = log.stats();
    assert_eq!(stats.appended, 40_000);
    assert_eq!(stats.rows + stats.merged + stats.dropped_queue, stats.appended);
    assert_eq!(stats.events + stats.dropped_queue, stats.appended);
    assert_eq!(stats.queued_bytes, 0);
}

#[test]
fn rows_are_seen_and_written_without_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), LogOptions::default()).unwrap();
    log.append(1, vec![row(1, 1)]);
    let seen = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        log.stats().rows == 1
    });
    assert!(seen, "within 200 ms");
    assert_eq!(log.query(&base()).unwrap().rows.len(), 1);
    let tail = files(dir.path(), "tail").pop().unwrap();
    let written = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        fs::metadata(&tail).unwrap().len() > 8
    });
    assert!(written, "within 2 s, half a second being the rule");
}

#[test]
fn readers_miss_nothing_while_buffers_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open(dir.path(), small()).unwrap();
    let total = 6_000;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for first in (0..total).step_by(20) {
                let rows: Vec<_> = (first..first + 20).map(|n| row(n, n * SECOND / 100)).collect();
                log.append(first, rows.clone());
            }
        });
        while !writer.is_finished() {
            let before = log.stats().rows;
            let rows = all(&log, &LogQuery { limit: 1_000, ..base() });
            assert!(rows.len() as u64 >= before, "{} of {before}", rows.len());
            // The first row ever written is the last one read, and none between them is missing.
            let times: Vec<_> = rows.iter().rev().map(|row| row.time).collect();
            let expected: Vec<_> = (0..times.len() as u64).map(|n| n * SECOND / 100).collect();
            assert_eq!(times, expected);
        }
    });
    log.flush().unwrap();
    assert_eq!(all(&log, &base()).len() as u64, total);
}
