//! Samples in any order, of any time: imports, and what comes late.
//!
//! As `promtool tsdb create-blocks-from openmetrics` has it: samples may be older than what is there,
//! and are sorted. Of two of one series with one time the first stays; that of the store was first.

use std::{borrow::Cow, collections::BTreeMap};

use redb::{ReadableTable, WriteTransaction};

use super::{
    Appended, CHUNKS, Head, SERIES, SeriesError, SeriesStore, State, encode_labels,
    index::Index,
    rows::{self, Rows},
};
use crate::{
    Labels, Sample,
    chunk::{self, CHUNK_SAMPLES},
};

impl SeriesStore {
    /// Takes samples of any time in any order and makes them durable, all or nothing, with
    /// everything that was appended before. Linear in the samples and the chunks that they fall into.
    pub fn insert(
        &self,
        samples: impl IntoIterator<Item = (Labels, Sample)>,
    ) -> Result<Appended, SeriesError> {
        let mut by_series: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
        for (labels, sample) in samples {
            by_series.entry(labels).or_default().push(sample);
        }
        self.insert_series(by_series)
    }

    /// The same, of samples that stand by series already.
    pub fn insert_series(
        &self,
        by_series: BTreeMap<Labels, Vec<Sample>>,
    ) -> Result<Appended, SeriesError> {
        let mut state = self.state.write();
        let mut all = Appended::default();
        self.put(&mut state, by_series, &mut all).map_err(|source| self.failed("write", source))?;
        state.written();
        Ok(all)
    }

    fn put(
        &self,
        state: &mut State,
        by_series: BTreeMap<Labels, Vec<Sample>>,
        all: &mut Appended,
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        for (labels, mut samples) in by_series {
            let Some(at) = self.place(state, &labels) else {
                all.too_many_series += samples.len() as u64;
                continue;
            };
            let count = samples.len();
            samples.sort_by_key(|sample| sample.time);
            samples.dedup_by_key(|sample| sample.time);
            let newest = samples.last().map_or(i64::MIN, |last| last.time);
            state.newest = state.newest.max(newest);
            let older = samples.partition_point(|s| state.heads[at].is_after(s.time));
            let fresh = samples.split_off(older);
            let mut taken = state.heads[at].merge(fresh);
            if !samples.is_empty() {
                taken += put_older(&transaction, &state.index, at, &samples)?;
                state.heads[at].settled = true;
            }
            all.taken += taken as u64;
            all.known += (count - taken) as u64;
        }
        state.write_heads(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

impl Head {
    /// True for times before everything that the head has, or could have.
    fn is_after(&self, time: i64) -> bool {
        match self.samples.first() {
            Some(first) => time < first.time,
            None => self.last.is_some_and(|last| time <= last.time),
        }
    }

    /// Takes samples that are not before it; answers how many were new.
    fn merge(&mut self, fresh: Vec<Sample>) -> usize {
        let before = self.samples.len();
        if fresh.first().is_some_and(|first| self.last.is_none_or(|last| last.time < first.time)) {
            self.samples.extend(fresh);
        } else {
            self.samples = merged(&self.samples, &fresh);
        }
        if self.samples.len() > before {
            self.dirty = true;
            // A head that is emptied keeps the last sample of its series.
            self.last = self.samples.last().copied().or(self.last);
        }
        self.samples.len() - before
    }
}

/// Puts samples into the rows before the head; answers how many were new.
fn put_older(
    transaction: &WriteTransaction,
    index: &Index,
    at: usize,
    samples: &[Sample],
) -> Result<usize, redb::Error> {
    let Some((id, labels)) = index.get(at) else { return Ok(0) };
    let mut series = transaction.open_table(SERIES)?;
    if series.get(id)?.is_none() {
        series.insert(id, encode_labels(labels).as_slice())?;
    }
    let mut chunks = transaction.open_table(CHUNKS)?;
    let (mut taken, mut rest) = (0, samples);
    while let Some(first) = rest.first() {
        let next = chunks.range((id, first.time.saturating_add(1))..=(id, i64::MAX))?.next();
        let next = next.transpose()?.map(|(key, _)| key.value().1);
        let here = |next| rest.partition_point(|sample| sample.time < next);
        let (group, later) = rest.split_at(next.map_or(rest.len(), here));
        taken += put_group(&mut chunks, id, group)?;
        rest = later;
    }
    Ok(taken)
}

/// Puts samples into the row that they fall into or follow, or a new one.
fn put_group(chunks: &mut Rows<'_>, id: u64, group: &[Sample]) -> Result<usize, redb::Error> {
    let Some(first) = group.first() else { return Ok(0) };
    let before = chunks.range((id, i64::MIN)..=(id, first.time))?.next_back().transpose()?;
    let before = before.map(|(key, row)| (key.value(), row.value().to_vec()));
    let row = before.as_ref().map_or(&[][..], |(_, row)| row);
    let known = rows::chunks(row).filter(|chunk| chunk::first_time(chunk).is_some());
    let mut all: Vec<Cow<'_, [u8]>> = known.map(Cow::Borrowed).collect();
    let taken = put_chunks(&mut all, group);
    if taken > 0 {
        if let Some((key, _)) = &before {
            chunks.remove(key)?;
        }
        rows::put(chunks, id, all.iter().map(AsRef::as_ref))?;
    }
    Ok(taken)
}

/// Puts samples into the chunks of a row, none of them before the first; answers how many were new.
fn put_chunks(chunks: &mut Vec<Cow<'_, [u8]>>, samples: &[Sample]) -> usize {
    let known = std::mem::take(chunks);
    if known.is_empty() {
        return put_chunk(chunks, None, samples);
    }
    let (mut taken, mut rest) = (0, samples);
    let mut known = known.into_iter().peekable();
    while let Some(chunk) = known.next() {
        let next = known.peek().and_then(|next| chunk::first_time(next));
        let here = |next| rest.partition_point(|sample| sample.time < next);
        let (group, later) = rest.split_at(next.map_or(rest.len(), here));
        taken += put_chunk(chunks, Some(chunk), group);
        rest = later;
    }
    taken
}

/// Adds a chunk with the samples that follow its first one: in it where they fall into it or it has
/// room, else in chunks after it. Too much for one is split into parts of one size, so that more can
/// be put between them.
fn put_chunk<'r>(
    chunks: &mut Vec<Cow<'r, [u8]>>,
    chunk: Option<Cow<'r, [u8]>>,
    group: &[Sample],
) -> usize {
    let Some(first) = group.first() else {
        chunks.extend(chunk);
        return 0;
    };
    let mut known = chunk.as_deref().and_then(chunk::unpack).unwrap_or_default();
    if known.last().is_none_or(|last| last.time < first.time) && known.len() >= CHUNK_SAMPLES {
        known.clear();
    }
    let all = merged(&known, group);
    let taken = all.len() - known.len();
    if known.is_empty() || taken == 0 {
        chunks.extend(chunk);
    }
    if taken > 0 {
        let parts = all.len().div_ceil(CHUNK_SAMPLES);
        let parts = all.chunks(all.len().div_ceil(parts));
        chunks.extend(parts.map(|part| Cow::Owned(chunk::pack(part))));
    }
    taken
}

/// Both, in order of time; of two with one time that of `known`.
fn merged(known: &[Sample], new: &[Sample]) -> Vec<Sample> {
    let mut all = Vec::with_capacity(known.len() + new.len());
    let mut rest = known;
    for sample in new {
        let (before, after) = rest.split_at(rest.partition_point(|k| k.time < sample.time));
        all.extend_from_slice(before);
        rest = after;
        if rest.first().is_none_or(|known| known.time != sample.time) {
            all.push(*sample);
        }
    }
    all.extend_from_slice(rest);
    all
}
