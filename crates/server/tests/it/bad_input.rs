//! What no Falco would send: counted, explained, and the service goes on.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use crate::{
    same::gzip,
    service::{Service, append},
};

const GOOD: &str = r#"{"hostname":"h","output_fields":{"container.id":"0123456789ab","container.name":"web","evt.time":1795337732000000000,"evt.type":"openat","evt.dir":"<","fd.name":"/etc/hosts","fd.typechar":"f","proc.name":"nginx","proc.exepath":"/usr/sbin/nginx","proc.cmdline":"nginx"},"priority":"Debug","rule":"file","source":"syscall"}"#;

fn start(dir: &std::path::Path) -> Service {
    // Waiting lines are decided by silence here.
    Service::start(&dir.join("data"), &["--set", "ingest.silence_after=1s"])
}

fn reasons(service: &Service) -> Vec<String> {
    let kept = service.get("/api/ingest/rejected");
    let mut reasons: Vec<String> = kept["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// The service still takes a line and shows its container.
fn is_alive(service: &mut Service, received: u64) {
    let (status, answer) = service.post("application/json", None, GOOD.as_bytes());
    assert_eq!(status, 202, "{answer}");
    service.wait_received(received + 1);
    let containers = service.get("/api/containers");
    assert_eq!(containers["containers"][0]["name"], "web", "{containers}");
}

#[test]
fn lines_that_are_no_events_are_counted_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = start(dir.path());
    let deep = format!(r#"{{"output_fields":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let numbers_as_strings = GOOD.replace(":1795337732000000000", ":\"1795337732000000001\"");
    let mut lines: Vec<Vec<u8>> = [
        "Falco version: 0.40.0 (x86_64)",
        r#"{"output":"half a li"#,
        r#"{"rule":"file","priority":"Debug","time":"2026-11-22T08:55:32Z"}"#,
        "[1,2,3]",
        "null",
        deep.as_str(),
        numbers_as_strings.as_str(),
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect();
    let mut garbage: Vec<u8> = (0..4_000u32).map(|n| (n * 7 + n / 3) as u8).collect();
    garbage.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    garbage.insert(0, 0);
    lines.push(garbage);
    let (head, tail) = GOOD.split_once("/etc/hosts").unwrap();
    lines.push([head.as_bytes(), b"/etc/\xff\xfe\xc3", tail.as_bytes()].concat());
    let body = lines.join(&b'\n');
    let (status, answer) = service.post("application/x-ndjson", None, &body);
    assert_eq!(status, 202, "{answer}");
    let totals = service.wait_received(lines.len() as u64);
    assert_eq!(totals.modelled, 2, "{totals:?}");
    let reasons = reasons(&service);
    assert!(reasons.iter().any(|reason| reason == "not_json"), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason == "not_falco"), "{reasons:?}");
    is_alive(&mut service, lines.len() as u64);
}

#[test]
fn a_file_of_oddities_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("falco.jsonl");
    std::fs::write(&file, "").unwrap();
    let source = format!("file:{}", file.display());
    let mut service = Service::start(
        &dir.path().join("data"),
        &["--source", &source, "--set", "ingest.silence_after=1s"],
    );
    is_alive(&mut service, 0);
    let mut long = vec![b'x'; 100 << 20];
    long.push(b'\n');
    append(&file, &long);
    drop(long);
    append(&file, format!("{GOOD}\n").as_bytes());
    let totals = service.wait_received(3);
    assert_eq!((totals.modelled, &totals.rejected["too_long"]), (2, &1.into()), "{totals:?}");
    assert!(reasons(&service).contains(&"too_long".to_owned()));
    // Half a line is none until it is finished.
    append(&file, &GOOD.as_bytes()[..100]);
    append(&file, &[&GOOD.as_bytes()[100..], b"\n"].concat());
    let totals = service.wait_received(4);
    assert_eq!(totals.modelled, 3, "{totals:?}");
}

#[test]
fn bodies_that_cannot_be_taken_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = start(dir.path());
    let bomb = gzip(&vec![b' '; 512 << 20]);
    for (kind, encoding, body, status, word) in [
        ("application/json", Some("gzip"), bomb.as_slice(), 413, "longer"),
        ("application/json", Some("gzip"), b"no gzip".as_slice(), 400, "gzip"),
        ("application/json", Some("br"), b"{}", 415, "gzip"),
        ("image/png", None, b"{}", 415, "application/json"),
        ("application/json", None, b"", 400, "no events"),
        ("application/json", None, b"[{},", 400, "array"),
    ] {
        let (got, answer) = service.post(kind, encoding, body);
        assert_eq!(got, status, "{kind} {encoding:?}: {answer}");
        assert!(answer.contains(word), "{kind} {encoding:?}: {answer}");
    }
    is_alive(&mut service, 0);
}

#[test]
fn a_thousand_slow_clients_hold_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = start(dir.path());
    let mut clients = Vec::new();
    for number in 0..1_000 {
        let mut client = service.connect();
        // A third says nothing, a third sends half a request, a third never reads its stream.
        match number % 3 {
            0 => {}
            1 => client
                .write_all(
                    b"POST /ingest/falco HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n",
                )
                .unwrap(),
            _ => client.write_all(b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap(),
        }
        clients.push(client);
    }
    service.wait("the streams", |service| {
        let metrics = service.text("/metrics");
        metrics.contains("\nhanabi_sse_clients 333\n").then_some(())
    });
    is_alive(&mut service, 0);
    // One of them reads after all.
    let client = &mut clients[2];
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut beginning = [0; 15];
    client.read_exact(&mut beginning).unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200 OK");
    drop(clients);
    let (status, talk) = service.stop();
    assert!(status.success(), "{talk}");
}
