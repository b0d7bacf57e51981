//! Checkpoints: everything that must be true together, in one durable transaction.

use std::sync::atomic::Ordering;

use hanabi_detect::{Alert, AlertState, Incident, Maintenance, Suppression};
use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::alerts::{
    ALERTS, AlertHead, INCIDENTS, is_closed, put_alerts, put_incidents, read_all, state_word,
};
use crate::audit::{self, AuditEntry};
use crate::codec;
use crate::error::Fault;
use crate::indexed::{EVERY, Indexed};
use crate::points::{self, NewPoint, PointLimits};
use crate::{Store, StoreError};

pub(crate) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
pub(crate) const POSITIONS: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("positions");
pub(crate) const PROFILES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("profiles");

const SEQUENCE: &str = "sequence";
const ENGINE: &str = "engine";
const COUNTERS: &str = "counters";

/// The state of the engine at one place in its input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The place: the engine's own running number, which never goes back.
    pub sequence: u64,
    /// How far each source was read: its key and opaque bytes. Sources not named keep theirs.
    pub positions: Vec<(String, Vec<u8>)>,
    /// The profiles that changed: identity and opaque bytes.
    pub profiles: Vec<(String, Vec<u8>)>,
    /// Profiles as they are or were, to go back to.
    pub points: Vec<NewPoint>,
    /// Identities whose profiles are gone.
    pub removed_profiles: Vec<String>,
    /// The alerts that changed.
    pub alerts: Vec<Alert>,
    /// The incidents that changed.
    pub incidents: Vec<Incident>,
    /// What people did, for the audit log.
    pub audit: Vec<AuditEntry>,
    /// All suppressions; `None` where none has changed.
    pub suppressions: Option<Vec<Suppression>>,
    /// All maintenance windows; `None` where none has changed.
    pub maintenance: Option<Vec<Maintenance>>,
    /// The rest of the engine's state, opaque; replaces what was there.
    pub engine: Vec<u8>,
    /// Durable totals, opaque; replaces what was there.
    pub counters: Vec<u8>,
}

/// What a restart begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// The last committed checkpoint's sequence; `None` in a new directory.
    pub sequence: Option<u64>,
    /// How far each source was read, by key.
    pub positions: Vec<(String, Vec<u8>)>,
    /// Every profile, by identity.
    pub profiles: Vec<(String, Vec<u8>)>,
    /// The alerts that wait for a person, and the others last seen within
    /// [`crate::StoreOptions::restored_age`] of the newest.
    pub alerts: Vec<Alert>,
    /// The incidents last seen within the same time.
    pub incidents: Vec<Incident>,
    /// Every suppression.
    pub suppressions: Vec<Suppression>,
    /// Every maintenance window.
    pub maintenance: Vec<Maintenance>,
    /// See [`Checkpoint::engine`].
    pub engine: Vec<u8>,
    /// See [`Checkpoint::counters`].
    pub counters: Vec<u8>,
}

impl Store {
    /// Makes a checkpoint durable: after `Ok` all of it survives a kill or a power cut; after an
    /// error the previous one is still whole, and the same checkpoint can be tried again.
    pub fn commit(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        // Packing is most of the work, and no reader or writer waits for it here.
        let packed = checkpoint
            .profiles
            .iter()
            .map(|(identity, blob)| Ok((identity.as_str(), codec::pack(blob)?)))
            .collect::<Result<Vec<_>, Fault>>()
            .map_err(|fault| fault.into_error("pack a profile", self.db.path()))?;
        let points = checkpoint
            .points
            .iter()
            .map(|point| Ok((point, codec::pack(&point.profile)?)))
            .collect::<Result<Vec<_>, Fault>>()
            .map_err(|fault| fault.into_error("pack a restore point", self.db.path()))?;
        let limits = PointLimits {
            kept: self.options.points_kept,
            age: self.options.point_age,
            total_bytes: self.options.points_bytes,
        };
        let dropped = self.db.write("commit a checkpoint", |to| {
            put_sequence(to, checkpoint.sequence)?;
            let mut profiles = to.open_table(PROFILES)?;
            for identity in &checkpoint.removed_profiles {
                profiles.remove(identity.as_str())?;
            }
            for (identity, blob) in &packed {
                profiles.insert(*identity, blob.as_slice())?;
            }
            let mut positions = to.open_table(POSITIONS)?;
            for (source, position) in &checkpoint.positions {
                positions.insert(source.as_str(), position.as_slice())?;
            }
            let mut meta = to.open_table(META)?;
            meta.insert(ENGINE, codec::pack(&checkpoint.engine)?.as_slice())?;
            meta.insert(COUNTERS, codec::pack(&checkpoint.counters)?.as_slice())?;
            audit::append(to, &checkpoint.audit)?;
            if let Some(all) = &checkpoint.suppressions {
                audit::put_suppressions(to, all)?;
            }
            if let Some(all) = &checkpoint.maintenance {
                audit::put_maintenance(to, all)?;
            }
            put_alerts(to, &checkpoint.alerts)?;
            put_incidents(to, &checkpoint.incidents)?;
            points::put(to, &points, &limits)
        })?;
        self.points_dropped.fetch_add(dropped, Ordering::Relaxed);
        Ok(())
    }

    /// The last committed checkpoint, with the alerts and incidents that the engine still needs.
    pub fn restore(&self) -> Result<Restored, StoreError> {
        self.db.read("restore the last checkpoint", |from| {
            let mut positions = Vec::new();
            for entry in from.open_table(POSITIONS)?.iter()? {
                let (source, position) = entry?;
                positions.push((source.value().to_owned(), position.value().to_vec()));
            }
            let mut profiles = Vec::new();
            for entry in from.open_table(PROFILES)?.iter()? {
                let (identity, blob) = entry?;
                profiles.push((identity.value().to_owned(), codec::unpack(blob.value())?));
            }
            Ok(Restored {
                sequence: sequence(from)?,
                positions,
                profiles,
                alerts: restore_alerts(from, self.options.restored_age)?,
                incidents: restore_incidents(from, self.options.restored_age)?,
                suppressions: audit::suppressions(from)?,
                maintenance: audit::maintenance(from)?,
                engine: blob(from, ENGINE)?,
                counters: blob(from, COUNTERS)?,
            })
        })
    }

    /// The last committed checkpoint's sequence; `None` in a new directory.
    pub fn sequence(&self) -> Result<Option<u64>, StoreError> {
        self.db.read("read the last sequence", sequence)
    }

    /// One profile's opaque bytes.
    pub fn profile(&self, identity: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.read("read a profile", |from| {
            let profiles = from.open_table(PROFILES)?;
            let blob = profiles.get(identity)?;
            blob.map(|blob| codec::unpack(blob.value())).transpose()
        })
    }

    /// The identities of all stored profiles, sorted.
    pub fn profile_identities(&self) -> Result<Vec<String>, StoreError> {
        self.db.read("list profiles", |from| {
            let mut identities = Vec::new();
            for entry in from.open_table(PROFILES)?.iter()? {
                identities.push(entry?.0.value().to_owned());
            }
            Ok(identities)
        })
    }
}

fn put_sequence(to: &WriteTransaction, sequence: u64) -> Result<(), Fault> {
    let mut meta = to.open_table(META)?;
    let stored = meta.get(SEQUENCE)?.map(|value| codec::Reader::new(value.value()).u64());
    if let Some(stored) = stored.transpose()?
        && sequence < stored
    {
        return Err(StoreError::Backwards { sequence, stored }.into());
    }
    meta.insert(SEQUENCE, sequence.to_le_bytes().as_slice())?;
    Ok(())
}

fn sequence(from: &ReadTransaction) -> Result<Option<u64>, Fault> {
    let meta = from.open_table(META)?;
    let stored = meta.get(SEQUENCE)?;
    stored.map(|value| codec::Reader::new(value.value()).u64()).transpose()
}

fn blob(from: &ReadTransaction, key: &str) -> Result<Vec<u8>, Fault> {
    let meta = from.open_table(META)?;
    let stored = meta.get(key)?;
    Ok(stored.map(|value| codec::unpack(value.value())).transpose()?.unwrap_or_default())
}

fn restore_alerts(from: &ReadTransaction, age: EventTime) -> Result<Vec<Alert>, Fault> {
    let mut ids = Vec::new();
    let since = newest(from, &ALERTS)?.saturating_sub(age);
    ALERTS.walk(from, EVERY, since, None, |_, id, head| {
        if is_closed(AlertHead::decode(head)?.state) {
            ids.push(id.to_owned());
        }
        Ok(true)
    })?;
    for state in [AlertState::Open, AlertState::Acknowledged, AlertState::Suppressed] {
        ALERTS.walk(from, &state_word(state), 0, None, |_, id, _| {
            ids.push(id.to_owned());
            Ok(true)
        })?;
    }
    ids.sort_unstable();
    Ok(read_all(&ALERTS.get_all(from, &ids)?))
}

fn restore_incidents(from: &ReadTransaction, age: EventTime) -> Result<Vec<Incident>, Fault> {
    let mut ids = Vec::new();
    let since = newest(from, &INCIDENTS)?.saturating_sub(age);
    INCIDENTS.walk(from, EVERY, since, None, |_, id, _| {
        ids.push(id.to_owned());
        Ok(true)
    })?;
    ids.sort_unstable();
    Ok(read_all(&INCIDENTS.get_all(from, &ids)?))
}

fn newest(from: &ReadTransaction, tables: &Indexed) -> Result<u64, Fault> {
    let mut newest = 0;
    tables.walk(from, EVERY, 0, None, |time, _, _| {
        newest = time;
        Ok(false)
    })?;
    Ok(newest)
}
