//! The stream over HTTP. Its rules are tested in the crate; this is the way there.

use std::sync::Arc;

use hanabi_api::{StreamContainer, StreamLimits};
use hanabi_event::{Category, Priority};
use serde_json::json;

use crate::client::{Events, get, request};
use crate::world::{self, DB, NOW, Setup, WEB, World};

const OF_WEB: StreamContainer<'_> = StreamContainer { id: WEB, name: "web", identity: "h1:web" };
const OF_DB: StreamContainer<'_> = StreamContainer { id: DB, name: "db", identity: "h1:db" };

fn event(world: &World, container: StreamContainer<'_>, n: u64) {
    world.hub.publish_event(container, Category::File, Priority::Debug, NOW, || json!({ "n": n }));
}

fn alert(world: &World, container: StreamContainer<'_>, id: &str) {
    world.hub.publish_alert(Arc::new(world::alert(&json!({ "id": id }))), container);
}

async fn filled(stream: StreamLimits) -> World {
    let world = World::start(Setup { stream, ..Setup::default() }).await;
    world.fill();
    world
}

#[tokio::test]
async fn alerts_come_first_and_streams_are_by_container() {
    let world = filled(StreamLimits::default()).await;
    let mut all = Events::open(world.addr, "/api/stream", &[]).await;
    let mut web = Events::open(world.addr, "/api/stream/h1%3Aweb", &[]).await;
    let mut alerts = Events::open(world.addr, "/api/stream?type=alert&container_id=db", &[]).await;
    for stream in [&mut all, &mut web, &mut alerts] {
        assert_eq!(stream.next().await.1["type"], "heartbeat");
    }
    for n in 0..250 {
        event(&world, OF_WEB, n);
    }
    event(&world, OF_DB, 1);
    alert(&world, OF_DB, "00000000000000b1");

    let (id, first) = all.news().await;
    assert_eq!((&first["type"], &first["container"]), (&json!("alert"), &json!(DB)));
    assert!(id.starts_with("boot-"));
    let batch = all.news().await.1;
    assert_eq!(batch["payload"]["events"].as_array().unwrap().len(), 200);
    assert_eq!(batch["payload"]["skipped"], 50);
    assert_eq!(all.news().await.1["container"], DB);

    assert_eq!(web.news().await.1["payload"]["skipped"], 50);
    assert_eq!(alerts.news().await.1["payload"]["id"], "00000000000000b1");
}

#[tokio::test]
async fn a_stream_resumes_by_header_or_query() {
    let world = filled(StreamLimits::default()).await;
    let mut stream = Events::open(world.addr, "/api/stream", &[]).await;
    stream.next().await;
    alert(&world, OF_WEB, "1");
    let (id, _) = stream.news().await;
    drop(stream);
    alert(&world, OF_WEB, "2");
    alert(&world, OF_WEB, "3");
    for (path, headers) in [
        (format!("/api/stream?last_event_id={id}"), vec![]),
        ("/api/stream".to_owned(), vec![("last-event-id", id.as_str())]),
        ("/api/stream?last_event_id=older-1".to_owned(), vec![("last-event-id", id.as_str())]),
    ] {
        let mut again = Events::open(world.addr, &path, &headers).await;
        assert_eq!(again.news().await.1["payload"]["id"], "2", "{path}");
        assert_eq!(again.news().await.1["payload"]["id"], "3", "{path}");
    }
    let mut lost = Events::open(world.addr, "/api/stream?last_event_id=older-1", &[]).await;
    let (_, gap) = lost.news().await;
    assert_eq!(gap["payload"], json!({ "gap": true }));
    assert_eq!(gap["container"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_and_harms_nobody() {
    let limits = StreamLimits { ring_bytes: 256 << 10, ..StreamLimits::default() };
    let world = filled(limits).await;
    let mut stuck = Events::open(world.addr, "/api/stream", &[]).await;
    let mut quick = Events::open(world.addr, "/api/stream", &[]).await;
    quick.next().await;
    // Enough to fill the stuck client's socket, and then the ring.
    let raw = "x".repeat(60_000);
    let mut read = 0;
    for n in 0..600 {
        let alert = world::alert(&json!({ "id": n.to_string(), "rule": raw.as_str() }));
        world.hub.publish_alert(Arc::new(alert), OF_WEB);
        let (_, message) = quick.news().await;
        assert_eq!(message["payload"]["id"], n.to_string());
        read += 1;
    }
    assert_eq!(read, 600);
    let mut got = 0;
    let told = loop {
        let (_, message) = stuck.news().await;
        if message["type"] == "heartbeat" {
            break message["payload"]["lagged"].as_u64().unwrap();
        }
        got += 1;
    };
    let mut rest = 1;
    while stuck.news().await.1["payload"]["id"] != "599" {
        rest += 1;
    }
    assert!(told > 0);
    assert_eq!(got + told + rest, 600, "every message was sent or counted");
}

#[tokio::test]
async fn streams_are_refused_past_the_limit() {
    let world = filled(StreamLimits { clients: 1, ..StreamLimits::default() }).await;
    let _first = Events::open(world.addr, "/api/stream", &[]).await;
    let refused = get(world.addr, "/api/stream").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    for (path, status) in [("/api/stream/nobody", 404), ("/api/stream/web", 409)] {
        assert_eq!(request(world.addr, "GET", path, &[], b"").await.status, status, "{path}");
    }
}
