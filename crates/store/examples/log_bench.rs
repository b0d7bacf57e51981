//! Measures the event log and the alerts: `cargo run --release -p hanabi-store --example log_bench
//! [ROWS] [ALERTS] [DIR]`, with one million rows and 100 000 alerts unless told otherwise.
//!
//! Rows have the texts of a shop of 200 containers and a raw event of some 600 bytes each; one in
//! 20 is a notice, one in 500 a warning. Latencies are those of a warm page cache. A deep page is
//! compared with the first one of the same query.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hanabi_detect::Alert;
use hanabi_event::time::format_time;
use hanabi_event::{Category, EventTime, Priority};
use hanabi_store::{
    AlertQuery, Checkpoint, EventLog, LogOptions, LogQuery, LogRow, Store, StoreError, StoreOptions,
};
use serde_json::json;

const CONTAINERS: u64 = 200;
const BATCH: u64 = 2_000;
const DEEP: u64 = 1_000;
const START: EventTime = 1_790_000_000_000_000_000;
/// Event time between rows: 20 000 events a second.
const STEP: EventTime = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let alerts: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let kept = tempfile::tempdir()?;
    let dir = arguments.next().map_or_else(|| kept.path().to_path_buf(), PathBuf::from);
    let mut out = std::io::stdout();
    measure_log(&mut out, &dir, rows)?;
    measure_alerts(&mut out, &dir, alerts)?;
    Ok(())
}

fn measure_log(out: &mut impl Write, dir: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    // What does not fit would be dropped, and the rate would be that of dropping.
    // The rows that a bound on bytes takes away would not be searched.
    let options =
        LogOptions { queue_bytes: usize::MAX, total_bytes: u64::MAX, ..LogOptions::default() };
    let log = EventLog::open(dir, options.clone())?;
    let (mut making, mut handing) = (Duration::ZERO, Duration::ZERO);
    let began = Instant::now();
    for first in (0..rows).step_by(BATCH as usize) {
        let made = Instant::now();
        let batch: Vec<_> = (first..(first + BATCH).min(rows)).map(row).collect();
        making += made.elapsed();
        let handed = Instant::now();
        log.append(first / BATCH, batch);
        handing += handed.elapsed();
        // Memory must not hold all rows at once.
        if (first / BATCH).is_multiple_of(20) {
            log.flush()?;
        }
    }
    log.flush()?;
    let taken = began.elapsed().saturating_sub(making).as_secs_f64();
    let stats = log.stats();
    writeln!(
        out,
        "append: {:.0} rows/s ({:.2} us of the caller a row), {} segments, {:.0} bytes a row on \
         disk, {} merged",
        rows as f64 / taken,
        handing.as_secs_f64() * 1e6 / rows as f64,
        stats.segments,
        stats.bytes as f64 / stats.rows as f64,
        stats.merged,
    )?;
    drop(log);
    let began = Instant::now();
    let log = EventLog::open(dir, options)?;
    writeln!(out, "open: {:.1} ms", began.elapsed().as_secs_f64() * 1e3)?;
    for (name, query) in log_queries(rows) {
        writeln!(out, "{name}: {}", latencies(&log, &query)?)?;
    }
    let q = Some("no such text".into());
    let began = Instant::now();
    let page = log.query(&LogQuery { q, limit: 100, ..LogQuery::default() })?;
    let taken = began.elapsed().as_secs_f64() * 1e3;
    let until = page.scanned_until.map_or_else(|| "the end".into(), format_time);
    writeln!(out, "text that is nowhere: {taken:.0} ms, to {until}")?;
    Ok(())
}

fn log_queries(rows: u64) -> [(&'static str, LogQuery); 7] {
    let base = LogQuery { limit: 100, ..LogQuery::default() };
    let one = LogQuery { container: Some("web-17".to_owned()), ..base.clone() };
    let old = LogQuery { end: Some(START + rows / 2 * STEP), ..one.clone() };
    let severe = Some(Priority::Warning);
    let network = Some(Category::Network);
    // The busiest container, with few rows a page so that there is a page 1 000 at all.
    let bar = LogQuery {
        container: Some("web-0".to_owned()),
        min_priority: Some(Priority::Notice),
        start: Some(START),
        end: Some(START + rows / 20 * 19 * STEP),
        limit: 10,
        ..LogQuery::default()
    };
    [
        ("container, priority and time, 10 rows a page", bar),
        ("newest, all containers", base.clone()),
        ("one container", one),
        ("one container, old, severe", LogQuery { min_priority: severe, ..old.clone() }),
        ("one container, old, network", LogQuery { category: network, ..old.clone() }),
        ("one container, old", old),
        ("severe, all containers", LogQuery { min_priority: severe, ..base }),
    ]
}

/// Walks to page 1 000, or to the last one, and times the first and that one in turn.
fn latencies(log: &EventLog, query: &LogQuery) -> Result<String, StoreError> {
    let (mut deep, mut page) = (query.clone(), 1);
    while page < DEEP {
        match log.query(&deep)?.next_cursor {
            Some(cursor) => deep.cursor = Some(cursor),
            None => break,
        }
        page += 1;
    }
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        for (query, taken) in [(query, &mut first), (&deep, &mut last)] {
            let began = Instant::now();
            log.query(query)?;
            taken.push(began.elapsed());
        }
    }
    let ratio = median(&mut last).as_secs_f64() / median(&mut first).as_secs_f64();
    let (first, last) = (percentiles(first), percentiles(last));
    Ok(format!("first page {first}, page {page} {last}, ratio {ratio:.2}"))
}

fn median(taken: &mut [Duration]) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

fn percentiles(mut taken: Vec<Duration>) -> String {
    taken.sort_unstable();
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms p95 {:.2} ms", at(0.5), at(0.95))
}

fn measure_alerts(out: &mut impl Write, dir: &Path, alerts: u64) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir, StoreOptions::default())?;
    let began = Instant::now();
    for first in (0..alerts).step_by(1_000) {
        let alerts: Result<_, _> = (first..(first + 1_000).min(alerts)).map(alert).collect();
        store.commit(&Checkpoint { sequence: first, alerts: alerts?, ..Checkpoint::default() })?;
    }
    let taken = began.elapsed().as_secs_f64();
    writeln!(out, "alerts: {:.0} alerts/s in commits of 1 000", alerts as f64 / taken)?;
    let profiles: Vec<_> = (0..100u64)
        .map(|one| (format!("p{one}"), (0..50_000u64).map(|at| ((at * one) >> 7) as u8).collect()))
        .collect();
    let mut taken = Vec::new();
    for sequence in alerts..alerts + 40 {
        let alerts: Result<_, _> = (0..50).map(|at| alert(sequence * 7 % alerts + at)).collect();
        let alerts = alerts?;
        let profiles = profiles.clone();
        let began = Instant::now();
        store.commit(&Checkpoint { sequence, profiles, alerts, ..Checkpoint::default() })?;
        taken.push(began.elapsed());
    }
    writeln!(out, "checkpoint of 100 profiles and 50 alerts: {}", percentiles(taken))?;
    let base = AlertQuery { limit: 50, ..AlertQuery::default() };
    let queries = [
        ("newest alerts", base.clone()),
        ("alerts of a container", AlertQuery { container: Some("web-17".into()), ..base.clone() }),
        (
            "severe alerts of a state",
            AlertQuery {
                states: vec![hanabi_detect::AlertState::Open],
                min_priority: Some(Priority::Critical),
                ..base.clone()
            },
        ),
        ("alerts by text", AlertQuery { q: Some("tool-99 ".into()), ..base.clone() }),
    ];
    for (name, query) in queries {
        let mut taken = Vec::new();
        let mut query = query;
        for _ in 0..40 {
            let began = Instant::now();
            let page = store.alerts(&query)?;
            taken.push(began.elapsed());
            query.cursor = page.next_cursor;
        }
        writeln!(out, "{name}, pages 1 to 40: {}", percentiles(taken))?;
    }
    let mut taken = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        store.alert_stats(&base, 60)?;
        taken.push(began.elapsed());
    }
    writeln!(out, "statistics over all alerts: {}", percentiles(taken))?;
    drop(store);
    let began = Instant::now();
    let store = Store::open(dir, StoreOptions::default())?;
    let opened = began.elapsed().as_secs_f64() * 1e3;
    let restored = store.restore()?;
    let taken = began.elapsed().as_secs_f64() * 1e3;
    writeln!(
        out,
        "open {opened:.1} ms, with restore of {} alerts {taken:.0} ms",
        restored.alerts.len()
    )?;
    writeln!(out, "{:?}", store.stats()?)?;
    Ok(())
}

fn row(number: u64) -> LogRow {
    // Busy containers come often, quiet ones rarely.
    let mix = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let container = (mix % CONTAINERS) * (mix / CONTAINERS % 100) / 100;
    let warning = mix.is_multiple_of(500);
    let priority = match mix % 500 {
        0 => Priority::Warning,
        1..=25 => Priority::Notice,
        _ => Priority::Debug,
    };
    let object = format!("/var/lib/shop/data/{}/part-{}.parquet", mix % 97, mix % 10_007);
    LogRow {
        time: START + number * STEP,
        container_id: format!("{container:012x}"),
        container_name: format!("web-{container}"),
        identity: format!("shop:web-{container}:main"),
        host: "node-1".into(),
        category: Category::ALL[(mix % 3) as usize],
        priority,
        rule: if warning { "Read sensitive file".into() } else { "catch-all".into() },
        call: ["openat", "connect", "execve"][(mix % 3) as usize].into(),
        process: ["nginx", "postgres", "python3", "node"][(mix % 4) as usize].into(),
        command_line: format!("python3 /srv/worker.py --queue={} --id {number}", mix % 13),
        outcome: "ok".into(),
        count: 1,
        deviation: None,
        raw: Some(json!({
            "evt.num": number,
            "evt.type": "openat",
            "evt.args": format!("fd=5(<f>{object}) dirfd=-100(AT_FDCWD) name={object} flags=65(O_RDONLY)"),
            "fd.name": object,
            "container.id": format!("{container:012x}"),
            "container.name": format!("web-{container}"),
            "container.image.repository": "registry.example.com/shop/web",
            "container.image.tag": "1.27.3",
            "proc.name": "python3",
            "proc.cmdline": format!("python3 /srv/worker.py --queue={} --id {number}", mix % 13),
            "proc.exepath": "/usr/local/bin/python3.12",
            "proc.pname": "containerd-shim",
            "proc.pid": mix % 32_768,
            "user.name": "root",
            "user.uid": 0,
        })),
        object,
    }
}

fn alert(number: u64) -> Result<Alert, serde_json::Error> {
    let time = |at: u64| format_time(START + at * 1_000_000_000);
    let container = json!({
        "id": format!("{:012x}", number % CONTAINERS),
        "name": format!("web-{}", number % CONTAINERS),
        "host": "node-1",
        "pod": "",
        "image": "shop/web:1",
        "count": 1,
        "last_seen": time(number),
    });
    let expected: Vec<_> =
        (0..5).map(|at| json!({"token": format!("/usr/bin/tool-{at}"), "count": at})).collect();
    let activity: Vec<_> = (0..20)
        .map(|at| {
            let second = time(number + at);
            json!({"start": second, "first": second, "count": 2, "max_priority": "Warning"})
        })
        .collect();
    serde_json::from_value(json!({
        "id": format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        "fingerprint": format!("{number:016x}"),
        "state": (["open", "acknowledged", "resolved"][(number % 3) as usize]),
        "source": "hanabi",
        "rule": format!("hbt.new_{}", number % 11),
        "priority": Priority::ALL[(number % 8) as usize],
        "score": 0.7,
        "score_parts": [{"name": "kind", "value": 0.5}, {"name": "distance", "value": 0.9}],
        "host": "node-1",
        "identity": format!("shop:web-{}:main", number % CONTAINERS),
        "container": container,
        "containers": [container],
        "containers_total": 1,
        "k8s": {"namespace": "", "pod": ""},
        "kind": "new_process",
        "path": {"learned": ["process", "execve"], "token": format!("/tmp/tool-{number} "), "raw": ""},
        "expected": expected,
        "nearest": {"token": "/usr/bin/tool", "similarity": 0.4, "threshold": 0.8},
        "evidence": [],
        "lineage": [{"name": "sh", "executable": "/bin/sh", "command_line": "sh -c x", "pid": 7}],
        "mitre": ["T1059"],
        "count": number,
        "first_seen": time(number),
        "last_seen": time(number + 30),
        "activity": activity,
        "phase": "detecting",
        "incident": "",
        "samples": [row(number).raw, row(number + 1).raw],
        "summary": {"en": format!("tool-{number} ran in web"), "zh": format!("运行了 tool-{number}")},
        "assignee": "",
        "history": [],
    }))
}
