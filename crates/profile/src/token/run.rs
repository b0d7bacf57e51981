//! One run of letters and digits, judged by its shape.

use super::{compound::address_before, date, token_end};
use crate::peer;

/// The fewest characters that can be random: shorter ones are too often words.
pub(super) const RANDOM: usize = 6;

#[derive(Default)]
struct Shape {
    digits: usize,
    lower: usize,
    upper: usize,
    hex: usize,
    /// How often the class of character changes, a leading capital not counted.
    changes: usize,
}

fn shape(run: &str) -> Shape {
    let mut shape = Shape::default();
    let mut last = 0u8;
    for (index, byte) in run.bytes().enumerate() {
        let class = match byte {
            b'0'..=b'9' => {
                shape.digits += 1;
                1
            }
            b'a'..=b'z' => {
                shape.lower += 1;
                2
            }
            _ => {
                shape.upper += 1;
                3
            }
        };
        shape.hex += usize::from(byte.is_ascii_hexdigit());
        if index > 0 && class != last && !(index == 1 && last == 3) {
            shape.changes += 1;
        }
        last = class;
    }
    shape
}

/// How long the names are that Python's `tempfile` makes: `tmp` and eight small letters, digits and
/// underscores (`tempfile._RandomNameSequence`).
pub(super) const TEMPORARY_NAME: usize = 11;

/// True when a word is, or begins with and then has an ending, such a name. An underscore before
/// letters alone is rather a name in two words.
pub(super) fn is_temporary_name(word: &[u8]) -> bool {
    let Some(part) = word.get(3..TEMPORARY_NAME).filter(|_| word.starts_with(b"tmp")) else {
        return false;
    };
    let ends = word.get(TEMPORARY_NAME).is_none_or(|b| *b == b'.');
    let set = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
    let words = part.contains(&b'_') && !part.iter().any(u8::is_ascii_digit);
    ends && part.iter().all(set) && !words
}

/// Appends a run's token, or the run. `before` is the word up to it, `after` what follows.
pub(super) fn run(run: &str, before: &[u8], after: &[u8], out: &mut String) {
    let length = run.len();
    let letters = run.bytes().all(|b| b.is_ascii_alphabetic());
    if letters && (length < RANDOM || before.ends_with(b">") || token_end(after).is_some()) {
        out.push_str(run);
        return;
    }
    let shape = shape(run);
    let temporary = length >= RANDOM && temporary_before(before);
    if shape.digits == length {
        number(run, before, out);
    } else if is_hash(&shape, length) {
        out.push_str("<hash>");
    } else if shape.digits == 0 && shape.upper == 0 && !temporary {
        out.push_str(run);
    } else if is_hex(run, &shape) {
        out.push_str("<hex>");
    } else if temporary
        || (is_random(&shape, length) && !is_camel(run))
        || (after.is_empty() && is_template(&shape, run, before))
    {
        out.push_str("<rand>");
    } else {
        numbered(run, out);
    }
}

/// Digits by what stands before them: a process id, a port, a library's version, or a number.
fn number(run: &str, before: &[u8], out: &mut String) {
    if address_before(before)
        && let Ok(port) = run.parse()
    {
        out.push_str(&peer::port_token(port));
    } else if before.ends_with(b".so.") {
        out.push_str("<version>");
    } else if named_before(before, b"pid") {
        out.push_str("<pid>");
    } else if named_before(before, b"port")
        && let Ok(port) = run.parse::<u16>()
    {
        let ephemeral = port >= peer::EPHEMERAL_FROM;
        out.push_str(if ephemeral { "<port:ephemeral>" } else { "<port>" });
    } else {
        out.push_str(date::of_digits(run).unwrap_or("<num>"));
    }
}

/// A value of that name: `--pid=`, `pid:`, `.pid.`, and not `stupid=`.
fn named_before(before: &[u8], name: &[u8]) -> bool {
    let Some((sign, named)) = before.split_last() else { return false };
    let Some(outside) = named.strip_suffix(name) else { return false };
    b"=:-_.".contains(sign) && outside.last().is_none_or(|b| !b.is_ascii_alphanumeric())
}

/// `mktemp` writes its random part after `tmp.` or `tmp`, and it can look like a plain word.
fn temporary_before(before: &[u8]) -> bool {
    before.ends_with(b"tmp.") || before.ends_with(b"temp.") || before.ends_with(b".tmp-")
}

/// The lengths in which MD5, SHA-1 and the SHA-2 family are written.
fn is_hash(shape: &Shape, length: usize) -> bool {
    shape.hex == length && matches!(length, 32 | 40 | 56 | 64 | 96) && shape.digits < length
}

fn is_hex(run: &str, shape: &Shape) -> bool {
    let digits = run.strip_prefix("0x").or_else(|| run.strip_prefix("0X"));
    if let Some(digits) = digits {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    shape.hex == run.len() && run.len() >= 8 && (shape.digits > 0 || run.len() >= 32)
}

/// Six or more characters whose class keeps changing are not a name that a person chose; nor are
/// twenty or more that mix digits and both cases.
fn is_random(shape: &Shape, length: usize) -> bool {
    let mixed = shape.upper > 0 && shape.lower > 0;
    (length >= RANDOM && shape.changes >= 3)
        || (length >= RANDOM && shape.changes >= 2 && mixed && shape.digits > 0)
        || (length >= 20 && shape.digits > 0 && mixed)
}

/// Names of temporary files are short.
const LONGEST_TEMPLATE: usize = 40;

/// The last part of a name made by `mktemp`'s template (`build.XXXXXX`), which may change its class
/// of character once only; or of one made by Python with a prefix (`wgunicorn-` and eight small
/// letters and digits).
fn is_template(shape: &Shape, run: &str, before: &[u8]) -> bool {
    // Where a longer word is cut, what comes last is not its end.
    if before.len() > LONGEST_TEMPLATE {
        return false;
    }
    let capital = run.bytes().skip(1).any(|b| b.is_ascii_uppercase());
    let mktemp = before.ends_with(b".")
        && matches!(run.len(), 6 | 10)
        && capital
        && !is_camel(run)
        && shape.lower + shape.digits > 0;
    let python = before.ends_with(b"-")
        && run.len() == 8
        && shape.upper == 0
        && shape.digits > 0
        && shape.changes >= 2;
    mktemp || python
}

/// Words written together, each with a capital: `DataSourceConfig`. Random letters have single small
/// ones among them.
fn is_camel(run: &str) -> bool {
    let mut small = run.split(|c: char| c.is_ascii_uppercase());
    let first = small.next().unwrap_or_default();
    let word = |part: &str| part.is_empty() || part.len() >= 3;
    run.bytes().all(|b| b.is_ascii_alphabetic()) && word(first) && small.all(word)
}

/// Keeps the letters and replaces every group of digits.
fn numbered(run: &str, out: &mut String) {
    let mut in_number = false;
    for character in run.chars() {
        if character.is_ascii_digit() {
            if !in_number {
                out.push_str("<num>");
            }
            in_number = true;
        } else {
            out.push(character);
            in_number = false;
        }
    }
}
