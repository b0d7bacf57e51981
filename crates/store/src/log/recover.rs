//! Opening the log after a stop of any kind, and bringing it back to a place in the input.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::buffer::Buffer;
use super::names::Interner;
use super::row;
use super::segment::{Segment, row_places};
use super::tail::{self, Tail};
use super::{Shared, State};
use crate::StoreError;
use crate::error::Fault;

/// What was found in the log's directory.
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) tail: Tail,
    pub(crate) next_ordinal: u64,
}

pub(crate) fn recover(dir: &Path, names: &Interner) -> Result<Recovered, StoreError> {
    let files = list(dir)?;
    for path in &files.unfinished {
        // Half a segment of a process that ended; its rows are still in the tail.
        fs::remove_file(path).map_err(|source| StoreError::io("remove", path, source))?;
    }
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for (generation, path) in &files.segments {
        match Segment::open(path, *generation, names) {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(error @ StoreError::Damaged { .. }) => set_aside(path, &error)?,
            Err(error) => return Err(error),
        }
    }
    let mut buffers = Vec::new();
    for (generation, path) in &files.tails {
        if segments.iter().any(|segment| segment.generation == *generation) {
            // The process ended between the segment's rename and the tail's removal.
            Tail::remove(path)?;
            continue;
        }
        match tail::replay(path, *generation, names)? {
            // The process ended before the file had its first bytes.
            (_, 0) => Tail::remove(path)?,
            found => buffers.push((path, found)),
        }
    }
    let newest = segments.iter().map(|segment| segment.generation).max();
    let last = buffers.pop_if(|(_, (buffer, _))| Some(buffer.generation) > newest);
    for (path, (buffer, _)) in buffers {
        if buffer.rows > 0 {
            segments.push(Arc::new(Segment::write(dir, &buffer)?));
        }
        Tail::remove(path)?;
    }
    segments.sort_unstable_by_key(|segment| segment.generation);
    let (active, tail) = if let Some((path, (buffer, length))) = last {
        (buffer, Tail::append_to(path.clone(), length)?)
    } else {
        let next = files.highest().map_or(0, |highest| highest + 1);
        (Buffer::new(next), Tail::create(dir, next)?)
    };
    let sealed = segments.iter().map(|segment| segment.max_ordinal);
    let unsealed = active.groups.values().flat_map(|group| &group.rows).map(|row| row.ordinal);
    let next_ordinal = sealed.chain(unsealed).max().map_or(0, |highest| highest + 1);
    Ok(Recovered { state: State { segments, sealing: None, active }, tail, next_ordinal })
}

/// Writes every segment that holds events beyond a place in the input anew without them.
pub(crate) fn truncate_segments(shared: &Shared, last: u64) -> Result<(), StoreError> {
    let segments = shared.state.read().segments.clone();
    for segment in segments {
        if segment.span.max_sequence <= last {
            continue;
        }
        let failed = |fault: Fault| fault.into_error("truncate", &segment.path);
        let kept = rows_until(&segment, last).map_err(failed)?;
        let fresh = if kept.rows == 0 {
            fs::remove_file(&segment.path)
                .map_err(|source| StoreError::io("remove", &segment.path, source))?;
            None
        } else {
            Some(Arc::new(Segment::write(&shared.dir, &kept)?))
        };
        let mut state = shared.state.write();
        state.segments.retain(|kept| kept.generation != segment.generation);
        state.segments.extend(fresh);
        state.segments.sort_unstable_by_key(|segment| segment.generation);
    }
    Ok(())
}

fn rows_until(segment: &Segment, last: u64) -> Result<Buffer, Fault> {
    let file = segment.open_file().map_err(Fault::damaged)?;
    let mut kept = Buffer::new(segment.generation);
    for block in &segment.blocks {
        let rows = block.read(&file)?;
        for at in row_places(&rows)? {
            let bytes = row::row_at(&rows, at)?;
            let names = segment.name(row::head(bytes)?.container);
            kept.take_until(bytes, &names, None, last)?;
        }
    }
    Ok(kept)
}

/// The log's files by generation, oldest first.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) segments: Vec<(u64, PathBuf)>,
    pub(crate) tails: Vec<(u64, PathBuf)>,
    pub(crate) damaged: Vec<(u64, PathBuf)>,
    pub(crate) unfinished: Vec<PathBuf>,
}

impl Files {
    fn highest(&self) -> Option<u64> {
        let named = self.segments.iter().chain(&self.tails).chain(&self.damaged);
        named.map(|(generation, _)| *generation).max()
    }
}

pub(crate) fn list(dir: &Path) -> Result<Files, StoreError> {
    let failed = |source| StoreError::io("list", dir, source);
    let mut files = Files::default();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let generation = |prefix: &str, suffix: &str| {
            let middle = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
            u64::from_str_radix(middle, 16).ok()
        };
        if let Some(found) = generation("segment-", ".log") {
            files.segments.push((found, path));
        } else if let Some(found) = generation("tail-", ".log") {
            files.tails.push((found, path));
        } else if let Some(found) = generation("segment-", ".damaged") {
            files.damaged.push((found, path));
        } else if path.extension().is_some_and(|extension| extension == "tmp") {
            files.unfinished.push(path);
        }
    }
    files.segments.sort_unstable();
    files.tails.sort_unstable();
    Ok(files)
}

fn set_aside(path: &Path, error: &StoreError) -> Result<(), StoreError> {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "event log segment set aside as .damaged"
    );
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside).map_err(|source| StoreError::io("rename", path, source))
}
