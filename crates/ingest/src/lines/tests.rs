//! Lines handed in in any pieces come out whole; huge ones cost bounded memory.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{BATCH_BYTES, open_lines};

/// Hands out a text in pieces of the given sizes.
struct Pieces {
    text: Vec<u8>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].max(1);
        self.turn += 1;
        let size = size.min(into.len()).min(self.text.len());
        into[..size].copy_from_slice(&self.text[..size]);
        self.text.drain(..size);
        Ok(size)
    }
}

/// `count` bytes of `x`, then a newline and one more line, without holding them.
struct Endless {
    left: usize,
    tail: &'static [u8],
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.tail.read(into);
        }
        let size = into.len().min(self.left);
        into[..size].fill(b'x');
        self.left -= size;
        Ok(size)
    }
}

fn blocks(input: Input, target: usize) -> Vec<Vec<u8>> {
    LineBlocks::new(input, target).map(Result::unwrap).collect()
}

#[test]
fn a_huge_line_is_cut_off_with_bounded_memory() {
    let huge = Endless { left: 100 << 20, tail: b" end\n{\"next\":1}\nlast" };
    let mut lines = LineBlocks::new(Input::from_reader(huge), BATCH_BYTES);
    let mut block = Vec::new();
    let mut all = Vec::new();
    while lines.next_into(&mut block).unwrap() {
        assert!(block.capacity() < 8 << 20, "{}", block.capacity());
        all.extend_from_slice(&block);
    }
    assert_eq!(lines.too_long(), 1);
    let (cut, rest) = all.split_at(MAX_LINE_BYTES + 1);
    assert!(cut[..MAX_LINE_BYTES].iter().all(|b| *b == b'x') && cut.ends_with(b"\n"));
    assert_eq!(rest, b"{\"next\":1}\nlast\n");
    assert!(all.len() > crate::MAX_LINE_BYTES, "the decoder sees it as too long");
}

#[test]
fn a_huge_last_line_ends_too() {
    let huge = Endless { left: 10 << 20, tail: b"" };
    let blocks = blocks(Input::from_reader(huge), BATCH_BYTES);
    assert_eq!(blocks.concat().len(), MAX_LINE_BYTES + 1);
}

#[test]
fn compressed_and_plain_files_give_the_same_lines() {
    let dir = TempDir::new().unwrap();
    let text: Vec<u8> = (0..40_000).flat_map(|i| format!("{{\"n\":{i}}}\n").into_bytes()).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text[..1_000]).unwrap();
    let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    second.write_all(&text[1_000..]).unwrap();
    let gzip = [gzip.finish().unwrap(), second.finish().unwrap()].concat();
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.long_distance_matching(true).unwrap();
    zstd.window_log(27).unwrap();
    zstd.write_all(&text).unwrap();
    let zstd = zstd.finish().unwrap();
    for (name, bytes) in [("plain", text.clone()), ("x.gz", gzip), ("named.wrongly", zstd)] {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let mut lines = LineBlocks::new(open_lines(&path).unwrap(), 1 << 16);
        let progress = lines.progress().clone();
        assert_eq!(progress.total(), Some(bytes.len() as u64));
        let all: Vec<Vec<u8>> = lines.by_ref().map(Result::unwrap).collect();
        assert!(all.len() > 2 && all.iter().all(|block| block.ends_with(b"\n")));
        assert!(all.concat() == text, "{name}");
        assert_eq!(progress.position(), bytes.len() as u64, "{name}");
    }
}

#[test]
fn what_cannot_be_opened_or_read_is_an_error() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("none.jsonl");
    let error = open_lines(&missing).err().unwrap();
    assert!(error.to_string().starts_with("failed to open /"), "{error}");
    assert!(open_lines(dir.path()).is_err());
    let broken = dir.path().join("broken.gz");
    fs::write(&broken, b"\x1f\x8bnot really").unwrap();
    let results: Vec<_> = LineBlocks::new(open_lines(&broken).unwrap(), 0).collect();
    assert!(matches!(&results[..], [Err(_)]), "one error and then the end");
    fs::write(&broken, b"").unwrap();
    assert_eq!(blocks(open_lines(Path::new(&broken)).unwrap(), 0).len(), 0);
}

proptest! {
    #[test]
    fn lines_are_never_torn(
        lines in prop::collection::vec(prop::collection::vec(1_u8..255, 0..60), 0..200),
        sizes in prop::collection::vec(1_usize..300, 1..8),
        terminated in any::<bool>(),
    ) {
        let mut text = Vec::new();
        for line in &lines {
            text.extend(line.iter().filter(|b| **b != b'\n'));
            text.push(b'\n');
        }
        if !terminated {
            text.pop();
        }
        let pieces = Pieces { text: text.clone(), sizes, turn: 0 };
        let blocks = blocks(Input::from_reader(pieces), 0);
        prop_assert!(blocks.iter().all(|block| block.ends_with(b"\n")));
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        prop_assert_eq!(blocks.concat(), text);
    }

    #[test]
    fn a_cutter_gives_each_line_once(
        pieces in prop::collection::vec("[a\n]{0,9}", 0..40),
    ) {
        let mut cutter = LineCutter::default();
        let (mut buffer, mut all) = (Vec::new(), Vec::new());
        for piece in &pieces {
            cutter.begin(&mut buffer);
            buffer.extend_from_slice(piece.as_bytes());
            if cutter.cut(&mut buffer) {
                prop_assert!(buffer.ends_with(b"\n"));
                all.extend_from_slice(&buffer);
            } else {
                prop_assert!(buffer.is_empty());
            }
        }
        all.extend_from_slice(cutter.partial());
        prop_assert_eq!(all, pieces.concat().into_bytes());
    }
}
