//! One recording gives one result, whichever way it comes in.

use std::io::Write as _;

use crate::service::{Replayed, Service, fixture, hanabi, lines, replay, settings};

const FIXTURE: &str = "shop-small.jsonl.zst";

fn check(service: &mut Service, expected: &Replayed, received: u64) {
    let totals = service.wait_received(received);
    service.expect_alerts(&expected.alerts);
    assert_eq!(service.trees(), expected.trees);
    assert!(expected.summary.contains(&format!("modelled      {}\n", totals.modelled)));
    assert!(!expected.alerts.is_empty());
}

#[test]
fn a_file_standard_input_and_http_give_what_a_replay_gives() {
    let expected = replay(&fixture(FIXTURE));
    let text = lines(FIXTURE);
    let count = memchr::memchr_iter(b'\n', &text).count() as u64;
    let dir = tempfile::tempdir().unwrap();

    let file = dir.path().join("falco.jsonl");
    std::fs::write(&file, &text).unwrap();
    let source = format!("file:{}", file.display());
    let mut service = Service::start(&dir.path().join("file"), &["--source", &source]);
    check(&mut service, &expected, count);
    drop(service);

    let (mut service, mut stdin) =
        Service::start_piped(&dir.path().join("stdin"), &["--source", "-"]);
    stdin.write_all(&text).unwrap();
    drop(stdin);
    check(&mut service, &expected, count);
    service.wait("the end of standard input", |service| {
        let sources = service.get("/api/sources");
        let all = sources["sources"].as_array().unwrap();
        all.iter().any(|s| s["id"] == "stdin" && s["state"] == "ended").then_some(())
    });
    drop(service);

    // One large recording in bodies below the default limit, each shape for a third of them.
    let mut service = Service::start(&dir.path().join("http"), &[]);
    for (index, body) in bodies(&text, 8 << 20).into_iter().enumerate() {
        // On a busy machine the queue is full at times, and says so.
        service.wait("room for lines", |service| {
            let (status, answer) = match index % 3 {
                0 => service.post("application/x-ndjson", None, body),
                1 => service.post("application/json", None, &array(body)),
                _ => service.post("application/json", Some("gzip"), &gzip(&array(body))),
            };
            assert!(matches!(status, 202 | 429), "{answer}");
            (status == 202).then_some(())
        });
    }
    check(&mut service, &expected, count);
}

fn bodies(text: &[u8], size: usize) -> Vec<&[u8]> {
    let (mut rest, mut bodies) = (text, Vec::new());
    while rest.len() > size {
        let end = memchr::memrchr(b'\n', &rest[..size]).unwrap() + 1;
        bodies.push(&rest[..end]);
        rest = &rest[end..];
    }
    bodies.push(rest);
    bodies
}

fn array(lines: &[u8]) -> Vec<u8> {
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    let mut text = vec![b'['];
    for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            text.extend_from_slice(b",\n");
        }
        text.extend_from_slice(line);
    }
    text.push(b']');
    text
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_replay_gives_the_same_bytes_whatever_the_number_of_threads() {
    let outputs = ["1", "2", "8", "8"].map(|threads| {
        let output = hanabi()
            .args(["replay", "--threads", threads])
            .arg(fixture(FIXTURE))
            .args(settings())
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    });
    assert!(!outputs[0].is_empty());
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}
