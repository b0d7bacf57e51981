//! Sources that a person pauses and lets go on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::restart::{compare, count, parts};
use crate::service::{Service, append, lines};

fn source(service: &Service, id: &str) -> Value {
    let all = service.get("/api/sources")["sources"].as_array().unwrap().clone();
    all.into_iter().find(|source| source["id"] == id).unwrap()
}

#[test]
fn a_paused_source_keeps_its_place_over_a_kill_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("falco.jsonl"));
    let text = lines("shop-small.jsonl.zst");
    let halves = parts(&text, 2);
    let id = format!("file:{}", file.display());
    let path = format!("/api/sources/{}", id.replace('/', "%2F").replace(':', "%3A"));
    let start = || Service::start(&data, &["--source", &id]);

    let mut service = start();
    append(&file, halves[0]);
    service.wait("the first half", |service| {
        (service.totals().received == count(halves[0])).then_some(())
    });
    let (status, answer) =
        service.change("POST", &format!("{path}/pause?dry_run=true"), &json!({}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(source(&service, &id)["state"], "running", "a dry run pauses nothing");
    let (status, answer) = service.change("POST", &format!("{path}/pause"), &json!({}));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answer["source"]["state"].as_str()), (200, Some("paused")));
    assert!(answer["source"]["detail"].as_str().unwrap().contains("wait in the file"), "{answer}");
    // The answer came when it was durable.
    service.kill();

    append(&file, halves[1]);
    let mut service = start();
    service.wait("its state", |s| (source(s, &id)["state"] == "paused").then_some(()));
    // What was in the queue at the pause comes again when reading goes on, and not before.
    let covered = service.totals().received;
    assert!(covered <= count(halves[0]), "{covered}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(service.totals().received, covered);
    let (status, answer) = service.change("POST", &format!("{path}/resume"), &json!({}));
    assert_eq!(status, 200, "{answer}");
    let totals = service.wait_received(count(&text));
    compare(&mut service, &totals);
    let audit = service.get("/api/audit")["audit"].clone();
    let did = |at: usize| (audit[at]["action"].as_str(), audit[at]["object"].as_str());
    assert_eq!(did(0), (Some("source.resume"), Some(id.as_str())));
    assert_eq!(did(1), (Some("source.pause"), Some(id.as_str())));
}

#[test]
fn what_cannot_be_paused_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(&dir.path().join("data"), &[]);
    for (id, expected, word) in [("http", 409, "cannot wait"), ("file:%2Fnone", 404, "no source")] {
        let (status, answer) =
            service.change("POST", &format!("/api/sources/{id}/pause"), &json!({}));
        assert_eq!(status, expected, "{answer}");
        assert!(answer.contains(word), "{answer}");
    }
}
