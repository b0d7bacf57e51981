//! Feedback on a running service: it is there after a power cut, and it does what it said.

use std::path::Path;

use serde_json::{Value, json};

use crate::service::{Service, fixture, hanabi, lines};

const FAST: [&str; 2] = ["--set", "store.checkpoint_every=5m"];

/// Whole-number nanoseconds and RFC 3339 times of every line, moved by so many whole days.
fn moved(text: &[u8], days: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let mut event: Value = serde_json::from_slice(line).unwrap();
        let nanos = days * 86_400 * 1_000_000_000;
        let time = hanabi_event::time::parse_time(event["time"].as_str().unwrap()).unwrap();
        event["time"] = hanabi_event::time::format_time(time + nanos).into();
        if let Some(fields) = event["output_fields"].as_object_mut() {
            for name in ["evt.time", "evt.time.iso8601"] {
                let Some(field) = fields.get_mut(name) else { continue };
                let moved = match &*field {
                    Value::Number(number) => json!(number.as_u64().unwrap() + nanos),
                    Value::String(text) => {
                        let time = hanabi_event::time::parse_time(text).unwrap();
                        hanabi_event::time::format_time(time + nanos).into()
                    }
                    other => other.clone(),
                };
                *field = moved;
            }
        }
        out.extend_from_slice(event.to_string().as_bytes());
        out.push(b'\n');
    }
    out
}

pub(crate) fn send(service: &mut Service, text: &[u8], received: &mut u64) {
    for part in text.chunks_exact_lines(8 << 20) {
        service.wait("room for lines", |service| {
            let (status, answer) = service.post("application/x-ndjson", None, part);
            assert!(matches!(status, 202 | 429), "{answer}");
            (status == 202).then_some(())
        });
    }
    *received += memchr::memchr_iter(b'\n', text).count() as u64;
    service.wait_received(*received);
}

/// Cuts at ends of lines.
trait Lines {
    fn chunks_exact_lines(&self, size: usize) -> Vec<&[u8]>;
}

impl Lines for [u8] {
    fn chunks_exact_lines(&self, size: usize) -> Vec<&[u8]> {
        let (mut rest, mut parts) = (self, Vec::new());
        while rest.len() > size {
            let end = memchr::memrchr(b'\n', &rest[..size]).unwrap() + 1;
            let (part, after) = rest.split_at(end);
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts
    }
}

fn all(service: &Service) -> Vec<Value> {
    service.get("/api/alerts?limit=1000")["alerts"].as_array().unwrap().clone()
}

fn of_rule<'a>(alerts: &'a [Value], rule: &str, container: &str) -> Vec<&'a Value> {
    alerts.iter().filter(|a| a["rule"] == rule && a["container"]["name"] == container).collect()
}

fn change(service: &Service, path: &str, body: &Value) -> Value {
    let (status, answer) = service.change("POST", path, body);
    assert_eq!(status, 200, "{path}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

fn state(service: &Service, id: &str) -> String {
    service.get(&format!("/api/alerts/{id}"))["state"].as_str().unwrap().to_owned()
}

fn start(data: &Path) -> Service {
    Service::start(data, &FAST)
}

#[test]
fn what_people_decide_survives_a_kill_and_does_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let text = lines("shop-small.jsonl.zst");
    let mut received = 0;
    let mut service = start(&data);
    send(&mut service, &text, &mut received);
    let before = all(&service);
    // A checkpoint is five minutes away, so only the answers themselves make the actions durable.
    let promoted = of_rule(&before, "danger.account_discovery", "web")[0];
    let shared = of_rule(&before, "hbt.new_process", "batch")[0];
    let acknowledged = of_rule(&before, "danger.miner", "batch")[0]["id"].as_str().unwrap();
    let id = |alert: &Value| alert["id"].as_str().unwrap().to_owned();
    change(&service, &format!("/api/alerts/{acknowledged}/ack"), &json!({ "text": "on it" }));
    change(&service, &format!("/api/alerts/{acknowledged}/assign"), &json!({ "to": "ann" }));

    let quiet = json!({ "scope": "rule", "text": "known" });
    let path = format!(
        "/api/alerts/{}/suppress",
        id(of_rule(&before, "danger.credential_read", "cache")[0])
    );
    let preview = change(&service, &format!("{path}?dry_run=true"), &quiet);
    assert!(all(&service).iter().all(|a| a["state"] != "suppressed"), "a preview changes nothing");
    let done = change(&service, &path, &quiet);
    assert_eq!((&preview["alerts"], &done["dry_run"]), (&done["alerts"], &json!(false)));
    let suppressed = all(&service).iter().filter(|a| a["state"] == "suppressed").count();
    assert_eq!(done["alerts"], suppressed as u64);
    assert!(suppressed >= 3);

    for alert in [promoted, shared] {
        let path = format!("/api/alerts/{}/promote", id(alert));
        let preview = change(&service, &format!("{path}?dry_run=true"), &json!({}));
        let count = |service: &Service| {
            all(service).iter().filter(|a| a["state"] == "promoted").count() as u64
        };
        let already = count(&service);
        let done = change(&service, &path, &json!({}));
        assert_eq!(preview["alerts"], done["alerts"]);
        assert_eq!(preview["lets_through"], done["lets_through"]);
        assert_eq!(count(&service) - already, done["alerts"].as_u64().unwrap());
    }
    service.kill();

    let service = start(&data);
    assert_eq!(state(&service, acknowledged), "acknowledged");
    let alert = service.get(&format!("/api/alerts/{acknowledged}"));
    assert_eq!(
        (&alert["assignee"], &alert["history"][0]["text"]),
        (&json!("ann"), &json!("on it"))
    );
    assert_eq!(state(&service, &id(promoted)), "promoted");
    assert_eq!(service.get("/api/suppressions")["suppressions"].as_array().unwrap().len(), 1);
    let audit = service.get("/api/audit");
    let actions: Vec<&str> =
        audit["audit"].as_array().unwrap().iter().map(|a| a["action"].as_str().unwrap()).collect();
    let expected =
        ["alert.promote", "alert.promote", "alert.suppress", "alert.assign", "alert.ack"];
    assert_eq!(actions, expected);

    let promoted = promoted.clone();
    the_same_again(service, &data, &text, &mut received, &promoted);
}

/// The same two days later: what was promoted fits, what was suppressed is counted; and two days
/// after that, undone, the alert comes again.
fn the_same_again(
    mut service: Service,
    data: &Path,
    text: &[u8],
    received: &mut u64,
    promoted: &Value,
) {
    let id = promoted["id"].as_str().unwrap();
    send(&mut service, &moved(text, 2), received);
    service.wait("counts", |service| {
        let alerts = all(service);
        let quiet = alerts.iter().filter(|a| a["state"] == "suppressed").collect::<Vec<_>>();
        let grown = quiet.iter().any(|a| a["count"].as_u64() > Some(20));
        (grown && !quiet.is_empty()).then_some(())
    });
    assert_eq!(state(&service, id), "promoted");
    let again = service.get(&format!("/api/alerts/{id}"));
    assert_eq!(again["count"], promoted["count"], "it fits now");
    let metrics = service.text("/metrics");
    let counted =
        metrics.lines().find(|l| l.starts_with("hanabi_alerts_suppressed_total")).unwrap();
    assert!(!counted.ends_with(" 0"), "{counted}");

    let undone = change(&service, &format!("/api/alerts/{id}/undo"), &json!({}));
    assert_eq!(undone["alert"]["state"], "open");
    service.kill();
    let mut service = start(data);
    assert_eq!(state(&service, id), "open");
    send(&mut service, &moved(text, 4), received);
    service.wait("the alert to come again", |service| {
        let alert = service.get(&format!("/api/alerts/{id}"));
        (alert["count"].as_u64() > promoted["count"].as_u64()).then_some(())
    });
}

#[test]
fn the_command_line_does_triage() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = start(&dir.path().join("data"));
    let mut received = 0;
    send(&mut service, &lines("shop-small.jsonl.zst"), &mut received);
    let run = |arguments: &[&str]| {
        let output =
            hanabi().arg("alerts").args(arguments).args(["--url", &service.url]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, list, talk) = run(&["list", "--priority", "Critical"]);
    assert_eq!(code, Some(0), "{talk}");
    let id = list.lines().next().unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(list.lines().all(|line| line.contains("Critical") && line.contains("open")), "{list}");
    let (_, shown, _) = run(&["show", &id]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["id"], id.as_str());
    let (code, said, talk) = run(&["ack", &id, "--text", "mine"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), format!("{id} acknowledged; ack changed 1 alerts\n").as_str()),
        "{talk}"
    );
    let (code, said, talk) = run(&["ack", &id]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(talk.contains("acknowledged cannot be acknowledged"), "{talk}");
    let (code, said, _) = run(&["promote", &id, "--dry-run"]);
    assert!(
        code == Some(0) && said.contains("promote would change") && said.contains("lets through"),
        "{said}"
    );
    let (code, said, _) = run(&["resolve", &id, "unknown"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("unknown refused: there is no alert `unknown`"), "{said}");
    let (_, said, _) = run(&["undo", &id]);
    assert_eq!(said, format!("{id} acknowledged; undo changed 1 alerts\n"));
    let (code, _, talk) = run(&["show", "nothing"]);
    assert_eq!(code, Some(1));
    assert!(talk.contains("there is no alert `nothing`"), "{talk}");
    assert!(fixture("shop-small.jsonl.zst").exists());
}
