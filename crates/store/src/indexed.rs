//! Records found newest first by any of their words, with indexes kept by hand.
//!
//! A *word* is something that a record can be found by: its state, its rule, a container's name.
//! Every word of a record has one entry in the index, ordered by word, time and id, whose value is
//! a *head*: what filters and aggregates need, so that they never unpack a record. A record carries
//! its own words, so that it can be taken out of the index even when its body is in a shape that
//! only an older version could read.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::codec::{self, Reader};
use crate::error::Fault;
use crate::owner::{Keep, Owner, PackedOwner};

/// A record without its owner, as earlier builds wrote them.
const RECORD_UNOWNED: u8 = 1;
const RECORD: u8 = 2;

/// The word that every record has.
pub(crate) const EVERY: &str = "";

type Records = TableDefinition<'static, &'static str, &'static [u8]>;
type Index = TableDefinition<'static, (&'static str, u64, &'static str), &'static [u8]>;

/// The two tables of one sort of record.
#[derive(Clone, Copy)]
pub(crate) struct Indexed {
    pub(crate) records: Records,
    pub(crate) index: Index,
}

/// A record on its way in.
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    pub(crate) time: u64,
    /// Without [`EVERY`], which is added.
    pub(crate) words: Vec<String>,
    pub(crate) head: Vec<u8>,
    /// Whose it is, beside the body, so that a scoped list unpacks only what it shows.
    pub(crate) owner: Owner,
    pub(crate) body: &'a [u8],
}

/// The tables of one sort of record, open for writing.
pub(crate) struct Writer<'t> {
    records: Table<'t, &'static str, &'static [u8]>,
    index: Table<'t, (&'static str, u64, &'static str), &'static [u8]>,
}

impl Indexed {
    pub(crate) const fn new(records: &'static str, index: &'static str) -> Self {
        Self { records: TableDefinition::new(records), index: TableDefinition::new(index) }
    }

    pub(crate) fn writer<'t>(&self, to: &'t WriteTransaction) -> Result<Writer<'t>, Fault> {
        Ok(Writer { records: to.open_table(self.records)?, index: to.open_table(self.index)? })
    }

    /// The unpacked body of one record.
    pub(crate) fn get(&self, from: &ReadTransaction, id: &str) -> Result<Option<Vec<u8>>, Fault> {
        let records = from.open_table(self.records)?;
        let Some(record) = records.get(id)? else { return Ok(None) };
        let (_, body) = split(record.value())?;
        codec::unpack(body).map(Some)
    }

    /// Unpacked bodies in the order of `ids`; ids without a record are left out.
    pub(crate) fn get_all(
        &self,
        from: &ReadTransaction,
        ids: &[String],
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let records = from.open_table(self.records)?;
        let mut bodies = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(record) = records.get(id.as_str())? {
                bodies.push(codec::unpack(split(record.value())?.1)?);
            }
        }
        Ok(bodies)
    }

    /// Tells of a record's id whether `keep` lets it through; without one each is.
    pub(crate) fn keeps<'k>(
        &self,
        from: &ReadTransaction,
        keep: Keep<'k>,
    ) -> Result<impl Fn(&str) -> Result<bool, Fault> + use<'k>, Fault> {
        let records = keep.map(|_| from.open_table(self.records)).transpose()?;
        Ok(move |id: &str| {
            let (Some(keep), Some(records)) = (keep, &records) else { return Ok(true) };
            let Some(record) = records.get(id)? else { return Ok(false) };
            let (place, body) = split(record.value())?;
            if let Some(owner) = place.owner {
                return Ok(keep(&owner.read()?));
            }
            let body = codec::unpack(body)?;
            // One that cannot be read is nobody's, and left out of lists anyway.
            Ok(serde_json::from_slice::<Owner>(&body).is_ok_and(|owner| keep(&owner)))
        })
    }

    /// Visits the entries of a word, newest first, until `visit` answers `false`.
    ///
    /// `since` is the earliest time; `before` is where the last page ended, and is not visited.
    pub(crate) fn walk(
        &self,
        from: &ReadTransaction,
        word: &str,
        since: u64,
        before: Option<(u64, &str)>,
        mut visit: impl FnMut(u64, &str, &[u8]) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let index = from.open_table(self.index)?;
        let low = (word, since, "");
        // No id is longer than this or sorts after it: ids are hexadecimal.
        let (time, id) = before.unwrap_or((u64::MAX, "\u{10ffff}"));
        if (time, id) < (since, "") {
            return Ok(());
        }
        for entry in index.range(low..(word, time, id))?.rev() {
            let (key, head) = entry?;
            let (_, time, id) = key.value();
            if !visit(time, id, head.value())? {
                break;
            }
        }
        Ok(())
    }

    /// The times of the oldest and the newest record.
    pub(crate) fn ends(&self, from: &ReadTransaction) -> Result<Option<(u64, u64)>, Fault> {
        let index = from.open_table(self.index)?;
        let mut range = index.range((EVERY, 0, "")..=(EVERY, u64::MAX, "\u{10ffff}"))?;
        let oldest = range.next().transpose()?.map(|(key, _)| key.value().1);
        let newest = range.next_back().transpose()?.map(|(key, _)| key.value().1);
        Ok(oldest.map(|oldest| (oldest, newest.unwrap_or(oldest))))
    }

    /// Compares records and index both ways and unpacks every body.
    pub(crate) fn check(
        &self,
        from: &ReadTransaction,
        mut body: impl FnMut(&str, u64, &[u8]) -> Result<(), String>,
        problems: &mut Vec<String>,
    ) -> Result<u64, Fault> {
        let records = from.open_table(self.records)?;
        let index = from.open_table(self.index)?;
        let mut entries = 0u64;
        let mut count = 0u64;
        for record in records.iter()? {
            let (id, record) = record?;
            let id = id.value();
            count += 1;
            let (place, packed) = match split(record.value()) {
                Ok(parts) => parts,
                Err(fault) => {
                    problems.push(format!("record {id}: {}", fault.what()));
                    continue;
                }
            };
            for word in &place.words {
                entries += 1;
                if index.get((*word, place.time, id))?.is_none() {
                    problems.push(format!("record {id} is missing in the index under `{word}`"));
                }
            }
            match codec::unpack(packed) {
                Ok(bytes) => {
                    if let Err(problem) = body(id, place.time, &bytes) {
                        problems.push(format!("record {id}: {problem}"));
                    }
                }
                Err(fault) => problems.push(format!("record {id}: {}", fault.what())),
            }
        }
        let indexed = redb::ReadableTableMetadata::len(&index)?;
        if indexed != entries {
            problems.push(format!("the index has {indexed} entries instead of {entries}"));
        }
        Ok(count)
    }
}

impl Writer<'_> {
    /// Puts a record in place of the one with its id.
    pub(crate) fn put(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let old = self.records.get(entry.id)?.map(|record| record.value().to_vec());
        if let Some(old) = &old {
            self.unlink(entry.id, &split(old)?.0, |word, time| {
                time == entry.time && (word == EVERY || entry.words.iter().any(|kept| kept == word))
            })?;
        }
        let mut record = vec![RECORD];
        record.extend_from_slice(&entry.time.to_le_bytes());
        record.extend_from_slice(&(entry.words.len() as u32 + 1).to_le_bytes());
        codec::put_bytes(&mut record, EVERY.as_bytes());
        self.index.insert((EVERY, entry.time, entry.id), entry.head.as_slice())?;
        for word in &entry.words {
            codec::put_bytes(&mut record, word.as_bytes());
            self.index.insert((word.as_str(), entry.time, entry.id), entry.head.as_slice())?;
        }
        let mut owner = Vec::new();
        entry.owner.put(&mut owner);
        codec::put_bytes(&mut record, &owner);
        codec::pack_into(&mut record, entry.body)?;
        self.records.insert(entry.id, record.as_slice())?;
        Ok(())
    }

    /// Takes a record out; `false` when there is none.
    pub(crate) fn remove(&mut self, id: &str) -> Result<bool, Fault> {
        let Some(old) = self.records.remove(id)?.map(|record| record.value().to_vec()) else {
            return Ok(false);
        };
        self.unlink(id, &split(&old)?.0, |_, _| false)?;
        Ok(true)
    }

    fn unlink(
        &mut self,
        id: &str,
        place: &Place<'_>,
        keep: impl Fn(&str, u64) -> bool,
    ) -> Result<(), Fault> {
        for word in &place.words {
            if !keep(word, place.time) {
                self.index.remove((*word, place.time, id))?;
            }
        }
        Ok(())
    }
}

/// Where a record is in the index.
struct Place<'a> {
    time: u64,
    words: Vec<&'a str>,
    owner: Option<PackedOwner<'a>>,
}

fn split(record: &[u8]) -> Result<(Place<'_>, &[u8]), Fault> {
    let mut reader = Reader::new(record);
    let version = reader.u8()?;
    if !matches!(version, RECORD | RECORD_UNOWNED) {
        return Err(Fault::Damaged(format!("unknown record version {version}")));
    }
    let time = reader.u64()?;
    let count = reader.u32()?;
    let words = (0..count).map(|_| reader.str()).collect::<Result<_, _>>()?;
    let owner = (version == RECORD).then(|| reader.bytes().map(PackedOwner)).transpose()?;
    Ok((Place { time, words, owner }, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::ALERTS;
    use crate::{Store, StoreOptions};

    /// The record as an earlier build wrote it: without its owner.
    fn unowned(record: &[u8]) -> Vec<u8> {
        let (place, packed) = split(record).unwrap();
        let mut old = vec![RECORD_UNOWNED];
        old.extend_from_slice(&place.time.to_le_bytes());
        old.extend_from_slice(&(place.words.len() as u32).to_le_bytes());
        for word in place.words {
            codec::put_bytes(&mut old, word.as_bytes());
        }
        old.extend_from_slice(packed);
        old
    }

    #[test]
    fn an_owner_is_known_beside_the_body_and_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let names = ["web", "api"];
        let put = |id: &str| {
            let owner = Owner::new("h1:web", names.into_iter());
            let body = br#"{"identity":"h1:web","container":{"name":"api"},"containers":[{"name":"web"}]}"#;
            let entry =
                Entry { id, time: 7, words: vec!["w".into()], head: Vec::new(), owner, body };
            store.db.write("put", |to| ALERTS.writer(to)?.put(&entry)).unwrap();
        };
        put("new");
        put("old");
        let rewrite = |to: &WriteTransaction| {
            let mut records = to.open_table(ALERTS.records)?;
            let old = unowned(records.get("old")?.unwrap().value());
            records.insert("old", old.as_slice())?;
            Ok(())
        };
        store.db.write("rewrite", rewrite).unwrap();
        for id in ["new", "old"] {
            for (name, is) in [("web", true), ("api", true), ("db", false), ("", false)] {
                let keep = |owner: &Owner| {
                    assert_eq!(owner.identity, "h1:web");
                    owner.names().any(|known| known == name)
                };
                let kept = store.db.read("keep", |from| ALERTS.keeps(from, Some(&keep))?(id));
                assert_eq!(kept.unwrap(), is, "{id} {name}");
            }
            let body = store.db.read("get", |from| ALERTS.get(from, id)).unwrap();
            assert!(body.unwrap().starts_with(b"{\"identity\""), "{id}");
        }
    }
}
