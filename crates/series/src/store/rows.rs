//! Chunks of one series in rows, so that a row fills a page of the database.
//!
//! The database cuts a page that overflows in two halves, and neither grows again where keys arrive
//! in order: small rows leave every page half empty. A row that no second one fits beside has its
//! page to itself.
//!
//! For each chunk, in order of time: its length as a little-endian `u16`, then its bytes. The row's
//! key has the time of the first sample.

use redb::{ReadableTable, Table};

use crate::chunk;

/// Rows by series and the time of their first sample.
pub(super) type Rows<'t> = Table<'t, (u64, i64), &'static [u8]>;

/// Bytes of a row at most: of a page of 4 096 the database takes 4 for itself and 4 for where the
/// value ends, and the key has 16. One chunk alone may be more, which takes a larger page.
pub(super) const ROW_BYTES: usize = 4_096 - 4 - 4 - KEY_BYTES;
/// Bytes of a row's key.
pub(super) const KEY_BYTES: usize = 16;
/// Bytes of a chunk's length.
pub(super) const LENGTH_BYTES: usize = 2;

/// The chunks of a row; ends where it cannot be read.
pub(super) fn chunks(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = row;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (chunk, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = after;
        Some(chunk)
    })
}

/// True for a row of whole chunks.
pub(super) fn is_whole(row: &[u8]) -> bool {
    chunks(row).map(|chunk| LENGTH_BYTES + chunk.len()).sum::<usize>() == row.len()
}

/// Adds a chunk where it fits; false where it does not.
fn add(row: &mut Vec<u8>, chunk: &[u8]) -> bool {
    let Ok(length) = u16::try_from(chunk.len()) else { return false };
    if !row.is_empty() && row.len() + LENGTH_BYTES + chunk.len() > ROW_BYTES {
        return false;
    }
    row.extend(length.to_le_bytes());
    row.extend(chunk);
    true
}

/// Adds a chunk that is later than all others of its series. The row that is not full is written
/// again.
pub(super) fn append(rows: &mut Rows<'_>, id: u64, chunk: &[u8]) -> Result<(), redb::Error> {
    let last = rows.range((id, i64::MIN)..=(id, i64::MAX))?.next_back().transpose()?;
    let grown = last.and_then(|(key, row)| {
        let mut row = row.value().to_vec();
        (is_whole(&row) && add(&mut row, chunk)).then(|| (key.value(), row))
    });
    match grown {
        Some((key, row)) => drop(rows.insert(key, row.as_slice())?),
        None => put(rows, id, [chunk])?,
    }
    Ok(())
}

/// Puts chunks of a series, in order of time, into as few rows as hold them. What has no time that
/// can be read is left out.
pub(super) fn put<'c>(
    rows: &mut Rows<'_>,
    id: u64,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> Result<(), redb::Error> {
    let mut row = Vec::new();
    let mut key = None;
    for chunk in chunks {
        let Some(first) = chunk::first_time(chunk) else { continue };
        if !add(&mut row, chunk) {
            if let Some(key) = key.take() {
                rows.insert((id, key), row.as_slice())?;
            }
            row.clear();
            if !add(&mut row, chunk) {
                continue;
            }
        }
        key = key.or(Some(first));
    }
    if let Some(key) = key {
        rows.insert((id, key), row.as_slice())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::{Database, ReadableDatabase, ReadableTableMetadata, backends::InMemoryBackend};

    use super::super::CHUNKS;
    use super::*;
    use crate::Sample;

    fn database() -> Database {
        Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()
    }

    /// A chunk that begins at a time, and about so many samples of which no two are alike.
    fn chunk_at(time: i64, samples: i64) -> Vec<u8> {
        let value = |n: i64| ((n * 7_919 + time) as f64).sqrt();
        let all = (0..samples).map(|n| Sample { time: time + n, value: value(n) });
        chunk::pack(&all.collect::<Vec<_>>())
    }

    #[test]
    fn a_full_row_takes_a_page_and_one_more_byte_a_second() {
        for (bytes, unused) in [(ROW_BYTES, 0), (ROW_BYTES + 1, 4_095)] {
            let database = database();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(CHUNKS).unwrap().insert((1, 1), &*vec![0; bytes]).unwrap();
            transaction.commit().unwrap();
            let view = database.begin_read().unwrap();
            let stats = view.open_table(CHUNKS).unwrap().stats().unwrap();
            assert_eq!((stats.leaf_pages(), stats.fragmented_bytes()), (1, unused), "{bytes}");
        }
    }

    #[test]
    fn rows_that_are_torn_end_where_they_are() {
        let mut row = Vec::new();
        assert!(add(&mut row, b"first") && add(&mut row, b"second"));
        for (length, found, whole) in [
            (0, 0, true),
            (1, 0, false),
            (7, 1, true),
            (8, 1, false),
            (14, 1, false),
            (15, 2, true),
        ] {
            let torn = &row[..length];
            assert_eq!((chunks(torn).count(), is_whole(torn)), (found, whole), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(row in proptest::collection::vec(any::<u8>(), 0..300)) {
            let read = chunks(&row).map(|chunk| LENGTH_BYTES + chunk.len()).sum::<usize>();
            prop_assert!(read <= row.len());
        }

        #[test]
        fn one_by_one_or_together_rows_hold_the_same_in_order(
            sizes in proptest::collection::vec(1i64..200, 1..60)
        ) {
            let all: Vec<Vec<u8>> =
                (0i64..).zip(&sizes).map(|(n, size)| chunk_at(n * 1_000, *size)).collect();
            let database = database();
            let transaction = database.begin_write().unwrap();
            let mut rows = transaction.open_table(CHUNKS).unwrap();
            put(&mut rows, 1, all.iter().map(Vec::as_slice)).unwrap();
            for one in &all {
                append(&mut rows, 2, one).unwrap();
            }
            let mut found = [Vec::new(), Vec::new()];
            for row in rows.iter().unwrap() {
                let (key, row) = row.unwrap();
                let (id, first) = key.value();
                prop_assert!(row.value().len() <= ROW_BYTES && is_whole(row.value()));
                prop_assert_eq!(chunks(row.value()).next().and_then(chunk::first_time), Some(first));
                found[id as usize - 1].extend(chunks(row.value()).map(<[u8]>::to_vec));
            }
            prop_assert_eq!(&found[0], &all);
            prop_assert_eq!(&found[1], &all);
        }
    }
}
