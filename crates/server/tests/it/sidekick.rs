//! Falcosidekick's webhook as a source.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::service::{Service, lines};

/// `types.FalcoPayload` of Falcosidekick 2.28 to 2.31, in the order of its fields: what it has
/// decoded from Falco and encodes for a webhook. Its numbers are kept as they were written.
#[derive(Deserialize, Serialize)]
struct Payload {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uuid: String,
    output: String,
    priority: String,
    rule: String,
    time: String,
    #[serde(default)]
    output_fields: Map<String, Value>,
    #[serde(default)]
    source: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    hostname: String,
}

#[test]
fn what_falcosidekick_sends_is_what_falco_sent() {
    let dir = tempfile::tempdir().unwrap();
    let text = lines("shop-rules.jsonl.zst");
    let some: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').take(1_500).collect();
    let mut plain = Service::start(&dir.path().join("plain"), &[]);
    let mut through = Service::start(&dir.path().join("through"), &[]);
    let (status, answer) = plain.post("application/x-ndjson", None, &some.concat());
    assert_eq!(status, 202, "{answer}");
    for line in &some {
        let mut payload: Payload = serde_json::from_slice(line).unwrap();
        payload.uuid = "9c4f3a52-6f0e-4f9e-8f1d-0c7e6f1f2a3b".into();
        // Its `customfields` are added to the fields of events.
        payload.output_fields.insert("environment".into(), "production".into());
        let body = serde_json::to_vec(&payload).unwrap();
        let (status, answer) = through.post("application/json; charset=utf-8", None, &body);
        assert_eq!(status, 202, "{answer}");
    }
    let wait = |service: &mut Service| {
        service.wait("all lines", |service| {
            let totals = service.totals();
            totals.check();
            (totals.received == some.len() as u64).then_some(totals)
        })
    };
    let (plain_totals, totals) = (wait(&mut plain), wait(&mut through));
    assert_eq!(totals, plain_totals);
    assert_eq!(totals.rejected, serde_json::json!({}));
    assert!(totals.modelled > 100, "{totals:?}");
    assert_eq!(through.trees(), plain.trees());
}
