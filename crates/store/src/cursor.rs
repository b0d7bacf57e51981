//! Cursors: where a page ended, as opaque text that knows which query it belongs to.

use crate::StoreError;
use crate::codec::Reader;
use crate::error::Fault;

const VERSION: u8 = 1;

/// A place in a list that runs from the newest to the oldest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) time: u64,
    pub(crate) tie: Vec<u8>,
}

impl Cursor {
    /// `filter` describes the query without cursor and limit; the cursor fits no other.
    pub(crate) fn encode(&self, filter: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&crc32fast::hash(filter.as_bytes()).to_le_bytes());
        bytes.extend_from_slice(&self.time.to_le_bytes());
        bytes.extend_from_slice(&self.tie);
        to_hex(&bytes)
    }

    pub(crate) fn decode(text: &str, filter: &str) -> Result<Self, StoreError> {
        let bytes = from_hex(text).ok_or(StoreError::Cursor)?;
        let read = |reader: &mut Reader<'_>| -> Result<(u8, u32, u64), Fault> {
            Ok((reader.u8()?, reader.u32()?, reader.u64()?))
        };
        let mut reader = Reader::new(&bytes);
        let (version, of, time) = read(&mut reader).map_err(|_| StoreError::Cursor)?;
        if version != VERSION || of != crc32fast::hash(filter.as_bytes()) {
            return Err(StoreError::Cursor);
        }
        Ok(Self { time, tie: reader.rest().to_vec() })
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_cursor_fits_its_query_only() {
        let cursor = Cursor { time: 7, tie: b"abc".to_vec() };
        let text = cursor.encode("one");
        assert_eq!(Cursor::decode(&text, "one").unwrap(), cursor);
        assert!(Cursor::decode(&text, "two").is_err());
        for broken in ["", "0", "zz", "01", &text[..8], "ä"] {
            assert!(Cursor::decode(broken, "one").is_err(), "{broken}");
        }
    }
}
