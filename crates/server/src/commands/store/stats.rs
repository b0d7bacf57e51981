//! `hanabi store stats`: what is in a data directory, since when, and how much room it takes.

use std::fmt::Write as _;

use anyhow::Result;
use hanabi_event::time::format_time;
use hanabi_store::DataDirectory;
use serde_json::{Value, json};

use super::{
    check::look_at_series,
    sizes::{Sizes, human},
};

pub(super) fn stats(dir: &DataDirectory) -> Result<Value> {
    let store = dir.look_at_store()?;
    let mut kinds: Vec<Value> = Vec::new();
    for kind in store.kinds()? {
        kinds.push(row(kind.kind, kind.rows, kind.bytes, kind.oldest, kind.newest));
    }
    let log = dir.look_at_log(false)?;
    kinds.push(row("log rows", log.rows, log.bytes, log.oldest, log.newest));
    let series = look_at_series(dir.path())?;
    let time = |ms: Option<i64>| ms.and_then(|ms| u64::try_from(ms).ok()).map(|ms| ms * 1_000_000);
    let (oldest, newest) = (time(series.oldest), time(series.newest));
    kinds.push(row("samples", series.samples, series.bytes, oldest, newest));
    let journal = hanabi_ingest::check_journal(&dir.path().join("journal"))?;
    kinds.push(row("journal", journal.batches, journal.bytes, None, None));
    Ok(json!({
        "data_dir": dir.path().display().to_string(),
        "format": dir.format()?,
        "checkpoint": store.sequence()?,
        "kinds": kinds,
        "events": log.events,
        "segments": log.segments,
        "series": series.series,
        "on_disk": Sizes::of(dir.path())?.json(),
    }))
}

fn row(kind: &str, rows: u64, bytes: u64, oldest: Option<u64>, newest: Option<u64>) -> Value {
    json!({
        "kind": kind,
        "rows": rows,
        "bytes": bytes,
        "oldest": oldest.map(format_time),
        "newest": newest.map(format_time),
    })
}

pub(super) fn text(stats: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let size = |value: &Value| human(value.as_u64().unwrap_or(0));
    let (dir, format) = (word(&stats["data_dir"]), &stats["format"]);
    let checkpoint = stats["checkpoint"].as_u64().map_or("none".into(), |at| at.to_string());
    let mut text = format!("data directory {dir} (format {format}), checkpoint {checkpoint}\n\n");
    _ = writeln!(text, "{:<13} {:>10} {:>11}  {:<31} newest", "kind", "rows", "bytes", "oldest");
    for kind in stats["kinds"].as_array().into_iter().flatten() {
        _ = writeln!(
            text,
            "{:<13} {:>10} {:>11}  {:<31} {}",
            word(&kind["kind"]),
            kind["rows"].as_u64().unwrap_or(0),
            size(&kind["bytes"]),
            word(&kind["oldest"]),
            word(&kind["newest"]),
        );
    }
    text.push_str("\non disk\n");
    for part in ["store", "event_log", "series", "journal", "other", "all"] {
        _ = writeln!(text, "{:<13} {:>22}", part.replace('_', " "), size(&stats["on_disk"][part]));
    }
    text
}
