//! A look at a journal that nobody has open; nothing is changed.

use std::path::{Path, PathBuf};

use super::{JournalError, frame, list_segments, segment_path};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// Files.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Batches that can be read.
    pub batches: u64,
    /// Segments that are damaged before their end, and what is wrong with them.
    pub damaged: Vec<(PathBuf, String)>,
    /// Bytes of an unfinished last batch, which the next start cuts off.
    pub torn_bytes: u64,
}

/// Reads every batch of the journal in `dir`; one that does not exist is empty.
pub fn check_journal(dir: &Path) -> Result<JournalReport, JournalError> {
    let mut report = JournalReport::default();
    if !dir.exists() {
        return Ok(report);
    }
    let segments = list_segments(dir)?;
    for (at, segment) in segments.iter().enumerate() {
        let path = segment_path(dir, segment.first);
        let newest = at + 1 == segments.len();
        report.segments += 1;
        report.bytes += segment.bytes;
        if newest && segment.bytes < frame::MAGIC.len() as u64 {
            report.torn_bytes += segment.bytes;
            continue;
        }
        let mut reader = match frame::Reader::open(&path) {
            Ok(reader) => reader,
            Err(JournalError::UnknownFormat { .. }) => {
                report.damaged.push((path, "it does not begin as a journal does".to_owned()));
                continue;
            }
            Err(error) => return Err(error),
        };
        while reader.next_frame()?.is_some() {
            report.batches += 1;
        }
        if newest {
            report.torn_bytes += reader.rest();
        } else if reader.rest() > 0 {
            let what = format!("{} bytes from {} on are no batch", reader.rest(), reader.offset());
            report.damaged.push((path, what));
        }
    }
    Ok(report)
}
