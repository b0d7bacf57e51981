//! Things to store.

use hanabi_detect::{Alert, Incident};
use hanabi_event::time::format_time;
use hanabi_event::{Category, EventTime, Priority};
use hanabi_profile::TreeNode;
use hanabi_store::LogRow;
use serde_json::json;

pub(crate) fn alert(number: u64, last_seen: EventTime) -> Alert {
    let container = json!({
        "id": format!("{:012x}", number % 7),
        "name": format!("web-{}", number % 7),
        "host": "node",
        "pod": "",
        "image": "shop/web:1",
        "count": 1,
        "last_seen": format_time(last_seen),
    });
    let falco = number.is_multiple_of(5);
    // From JSON, as stored alerts come, so that a new field of the alert changes one line here.
    let alert = json!({
        "id": format!("{number:016x}"),
        "fingerprint": format!("{:016x}", number / 2),
        "state": "open",
        "source": if falco { "falco" } else { "hanabi" },
        "rule": if falco { "Read sensitive file" } else { "hbt.new_process" },
        "priority": Priority::ALL[(number % 8) as usize],
        "score": 0.5,
        "score_parts": [],
        "host": "node",
        "identity": format!("shop:web-{}", number % 7),
        "container": container,
        "containers": [container],
        "containers_total": 1,
        "k8s": {"namespace": "", "pod": ""},
        "kind": if falco { "rule" } else { "new_process" },
        "path": {"learned": [], "token": format!("/bin/tool-{number}"), "raw": ""},
        "expected": [],
        "nearest": null,
        "evidence": [],
        "lineage": [],
        "mitre": [],
        "count": number + 1,
        "first_seen": format_time(last_seen.saturating_sub(number % 50)),
        "last_seen": format_time(last_seen),
        "activity": [],
        "phase": "detecting",
        "incident": "",
        "samples": [{"evt.type": "execve", "proc.name": "tool"}],
        "summary": {"en": format!("Tool {number} ran"), "zh": format!("运行了工具 {number}")},
        "assignee": "",
        "history": [],
    });
    serde_json::from_value(alert).unwrap()
}

pub(crate) fn incident(number: u64, last_seen: EventTime) -> Incident {
    let alert = alert(number, last_seen);
    let incident = json!({
        "id": format!("{:016x}", number + 0x1000),
        "identity": alert.identity,
        "container": alert.container,
        "priority": alert.priority,
        "alerts": [alert.id],
        "alerts_total": 1,
        "count": 1,
        "first_seen": format_time(alert.first_seen),
        "last_seen": format_time(last_seen),
        "summary": {"en": "", "zh": ""},
    });
    serde_json::from_value(incident).unwrap()
}

pub(crate) fn row(number: u64, time: EventTime) -> LogRow {
    let container = number % 5;
    LogRow {
        time,
        container_id: format!("{container:012x}"),
        container_name: format!("web-{container}"),
        identity: format!("shop:web-{container}"),
        host: "node".into(),
        category: Category::ALL[(number % 3) as usize],
        priority: if number.is_multiple_of(11) { Priority::Warning } else { Priority::Debug },
        rule: "all".into(),
        call: "openat".into(),
        process: "nginx".into(),
        command_line: "nginx -g daemon off".into(),
        object: format!("/var/lib/file-{number}"),
        outcome: "ok".into(),
        count: 1,
        deviation: None,
        raw: Some(json!({"evt.num": number})),
    }
}

pub(crate) fn tree(levels: usize, events: u64) -> TreeNode {
    let mut node = TreeNode {
        name: "leaf".into(),
        kind: "file_name".into(),
        events_count: events,
        ..TreeNode::default()
    };
    for level in 1..levels {
        let children = [(format!("directory_path:{level}"), node)].into();
        let (name, kind) = (format!("{level}"), "directory_path".into());
        node = TreeNode { name, kind, events_count: events, children, ..TreeNode::default() };
    }
    node
}
