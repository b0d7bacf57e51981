//! Segments: sealed files of compressed blocks with an index at their end.
//!
//! A segment is a magic word, its blocks, a footer and a trailer. A block is a zstd frame of rows,
//! oldest first. The footer names the containers and tells of every block where it lies, its
//! checksum and what it covers; the trailer holds the footer's length and checksum and the magic
//! word again. A segment gets its name when all of it is on disk, so it is there whole or not at
//! all.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::buffer::{Buffer, Span};
use super::names::{ContainerNames, Interner};
use super::row::{self, RowKey};
use crate::codec::{self, Reader, put_bytes};
use crate::error::Fault;
use crate::{StoreError, directory};

const MAGIC: &[u8; 8] = b"HNBSEG01";
const TRAILER: usize = 16;
/// Bytes of rows in a block: large enough to compress well, small enough to be unpacked in a
/// quarter of a millisecond.
const BLOCK_BYTES: usize = 256 << 10;
/// A group below this shares its block with others of its class: a block of its own would cost more
/// in the index than it saves.
const SMALL_GROUP: usize = 16 << 10;
/// Where a shared block ends: a search for one container unpacks the others' rows with it.
const SHARED_BYTES: usize = 64 << 10;

/// What the index says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockInfo {
    offset: u64,
    length: u32,
    unpacked: u32,
    crc: u32,
    pub(crate) rows: u32,
    /// Its rows are of containers with numbers from `low` to `high`.
    pub(crate) low: u32,
    pub(crate) high: u32,
    pub(crate) span: Span,
}

impl BlockInfo {
    /// The block's rows, one after the other.
    pub(crate) fn read(&self, file: &File) -> Result<Vec<u8>, Fault> {
        let mut packed = vec![0; self.length as usize];
        file.read_exact_at(&mut packed, self.offset).map_err(Fault::damaged)?;
        if crc32fast::hash(&packed) != self.crc {
            return Err(Fault::damaged(format!("the block at {} is damaged", self.offset)));
        }
        codec::decompress(&packed, self.unpacked as usize)
    }
}

/// A sealed file's index.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) generation: u64,
    pub(crate) names: Vec<Arc<ContainerNames>>,
    pub(crate) blocks: Vec<BlockInfo>,
    pub(crate) file_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) events: u64,
    pub(crate) max_ordinal: u64,
    pub(crate) span: Span,
}

pub(crate) fn segment_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("segment-{generation:016x}.log"))
}

impl Segment {
    /// Writes a buffer's rows as a segment, durable on return.
    pub(crate) fn write(dir: &Path, buffer: &Buffer) -> Result<Self, StoreError> {
        let path = segment_path(dir, buffer.generation);
        let mut builder = Builder { file: MAGIC.to_vec(), ..Builder::default() };
        builder.add_all(buffer).map_err(|fault| fault.into_error("write", &path))?;
        let mut segment = Self {
            path,
            generation: buffer.generation,
            names: buffer.names.all.clone(),
            blocks: builder.blocks,
            file_bytes: 0,
            rows: buffer.rows,
            events: buffer.events,
            max_ordinal: builder.max_ordinal,
            span: buffer.span,
        };
        let mut file = builder.file;
        segment.put_footer(&mut file);
        segment.file_bytes = file.len() as u64;
        directory::write_whole(&segment.path, &file)?;
        Ok(segment)
    }

    /// Reads a segment's index.
    pub(crate) fn open(path: &Path, generation: u64, names: &Interner) -> Result<Self, StoreError> {
        let failed = |source| StoreError::io("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let damaged = |fault: Fault| fault.into_error("read", path);
        let short = || damaged(Fault::damaged("it is too short for a segment"));
        let trailer_at = file_bytes.checked_sub(TRAILER as u64).ok_or_else(short)?;
        let mut trailer = [0; TRAILER];
        file.read_exact_at(&mut trailer, trailer_at).map_err(failed)?;
        let mut reader = Reader::new(&trailer);
        let (length, crc) =
            reader.u32().and_then(|length| Ok((length, reader.u32()?))).map_err(damaged)?;
        let footer_at = trailer_at.checked_sub(u64::from(length)).ok_or_else(short)?;
        if reader.rest() != MAGIC {
            return Err(damaged(Fault::damaged("it does not end as a segment does")));
        }
        let mut footer = vec![0; length as usize];
        file.read_exact_at(&mut footer, footer_at).map_err(failed)?;
        if crc32fast::hash(&footer) != crc {
            return Err(damaged(Fault::damaged("its index does not match its checksum")));
        }
        let mut segment = Self::read_footer(&footer, names).map_err(damaged)?;
        segment.path = path.to_path_buf();
        segment.generation = generation;
        segment.file_bytes = file_bytes;
        Ok(segment)
    }

    pub(crate) fn open_file(&self) -> std::io::Result<File> {
        File::open(&self.path)
    }

    pub(crate) fn name(&self, number: u32) -> Arc<ContainerNames> {
        self.names.get(number as usize).cloned().unwrap_or_default()
    }

    fn put_footer(&self, file: &mut Vec<u8>) {
        let start = file.len();
        for number in [self.rows, self.events, self.max_ordinal] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        file.extend_from_slice(&(self.names.len() as u32).to_le_bytes());
        for names in &self.names {
            for text in [&names.id, &names.name, &names.identity] {
                put_bytes(file, text.as_bytes());
            }
        }
        file.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        for block in &self.blocks {
            file.extend_from_slice(&block.offset.to_le_bytes());
            let numbers =
                [block.length, block.unpacked, block.crc, block.rows, block.low, block.high];
            for number in numbers {
                file.extend_from_slice(&number.to_le_bytes());
            }
            let span = &block.span;
            for number in [span.min_time, span.max_time, span.max_sequence] {
                file.extend_from_slice(&number.to_le_bytes());
            }
            file.extend_from_slice(&[span.priorities, span.categories]);
        }
        let footer = file.get(start..).unwrap_or_default();
        let (length, crc) = (footer.len() as u32, crc32fast::hash(footer));
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(&crc.to_le_bytes());
        file.extend_from_slice(MAGIC);
    }

    fn read_footer(footer: &[u8], interner: &Interner) -> Result<Self, Fault> {
        let mut reader = Reader::new(footer);
        let (rows, events, max_ordinal) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let mut names = Vec::new();
        for _ in 0..reader.u32()? {
            let mut text = || reader.str().map(str::to_owned);
            let (id, name, identity) = (text()?, text()?, text()?);
            names.push(interner.intern(ContainerNames { id, name, identity }));
        }
        let mut blocks = Vec::new();
        let mut span = Span::default();
        for _ in 0..reader.u32()? {
            let block = BlockInfo {
                offset: reader.u64()?,
                length: reader.u32()?,
                unpacked: reader.u32()?,
                crc: reader.u32()?,
                rows: reader.u32()?,
                low: reader.u32()?,
                high: reader.u32()?,
                span: Span {
                    min_time: reader.u64()?,
                    max_time: reader.u64()?,
                    max_sequence: reader.u64()?,
                    priorities: reader.u8()?,
                    categories: reader.u8()?,
                },
            };
            span.join(&block.span);
            blocks.push(block);
        }
        let (path, generation, file_bytes) = (PathBuf::new(), 0, 0);
        Ok(Self { path, generation, names, blocks, file_bytes, rows, events, max_ordinal, span })
    }
}

/// The blocks of a segment while they are made.
#[derive(Default)]
struct Builder {
    file: Vec<u8>,
    blocks: Vec<BlockInfo>,
    max_ordinal: u64,
    rows: Vec<u8>,
    /// Rows of a shared block, to be brought in order.
    shared: Vec<(RowKey, Vec<u8>)>,
    shared_bytes: usize,
    open: Open,
}

/// What the block being made covers.
#[derive(Default)]
struct Open {
    rows: u32,
    low: u32,
    high: u32,
    class: u8,
    span: Span,
}

impl Builder {
    fn add_all(&mut self, buffer: &Buffer) -> Result<(), Fault> {
        let groups = buffer.sorted_groups();
        for (key, group) in &groups {
            if group.bytes.len() < SMALL_GROUP {
                continue;
            }
            for row in &group.rows {
                let bytes = row::row_at(&group.bytes, row.at as usize)?;
                let head = row::head(bytes)?;
                row::copy_with(&mut self.rows, bytes, buffer.parts.get(&row.ordinal));
                self.note(&head, key.class, group.span.max_sequence);
                if self.rows.len() >= BLOCK_BYTES {
                    self.close()?;
                }
            }
            self.close()?;
        }
        for (key, group) in &groups {
            if group.bytes.len() >= SMALL_GROUP {
                continue;
            }
            if self.open.class != key.class || self.shared_bytes >= SHARED_BYTES {
                self.close_shared()?;
            }
            for row in &group.rows {
                let bytes = row::row_at(&group.bytes, row.at as usize)?;
                let mut copy = Vec::new();
                row::copy_with(&mut copy, bytes, buffer.parts.get(&row.ordinal));
                self.note(&row::head(bytes)?, key.class, group.span.max_sequence);
                self.shared_bytes += copy.len();
                self.shared.push((row.key(), copy));
            }
        }
        self.close_shared()
    }

    /// `max_sequence` is the group's: events added to a row can be of later input than the row.
    fn note(&mut self, head: &row::RowHead, class: u8, max_sequence: u64) {
        let open = &mut self.open;
        if open.rows == 0 {
            (open.low, open.high, open.class) = (head.container, head.container, class);
        }
        open.rows += 1;
        open.low = open.low.min(head.container);
        open.high = open.high.max(head.container);
        open.span.add(head);
        open.span.max_sequence = open.span.max_sequence.max(max_sequence);
        self.max_ordinal = self.max_ordinal.max(head.ordinal);
    }

    fn close_shared(&mut self) -> Result<(), Fault> {
        self.shared.sort_unstable_by_key(|(key, _)| *key);
        for (_, row) in self.shared.drain(..) {
            self.rows.extend_from_slice(&row);
        }
        self.shared_bytes = 0;
        self.close()
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let packed = codec::compress(&self.rows)?;
        let open = std::mem::take(&mut self.open);
        self.blocks.push(BlockInfo {
            offset: self.file.len() as u64,
            length: packed.len() as u32,
            unpacked: self.rows.len() as u32,
            crc: crc32fast::hash(&packed),
            rows: open.rows,
            low: open.low,
            high: open.high,
            span: open.span,
        });
        self.file.extend_from_slice(&packed);
        self.rows.clear();
        Ok(())
    }
}

/// Where the rows of a block begin.
pub(crate) fn row_places(rows: &[u8]) -> Result<Vec<usize>, Fault> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        places.push(at);
        at += row::row_at(rows, at)?.len();
    }
    Ok(places)
}
