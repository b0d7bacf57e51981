//! A profile of a running service goes back, and forward again.

use serde_json::{Value, json};

use crate::feedback::send;
use crate::service::{Service, lines};

fn post(service: &Service, path: &str, body: &Value, expected: u16) -> Value {
    let (status, answer) = service.change("POST", path, body);
    assert_eq!(status, expected, "{path} {body}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

fn phase(service: &mut Service, identity: &str, phase: &str) {
    let identity = identity.to_owned();
    service.wait(&format!("{identity} to be {phase}"), |service| {
        let rows = service.get("/api/containers?limit=1000");
        let mut rows = rows["containers"].as_array().unwrap().iter();
        rows.any(|row| row["identity"] == identity.as_str() && row["phase"] == phase).then_some(())
    });
}

#[test]
fn a_profile_goes_back_over_a_kill_and_forward_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let start = || Service::start(&data, &["--set", "store.checkpoint_every=100ms"]);
    let text = lines("shop-small.jsonl.zst");
    let mut service = start();
    send(&mut service, &text, &mut 0);
    let rows = service.get("/api/containers?limit=1000");
    let rows = rows["containers"].as_array().unwrap();
    let web = rows.iter().find(|row| row["name"] == "web").unwrap()["identity"].as_str().unwrap();
    let path = format!("/api/hbt/{}", web.replace(':', "%3A"));
    let points = |service: &Service| {
        service.get(&format!("{path}/history"))["restore_points"].as_array().unwrap().clone()
    };
    phase(&mut service, web, "detecting");
    let learned = service.wait("a restore point", |service| points(service).pop());
    assert_eq!((&learned["reason"], &learned["phase"]), (&"learned".into(), &"detecting".into()));
    let tree = service.get(&path);

    let rollback = format!("{path}/rollback");
    let at = json!({ "to": learned["time"] });
    let preview = post(&service, &format!("{rollback}?dry_run=true"), &at, 200);
    assert_eq!((&preview["dry_run"], &preview["undo"]), (&true.into(), &Value::Null));
    assert_eq!(service.get(&path), tree, "a dry run changes nothing");
    let done = post(&service, &rollback, &at, 200);
    for field in ["phase", "to", "revision", "nodes_before", "nodes_after", "given_up"] {
        assert_eq!(done[field], preview[field], "what was announced is what happens: {field}");
    }
    assert_eq!(done["reason"], "learned");
    let back = service.get(&path);
    assert_ne!(back, tree, "what was counted since is not there");
    // The answer came when it was durable, with the way forward.
    service.kill();
    let mut service = start();
    assert_eq!(service.get(&path), back);
    let forward = post(&service, &rollback, &json!({ "to": done["undo"] }), 200);
    assert_eq!(forward["reason"], "rollback");
    assert_eq!(service.get(&path), tree, "as if nobody had gone back");

    // A start of learning is taken back, too, by the image as well as by the time.
    post(&service, &format!("{path}/relearn"), &json!({}), 200);
    phase(&mut service, web, "warmup");
    let revision = json!({ "revision": learned["revision"] });
    assert_eq!(post(&service, &rollback, &revision, 200)["phase"], "detecting");
    for (body, status) in [
        (json!({ "revision": "shop/web:never" }), 409),
        (json!({ "to": "2001-01-01T00:00:00Z" }), 409),
        (json!({ "to": "yesterday" }), 400),
        (json!({}), 400),
        (json!({ "to": learned["time"], "revision": "x" }), 400),
    ] {
        post(&service, &rollback, &body, status);
    }
    // A refusal is answered at once, and noted down with the next checkpoint.
    service.wait("three entries and two refusals in the audit log", |service| {
        let audit = service.get("/api/audit")["audit"].clone();
        let all = audit.as_array().unwrap().iter();
        let all: Vec<_> = all.filter(|entry| entry["action"] == "profile.rollback").collect();
        let refused = all.iter().filter(|entry| entry["outcome"] == "refused").count();
        (refused == 2 && all.len() == 5).then_some(())
    });
    service.wait("its counter", |service| {
        (service.metric("hanabi_restore_points ") >= 1.0).then_some(())
    });
}
