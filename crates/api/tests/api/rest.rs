//! REST: each route's answer, errors as a table, what the store does not have yet.

use std::sync::Arc;

use hanabi_api::{Dashboard, Grafana, RejectedLine, WAITING_FOR_RESTORE};
use hanabi_event::{RejectReason, Rejected, SECOND};
use serde_json::{Value, json};

use crate::client::{get, request};
use crate::world::{self, NOW, Setup, WEB, World};

async fn filled() -> World {
    let world = World::start(Setup::default()).await;
    world.fill();
    world
}

/// The ids of a list's items.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn containers_are_listed_and_paged() {
    let world = filled().await;
    let all = get(world.addr, "/api/containers").await;
    assert_eq!((all.status, all.header("content-type")), (200, "application/json"));
    let all = all.json();
    assert_eq!(all["generated"], "2025-11-22T08:26:40.000000000Z");
    assert_eq!(all["total"], 6);
    insta::assert_json_snapshot!("container_row", all["containers"][5]);

    let mut seen = Vec::new();
    let mut path = "/api/containers?limit=4".to_owned();
    loop {
        let page = get(world.addr, &path).await.json();
        seen.extend(ids(&page["containers"]).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/containers?limit=4&cursor={cursor}");
    }
    assert_eq!(seen, ids(&all["containers"]));

    for (query, expected) in [
        ("q=shop%2Fweb", 2),
        ("q=nothing", 0),
        ("priority=error", 1),
        ("priority=Emergency", 0),
        ("container_id=h1%3Adb", 1),
    ] {
        let answer = get(world.addr, &format!("/api/containers?{query}")).await.json();
        assert_eq!(answer["containers"].as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn one_container_shows_its_learning() {
    let world = filled().await;
    let answer = get(world.addr, "/api/containers/h1%3Aweb").await.json();
    assert_eq!(answer["container"]["id"], WEB);
    assert_eq!(answer["container"]["learning"]["branches"][0]["singletons"], 3);
    insta::assert_json_snapshot!("profile", answer["profile"]);
}

#[tokio::test]
async fn ids_resolve_or_say_why_not() {
    let world = filled().await;
    for (id, status) in [
        (WEB, 200),
        (&format!("{WEB}{}", "0".repeat(52)), 200),
        ("h1:web", 200),
        ("db", 200),
        ("web", 409),
        ("api", 409),
        ("shop:api:main", 409),
        ("nobody", 404),
        ("..%2F..%2Fetc%2Fpasswd", 404),
    ] {
        let answer = get(world.addr, &format!("/api/containers/{id}")).await;
        assert_eq!(answer.status, status, "{id}");
    }
    let ambiguous = get(world.addr, "/api/containers/web").await;
    assert_eq!(ambiguous.header("content-type"), "application/problem+json");
    insta::assert_json_snapshot!("ambiguous", ambiguous.json());
    // Replicas of one profile are one subject where several containers can be served.
    for path in ["logs", "alerts"] {
        for (id, status) in [("api", 200), ("shop:api:main", 200), ("web", 409)] {
            let answer = get(world.addr, &format!("/api/containers/{id}/{path}")).await;
            assert_eq!(answer.status, status, "{id}/{path}");
        }
    }
}

#[tokio::test]
async fn logs_are_filtered_and_paged() {
    let world = filled().await;
    let logs = get(world.addr, &format!("/api/containers/{WEB}/logs")).await.json();
    assert_eq!(logs["events"].as_array().unwrap().len(), 3);
    insta::assert_json_snapshot!("log_row", logs["events"][0]);
    let middle = hanabi_event::time::format_time(NOW - 25 * SECOND);
    for (query, objects) in [
        ("priority=Warning".to_owned(), vec!["/var/log/20"]),
        ("category=network".to_owned(), vec!["/var/log/10"]),
        (format!("end={middle}"), vec!["/var/log/30"]),
        (format!("start={}", NOW - 25 * SECOND), vec!["/var/log/10", "/var/log/20"]),
        ("q=log%2F30".to_owned(), vec!["/var/log/30"]),
        ("limit=1".to_owned(), vec!["/var/log/10"]),
    ] {
        let path = format!("/api/containers/web-id/logs?{query}").replace("web-id", WEB);
        let page = get(world.addr, &path).await.json();
        let got: Vec<_> = page["events"].as_array().unwrap().iter().map(|e| &e["object"]).collect();
        assert_eq!(got, objects, "{query}");
    }
    let first = get(world.addr, &format!("/api/containers/{WEB}/logs?limit=2")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/api/containers/{WEB}/logs?limit=2&cursor={cursor}");
    let second = get(world.addr, &path).await.json();
    assert_eq!(second["events"][0]["object"], "/var/log/30");
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn alerts_are_filtered_and_counted() {
    let world = filled().await;
    for (query, expected) in [
        ("", "a1 a2 a3"),
        ("?priority=warning", "a1 a2"),
        ("?state=acknowledged,resolved", "a3"),
        ("?source=falco", "a3"),
        ("?kind=new_peer", "a2"),
        ("?rule=hbt.new_process", "a1"),
        ("?q=PUBLIC", "a2"),
        ("?container_id=db", "a3"),
        ("?limit=2", "a1 a2"),
    ] {
        let answer = get(world.addr, &format!("/api/alerts{query}")).await.json();
        let got: Vec<_> =
            ids(&answer["alerts"]).iter().map(|id| id.trim_start_matches('0')).collect();
        assert_eq!(got.join(" "), expected, "{query}");
        assert_eq!(answer["stats"], Value::Null);
    }
    let of_web = get(world.addr, &format!("/api/containers/{WEB}/alerts")).await.json();
    assert_eq!(of_web["alerts"].as_array().unwrap().len(), 2);
    let stats = &of_web["stats"];
    assert_eq!((&stats["alerts"], &stats["occurrences"]), (&json!(2), &json!(35)));
    assert_eq!(stats["by_priority"], json!({ "Critical": 1, "Warning": 1 }));
    let opened: u64 = stats["over_time"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["opened"].as_u64().unwrap())
        .sum();
    assert_eq!(opened, 2);
    assert!(stats["over_time"][0]["start"].as_str().unwrap().ends_with('Z'));

    let one = get(world.addr, "/api/alerts/00000000000000a1").await.json();
    assert_eq!(one["lineage"][1]["name"], "sh");
}

#[tokio::test]
async fn alerts_that_are_not_stored_yet_are_shown() {
    let world = filled().await;
    let last_seen = hanabi_event::time::format_time(NOW + SECOND);
    let fresh = Arc::new(world::alert(&json!({
        "id": "00000000000000ff", "first_seen": last_seen, "last_seen": last_seen,
    })));
    let moved = json!({ "id": "00000000000000a3", "identity": "h1:db", "last_seen": last_seen });
    let moved = Arc::new(world::alert(&moved));
    world.live.put_alerts(vec![fresh.clone(), moved.clone()]);
    let list = get(world.addr, "/api/alerts?stats=true").await.json();
    assert_eq!(list["alerts"].as_array().unwrap().len(), 4);
    assert_eq!(ids(&list["alerts"])[..2], ["00000000000000ff", "00000000000000a3"]);
    assert_eq!(list["stats"]["alerts"], 4);
    assert_eq!(get(world.addr, "/api/alerts/00000000000000ff").await.status, 200);

    world.store.put_alerts(&[(*fresh).clone(), (*moved).clone()]).unwrap();
    let stored = get(world.addr, "/api/alerts").await.json();
    world.live.committed(&[fresh, moved], &[]);
    assert!(world.live.changed_alerts().is_empty());
    let after = get(world.addr, "/api/alerts").await.json();
    assert_eq!(stored["alerts"], after["alerts"]);
    assert_eq!(after["alerts"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn incidents_come_with_their_alerts() {
    let world = filled().await;
    let list = get(world.addr, "/api/incidents").await.json();
    assert_eq!(ids(&list["incidents"]), ["00000000000000e1"]);
    let one = get(world.addr, "/api/incidents/00000000000000e1").await.json();
    assert_eq!(ids(&one["alerts"]), ["00000000000000a1", "00000000000000a2"]);
    assert_eq!(get(world.addr, "/api/incidents/none").await.status, 404);
}

#[tokio::test]
async fn the_overview_is_one_answer() {
    let world = filled().await;
    for (window, point) in [("5m", 10), ("15m", 10), ("1h", 60), ("24h", 900)] {
        let answer = get(world.addr, &format!("/api/overview?window={window}")).await.json();
        assert_eq!(answer["events"]["window"], window);
        assert_eq!(answer["events"]["point_seconds"], point);
        let top = &answer["events"]["top_containers"][0];
        assert_eq!(top["name"], "web");
    }
    let mut answer = get(world.addr, "/api/overview").await.json();
    assert_eq!(answer["alerts"]["open"], 2);
    answer["events"]["series"] = json!("left out");
    answer["alerts"]["window"]["over_time"] = json!("left out");
    insta::assert_json_snapshot!("overview", answer);
}

#[tokio::test]
async fn trees_come_from_the_engine_or_the_store() {
    let world = filled().await;
    let live = get(world.addr, "/api/hbt/h1%3Aweb").await;
    assert_eq!(live.header("x-hanabi-identity"), "h1:web");
    assert_eq!(live.header("x-hanabi-snapshot-time"), "2025-11-22T08:26:40.000000000Z");
    assert_eq!(live.json(), serde_json::to_value(world::tree()).unwrap());
    // The engine of this test holds only one profile.
    let stored = get(world.addr, "/api/hbt/h1%3Adb").await;
    assert_eq!(stored.header("x-hanabi-snapshot-time"), "2025-11-22T08:23:20.000000000Z");
    for (query, pointer, expected) in [
        ("branch=file", "/children/process_branch", false),
        ("branch=file", "/children/file_branch/children/openat", true),
        ("depth=1", "/children/file_branch", true),
        ("depth=1", "/children/file_branch/children/openat", false),
        ("q=NGINX", "/children/process_branch/children/execve/children/nginx", true),
        ("q=NGINX", "/children/file_branch", false),
        ("node=/process_branch/execve", "/children/nginx", true),
    ] {
        let answer = get(world.addr, &format!("/api/hbt/{WEB}?{query}")).await.json();
        assert_eq!(answer.pointer(pointer).is_some(), expected, "{query} {pointer}");
    }
    let history = get(world.addr, "/api/hbt/h1%3Aweb/history").await.json();
    assert_eq!(history["snapshots"][0]["time"], "2025-11-22T08:25:00.000000000Z");
    let at = NOW - 50 * SECOND;
    assert_eq!(get(world.addr, &format!("/api/hbt/{WEB}?at={at}")).await.status, 200);
    assert_eq!(get(world.addr, &format!("/api/hbt/{WEB}?at=1")).await.status, 400);
    for (id, status) in [("h1:gone", 404), ("nobody", 404), ("web", 409), ("db", 200)] {
        assert_eq!(get(world.addr, &format!("/api/hbt/{id}")).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn bad_requests_name_field_value_and_bound() {
    let world = filled().await;
    let mut problems = Vec::new();
    for path in [
        "/api/alerts?limit=0",
        "/api/alerts?limit=1001",
        "/api/alerts?limit=many",
        "/api/alerts?limit=1&limit=2",
        "/api/alerts?priority=loud",
        "/api/alerts?state=shut",
        "/api/alerts?start=yesterday",
        "/api/alerts?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "/api/alerts?prioritty=Error",
        "/api/alerts?cursor=nonsense",
        "/api/overview?window=2h",
        "/api/hbt/db?branch=memory",
        "/api/hbt/db?depth=61",
        "/api/hbt/db?node=execve",
        "/api/stream?type=everything",
        "/api/containers/db/logs?category=disk",
    ] {
        let answer = get(world.addr, path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let mut problem = answer.json();
        problem["path"] = path.into();
        problems.push(problem);
    }
    insta::assert_json_snapshot!("bad_requests", problems);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let world = filled().await;
    for (method, path, status, kind) in [
        ("GET", "/api/nothing", 404, "no_route"),
        ("GET", "/page/../../etc/passwd", 404, "no_route"),
        ("DELETE", "/api/alerts", 405, "method_not_allowed"),
        ("GET", "/ingest/falco", 405, "method_not_allowed"),
        ("GET", "/api/alerts/none", 404, "not_found"),
    ] {
        let answer = request(world.addr, method, path, &[], b"").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["type"], format!("urn:hanabi:problem:{kind}"), "{path}");
    }
}

#[tokio::test]
async fn the_service_tells_of_itself() {
    let world = World::start(Setup::default()).await;
    assert_eq!(get(world.addr, "/healthz").await.json(), json!({ "status": "ok" }));
    assert_eq!(get(world.addr, "/livez").await.status, 200);
    let waiting = get(world.addr, "/readyz").await;
    assert_eq!(waiting.status, 503);
    assert_eq!(waiting.json()["reasons"], json!([WAITING_FOR_RESTORE]));
    world.fill();
    assert_eq!(get(world.addr, "/readyz").await.status, 200);

    let config = get(world.addr, "/api/config").await.json();
    assert_eq!(config["tokens"], "redacted");
    let sources = get(world.addr, "/api/sources").await.json();
    assert_eq!(sources["sources"][0]["state"], "running");
    assert_eq!(sources["totals"]["ignored"]["enter"], 52_300);

    let text = get(world.addr, "/metrics").await;
    assert!(text.header("content-type").starts_with("text/plain"));
    assert!(text.text().contains("hanabi_http_requests_total{status=\"2xx\"}"));
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = request(world.addr, "GET", "/metrics", &accept, b"").await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn rejected_lines_are_kept() {
    let world = filled().await;
    for n in 0..300 {
        let rejected = Rejected { reason: RejectReason::NotJson, sample: format!("line {n}") };
        world.live.put_rejected("http", rejected);
    }
    let kept: Vec<RejectedLine> = world.live.rejected();
    assert_eq!(kept.len(), hanabi_api::REJECTED_KEPT);
    let answer = get(world.addr, "/api/ingest/rejected?limit=1").await.json();
    assert_eq!(answer["rejected"][0]["sample"], "line 299");
    assert_eq!(answer["rejected"][0]["reason"], "not_json");
    assert_eq!(answer["totals"]["not_json"], 7);
}

/// Names of files in a page: what follows `src="` and `href="`.
fn links(page: &str) -> Vec<&str> {
    let starts = page.match_indices("src=\"").chain(page.match_indices("href=\""));
    starts
        .filter_map(|(at, word)| page[at + word.len()..].split('"').next())
        .filter(|path| path.starts_with('/') && !path.starts_with("/api/"))
        .collect()
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let world = World::start(Setup::default()).await;
    let page = get(world.addr, "/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let text = page.text();
    assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    assert!(!text.contains("onclick=") && !text.contains("style="), "no inline code");
    assert!(!text.contains("__NONCE__"), "{text}");
    // Without a built console there are none.
    for path in links(text) {
        let asset = get(world.addr, path).await;
        let forever = asset.header("cache-control").contains("immutable");
        assert_eq!((asset.status, forever), (200, path.starts_with("/assets/")), "{path}");
    }
}

#[tokio::test]
async fn frames_come_from_the_configured_grafana_alone() {
    let none = World::start(Setup::default()).await;
    assert_eq!(get(none.addr, "/api/dashboards").await.json(), json!({ "dashboards": [] }));
    assert!(!get(none.addr, "/").await.header("content-security-policy").contains("frame-src"));
    let url = "https://grafana.example:3000/g/d/hanabi".to_owned();
    let dashboard = Dashboard { name: "Overview".into(), url: url.clone() };
    let origin = "https://grafana.example:3000".to_owned();
    let grafana = Some(Grafana { origin, dashboards: vec![dashboard] });
    let world = World::start(Setup { grafana, ..Setup::default() }).await;
    assert_eq!(
        get(world.addr, "/api/dashboards").await.json(),
        json!({ "dashboards": [{ "name": "Overview", "url": url }] })
    );
    let policy = get(world.addr, "/").await.header("content-security-policy").to_owned();
    // Without a built console there is no page that could have frames.
    if policy.contains("nonce-") {
        assert!(policy.ends_with("; frame-src https://grafana.example:3000"), "{policy}");
    }
    let other = get(world.addr, "/api/docs").await.header("content-security-policy").to_owned();
    assert!(!other.contains("frame-src"), "{other}");
}

#[tokio::test]
async fn links_into_the_console_open_for_browsers_only() {
    let world = World::start(Setup::default()).await;
    let html = [("accept", "text/html,application/xhtml+xml;q=0.9")];
    for (method, path, headers, status) in [
        ("GET", "/alerts?state=open", &html[..], 200),
        ("GET", "/containers/web/logs", &html[..], 200),
        ("GET", "/alerts", &[][..], 404),
        ("POST", "/alerts", &html[..], 404),
        ("GET", "/api/nothing", &html[..], 404),
        ("GET", "/assets/gone.js", &html[..], 404),
        ("GET", "/ingest/nothing", &html[..], 404),
    ] {
        let answer = request(world.addr, method, path, headers, b"").await;
        assert_eq!(answer.status, status, "{method} {path}");
        let kind =
            if status == 200 { "text/html; charset=utf-8" } else { "application/problem+json" };
        assert_eq!(answer.header("content-type"), kind, "{method} {path}");
    }
    // No two answers share the nonce of their styles.
    let (first, second) = (get(world.addr, "/").await, get(world.addr, "/").await);
    let policies = [&first, &second].map(|page| page.header("content-security-policy"));
    assert_eq!(policies[0] == policies[1], !policies[0].contains("nonce-"));
}

#[tokio::test]
async fn long_answers_are_compressed() {
    let world = filled().await;
    let gzip = [("accept-encoding", "gzip")];
    let packed = request(world.addr, "GET", "/api/containers", &gzip, b"").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed.body), &mut text)
        .unwrap();
    let plain = get(world.addr, "/api/containers").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(text, plain.text());
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let world = filled().await;
    let path = format!("/api/hbt/{WEB}");
    let first = get(world.addr, &path).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(first.header("cache-control"), "private, no-cache");
    for (known, status) in [(tag.as_str(), 304), ("W/\"other\", *", 304), ("\"other\"", 200)] {
        let answer = request(world.addr, "GET", &path, &[("if-none-match", known)], b"").await;
        assert_eq!((answer.status, answer.header("etag")), (status, tag.as_str()), "{known}");
        assert_eq!(answer.body.is_empty(), status == 304, "{known}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let other = get(world.addr, "/api/hbt/db").await;
    assert_ne!(other.header("etag"), tag);
    // A problem, a file in pieces and a stream are not tagged.
    for path in ["/api/alerts/none", "/api/export/alerts"] {
        assert_eq!(get(world.addr, path).await.header("etag"), "", "{path}");
    }
}
