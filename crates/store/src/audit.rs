//! Who changed what, and what is to be kept quiet.

use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec;
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::page::bounded;
use crate::{Page, Store, StoreError};

const AUDIT: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("audit");
const SUPPRESSIONS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("suppressions");

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
    /// Everything else; secrets must not be in it.
    pub detail: Value,
}

/// What a suppression covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionScope {
    /// Alerts of one fingerprint.
    Fingerprint,
    /// Alerts of one rule.
    Rule,
    /// Alerts of one container, by id or name.
    Container,
    /// Alerts of one identity.
    Identity,
}

/// Alerts that are recorded and not shown as open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// Its id.
    pub id: String,
    /// What it covers …
    pub scope: SuppressionScope,
    /// … by its exact value.
    pub value: String,
    /// When it was made (wall clock of the service), ns.
    pub created: EventTime,
    /// Who made it.
    pub by: String,
    /// When it ends, ns; `None` for never.
    pub expires: Option<EventTime>,
    /// Why.
    pub note: String,
}

impl Store {
    /// Adds an entry to the audit log, durable on return; answers its running number.
    pub fn append_audit(&self, entry: &AuditEntry) -> Result<u64, StoreError> {
        self.db.write("write the audit log", |to| {
            let mut table = to.open_table(AUDIT)?;
            let sequence = table.last()?.map_or(1, |(key, _)| key.value() + 1);
            let entry = AuditEntry { sequence, ..entry.clone() };
            table.insert(sequence, codec::to_json(&entry)?.as_slice())?;
            table.remove(sequence.saturating_sub(AUDIT_LIMIT))?;
            Ok(sequence)
        })
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

    /// Puts a suppression in place of the one with its id, durable on return.
    pub fn put_suppression(&self, suppression: &Suppression) -> Result<(), StoreError> {
        self.db.write("write a suppression", |to| {
            let json = codec::to_json(suppression)?;
            to.open_table(SUPPRESSIONS)?.insert(suppression.id.as_str(), json.as_slice())?;
            Ok(())
        })
    }

    /// All suppressions, by id; also those that have expired.
    pub fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        self.db.read("list suppressions", |from| {
            let mut all = Vec::new();
            for entry in from.open_table(SUPPRESSIONS)?.iter()? {
                all.push(codec::from_json(entry?.1.value())?);
            }
            Ok(all)
        })
    }

    /// Takes a suppression out; `false` when there is none with this id.
    pub fn delete_suppression(&self, id: &str) -> Result<bool, StoreError> {
        self.db.write("delete a suppression", |to| {
            Ok(to.open_table(SUPPRESSIONS)?.remove(id)?.is_some())
        })
    }
}

pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(AUDIT)?;
    to.open_table(SUPPRESSIONS)?;
    Ok(())
}

/// Entries of the audit log and suppressions.
pub(crate) fn count(from: &ReadTransaction) -> Result<(u64, u64), Fault> {
    let audit = redb::ReadableTableMetadata::len(&from.open_table(AUDIT)?)?;
    let suppressions = redb::ReadableTableMetadata::len(&from.open_table(SUPPRESSIONS)?)?;
    Ok((audit, suppressions))
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
    Ok(())
}
