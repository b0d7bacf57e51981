//! What is refused, and what is not, while the service cannot keep up.

use crate::client::get;
use crate::world::{Setup, World};

const EXPENSIVE: [&str; 9] = [
    "/api/export/alerts",
    "/api/export/logs?format=csv",
    "/api/export/hbt",
    "/api/export/report?start=1&end=2",
    "/api/v1/query_range?query=up&start=1763799000&end=1763800000&step=60",
    "/api/hbt/h1:web",
    "/api/hbt/h1:web?depth=2&q=nginx",
    "/api/hbt/h1:web/diff?from=1763800000000000000",
    "/api/containers/aaaaaaaaaaaa/logs?q=nginx",
];

const CHEAP: [&str; 9] = [
    "/api/containers",
    "/api/containers/aaaaaaaaaaaa/logs",
    "/api/alerts?stats=true",
    "/api/incidents",
    "/api/overview",
    "/api/hbt/h1:web?depth=3",
    "/api/hbt/h1:web/history",
    "/api/v1/query?query=up",
    "/metrics",
];

#[tokio::test]
async fn expensive_reads_wait_while_the_engine_is_behind_and_others_do_not() {
    let world = World::start(Setup::default()).await;
    world.fill();
    world.live.degrade("the engine is behind", true);
    for path in EXPENSIVE {
        let answer = get(world.addr, path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "10"), "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:hanabi:problem:degraded", "{path}");
        assert_eq!(problem["reasons"], serde_json::json!(["the engine is behind"]), "{path}");
    }
    for path in CHEAP {
        assert_eq!(get(world.addr, path).await.status, 200, "{path}");
    }
    let ready = get(world.addr, "/readyz").await;
    assert_eq!((ready.status, &ready.json()["degraded"][0]), (200, &"the engine is behind".into()));
    let overview = get(world.addr, "/api/overview?window=5m").await.json();
    assert_eq!(overview["degraded"][0], "the engine is behind");
    let metrics = get(world.addr, "/metrics").await;
    let shed = format!("hanabi_http_requests_shed_total {}\n", EXPENSIVE.len());
    assert!(metrics.text().contains(&shed) && metrics.text().contains("hanabi_degraded 1\n"));

    world.live.degrade("the engine is behind", false);
    for path in EXPENSIVE {
        assert_eq!(get(world.addr, path).await.status, 200, "{path}");
    }
    assert!(get(world.addr, "/metrics").await.text().contains("hanabi_degraded 0\n"));
}
