//! The stream over HTTP. Its rules are tested in the crate; this is the way there.

use std::sync::Arc;

use hanabi_api::{StreamContainer, StreamLimits};
use hanabi_event::{Category, Priority};
use serde_json::json;
use tokio::sync::Barrier;

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

/// Clients of the soak, alerts and events in it: some seconds, and thousands of reconnects.
const CLIENTS: u64 = 24;
const ALERTS: u64 = 2_000;
const EVENTS: u64 = 6_000;

#[tokio::test]
async fn clients_that_come_back_all_the_time_miss_nothing_and_get_nothing_twice() {
    let tick = std::time::Duration::from_millis(10);
    let stream = StreamLimits { tick, events_per_container: 10_000, ..StreamLimits::default() };
    let world = filled(stream).await;
    let all_there = Arc::new(Barrier::new(CLIENTS as usize + 1));
    let clients: Vec<_> =
        (0..CLIENTS).map(|n| tokio::spawn(soaked(world.addr, n, Arc::clone(&all_there)))).collect();
    all_there.wait().await;
    for n in 0..EVENTS.max(ALERTS) {
        if n < ALERTS {
            alert(&world, if n % 2 == 0 { OF_WEB } else { OF_DB }, &n.to_string());
        }
        event(&world, OF_WEB, n);
        if n % 40 == 0 {
            tokio::time::sleep(tick / 2).await;
        }
    }
    event(&world, OF_WEB, EVENTS);
    let mut reconnects = 0;
    for client in clients {
        reconnects += client.await.unwrap();
    }
    assert!(reconnects > CLIENTS * 20, "{reconnects}");
    assert_eq!(world.hub.counters().gaps.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// Reads to the last event and leaves every few messages; answers how often.
async fn soaked(addr: std::net::SocketAddr, client: u64, all_there: Arc<Barrier>) -> u64 {
    let (mut last, mut reconnects) = (String::new(), 0);
    let (mut next_alert, mut next_event) = (0, 0);
    loop {
        let path = match client % 3 {
            _ if last.is_empty() => "/api/stream".to_owned(),
            0 => format!("/api/stream?last_event_id={last}"),
            _ => "/api/stream".to_owned(),
        };
        let headers = [("last-event-id", last.as_str())];
        let headers = if client.is_multiple_of(3) || last.is_empty() { &[][..] } else { &headers };
        let mut stream = Events::open(addr, &path, headers).await;
        if last.is_empty() {
            all_there.wait().await;
        }
        for _ in 0..=(client + reconnects * 7) % 13 {
            let (id, message) = stream.next().await;
            last = id;
            match message["type"].as_str() {
                Some("alert") => {
                    assert_eq!(message["payload"]["id"], next_alert.to_string(), "{client}");
                    next_alert += 1;
                }
                Some("event") => {
                    assert_eq!(message["payload"]["skipped"], 0);
                    for row in message["payload"]["events"].as_array().unwrap() {
                        assert_eq!(row["n"], next_event, "{client}");
                        next_event += 1;
                    }
                }
                _ => assert_eq!(message["payload"], json!({}), "nothing was missed"),
            }
            if next_event > EVENTS {
                assert_eq!(next_alert, ALERTS, "{client}");
                return reconnects;
            }
        }
        reconnects += 1;
    }
}
