//! Changes: what is taken, what is refused before the engine hears of it, and what it says.

use hanabi_api::{Action, Command, Expiry, ProfileOperation, RollbackTo, SourceOperation};
use hanabi_detect::{Maintenance, Suppression, SuppressionScope, triage::Act};
use hanabi_event::SECOND;
use hanabi_store::{AuditEntry, Checkpoint};
use serde_json::{Value, json};

use crate::client::{Answer, get, request};
use crate::world::{NOW, Setup, World};

const ALERT: &str = "/api/alerts/00000000000000a1";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn send(world: &World, method: &str, path: &str, body: &Value) -> Answer {
    request(world.addr, method, path, &[JSON], body.to_string().as_bytes()).await
}

async fn world() -> World {
    let world = World::start(Setup::default()).await;
    world.fill();
    world
}

#[tokio::test]
async fn every_action_reaches_the_engine_as_it_was_meant() {
    let world = world().await;
    let act = |act| Command::Alert { id: "00000000000000a1".into(), action: Action::Act(act) };
    let text = |text: &str| text.to_owned();
    let cases = [
        ("ack", json!({}), act(Act::Acknowledge { text: text("") })),
        ("note", json!({ "text": "seen" }), act(Act::Note { text: text("seen") })),
        ("assign", json!({ "to": "ann" }), act(Act::Assign { to: text("ann") })),
        ("resolve", json!({ "text": "done" }), act(Act::Resolve { text: text("done") })),
        ("reopen", json!({}), act(Act::Reopen { text: text("") })),
        (
            "suppress",
            json!({ "scope": "container", "expires": "2030-01-01T00:00:00Z" }),
            Command::Alert {
                id: "00000000000000a1".into(),
                action: Action::Suppress {
                    scope: SuppressionScope::Container,
                    expiry: Some(Expiry::At(1_893_456_000 * SECOND)),
                    note: text(""),
                },
            },
        ),
        (
            "promote",
            json!({ "path": "generalised" }),
            Command::Alert {
                id: "00000000000000a1".into(),
                action: Action::Promote { wide: true },
            },
        ),
    ];
    for (word, body, expected) in cases {
        for dry_run in [true, false] {
            let path = format!("{ALERT}/{word}?dry_run={dry_run}");
            let answer = send(&world, "POST", &path, &body).await;
            assert_eq!(answer.status, 200, "{word}: {}", answer.text());
            assert_eq!(answer.json()["dry_run"], dry_run);
            let order = world.orders.lock().unwrap().pop().unwrap();
            assert_eq!((&order.command, order.dry_run), (&expected, dry_run));
            assert_eq!(order.by, "operator");
        }
    }
    let bulk = json!({ "ids": ["a", "b"], "action": "resolve", "text": "all" });
    assert_eq!(send(&world, "POST", "/api/alerts/bulk", &bulk).await.status, 200);
    let order = world.orders.lock().unwrap().pop().unwrap();
    let action = Action::Act(Act::Resolve { text: "all".into() });
    assert_eq!(order.command, Command::Bulk { ids: vec!["a".into(), "b".into()], action });
}

#[tokio::test]
async fn profiles_are_named_as_everywhere() {
    let world = world().await;
    for (method, path, operation) in [
        ("POST", "/api/hbt/aaaaaaaaaaaa/relearn", ProfileOperation::Relearn),
        ("POST", "/api/hbt/h1:web/freeze", ProfileOperation::Freeze),
        ("POST", "/api/hbt/h1%3Aweb/unfreeze", ProfileOperation::Unfreeze),
        ("DELETE", "/api/hbt/h1:web", ProfileOperation::Delete),
    ] {
        let answer = send(&world, method, path, &json!({})).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let order = world.orders.lock().unwrap().pop().unwrap();
        assert_eq!(order.command, Command::Profile { identity: "h1:web".into(), operation });
    }
    let items = get(world.addr, "/api/hbt/h1:web/quarantine").await.json();
    assert_eq!(items["quarantine"][0]["id"], "k1");
    assert_eq!(items["quarantine"][0]["seconds"], 2);
    let path = "/api/hbt/h1:web/quarantine/k1/reject";
    assert_eq!(send(&world, "POST", path, &json!({})).await.status, 200);
    let order = world.orders.lock().unwrap().pop().unwrap();
    let identity = "h1:web".to_owned();
    let decision = Command::Quarantine { identity, item: "k1".into(), accept: false };
    assert_eq!(order.command, decision);
    let body = json!({ "node": "/file_branch/openat/nginx/file_name:a~1~0b*.html" });
    assert_eq!(send(&world, "POST", "/api/hbt/h1:web/split", &body).await.status, 200);
    let order = world.orders.lock().unwrap().pop().unwrap();
    let node = ["file_branch", "openat", "nginx", "file_name:a/~b*.html"].map(String::from).into();
    assert_eq!(order.command, Command::Split { identity: "h1:web".into(), node });
    for (body, to) in [
        (json!({ "to": "2026-01-01T00:00:00Z" }), RollbackTo::Time(1_767_225_600 * SECOND)),
        (json!({ "revision": " shop/web:1 " }), RollbackTo::Revision("shop/web:1".into())),
    ] {
        let path = "/api/hbt/h1:web/rollback?dry_run=true";
        assert_eq!(send(&world, "POST", path, &body).await.status, 200);
        let order = world.orders.lock().unwrap().pop().unwrap();
        assert_eq!(order.command, Command::Rollback { identity: "h1:web".into(), to });
    }
    assert_eq!(send(&world, "POST", "/api/hbt/web/relearn", &json!({})).await.status, 409);
    assert_eq!(send(&world, "POST", "/api/hbt/nobody/relearn", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_source_is_named_by_its_whole_id() {
    let world = world().await;
    for (word, operation) in
        [("pause", SourceOperation::Pause), ("resume", SourceOperation::Resume)]
    {
        let path = format!("/api/sources/file%3A%2Fvar%2Flog%2Ffalco.jsonl/{word}?dry_run=true");
        assert_eq!(send(&world, "POST", &path, &json!({})).await.status, 200);
        let order = world.orders.lock().unwrap().pop().unwrap();
        let id = "file:/var/log/falco.jsonl".to_owned();
        assert_eq!((order.command, order.dry_run), (Command::Source { id, operation }, true));
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_the_engine_hears_of_it() {
    let world = world().await;
    let long = "x".repeat(5_000);
    for (method, path, body, kind) in [
        ("POST", "/api/alerts/a/ack", json!({ "txt": "x" }), "bad_body"),
        ("POST", "/api/alerts/a/ack", json!([1]), "bad_body"),
        ("POST", "/api/hbt/h1:web/split", json!({}), "bad_body"),
        ("POST", "/api/hbt/h1:web/split", json!({ "node": "x" }), "bad_parameter"),
        ("POST", "/api/alerts/a/ack?dry_run=yes", json!({}), "bad_parameter"),
        ("POST", "/api/alerts/a/ack?dry=true", json!({}), "unknown_parameter"),
        ("POST", "/api/alerts/a/note", json!({ "text": long }), "bad_parameter"),
        ("POST", "/api/alerts/a/suppress", json!({ "scope": "all" }), "bad_body"),
        ("POST", "/api/alerts/a/explode", json!({}), "no_route"),
        ("POST", "/api/alerts/bulk", json!({ "ids": [], "action": "ack" }), "bad_parameter"),
        ("POST", "/api/alerts/bulk", json!({ "ids": ["a"], "action": "eat" }), "bad_parameter"),
        ("POST", "/api/alerts/bulk", json!({ "ids": ["a"], "action": "ack", "x": 1 }), "bad_body"),
        ("POST", "/api/suppressions", json!({ "scope": "rule", "value": " " }), "bad_parameter"),
        ("POST", "/api/suppressions", json!({ "value": "x" }), "bad_body"),
        (
            "POST",
            "/api/maintenance",
            json!({ "container": "web", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z" }),
            "bad_parameter",
        ),
    ] {
        let answer = send(&world, method, path, &body).await;
        let problem = answer.json()["type"].clone();
        assert_eq!(problem, format!("urn:hanabi:problem:{kind}"), "{path} {body}");
    }
    assert!(world.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn changes_need_json_and_their_own_origin() {
    let world = world().await;
    let path = format!("{ALERT}/ack");
    let origin = format!("http://{}", world.addr);
    for (headers, status) in [
        (vec![], 415),
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/x-www-form-urlencoded")], 415),
        (vec![JSON, ("origin", "http://evil.example")], 403),
        (vec![JSON, ("sec-fetch-site", "cross-site")], 403),
        (vec![("content-type", "application/json; charset=utf-8")], 200),
        (vec![JSON, ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")], 200),
    ] {
        let answer = request(world.addr, "POST", &path, &headers, b"").await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    let answer = request(world.addr, "DELETE", "/api/hbt/h1:web", &[], b"").await;
    assert_eq!(answer.status, 415);
    assert_eq!(world.orders.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_engines_word_becomes_a_problem() {
    let world = world().await;
    for (path, status, detail) in [
        ("/api/alerts/unknown/ack", 404, "there is no alert `unknown`"),
        ("/api/alerts/00000000000000a1/undo", 409, "nothing to undo"),
        ("/api/hbt/h1:db/freeze", 500, "the request failed; the service's log says why"),
    ] {
        let answer = send(&world, "POST", path, &json!({})).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["detail"], detail);
    }
}

#[tokio::test]
async fn what_was_decided_is_listed() {
    let world = world().await;
    let suppression = |id: &str, expires| Suppression {
        id: id.into(),
        scope: SuppressionScope::Rule,
        value: "hbt.new_file".into(),
        created: NOW - SECOND,
        by: "operator".into(),
        expires,
        note: "known".into(),
    };
    let window = Maintenance {
        id: "m1".into(),
        container: "web*".into(),
        start: NOW - SECOND,
        end: NOW + SECOND,
        created: NOW,
        by: "operator".into(),
        note: String::new(),
    };
    let entry = AuditEntry {
        at: NOW,
        by: "operator".into(),
        action: "alert.ack".into(),
        object: "a1".into(),
        outcome: "ok".into(),
        detail: json!({ "alerts": 1 }),
        ..AuditEntry::default()
    };
    world
        .store
        .commit(&Checkpoint {
            suppressions: Some(vec![suppression("s1", None), suppression("s2", Some(NOW))]),
            maintenance: Some(vec![window]),
            audit: vec![entry.clone(), AuditEntry { action: "alert.undo".into(), ..entry }],
            ..Checkpoint::default()
        })
        .unwrap();
    let all = get(world.addr, "/api/suppressions").await.json();
    let active: Vec<_> =
        all["suppressions"].as_array().unwrap().iter().map(|s| (&s["id"], &s["active"])).collect();
    assert_eq!(active, [(&json!("s2"), &json!(false)), (&json!("s1"), &json!(true))]);
    assert_eq!(all["suppressions"][1]["expires"], Value::Null);
    let windows = get(world.addr, "/api/maintenance").await.json();
    assert_eq!(windows["maintenance"][0]["active"], true);
    let page = get(world.addr, "/api/audit?limit=1").await.json();
    assert_eq!(page["audit"][0]["action"], "alert.undo");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = get(world.addr, &format!("/api/audit?cursor={cursor}")).await.json();
    assert_eq!(
        (&rest["audit"][0]["action"], &rest["next_cursor"]),
        (&json!("alert.ack"), &Value::Null)
    );
    for path in ["/api/suppressions/s1", "/api/maintenance/m1"] {
        assert_eq!(send(&world, "DELETE", path, &json!({})).await.status, 200);
    }
    let orders: Vec<_> = world.orders.lock().unwrap().drain(..).map(|o| o.command).collect();
    let expected =
        [Command::Unsuppress { id: "s1".into() }, Command::EndMaintenance { id: "m1".into() }];
    assert_eq!(orders, expected);
}
