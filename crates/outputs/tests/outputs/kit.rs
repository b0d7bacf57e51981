//! What the tests are made of: alerts, outputs, waiting.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hanabi_detect::{Alert, stable_id};
use hanabi_event::Priority;
use hanabi_outputs::{Format, OutputSettings, OutputStatus, Outputs, Retry, Route, Target};
use serde_json::json;

/// The open alert of a number, which has asked for attention once.
pub(crate) fn alert(number: usize) -> Alert {
    let time = hanabi_event::time::format_time(1_795_337_732_000_000_000 + number as u64);
    let id = stable_id(&["alert", &number.to_string()]);
    let container = json!({
        "id": "3f2a9c1b7d6e", "name": "web", "host": "node-1", "pod": "", "image": "shop/web:1",
        "count": 1, "last_seen": time,
    });
    let alert = json!({
        "id": id, "fingerprint": stable_id(&[&id]), "state": "open", "source": "hanabi",
        "rule": "hbt.new_process", "priority": "Warning", "score": 0.71, "score_parts": [],
        "host": "node-1", "identity": "shop:web:web", "container": container,
        "containers": [container], "containers_total": 1,
        "k8s": { "namespace": "shop", "pod": "" }, "kind": "new_process",
        "path": { "learned": [], "token": "sh", "raw": "/bin/sh" }, "expected": [],
        "nearest": null, "evidence": [], "mitre": ["T1059"], "count": 1,
        "lineage": [{ "name": "sh", "executable": "/bin/sh", "command_line": format!("sh {number}"),
            "pid": 1 }],
        "first_seen": time, "last_seen": time, "activity": [], "phase": "detecting",
        "incident": "", "samples": [], "assignee": "", "history": [], "notifications": 1,
        "summary": { "en": format!("alert {number}"), "zh": "" },
    });
    serde_json::from_value(alert).unwrap()
}

/// An output of all alerts that tries again at once.
pub(crate) fn settings(target: Target, format: Format) -> OutputSettings {
    OutputSettings {
        name: "siem".into(),
        target,
        format,
        route: Route { min_priority: Priority::Debug, containers: Vec::new(), rules: Vec::new() },
        text: "{summary}".parse().unwrap(),
        link: String::new(),
        spool_bytes: 8 << 20,
        retry: Retry { min: Duration::from_millis(10), max: Duration::from_millis(50) },
    }
}

pub(crate) fn start(dir: &Path, settings: OutputSettings) -> Outputs {
    Outputs::start(dir, vec![settings], &[]).unwrap()
}

pub(crate) fn offer(outputs: &Outputs, numbers: impl Iterator<Item = usize>) {
    for number in numbers {
        outputs.offer(&Arc::new(alert(number)));
    }
    assert!(outputs.settle(Duration::from_mins(1)));
}

pub(crate) fn status(outputs: &Outputs) -> OutputStatus {
    outputs.status().remove(0)
}

/// Looks again and again until there is an answer.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "no {what} within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a program is, if it is installed: tests against it say so and end where it is not.
pub(crate) fn installed(program: &str) -> Option<String> {
    let places = ["/usr/bin/", "/usr/sbin/"].map(|dir| format!("{dir}{program}"));
    let found = places.into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        eprintln!("{program} is not installed: this test is left out; see scripts/need.sh");
    }
    found
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A daemon, killed when it is dropped.
pub(crate) struct Daemon(pub(crate) std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop((self.0.kill(), self.0.wait()));
    }
}
