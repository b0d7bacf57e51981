//! Restore points: whole profiles as they were, to go back to.
//!
//! A snapshot shows what a tree looked like; a restore point has all that a profile has learned. It
//! is some ten times as large, so that there are fewer of them.

use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::Fault;
use crate::{Store, StoreError};

type Key = (&'static str, u64);

const POINTS: TableDefinition<'static, Key, &[u8]> = TableDefinition::new("restore_points");
/// What a list shows, and the bytes stored, so that a list need not touch the points themselves.
const INFO: TableDefinition<'static, Key, (&[u8], u64)> = TableDefinition::new("restore_info");

/// Why a restore point was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PointReason {
    /// Learning had come to its end.
    Learned,
    /// Another image came: this is the profile before it.
    Revision,
    /// A day had passed since the last one.
    #[default]
    Daily,
    /// Somebody went back: this is the profile before that.
    Rollback,
}

/// What is known of a restore point without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PointInfo {
    /// When the profile was like this; no other point of the profile has the time.
    #[serde(skip)]
    pub time: EventTime,
    /// Why it was made.
    pub reason: PointReason,
    /// The profile's phase, by its word.
    pub phase: String,
    /// The newest image that it had seen, or `""`.
    pub revision: String,
    /// Nodes of its tree.
    pub nodes: u64,
    /// Events it had modelled.
    pub events: u64,
    /// Bytes that it takes in the store.
    #[serde(skip)]
    pub bytes: u64,
}

/// A restore point to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPoint {
    /// Whose.
    pub identity: String,
    /// What it is.
    pub info: PointInfo,
    /// What the profile has learned, opaque.
    pub profile: Vec<u8>,
}

impl Store {
    /// The restore points of a profile, newest first.
    pub fn restore_points(&self, identity: &str) -> Result<Vec<PointInfo>, StoreError> {
        self.db.read("list restore points", |from| {
            let mut all = Vec::new();
            for entry in from.open_table(INFO)?.range((identity, 0)..=(identity, u64::MAX))?.rev() {
                let (key, info) = entry?;
                all.push(read_info(key.value().1, info.value())?);
            }
            Ok(all)
        })
    }

    /// The time of every profile's newest restore point.
    pub fn newest_restore_points(&self) -> Result<Vec<(String, EventTime)>, StoreError> {
        self.db.read("list the newest restore points", |from| {
            let mut newest: Vec<(String, EventTime)> = Vec::new();
            for entry in from.open_table(INFO)?.iter()? {
                let (key, _) = entry?;
                let (identity, time) = key.value();
                match newest.last_mut() {
                    Some(last) if last.0 == identity => last.1 = time,
                    _ => newest.push((identity.to_owned(), time)),
                }
            }
            Ok(newest)
        })
    }

    /// The opaque bytes of the restore point of exactly this time.
    pub fn restore_point(
        &self,
        identity: &str,
        time: EventTime,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.read("read a restore point", |from| {
            let points = from.open_table(POINTS)?;
            let packed = points.get((identity, time))?;
            packed.map(|packed| codec::unpack(packed.value())).transpose()
        })
    }
}

/// The bounds of all restore points.
pub(crate) struct PointLimits {
    pub(crate) kept: usize,
    pub(crate) age: EventTime,
    pub(crate) total_bytes: u64,
}

/// Stores points and lets go of those past the bounds; answers how many went. The newest of a
/// profile goes last.
pub(crate) fn put(
    to: &WriteTransaction,
    points: &[(&NewPoint, Vec<u8>)],
    limits: &PointLimits,
) -> Result<u64, Fault> {
    let mut gone = 0;
    for (point, packed) in points {
        let key = (point.identity.as_str(), point.info.time);
        to.open_table(POINTS)?.insert(key, packed.as_slice())?;
        let json = codec::to_json(&point.info)?;
        to.open_table(INFO)?.insert(key, (json.as_slice(), packed.len() as u64))?;
        let oldest = point.info.time.saturating_sub(limits.age);
        let times = times(to, &point.identity)?;
        for (place, time) in times.iter().rev().enumerate() {
            if place > 0 && (place >= limits.kept || *time < oldest) {
                remove(to, &point.identity, *time)?;
                gone += 1;
            }
        }
    }
    if points.is_empty() { Ok(gone) } else { Ok(gone + make_room(to, limits.total_bytes)?) }
}

/// Lets the oldest of all points go until the rest fits: first those that are not their profile's
/// newest.
fn make_room(to: &WriteTransaction, most: u64) -> Result<u64, Fault> {
    let mut all: Vec<(bool, EventTime, String, u64)> = Vec::new();
    let mut total = 0;
    for entry in to.open_table(INFO)?.iter()? {
        let (key, info) = entry?;
        let ((identity, time), bytes) = (key.value(), info.value().1);
        total += bytes;
        if let Some(last) = all.last_mut().filter(|last| last.2 == identity) {
            last.0 = false;
        }
        all.push((true, time, identity.to_owned(), bytes));
    }
    all.sort();
    let mut gone = 0;
    for (_, time, identity, bytes) in &all {
        if total <= most {
            break;
        }
        remove(to, identity, *time)?;
        total -= bytes;
        gone += 1;
    }
    Ok(gone)
}

/// Takes out all points of a profile.
pub(crate) fn delete(to: &WriteTransaction, identity: &str) -> Result<(), Fault> {
    for time in times(to, identity)? {
        remove(to, identity, time)?;
    }
    Ok(())
}

/// The times of a profile's points, oldest first.
fn times(to: &WriteTransaction, identity: &str) -> Result<Vec<EventTime>, Fault> {
    let infos = to.open_table(INFO)?;
    let range = infos.range((identity, 0)..=(identity, u64::MAX))?;
    range.map(|entry| Ok(entry?.0.value().1)).collect()
}

fn remove(to: &WriteTransaction, identity: &str, time: EventTime) -> Result<(), Fault> {
    to.open_table(POINTS)?.remove((identity, time))?;
    to.open_table(INFO)?.remove((identity, time))?;
    Ok(())
}

fn read_info(time: EventTime, (json, bytes): (&[u8], u64)) -> Result<PointInfo, Fault> {
    Ok(PointInfo { time, bytes, ..codec::from_json(json)? })
}

pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(POINTS)?;
    to.open_table(INFO)?;
    Ok(())
}

/// Points stored; an error where the table is missing.
pub(crate) fn count(from: &ReadTransaction) -> Result<u64, Fault> {
    Ok(redb::ReadableTableMetadata::len(&from.open_table(INFO)?)?)
}

/// Reads every point and holds it against its entry in the list.
pub(crate) fn check(from: &ReadTransaction, problems: &mut Vec<String>) -> Result<u64, Fault> {
    let infos = from.open_table(INFO)?;
    let mut count = 0;
    for entry in from.open_table(POINTS)?.iter()? {
        let (key, packed) = entry?;
        let (identity, time) = key.value();
        count += 1;
        let problem = match (codec::unpack(packed.value()), infos.get((identity, time))?) {
            (Err(fault), _) => Some(fault.what()),
            (Ok(_), None) => Some("it is not in the list".to_owned()),
            (Ok(_), Some(info)) => match read_info(time, info.value()) {
                Err(fault) => Some(fault.what()),
                Ok(info) if info.bytes != packed.value().len() as u64 => {
                    Some("the list differs".to_owned())
                }
                Ok(_) => None,
            },
        };
        if let Some(problem) = problem {
            problems.push(format!("restore point of {identity} at {time}: {problem}"));
        }
    }
    let listed = redb::ReadableTableMetadata::len(&infos)?;
    if listed != count {
        problems.push(format!("{listed} restore points are listed and {count} stored"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::{Checkpoint, NewPoint, PointInfo, PointReason, Store, StoreOptions};

    fn point(identity: &str, time: u64, size: usize) -> NewPoint {
        // Bytes that do not pack.
        let mut state = time | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040);
            (state >> 33) as u8
        };
        NewPoint {
            identity: identity.into(),
            info: PointInfo {
                time,
                reason: PointReason::Revision,
                revision: format!("shop/web:{time}"),
                ..PointInfo::default()
            },
            profile: (0..size).map(|_| next()).collect(),
        }
    }

    fn times(store: &Store, identity: &str) -> Vec<u64> {
        store.restore_points(identity).unwrap().iter().map(|point| point.time).collect()
    }

    fn put(store: &Store, points: Vec<NewPoint>) {
        store.commit(&Checkpoint { points, ..Checkpoint::default() }).unwrap();
    }

    #[test]
    fn points_outlive_the_store_and_are_bounded_in_number_and_age() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { points_kept: 3, point_age: 100, ..StoreOptions::default() };
        let store = Store::open(dir.path(), options.clone()).unwrap();
        put(&store, (1..=5).map(|time| point("h1:web", time * 10, 10)).collect());
        put(&store, vec![point("h1:db", 7, 10)]);
        drop(store);
        let store = Store::open(dir.path(), options).unwrap();
        assert_eq!(times(&store, "h1:web"), [50, 40, 30]);
        let read = store.restore_point("h1:web", 40).unwrap();
        assert_eq!(read, Some(point("h1:web", 40, 10).profile));
        assert_eq!(store.restore_point("h1:web", 41).unwrap(), None);
        let newest = store.newest_restore_points().unwrap();
        assert_eq!(newest, [("h1:db".to_owned(), 7), ("h1:web".to_owned(), 50)]);
        assert_eq!(store.restore_points("h1:web").unwrap()[0].revision, "shop/web:50");
        put(&store, vec![point("h1:web", 145, 10)]);
        assert_eq!(times(&store, "h1:web"), [145, 50], "the others are too old, seen from here");
        assert!(store.check().unwrap().is_clean());
        assert_eq!(store.stats().unwrap().restore_points, 3);
        store.delete_snapshots("h1:web").unwrap();
        assert_eq!((times(&store, "h1:web"), times(&store, "h1:db")), (vec![], vec![7]));
    }

    #[test]
    fn all_of_them_fit_into_their_room_and_what_went_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { points_bytes: 40_000, ..StoreOptions::default() };
        let store = Store::open(dir.path(), options).unwrap();
        put(&store, vec![point("a", 1, 10_000), point("b", 2, 10_000), point("b", 3, 10_000)]);
        assert_eq!(store.stats().unwrap().restore_points_dropped, 0);
        put(&store, vec![point("c", 4, 10_000), point("c", 5, 1_000)]);
        // The oldest is a profile's only one, and stays before one of several.
        assert_eq!(times(&store, "a"), [1]);
        assert_eq!((times(&store, "b"), times(&store, "c")), (vec![3], vec![5, 4]));
        assert_eq!(store.stats().unwrap().restore_points_dropped, 1);
    }
}
