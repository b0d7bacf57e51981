//! Common Event Format 0, as in `ArcSight`'s "Implementing `ArcSight` Common Event Format", version 25.

use std::fmt::Write as _;

use hanabi_event::Priority;

use crate::notice::Notice;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn cef(notice: &Notice, text: &str, link: &str) -> String {
    let mut out = format!(
        "CEF:0|Hanabi|Hanabi|{VERSION}|{}|{}|{}|",
        header(&notice.rule),
        header(&notice.summary),
        severity(notice.priority)
    );
    let times = [notice.last_seen, notice.first_seen].map(|t| (t / 1_000_000).to_string());
    let score = format!("{:.2}", notice.score);
    let count = notice.count.to_string();
    let uuid = notice.uuid();
    let mut separator = "";
    for (key, value) in [
        ("rt", times[0].as_str()),
        ("start", &times[1]),
        ("externalId", &uuid),
        ("cnt", &count),
        ("dhost", &notice.host),
        ("dproc", &notice.process),
        ("filePath", &notice.executable),
        ("msg", text),
        ("request", link),
        ("cs1Label", "container"),
        ("cs1", &notice.container_name),
        ("cs2Label", "image"),
        ("cs2", &notice.image),
        ("cs3Label", "namespace"),
        ("cs3", &notice.namespace),
        ("cs4Label", "commandLine"),
        ("cs4", &notice.command_line),
        ("cs5Label", "fingerprint"),
        ("cs5", &notice.fingerprint),
        ("cs6Label", "value"),
        ("cs6", &notice.value),
        ("cfp1Label", "score"),
        ("cfp1", &score),
    ] {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            _ = write!(out, "{separator}{key}={}", extension(value));
            separator = " ";
        }
    }
    out
}

/// Bars and backslashes are escaped in the head, equal signs and backslashes behind it; texts have
/// no newlines.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=")
}

fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Debug => 0,
        Priority::Informational => 2,
        Priority::Notice => 4,
        Priority::Warning => 6,
        Priority::Error => 7,
        Priority::Critical => 8,
        Priority::Alert => 9,
        Priority::Emergency => 10,
    }
}
