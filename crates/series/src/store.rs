//! Series on disk: packed chunks in an embedded database, the newest samples in memory.
//!
//! Samples are appended in memory and made durable by [`SeriesStore::commit`], all or nothing; a kill
//! or a torn write leaves the last commit. Chunks that are not full are a table of their own, which
//! the next commit writes again; full ones share rows of about a page of the database
//! (`store/rows.rs`). Time comes with the samples: the store has no clock. What is older than the newest samples
//! is taken by [`SeriesStore::insert`].

mod head;
mod index;
mod insert;
mod maintain;
mod read;
mod retain;
mod rows;
#[cfg(test)]
mod tests;
mod versions;
mod walk;

use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use redb::{Database, TableDefinition};

use crate::{Labels, Sample, stale, storage::Matcher};
use head::{Head, State};
use index::{decode_labels, encode_labels};

pub use maintain::{SeriesReport, check, database_path};

const SERIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("series");
/// Rows of full chunks, by series and the time of the first sample.
const CHUNKS: TableDefinition<'_, (u64, i64), &[u8]> = TableDefinition::new("rows");
/// The last chunk of each series while it is not full.
const HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("heads");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The name of the store in its directory.
pub const FILE: &str = "series.redb";
/// The version of all of it.
const VERSION: u64 = 2;

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
        let mut database = Database::create(&path).map_err(|error| failed(error.into()))?;
        let found = versions::prepare(&mut database).map_err(failed)?;
        if found > VERSION {
            return Err(SeriesError::Version { path, found });
        }
        let state = versions::restore(&database).map_err(failed)?;
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
        let view = self.view().map_err(|source| self.failed("read", source))?;
        let mut all = Vec::new();
        let inside = |sample: &Sample| (from..=to).contains(&sample.time);
        for at in state.index.select(matchers) {
            let Some((id, labels)) = state.index.get(at) else { continue };
            let newest = state.heads.get(at).is_some_and(|head| head.samples.iter().any(inside));
            if newest
                || read::holds(&view, id, from, to).map_err(|source| self.failed("read", source))?
            {
                all.push(labels.clone());
            }
        }
        Ok(all)
    }

    fn failed(&self, operation: &'static str, source: redb::Error) -> SeriesError {
        SeriesError::Database { operation, path: self.path.clone(), source: Box::new(source) }
    }
}
