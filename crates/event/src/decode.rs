//! From lines of input to records.
//!
//! Two readers fill the same [`Fields`]: a fast one that knows Falco's shape, and a slow one that
//! knows JSON. A line goes to the slow one when the fast one meets anything it does not expect, so
//! the fast one never has to be lenient.

mod args;
mod escape;
mod fast;
mod fields;
mod finish;
mod scan;
mod slow;
#[cfg(test)]
mod tests;

use self::fields::Fields;
use self::finish::{Texts, finish};
use crate::{Block, Record, RejectReason, Rejected, Span};

/// How to decode.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecodeOptions {
    /// Keeps the values of `env=` and `data=` in `evt.args`, which are cut out otherwise.
    pub keep_payload: bool,
}

impl Block {
    /// Decodes whole lines; private parts of arguments are cut out.
    ///
    /// Lines end with `\n` or `\r\n`, the last one may end with the input; blank ones are not
    /// counted. Of an input longer than 1 GiB the lines that end beyond it are rejected.
    pub fn decode(input: Vec<u8>) -> Self {
        Self::decode_with(input, &DecodeOptions::default())
    }

    /// [`Block::decode`] with options.
    pub fn decode_with(input: Vec<u8>, options: &DecodeOptions) -> Self {
        let (text, repaired) = into_text(input);
        let mut block = Self { repaired, ..Self::default() };
        block.records.reserve(text.len() / RECORD_BYTES + 1);
        let mut decoder = Decoder {
            text: &text,
            options: *options,
            order: fast::Order::new(),
            fields: Fields::new(),
            extra: String::new(),
        };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
            decoder.line(start, end, &mut block);
            start = end + 1;
        }
        block.extra = decoder.extra;
        block.text = text;
        block
    }

    fn reject(&mut self, line: &str, reason: RejectReason) {
        self.rejects.push(reason);
        if self.samples.len() < Self::REJECT_SAMPLES {
            let end = line.floor_char_boundary(Self::REJECT_SAMPLE);
            self.samples.push(Rejected { reason, sample: line[..end].to_owned() });
        }
    }
}

/// A guess at the bytes of input per record that is rarely too high.
const RECORD_BYTES: usize = 800;

/// The input as text, and how many of its lines had to be repaired for that.
fn into_text(input: Vec<u8>) -> (String, u64) {
    let input = match String::from_utf8(input) {
        Ok(text) => return (text, 0),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(input.len() + 64);
    let mut repaired = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        repaired += u64::from(matches!(line, std::borrow::Cow::Owned(_)));
        text.push_str(&line);
    }
    (text, repaired)
}

struct Decoder<'a> {
    text: &'a str,
    options: DecodeOptions,
    order: fast::Order,
    fields: Fields,
    extra: String,
}

impl Decoder<'_> {
    /// Offsets in spans have 31 bits; half of that leaves room for what unescaping a line adds.
    const MAX_OFFSET: usize = 1 << 30;

    /// Decodes the line between two offsets.
    fn line(&mut self, start: usize, end: usize, block: &mut Block) {
        let line = &self.text[start..end];
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return;
        }
        block.lines += 1;
        let fits = line.len() <= Block::MAX_LINE
            && end <= Self::MAX_OFFSET
            && self.extra.len() <= Self::MAX_OFFSET;
        let record = if fits { self.record(line, start) } else { Err(RejectReason::TooLong) };
        match record {
            Ok(record) => block.records.push(record),
            Err(reason) => block.reject(line, reason),
        }
    }

    fn record(&mut self, line: &str, start: usize) -> Result<Record, RejectReason> {
        self.fields.clear();
        let (range, extra) = ((start, start + line.len()), self.extra.len());
        let read = fast::read(self.text, range, &mut self.order, &mut self.fields, &mut self.extra);
        if read.is_none() {
            self.fields.clear();
            self.extra.truncate(extra);
            let line = line.strip_prefix('\u{feff}').unwrap_or(line);
            slow::read(line, &mut self.fields, &mut self.extra)?;
        }
        let texts = Texts { text: self.text.as_bytes(), extra: self.extra.as_bytes() };
        finish(Span::text(start, line.len()), &self.fields, texts, self.options)
            .ok_or(RejectReason::NoTime)
    }
}
