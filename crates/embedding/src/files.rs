//! Reading a model's files, none of them without a limit.

use std::{fs::File, io::Read as _, path::Path};

use serde::de::DeserializeOwned;

use crate::error::{LoadError, Problem};

/// Configurations are a kilobyte; a list of labels can make them longer.
pub(crate) const CONFIG_BYTES: u64 = 1 << 20;
/// A vocabulary of 30 000 pieces takes half a megabyte, the largest of BERT's type about five.
pub(crate) const TOKENIZER_BYTES: u64 = 16 << 20;
/// 110 million weights of four bytes (a BERT of 12 layers) are 440 MB; a larger model takes more
/// than 50 ms for one name.
pub(crate) const WEIGHTS_BYTES: u64 = 512 << 20;

/// The whole file.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |problem| LoadError::new(path, problem);
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => fail(Problem::Missing),
        kind => fail(Problem::Unreadable(kind)),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe would wait for its other end.
    if !metadata.is_file() {
        return Err(fail(Problem::NotAFile));
    }
    if metadata.len() > limit {
        return Err(fail(Problem::TooLarge { bytes: metadata.len(), limit }));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // One byte more shows a file that grew, or that has no length, such as those of /proc.
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    match read {
        Ok(read) if read as u64 > limit => {
            Err(fail(Problem::TooLarge { bytes: read as u64, limit }))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(error)),
    }
}

/// A JSON file's content.
pub(crate) fn json<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T, LoadError> {
    let bytes = read(path, limit)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| LoadError::new(path, Problem::Damaged(error.to_string())))
}

/// A JSON file's content; `None` when there is no such file.
pub(crate) fn json_if_there<T: DeserializeOwned>(
    path: &Path,
    limit: u64,
) -> Result<Option<T>, LoadError> {
    match json(path, limit) {
        Ok(value) => Ok(Some(value)),
        Err(LoadError { problem: Problem::Missing, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
