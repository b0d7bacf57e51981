//! Series on disk: packed chunks in an embedded database, the newest samples in memory.
//!
//! Samples are appended in memory and made durable by [`SeriesStore::commit`], all or nothing; a kill
//! or a torn write leaves the last commit. A chunk that is not full is written again with the next
//! commit. Time comes with the samples: the store has no clock. What is older than the newest samples
//! is taken by [`SeriesStore::insert`].

mod index;
mod insert;
mod maintain;
#[cfg(test)]
mod tests;
mod walk;

use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::{
    Labels, QueryError, Sample, Series, Storage,
    chunk::{self, CHUNK_SAMPLES},
    stale,
    storage::Matcher,
};
use index::{Index, decode_labels, encode_labels};

pub use maintain::{SeriesReport, check, database_path};

const SERIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("series");
/// By series and the time of the first sample.
const CHUNKS: TableDefinition<'_, (u64, i64), &[u8]> = TableDefinition::new("chunks");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The name of the store in its directory.
pub const FILE: &str = "series.redb";
/// The version of all of it.
const VERSION: u64 = 1;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Samples older than this before the newest are deleted, ms. 15 days, as in Prometheus.
    pub retention: i64,
    /// Packed bytes at most; the oldest go first. 512 MiB: a month of a fleet's metrics.
    pub max_bytes: u64,
    /// Series at most; samples of further ones are refused and counted.
    pub max_series: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { retention: 15 * 86_400_000, max_bytes: 512 << 20, max_series: 200_000 }
    }
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The database did.
    #[error("failed to {operation} {path}", path = path.display())]
    Database {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// Another process has it open.
    #[error("{path} is held by another process", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error("{path} is of version {found}, and this program knows versions up to {VERSION}: use the program that wrote it", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

/// What became of samples that were appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Taken.
    pub taken: u64,
    /// Not later than the last of their series, where that matters.
    pub out_of_order: u64,
    /// There already: the same time, and where that matters the same value.
    pub known: u64,
    /// Of new series, past the limit.
    pub too_many_series: u64,
}

/// The newest samples of a series.
#[derive(Clone, Debug, Default)]
struct Head {
    samples: Vec<Sample>,
    /// The last sample, wherever it is.
    last: Option<Sample>,
    /// Samples that no commit has.
    dirty: bool,
    /// It was in the last scrape, and no end was noted.
    live: bool,
}

impl Head {
    fn last_time(&self) -> Option<i64> {
        self.last.map(|last| last.time)
    }

    fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
        (self.last, self.dirty) = (Some(sample), true);
    }
}

#[derive(Default)]
struct State {
    index: Index,
    heads: Vec<Head>,
    newest: i64,
}

impl State {
    fn write_heads(&self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut series = transaction.open_table(SERIES)?;
        let mut chunks = transaction.open_table(CHUNKS)?;
        for (at, head) in self.heads.iter().enumerate().filter(|(_, head)| head.dirty) {
            let Some((id, labels)) = self.index.get(at) else { continue };
            if series.get(id)?.is_none() {
                series.insert(id, encode_labels(labels).as_slice())?;
            }
            for part in head.samples.chunks(CHUNK_SAMPLES) {
                chunks.insert((id, part[0].time), chunk::pack(part).as_slice())?;
            }
        }
        Ok(())
    }

    /// The heads are durable: what fills a chunk is no head's any more.
    fn written(&mut self) {
        for head in self.heads.iter_mut().filter(|head| head.dirty) {
            head.dirty = false;
            let full = head.samples.len() / CHUNK_SAMPLES * CHUNK_SAMPLES;
            head.samples.drain(..full);
        }
    }

    /// Makes the index anew without some of the series.
    fn leave_out(&mut self, ended: &[bool]) {
        let (mut index, mut heads) = (Index::default(), Vec::new());
        for (at, head) in std::mem::take(&mut self.heads).into_iter().enumerate() {
            if !ended[at]
                && let Some((id, labels)) = self.index.get(at)
            {
                index.restore(id, labels);
                heads.push(head);
            }
        }
        index.go_on_from(&self.index);
        (self.index, self.heads) = (index, heads);
    }
}

/// See the module's text.
pub struct SeriesStore {
    path: PathBuf,
    options: StoreOptions,
    database: Database,
    state: RwLock<State>,
}

impl SeriesStore {
    /// Opens or creates the store in a directory that exists.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, SeriesError> {
        let path = database_path(dir);
        let failed = |source: redb::Error| match source {
            redb::Error::DatabaseAlreadyOpen => SeriesError::InUse { path: path.clone() },
            source => SeriesError::Database {
                operation: "open",
                path: path.clone(),
                source: Box::new(source),
            },
        };
        let database = Database::create(&path).map_err(|error| failed(error.into()))?;
        let found = prepare(&database).map_err(failed)?;
        if found > VERSION {
            return Err(SeriesError::Version { path, found });
        }
        let state = restore(&database).map_err(failed)?;
        Ok(Self { path, options, database, state: RwLock::new(state) })
    }

    /// Appends samples. Of one series each must be later than the one before.
    pub fn append(&self, samples: &[(Labels, Sample)]) -> Appended {
        let mut state = self.state.write();
        let mut all = Appended::default();
        for (labels, sample) in samples {
            self.add(&mut state, labels, *sample, &mut all);
        }
        all
    }

    /// Appends one scrape: series that were in the one before and are not in this one end here.
    pub fn append_scrape(&self, time: i64, values: &[(Labels, f64)]) -> Appended {
        let mut state = self.state.write();
        let mut all = Appended::default();
        let mut there = vec![false; state.heads.len()];
        for (labels, value) in values {
            if let Some(at) = self.add(&mut state, labels, Sample { time, value: *value }, &mut all)
            {
                there.resize(state.heads.len(), false);
                there[at] = true;
            }
        }
        for (head, there) in state.heads.iter_mut().zip(there) {
            if head.live && !there && head.last_time().is_none_or(|last| last < time) {
                head.push(Sample { time, value: stale() });
            }
            head.live = there;
        }
        all
    }

    /// The place of a series; a new one where there is room.
    fn place(&self, state: &mut State, labels: &Labels) -> Option<usize> {
        let known = state.index.find(labels);
        if known.is_none() && state.index.len() >= self.options.max_series {
            return None;
        }
        let at = known.unwrap_or_else(|| state.index.add(labels));
        if state.heads.len() <= at {
            state.heads.resize_with(at + 1, Head::default);
        }
        Some(at)
    }

    fn add(
        &self,
        state: &mut State,
        labels: &Labels,
        sample: Sample,
        all: &mut Appended,
    ) -> Option<usize> {
        let Some(at) = self.place(state, labels) else {
            all.too_many_series += 1;
            return None;
        };
        let head = &mut state.heads[at];
        match head.last {
            Some(last) if last.time == sample.time && last.is_same_value(sample) => all.known += 1,
            Some(last) if last.time >= sample.time => all.out_of_order += 1,
            _ => {
                head.push(sample);
                state.newest = state.newest.max(sample.time);
                all.taken += 1;
            }
        }
        Some(at)
    }

    /// Makes everything durable that was appended. Linear in the series that have changed.
    pub fn commit(&self) -> Result<(), SeriesError> {
        let mut state = self.state.write();
        self.write(&state).map_err(|source| self.failed("write", source))?;
        state.written();
        Ok(())
    }

    fn write(&self, state: &State) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        state.write_heads(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    /// Deletes what is too old or too much, and series of which nothing is left; answers how many
    /// chunks went. Samples of times after `now` make no others old. Linear in the chunks.
    pub fn retain(&self, now: i64) -> Result<u64, SeriesError> {
        let mut state = self.state.write();
        let oldest = state.newest.min(now).saturating_sub(self.options.retention);
        let ended = |head: &Head| head.last_time().is_none_or(|last| last < oldest);
        let ended: Vec<bool> = state.heads.iter().map(ended).collect();
        let ids = ended.iter().enumerate().filter(|(_, ended)| **ended);
        let ids: Vec<u64> = ids.filter_map(|(at, _)| Some(state.index.get(at)?.0)).collect();
        let gone = self.delete(oldest, &ids).map_err(|source| self.failed("clean", source))?;
        if !ids.is_empty() {
            state.leave_out(&ended);
        }
        Ok(gone)
    }

    fn delete(&self, oldest: i64, series: &[u64]) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut gone = 0;
        {
            let mut chunks = transaction.open_table(CHUNKS)?;
            let mut all: Vec<(i64, (u64, i64), u64)> = Vec::new();
            let mut bytes = 0;
            for entry in chunks.iter()? {
                let (key, value) = entry?;
                let size = value.value().len() as u64 + 16;
                bytes += size;
                all.push((chunk::last_time(value.value()).unwrap_or(i64::MIN), key.value(), size));
            }
            all.sort_unstable();
            for (last, key, size) in all {
                if last >= oldest && bytes <= self.options.max_bytes {
                    break;
                }
                chunks.remove(key)?;
                bytes -= size;
                gone += 1;
            }
            let mut known = transaction.open_table(SERIES)?;
            for id in series {
                known.remove(id)?;
            }
        }
        transaction.commit()?;
        Ok(gone)
    }

    /// Bytes of all chunks with their keys, without what the database adds. Linear in the chunks.
    pub fn packed_bytes(&self) -> Result<u64, SeriesError> {
        let count = || -> Result<u64, redb::Error> {
            let view = self.database.begin_read()?;
            let mut bytes = 0;
            for entry in view.open_table(CHUNKS)?.iter()? {
                bytes += entry?.1.value().len() as u64 + 16;
            }
            Ok(bytes)
        };
        count().map_err(|source| self.failed("measure", source))
    }

    /// Series known.
    pub fn series(&self) -> usize {
        self.state.read().index.len()
    }

    /// All labels of all series that meet the conditions.
    pub fn labels(&self, matchers: &[Matcher]) -> Vec<Labels> {
        let state = self.state.read();
        let found = state.index.select(matchers);
        found.into_iter().filter_map(|at| Some(state.index.get(at)?.1.clone())).collect()
    }

    /// The same, of those that have a sample from one time to another, both included.
    pub fn labels_between(
        &self,
        matchers: &[Matcher],
        (from, to): (i64, i64),
    ) -> Result<Vec<Labels>, SeriesError> {
        let state = self.state.read();
        let mut all = Vec::new();
        let inside = |sample: &Sample| (from..=to).contains(&sample.time);
        for at in state.index.select(matchers) {
            let Some((id, labels)) = state.index.get(at) else { continue };
            let newest = state.heads.get(at).is_some_and(|head| head.samples.iter().any(inside));
            if newest || self.holds(id, from, to).map_err(|source| self.failed("read", source))? {
                all.push(labels.clone());
            }
        }
        Ok(all)
    }

    /// Whether a series has a stored sample in a time; at most one chunk is unpacked for that.
    fn holds(&self, id: u64, from: i64, to: i64) -> Result<bool, redb::Error> {
        if from > to {
            return Ok(false);
        }
        let view = self.database.begin_read()?;
        let chunks = view.open_table(CHUNKS)?;
        if chunks.range((id, from)..=(id, to))?.next().is_some() {
            return Ok(true);
        }
        let before = chunks.range((id, i64::MIN)..(id, from))?.next_back().transpose()?;
        let samples = before.and_then(|(_, value)| chunk::unpack(value.value()));
        Ok(samples.unwrap_or_default().iter().any(|s| (from..=to).contains(&s.time)))
    }

    fn stored(&self, id: u64, from: i64, to: i64) -> Result<Vec<Sample>, redb::Error> {
        let view = self.database.begin_read()?;
        let chunks = view.open_table(CHUNKS)?;
        // The chunk before the first that begins inside may reach into it.
        let before = chunks.range((id, i64::MIN)..(id, from))?.next_back().transpose()?;
        let start = before.map_or(from, |(key, _)| key.value().1);
        let mut samples = Vec::new();
        for entry in chunks.range((id, start)..=(id, to))? {
            let (_, value) = entry?;
            // A chunk that cannot be read is as if it were not there.
            let unpacked = chunk::unpack(value.value()).unwrap_or_default();
            samples.extend(unpacked.into_iter().filter(|s| (from..=to).contains(&s.time)));
        }
        Ok(samples)
    }

    /// All samples of a series; what the head has, the chunks have not or not yet as it is now.
    fn samples(
        &self,
        state: &State,
        at: usize,
        id: u64,
        (from, to): (i64, i64),
    ) -> Result<Vec<Sample>, redb::Error> {
        let mut samples = self.stored(id, from, to)?;
        let head = state.heads.get(at).map_or(&[][..], |head| head.samples.as_slice());
        if let Some(first) = head.first() {
            samples.retain(|sample| sample.time < first.time);
        }
        samples.extend(head.iter().filter(|s| (from..=to).contains(&s.time)));
        Ok(samples)
    }

    fn failed(&self, operation: &'static str, source: redb::Error) -> SeriesError {
        SeriesError::Database { operation, path: self.path.clone(), source: Box::new(source) }
    }
}

impl Storage for SeriesStore {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError> {
        let state = self.state.read();
        let (mut all, mut count) = (Vec::new(), 0);
        for at in state.index.select(matchers) {
            let Some((id, labels)) = state.index.get(at) else { continue };
            let samples = self
                .samples(&state, at, id, (from, to))
                .map_err(|error| QueryError::Execution(self.failed("read", error).to_string()))?;
            count += samples.len();
            if count > most {
                return Err(QueryError::too_many_samples());
            }
            if !samples.is_empty() {
                all.push(Series { labels: labels.clone(), samples });
            }
        }
        Ok(all)
    }
}

/// Makes the tables; answers the version of what is there.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let found = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("version")?.map(|version| version.value());
        if let Some(later) = found.filter(|found| *found > VERSION) {
            // Its tables may be others.
            return Ok(later);
        }
        if found.is_none() {
            meta.insert("version", VERSION)?;
        }
        transaction.open_table(SERIES)?;
        transaction.open_table(CHUNKS)?;
        found.unwrap_or(VERSION)
    };
    transaction.commit()?;
    Ok(found)
}

/// The index, and the last chunk of each series while it is not full.
fn restore(database: &Database) -> Result<State, redb::Error> {
    let view = database.begin_read()?;
    let (series, chunks) = (view.open_table(SERIES)?, view.open_table(CHUNKS)?);
    let mut state = State::default();
    for entry in series.iter()? {
        let (id, labels) = entry?;
        let at = state.index.restore(id.value(), &decode_labels(labels.value()));
        let last = chunks.range((id.value(), i64::MIN)..=(id.value(), i64::MAX))?.next_back();
        let mut head = Head::default();
        if let Some((_, value)) = last.transpose()? {
            let samples = chunk::unpack(value.value()).unwrap_or_default();
            head.last = samples.last().copied();
            state.newest = state.newest.max(head.last_time().unwrap_or(0));
            if samples.len() < CHUNK_SAMPLES {
                head.samples = samples;
            }
        }
        state.heads.resize_with(at + 1, Head::default);
        state.heads[at] = head;
    }
    Ok(state)
}
