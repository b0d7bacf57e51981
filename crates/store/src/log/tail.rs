//! The tail: the newest rows on disk, for the case that the process ends before they are sealed.
//!
//! A tail file is a magic word and frames; a frame is a length, a checksum and entries. It is
//! written often and never waited for by `fsync`: a kill leaves what was written, and a frame torn
//! by a power cut is cut off at the next start.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::buffer::{Buffer, Place};
use super::names::{ContainerNames, Interner};
use super::row;
use crate::codec::{Reader, put_bytes};
use crate::error::Fault;
use crate::{StoreError, directory};

pub(crate) const MAGIC: &[u8; 8] = b"HNBTAIL1";
const FRAME_HEAD: usize = 8;

const NAMES: u8 = 1;
const ROW: u8 = 2;
const ADD: u8 = 3;

/// A tail file open for writing.
pub(crate) struct Tail {
    pub(crate) path: PathBuf,
    file: File,
    /// Bytes that are known to be whole.
    pub(crate) length: u64,
    /// Entries not written yet, behind the room for their frame's head.
    pending: Vec<u8>,
    highest: u64,
}

pub(crate) fn tail_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("tail-{generation:016x}.log"))
}

impl Tail {
    /// A tail with nothing in it; the file is made anew.
    pub(crate) fn create(dir: &Path, generation: u64) -> Result<Self, StoreError> {
        let path = tail_path(dir, generation);
        let made = directory::create_private(&path).and_then(|file| {
            file.write_all_at(MAGIC, 0)?;
            Ok(file)
        });
        let file = made.map_err(|source| StoreError::io("create", &path, source))?;
        Ok(Self { path, file, length: MAGIC.len() as u64, pending: head(), highest: 0 })
    }

    /// Puts a tail with all rows of a buffer in place of the one that is there.
    pub(crate) fn rewrite(dir: &Path, buffer: &Buffer) -> Result<Self, StoreError> {
        let path = tail_path(dir, buffer.generation);
        let mut entries = head();
        put_all(&mut entries, buffer).map_err(|fault| fault.into_error("rewrite", &path))?;
        let mut bytes = MAGIC.to_vec();
        if entries.len() > FRAME_HEAD {
            close_frame(&mut entries);
            bytes.extend_from_slice(&entries);
        }
        directory::write_whole(&path, &bytes)?;
        Self::append_to(path, bytes.len() as u64)
    }

    /// Goes on after `length` bytes, and cuts off what comes after them.
    pub(crate) fn append_to(path: PathBuf, length: u64) -> Result<Self, StoreError> {
        let opened = OpenOptions::new().write(true).open(&path).and_then(|file| {
            file.set_len(length)?;
            Ok(file)
        });
        let file = opened.map_err(|source| StoreError::io("open", &path, source))?;
        Ok(Self { path, file, length, pending: head(), highest: 0 })
    }

    pub(crate) fn put_names(&mut self, names: &ContainerNames) {
        put_names(&mut self.pending, names);
    }

    pub(crate) fn put_row(&mut self, bytes: &[u8], sequence: u64) {
        self.pending.push(ROW);
        self.pending.extend_from_slice(bytes);
        self.highest = self.highest.max(sequence);
    }

    pub(crate) fn put_add(&mut self, ordinal: u64, sequence: u64, count: u64) {
        put_add(&mut self.pending, ordinal, sequence, count);
        self.highest = self.highest.max(sequence);
    }

    /// Bytes not written yet.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len() - FRAME_HEAD
    }

    /// Writes what waits as one frame; answers the highest sequence written. After an error all of
    /// it still waits.
    pub(crate) fn flush(&mut self) -> Result<u64, StoreError> {
        if self.waiting() == 0 {
            return Ok(self.highest);
        }
        close_frame(&mut self.pending);
        if let Err(source) = self.file.write_all_at(&self.pending, self.length) {
            // Best effort: a torn frame is written over by the next try, and cut off by a start.
            drop(self.file.set_len(self.length));
            return Err(StoreError::io("write", &self.path, source));
        }
        self.length += self.pending.len() as u64;
        self.pending.truncate(FRAME_HEAD);
        Ok(self.highest)
    }

    /// Makes what was written survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|source| StoreError::io("sync", &self.path, source))
    }

    /// Takes the file away: its rows are in a segment, or gone.
    pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", path, source))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a tail; answers its rows and the length up to which it is whole.
pub(crate) fn replay(
    path: &Path,
    generation: u64,
    interner: &Interner,
) -> Result<(Buffer, u64), StoreError> {
    let bytes = fs::read(path).map_err(|source| StoreError::io("read", path, source))?;
    let (buffer, length) = replay_bytes(&bytes, path, generation, interner);
    Ok((buffer, length as u64))
}

/// The same of a tail's bytes; `path` is for messages.
pub(crate) fn replay_bytes(
    bytes: &[u8],
    path: &Path,
    generation: u64,
    interner: &Interner,
) -> (Buffer, usize) {
    let mut buffer = Buffer::new(generation);
    if !bytes.starts_with(MAGIC) {
        return (buffer, 0);
    }
    let mut places = HashMap::new();
    let mut length = MAGIC.len();
    while let Some(frame) = frame_at(bytes.get(length..).unwrap_or_default()) {
        // A frame is applied whole or not at all, and its checksum says that it was written whole.
        if let Err(fault) = apply(frame, &mut buffer, &mut places, interner) {
            tracing::warn!(path = %path.display(), ?fault, "stopped reading the event log's tail");
            break;
        }
        length += FRAME_HEAD + frame.len();
    }
    (buffer, length)
}

/// True for what is left of a frame that was not written whole: it ends too soon, or is zeros where
/// the system had given the file its length and not its bytes.
pub(crate) fn is_torn(rest: &[u8]) -> bool {
    let length = Reader::new(rest).u32().map_or(0, |length| length as usize);
    rest.len() < FRAME_HEAD + length.max(1) || rest.iter().all(|byte| *byte == 0)
}

fn frame_at(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let (length, crc) = (reader.u32().ok()?, reader.u32().ok()?);
    let frame = reader.take(length as usize).ok()?;
    (length > 0 && crc32fast::hash(frame) == crc).then_some(frame)
}

fn apply(
    frame: &[u8],
    buffer: &mut Buffer,
    places: &mut HashMap<u64, Place>,
    interner: &Interner,
) -> Result<(), Fault> {
    let mut reader = Reader::new(frame);
    while !reader.is_empty() {
        match reader.u8()? {
            NAMES => {
                let mut text = || reader.str().map(str::to_owned);
                let (id, name, identity) = (text()?, text()?, text()?);
                buffer.number(&interner.intern(ContainerNames { id, name, identity }));
            }
            ROW => {
                let bytes = row::row_at(reader.rest(), 0)?;
                reader.take(bytes.len())?;
                let head = row::head(bytes)?;
                places.insert(head.ordinal, buffer.insert(bytes, &head));
            }
            ADD => {
                let (ordinal, sequence, count) = (reader.u64()?, reader.u64()?, reader.u64()?);
                let place = places.get(&ordinal).copied();
                let place = place.ok_or_else(|| Fault::damaged("events added to no row"))?;
                buffer.add(place, sequence, count)?;
            }
            kind => return Err(Fault::Damaged(format!("unknown entry {kind}"))),
        }
    }
    Ok(())
}

fn put_all(entries: &mut Vec<u8>, buffer: &Buffer) -> Result<(), Fault> {
    for names in &buffer.names.all {
        put_names(entries, names);
    }
    for (_, group) in buffer.sorted_groups() {
        for row in &group.rows {
            let mut bytes = row::row_at(&group.bytes, row.at as usize)?.to_vec();
            let parts = buffer.parts.get(&row.ordinal).map(Vec::as_slice).unwrap_or_default();
            if let Some((_, count)) = parts.first() {
                row::set_count(&mut bytes, *count);
            }
            entries.push(ROW);
            entries.extend_from_slice(&bytes);
            for (sequence, count) in parts.iter().skip(1) {
                put_add(entries, row.ordinal, *sequence, *count);
            }
        }
    }
    Ok(())
}

fn put_names(entries: &mut Vec<u8>, names: &ContainerNames) {
    entries.push(NAMES);
    for text in [&names.id, &names.name, &names.identity] {
        put_bytes(entries, text.as_bytes());
    }
}

fn put_add(entries: &mut Vec<u8>, ordinal: u64, sequence: u64, count: u64) {
    entries.push(ADD);
    for number in [ordinal, sequence, count] {
        entries.extend_from_slice(&number.to_le_bytes());
    }
}

fn head() -> Vec<u8> {
    vec![0; FRAME_HEAD]
}

fn close_frame(frame: &mut [u8]) {
    let Some((head, entries)) = frame.split_at_mut_checked(FRAME_HEAD) else { return };
    let (length, crc) = (entries.len() as u32, crc32fast::hash(entries));
    head.copy_from_slice(&(u64::from(crc) << 32 | u64::from(length)).to_le_bytes());
}
