//! Bits one after the other.

/// Writes bits, the highest first.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits used of the last byte; 0 when it is full.
    used: u32,
}

impl BitWriter {
    pub(crate) fn put(&mut self, value: u64, count: u32) {
        for at in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// A signed number; the nearer to zero, the shorter: 1, 9, 15, 24, 36 or 68 bits.
    pub(crate) fn put_signed(&mut self, value: i64) {
        let zigzag = (value << 1 ^ value >> 63) as u64;
        match zigzag {
            0 => self.put(0, 1),
            1..0x80 => self.put(0b10 << 7 | zigzag, 9),
            0x80..0x1000 => self.put(0b110 << 12 | zigzag, 15),
            0x1000..0x10_0000 => self.put(0b1110 << 20 | zigzag, 24),
            0x10_0000..0x8000_0000 => self.put(0b1_1110 << 31 | zigzag, 36),
            _ => {
                self.put(0b1_1111, 5);
                self.put(zigzag, 64);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what was written; `None` past the end.
#[derive(Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn take(&mut self, count: u32) -> Option<u64> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    pub(crate) fn take_signed(&mut self) -> Option<i64> {
        let mut ones = 0;
        while ones < 5 && self.take(1)? == 1 {
            ones += 1;
        }
        let zigzag = self.take([0, 7, 12, 20, 31, 64][ones])?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in proptest::collection::vec(any::<i64>(), 0..50), small in -70_000i64..70_000) {
            let mut writer = BitWriter::default();
            for value in values.iter().chain([&small]) {
                writer.put_signed(*value);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for value in values.iter().chain([&small]) {
                prop_assert_eq!(reader.take_signed(), Some(*value));
            }
        }
    }
}
