//! Looking at eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A string longer than this is left to `memchr`, which is faster but slow to start.
const SHORT: usize = 64;

/// Offset of the first `"` or `\`.
#[inline]
pub(super) fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    for at in (0..SHORT).step_by(8) {
        let Some((word, after)) = split_word(rest) else { break };
        let found = equal(word, b'"') | equal(word, b'\\');
        if found != 0 {
            return Some(at + first(found));
        }
        rest = after;
    }
    Some(text.len() - rest.len() + memchr::memchr2(b'"', b'\\', rest)?)
}

/// The digits at the start of the text, as a number, and their count; `None` when there are none,
/// more than fit, a superfluous zero before them, or fewer than eight bytes of text behind them.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut length, mut rest) = (0_u64, 0, text);
    while length <= 16 {
        let (word, after) = split_word(rest)?;
        let word = word ^ (ONES * u64::from(b'0'));
        // A byte is a digit when it is below ten: adding 0x76 leaves its high bit alone.
        let others = (word.wrapping_add(ONES * 0x76) | word) & HIGHS;
        if others == 0 {
            number = number.wrapping_mul(POWERS[8]).wrapping_add(eight_digits(word));
            (length, rest) = (length + 8, after);
            continue;
        }
        let count = first(others);
        if count > 0 {
            let part = eight_digits(word << (64 - 8 * count));
            number = number.wrapping_mul(POWERS[count]).wrapping_add(part);
            length += count;
        }
        let superfluous = length > 1 && text.first() == Some(&b'0');
        return ((1..=19).contains(&length) && !superfluous).then_some((number, length));
    }
    None
}

const POWERS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that eight digits make, the first in the lowest byte.
fn eight_digits(word: u64) -> u64 {
    let pairs = (word * 10 + (word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

#[inline]
fn split_word(text: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = text.split_first_chunk()?;
    Some((u64::from_le_bytes(*word), rest))
}

/// Marks the bytes that equal `byte`; exact for the lowest of them.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & HIGHS
}

/// The index of the lowest marked byte.
#[inline]
fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::{digits, quote_or_backslash};
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0,.......", Some((0, 1))),
            ("7}.......", Some((7, 1))),
            ("12345678,.......", Some((12_345_678, 8))),
            ("123456789,.......", Some((123_456_789, 9))),
            ("1795337732237776419,.......", Some((1_795_337_732_237_776_419, 19))),
            ("9999999999999999999,.......", Some((9_999_999_999_999_999_999, 19))),
            ("18446744073709551615,.......", None),
            ("123456789012345678901234567890,.......", None),
            ("012,.......", None),
            (",.......", None),
            (":.......", None),
            ("/.......", None),
            ("1\u{b9}.......", Some((1, 1))),
            ("12", None),
        ] {
            assert_eq!(digits(text.as_bytes()), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read(number in 0_u64..10_000_000_000_000_000_000, end in "[,} a]") {
            let text = format!("{number}{end}\"padding");
            let length = number.to_string().len();
            prop_assert_eq!(digits(text.as_bytes()), Some((number, length)));
        }

        #[test]
        fn the_first_is_found(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let expected = bytes.iter().position(|b| matches!(b, b'"' | b'\\'));
            prop_assert_eq!(quote_or_backslash(&bytes), expected);
        }
    }
}
