//! Values of other crates as they go over the wire: times as RFC 3339.

use hanabi_event::EventTime;
use hanabi_profile::{Addition, Learning, Phase, ProfileSummary, RevisionDiff};
use hanabi_store::{AlertBucket, AlertStats, LogRow, PointInfo, PointReason, SnapshotInfo};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::live::ContainerRow;

/// A row of the event log, as the log route and the stream both show it: publish rows as this.
#[derive(Clone, Copy, Debug)]
pub struct LogView<'a>(pub &'a LogRow);

impl Serialize for LogView<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let row = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("time", &Time(row.time))?;
        map.serialize_entry("container_id", &row.container_id)?;
        map.serialize_entry("container_name", &row.container_name)?;
        map.serialize_entry("identity", &row.identity)?;
        map.serialize_entry("host", &row.host)?;
        map.serialize_entry("category", &row.category)?;
        map.serialize_entry("priority", &row.priority)?;
        map.serialize_entry("rule", &row.rule)?;
        map.serialize_entry("call", &row.call)?;
        map.serialize_entry("process", &row.process)?;
        map.serialize_entry("command_line", &row.command_line)?;
        map.serialize_entry("object", &row.object)?;
        map.serialize_entry("outcome", &row.outcome)?;
        map.serialize_entry("count", &row.count)?;
        map.serialize_entry("deviation", &row.deviation)?;
        map.serialize_entry("raw", &row.raw)?;
        map.end()
    }
}

/// A time as RFC 3339; 0 is `null`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Time(#[serde(with = "crate::times")] pub(crate) EventTime);

/// A container in a list: the numbers of its branches are left to its own route.
pub(crate) fn brief(row: &ContainerRow) -> ContainerRow {
    let learning = Learning { branches: Vec::new(), ..row.learning.clone() };
    ContainerRow { learning, ..row.clone() }
}

/// A profile in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct ProfileView<'a> {
    identity: &'a str,
    phase: Phase,
    learning: &'a Learning,
    nodes: u64,
    events: u64,
    deviations: u64,
    first_seen: Time,
    last_seen: Time,
    revisions: &'a [String],
    diffs: Vec<DiffView<'a>>,
}

/// What a new image changed.
#[derive(Debug, Serialize)]
struct DiffView<'a> {
    image: &'a str,
    parent: &'a str,
    since: Time,
    until: Time,
    additions: Vec<AdditionView<'a>>,
    additions_total: u64,
}

#[derive(Debug, Serialize)]
struct AdditionView<'a> {
    kind: &'a str,
    process: &'a str,
    token: &'a str,
    count: u64,
    first_seen: Time,
}

impl<'a> DiffView<'a> {
    fn of(diff: &'a RevisionDiff) -> Self {
        let addition = |a: &'a Addition| AdditionView {
            kind: &a.kind,
            process: &a.process,
            token: &a.token,
            count: a.count,
            first_seen: Time(a.first_seen),
        };
        Self {
            image: &diff.image,
            parent: &diff.parent,
            since: Time(diff.since),
            until: Time(diff.until),
            additions: diff.additions.iter().map(addition).collect(),
            additions_total: diff.additions_total,
        }
    }
}

impl<'a> ProfileView<'a> {
    pub(crate) fn of(profile: &'a ProfileSummary) -> Self {
        Self {
            identity: &profile.identity,
            phase: profile.phase,
            learning: &profile.learning,
            nodes: profile.nodes,
            events: profile.events,
            deviations: profile.deviations,
            first_seen: Time(profile.first_seen),
            last_seen: Time(profile.last_seen),
            revisions: &profile.revisions,
            diffs: profile.diffs.iter().map(DiffView::of).collect(),
        }
    }
}

/// Alerts in one step of time.
#[derive(Debug, Serialize)]
struct BucketView {
    start: Time,
    end: Time,
    opened: u64,
    active: u64,
}

/// Alerts in numbers.
pub(crate) fn stats(stats: &AlertStats) -> serde_json::Value {
    let steps: Vec<_> = stats
        .over_time
        .iter()
        .map(|AlertBucket { start, end, opened, active }| BucketView {
            start: Time(*start),
            end: Time(*end),
            opened: *opened,
            active: *active,
        })
        .collect();
    serde_json::json!({
        "alerts": stats.alerts,
        "occurrences": stats.occurrences,
        "by_rule": stats.by_rule,
        "by_priority": stats.by_priority,
        "by_state": stats.by_state,
        "by_source": stats.by_source,
        "over_time": steps,
    })
}

/// One snapshot of a history.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotView {
    time: Time,
    nodes: u64,
    events: u64,
    bytes: u64,
}

impl From<SnapshotInfo> for SnapshotView {
    fn from(info: SnapshotInfo) -> Self {
        Self { time: Time(info.time), nodes: info.nodes, events: info.events, bytes: info.bytes }
    }
}

/// One restore point of a history.
#[derive(Debug, Serialize)]
pub(crate) struct PointView {
    time: Time,
    reason: PointReason,
    phase: String,
    revision: String,
    nodes: u64,
    events: u64,
    bytes: u64,
}

impl From<PointInfo> for PointView {
    fn from(info: PointInfo) -> Self {
        let PointInfo { time, reason, phase, revision, nodes, events, bytes } = info;
        Self { time: Time(time), reason, phase, revision, nodes, events, bytes }
    }
}
