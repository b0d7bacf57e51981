//! Deleting what is too old or too much, chunk by chunk.

use redb::{ReadableDatabase, ReadableTable};

use super::{
    CHUNKS, HEADS, SERIES, SeriesError, SeriesStore,
    rows::{self, KEY_BYTES, LENGTH_BYTES},
};
use crate::chunk::last_time;

/// Rows that are cut in one transaction, at least. Until the next but one their old pages are kept
/// beside the new ones: all at once could take as much as the store.
const CUT_ROWS: usize = 64;
/// Transactions in which all are cut, at most: each waits for the disk.
const CUTS: usize = 64;

impl SeriesStore {
    /// Deletes what is too old or too much, and series of which nothing is left; answers how many
    /// chunks went. Samples of times after `now` make no others old. Linear in the chunks. Where it
    /// fails or is killed, what it has deleted so far stays deleted.
    pub fn retain(&self, now: i64) -> Result<u64, SeriesError> {
        let failed = |source| self.failed("clean", source);
        let oldest = self.state.read().newest.min(now).saturating_sub(self.options.retention);
        let first = oldest.max(self.first_that_fits().map_err(failed)?);
        let mut gone = 0;
        let rows = self.rows_before(first).map_err(failed)?;
        for some in rows.chunks(rows.len().div_ceil(CUTS).max(CUT_ROWS)) {
            gone += self.cut(some, first).map_err(failed)?;
        }
        gone += self.end(oldest, first).map_err(failed)?;
        Ok(gone)
    }

    /// The time before which chunks have to end to go, so that the others are no more than may be
    /// kept.
    fn first_that_fits(&self) -> Result<i64, redb::Error> {
        let mut bytes = self.count_bytes()?;
        if bytes <= self.options.max_bytes {
            return Ok(i64::MIN);
        }
        let transaction = self.database.begin_read()?;
        let mut all: Vec<(i64, u64)> = Vec::new();
        let mut note = |chunk: &[u8], beside: usize| {
            all.push((last_time(chunk).unwrap_or(i64::MIN), (chunk.len() + beside) as u64));
        };
        for entry in transaction.open_table(CHUNKS)?.iter()? {
            rows::chunks(entry?.1.value()).for_each(|chunk| note(chunk, LENGTH_BYTES));
        }
        for entry in transaction.open_table(HEADS)?.iter()? {
            note(entry?.1.value(), size_of::<u64>());
        }
        all.sort_unstable();
        let mut first = i64::MIN;
        for (last, size) in all {
            if bytes <= self.options.max_bytes && last >= first {
                break;
            }
            first = last.saturating_add(1);
            bytes = bytes.saturating_sub(size);
        }
        Ok(first)
    }

    /// The keys of the rows with chunks that end before a time.
    fn rows_before(&self, first: i64) -> Result<Vec<(u64, i64)>, redb::Error> {
        let mut keys = Vec::new();
        for entry in self.view()?.iter()? {
            let (key, row) = entry?;
            if rows::chunks(row.value()).next().and_then(last_time).is_none_or(|last| last < first)
            {
                keys.push(key.value());
            }
        }
        Ok(keys)
    }

    /// Leaves of rows what ends at a time or later.
    fn cut(&self, keys: &[(u64, i64)], first: i64) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut gone = 0;
        {
            let mut chunks = transaction.open_table(CHUNKS)?;
            for key in keys {
                let Some(row) = chunks.remove(key)?.map(|row| row.value().to_vec()) else {
                    continue;
                };
                let young = |chunk: &&[u8]| last_time(chunk).is_some_and(|last| last >= first);
                let kept: Vec<&[u8]> = rows::chunks(&row).filter(young).collect();
                gone += (rows::chunks(&row).count() - kept.len()) as u64;
                rows::put(&mut chunks, key.0, kept)?;
            }
        }
        transaction.commit()?;
        Ok(gone)
    }

    /// Deletes series without a sample since `oldest`, and the heads of others that end before
    /// `first`; answers how many heads went.
    fn end(&self, oldest: i64, first: i64) -> Result<u64, redb::Error> {
        let mut state = self.state.write();
        let before = |time: i64| move |last: Option<i64>| last.is_none_or(|last| last < time);
        let ended: Vec<bool> =
            state.heads.iter().map(|head| before(oldest)(head.last_time())).collect();
        let over: Vec<usize> = (0..state.heads.len())
            .filter(|at| ended[*at] || !state.heads[*at].dirty)
            .filter(|at| before(first)(state.heads[*at].last_time()))
            .filter(|at| ended[*at] || !state.heads[*at].samples.is_empty())
            .collect();
        let transaction = self.database.begin_write()?;
        let mut gone = 0;
        {
            let mut heads = transaction.open_table(HEADS)?;
            let mut series = transaction.open_table(SERIES)?;
            for at in &over {
                let Some((id, _)) = state.index.get(*at) else { continue };
                gone += u64::from(heads.remove(id)?.is_some());
                if ended[*at] {
                    series.remove(id)?;
                }
            }
        }
        transaction.commit()?;
        for at in &over {
            state.heads[*at].samples.clear();
        }
        if ended.contains(&true) {
            state.leave_out(&ended);
        }
        Ok(gone)
    }

    /// Bytes of all chunks with their keys, without what the database adds. Linear in the rows.
    pub fn packed_bytes(&self) -> Result<u64, SeriesError> {
        self.count_bytes().map_err(|source| self.failed("measure", source))
    }

    fn count_bytes(&self) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_read()?;
        let mut bytes = 0;
        for entry in transaction.open_table(CHUNKS)?.iter()? {
            bytes += entry?.1.value().len() + KEY_BYTES;
        }
        for entry in transaction.open_table(HEADS)?.iter()? {
            bytes += entry?.1.value().len() + size_of::<u64>();
        }
        Ok(bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StoreOptions, check, database_path};
    use super::*;
    use crate::{Labels, Sample, Series, chunk::CHUNK_SAMPLES};

    const SERIES_COUNT: i64 = 7;
    const SAMPLES: i64 = 3_000;

    /// Series of several rows each; the last ends in the middle.
    fn fill(store: &SeriesStore) {
        for time in 0..SAMPLES {
            let mut scrape = Vec::new();
            for n in 0..SERIES_COUNT {
                if n < SERIES_COUNT - 1 || time < SAMPLES / 2 {
                    let labels = Labels::new([("n", n.to_string())]);
                    scrape.push((labels, ((time * n) as f64).sqrt()));
                }
            }
            store.append_scrape(time, &scrape);
            if time % 40 == 39 {
                store.commit().unwrap();
            }
        }
    }

    fn times(store: &SeriesStore) -> Vec<Vec<i64>> {
        let mut all = Vec::new();
        let mut note = |series: Series| {
            all.push(series.samples.iter().map(|sample| sample.time).collect());
            Ok::<(), SeriesError>(())
        };
        store.each(&[], (i64::MIN + 1, i64::MAX), &mut note).unwrap();
        all
    }

    fn store(dir: &std::path::Path, options: StoreOptions) -> SeriesStore {
        SeriesStore::open(dir, options).unwrap()
    }

    #[test]
    fn rows_are_cut_to_the_chunk_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let last = SAMPLES - 1;
        let with = |retention| StoreOptions { retention, ..StoreOptions::default() };
        fill(&store(dir.path(), with(i64::MAX)));
        for (retention, series) in [
            (i64::MAX, SERIES_COUNT),
            (last, SERIES_COUNT),
            (2_500, SERIES_COUNT),
            (1_700, SERIES_COUNT),
            (1_499, SERIES_COUNT),
            // The one that ended is older, with the sample that says so.
            (1_498, SERIES_COUNT - 1),
            (121, SERIES_COUNT - 1),
            (0, SERIES_COUNT - 1),
        ] {
            let store = store(dir.path(), with(retention));
            let gone = store.retain(i64::MAX).unwrap();
            assert_eq!(gone == 0, retention >= last, "{retention}");
            assert_eq!(store.retain(i64::MAX).unwrap(), 0, "all of it at once");
            let kept = times(&store);
            assert_eq!(kept.len() as i64, series, "{retention}");
            for (n, kept) in (0..).zip(kept) {
                let newest = if n < SERIES_COUNT - 1 { last } else { SAMPLES / 2 };
                let oldest = last.saturating_sub(retention).max(0);
                assert!(kept.iter().copied().eq(kept[0]..=newest), "{retention}");
                let older = kept.iter().filter(|time| **time < oldest).count();
                assert!(kept[0] <= oldest && older < CHUNK_SAMPLES, "{retention}: {older}");
            }
        }
        let path = database_path(dir.path());
        let report = check(&mut redb::Database::create(&path).unwrap(), &path).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }

    #[test]
    fn the_oldest_of_too_many_go_whichever_series_they_are_of() {
        let dir = tempfile::tempdir().unwrap();
        let of = |max_bytes| StoreOptions { max_bytes, ..StoreOptions::default() };
        fill(&store(dir.path(), of(u64::MAX)));
        for max_bytes in [u64::MAX, 100_000, 50_000, 20_000, 9_000, 100, 0] {
            let store = store(dir.path(), of(max_bytes));
            let before = store.packed_bytes().unwrap();
            let gone = store.retain(i64::MAX).unwrap();
            let after = store.packed_bytes().unwrap();
            assert_eq!(gone > 0, before > max_bytes, "{max_bytes}");
            assert!(after <= max_bytes, "{after} of {max_bytes}");
            let kept: Vec<Vec<i64>> = times(&store);
            let first = kept.iter().map(|times| times[0]);
            let (least, most) = (first.clone().min(), first.max());
            // No chunk of one series stays that ends before one of another that went.
            let apart = most.zip(least).map_or(0, |(most, least)| most - least);
            assert!(apart <= 2 * CHUNK_SAMPLES as i64, "{max_bytes}: {apart}");
            // Not more than it had to be: a chunk of each series may have one end.
            assert!(max_bytes > before || after + 10_000 >= max_bytes, "{after} of {max_bytes}");
        }
    }

    #[test]
    fn what_no_commit_has_is_not_deleted_for_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), StoreOptions { max_bytes: 0, ..StoreOptions::default() });
        let labels = Labels::new([("n", "a")]);
        let append = |time| store.append(&[(labels.clone(), Sample { time, value: 1.0 })]).taken;
        assert_eq!(append(1), 1);
        assert_eq!((store.retain(i64::MAX).unwrap(), times(&store)), (0, vec![vec![1]]));
        store.commit().unwrap();
        assert_eq!((store.retain(i64::MAX).unwrap(), times(&store)), (1, Vec::<Vec<i64>>::new()));
        assert_eq!((append(1), append(2), store.series()), (0, 1, 1), "it goes on");
    }
}
