//! Samples of one series, packed.
//!
//! Times are kept as differences of differences, which are nothing where scrapes are regular. Values
//! that are whole numbers are kept as differences, or as differences of these, whichever is shorter
//! in this chunk; others as Facebook's Gorilla does, by the bits in which they differ from the one
//! before (Pelkonen et al., VLDB 2015).
//!
//! A version byte, a kind byte, the number of samples, the time of the last, then bits. Every
//! version has a fixture that is read in the tests.

use crate::{
    Sample,
    bits::{BitReader, BitWriter},
};

/// Samples of a full chunk: half an hour of scrapes at 15 s, as in Prometheus.
pub const CHUNK_SAMPLES: usize = 120;

const VERSION: u8 = 1;
const HEADER: usize = 2 + 2 + 8;
/// Whole numbers up to here are the same as integers and as floating-point numbers.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// How values are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Steps = 0,
    Bends = 1,
    Bits = 2,
}

/// Packs samples, at least one, in order of time, and at most 65 535.
pub fn pack(samples: &[Sample]) -> Vec<u8> {
    let body = match whole(samples) {
        Some(numbers) => {
            let steps = packed(samples, Kind::Steps, &numbers);
            let bends = packed(samples, Kind::Bends, &numbers);
            if bends.1.len() < steps.1.len() { bends } else { steps }
        }
        None => packed(samples, Kind::Bits, &[]),
    };
    let last = samples.last().map_or(0, |sample| sample.time);
    let mut bytes = vec![VERSION, body.0 as u8];
    bytes.extend((samples.len() as u16).to_le_bytes());
    bytes.extend(last.to_le_bytes());
    bytes.extend(body.1);
    bytes
}

/// The time of a chunk's last sample.
pub fn last_time(chunk: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(chunk.get(4..HEADER)?.try_into().ok()?))
}

/// The time of a chunk's first sample; no other is unpacked.
pub fn first_time(chunk: &[u8]) -> Option<i64> {
    let [VERSION, 0..=2, ..] = *chunk else { return None };
    BitReader::new(chunk.get(HEADER..)?).take_signed()
}

/// The samples of a chunk; `None` for bytes that are none, or of a later version.
pub fn unpack(chunk: &[u8]) -> Option<Vec<Sample>> {
    let [VERSION, kind, low, high, ..] = *chunk else { return None };
    let count = usize::from(u16::from_le_bytes([low, high]));
    let mut reader = BitReader::new(chunk.get(HEADER..)?);
    let mut samples = Vec::with_capacity(count);
    let (mut time, mut step) = (0i64, 0i64);
    let mut values = Values::new(kind)?;
    for _ in 0..count {
        step = step.wrapping_add(reader.take_signed()?);
        time = time.wrapping_add(step);
        samples.push(Sample { time, value: values.next(&mut reader)? });
        if samples.len() == 1 {
            // The first difference is the time itself.
            step = 0;
        }
    }
    Some(samples)
}

/// The values as integers, where all of them are.
fn whole(samples: &[Sample]) -> Option<Vec<i64>> {
    let one = |sample: &Sample| {
        let value = sample.value;
        let negative_zero = value == 0.0 && value.is_sign_negative();
        let whole = value.trunc() == value && value.abs() <= WHOLE && !negative_zero;
        whole.then_some(value as i64)
    };
    samples.iter().map(one).collect()
}

fn packed(samples: &[Sample], kind: Kind, numbers: &[i64]) -> (Kind, Vec<u8>) {
    let mut writer = BitWriter::default();
    let (mut time, mut step) = (0i64, 0i64);
    let (mut number, mut rise) = (0i64, 0i64);
    let mut bits = Xor::default();
    for (index, sample) in samples.iter().enumerate() {
        let new_step = sample.time.wrapping_sub(time);
        writer.put_signed(new_step.wrapping_sub(step));
        (time, step) = (sample.time, if index == 0 { 0 } else { new_step });
        match kind {
            Kind::Bits => bits.put(&mut writer, sample.value),
            Kind::Steps | Kind::Bends => {
                let new_rise = numbers[index] - number;
                writer.put_signed(if kind == Kind::Bends { new_rise - rise } else { new_rise });
                (number, rise) = (numbers[index], if index == 0 { 0 } else { new_rise });
            }
        }
    }
    (kind, writer.finish())
}

/// Reads values as they were kept.
enum Values {
    Numbers { bends: bool, number: i64, rise: i64, begun: bool },
    Bits(Xor),
}

impl Values {
    fn new(kind: u8) -> Option<Self> {
        let numbers = |bends| Self::Numbers { bends, number: 0, rise: 0, begun: false };
        Some(match kind {
            0 => numbers(false),
            1 => numbers(true),
            2 => Self::Bits(Xor::default()),
            _ => return None,
        })
    }

    fn next(&mut self, reader: &mut BitReader<'_>) -> Option<f64> {
        match self {
            Self::Bits(bits) => bits.take(reader),
            Self::Numbers { bends, number, rise, begun } => {
                let read = reader.take_signed()?;
                let new_rise = if *bends { rise.wrapping_add(read) } else { read };
                *number = number.wrapping_add(new_rise);
                *rise = if std::mem::replace(begun, true) { new_rise } else { 0 };
                Some(*number as f64)
            }
        }
    }
}

/// The bits of a value that differ from the one before.
#[derive(Debug, Default)]
struct Xor {
    before: u64,
    /// Zeros before and after the differing bits of the last value that named them.
    leading: u32,
    trailing: u32,
    named: bool,
}

impl Xor {
    fn put(&mut self, writer: &mut BitWriter, value: f64) {
        let bits = value.to_bits();
        let differ = bits ^ self.before;
        self.before = bits;
        if differ == 0 {
            return writer.put(0, 1);
        }
        let (leading, trailing) = (differ.leading_zeros().min(31), differ.trailing_zeros());
        if self.named && leading >= self.leading && trailing >= self.trailing {
            writer.put(0b10, 2);
        } else {
            (self.leading, self.trailing, self.named) = (leading, trailing, true);
            writer.put(0b11, 2);
            writer.put(u64::from(leading), 5);
            // 64 does not fit, and 0 does not occur.
            writer.put(u64::from(64 - leading - trailing) & 63, 6);
        }
        writer.put(differ >> self.trailing, 64 - self.leading - self.trailing);
    }

    fn take(&mut self, reader: &mut BitReader<'_>) -> Option<f64> {
        if reader.take(1)? == 1 {
            if reader.take(1)? == 1 {
                self.leading = reader.take(5)? as u32;
                let length = match reader.take(6)? as u32 {
                    0 => 64,
                    length => length,
                };
                self.trailing = 64u32.checked_sub(self.leading + length)?;
            }
            let differ = reader.take(64 - self.leading - self.trailing)?;
            self.before ^= differ << self.trailing;
        }
        Some(f64::from_bits(self.before))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stale;

    fn same(a: &[Sample], b: &[Sample]) -> bool {
        let pairs = a.iter().zip(b);
        a.len() == b.len()
            && pairs
                .into_iter()
                .all(|(a, b)| a.time == b.time && a.value.to_bits() == b.value.to_bits())
    }

    fn regular(values: impl Iterator<Item = f64>) -> Vec<Sample> {
        let sample = |(n, value)| Sample { time: 1_790_000_000_000 + n * 15_000, value };
        (0i64..).zip(values).map(sample).collect()
    }

    #[test]
    fn values_of_every_kind_come_back_to_the_bit() {
        for values in [
            vec![42.0],
            vec![0.0, -0.0, 1.0],
            vec![f64::NAN, stale(), f64::INFINITY, f64::MIN_POSITIVE, -1.5],
            vec![WHOLE, -WHOLE, 0.0, WHOLE],
            vec![0.1, 0.2, 0.2, 0.1 + 0.2],
        ] {
            let samples = regular(values.into_iter());
            let back = unpack(&pack(&samples)).unwrap();
            assert!(same(&samples, &back), "{samples:?} {back:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_comes_back(
            raw in proptest::collection::vec((0i64..1 << 40, any::<u64>(), any::<bool>()), 1..200)
        ) {
            let mut time = -5_000_000_000i64;
            let samples: Vec<Sample> = raw
                .into_iter()
                .map(|(step, bits, whole)| {
                    time += step + 1;
                    let value = if whole { (bits >> 40) as f64 } else { f64::from_bits(bits) };
                    Sample { time, value }
                })
                .collect();
            let packed = pack(&samples);
            prop_assert_eq!(first_time(&packed), Some(samples[0].time));
            prop_assert_eq!(last_time(&packed), Some(time));
            prop_assert!(same(&samples, &unpack(&packed).unwrap()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(unpack(&bytes));
            prop_assert!(first_time(&bytes).is_none() || bytes[0] == VERSION);
            let mut versioned = vec![VERSION, 2];
            versioned.extend(bytes);
            drop(unpack(&versioned));
        }
    }

    #[test]
    fn counters_of_regular_scrapes_take_less_than_two_bytes_a_sample() {
        let mut count = 1_000.0;
        let mut state = 7u64;
        let busy = regular((0..120).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            count += (state >> 58) as f64;
            count
        }));
        let idle = regular(std::iter::repeat_n(17.0, 120));
        let bytes = |samples: &[Sample]| pack(samples).len() as f64 / samples.len() as f64;
        assert!(bytes(&busy) < 1.5, "{}", bytes(&busy));
        assert!(bytes(&idle) < 0.5, "{}", bytes(&idle));
    }

    /// Version 1, as it was written when it was made: never to be changed.
    const FIXTURE: &str = include_str!("../tests/fixtures/chunk-v1.txt");

    #[test]
    fn a_chunk_of_version_1_is_read() {
        for line in FIXTURE.lines() {
            let (hex, samples) = line.split_once(' ').unwrap();
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            let shown: Vec<String> = unpack(&bytes)
                .unwrap()
                .iter()
                .map(|sample| format!("{}={}", sample.time, crate::number(sample.value)))
                .collect();
            assert_eq!(shown.join(","), samples);
        }
        assert_eq!(unpack(&[9, 0, 0, 0]), None, "a later version");
    }
}
