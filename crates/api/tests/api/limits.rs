//! Hosts, connections, timeouts, the end.

use std::net::SocketAddr;
use std::time::Duration;

use hanabi_api::{ApiLimits, StreamLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Events, get, request};
use crate::world::{Setup, World};

/// A metric without labels, as a scrape sees it.
async fn metric(addr: SocketAddr, name: &str) -> u64 {
    let page = get(addr, "/metrics").await;
    let line = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("the metric").parse().expect("a whole number")
}

#[tokio::test]
async fn only_our_own_hosts_are_answered() {
    let world = World::start(Setup::default()).await;
    let own = world.addr.to_string();
    for (host, status) in [
        (own.as_str(), 200),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:99", 200),
        ("[::1]:8000", 200),
        ("hanabi.example", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("10.0.0.5", 403),
        ("", 403),
        ("a b", 403),
    ] {
        let answer = request(world.addr, "GET", "/healthz", &[("host", host)], b"").await;
        assert_eq!(answer.status, status, "{host:?}");
        if status == 403 {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
    let target = "http://evil.example/healthz";
    assert_eq!(request(world.addr, "GET", target, &[], b"").await.status, 403);
    assert_eq!(metric(world.addr, "hanabi_http_hosts_refused_total").await, 9);
}

#[tokio::test]
async fn hundreds_of_idle_connections_do_not_keep_others_out() {
    let world = World::start(Setup::default()).await;
    world.fill();
    let mut idle = Vec::new();
    for n in 0..400 {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        // Some say nothing, some stop in the middle of a head, some in a body.
        let beginning: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /api/containers HTTP/1.1\r\nhost: localhost\r\nx-slow:",
            _ => b"GET /api/containers HTTP/1.1\r\nhost: localhost\r\n\r\n",
        };
        stream.write_all(beginning).await.unwrap();
        idle.push(stream);
    }
    let answered = tokio::time::timeout(Duration::from_secs(5), get(world.addr, "/api/containers"));
    assert_eq!(answered.await.expect("in time").status, 200);
}

#[tokio::test]
async fn slow_heads_end_with_the_head_time() {
    let limits = ApiLimits { head_time: Duration::from_millis(300), ..ApiLimits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    let mut slow = TcpStream::connect(world.addr).await.unwrap();
    let began = std::time::Instant::now();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let mut ended = Vec::new();
    loop {
        // A byte now and then does not help.
        let drip = tokio::time::timeout(Duration::from_millis(50), slow.read_to_end(&mut ended));
        if drip.await.is_ok() || slow.write_all(b"x").await.is_err() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(3), "the connection is still open");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let limits = ApiLimits { stall_time: Duration::from_millis(300), ..ApiLimits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    let _stuck = Events::open(world.addr, "/api/stream", &[]).await;
    let rule = "x".repeat(100_000);
    let alert = std::sync::Arc::new(crate::world::alert(&serde_json::json!({ "rule": rule })));
    let container = hanabi_api::StreamContainer { id: "x", name: "x", identity: "x" };
    let clients = || world.hub.counters().clients.load(std::sync::atomic::Ordering::Relaxed);
    let began = std::time::Instant::now();
    while clients() > 0 {
        world.hub.publish_alert(alert.clone(), container);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(began.elapsed() < Duration::from_secs(10), "the client is still held");
    }
}

#[tokio::test]
async fn slow_bodies_end_with_the_request_time() {
    let limits = ApiLimits {
        request_time: Duration::from_millis(300),
        ingest_requests: 1,
        ..ApiLimits::default()
    };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    let mut slow = TcpStream::connect(world.addr).await.unwrap();
    let head = "POST /ingest/falco HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Meanwhile the one place for ingest is taken, and others are told so; reads are not affected.
    let refused = request(world.addr, "POST", "/ingest/falco", &[], b"{}").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(get(world.addr, "/healthz").await.status, 200);
    let mut answer = [0; 1_024];
    let n = slow.read(&mut answer).await.unwrap();
    assert!(answer[..n].starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&answer[..n]));
    assert_eq!(request(world.addr, "POST", "/ingest/falco", &[], b"{}").await.status, 202);
    assert_eq!(metric(world.addr, "hanabi_http_requests_refused_total").await, 1);
    assert_eq!(metric(world.addr, "hanabi_http_timeouts_total").await, 1);
}

#[tokio::test]
async fn connections_past_the_limit_are_told() {
    let limits = ApiLimits { connections: 2, ..ApiLimits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    let _first = Events::open(world.addr, "/api/stream", &[]).await;
    let second = Events::open(world.addr, "/api/stream", &[]).await;
    let mut third = TcpStream::connect(world.addr).await.unwrap();
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).await.ok();
    assert!(answer.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&answer));
    drop(second);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(metric(world.addr, "hanabi_http_connections_refused_total").await, 1);
}

#[tokio::test]
async fn the_end_ends_streams_and_finishes_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (world, run) = World::build(listener, Setup::default(), async {
        stopped.await.ok();
    });
    let run = tokio::spawn(run);
    let mut stream = Events::open(world.addr, "/api/stream", &[]).await;
    stream.next().await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(3), run).await.expect("in time").unwrap();
    assert!(TcpStream::connect(world.addr).await.is_err());
}

/// Takes its time, so it runs only when asked for: `cargo test -p hanabi-api -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a load test"]
async fn two_thousand_streams() {
    let world = World::start(Setup { stream: StreamLimits::default(), ..Setup::default() }).await;
    world.fill();
    let mut streams = Vec::new();
    for _ in 0..2_000 {
        streams.push(Events::open(world.addr, "/api/stream?type=alert", &[]).await);
    }
    let began = std::time::Instant::now();
    let container = hanabi_api::StreamContainer { id: "x", name: "x", identity: "x" };
    let alert = std::sync::Arc::new(crate::world::alert(&serde_json::json!({})));
    world.hub.publish_alert(alert, container);
    for stream in &mut streams {
        assert_eq!(stream.news().await.1["type"], "alert");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
