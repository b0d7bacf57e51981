//! Two containers on every route, one of them in the scope.

use std::sync::Arc;

use hanabi_api::StreamContainer;
use hanabi_detect::{Maintenance, Suppression, SuppressionScope};
use hanabi_event::{Category, Priority, SECOND};
use hanabi_series::{Labels, Sample, Series, remote};
use hanabi_store::Checkpoint;
use serde_json::{Value, json};

use super::{by, guarded, world};
use crate::client::{Events, request};
use crate::world::{self, DB, NOW, Setup, WEB, World};

/// The alert of `web`, and the one of `db`.
const OF_WEB: &str = "00000000000000a1";
const OF_DB: &str = "00000000000000a3";
const AT: u64 = NOW / SECOND;

async fn read(world: &World, who: &str, path: &str) -> Value {
    super::json(world, who, path).await
}

fn names(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn single_things_out_of_scope_are_as_unknown_ones() {
    let world = world().await;
    for (inside, outside, unknown) in [
        ("/api/containers/h1:web", "/api/containers/h1:db", "/api/containers/x"),
        ("/api/containers/h1:web/logs", "/api/containers/db/logs", "/api/containers/x/logs"),
        ("/api/containers/h1:web/alerts", "/api/containers/db/alerts", "/api/containers/x/alerts"),
        (
            "/api/alerts?container_id=h1:web",
            "/api/alerts?container_id=db",
            "/api/alerts?container_id=x",
        ),
        (
            "/api/incidents?container_id=h1:web",
            "/api/incidents?container_id=db",
            "/api/incidents?container_id=x",
        ),
        ("/api/alerts/00000000000000a1", "/api/alerts/00000000000000a3", "/api/alerts/x"),
        ("/api/hbt/h1:web", "/api/hbt/h1:db", "/api/hbt/x"),
        ("/api/hbt/h1:web/history", "/api/hbt/h1:db/history", "/api/hbt/x/history"),
        (
            "/api/hbt/h1:web/diff?from=1763800000000000000",
            "/api/hbt/h1:db/diff?from=1763800000000000000",
            "/api/hbt/x/diff",
        ),
        (
            "/api/export/alerts?container_id=h1:web",
            "/api/export/alerts?container_id=db",
            "/api/export/alerts?container_id=x",
        ),
        (
            "/api/export/logs?container_id=h1:web",
            "/api/export/logs?container_id=db",
            "/api/export/logs?container_id=x",
        ),
        (
            "/api/export/hbt?container_id=h1:web",
            "/api/export/hbt?container_id=h1:db",
            "/api/export/hbt?container_id=x",
        ),
        ("/api/hbt/h1:web/quarantine", "/api/hbt/h1:db/quarantine", "/api/hbt/x/quarantine"),
        ("/api/incidents/00000000000000e1", "", "/api/incidents/x"),
    ] {
        read(&world, "scoped", inside).await;
        let unknown_answer = by(&world, "scoped", "GET", unknown, "").await;
        assert_eq!(unknown_answer.status, 404, "{unknown}");
        if outside.is_empty() {
            continue;
        }
        // The engine of these tests has one profile.
        let known = by(&world, "viewer", "GET", outside, "").await.status != 404;
        assert!(known || outside.ends_with("/quarantine"), "{outside}");
        let answer = by(&world, "scoped", "GET", outside, "").await;
        assert_eq!(answer.status, 404, "{outside}: {}", answer.text());
        assert_eq!(answer.json()["title"], unknown_answer.json()["title"], "{outside}");
    }
}

#[tokio::test]
async fn lists_have_what_is_in_the_scope_alone() {
    let world = world().await;
    // One that the store does not have yet.
    let fresh = json!({ "id": "00000000000000b9", "identity": "h1:db",
        "container": { "id": DB, "name": "db", "host": "h1", "pod": "", "image": "", "count": 1,
            "last_seen": "2025-11-22T08:26:40Z" } });
    world.live.put_alerts(vec![Arc::new(world::alert(&fresh))]);
    let containers = read(&world, "scoped", "/api/containers").await;
    assert_eq!(names(&containers["containers"], "name"), ["web", "web"]);
    assert_eq!(containers["total"], 2);
    let alerts = read(&world, "scoped", "/api/alerts?stats=true").await;
    assert_eq!(names(&alerts["alerts"], "identity"), ["h1:web", "h1:web"]);
    assert_eq!(alerts["stats"]["alerts"], 2);
    assert_eq!(alerts["stats"]["by_source"], json!({ "hanabi": 2 }));
    let all = read(&world, "viewer", "/api/alerts?stats=true").await;
    assert_eq!(all["stats"]["alerts"], 4);
    // Page by page it is the same, each page as full as it can be.
    let first = read(&world, "scoped", "/api/alerts?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = read(&world, "scoped", &format!("/api/alerts?limit=1&cursor={cursor}")).await;
    assert_eq!(second["alerts"].as_array().unwrap().len(), 1);
    assert_ne!(first["alerts"][0]["id"], second["alerts"][0]["id"]);
    let incidents = read(&world, "scoped", "/api/incidents").await;
    assert_eq!(names(&incidents["incidents"], "identity"), ["h1:web"]);
}

#[tokio::test]
async fn files_have_what_is_in_the_scope_alone() {
    let world = world().await;
    for (path, all) in [("alerts", 3), ("logs", 4), ("hbt", 2)] {
        let path = format!("/api/export/{path}");
        assert_eq!(read(&world, "viewer", &path).await.as_array().unwrap().len(), all, "{path}");
        let own = names(&read(&world, "scoped", &path).await, "identity");
        assert!(!own.is_empty() && own.iter().all(|identity| identity == "h1:web"), "{own:?}");
    }
    let path = format!("/api/export/report?start={}&end={NOW}", NOW - 3_600 * SECOND);
    let report = by(&world, "viewer", "GET", &path, "").await;
    assert!(report.text().contains("Lines lost") && report.text().contains("`db`"));
    let report = by(&world, "scoped", "GET", &path, "").await;
    assert!(report.text().contains("hbt.new_process"), "{}", report.text());
    for other in ["`db`", "Read sensitive file", "Lines lost"] {
        assert!(!report.text().contains(other), "{other}: {}", report.text());
    }
}

#[tokio::test]
async fn the_overview_counts_what_is_in_the_scope_alone() {
    let world = world().await;
    let (all, own) = (
        read(&world, "viewer", "/api/overview").await,
        read(&world, "scoped", "/api/overview").await,
    );
    let events = |overview: &Value, name: &str| {
        let top = overview["events"]["top_containers"].as_array().unwrap();
        top.iter().find(|one| one["name"] == name).map(|one| one["events"].as_u64().unwrap())
    };
    let web = events(&all, "web").unwrap();
    assert!(events(&all, "db").is_some());
    assert_eq!((events(&own, "web"), events(&own, "db")), (Some(web), None));
    assert_eq!(own["events"]["events"], web);
    let series = own["events"]["series"].as_array().unwrap();
    assert_eq!(series.iter().map(|point| point["events"].as_u64().unwrap()).sum::<u64>(), web);
    assert_eq!(own["containers"]["total"], 2);
    assert_eq!((&own["alerts"]["open"], &own["sources"]), (&json!(2), &json!([])));
    assert_eq!(own["totals"]["received"], 0);
    // The kept answer of one is not the other's.
    assert_eq!(read(&world, "viewer", "/api/overview").await["containers"]["total"], 6);
}

#[tokio::test]
async fn changes_reach_what_is_in_the_scope_alone() {
    let world = world().await;
    for (method, path, body, status) in [
        ("POST", format!("/api/alerts/{OF_WEB}/ack"), json!({}), 200),
        ("POST", format!("/api/alerts/{OF_DB}/ack"), json!({}), 404),
        ("POST", format!("/api/alerts/{OF_WEB}/suppress"), json!({}), 200),
        ("POST", format!("/api/alerts/{OF_WEB}/suppress"), json!({ "scope": "identity" }), 200),
        ("POST", format!("/api/alerts/{OF_WEB}/suppress"), json!({ "scope": "rule" }), 403),
        ("POST", format!("/api/alerts/{OF_DB}/suppress"), json!({ "scope": "rule" }), 404),
        ("POST", "/api/hbt/h1:web/freeze".into(), json!({}), 200),
        ("POST", "/api/hbt/h1:db/freeze".into(), json!({}), 404),
        ("DELETE", "/api/hbt/h1:db".into(), json!({}), 404),
        ("POST", "/api/hbt/h1:db/split".into(), json!({ "node": "/x" }), 404),
        ("POST", "/api/hbt/h1:db/quarantine/k1/accept".into(), json!({}), 404),
        ("POST", "/api/hbt/h1:web/quarantine/k1/accept".into(), json!({}), 200),
    ] {
        let answer = by(&world, "scoped", method, &path, &body.to_string()).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
    for (scope, value, status) in [
        ("identity", "h1:web", 200),
        ("identity", "h1:db", 403),
        ("container", "web", 200),
        ("container", "db", 403),
        ("rule", "hbt.new_peer", 403),
        ("fingerprint", "00000000000000f1", 403),
    ] {
        let body = json!({ "scope": scope, "value": value }).to_string();
        let answer = by(&world, "scoped", "POST", "/api/suppressions", &body).await;
        assert_eq!(answer.status, status, "{scope} {value}");
    }
    for (container, status) in
        [("web", 200), ("h1:web", 200), ("db", 403), ("we*", 403), ("*", 403)]
    {
        let body = json!({ "container": container, "start": "2025-01-01T00:00:00Z",
            "end": "2030-01-01T00:00:00Z" });
        let answer = by(&world, "scoped", "POST", "/api/maintenance", &body.to_string()).await;
        assert_eq!(answer.status, status, "{container}");
    }
    let orders = world.orders.lock().unwrap();
    assert!(orders.iter().all(|order| order.by == "scoped" && !order.request.is_empty()));
    assert!(orders.iter().all(|order| order.address == "127.0.0.1"));
    assert_eq!(orders.len(), 9);
}

#[tokio::test]
async fn a_bulk_action_leaves_out_what_is_out_of_scope() {
    let world = world().await;
    let body = json!({ "ids": [OF_WEB, OF_DB, "x"], "action": "ack" }).to_string();
    let answer = by(&world, "scoped", "POST", "/api/alerts/bulk", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let refused = answer.json()["refused"].clone();
    assert_eq!(names(&refused, "id"), [OF_DB, "x"]);
    assert_eq!(refused[0]["reason"], format!("there is no alert `{OF_DB}`"));
    let orders = world.orders.lock().unwrap();
    let hanabi_api::Command::Bulk { ids, .. } = &orders[0].command else { panic!("not bulk") };
    assert_eq!(ids, &[OF_WEB]);
}

#[tokio::test]
async fn rulings_of_others_are_neither_seen_nor_ended() {
    let world = world().await;
    let suppression = |id: &str, scope, value: &str| Suppression {
        id: id.into(),
        scope,
        value: value.into(),
        created: NOW,
        by: "admin".into(),
        expires: None,
        note: String::new(),
    };
    let window = |id: &str, container: &str| Maintenance {
        id: id.into(),
        container: container.into(),
        start: NOW,
        end: NOW + SECOND,
        created: NOW,
        by: "admin".into(),
        note: String::new(),
    };
    // The rule's suppression has touched the alert of `web`, too.
    let done = json!([{ "at": "2025-11-22T08:26:40Z", "by": "admin", "action": "suppress",
        "text": "", "reference": "s2" }]);
    world.store.put_alert(&world::alert(&json!({ "history": done }))).unwrap();
    world
        .store
        .commit(&Checkpoint {
            suppressions: Some(vec![
                suppression("s1", SuppressionScope::Identity, "h1:web"),
                suppression("s2", SuppressionScope::Rule, "hbt.new_process"),
                suppression("s3", SuppressionScope::Identity, "h1:db"),
            ]),
            maintenance: Some(vec![window("m1", "web"), window("m2", "*")]),
            ..Checkpoint::default()
        })
        .unwrap();
    let listed = read(&world, "scoped", "/api/suppressions").await;
    assert_eq!(names(&listed["suppressions"], "id"), ["s1"]);
    let listed = read(&world, "scoped", "/api/maintenance").await;
    assert_eq!(names(&listed["maintenance"], "id"), ["m1"]);
    for (path, status) in [
        ("/api/suppressions/s1", 200),
        ("/api/suppressions/s2", 404),
        ("/api/suppressions/s3", 404),
        ("/api/suppressions/x", 404),
        ("/api/maintenance/m1", 200),
        ("/api/maintenance/m2", 404),
    ] {
        let answer = by(&world, "scoped", "DELETE", path, "{}").await;
        assert_eq!(answer.status, status, "{path}");
    }
    let undo = format!("/api/alerts/{OF_WEB}/undo");
    assert_eq!(by(&world, "scoped", "POST", &undo, "{}").await.status, 403);
    assert_eq!(by(&world, "analyst", "POST", &undo, "{}").await.status, 409, "the engine's word");
}

#[tokio::test]
async fn a_stream_has_what_is_in_the_scope_alone() {
    let world = world().await;
    let bearer = format!("Bearer {}", world.tokens["scoped"]);
    let headers = [("authorization", bearer.as_str())];
    let mut stream = Events::open(world.addr, "/api/stream", &headers).await;
    assert_eq!(stream.next().await.1["type"], "heartbeat");
    let web = StreamContainer { id: WEB, name: "web", identity: "h1:web" };
    let db = StreamContainer { id: DB, name: "db", identity: "h1:db" };
    for (container, n) in [(db, 1), (web, 2)] {
        let (category, priority) = (Category::File, Priority::Debug);
        world.hub.publish_event(container, category, priority, NOW, || json!({ "n": n }));
    }
    let alert = |id: &str, name: &str| {
        Arc::new(world::alert(&json!({ "id": id, "container": { "id": name, "name": name,
            "host": "h1", "pod": "", "image": "", "count": 1,
            "last_seen": "2025-11-22T08:26:40Z" } })))
    };
    world.hub.publish_alert(alert("00000000000000b1", "db"), db);
    world.hub.publish_alert(alert("00000000000000b2", "web"), web);
    assert_eq!(stream.news().await.1["payload"]["id"], "00000000000000b2");
    let batch = stream.news().await.1;
    assert_eq!(batch["payload"], json!({ "events": [{ "n": 2 }], "skipped": 0 }));
    for path in ["/api/stream/db", "/api/stream?container_id=db", "/api/stream/h1:db"] {
        assert_eq!(by(&world, "scoped", "GET", path, "").await.status, 404, "{path}");
    }
}

async fn with_series() -> World {
    let world = World::start(Setup { remote_write: true, ..guarded() }).await;
    world.fill();
    let series = |metric: &str, container: &str, value: f64| Series {
        labels: Labels::new([("__name__", metric), ("container_name", container)]),
        samples: vec![Sample { time: AT as i64 * 1_000, value }],
    };
    let body = remote::encode(&[
        series("syscall_events_total", "web", 1.0),
        series("syscall_events_total", "db", 20.0),
        series("syscall_events_total", "_other_", 300.0),
        series("hanabi_build_info", "", 1.0),
    ]);
    let bearer = format!("Bearer {}", world.tokens["ingest"]);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
    ];
    assert_eq!(request(world.addr, "POST", "/api/v1/write", &headers, &body).await.status, 204);
    world
}

#[tokio::test]
async fn series_of_other_containers_do_not_exist() {
    let world = with_series().await;
    let sum = async |who: &str, query: &str| {
        let path = format!("/api/v1/query?time={AT}&query={query}");
        read(&world, who, &path).await["data"]["result"][0]["value"][1].clone()
    };
    // The same question by both, so that a kept answer would show.
    for (query, viewer, scoped) in [
        ("sum(syscall_events_total)", json!("321"), json!("1")),
        ("sum(%7B__name__=~%22sys.*%22%7D)", json!("321"), json!("1")),
        ("sum(syscall_events_total%7Bcontainer_name=%22db%22%7D)", json!("20"), Value::Null),
        ("sum(events_total)", json!("7200"), Value::Null),
        ("hanabi_build_info", json!("1"), json!("1")),
    ] {
        assert_eq!(sum("viewer", query).await, viewer, "{query}");
        assert_eq!(sum("scoped", query).await, scoped, "{query}");
        assert_eq!(sum("viewer", query).await, viewer, "{query}");
    }
    let barred = format!("/api/v1/query?time={AT}&query=hanabi_events_total");
    let answer = by(&world, "scoped", "GET", &barred, "").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("container_name"), "{}", answer.text());
    let range =
        format!("/api/v1/query_range?query=sum(syscall_events_total)&start={AT}&end={AT}&step=1");
    let values = read(&world, "scoped", &range).await["data"]["result"][0]["values"].clone();
    assert_eq!(values, json!([[AT, "1"]]));
    for (path, viewer, scoped) in [
        (
            "/api/v1/label/container_name/values".to_owned(),
            json!(["_other_", "db", "web"]),
            json!(["web"]),
        ),
        ("/api/v1/label/job/values".to_owned(), json!(["hanabi"]), json!([])),
        (
            format!("/api/v1/labels?start={AT}"),
            json!(["__name__", "container_name", "job"]),
            json!(["__name__", "container_name"]),
        ),
    ] {
        assert_eq!(read(&world, "viewer", &path).await["data"], viewer, "{path}");
        assert_eq!(read(&world, "scoped", &path).await["data"], scoped, "{path}");
    }
    let series = read(&world, "scoped", "/api/v1/series?match[]=%7B__name__=~%22.%2B%22%7D").await;
    assert_eq!(names(&series["data"], "container_name"), ["web"]);
}
