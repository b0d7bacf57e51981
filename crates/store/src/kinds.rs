//! What takes how much room in the database.

use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTableMetadata, TableHandle};
use serde::Serialize;

use crate::alerts::{ALERTS, INCIDENTS};
use crate::error::Fault;
use crate::{Store, StoreError, audit, snapshots};

/// One kind of record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindStats {
    /// `profiles`, `alerts`, `incidents` …
    pub kind: &'static str,
    /// Records.
    pub rows: u64,
    /// Bytes of keys and values with their indexes, without what lies unused in their pages.
    pub bytes: u64,
    /// The oldest record's time, where they have one.
    pub oldest: Option<EventTime>,
    /// The newest record's time.
    pub newest: Option<EventTime>,
}

/// The tables of each kind; the first counts its records.
const KINDS: [(&str, &[&str]); 9] = [
    ("profiles", &["profiles"]),
    ("snapshots", &["snapshots", "snapshot_info"]),
    ("alerts", &["alerts", "alert_index", "alert_text"]),
    ("incidents", &["incidents", "incident_index"]),
    ("audit", &["audit"]),
    ("suppressions", &["suppressions"]),
    ("maintenance", &["maintenance"]),
    ("tokens", &["tokens"]),
    ("engine", &["meta", "positions"]),
];

type Ends = Option<(EventTime, EventTime)>;

impl Store {
    /// Rows, bytes and times of each kind of record. Walks the keys of all tables.
    pub fn kinds(&self) -> Result<Vec<KindStats>, StoreError> {
        self.db.read("measure the tables", |from| {
            KINDS.iter().map(|(kind, tables)| measure(from, kind, tables)).collect()
        })
    }
}

fn measure(
    from: &ReadTransaction,
    kind: &'static str,
    tables: &[&str],
) -> Result<KindStats, Fault> {
    let mut stats = KindStats { kind, ..KindStats::default() };
    for handle in from.list_tables()? {
        let Some(place) = tables.iter().position(|name| *name == handle.name()) else { continue };
        let table = from.open_untyped_table(handle)?;
        let sizes = table.stats()?;
        stats.bytes += sizes.stored_bytes() + sizes.metadata_bytes();
        if place == 0 {
            stats.rows = table.len()?;
        }
    }
    let ends: Ends = match kind {
        "alerts" => ALERTS.ends(from)?,
        "incidents" => INCIDENTS.ends(from)?,
        "snapshots" => snapshots::ends(from)?,
        "audit" => audit::ends(from)?,
        _ => None,
    };
    (stats.oldest, stats.newest) = ends.unzip();
    Ok(stats)
}
