//! The log of a Kubernetes pod: every line once through kills and the kubelet's rotation.

use std::path::Path;

use crate::{
    restart::{compare, count, parts},
    service::{Service, append, lines},
};

/// What a runtime writes of a container's output: entries of 16 KiB at most.
fn entries(text: &[u8]) -> Vec<u8> {
    const PART: usize = 16 << 10;
    let mut log = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // Smaller parts here and there, so that many lines have some.
        let size = if line.len() % 5 == 0 { 700 } else { PART };
        let last = line.len().div_ceil(size) - 1;
        for (number, part) in line.chunks(size).enumerate() {
            let tag = if number == last { "F" } else { "P" };
            log.extend_from_slice(
                format!("2026-11-22T08:55:32.237776419Z stdout {tag} ").as_bytes(),
            );
            log.extend_from_slice(part);
            log.push(b'\n');
        }
        if line.len() % 97 == 0 {
            log.extend_from_slice(
                b"2026-11-22T08:55:32.237776419Z stderr F a message of its own\n",
            );
        }
    }
    log
}

fn start(data: &Path, pods: &Path) -> Service {
    let source = format!("kubernetes:{}/falco_*", pods.display());
    let set = ["--set", "store.checkpoint_every=100ms"];
    Service::start(data, &[&["--source", source.as_str()][..], &set].concat())
}

#[test]
fn killed_while_it_reads_the_log_of_a_pod() {
    let dir = tempfile::tempdir().unwrap();
    let (data, pods) = (dir.path().join("data"), dir.path().join("pods"));
    let folder = pods.join("falco_falco-x7k2p_0b9c/falco");
    std::fs::create_dir_all(&folder).unwrap();
    let log = folder.join("0.log");
    let text = lines("shop-small.jsonl.zst");
    let mut written = 0;
    for (round, part) in parts(&text, 6).into_iter().enumerate() {
        let mut service = start(&data, &pods);
        append(&log, &entries(part));
        let before = written;
        written += count(part);
        let moment = before + (written - before) * (round as u64 % 4) / 4;
        service.wait("progress", |service| {
            let totals = service.totals();
            totals.check();
            (totals.received > moment).then_some(())
        });
        if round % 2 == 1 {
            let rotated = folder.join(format!("0.log.20261122-08553{round}"));
            std::fs::rename(&log, rotated).unwrap();
        }
        service.kill();
    }
    let mut service = start(&data, &pods);
    let totals = service.wait_received(written);
    assert_eq!(totals.rejected, serde_json::json!({}), "{totals:?}");
    compare(&mut service, &totals);
    assert!(service.metric("hanabi_ingest_file_positions_lost_total") < 1.0);
    let sources = service.get("/api/sources");
    let kinds: Vec<_> = sources["sources"].as_array().unwrap().iter().map(|s| &s["kind"]).collect();
    assert_eq!(kinds, ["http", "kubernetes"]);
}
