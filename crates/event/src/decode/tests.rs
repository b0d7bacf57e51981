//! Lines as Falco prints them, quirk by quirk, and lines as nobody should print them.

mod agreement;
mod falco_files;
mod quirks;

use super::DecodeOptions;
use crate::{Block, Event};

/// Real lines of every kind, from recordings of Falco 0.40.
const LINES: &str = include_str!("../../fixtures/lines.jsonl");

/// A line with these members in `output_fields`, beside a time.
fn line(fields: &str) -> String {
    format!(
        r#"{{"hostname":"h","output":"o","output_fields":{{"evt.time.iso8601":7,{fields}}},"priority":"Debug","rule":"r","source":"syscall","tags":["t"],"time":"2026-11-22T08:55:32Z"}}"#
    )
}

/// Decodes one line and looks at its event.
fn with<T>(line: &str, look: impl FnOnce(Event<'_>) -> T) -> T {
    let block = Block::decode(line.into());
    assert_eq!((block.lines(), block.rejects()), (1, &[][..]), "{line}");
    look(block.event(&block.records()[0]))
}

/// Decodes a line with these members in `output_fields` and looks at its event.
fn with_fields<T>(fields: &str, look: impl FnOnce(Event<'_>) -> T) -> T {
    with(&line(fields), look)
}

fn keeping_payload(line: &str) -> Block {
    Block::decode_with(line.into(), &DecodeOptions { keep_payload: true })
}
