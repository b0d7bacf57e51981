//! Killed at any moment, the service goes on where it was: nothing twice, nothing lost.

use std::path::Path;

use crate::service::{Service, Totals, append, fixture, lines, replay};

const FAST: [&str; 4] =
    ["--set", "store.checkpoint_every=100ms", "--set", "ingest.silence_after=1h"];

/// Cuts at ends of lines, in so many parts of different sizes.
pub(crate) fn parts(text: &[u8], count: usize) -> Vec<&[u8]> {
    let mut rest = text;
    let mut parts = Vec::new();
    for left in (1..=count).rev() {
        let size = if left == 1 { rest.len() } else { rest.len() * (1 + left % 3) / (2 * left) };
        let end = memchr::memchr(b'\n', &rest[size.min(rest.len() - 1)..])
            .map_or(rest.len(), |end| size + end + 1);
        let (part, after) = rest.split_at(end.min(rest.len()));
        parts.push(part);
        rest = after;
    }
    assert!(rest.is_empty());
    parts
}

pub(crate) fn count(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

pub(crate) fn compare(service: &mut Service, totals: &Totals) {
    let expected = replay(&fixture("shop-small.jsonl.zst"));
    service.expect_alerts(&expected.alerts);
    assert_eq!(service.trees(), expected.trees);
    assert!(
        expected.summary.contains(&format!("modelled      {}\n", totals.modelled)),
        "{totals:?}\n{}",
        expected.summary
    );
    let phases = service.get("/api/containers?limit=1000");
    for container in phases["containers"].as_array().unwrap() {
        assert_eq!(container["phase"], "detecting", "{container}");
    }
    // The log has every modelled line once, repetitions in counts.
    let mut logged = 0;
    for container in phases["containers"].as_array().unwrap() {
        logged += log_events(service, container["id"].as_str().unwrap());
    }
    assert_eq!(logged, totals.modelled);
}

fn log_events(service: &Service, id: &str) -> u64 {
    let (mut events, mut cursor) = (0, String::new());
    loop {
        let page = service.get(&format!("/api/containers/{id}/logs?limit=1000{cursor}"));
        let rows = page["events"].as_array().unwrap();
        events += rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

#[test]
fn killed_while_it_reads_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("falco.jsonl"));
    let text = lines("shop-small.jsonl.zst");
    let source = format!("file:{}", file.display());
    let start = |data: &Path| {
        Service::start(data, &[["--source", source.as_str()].as_slice(), &FAST].concat())
    };
    let mut written = 0;
    for (round, part) in parts(&text, 6).into_iter().enumerate() {
        let mut service = start(&data);
        append(&file, part);
        let before = written;
        written += count(part);
        // Somewhere between the first line of this part and all of them.
        let moment = before + (written - before) * (round as u64 % 4) / 4;
        service.wait("progress", |service| {
            let totals = service.totals();
            totals.check();
            (totals.received > moment).then_some(())
        });
        service.kill();
    }
    let mut service = start(&data);
    let totals = service.wait_received(written);
    compare(&mut service, &totals);
    let (status, talk) = service.stop();
    assert!(status.success(), "{talk}");
    let mut service = start(&data);
    let again = service.wait_received(written);
    assert_eq!(again, totals, "an orderly end and start change nothing");
    compare(&mut service, &again);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let text = lines("shop-small.jsonl.zst");
    let mut acknowledged = 0;
    let parts = parts(&text, 24);
    for batches in parts.chunks(6) {
        let service = Service::start(&data, &FAST);
        for batch in batches {
            let (status, answer) = service.post("application/x-ndjson", None, batch);
            assert_eq!(status, 202, "{answer}");
            acknowledged += count(batch);
        }
        service.kill();
    }
    let mut service = Service::start(&data, &FAST);
    let totals = service.wait_received(acknowledged);
    compare(&mut service, &totals);
}

#[test]
fn a_second_service_in_one_data_directory_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Service::start(dir.path(), &[]);
    let second = crate::service::hanabi()
        .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let talk = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{talk}");
    assert!(talk.contains("is using it"), "{talk}");
}
