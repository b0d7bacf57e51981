//! The fast reader: one pass over a line as Falco prints it.
//!
//! Falco prints the same keys in the same order line after line, so the reader remembers which key
//! followed which, and compares the text with the key it expects instead of looking it up. Of a
//! value only the end is searched for. Everything unexpected (blanks between tokens, nesting,
//! fractions, a key twice) is left to the slow reader.

#![expect(clippy::inline_always, reason = "small steps that run for every key of every line")]

use super::escape;
use super::fields::{Fields, Key, Value};
use super::scan;
use crate::Span;

/// What the fast reader has learned of the order of keys.
#[derive(Debug)]
pub(super) struct Order {
    /// The key that came last after each key, and after the start of each level.
    next: [u8; SLOTS],
}

const SLOTS: usize = 64;

impl Order {
    const TOP: u8 = Key::COUNT as u8;
    const INNER: u8 = Key::COUNT as u8 + 1;

    /// Alphabetical, as Falco prints them.
    pub(super) fn new() -> Self {
        let mut next = [0; SLOTS];
        for (key, next) in next.iter_mut().enumerate().take(Key::COUNT) {
            *next = key as u8 + 1;
        }
        Self { next }
    }

    #[inline]
    fn after(&self, key: u8) -> u8 {
        self.next[key as usize % SLOTS]
    }
}

/// Reads the line `text[start..end]` into `fields`; texts with escapes go to `extra`.
///
/// `None` when the line is not as expected; `fields` and `extra` may then hold a part of it.
pub(super) fn read(
    text: &str,
    (start, end): (usize, usize),
    order: &mut Order,
    fields: &mut Fields,
    extra: &mut String,
) -> Option<()> {
    let mut reader = Reader { text, order, fields, extra };
    let (rest, seen) = reader.members::<false>(&text.as_bytes()[start..], 0)?;
    reader.fields.admit(seen);
    let has_inner = seen & (1 << Key::OutputFields as u32) != 0;
    (text.len() - rest.len() == end && has_inner).then_some(())
}

/// Every method takes the text that is left to read, and returns what it leaves of it.
struct Reader<'a> {
    text: &'a str,
    order: &'a mut Order,
    fields: &'a mut Fields,
    extra: &'a mut String,
}

impl<'a> Reader<'a> {
    /// The members of an object, from its `{` to behind its `}`; adds their keys to `seen`.
    #[inline(always)]
    fn members<const INNER: bool>(
        &mut self,
        mut rest: &'a [u8],
        mut seen: u64,
    ) -> Option<(&'a [u8], u64)> {
        let mut previous = if INNER { Order::INNER } else { Order::TOP };
        let mut key;
        (key, rest) = self.other_key::<INNER>(rest.strip_prefix(b"{")?, previous)?;
        loop {
            let bit = 1 << (u32::from(key) % u64::BITS);
            if seen & bit & !(1 << Fields::UNKNOWN) != 0 {
                return None;
            }
            seen |= bit;
            if key != Fields::UNKNOWN {
                previous = key;
            }
            if !INNER && key == Key::OutputFields as u8 {
                (rest, seen) = self.inner_members(rest, seen)?;
            } else {
                rest = self.value(key, rest)?;
            }
            key = self.order.after(previous);
            if let Some(after) = PATTERNS[key as usize % SLOTS].strip(rest) {
                rest = after;
                continue;
            }
            match rest.split_first()? {
                (b',', after) => (key, rest) = self.other_key::<INNER>(after, previous)?,
                (b'}', after) => return Some((after, seen)),
                _ => return None,
            }
        }
    }

    #[inline(never)]
    fn inner_members(&mut self, rest: &'a [u8], seen: u64) -> Option<(&'a [u8], u64)> {
        self.members::<true>(rest, seen)
    }

    /// A key that was not expected, and its colon.
    #[inline(never)]
    fn other_key<const INNER: bool>(
        &mut self,
        text: &'a [u8],
        previous: u8,
    ) -> Option<(u8, &'a [u8])> {
        let text = text.strip_prefix(b"\"")?;
        let (name, rest) = text.split_at(scan::quote_or_backslash(text)?);
        let rest = rest.strip_prefix(b"\":")?;
        let Some(key) = Key::find(name, INNER) else {
            return Some((Fields::UNKNOWN, rest));
        };
        self.order.next[previous as usize % SLOTS] = key as u8;
        Some((key as u8, rest))
    }

    #[inline(always)]
    fn value(&mut self, key: u8, text: &'a [u8]) -> Option<&'a [u8]> {
        let (first, rest) = text.split_first()?;
        if *first == b'"' {
            return self.string(key, rest);
        }
        let (value, rest) = match first {
            b'n' => (Value::Absent, rest.strip_prefix(b"ull")?),
            b'0'..=b'9' => {
                let (number, length) = scan::digits(text)?;
                (Value::Positive(number), text.get(length..)?)
            }
            b'-' => {
                let (number, length) = scan::digits(rest)?;
                // Minus zero is a float to the slow reader.
                let number = i64::try_from(number).ok().filter(|number| *number > 0)?;
                (Value::Negative(-number), rest.get(length..)?)
            }
            b't' => (Value::Absent, rest.strip_prefix(b"rue")?),
            b'f' => (Value::Absent, rest.strip_prefix(b"alse")?),
            b'[' if key == Key::Tags as u8 => {
                let after = tags(rest)?;
                (Value::Text(self.span(text, text.len() - after.len())), after)
            }
            _ => return None,
        };
        self.fields.write(key, value);
        Some(rest)
    }

    /// A string, from behind its first quote.
    #[inline(always)]
    fn string(&mut self, key: u8, text: &'a [u8]) -> Option<&'a [u8]> {
        // The long text is skipped from the start by the searcher for long texts.
        let length = if key == Key::Output as u8 {
            memchr::memchr2(b'"', b'\\', text)?
        } else {
            scan::quote_or_backslash(text)?
        };
        let (end, rest) = text.get(length..)?.split_first()?;
        if *end == b'\\' {
            return self.escaped(key, text, length);
        }
        let span = self.span(text, length);
        self.fields.write(key, Value::Text(span));
        Some(rest)
    }

    /// A string whose first backslash is at `at`.
    #[inline(never)]
    fn escaped(&mut self, key: u8, text: &'a [u8], mut at: usize) -> Option<&'a [u8]> {
        while *text.get(at)? == b'\\' {
            let (_, length) = escape::escape(&text[at..])?;
            at += length;
            at += scan::quote_or_backslash(&text[at..])?;
        }
        let is_read = key != Fields::UNKNOWN && key != Key::Output as u8;
        if is_read {
            let (start, from) = (self.text.len() - text.len(), self.extra.len());
            if !escape::unescape(self.text.get(start..start + at)?, self.extra) {
                return None;
            }
            let span = Span::extra(from, self.extra.len() - from);
            self.fields.write(key, Value::Text(span));
        }
        text.get(at + 1..)
    }

    /// The span of the first bytes of what is left.
    #[inline]
    fn span(&self, rest: &[u8], length: usize) -> Span {
        Span::text(self.text.len() - rest.len(), length)
    }
}

/// What follows a compact array of strings without escapes and control characters, from behind
/// its bracket.
#[inline]
fn tags(mut rest: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = rest.strip_prefix(b"]") {
        return Some(rest);
    }
    loop {
        rest = rest.strip_prefix(b"\"")?;
        let length = rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < b' ')?;
        rest = rest[length..].strip_prefix(b"\"")?;
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b']', after) => return Some(after),
            _ => return None,
        }
    }
}

/// A key with the comma before it, its quotes and its colon, ready to be compared with 32 bytes of
/// text at once.
#[derive(Clone, Copy)]
struct Pattern {
    words: [u64; 4],
    masks: [u64; 4],
    length: usize,
}

/// Slots without a key match nothing.
static PATTERNS: [Pattern; SLOTS] = {
    let mut patterns = [Pattern { words: [u64::MAX; 4], masks: [u64::MAX; 4], length: 0 }; SLOTS];
    let mut key = 0;
    while key < Key::COUNT {
        patterns[key] = Pattern::new(Key::ALL[key].text().as_bytes());
        key += 1;
    }
    patterns
};

impl Pattern {
    const fn new(name: &[u8]) -> Self {
        let length = name.len() + 4;
        let (mut words, mut masks) = ([0; 4], [0; 4]);
        let mut at = 0;
        while at < length {
            let byte = match at {
                0 => b',',
                1 => b'"',
                _ if at == length - 2 => b'"',
                _ if at == length - 1 => b':',
                _ => name[at - 2],
            };
            words[at / 8] |= (byte as u64) << (at % 8 * 8);
            masks[at / 8] |= 0xff << (at % 8 * 8);
            at += 1;
        }
        Self { words, masks, length }
    }

    /// What follows this key; `None` when the text begins otherwise, or is shorter than 32 bytes.
    #[inline(always)]
    fn strip<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (chunks, _) = text.first_chunk::<32>()?.as_chunks::<8>();
        let mut difference = 0;
        for ((chunk, word), mask) in chunks.iter().zip(&self.words).zip(&self.masks) {
            difference |= (u64::from_le_bytes(*chunk) ^ word) & mask;
        }
        if difference == 0 { text.get(self.length..) } else { None }
    }
}
