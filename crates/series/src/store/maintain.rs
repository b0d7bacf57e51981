//! A look at everything stored, and giving room back; for people, while no service runs.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable};

use super::{CHUNKS, FILE, META, SERIES, SeriesError, SeriesStore, VERSION};
use crate::chunk;

/// Problems that are named; enough to see a pattern.
const PROBLEMS: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesReport {
    /// What is not as it should be.
    pub problems: Vec<String>,
    /// Series.
    pub series: u64,
    /// Samples of them.
    pub samples: u64,
    /// Packed bytes.
    pub bytes: u64,
    /// The oldest sample's time, ms.
    pub oldest: Option<i64>,
    /// The newest sample's time, ms.
    pub newest: Option<i64>,
}

/// Where the database lies in a data directory.
pub fn database_path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Reads every page and every chunk of a database that the caller has opened; `path` is for
/// messages.
pub fn check(database: &mut Database, path: &Path) -> Result<SeriesReport, SeriesError> {
    let failed = |source| SeriesError::Database {
        operation: "check",
        path: path.to_path_buf(),
        source: Box::new(source),
    };
    let mut report = SeriesReport::default();
    if !database.check_integrity().map_err(|error| failed(error.into()))? {
        report.problems.push("pages did not match their checksums".to_owned());
    }
    let found = walk(database, &mut report).map_err(failed)?;
    report.problems.truncate(PROBLEMS);
    if found > VERSION {
        return Err(SeriesError::Version { path: path.to_path_buf(), found });
    }
    Ok(report)
}

fn walk(database: &Database, report: &mut SeriesReport) -> Result<u64, redb::Error> {
    let view = database.begin_read()?;
    let version = view.open_table(META)?.get("version")?.map_or(VERSION, |one| one.value());
    if version > VERSION {
        return Ok(version);
    }
    let series = view.open_table(SERIES)?;
    for entry in series.iter()? {
        entry?;
        report.series += 1;
    }
    for entry in view.open_table(CHUNKS)?.iter()? {
        let (key, value) = entry?;
        let ((id, first), bytes) = (key.value(), value.value());
        report.bytes += bytes.len() as u64;
        let samples = chunk::unpack(bytes).unwrap_or_default();
        report.samples += samples.len() as u64;
        if series.get(id)?.is_none() {
            report.problems.push(format!("chunk {first} of series {id} is of no series"));
        }
        let (Some(head), Some(last)) = (samples.first(), samples.last()) else {
            report.problems.push(format!("chunk {first} of series {id} cannot be read"));
            continue;
        };
        let rises = samples.windows(2).all(|pair| pair[0].time < pair[1].time);
        if head.time != first || !rises {
            report.problems.push(format!("chunk {first} of series {id} has its samples astray"));
        }
        report.oldest = Some(report.oldest.map_or(head.time, |oldest| oldest.min(head.time)));
        report.newest = Some(report.newest.map_or(last.time, |newest| newest.max(last.time)));
    }
    Ok(version)
}

impl SeriesStore {
    /// Gives the room of what was deleted back to the file system.
    pub fn compact(&mut self) -> Result<(), SeriesError> {
        loop {
            match self.database.compact() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return Err(self.failed("compact", error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use redb::Database;

    use super::super::{CHUNKS, SeriesStore, StoreOptions};
    use super::{check, database_path};
    use crate::{Labels, Sample};

    #[test]
    fn a_check_counts_and_names_what_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
        let labels = Labels::new([("__name__", "up")]);
        for time in 0..1_000 {
            store.append(&[(labels.clone(), Sample { time: time * 1_000, value: 1.0 })]);
        }
        store.commit().unwrap();
        store.compact().unwrap();
        drop(store);
        let path = database_path(dir.path());
        let mut database = Database::create(&path).unwrap();
        let report = check(&mut database, &path).unwrap();
        assert_eq!((report.series, report.samples, report.problems.len()), (1, 1_000, 0));
        assert_eq!((report.oldest, report.newest), (Some(0), Some(999_000)));
        let transaction = database.begin_write().unwrap();
        transaction.open_table(CHUNKS).unwrap().insert((77, 5), b"nonsense".as_slice()).unwrap();
        transaction.commit().unwrap();
        let report = check(&mut database, &path).unwrap();
        assert!(report.problems.iter().any(|one| one.contains("series 77")), "{report:?}");
    }
}
