//! The tables, as each version had them.
//!
//! Version 1 had every chunk in a row of its own, the one that was not full among them. It is made
//! version 2 when it is opened, all or nothing.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::{CHUNKS, HEADS, META, SERIES, State, VERSION, decode_labels, head::Head, rows};
use crate::chunk::{self, CHUNK_SAMPLES};

/// Chunks of version 1, by series and the time of the first sample.
pub(super) const CHUNKS_1: TableDefinition<'_, (u64, i64), &[u8]> = TableDefinition::new("chunks");

/// Makes the tables, from those of an older version where there are some; answers the version of
/// what is there, which may be later than is known here.
pub(super) fn prepare(database: &mut Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let found = transaction.open_table(META)?.get("version")?.map(|version| version.value());
    if let Some(later) = found.filter(|found| *found > VERSION) {
        // Its tables may be others.
        return Ok(later);
    }
    transaction.open_table(SERIES)?;
    transaction.open_table(CHUNKS)?;
    transaction.open_table(HEADS)?;
    let is_older = found.is_some_and(|found| found < VERSION);
    if is_older {
        from_version_1(&transaction)?;
    }
    transaction.open_table(META)?.insert("version", VERSION)?;
    transaction.commit()?;
    if is_older {
        // For a moment both versions had room beside each other.
        while database.compact()? {}
    }
    Ok(VERSION)
}

fn from_version_1(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    {
        let old = transaction.open_table(CHUNKS_1)?;
        let (mut new, mut heads) =
            (transaction.open_table(CHUNKS)?, transaction.open_table(HEADS)?);
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut entries = old.iter()?.peekable();
        while let Some(entry) = entries.next() {
            let (key, chunk) = entry?;
            let id = key.value().0;
            all.push(chunk.value().to_vec());
            if matches!(entries.peek(), Some(Ok((next, _))) if next.value().0 == id) {
                continue;
            }
            let open = |last: &mut Vec<u8>| {
                chunk::unpack(last).is_some_and(|samples| samples.len() < CHUNK_SAMPLES)
            };
            if let Some(head) = all.pop_if(open) {
                heads.insert(id, head.as_slice())?;
            }
            rows::put(&mut new, id, all.iter().map(Vec::as_slice))?;
            all.clear();
        }
    }
    transaction.delete_table(CHUNKS_1)?;
    Ok(())
}

/// The index and the heads.
pub(super) fn restore(database: &Database) -> Result<State, redb::Error> {
    let view = database.begin_read()?;
    let (series, chunks) = (view.open_table(SERIES)?, view.open_table(CHUNKS)?);
    let heads = view.open_table(HEADS)?;
    let mut state = State::default();
    for entry in series.iter()? {
        let (id, labels) = entry?;
        let id = id.value();
        let row = chunks.range((id, i64::MIN)..=(id, i64::MAX))?.next_back().transpose()?;
        let mut head = Head { settled: row.is_some(), ..Head::default() };
        if let Some(open) = heads.get(id)? {
            head.samples = chunk::unpack(open.value()).unwrap_or_default();
        }
        head.last = head.samples.last().copied().or_else(|| {
            let (_, row) = row?;
            chunk::unpack(rows::chunks(row.value()).last()?)?.last().copied()
        });
        state.newest = state.newest.max(head.last_time().unwrap_or(0));
        let at = state.index.restore(id, &decode_labels(labels.value()));
        state.heads.resize_with(at + 1, Head::default);
        state.heads[at] = head;
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::super::{FILE, SeriesStore, StoreOptions, check, database_path};
    use super::*;
    use crate::{Series, is_stale};

    /// Version 1, as it was written when it was the newest: never to be changed. Two full chunks and
    /// an open one; a full one; one that was put before others; a single sample.
    const FIXTURE: &str = include_str!("../../tests/fixtures/store-v1.txt");

    fn bytes(hex: &str) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    fn version_1(dir: &std::path::Path) {
        let database = Database::create(dir.join(FILE)).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("version", 1).unwrap();
        for line in FIXTURE.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (id, value) = (words[1].parse().unwrap(), bytes(words[words.len() - 1]));
            if words[0] == "series" {
                transaction.open_table(SERIES).unwrap().insert(id, &*value).unwrap();
            } else {
                let key = (id, words[2].parse().unwrap());
                transaction.open_table(CHUNKS_1).unwrap().insert(key, &*value).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    fn all(store: &SeriesStore) -> Vec<Series> {
        let mut all = Vec::new();
        let each = store.each(&[], (i64::MIN + 1, i64::MAX), |series| {
            all.push(series);
            Ok::<(), super::super::SeriesError>(())
        });
        each.unwrap();
        all
    }

    #[test]
    fn a_store_of_version_1_is_opened_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        version_1(dir.path());
        let path = database_path(dir.path());
        let report = |database: &mut Database| check(database, &path).unwrap();
        let before = report(&mut Database::create(&path).unwrap());
        assert_eq!((before.series, before.samples, before.problems.len()), (4, 551, 0));
        let time = |n: i64| 1_790_000_000_000 + n * 15_000;
        for round in 0..2 {
            let store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
            let found = all(&store);
            let names = ["full", "late", "one", "up"];
            assert!(found.iter().map(|series| series.labels.get("__name__")).eq(names));
            let [full, late, one, up] = &found[..] else { panic!("four series") };
            assert!(full.samples.iter().zip(0..).all(|(s, n)| s.time == time(n) && s.value == 7.0));
            let numbers = (0..50).chain(100..230);
            assert!(late.samples.iter().map(|s| s.time).eq(numbers.clone().map(time)));
            assert!(late.samples.iter().map(|s| s.value).eq(numbers.map(|n| n as f64 / 4.0)));
            assert!(one.samples[0].time == time(3) && is_stale(one.samples[0].value));
            assert!(
                up.samples.iter().zip(0..).all(|(s, n)| s.time == time(n) && s.value == n as f64)
            );
            let counts = [full, late, one, up].map(|series| series.samples.len() as i64);
            assert_eq!(counts, [120, 180, 1, 250 + 200 * round]);
            for n in 250..450 {
                let sample = crate::Sample { time: time(n), value: n as f64 };
                store.append(&[(up.labels.clone(), sample)]);
            }
            store.commit().unwrap();
        }
        let after = report(&mut Database::create(&path).unwrap());
        assert_eq!((after.series, after.samples), (4, 751));
        assert_eq!((after.problems, after.oldest), (Vec::new(), before.oldest));
    }
}
