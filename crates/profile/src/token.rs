//! Lexical generalisation: words in which numbers, hashes, dates and random parts lose their value.
//!
//! A word is cut into runs of letters and digits; every run is judged alone, so that
//! `orders-20261122-091239.csv` becomes `orders-<date>-<num>.csv`. The result is a fixed point:
//! generalising it again changes nothing.

/// Where a generalised word is cut off: longer names come from generators, and one node must not
/// cost a kilobyte. The last run may exceed it by its own length.
pub const MAX_WORD: usize = 120;

/// Appends the generalised form of `word` to `out`. Linear in the word's length.
pub fn generalise(word: &str, out: &mut String) {
    if is_uuid(word) {
        out.push_str("<uuid>");
        return;
    }
    let bytes = word.as_bytes();
    let mut at = 0;
    let begin = out.len();
    while at < bytes.len() {
        let start = at;
        // A run such as `7a` becomes `<num>a`, and the cut must not fall inside it.
        let inside = at > 0 && (bytes[at - 1] == b'>' || bytes[at - 1].is_ascii_alphanumeric());
        let separator = !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'<';
        if out.len() - begin >= MAX_WORD && (separator || !inside) {
            break;
        }
        if bytes[at] == b'<'
            && let Some(close) = token_end(&bytes[at..])
        {
            at += close;
            out.push_str(word.get(start..at).unwrap_or_default());
        } else if bytes[at].is_ascii_alphanumeric() {
            while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
                at += 1;
            }
            run(
                bounded(word.get(start..at).unwrap_or_default()),
                temporary_before(bytes, start),
                out,
            );
        } else {
            while at < bytes.len() && !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'<' {
                at += 1;
            }
            at = at.max(start + 1);
            while !word.is_char_boundary(at) {
                at += 1;
            }
            out.push_str(bounded(word.get(start..at).unwrap_or_default()));
        }
    }
}

/// The generalised form of `word` as a new string.
pub fn generalised(word: &str) -> String {
    let mut out = String::with_capacity(word.len().min(MAX_WORD) + 8);
    generalise(word, &mut out);
    out
}

fn bounded(word: &str) -> &str {
    if word.len() <= MAX_WORD {
        return word;
    }
    let mut end = MAX_WORD;
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.get(..end).unwrap_or_default()
}

/// Length of a token such as `<num>` or `<ip:private>` at the start of `bytes`.
fn token_end(bytes: &[u8]) -> Option<usize> {
    let inner = bytes.iter().skip(1).take(24).position(|b| *b == b'>')?;
    let body = bytes.get(1..=inner)?;
    let plain = !body.is_empty() && body.iter().all(|b| b.is_ascii_lowercase() || *b == b':');
    plain.then_some(inner + 2)
}

/// `mktemp` writes its random part after `tmp.` or `tmp`, and it can look like a plain word.
fn temporary_before(bytes: &[u8], start: usize) -> bool {
    let before = bytes.get(..start).unwrap_or_default();
    before.ends_with(b"tmp.") || before.ends_with(b"temp.") || before.ends_with(b".tmp-")
}

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

fn run(run: &str, temporary: bool, out: &mut String) {
    let length = run.len();
    let first = run.as_bytes().first().copied().unwrap_or_default();
    if length < 6 && !first.is_ascii_digit() && run.bytes().all(|b| b.is_ascii_alphabetic()) {
        out.push_str(run);
        return;
    }
    let shape = shape(run);
    if shape.digits == length {
        out.push_str(if is_date(run) { "<date>" } else { "<num>" });
    } else if shape.digits == 0 && shape.upper == 0 && !temporary {
        out.push_str(if length >= 32 && shape.hex == length { "<hex>" } else { run });
    } else if shape.hex == length && length >= 8 && shape.digits > 0 {
        out.push_str("<hex>");
    } else if (temporary && length >= 6) || is_random(&shape, length) {
        out.push_str("<rand>");
    } else {
        numbered(run, out);
    }
}

/// Six or more characters whose class keeps changing are not a name that a person chose; nor are
/// twenty or more that mix digits and both cases.
fn is_random(shape: &Shape, length: usize) -> bool {
    let mixed = shape.upper > 0 && shape.lower > 0;
    (length >= 6 && shape.changes >= 3)
        || (length >= 6 && shape.changes >= 2 && mixed && shape.digits > 0)
        || (length >= 20 && shape.digits > 0 && mixed)
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

fn is_date(run: &str) -> bool {
    let number = |from: usize, to: usize| run.get(from..to).and_then(|t| t.parse::<u32>().ok());
    run.len() == 8
        && matches!(
            (number(0, 4), number(4, 6), number(6, 8)),
            (Some(1990..=2099), Some(1..=12), Some(1..=31))
        )
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::generalised;

    #[test]
    fn words_lose_their_values() {
        for (word, expected) in [
            ("orders-20261122-091239.csv", "orders-<date>-<num>.csv"),
            ("page.22953", "page.<num>"),
            ("i12.png", "i<num>.png"),
            ("libc.so.6", "libc.so.<num>"),
            ("tmp.Whvbww", "tmp.<rand>"),
            ("sedxnmhP0", "<rand>"),
            ("sed5tsYla", "<rand>"),
            ("550e8400-e29b-41d4-a716-446655440000", "<uuid>"),
            ("d64eeba408634882f67fe1def425d3d4688f938c9a66ee496aa2dd9a03a15646", "<hex>"),
            ("nginx.conf", "nginx.conf"),
            ("authorized_keys", "authorized_keys"),
            ("ServerName", "ServerName"),
            ("README", "README"),
            ("part-00017.parquet", "part-<num>.parquet"),
            ("x86_64-linux-gnu", "x<num>_<num>-linux-gnu"),
            ("<num>.log", "<num>.log"),
            ("äöü7", "äöü<num>"),
            ("", ""),
            ("<", "<"),
        ] {
            assert_eq!(generalised(word), expected, "{word}");
        }
    }

    proptest! {
        #[test]
        fn generalising_twice_changes_nothing(word in "\\PC{0,60}") {
            let once = generalised(&word);
            prop_assert_eq!(generalised(&once), once);
        }

        #[test]
        fn names_of_every_kind_keep_a_fixed_point(word in "[a-zA-Z0-9._<>-]{0,40}") {
            let once = generalised(&word);
            prop_assert_eq!(generalised(&once), once);
        }
    }
}
