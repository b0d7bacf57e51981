//! Cutting a stream of bytes into batches of whole lines.

#[cfg(test)]
mod tests;

use std::io;

use crate::{Input, Progress};

/// The longest line that is kept whole. Twice the decoder's limit: what lies between is rejected
/// there with its reason, and a line without end must not eat memory here.
pub const MAX_LINE_BYTES: usize = 2 << 20;

/// Holds the unfinished last line between reads.
#[derive(Debug, Default)]
pub(crate) struct LineCutter {
    partial: Vec<u8>,
    /// The rest of the present line was given up.
    skipping: bool,
    too_long: u64,
}

impl LineCutter {
    /// One that starts in the middle of a line, whose rest is skipped.
    pub(crate) fn within_line() -> Self {
        Self { skipping: true, ..Self::default() }
    }

    /// Lines so far that were longer than [`MAX_LINE_BYTES`] and handed out cut off.
    pub(crate) fn too_long(&self) -> u64 {
        self.too_long
    }

    /// Bytes of the unfinished line.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Moves the unfinished line into `buffer`, which the caller then reads on into.
    pub(crate) fn begin(&mut self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.append(&mut self.partial);
    }

    /// Leaves whole lines in `buffer` and keeps the rest; false when there is no whole line yet.
    pub(crate) fn cut(&mut self, buffer: &mut Vec<u8>) -> bool {
        if self.skipping {
            match memchr::memchr(b'\n', buffer) {
                Some(end) => {
                    buffer.drain(..=end);
                    self.skipping = false;
                }
                None => buffer.clear(),
            }
        }
        let whole = memchr::memrchr(b'\n', buffer).map_or(0, |end| end + 1);
        if buffer.len() - whole > MAX_LINE_BYTES {
            buffer.truncate(whole + MAX_LINE_BYTES);
            buffer.push(b'\n');
            self.skipping = true;
            self.too_long += 1;
            return true;
        }
        self.partial.extend_from_slice(buffer.get(whole..).unwrap_or_default());
        buffer.truncate(whole);
        whole > 0
    }

    /// The unfinished last line with a newline, where there is one.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        self.skipping = false;
        if self.partial.is_empty() {
            return None;
        }
        let mut line = std::mem::take(&mut self.partial);
        line.push(b'\n');
        Some(line)
    }
}

/// Blocks of whole lines, each ending in `\n`, read from an [`Input`] to its end.
///
/// A line longer than [`MAX_LINE_BYTES`] is cut off there, and the rest of it skipped and counted.
/// Memory: one block of `target_bytes` and one line.
pub struct LineBlocks {
    input: Input,
    target_bytes: usize,
    cutter: LineCutter,
    ended: bool,
}

impl LineBlocks {
    /// Blocks of about `target_bytes`, at least 4 KiB.
    pub fn new(input: Input, target_bytes: usize) -> Self {
        let target_bytes = target_bytes.max(4096);
        Self { input, target_bytes, cutter: LineCutter::default(), ended: false }
    }

    /// How far the input was read; clone it for a progress bar.
    pub fn progress(&self) -> &Progress {
        self.input.progress()
    }

    /// Lines so far that were too long.
    pub fn too_long(&self) -> u64 {
        self.cutter.too_long()
    }

    /// Fills `block` with the next lines, reusing its memory; false at the end.
    pub fn next_into(&mut self, block: &mut Vec<u8>) -> io::Result<bool> {
        while !self.ended {
            self.cutter.begin(block);
            if self.input.fill(block, self.target_bytes)? == 0 {
                self.ended = true;
                self.cutter.cut(block);
                break;
            }
            if self.cutter.cut(block) {
                return Ok(true);
            }
        }
        block.clear();
        let last = self.cutter.finish();
        block.extend_from_slice(last.as_deref().unwrap_or_default());
        Ok(last.is_some())
    }
}

impl Iterator for LineBlocks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut block = Vec::new();
        match self.next_into(&mut block) {
            Ok(true) => Some(Ok(block)),
            Ok(false) => None,
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
