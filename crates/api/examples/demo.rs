//! Serves a made-up fleet: `cargo run -p hanabi-api --example demo [ADDR] [empty]`.

#[path = "../tests/api/world.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "a test's world, and the tests use more of it")]
mod world;

use std::sync::Arc;
use std::time::Duration;

use hanabi_api::StreamContainer;
use serde_json::json;
use tokio::net::TcpListener;
use world::{NOW, Setup, WEB, World};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let addr = arguments.next().unwrap_or_else(|| "127.0.0.1:8000".into());
    let listener = TcpListener::bind(addr).await?;
    let (world, run) = World::build(listener, Setup::default(), async {
        tokio::signal::ctrl_c().await.ok();
    });
    if arguments.next().as_deref() == Some("empty") {
        run.await;
        return Ok(());
    }
    world.fill();
    tokio::select! {
        () = run => {}
        () = play(world) => {}
    }
    Ok(())
}

/// Raises the same alert again and again.
async fn play(world: World) {
    for n in 5.. {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let last_seen = hanabi_event::time::format_time(NOW + n * hanabi_event::SECOND);
        let alert = Arc::new(world::alert(&json!({ "count": n, "last_seen": last_seen })));
        let container = StreamContainer { id: WEB, name: "web", identity: "h1:web" };
        world.live.put_alerts(vec![alert.clone()]);
        world.hub.publish_alert(alert, container);
    }
}
