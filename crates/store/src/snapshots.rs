//! Snapshots: what a profile's tree looked like, with a history.

use hanabi_event::EventTime;
use hanabi_profile::TreeNode;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::Fault;
use crate::{Store, StoreError, points};

type Key = (&'static str, u64);

const SNAPSHOTS: TableDefinition<'static, Key, &[u8]> = TableDefinition::new("snapshots");
/// Nodes, events and stored bytes, so that a list need not touch the snapshots themselves.
const INFO: TableDefinition<'static, Key, (u64, u64, u64)> = TableDefinition::new("snapshot_info");

/// The deepest tree that can be stored: JSON readers stop at 128 levels, and a node takes two. A
/// path of more than fifty segments has to be cut by the profile.
pub const SNAPSHOT_DEPTH: usize = 60;

/// One snapshot of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// When the tree was like this.
    pub time: EventTime,
    /// Its nodes.
    pub nodes: u64,
    /// Events that went through it.
    pub events: u64,
    /// Bytes it takes in the store.
    pub bytes: u64,
}

impl Store {
    /// Keeps a tree as it was at `time`, in place of one of the same time, durable on return.
    ///
    /// Snapshots past [`crate::StoreOptions::snapshots_kept`] or older, seen from `time`, than
    /// [`crate::StoreOptions::snapshot_age`] go; the newest always stays.
    pub fn put_snapshot(
        &self,
        identity: &str,
        time: EventTime,
        tree: &TreeNode,
    ) -> Result<(), StoreError> {
        let mut nodes = 0;
        if !count_nodes(tree, SNAPSHOT_DEPTH, &mut nodes) {
            return Err(StoreError::Refused {
                object: format!("a snapshot of {identity}"),
                detail: format!("its tree is deeper than {SNAPSHOT_DEPTH} levels"),
            });
        }
        let packed = codec::to_json(tree)
            .and_then(|json| codec::pack(&json))
            .map_err(|fault| fault.into_error("pack a snapshot", self.db.path()))?;
        self.db.write("write a snapshot", |to| {
            let bytes = packed.len() as u64;
            to.open_table(SNAPSHOTS)?.insert((identity, time), packed.as_slice())?;
            to.open_table(INFO)?.insert((identity, time), (nodes, tree.events_count, bytes))?;
            let oldest = time.saturating_sub(self.options.snapshot_age);
            retain(to, identity, self.options.snapshots_kept, oldest)
        })
    }

    /// The history of a profile, newest first.
    pub fn snapshots(&self, identity: &str) -> Result<Vec<SnapshotInfo>, StoreError> {
        self.db.read("list snapshots", |from| {
            let mut history = Vec::new();
            for entry in from.open_table(INFO)?.range((identity, 0)..=(identity, u64::MAX))?.rev() {
                let (key, info) = entry?;
                let (nodes, events, bytes) = info.value();
                history.push(SnapshotInfo { time: key.value().1, nodes, events, bytes });
            }
            Ok(history)
        })
    }

    /// The newest snapshot taken at `at` or before; the newest of all for `None`.
    pub fn snapshot(
        &self,
        identity: &str,
        at: Option<EventTime>,
    ) -> Result<Option<(EventTime, TreeNode)>, StoreError> {
        self.db.read("read a snapshot", |from| {
            let table = from.open_table(SNAPSHOTS)?;
            let until = (identity, at.unwrap_or(u64::MAX));
            let Some(entry) = table.range((identity, 0)..=until)?.next_back() else {
                return Ok(None);
            };
            let (key, packed) = entry?;
            let tree = codec::from_json(&codec::unpack(packed.value())?)?;
            Ok(Some((key.value().1, tree)))
        })
    }

    /// Takes out the whole history of a profile, restore points included; answers how many
    /// snapshots went.
    pub fn delete_snapshots(&self, identity: &str) -> Result<u64, StoreError> {
        self.db.write("delete snapshots", |to| {
            let mut times = Vec::new();
            for entry in to.open_table(INFO)?.range((identity, 0)..=(identity, u64::MAX))? {
                times.push(entry?.0.value().1);
            }
            remove(to, identity, &times)?;
            points::delete(to, identity)?;
            Ok(times.len() as u64)
        })
    }
}

pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(SNAPSHOTS)?;
    to.open_table(INFO)?;
    Ok(())
}

/// How many snapshots there are.
pub(crate) fn count(from: &ReadTransaction) -> Result<u64, Fault> {
    Ok(redb::ReadableTableMetadata::len(&from.open_table(SNAPSHOTS)?)?)
}

/// The times of the oldest and the newest, of all profiles.
pub(crate) fn ends(from: &ReadTransaction) -> Result<Option<(EventTime, EventTime)>, Fault> {
    let mut ends: Option<(EventTime, EventTime)> = None;
    for entry in from.open_table(INFO)?.iter()? {
        let time = entry?.0.value().1;
        ends = Some(ends.map_or((time, time), |(low, high)| (low.min(time), high.max(time))));
    }
    Ok(ends)
}

/// Reads every snapshot and holds it against its entry in the list.
pub(crate) fn check(from: &ReadTransaction, problems: &mut Vec<String>) -> Result<u64, Fault> {
    let infos = from.open_table(INFO)?;
    let mut count = 0;
    for entry in from.open_table(SNAPSHOTS)?.iter()? {
        let (key, packed) = entry?;
        let (identity, time) = key.value();
        count += 1;
        let tree = codec::unpack(packed.value()).and_then(|json| codec::from_json(&json));
        let mut nodes = 0;
        let problem = match (tree, infos.get((identity, time))?) {
            (Err(fault), _) => Some(fault.what()),
            (Ok(_), None) => Some("it is not in the list".to_owned()),
            (Ok(tree), Some(info)) => {
                let whole = count_nodes(&tree, SNAPSHOT_DEPTH, &mut nodes);
                let expected = (nodes, tree.events_count, packed.value().len() as u64);
                (!whole || info.value() != expected).then(|| "the list differs".to_owned())
            }
        };
        if let Some(problem) = problem {
            problems.push(format!("snapshot of {identity} at {time}: {problem}"));
        }
    }
    let listed = redb::ReadableTableMetadata::len(&infos)?;
    if listed != count {
        problems.push(format!("{listed} snapshots are listed and {count} stored"));
    }
    Ok(count)
}

fn retain(
    to: &WriteTransaction,
    identity: &str,
    kept: usize,
    oldest: EventTime,
) -> Result<(), Fault> {
    let mut gone = Vec::new();
    let range = (identity, 0)..=(identity, u64::MAX);
    for (place, entry) in to.open_table(INFO)?.range(range)?.rev().enumerate() {
        let time = entry?.0.value().1;
        if place > 0 && (place >= kept || time < oldest) {
            gone.push(time);
        }
    }
    remove(to, identity, &gone)
}

fn remove(to: &WriteTransaction, identity: &str, times: &[u64]) -> Result<(), Fault> {
    let mut snapshots = to.open_table(SNAPSHOTS)?;
    let mut infos = to.open_table(INFO)?;
    for time in times {
        snapshots.remove((identity, *time))?;
        infos.remove((identity, *time))?;
    }
    Ok(())
}

/// Adds up the nodes; `false` when the tree has more than `depth` levels.
fn count_nodes(tree: &TreeNode, depth: usize, nodes: &mut u64) -> bool {
    *nodes += 1;
    depth > 0 && tree.children.values().all(|child| count_nodes(child, depth - 1, nodes))
}
