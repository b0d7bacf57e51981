//! A look at everything stored, and giving room back; for people, while no service runs.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{
    CHUNKS, FILE, HEADS, META, SERIES, SeriesError, SeriesStore, VERSION, rows, versions::CHUNKS_1,
};
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
    report.series = series.len()?;
    let known = |id| Ok::<bool, redb::Error>(series.get(id)?.is_some());
    if version == 1 {
        for entry in view.open_table(CHUNKS_1)?.iter()? {
            let (key, chunk) = entry?;
            let (id, first) = key.value();
            report.chunk(id, chunk.value(), Some(first), known(id)?);
        }
        return Ok(version);
    }
    for entry in view.open_table(CHUNKS)?.iter()? {
        let (key, row) = entry?;
        let (id, first) = key.value();
        let mut first = Some(first);
        for chunk in rows::chunks(row.value()) {
            report.chunk(id, chunk, first.take(), known(id)?);
        }
        if !rows::is_whole(row.value()) {
            let time = key.value().1;
            report.problems.push(format!("row {time} of series {id} cannot be read to its end"));
        }
    }
    for entry in view.open_table(HEADS)?.iter()? {
        let (id, chunk) = entry?;
        report.chunk(id.value(), chunk.value(), None, known(id.value())?);
    }
    Ok(version)
}

impl SeriesReport {
    /// Looks at a chunk, which begins at a time where that is known by its key.
    fn chunk(&mut self, id: u64, bytes: &[u8], key: Option<i64>, is_known: bool) {
        self.bytes += bytes.len() as u64;
        let samples = chunk::unpack(bytes).unwrap_or_default();
        self.samples += samples.len() as u64;
        let named = key.or_else(|| chunk::first_time(bytes)).unwrap_or(0);
        if !is_known {
            self.problems.push(format!("chunk {named} of series {id} is of no series"));
        }
        let (Some(head), Some(last)) = (samples.first(), samples.last()) else {
            self.problems.push(format!("chunk {named} of series {id} cannot be read"));
            return;
        };
        let rises = samples.windows(2).all(|pair| pair[0].time < pair[1].time);
        if key.is_some_and(|key| key != head.time) || !rises {
            self.problems.push(format!("chunk {named} of series {id} has its samples astray"));
        }
        self.oldest = Some(self.oldest.map_or(head.time, |oldest| oldest.min(head.time)));
        self.newest = Some(self.newest.map_or(last.time, |newest| newest.max(last.time)));
    }
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

    use super::super::{CHUNKS, HEADS, SeriesStore, StoreOptions};
    use super::{check, database_path};
    use crate::{Labels, Sample, chunk::pack};

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
        let row = [8, 0, b'n', b'o', b'n', b's', b'e', b'n', b's', b'e', 1];
        let chunk = pack(&[Sample { time: 7, value: 1.0 }]);
        let astray = [&[chunk.len() as u8, 0], chunk.as_slice()].concat();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(CHUNKS).unwrap().insert((77, 5), row.as_slice()).unwrap();
        transaction.open_table(CHUNKS).unwrap().insert((0, i64::MAX), astray.as_slice()).unwrap();
        transaction.open_table(HEADS).unwrap().insert(78, chunk.as_slice()).unwrap();
        transaction.commit().unwrap();
        let report = check(&mut database, &path).unwrap();
        let expected = [
            "chunk 9223372036854775807 of series 0 has its samples astray",
            "chunk 5 of series 77 is of no series",
            "chunk 5 of series 77 cannot be read",
            "row 5 of series 77 cannot be read to its end",
            "chunk 7 of series 78 is of no series",
        ];
        assert_eq!(report.problems, expected);
    }
}
