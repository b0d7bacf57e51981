//! What attackers try on the way in and out: `docs/security.md` has the table of these tests.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hanabi_api::{ApiLimits, ContainerRow, StreamContainer};
use hanabi_event::{Category, Priority};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Events, get, request};
use crate::world::{self, NOW, Setup, WEB, World};

/// Sends bytes as they are, and reads until the service closes or says nothing more.
async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A connection that is kept alive ends by the head time of these tests.
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it ends").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn quick() -> World {
    let limits = ApiLimits { head_time: Duration::from_millis(300), ..ApiLimits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    world.fill();
    world
}

/// The statuses of all answers on a connection.
fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn a_request_has_one_length_and_hides_no_other() {
    let world = quick().await;
    let hidden = "GET /api/me HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let post =
        "POST /ingest/falco HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let length = hidden.len() + 5;
    for (name, head) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 40\r\n".to_owned()),
        ("a list of lengths", "content-length: 2, 40\r\n".to_owned()),
        ("a sign", "content-length: +2\r\n".to_owned()),
        ("a hexadecimal length", "content-length: 0x2\r\n".to_owned()),
        ("an unknown coding", "transfer-encoding: identity\r\n".to_owned()),
        ("chunked is not last", "transfer-encoding: chunked, gzip\r\n".to_owned()),
        ("a space before the colon", "transfer-encoding : chunked\r\n".to_owned()),
        ("a folded line", "transfer-encoding:\r\n chunked\r\n".to_owned()),
        ("a letter more", "transfer-encoding: xchunked\r\n".to_owned()),
    ] {
        let answers = raw(&world, format!("{post}{head}\r\n{{}}{hidden}").as_bytes()).await;
        let found = statuses(&answers);
        // A server may close without a word; what it must not do is to answer what was hidden.
        assert!(found.len() <= 1 && found.iter().all(|s| *s == 400), "{name}: {answers}");
        assert!(!answers.contains("operator"), "{name}: {answers}");
    }
    // With both, chunked counts (RFC 9112, 6.3) and the connection ends: whoever stood between and
    // counted by the length has sent the rest as a part of this request.
    for head in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
    ] {
        let answers = raw(&world, format!("{post}{head}\r\n0\r\n\r\n{hidden}").as_bytes()).await;
        assert_eq!(statuses(&answers), [400], "an empty body, and nothing after it: {answers}");
        assert!(answers.to_lowercase().contains("connection: close"), "{answers}");
    }
    // What is whole is answered whole: two requests on one connection.
    let answers = raw(&world, format!("{hidden}{hidden}").as_bytes()).await;
    assert_eq!(statuses(&answers), [200, 200]);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let world = quick().await;
    let long = "x".repeat(200_000);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(500)),
        "GET / HTTP/9.9\r\nhost: localhost\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}".to_owned(),
    ] {
        let answer = raw(&world, head.as_bytes()).await;
        let refused = matches!(statuses(&answer)[..], [] | [400 | 414 | 431 | 505]);
        assert!(refused, "{}: {answer}", &head[..20.min(head.len())]);
    }
    assert_eq!(get(world.addr, "/healthz").await.status, 200);
}

#[tokio::test]
async fn paths_lead_nowhere_but_to_routes() {
    let world = quick().await;
    for path in [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/....//....//etc/passwd",
        "//etc/passwd",
        "/\\..\\..\\etc\\passwd",
        "/etc/passwd%00.js",
        "/api/hbt/..%2F..%2F..%2Fetc%2Fpasswd",
        "/api/hbt/..%2F..%2F..%2Fetc%2Fpasswd/history",
        "/api/containers/%2e%2e%2f%2e%2e%2fetc%2fpasswd/logs",
        "/api/alerts/..%2f..%2fhanabi.redb",
        "/api/incidents/%00",
        "/api/v1/label/..%2f..%2fetc/values",
        "/api/stream/..%2f..%2fetc%2fpasswd",
    ] {
        let answer = raw(
            &world,
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
        assert!(!answer.contains("root:"), "{path}: {answer}");
        assert!(matches!(statuses(&answer)[..], [400 | 404]), "{path}: {answer}");
    }
    // Nor does the store take an identity for a path.
    let identity = "../../../../tmp/hanabi-was-here";
    world.store.put_snapshot(identity, NOW, &world::tree()).unwrap();
    assert!(!std::path::Path::new("/tmp/hanabi-was-here").exists());
}

/// A name as nobody but an attacker would choose it.
const NAME: &str = "x\r\nset-cookie: hanabi_session=1\r\n\r\n<script>alert(1)</script>\u{202e}";

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").unwrap();
        out
    })
}

#[tokio::test]
async fn names_of_attackers_stay_out_of_heads_and_markup() {
    let world = quick().await;
    let row = ContainerRow {
        id: "cccccccccccc".into(),
        name: NAME.into(),
        identity: NAME.into(),
        ..ContainerRow::default()
    };
    let mut fleet = world.live.fleet().as_ref().clone();
    fleet.containers.push(row);
    world.live.publish_fleet(fleet);
    world.store.put_snapshot(NAME, NOW, &world::tree()).unwrap();
    let alert = json!({ "id": "00000000000000c1", "identity": NAME, "rule": NAME,
        "summary": { "en": NAME, "zh": NAME } });
    world.store.put_alerts(&[world::alert(&alert)]).unwrap();
    let id = percent(NAME);
    for path in [
        format!("/api/hbt/{id}"),
        format!("/api/hbt/{id}/history"),
        format!("/api/containers/{id}"),
        "/api/containers".to_owned(),
        format!("/api/containers/{}", percent("<script>nobody</script>\r\nx: y")),
        "/api/alerts".to_owned(),
        format!("/api/alerts?rule={id}"),
        format!("/api/alerts?priority={id}"),
        "/api/alerts/00000000000000c1".to_owned(),
        "/api/export/alerts?format=csv".to_owned(),
        "/api/export/alerts?format=ndjson".to_owned(),
        format!("/api/export/hbt?container_id={id}"),
        "/metrics".to_owned(),
        format!("/{id}"),
    ] {
        let answer = get(world.addr, &path).await;
        assert_eq!(answer.header("set-cookie"), "", "{path}");
        assert!(matches!(answer.status, 200 | 400 | 404), "{path}: {}", answer.status);
        let kind = answer.header("content-type");
        assert!(!kind.starts_with("text/html"), "{path}: {kind}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        for (name, value) in &answer.headers {
            let plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(plain, "{path} {name}: {value}");
        }
    }
    let tree = get(world.addr, &format!("/api/hbt/{id}?at={NOW}")).await;
    let shown = tree.header("x-hanabi-identity");
    assert!(shown.starts_with("x%0D%0Aset-cookie:"), "{shown}");
}

#[tokio::test]
async fn text_of_events_breaks_out_of_no_message() {
    let world = quick().await;
    let mut stream = Events::open(world.addr, "/api/stream", &[]).await;
    stream.next().await;
    let text = "x\n\ndata: {\"type\":\"alert\"}\r\n\r\nid: boot-999\nretry: 1\n\n\u{2028}</script>";
    let container = StreamContainer { id: WEB, name: text, identity: text };
    world.hub.publish_event(
        container,
        Category::File,
        Priority::Debug,
        NOW,
        || json!({ "object": text }),
    );
    let (id, batch) = stream.news().await;
    assert_eq!(batch["payload"]["events"][0]["object"], text);
    let alert = world::alert(&json!({ "id": "c2", "rule": text }));
    world.hub.publish_alert(Arc::new(alert), container);
    let (next, told) = stream.news().await;
    assert_eq!((&told["payload"]["rule"], &told["payload"]["id"]), (&json!(text), &json!("c2")));
    let number = |id: &str| id.rsplit('-').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(&next), number(&id) + 1, "no message came between");
}

#[tokio::test]
async fn pages_of_others_change_nothing() {
    let world = quick().await;
    let json_type = ("content-type", "application/json");
    for headers in [
        // What a form can send.
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![("content-type", "multipart/form-data; boundary=x")],
        vec![],
        // What a script can, if it may.
        vec![json_type, ("origin", "http://evil.example")],
        vec![json_type, ("origin", "null")],
        vec![json_type, ("origin", "http://localhost.evil.example")],
        vec![json_type, ("sec-fetch-site", "cross-site")],
        vec![json_type, ("sec-fetch-site", "same-site")],
        vec![json_type, ("host", "evil.example"), ("origin", "http://evil.example")],
    ] {
        for (method, path) in [
            ("POST", "/api/alerts/00000000000000a1/resolve"),
            ("POST", "/api/suppressions"),
            ("DELETE", "/api/hbt/h1:web"),
            ("POST", "/api/hbt/h1:web/rollback"),
            ("POST", "/api/sources/http/pause"),
            ("POST", "/api/tokens"),
        ] {
            let answer = request(world.addr, method, path, &headers, b"{}").await;
            assert!(matches!(answer.status, 403 | 415), "{headers:?} {path}: {}", answer.status);
        }
    }
    assert!(world.orders.lock().unwrap().is_empty(), "the engine has heard of none of it");
    // No page of another origin may read an answer, either.
    let headers = [("origin", "http://evil.example")];
    let answer = request(world.addr, "GET", "/api/alerts", &headers, b"").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    let asked = request(world.addr, "OPTIONS", "/api/alerts", &headers, b"").await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (405, ""));
}
