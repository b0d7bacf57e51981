//! Values for unit tests.

use hanabi_detect::Alert;
use hanabi_event::EventTime;
use serde_json::json;

/// A plain alert, made from JSON, so that a new field of the format is a new field here only.
pub(crate) fn alert(id: &str, container: &str, time: EventTime) -> Alert {
    let time = crate::times::text(time);
    let container_json = json!({
        "id": "", "name": container, "host": "h", "pod": "", "image": "", "count": 1,
        "last_seen": time,
    });
    let alert = json!({
        "id": id, "fingerprint": format!("f-{id}"), "state": "open", "source": "hanabi",
        "rule": "hbt.new_process", "priority": "Warning", "score": 0.7, "score_parts": [],
        "host": "h", "identity": format!("h:{container}"), "container": container_json,
        "containers": [], "containers_total": 1, "k8s": { "namespace": "", "pod": "" },
        "kind": "new_process", "path": { "learned": [], "token": "", "raw": "" }, "expected": [],
        "nearest": null, "evidence": [], "lineage": [], "mitre": [], "count": 1,
        "first_seen": time, "last_seen": time, "activity": [], "phase": "detecting",
        "incident": "", "samples": [], "summary": { "en": "", "zh": "" }, "assignee": "",
        "history": [],
    });
    serde_json::from_value(alert).expect("the format is the alert's")
}
