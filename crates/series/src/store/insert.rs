//! Samples in any order, of any time: imports, and what comes late.
//!
//! As `promtool tsdb create-blocks-from openmetrics` has it: samples may be older than what is there,
//! and are sorted. Of two of one series with one time the first stays; that of the store was first.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    Appended, CHUNKS, Head, SERIES, SeriesError, SeriesStore, State, encode_labels, index::Index,
};
use crate::{
    Labels, Sample,
    chunk::{self, CHUNK_SAMPLES},
};

type Chunks<'t> = Table<'t, (u64, i64), &'static [u8]>;

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
                taken += put_older(&transaction, &state.index, at, &samples, &state.heads[at])?;
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

/// Puts samples into the chunks before the head; answers how many were new.
fn put_older(
    transaction: &WriteTransaction,
    index: &Index,
    at: usize,
    samples: &[Sample],
    head: &Head,
) -> Result<usize, redb::Error> {
    let Some((id, labels)) = index.get(at) else { return Ok(0) };
    let mut series = transaction.open_table(SERIES)?;
    if series.get(id)?.is_none() {
        series.insert(id, encode_labels(labels).as_slice())?;
    }
    let mut chunks = transaction.open_table(CHUNKS)?;
    let end = head.samples.first().map_or(i64::MAX, |first| first.time);
    let (mut taken, mut rest) = (0, samples);
    while let Some(first) = rest.first() {
        let next = chunks.range((id, first.time.saturating_add(1))..(id, end))?.next();
        let next = next.transpose()?.map_or(end, |(key, _)| key.value().1);
        let (group, later) = rest.split_at(rest.partition_point(|sample| sample.time < next));
        taken += put_group(&mut chunks, id, group)?;
        rest = later;
    }
    Ok(taken)
}

/// Puts samples into the chunk that they fall into or that has room before them, or a new one. Too
/// much for one is split into parts of one size, so that more can be put between them.
fn put_group(chunks: &mut Chunks<'_>, id: u64, group: &[Sample]) -> Result<usize, redb::Error> {
    let Some(first) = group.first() else { return Ok(0) };
    let before = chunks.range((id, i64::MIN)..=(id, first.time))?.next_back().transpose()?;
    let known = before.and_then(|(_, value)| chunk::unpack(value.value())).unwrap_or_default();
    let reaches = known.last().is_some_and(|last| last.time >= first.time);
    let known = if reaches || known.len() < CHUNK_SAMPLES { known } else { Vec::new() };
    let all = merged(&known, group);
    let taken = all.len() - known.len();
    if taken > 0 {
        let parts = all.len().div_ceil(CHUNK_SAMPLES);
        for part in all.chunks(all.len().div_ceil(parts)) {
            chunks.insert((id, part[0].time), chunk::pack(part).as_slice())?;
        }
    }
    Ok(taken)
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
