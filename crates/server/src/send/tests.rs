//! Sending to a service that answers as told.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread::JoinHandle,
    time::Duration,
};

use super::post::{Patience, Target};
use crate::cli::{SendArgs, Shift, Speed};

/// Answers one connection's requests in turn and returns their bodies.
fn service(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut bodies = Vec::new();
        for answer in answers {
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            bodies.push(String::from_utf8(body).unwrap());
            let (head, json) = answer.split_once('|').unwrap();
            write!(
                stream.get_mut(),
                "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{json}",
                json.len()
            )
            .unwrap();
        }
        bodies
    });
    (url, bodies)
}

fn patience() -> Patience {
    let short = Duration::from_millis(10);
    Patience { unreachable_for: short, busy_for: Duration::from_mins(1), first_pause: short }
}

fn recording(lines: &[&str]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    file
}

fn args(file: &tempfile::NamedTempFile, to: String, speed: Speed) -> SendArgs {
    SendArgs { file: file.path().into(), to, speed, shift: None, token: None }
}

#[test]
fn lines_arrive_whole_and_blank_ones_do_not() {
    let (url, bodies) = service(&["202 Accepted|{\"accepted\":3}"]);
    let file = recording(&["{\"a\":1}", "", "garbage", "  ", "{\"b\":2}"]);
    super::send(&args(&file, url, Speed::Max)).unwrap();
    assert_eq!(bodies.join().unwrap(), ["{\"a\":1}\ngarbage\n{\"b\":2}\n"]);
}

#[test]
fn refused_lines_fail_the_command() {
    let (url, bodies) =
        service(&["413 Payload Too Large|{\"title\":\"too large\",\"detail\":\"longer than 3\"}"]);
    let file = recording(&["{\"a\":1}"]);
    let error = super::send(&args(&file, url, Speed::Max)).unwrap_err();
    assert_eq!(error.to_string(), "1 of 1 lines were not accepted: longer than 3 (HTTP 413)");
    bodies.join().unwrap();
}

#[test]
fn requests_follow_the_recorded_rhythm() {
    let (url, bodies) = service(&["202 Accepted|{}", "202 Accepted|{}"]);
    let file = recording(&[
        "{\"time\":\"2026-11-22T09:00:00.000000000Z\",\"output_fields\":{}}",
        "{\"time\":\"2026-11-22T09:00:00.050000000Z\",\"output_fields\":{}}",
        "{\"time\":\"2026-11-22T09:00:02.000000000Z\",\"output_fields\":{}}",
    ]);
    let started = std::time::Instant::now();
    super::send(&args(&file, url, Speed::Times(10.0))).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200));
    let lines: Vec<usize> = bodies.join().unwrap().iter().map(|b| b.lines().count()).collect();
    assert_eq!(lines, [2, 1]);
}

#[test]
fn shifted_to_the_end_gaps_stay_as_they_were() {
    let file = recording(&[
        "{\"time\":\"2026-11-22T09:00:00.000000000Z\",\"output_fields\":{}}",
        "{\"time\":\"2026-11-22T09:01:00.000000000Z\",\"output_fields\":{}}",
    ]);
    let (url, bodies) = service(&["202 Accepted|{}"]);
    let args = SendArgs { shift: Some(Shift::End), ..args(&file, url, Speed::Max) };
    super::send(&args).unwrap();
    let times: Vec<jiff::Timestamp> = bodies.join().unwrap()[0]
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["time"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(times[1].as_nanosecond() - times[0].as_nanosecond(), 60_000_000_000);
    let age = jiff::Timestamp::now().as_second() - times[1].as_second();
    assert!((0..60).contains(&age), "{age}");
}

#[test]
fn a_full_queue_is_waited_for() {
    let (url, bodies) = service(&[
        "429 Too Many Requests\r\nretry-after: 0|{\"detail\":\"full\"}",
        "503 Service Unavailable|{}",
        "202 Accepted|{\"accepted\":1}",
    ]);
    let target = Target::new(&url, None).unwrap().with_patience(patience());
    let mut news = Vec::new();
    let reply = target.post(b"{}\n", |line| news.push(line.to_owned())).unwrap();
    assert_eq!(reply, Ok(Some(1)));
    assert_eq!(bodies.join().unwrap().len(), 3);
    assert_eq!(news, ["the service has no room, waiting: full (HTTP 429)"]);
}

#[test]
fn a_missing_service_is_waited_for_and_then_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let target = Target::new(&url, None).unwrap().with_patience(patience());
    let error = target.post(b"{}\n", |_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("failed to send to {url}/ingest/falco"));
}

#[test]
fn other_programs_and_addresses_are_refused() {
    let (url, bodies) = service(&["404 Not Found|{}"]);
    let target = Target::new(&format!("{url}/ingest/falco/"), None).unwrap();
    assert_eq!(target.url(), format!("{url}/ingest/falco"));
    let error = target.post(b"{}\n", |_| ()).unwrap_err();
    assert!(error.to_string().ends_with("HTTP 404"), "{error}");
    bodies.join().unwrap();
    assert!(Target::new("https://example.org", None).is_ok());
    assert!(Target::new("ftp://example.org", None).is_err());
    assert!(Target::new("127.0.0.1:8000", None).is_err());
}
