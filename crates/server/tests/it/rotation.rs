//! A followed file is rotated and cut under the running service.

use crate::service::{Service, append, lines};

#[test]
fn every_line_is_read_once_through_renames_and_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("falco.jsonl");
    let text = lines("shop-rules.jsonl.zst");
    let all: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let quarter = all.len() / 4;
    let source = format!("file:{}", file.display());
    let data = dir.path().join("data");
    let arguments = ["--source", source.as_str(), "--set", "ingest.silence_after=1s"];
    let mut service = Service::start(&data, &arguments);

    // The file comes into being, grows, is renamed, and the writer goes on in the old one.
    append(&file, &all[..quarter].concat());
    service.wait_received(quarter as u64);
    let rotated = dir.path().join("falco.jsonl.1");
    std::fs::rename(&file, &rotated).unwrap();
    append(&rotated, &all[quarter..quarter + 10].concat());
    append(&file, &all[quarter + 10..2 * quarter].concat());
    service.wait_received(2 * quarter as u64);

    // It is rotated while the service is down.
    service.kill();
    std::fs::rename(&file, dir.path().join("falco.jsonl.2")).unwrap();
    append(&dir.path().join("falco.jsonl.2"), &all[2 * quarter..2 * quarter + 10].concat());
    append(&file, &all[2 * quarter + 10..3 * quarter].concat());
    let mut service = Service::start(&data, &arguments);
    service.wait_received(3 * quarter as u64);

    // It is cut to nothing, as logrotate's copytruncate does.
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
    service.wait("the cut", |service| {
        service
            .text("/metrics")
            .contains("\nhanabi_ingest_file_truncations_total 1\n")
            .then_some(())
    });
    append(&file, &all[3 * quarter..].concat());
    let totals = service.wait_received(all.len() as u64);
    assert_eq!(totals.rejected, serde_json::json!({}));
    let sources = service.get("/api/sources");
    let sources = sources["sources"].as_array().unwrap();
    let followed = sources.iter().find(|s| s["id"] == source.as_str()).unwrap();
    assert_eq!((&followed["state"], &followed["kind"]), (&"running".into(), &"file".into()));
    let (status, talk) = service.stop();
    assert!(status.success(), "{talk}");
}
