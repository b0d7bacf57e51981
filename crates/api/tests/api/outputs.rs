//! Where alerts go, and whether they would arrive.

use hanabi_event::Priority;
use hanabi_outputs::{Format, OutputSettings, Outputs, Retry, Rotation, Route, Target};
use serde_json::json;

use crate::client::{get, request};
use crate::openapi::required_fields;
use crate::world::{Setup, World};

#[tokio::test]
async fn outputs_are_listed_and_tried() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("later/alerts.jsonl");
    let output = OutputSettings {
        name: "lines".into(),
        target: Target::File(file.clone(), Rotation { bytes: 1 << 20, keep: 1 }),
        format: Format::Json,
        route: Route { min_priority: Priority::Warning, containers: Vec::new(), rules: Vec::new() },
        text: "{summary}".parse().unwrap(),
        link: String::new(),
        spool_bytes: 1 << 20,
        retry: Retry::default(),
    };
    let outputs = Outputs::start(&dir.path().join("spools"), vec![output], &[]).unwrap();
    let world = World::start(Setup { outputs, ..Setup::default() }).await;
    let listed = get(world.addr, "/api/outputs").await.json();
    let document = get(world.addr, "/api/openapi.json").await.json();
    required_fields(&document, &document["paths"]["/api/outputs"]["get"], &listed, "outputs");
    assert_eq!(listed["outputs"][0]["name"], "lines");
    assert_eq!(listed["outputs"][0]["last_delivery"], json!(null));

    let json = ("content-type", "application/json");
    let path = "/api/outputs/lines/test";
    let failed = request(world.addr, "POST", path, &[json], b"{}").await.json();
    let operation = &document["paths"]["/api/outputs/{name}/test"]["post"];
    required_fields(&document, operation, &failed, "test");
    assert_eq!(failed["delivered"], false, "{failed}");
    assert!(failed["detail"].as_str().unwrap().contains("later/alerts.jsonl"), "{failed}");
    std::fs::create_dir(dir.path().join("later")).unwrap();
    let taken = request(world.addr, "POST", path, &[json], b"{}").await.json();
    assert_eq!(taken, json!({ "name": "lines", "delivered": true, "detail": "" }));
    let line = std::fs::read_to_string(&file).unwrap();
    assert!(line.contains("\"event\":\"test\""), "{line}");

    let unknown = request(world.addr, "POST", "/api/outputs/x/test", &[json], b"{}").await;
    assert_eq!(unknown.status, 404);
    let audit = world.store.audit(10, None).unwrap();
    let outcomes: Vec<_> = audit.items.iter().map(|one| (&*one.action, &*one.outcome)).collect();
    assert_eq!(outcomes, [("output.test", "ok"), ("output.test", "failed")]);
}
