//! The fast and the slow reader say the same of every line.

use proptest::prelude::*;

use super::LINES;
use crate::decode::fields::{Fields, Key, Value};
use crate::decode::{fast, slow};
use crate::{Block, RejectReason, Span};

/// What a reader found, without where it found it.
#[derive(Debug, PartialEq)]
enum Found {
    Absent,
    Text(String),
    Positive(u64),
    Negative(i64),
}

fn found(fields: &Fields, text: &str, extra: &str) -> Vec<(Key, Found)> {
    let get = |span: Span| {
        let (text, start) = span.locate(text, extra);
        text[start..start + span.len as usize].to_owned()
    };
    let found = |key| match fields.get(key) {
        Value::Absent => Found::Absent,
        Value::Text(span) => Found::Text(get(span)),
        Value::Positive(number) => Found::Positive(number),
        Value::Negative(number) => Found::Negative(number),
    };
    let keys = Key::ALL.into_iter().filter(|k| !matches!(k, Key::Output | Key::OutputFields));
    keys.map(|key| (key, found(key))).collect()
}

/// Reads a line with the fast reader; `None` when that leaves it to the slow one.
fn fast(line: &str, order: &mut fast::Order) -> Option<Vec<(Key, Found)>> {
    let (mut fields, mut extra) = (Fields::new(), String::new());
    // As in a block, text of other lines follows.
    let text = format!("{line}\n{}", &LINES[..64]);
    fast::read(&text, (0, line.len()), order, &mut fields, &mut extra)?;
    Some(found(&fields, &text, &extra))
}

fn slow(line: &str) -> Result<Vec<(Key, Found)>, RejectReason> {
    let (mut fields, mut extra) = (Fields::new(), String::new());
    slow::read(line, &mut fields, &mut extra)?;
    Ok(found(&fields, "", &extra))
}

fn assert_agreement(line: &str, order: &mut fast::Order) -> bool {
    let fast = fast(line, order);
    let is_fast = fast.is_some();
    if let Some(fast) = fast {
        assert_eq!(Ok(fast), slow(line), "{line}");
    }
    is_fast
}

#[test]
fn real_lines_take_the_fast_path() {
    let mut order = fast::Order::new();
    for line in LINES.lines() {
        assert!(assert_agreement(line, &mut order), "{line}");
    }
}

#[test]
fn the_order_of_keys_does_not_matter() {
    let mut order = fast::Order::new();
    let fields = r#""user.uid":1,"proc.name":"n","evt.type":"open","fd.num":-1,"a":"b""#;
    let line = format!(
        r#"{{"time":"t","tags":[],"output_fields":{{{fields}}},"hostname":"h","x":true,"rule":"r"}}"#
    );
    for _ in 0..3 {
        assert!(assert_agreement(&line, &mut order));
        assert!(assert_agreement(LINES.lines().next().unwrap(), &mut order));
    }
}

#[test]
fn odd_lines_agree_or_are_left_to_the_slow_reader() {
    let inner = |fields: &str| format!(r#"{{"output_fields":{{{fields}}},"rule":"r"}}"#);
    let top = |members: &str| format!(r#"{{"output_fields":{{"evt.num":1}},{members}}}"#);
    let mut order = fast::Order::new();
    for line in [
        inner(r#""evt.num":1.0"#),
        inner(r#""evt.num":-0"#),
        inner(r#""evt.num":01"#),
        inner(r#""evt.num":1e3"#),
        inner(r#""evt.num":18446744073709551615"#),
        inner(r#""evt.num":18446744073709551616"#),
        inner(r#""fd.num":-9223372036854775808"#),
        inner(r#""fd.num":-9223372036854775809"#),
        inner(r#""proc.name":"a","proc.name":"b""#),
        inner(r#""proc.name":"a","proc.name":null"#),
        inner(r#""proc.name":{"a":1}"#),
        inner(r#""proc.name":["a"]"#),
        inner(r#""a":{"a":[1,2]}"#),
        inner(r#""a":truest"#),
        inner(r#""a":nul"#),
        inner(r#""a":"b""c":"d""#),
        inner(r#""a":"b","#),
        inner(r#","a":"b""#),
        inner(r#""proc.n\u0061me":"x""#),
        inner(r#""proc.name":"\q""#),
        inner(r#""proc.name":"\u00""#),
        inner(r#""proc.name":"\ud800""#),
        inner("\"proc.name\":\"a\tb\0c\""),
        inner(""),
        top(r#""tags":"text""#),
        top(r#""tags":["a" ,"b"]"#),
        top(r#""tags":["a\"b"]"#),
        top(r#""tags":["a","b"]"#),
        top(r#""tags":["a",]"#),
        top(r#""tags":[1]"#),
        top(r#""tags":[]"#),
        top(r#""tags":["#),
        top(r#""output_fields":{"evt.num":2}"#),
        top(r#""output_fields":null"#),
        top(r#""output":"\ud800 \n \"x\"""#),
        top(r#""output":"\x""#),
        top(r#""time":"x"} "#),
        top(r#""time":"x"}}"#),
        r#"{"output_fields":null,"rule":"r"}"#.to_owned(),
        r#"{"output_fields":"x"}"#.to_owned(),
        r#"{"rule":"r"}"#.to_owned(),
        r#"{"rule":"r""#.to_owned(),
        r#"{"rule":"r"#.to_owned(),
        "{}".to_owned(),
        "{".to_owned(),
        "\"".to_owned(),
        r#"{"output_fields":{"evt.num":7}}"#.to_owned(),
    ] {
        assert_agreement(&line, &mut order);
    }
}

/// One change of a line: where, how many bytes go, and what comes in their place.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let pieces = prop::sample::select(vec![
        "",
        "",
        "\"",
        "\\",
        "\\\"",
        "\\u0041",
        "\\ud83d",
        "\\udc00",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\t",
        "\0",
        "null",
        "true",
        "1",
        "-",
        "0",
        "1.5",
        "1e9",
        "12345678901234567890",
        "é",
        "\u{1F600}",
        "\"proc.name\":\"x\",",
        "\"evt.num\":1,",
        "\"tags\":[],",
        "\u{7f}",
        "<NA>",
    ]);
    (any::<prop::sample::Index>(), 0_usize..12, pieces.prop_map(str::to_owned))
}

fn mutated() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = LINES.lines().collect();
    (prop::sample::select(lines), prop::collection::vec(change(), 0..6)).prop_map(
        |(line, changes)| {
            let mut line = line.to_owned();
            for (at, length, piece) in changes {
                let start = line.floor_char_boundary(at.index(line.len() + 1));
                let end = line.ceil_char_boundary((start + length).min(line.len()));
                line.replace_range(start..end, &piece);
            }
            line
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn mutated_lines_agree(lines in prop::collection::vec(mutated(), 1..4)) {
        let mut order = fast::Order::new();
        for line in lines {
            assert_agreement(&line, &mut order);
        }
    }

    #[test]
    fn every_line_is_counted(lines in prop::collection::vec(mutated(), 0..4), end in "(\r?\n)?") {
        let block = Block::decode((lines.join("\n") + &end).into());
        let expected = lines.iter().flat_map(|l| l.split('\n')).filter(|l| !l.trim_ascii().is_empty());
        prop_assert_eq!(block.lines(), expected.count() as u64);
        prop_assert_eq!(block.lines() as usize, block.records().len() + block.rejects().len());
    }

    #[test]
    fn garbage_is_counted(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let block = Block::decode(bytes);
        prop_assert_eq!(block.lines() as usize, block.records().len() + block.rejects().len());
        for record in block.records() {
            let _event = block.event(record);
        }
    }
}
