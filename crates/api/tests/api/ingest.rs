//! `POST /ingest/falco`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hanabi_api::ApiLimits;
use hanabi_ingest::IntakeOptions;
use serde_json::json;

use crate::client::{Answer, request};
use crate::world::{Setup, World};

const ONE: &str =
    r#"{"rule":"r","time":"2026-01-01T00:00:00Z","output_fields":{"evt.type":"openat"}}"#;

async fn post(world: &World, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    request(world.addr, "POST", "/ingest/falco", headers, body).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_shape_is_taken() {
    let world = World::start(Setup::default()).await;
    let lines = format!("{ONE}\n{ONE}\n{ONE}\n");
    let array = format!("[{ONE},{ONE}]");
    let packed = gzip(lines.as_bytes());
    let json_type = ("content-type", "application/json");
    for (headers, body, accepted) in [
        (&[json_type][..], ONE.as_bytes(), 1),
        (&[json_type][..], array.as_bytes(), 2),
        (&[("content-type", "application/x-ndjson")][..], lines.as_bytes(), 3),
        (&[json_type, ("content-encoding", "gzip")][..], &packed, 3),
        (&[][..], ONE.as_bytes(), 1),
    ] {
        let answer = post(&world, headers, body).await;
        assert_eq!(answer.status, 202, "{headers:?}: {}", answer.text());
        assert_eq!(answer.json(), json!({ "accepted": accepted }));
        let batch = world.queue.try_recv().unwrap();
        assert_eq!((batch.lines, batch.source.to_string().as_str()), (accepted, "http"));
    }
}

#[tokio::test]
async fn what_is_not_taken_says_why() {
    let limits = ApiLimits { body_bytes: 1 << 20, ..ApiLimits::default() };
    let world = World::start(Setup { limits, ..Setup::default() }).await;
    let large = vec![b' '; (1 << 20) + 1];
    let bomb = gzip(&vec![b'a'; 100 << 20]);
    assert!(bomb.len() < 1 << 20);
    let json_type = ("content-type", "application/json");
    for (name, headers, body, status, kind) in [
        ("empty", &[json_type][..], &b""[..], 400, "bad_body"),
        ("broken array", &[json_type][..], &b"[{},"[..], 400, "bad_body"),
        ("no gzip", &[json_type, ("content-encoding", "gzip")][..], b"plain", 400, "bad_body"),
        ("large", &[json_type][..], &large, 413, "body_too_large"),
        ("bomb", &[json_type, ("content-encoding", "gzip")][..], &bomb, 413, "body_too_large"),
        ("encoding", &[json_type, ("content-encoding", "br")][..], b"x", 415, "unsupported_media"),
        ("type", &[("content-type", "image/png")][..], b"x", 415, "unsupported_media"),
        (
            "form",
            &[("content-type", "application/x-www-form-urlencoded")][..],
            b"x",
            415,
            "unsupported_media",
        ),
        ("page", &[json_type, ("origin", "http://evil.example")][..], b"{}", 403, "cross_origin"),
        ("site", &[json_type, ("sec-fetch-site", "cross-site")][..], b"{}", 403, "cross_origin"),
        ("null", &[json_type, ("origin", "null")][..], b"{}", 403, "cross_origin"),
    ] {
        let answer = post(&world, headers, body).await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.json()["type"], format!("urn:hanabi:problem:{kind}"), "{name}");
    }
    assert!(world.queue.is_empty());
    let own = format!("http://{}", world.addr);
    let answer = post(&world, &[json_type, ("origin", &own)], ONE.as_bytes()).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let intake = IntakeOptions { max_batches: 1, ..IntakeOptions::default() };
    let world = World::start(Setup { intake, ..Setup::default() }).await;
    let json_type = [("content-type", "application/json")];
    assert_eq!(post(&world, &json_type, ONE.as_bytes()).await.status, 202);
    let refused = post(&world, &json_type, ONE.as_bytes()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.json()["type"], "urn:hanabi:problem:queue_full");
    drop(world.queue.try_recv().unwrap());
    assert_eq!(post(&world, &json_type, ONE.as_bytes()).await.status, 202);
}
