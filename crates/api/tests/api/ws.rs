//! The stream over WebSocket, by a client of somebody else's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hanabi_api::{StreamContainer, StreamLimits};
use hanabi_event::{Category, Priority};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{
    self, Message, client::IntoClientRequest as _, handshake::client::Request,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::auth::guarded;
use crate::client::{Events, get, request};
use crate::world::{self, DB, NOW, Setup, WEB, World};

const OF_WEB: StreamContainer<'_> = StreamContainer { id: WEB, name: "web", identity: "h1:web" };
const OF_DB: StreamContainer<'_> = StreamContainer { id: DB, name: "db", identity: "h1:db" };

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn filled(setup: Setup) -> World {
    let world = World::start(setup).await;
    world.fill();
    world
}

fn ask(world: &World, path: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut ask = format!("ws://{}{path}", world.addr).into_client_request().unwrap();
    for (name, value) in headers {
        ask.headers_mut().insert(*name, value.parse().unwrap());
    }
    ask
}

async fn open(world: &World, path: &str, headers: &[(&'static str, &str)]) -> Socket {
    connect_async(ask(world, path, headers)).await.unwrap().0
}

/// The status with which a handshake was refused.
async fn refused(world: &World, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    match connect_async(ask(world, path, headers)).await {
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{path} was not refused: {other:?}"),
    }
}

async fn heard(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
    next.expect("a message in time").expect("the stream goes on").unwrap()
}

/// The next envelope that is no plain heartbeat.
async fn news(socket: &mut Socket) -> Value {
    loop {
        let Message::Text(text) = heard(socket).await else { continue };
        let envelope: Value = serde_json::from_str(&text).unwrap();
        if envelope["type"] != "heartbeat" || envelope["payload"] != json!({}) {
            return envelope;
        }
    }
}

/// The code with which the service closes.
async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = heard(socket).await {
            return frame.unwrap().code.into();
        }
    }
}

fn alert(world: &World, container: StreamContainer<'_>, id: &str) {
    world.hub.publish_alert(Arc::new(world::alert(&json!({ "id": id }))), container);
}

#[tokio::test]
async fn it_says_what_the_event_stream_says() {
    let world = filled(Setup::default()).await;
    let mut plain = Events::open(world.addr, "/api/stream", &[]).await;
    let mut all = open(&world, "/api/ws", &[]).await;
    let mut web = open(&world, "/api/ws/h1%3Aweb?type=alert", &[]).await;
    let mut warnings = open(&world, "/api/ws?priority=Warning&container_id=db", &[]).await;
    let event = |container, priority, n: u64| {
        let row = || json!({ "n": n, "text": "</script>\u{1}\n" });
        world.hub.publish_event(container, Category::File, priority, NOW, row);
    };
    event(OF_WEB, Priority::Debug, 1);
    event(OF_DB, Priority::Warning, 2);
    alert(&world, OF_WEB, "00000000000000b1");
    for _ in 0..3 {
        let (id, mut expected) = plain.news().await;
        expected["id"] = id.into();
        assert_eq!(news(&mut all).await, expected);
    }
    assert_eq!(news(&mut web).await["payload"]["id"], "00000000000000b1");
    assert_eq!(news(&mut warnings).await["payload"]["events"][0]["n"], 2);
}

#[tokio::test]
async fn it_resumes_and_tells_of_gaps() {
    let world = filled(Setup::default()).await;
    let mut socket = open(&world, "/api/ws", &[]).await;
    alert(&world, OF_WEB, "1");
    let id = news(&mut socket).await["id"].as_str().unwrap().to_owned();
    drop(socket);
    alert(&world, OF_WEB, "2");
    let mut again = open(&world, &format!("/api/ws?last_event_id={id}"), &[]).await;
    assert_eq!(news(&mut again).await["payload"]["id"], "2");
    let mut lost = open(&world, "/api/ws?last_event_id=older-1", &[]).await;
    let gap = news(&mut lost).await;
    assert_eq!((&gap["payload"], &gap["container"]), (&json!({ "gap": true }), &Value::Null));
}

#[tokio::test]
async fn pages_of_other_origins_and_plain_requests_are_refused() {
    let world = filled(Setup::default()).await;
    let own = format!("http://{}", world.addr);
    open(&world, "/api/ws", &[("origin", &own)]).await;
    open(&world, "/api/ws", &[("origin", &own), ("sec-fetch-site", "same-origin")]).await;
    for headers in [
        [("origin", "http://evil.example")].as_slice(),
        &[("origin", "null")],
        &[("origin", &own), ("sec-fetch-site", "cross-site")],
        &[("host", "evil.example"), ("origin", "http://evil.example")],
    ] {
        assert_eq!(refused(&world, "/api/ws", headers).await, 403, "{headers:?}");
        assert_eq!(refused(&world, "/api/ws/db", headers).await, 403, "{headers:?}");
    }
    let plain = get(world.addr, "/api/ws").await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, "websocket"));
    assert_eq!(plain.json()["type"], "urn:hanabi:problem:upgrade_required");
    for (path, status) in [
        ("/api/ws/nobody", 404),
        ("/api/ws/web", 409),
        ("/api/ws?type=wrong", 400),
        ("/api/ws?unknown=1", 400),
    ] {
        assert_eq!(refused(&world, path, &[]).await, status, "{path}");
    }
}

#[tokio::test]
async fn rights_and_scopes_hold_and_end_with_the_token() {
    let world = filled(guarded()).await;
    let bearer = |who: &str| format!("Bearer {}", world.tokens[who]);
    assert_eq!(refused(&world, "/api/ws", &[]).await, 401);
    assert_eq!(refused(&world, "/api/ws", &[("authorization", &bearer("ingest"))]).await, 403);
    let scoped = bearer("scoped");
    assert_eq!(refused(&world, "/api/ws/db", &[("authorization", &scoped)]).await, 404);
    let mut socket = open(&world, "/api/ws", &[("authorization", &scoped)]).await;
    let other = json!({ "id": "1", "identity": "h1:db", "container": { "id": DB, "name": "db",
        "host": "h1", "pod": "", "image": "", "count": 1, "last_seen": "2025-11-22T08:26:40Z" } });
    world.hub.publish_alert(Arc::new(world::alert(&other)), OF_DB);
    alert(&world, OF_WEB, "2");
    assert_eq!(news(&mut socket).await["payload"]["id"], "2", "the other container is not shown");

    let admin = bearer("admin");
    let headers = [("authorization", admin.as_str()), ("content-type", "application/json")];
    let tokens = request(world.addr, "GET", "/api/tokens", &headers, b"").await.json();
    let tokens = tokens["tokens"].as_array().unwrap();
    let id = tokens.iter().find(|token| token["name"] == "scoped").unwrap()["id"].clone();
    let path = format!("/api/tokens/{}", id.as_str().unwrap());
    assert_eq!(request(world.addr, "DELETE", &path, &headers, b"{}").await.status, 200);
    assert_eq!(closed(&mut socket).await, 1008);
}

#[tokio::test]
async fn a_client_that_talks_is_closed_and_one_that_pings_is_answered() {
    let world = filled(Setup::default()).await;
    let mut socket = open(&world, "/api/ws", &[]).await;
    socket.send(Message::Ping(b"there?".as_slice().into())).await.unwrap();
    loop {
        if let Message::Pong(said) = heard(&mut socket).await {
            assert_eq!(&said[..], b"there?");
            break;
        }
    }
    socket.send(Message::text("{}")).await.unwrap();
    assert_eq!(closed(&mut socket).await, 1003);
    // What is too long ends the connection, whether or not the client hears why.
    let mut socket = open(&world, "/api/ws", &[]).await;
    socket.send(Message::text("x".repeat(100_000))).await.ok();
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_and_harms_nobody() {
    let stream = StreamLimits { ring_bytes: 256 << 10, ..StreamLimits::default() };
    let world = filled(Setup { stream, ..Setup::default() }).await;
    let mut stuck = open(&world, "/api/ws", &[]).await;
    let mut quick = open(&world, "/api/ws", &[]).await;
    let raw = "x".repeat(60_000);
    for n in 0..600 {
        let alert = world::alert(&json!({ "id": n.to_string(), "rule": raw.as_str() }));
        world.hub.publish_alert(Arc::new(alert), OF_WEB);
        assert_eq!(news(&mut quick).await["payload"]["id"], n.to_string());
    }
    let (mut got, mut told) = (0, 0);
    loop {
        let message = news(&mut stuck).await;
        told += message["payload"]["lagged"].as_u64().unwrap_or(0);
        got += u64::from(message["type"] == "alert");
        if message["payload"]["id"] == "599" {
            break;
        }
    }
    assert!(told > 0);
    assert_eq!(got + told, 600, "every message was sent or counted");
}

#[tokio::test]
async fn sockets_count_as_connections_and_end_with_the_service() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = hanabi_api::ApiLimits { connections: 2, ..hanabi_api::ApiLimits::default() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let setup = Setup { limits, ..Setup::default() };
    let (world, run) = World::build(listener, setup, async move { drop(stopped.await) });
    let served = tokio::spawn(run);
    world.fill();
    let mut one = open(&world, "/api/ws", &[]).await;
    let _two = open(&world, "/api/ws", &[]).await;
    assert_eq!(get(world.addr, "/healthz").await.status, 503, "no room for a third");
    drop(stop);
    assert_eq!(closed(&mut one).await, 1001);
    drop(one);
    served.await.unwrap();
}
