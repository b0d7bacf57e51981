//! Tokens and sessions from their beginning to their end.

use std::sync::Arc;

use hanabi_api::{Jwt, JwtAlgorithm, JwtOptions};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{by, guarded, world};
use crate::client::{Answer, Events, request};
use crate::world::World;

async fn with(world: &World, header: (&str, &str), method: &str, path: &str) -> u16 {
    let headers = [header, ("content-type", "application/json")];
    request(world.addr, method, path, &headers, b"{}").await.status
}

#[tokio::test]
async fn a_token_is_shown_once_used_and_revoked() {
    let world = world().await;
    let given = json!({ "name": "ci", "role": "ingest", "expires_in": 3600 }).to_string();
    let made = by(&world, "admin", "POST", "/api/tokens", &given).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = by(&world, "admin", "GET", "/api/tokens", "").await;
    assert!(!listed.text().contains(token) && !listed.text().contains("hash"));
    let row = &listed.json()["tokens"][0];
    assert_eq!((row["id"].as_str(), row["created_by"].as_str()), (Some(id), Some("admin")));
    assert_eq!(row["active"], true);

    let bearer = format!("Bearer {token}");
    assert_eq!(with(&world, ("authorization", &bearer), "POST", "/ingest/falco").await, 202);
    let path = format!("/api/tokens/{id}");
    assert_eq!(by(&world, "admin", "DELETE", &path, "{}").await.status, 200);
    assert_eq!(by(&world, "admin", "DELETE", &path, "{}").await.status, 404);
    assert_eq!(with(&world, ("authorization", &bearer), "POST", "/ingest/falco").await, 401);
    let audit = super::json(&world, "admin", "/api/audit").await;
    let audit = audit["audit"].as_array().unwrap();
    let mut actions = audit.iter().map(|entry| entry["action"].as_str().unwrap());
    assert!(actions.any(|action| action == "token.revoke"), "{audit:?}");
    let created = audit.iter().find(|entry| entry["action"] == "token.create").unwrap();
    assert_eq!((&created["object"], &created["by"]), (&json!(id), &json!("admin")));
    assert!(!created.to_string().contains(token));
}

#[tokio::test]
async fn falcos_password_in_the_url_is_a_token() {
    use base64::Engine as _;
    let world = world().await;
    let basic = |password: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("falco:{password}"));
        format!("Basic {text}")
    };
    let right = basic(&world.tokens["ingest"]);
    assert_eq!(with(&world, ("authorization", &right), "POST", "/ingest/falco").await, 202);
    let wrong = basic("hnb_wrong");
    assert_eq!(with(&world, ("authorization", &wrong), "POST", "/ingest/falco").await, 401);
}

#[tokio::test]
async fn what_cannot_be_a_token_is_told() {
    let world = world().await;
    for (given, status) in [
        (json!({ "name": "a b", "role": "viewer" }), 400),
        (json!({ "name": "a", "role": "root" }), 400),
        (json!({ "name": "a", "role": "ingest", "scope": { "containers": ["x"] } }), 400),
        (json!({ "name": "a", "role": "viewer", "scope": { "pods": ["x"] } }), 400),
        (json!({ "name": "a", "role": "viewer", "expires": "2001-01-01T00:00:00Z" }), 400),
        (json!({ "role": "viewer" }), 400),
    ] {
        let answer = by(&world, "admin", "POST", "/api/tokens", &given.to_string()).await;
        assert_eq!(answer.status, status, "{given}: {}", answer.text());
    }
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

async fn log_in(world: &World, who: &str) -> Answer {
    let given = json!({ "token": world.tokens[who] }).to_string();
    let answer = by(world, "nobody", "POST", "/api/login", &given).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test]
async fn a_session_reads_by_its_cookie_and_changes_with_its_word() {
    let world = world().await;
    let begun = log_in(&world, "analyst").await;
    let (cookie, me) = (cookie(&begun), begun.json());
    assert_eq!((&me["name"], &me["role"]), (&json!("analyst"), &json!("analyst")));
    let csrf = me["csrf"].as_str().unwrap();
    let ask = async |method: &str, path: &str, more: &[(&str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str()), ("content-type", "application/json")];
        headers.extend_from_slice(more);
        request(world.addr, method, path, &headers, b"{}").await
    };
    let again = ask("GET", "/api/me", &[]).await.json();
    assert_eq!(again["csrf"], me["csrf"]);
    let ack = "/api/alerts/00000000000000a1/ack";
    for (more, status) in [
        (vec![], 403),
        (vec![("x-csrf-token", "wrong")], 403),
        (vec![("x-csrf-token", csrf), ("sec-fetch-site", "cross-site")], 403),
        (vec![("x-csrf-token", csrf)], 200),
    ] {
        assert_eq!(ask("POST", ack, &more).await.status, status, "{more:?}");
    }
    assert_eq!(world.orders.lock().unwrap()[0].by, "analyst");
    assert_eq!(ask("POST", "/api/logout", &[]).await.status, 403);
    let ended = ask("POST", "/api/logout", &[("x-csrf-token", csrf)]).await;
    assert_eq!((ended.status, ended.json()), (200, json!({ "ended": true })));
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(ask("GET", "/api/me", &[]).await.status, 401);
    // With an old cookie one still comes to where one logs in.
    assert_eq!(ask("GET", "/", &[]).await.status, 200);
}

#[tokio::test]
async fn a_session_and_a_stream_end_with_their_token() {
    let world = world().await;
    let cookie = cookie(&log_in(&world, "viewer").await);
    let bearer = format!("Bearer {}", world.tokens["viewer"]);
    let mut stream = Events::open(world.addr, "/api/stream", &[("authorization", &bearer)]).await;
    let list = super::json(&world, "admin", "/api/tokens").await;
    let rows = list["tokens"].as_array().unwrap();
    let id = rows.iter().find(|row| row["name"] == "viewer").unwrap()["id"].as_str().unwrap();
    let revoked = by(&world, "admin", "DELETE", &format!("/api/tokens/{id}"), "{}").await;
    assert_eq!(revoked.status, 200);
    assert_eq!(with(&world, ("cookie", &cookie), "GET", "/api/me").await, 401);
    stream.ends().await;
}

#[tokio::test]
async fn a_wrong_token_begins_no_session() {
    let world = world().await;
    for token in ["", "hnb_1", "x"] {
        let given = json!({ "token": token }).to_string();
        let answer = by(&world, "nobody", "POST", "/api/login", &given).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""), "{token}");
        assert_eq!(answer.json()["type"], Value::from("urn:hanabi:problem:unauthenticated"));
    }
}

/// A token that somebody else has signed, valid for ten minutes.
fn signed(changes: &Value) -> String {
    let now = jsonwebtoken::get_current_timestamp();
    let mut claims = json!({ "sub": "ann@example.org", "role": "analyst", "iss": "idp",
        "aud": "hanabi", "exp": now + 600 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let key = EncodingKey::from_ec_pem(include_bytes!("../../keys/ec.pem")).unwrap();
    encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
}

#[tokio::test]
async fn a_signed_token_tells_name_role_and_scope() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ec.pub.pem");
    let options = JwtOptions {
        keys: vec![(JwtAlgorithm::Es256, file.into())],
        issuer: "idp".into(),
        audience: "hanabi".into(),
        name_claim: "sub".into(),
        role_claim: "role".into(),
        namespaces_claim: "namespaces".into(),
        containers_claim: "containers".into(),
        ..JwtOptions::default()
    };
    let mut setup = guarded();
    setup.security.jwt = Some(Arc::new(Jwt::load(options).unwrap()));
    let world = World::start(setup).await;
    world.fill();
    let ask = async |token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        request(world.addr, "GET", path, &[("authorization", &bearer)], b"").await
    };
    let me = ask(&signed(&json!({})), "/api/me").await.json();
    assert_eq!((&me["name"], &me["kind"]), (&json!("ann@example.org"), &json!("jwt")));
    let scoped = signed(&json!({ "containers": ["web"] }));
    assert_eq!(ask(&scoped, "/api/containers").await.json()["total"], 2);
    assert_eq!(ask(&scoped, "/api/alerts/00000000000000a3").await.status, 404);
    assert_eq!(ask(&scoped, "/api/audit").await.status, 403);
    for changes in [json!({ "exp": 1 }), json!({ "aud": "x" }), json!({ "role": "root" })] {
        let refused = ask(&signed(&changes), "/api/me").await;
        assert_eq!(refused.status, 401, "{changes}");
        assert!(refused.text().contains("the signed token"), "{}", refused.text());
    }
    // The service's own tokens are known beside it, and a session can come from either.
    assert_eq!(ask(&world.tokens["viewer"], "/api/me").await.status, 200);
    let given = json!({ "token": scoped }).to_string();
    let begun = by(&world, "nobody", "POST", "/api/login", &given).await;
    assert_eq!((begun.status, &begun.json()["scope"]["containers"]), (200, &json!(["web"])));
}
