//! How one batch lies in a segment: `length, checksum, sequence, source length, source, lines`,
//! numbers in little-endian order; the checksum (CRC-32) covers everything behind it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::JournalError;
use crate::SourceId;

/// The first bytes of a segment; the last digit is the version of the format.
pub(super) const MAGIC: [u8; 8] = *b"HANABIJ1";
/// The most lines of one batch in bytes: far past any body that is accepted, and it fits a frame.
pub(super) const MAX_LINES_BYTES: usize = 1 << 30;

const HEADER: usize = 8;
const FIXED: usize = 8 + 2;

/// Bytes that a batch takes in a segment.
pub(super) fn size(source: &SourceId, lines: &[u8]) -> u64 {
    (HEADER + FIXED + source.as_str().len() + lines.len()) as u64
}

/// Writes a frame over `out`.
pub(super) fn write(out: &mut Vec<u8>, sequence: u64, source: &SourceId, lines: &[u8]) {
    let name = source.as_str().as_bytes();
    let body = FIXED + name.len() + lines.len();
    out.clear();
    out.reserve(HEADER + body);
    out.extend_from_slice(&(body as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(lines);
    let checksum = checksum(&out[HEADER..]);
    out[4..HEADER].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// One batch as read back.
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) source: SourceId,
    pub(super) lines: Vec<u8>,
}

/// Reads a segment's frames in order.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    size: u64,
    offset: u64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let open = || JournalError::io("open journal segment", path);
        let file = File::open(path).map_err(open())?;
        let size = file.metadata().map_err(open())?.len();
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut magic = [0; MAGIC.len()];
        let read = file.read_exact(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(JournalError::UnknownFormat { path: path.to_path_buf() });
        }
        Ok(Self { path: path.to_path_buf(), file, size, offset: MAGIC.len() as u64 })
    }

    /// The end of the last good frame, from the segment's start.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes behind the last good frame.
    pub(super) fn rest(&self) -> u64 {
        self.size.saturating_sub(self.offset)
    }

    /// The next frame; `None` at the end and at the first bytes that are not a whole frame.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, JournalError> {
        let rest = self.rest();
        if rest < (HEADER + FIXED) as u64 {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        self.read(&mut header)?;
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let expected = u32::from_le_bytes([c0, c1, c2, c3]);
        if length < FIXED || (HEADER + length) as u64 > rest {
            return Ok(None);
        }
        let mut body = vec![0; length];
        self.read(&mut body)?;
        let Some(frame) = (checksum(&body) == expected).then(|| parse(body)).flatten() else {
            return Ok(None);
        };
        self.offset += (HEADER + length) as u64;
        Ok(Some(frame))
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), JournalError> {
        self.file.read_exact(into).map_err(JournalError::io("read journal segment", &self.path))
    }
}

fn parse(mut body: Vec<u8>) -> Option<Frame> {
    let (sequence, rest) = body.split_first_chunk::<8>()?;
    let (name_length, rest) = rest.split_first_chunk::<2>()?;
    let name = rest.get(..usize::from(u16::from_le_bytes(*name_length)))?;
    let sequence = u64::from_le_bytes(*sequence);
    let source = SourceId::new(std::str::from_utf8(name).ok()?);
    let lines_start = FIXED + name.len();
    body.drain(..lines_start);
    Some(Frame { sequence, source, lines: body })
}
