//! Tokens of the API: what is needed to know one again, and never the token itself.

use hanabi_event::EventTime;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::{AuditEntry, Store, StoreError, audit, codec};

const TOKENS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("tokens");

/// Tokens kept at most, revoked ones not counted: a thousand machines have one each, and looking
/// through all of them still takes no time.
pub const TOKENS_LIMIT: usize = 1_000;

/// A token as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredToken {
    /// By which it is named in lists; also the beginning of `hash`.
    pub id: String,
    /// The name of whoever uses it, in audit and history.
    pub name: String,
    /// What it allows: a role's word.
    pub role: String,
    /// Patterns of the Kubernetes namespaces that it is for; empty for all.
    pub namespaces: Vec<String>,
    /// Patterns of the containers that it is for; empty for all.
    pub containers: Vec<String>,
    /// SHA-256 of the token, in hexadecimal digits. A token is 256 random bits, which no dictionary
    /// holds, so that a slow hash with salt, made for passwords, would only make each request slow.
    pub hash: String,
    /// When it was made (wall clock of the service), ns.
    pub created: EventTime,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused, ns; `None` for never.
    pub expires: Option<EventTime>,
    /// About when it was used last, ns.
    pub last_used: Option<EventTime>,
}

impl Store {
    /// All tokens, by id; also those that have expired.
    pub fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.db.read("list tokens", |from| {
            let mut all = Vec::new();
            for entry in from.open_table(TOKENS)?.iter()? {
                all.push(codec::from_json(entry?.1.value())?);
            }
            Ok(all)
        })
    }

    /// Adds a token, or puts it in place of the one with its id, with an entry for the audit log;
    /// durable on return.
    pub fn put_token(
        &self,
        token: &StoredToken,
        entry: Option<&AuditEntry>,
    ) -> Result<(), StoreError> {
        self.db.write("write a token", |to| {
            let body = codec::to_json(token)?;
            to.open_table(TOKENS)?.insert(token.id.as_str(), body.as_slice())?;
            audit::append(to, entry.map_or(&[], std::slice::from_ref))?;
            Ok(())
        })
    }

    /// Takes a token out, with an entry for the audit log; durable on return. `false`, and no entry,
    /// when there is none.
    pub fn remove_token(&self, id: &str, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.db.write("remove a token", |to| {
            let was_there = to.open_table(TOKENS)?.remove(id)?.is_some();
            if was_there {
                audit::append(to, std::slice::from_ref(entry))?;
            }
            Ok(was_there)
        })
    }
}

pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    to.open_table(TOKENS)?;
    Ok(())
}

/// Tokens stored; an error where the table is missing.
pub(crate) fn count(from: &ReadTransaction) -> Result<u64, Fault> {
    Ok(redb::ReadableTableMetadata::len(&from.open_table(TOKENS)?)?)
}

pub(crate) fn check(from: &ReadTransaction, problems: &mut Vec<String>) -> Result<u64, Fault> {
    let mut count = 0;
    for entry in from.open_table(TOKENS)?.iter()? {
        let (id, json) = entry?;
        count += 1;
        match serde_json::from_slice::<StoredToken>(json.value()) {
            Ok(token) if token.id == id.value() => {}
            Ok(token) => problems.push(format!("token {} says {}", id.value(), token.id)),
            Err(error) => problems.push(format!("token {}: {error}", id.value())),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::{AuditEntry, Store, StoreOptions, StoredToken};

    #[test]
    fn tokens_outlive_the_store_and_leave_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(dir.path(), StoreOptions::default()).unwrap();
        let token = |id: &str| StoredToken { id: id.into(), ..StoredToken::default() };
        let entry = |action: &str| AuditEntry { action: action.into(), ..AuditEntry::default() };
        let store = open();
        store.put_token(&token("b"), Some(&entry("token.create"))).unwrap();
        store.put_token(&token("a"), None).unwrap();
        store.put_token(&StoredToken { last_used: Some(7), ..token("b") }, None).unwrap();
        drop(store);
        let store = open();
        let used = StoredToken { last_used: Some(7), ..token("b") };
        assert_eq!(store.tokens().unwrap(), [token("a"), used]);
        assert!(store.check().unwrap().is_clean());
        assert!(store.remove_token("b", &entry("token.revoke")).unwrap());
        assert!(!store.remove_token("b", &entry("token.revoke")).unwrap());
        assert_eq!(store.tokens().unwrap(), [token("a")]);
        let audit = store.audit(10, None).unwrap().items;
        let actions: Vec<_> = audit.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["token.revoke", "token.create"]);
    }
}
