//! Bytes of stored values: a version, a length, a zstd frame.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::error::Fault;

/// zstd's level: 1 is the fastest that still halves JSON several times over.
const LEVEL: i32 = 1;

const PACKED: u8 = 1;
/// No stored value may claim more than this when unpacked: 1 GiB, a hundred times the largest
/// profile, so that a damaged length cannot ask for all memory.
const MAX_UNPACKED: usize = 1 << 30;

thread_local! {
    // A new context costs more than most of what is packed with it.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A zstd frame of the bytes.
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let packed = PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            *packer = Some(Compressor::new(LEVEL)?);
        }
        packer.as_mut().map_or_else(|| Ok(Vec::new()), |packer| packer.compress(bytes))
    });
    packed.map_err(Fault::damaged)
}

/// The bytes of a zstd frame, which must be exactly `length`.
pub(crate) fn decompress(frame: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let bytes = UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = Some(Decompressor::new()?);
        }
        let unpacker = unpacker.as_mut();
        unpacker.map_or_else(|| Ok(Vec::new()), |unpacker| unpacker.decompress(frame, length))
    });
    let bytes = bytes.map_err(Fault::damaged)?;
    if bytes.len() != length {
        return Err(Fault::Damaged(format!("{} bytes instead of {length}", bytes.len())));
    }
    Ok(bytes)
}

/// Packs bytes as version, length and zstd frame, appended to `out`.
pub(crate) fn pack_into(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Fault> {
    let frame = compress(bytes)?;
    out.reserve(frame.len() + 5);
    out.push(PACKED);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&frame);
    Ok(())
}

pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    pack_into(&mut out, bytes)?;
    Ok(out)
}

pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut reader = Reader::new(packed);
    let version = reader.u8()?;
    if version != PACKED {
        return Err(Fault::Damaged(format!("unknown packing {version}")));
    }
    let length = reader.u32()? as usize;
    if length > MAX_UNPACKED {
        return Err(Fault::Damaged(format!("a value of {length} bytes")));
    }
    decompress(reader.rest(), length)
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(Fault::damaged)
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(Fault::damaged)
}

/// Reads little-endian numbers and counted strings, and never past the end.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| Fault::Damaged("a value ends too soon".to_owned()))?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length in seven-bit groups, lowest first.
    pub(crate) fn length(&mut self) -> Result<usize, Fault> {
        let mut value = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Damaged("a length that does not end".to_owned()))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(Fault::damaged)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Appends a length in seven-bit groups, lowest first.
pub(crate) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Appends counted bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}
