//! Values for tests.

use hanabi_detect::Alert;
use serde_json::json;

/// An open alert that has asked for attention once, made from JSON, so that a new field of the
/// format is a new field here only.
pub(crate) fn alert(id: &str) -> Alert {
    let time = "2026-11-22T08:55:32.237776419Z";
    let digits = hanabi_detect::stable_id(&[id]);
    let container = json!({
        "id": "3f2a9c1b7d6e", "name": "web", "host": "node-1", "pod": "web-7c9", "count": 1,
        "image": "shop/web:1.23", "last_seen": time,
    });
    let process = |name: &str| {
        json!({
            "name": name, "executable": format!("/usr/bin/{name}"),
            "command_line": format!("{name} -c 'id'"), "pid": 4711,
        })
    };
    let alert = json!({
        "id": digits, "fingerprint": format!("f{}", &digits[1..]), "state": "open",
        "source": "hanabi", "rule": "hbt.new_process", "priority": "Warning", "score": 0.71,
        "score_parts": [], "host": "node-1", "identity": "shop:web:web", "container": container,
        "containers": [container], "containers_total": 1,
        "k8s": { "namespace": "shop", "pod": "web-7c9" }, "kind": "new_process",
        "path": { "learned": ["root"], "token": "sh", "raw": "/bin/sh" },
        "expected": [{ "token": "nginx", "count": 12 }], "nearest": null, "evidence": [],
        "lineage": [process("nginx"), process("sh")], "mitre": ["T1059"], "count": 1,
        "first_seen": time, "last_seen": time, "activity": [], "phase": "detecting",
        "incident": "", "samples": [], "assignee": "", "history": [], "notifications": 1,
        "summary": { "en": "sh was started in web", "zh": "web 中启动了 sh" },
    });
    serde_json::from_value(alert).unwrap()
}

/// An output that writes Falco's JSON to standard output; tests set what they are about.
pub(crate) fn settings() -> crate::OutputSettings {
    crate::OutputSettings {
        name: "siem".into(),
        target: crate::Target::Stdout,
        format: crate::Format::Falco,
        route: crate::Route {
            min_priority: hanabi_event::Priority::Debug,
            containers: Vec::new(),
            rules: Vec::new(),
        },
        text: "{priority} {summary}".parse().unwrap(),
        link: String::new(),
        spool_bytes: 1 << 20,
        retry: crate::Retry::default(),
    }
}
