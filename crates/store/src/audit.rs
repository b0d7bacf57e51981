//! Who changed what, and what is to be kept quiet.

use hanabi_detect::{Maintenance, Suppression};
use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec;
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::page::bounded;
use crate::{Page, Store, StoreError};

const AUDIT: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("audit");
const SUPPRESSIONS: Table = TableDefinition::new("suppressions");
const MAINTENANCE: Table = TableDefinition::new("maintenance");

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// The audit log's length: a year of two changes a minute; past it the oldest entries go.
pub const AUDIT_LIMIT: u64 = 1_000_000;

/// One change, or one refusal, as the audit log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its running number, given by the store; what the caller sets is ignored.
    pub sequence: u64,
    /// When (wall clock of the service), ns.
    pub at: EventTime,
    /// Who: a user, a token's name, or the service itself.
    pub by: String,
    /// What was done: `alert.ack`, `profile.freeze`, `login.refused` …
    pub action: String,
    /// To what: an alert's id, an identity …
    pub object: String,
    /// Whether it was done or refused: `ok`, `refused`, `failed`.
    pub outcome: String,
    /// From which address, where a person or machine has asked; `""` where nobody has.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The id of the request, as its answer had it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Everything else; secrets must not be in it.
    pub detail: Value,
}

impl Store {
    /// Adds an entry to the audit log, durable on return; answers its running number.
    pub fn append_audit(&self, entry: &AuditEntry) -> Result<u64, StoreError> {
        self.db.write("write the audit log", |to| append(to, std::slice::from_ref(entry)))
    }

    /// Adds several entries, durable on return.
    pub fn append_audits(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.db.write("write the audit log", |to| append(to, entries).map(|_| ()))
    }

    /// One page of the audit log, newest first.
    pub fn audit(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<AuditEntry>, StoreError> {
        const NAME: &str = "audit";
        let before = cursor.map(|text| Cursor::decode(text, NAME)).transpose()?;
        let before = before.map_or(u64::MAX, |cursor| cursor.time);
        let limit = bounded(limit);
        self.db.read("read the audit log", |from| {
            let mut page = Page::default();
            for entry in from.open_table(AUDIT)?.range(..before)?.rev() {
                let (key, entry) = entry?;
                if page.items.len() == limit {
                    // The key is the first that did not fit, and ranges leave their end out.
                    let cursor = Cursor { time: key.value() + 1, tie: Vec::new() };
                    page.next_cursor = Some(cursor.encode(NAME));
                    break;
                }
                page.items.push(codec::from_json(entry.value())?);
            }
            Ok(page)
        })
    }

    /// All suppressions, by id; also those that have expired.
    pub fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        self.db.read("list suppressions", suppressions)
    }

    /// All maintenance windows, by id; also those that are over.
    pub fn maintenance(&self) -> Result<Vec<Maintenance>, StoreError> {
        self.db.read("list maintenance windows", maintenance)
    }
}

/// Adds entries, each with the next running number; answers the last one.
pub(crate) fn append(to: &WriteTransaction, entries: &[AuditEntry]) -> Result<u64, Fault> {
    if entries.is_empty() {
        return Ok(0);
    }
    let mut table = to.open_table(AUDIT)?;
    let mut sequence = table.last()?.map_or(0, |(key, _)| key.value());
    for entry in entries {
        sequence += 1;
        let entry = AuditEntry { sequence, ..entry.clone() };
        table.insert(sequence, codec::to_json(&entry)?.as_slice())?;
        table.remove(sequence.saturating_sub(AUDIT_LIMIT))?;
    }
    Ok(sequence)
}

pub(crate) fn suppressions(from: &ReadTransaction) -> Result<Vec<Suppression>, Fault> {
    all(from, SUPPRESSIONS)
}

pub(crate) fn maintenance(from: &ReadTransaction) -> Result<Vec<Maintenance>, Fault> {
    all(from, MAINTENANCE)
}

/// Puts these in place of all that were there.
pub(crate) fn put_suppressions(to: &WriteTransaction, all: &[Suppression]) -> Result<(), Fault> {
    replace(to, SUPPRESSIONS, all.iter().map(|one| (one.id.as_str(), one)))
}

/// The same for maintenance windows.
pub(crate) fn put_maintenance(to: &WriteTransaction, all: &[Maintenance]) -> Result<(), Fault> {
    replace(to, MAINTENANCE, all.iter().map(|one| (one.id.as_str(), one)))
}

fn all<T: DeserializeOwned>(from: &ReadTransaction, table: Table) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    for entry in from.open_table(table)?.iter()? {
        all.push(codec::from_json(entry?.1.value())?);
    }
    Ok(all)
}

fn replace<'a, T: Serialize + 'a>(
    to: &WriteTransaction,
    table: Table,
    all: impl Iterator<Item = (&'a str, &'a T)>,
) -> Result<(), Fault> {
    let mut table = to.open_table(table)?;
    table.retain(|_, _| false)?;
    for (id, one) in all {
        table.insert(id, codec::to_json(one)?.as_slice())?;
    }
    Ok(())
}

pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(AUDIT)?;
    to.open_table(SUPPRESSIONS)?;
    to.open_table(MAINTENANCE)?;
    Ok(())
}

/// Entries of the audit log and suppressions.
pub(crate) fn count(from: &ReadTransaction) -> Result<(u64, u64), Fault> {
    let audit = redb::ReadableTableMetadata::len(&from.open_table(AUDIT)?)?;
    let suppressions = redb::ReadableTableMetadata::len(&from.open_table(SUPPRESSIONS)?)?;
    from.open_table(MAINTENANCE)?;
    Ok((audit, suppressions))
}

/// When the oldest and the newest entry were made.
pub(crate) fn ends(from: &ReadTransaction) -> Result<Option<(EventTime, EventTime)>, Fault> {
    let table = from.open_table(AUDIT)?;
    let time = |json: &[u8]| codec::from_json::<AuditEntry>(json).map(|entry| entry.at);
    let (Some((_, first)), Some((_, last))) = (table.first()?, table.last()?) else {
        return Ok(None);
    };
    Ok(Some((time(first.value())?, time(last.value())?)))
}

pub(crate) fn check(from: &ReadTransaction, problems: &mut Vec<String>) -> Result<(), Fault> {
    for entry in from.open_table(AUDIT)?.iter()? {
        let (key, json) = entry?;
        let key = key.value();
        match serde_json::from_slice::<AuditEntry>(json.value()) {
            Ok(entry) if entry.sequence == key => {}
            Ok(entry) => problems.push(format!("audit entry {key} says {}", entry.sequence)),
            Err(error) => problems.push(format!("audit entry {key}: {error}")),
        }
    }
    for entry in from.open_table(SUPPRESSIONS)?.iter()? {
        let (key, json) = entry?;
        if let Err(error) = serde_json::from_slice::<Suppression>(json.value()) {
            problems.push(format!("suppression {}: {error}", key.value()));
        }
    }
    for entry in from.open_table(MAINTENANCE)?.iter()? {
        let (key, json) = entry?;
        if let Err(error) = serde_json::from_slice::<Maintenance>(json.value()) {
            problems.push(format!("maintenance window {}: {error}", key.value()));
        }
    }
    Ok(())
}
