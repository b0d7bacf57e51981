//! Every route as everybody.

use std::collections::BTreeSet;

use super::{by, world};
use crate::client::get;
use crate::world::{Setup, WEB, World};

const ALL: [&str; 8] =
    ["nobody", "viewer", "analyst", "admin", "ingest", "metrics", "scoped", "scoped-admin"];

/// Who may, by the routes' paths; what is not here is a person's to read or an analyst's to change.
fn admitted(method: &str, path: &str) -> &'static [&'static str] {
    match (method, path) {
        ("get", "/healthz" | "/livez" | "/readyz") | ("post", "/api/login") => &ALL,
        ("get", "/api/me" | "/api/openapi.json" | "/api/docs") | ("post", "/api/logout") => {
            &ALL[1..]
        }
        ("get", "/metrics") => &["viewer", "analyst", "admin", "metrics"],
        ("post", "/ingest/falco" | "/api/v1/write") => &["admin", "ingest"],
        (_, "/api/tokens" | "/api/tokens/{id}")
        | (
            "get",
            "/api/audit" | "/api/config" | "/api/sources" | "/api/outputs" | "/api/ingest/rejected",
        )
        | (
            "post",
            "/api/sources/{id}/pause" | "/api/sources/{id}/resume" | "/api/outputs/{name}/test",
        ) => &["admin"],
        ("post", path) if path.starts_with("/api/v1/") => {
            &["viewer", "analyst", "admin", "scoped", "scoped-admin"]
        }
        ("get", _) => &["viewer", "analyst", "admin", "scoped", "scoped-admin"],
        _ => &["analyst", "admin", "scoped", "scoped-admin"],
    }
}

#[tokio::test]
async fn every_route_admits_whom_it_is_for_and_nobody_else() {
    let world = world().await;
    let document = crate::auth::json(&world, "admin", "/api/openapi.json").await;
    let mut routes = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            // A stream that is opened does not end.
            let (path, stream) =
                (path.as_str(), path.starts_with("/api/stream") || path.starts_with("/api/ws"));
            let target = path.replace("{id}", WEB).replace("{item}", "k1").replace("{name}", "job");
            for who in ALL {
                let may = admitted(method, path).contains(&who);
                if stream && may {
                    continue;
                }
                // What is not there at all shows that somebody came through the gate.
                let target = if stream { format!("{target}?type=wrong") } else { target.clone() };
                let answer = by(&world, who, &method.to_uppercase(), &target, "").await;
                let barred = matches!(answer.status, 401 | 403);
                // The route's own word on a token in the body.
                let login = path == "/api/login" && answer.status == 400;
                assert_eq!(barred && !login, !may, "{who} {method} {path}: {}", answer.status);
                if barred {
                    told(&answer, who, path);
                }
                routes += 1;
            }
        }
    }
    assert!(routes > 400, "{routes}");
}

fn told(answer: &crate::client::Answer, who: &str, path: &str) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    assert!(!answer.header("x-request-id").is_empty(), "{path}");
    let body = answer.json();
    if who == "nobody" {
        assert_eq!(
            (answer.status, body["type"].as_str()),
            (401, Some("urn:hanabi:problem:unauthenticated"))
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"hanabi\"");
    } else {
        assert_eq!(
            (answer.status, body["type"].as_str()),
            (403, Some("urn:hanabi:problem:forbidden"))
        );
        assert!(body["needs"].as_str().unwrap().contains("role"), "{body}");
    }
}

#[tokio::test]
async fn the_page_and_paths_that_are_not_there_tell_nobody_anything() {
    let world = world().await;
    for (path, status) in [("/", 200), ("/nothing", 404), ("/api/nothing", 404)] {
        assert_eq!(get(world.addr, path).await.status, status, "{path}");
    }
    for who in ["nobody", "admin"] {
        assert_eq!(by(&world, who, "PUT", "/api/alerts", "").await.status, 405);
        assert_eq!(by(&world, who, "HEAD", "/healthz", "").await.status, 200);
    }
    assert_eq!(by(&world, "nobody", "HEAD", "/api/alerts", "").await.status, 401);
    assert_eq!(by(&world, "viewer", "HEAD", "/api/alerts", "").await.status, 200);
}

#[tokio::test]
async fn without_authentication_everybody_is_the_operator() {
    let world = World::start(Setup::default()).await;
    world.fill();
    let me = get(world.addr, "/api/me").await.json();
    assert_eq!(
        (&me["name"], &me["role"], &me["kind"]),
        (&"operator".into(), &"admin".into(), &"anyone".into())
    );
    assert_eq!(me["authentication"], "none");
    // Nothing to log in to, and a token that is sent all the same does no harm.
    assert_eq!(by(&world, "nobody", "POST", "/api/login", r#"{"token":"x"}"#).await.status, 409);
    let headers = [("authorization", "Bearer wrong")];
    let answer = crate::client::request(world.addr, "GET", "/api/alerts", &headers, b"").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_is_allowed_is_told() {
    let world = world().await;
    for (who, role, has, has_not) in [
        ("viewer", "viewer", "GET /api/alerts", "POST /api/alerts/bulk"),
        ("scoped", "analyst", "POST /api/alerts/bulk", "GET /metrics"),
        ("ingest", "ingest", "POST /ingest/falco", "GET /api/alerts"),
    ] {
        let me = crate::auth::json(&world, who, "/api/me").await;
        assert_eq!((me["name"].as_str(), me["role"].as_str()), (Some(who), Some(role)));
        let allowed: BTreeSet<&str> =
            me["allowed"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
        assert!(allowed.contains(has) && !allowed.contains(has_not), "{who}: {allowed:?}");
        assert_eq!(me["csrf"], serde_json::Value::Null);
    }
}

#[tokio::test]
async fn refusals_are_in_the_audit_log() {
    let world = world().await;
    by(&world, "viewer", "POST", "/api/alerts/00000000000000a1/ack", "{}").await;
    let refused = by(&world, "nobody", "GET", "/api/alerts/secret-path", "").await;
    // The entry is written beside the answer.
    let entries = loop {
        let entries = crate::auth::json(&world, "admin", "/api/audit").await;
        if entries["audit"].as_array().unwrap().len() >= 2 {
            break entries;
        }
        tokio::task::yield_now().await;
    };
    let entry = &entries["audit"][0];
    assert_eq!(
        (&entry["by"], &entry["action"], &entry["outcome"], &entry["address"]),
        (&"nobody".into(), &"request".into(), &"refused".into(), &"127.0.0.1".into())
    );
    assert_eq!(entry["object"], "GET /api/alerts/{id}");
    assert_eq!(entry["request"], refused.header("x-request-id"));
    assert_eq!(
        (&entries["audit"][1]["by"], &entries["audit"][1]["detail"]["status"]),
        (&"viewer".into(), &403.into())
    );
}

#[tokio::test]
async fn wrong_credentials_are_slowed_and_right_ones_are_not() {
    let world = world().await;
    let mut answers = Vec::new();
    for n in 0..12 {
        let value = format!("Bearer hnb_{n}");
        let headers = [("authorization", value.as_str())];
        let answer = crate::client::request(world.addr, "GET", "/api/me", &headers, b"").await;
        answers.push(answer.status);
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
    }
    assert_eq!((answers[0], answers[11]), (401, 429), "{answers:?}");
    assert_eq!(by(&world, "viewer", "GET", "/api/me", "").await.status, 200);
}

#[tokio::test]
async fn requests_of_one_principal_are_limited_and_ingest_is_not() {
    let mut setup = super::guarded();
    let few = std::num::NonZeroU32::new(3).unwrap();
    setup.security.limits.per_principal = few;
    setup.security.limits.per_address = std::num::NonZeroU32::new(25).unwrap();
    let world = World::start(setup).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(by(&world, "viewer", "GET", "/api/me", "").await.status);
    }
    assert!(statuses.starts_with(&[200, 200, 200]) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(by(&world, "analyst", "GET", "/api/me", "").await.status, 200);
    for _ in 0..40 {
        let answer = by(&world, "ingest", "POST", "/ingest/falco", r#"{"rule":"x"}"#).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}
