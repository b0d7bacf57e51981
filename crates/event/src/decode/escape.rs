//! JSON's escapes, and the two things that are not proper JSON but are read all the same: raw
//! control characters in strings, and `\u` escapes that are half of a surrogate pair.

/// Appends what a string's inside means; false, with nothing appended, for a wrong escape.
///
/// Half a surrogate pair becomes U+FFFD.
pub(super) fn unescape(mut text: &str, to: &mut String) -> bool {
    let start = to.len();
    while let Some(backslash) = memchr::memchr(b'\\', text.as_bytes()) {
        to.push_str(&text[..backslash]);
        let Some((character, length)) = escape(&text.as_bytes()[backslash..]) else {
            to.truncate(start);
            return false;
        };
        to.push(character);
        text = &text[backslash + length..];
    }
    to.push_str(text);
    true
}

/// The character of the escape at the start of `text`, and the escape's length.
pub(super) fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((character, 2))
}

fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = hex(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = text.get(6..).and_then(hex).filter(|second| (0xDC00..0xE000).contains(second));
    match second {
        Some(second) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

/// The number of a `\uXXXX` at the start of `text`.
fn hex(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

/// A copy of the line in which raw control characters in strings are escaped and halves of
/// surrogate pairs replaced; `None` when there are none.
pub(super) fn make_proper(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    if !bytes.iter().any(|b| *b < b' ' || *b == b'\\') {
        return None;
    }
    let mut proper = String::with_capacity(line.len() + 64);
    let (mut from, mut at, mut in_string, mut changed) = (0, 0, false, false);
    while let Some(&byte) = bytes.get(at) {
        let (length, replacement) = match byte {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' if in_string => match escape(&bytes[at..]) {
                Some((char::REPLACEMENT_CHARACTER, length)) => (length, Some("\\ufffd".to_owned())),
                Some((_, length)) => (length, None),
                None => return None,
            },
            ..b' ' if in_string => (1, Some(format!("\\u{byte:04x}"))),
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            proper.push_str(&line[from..at]);
            proper.push_str(&replacement);
            from = at + length;
            changed = true;
        }
        at += length;
    }
    proper.push_str(&line[from..]);
    changed.then_some(proper)
}

#[cfg(test)]
mod tests {
    use super::{make_proper, unescape};
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (text, meaning) in [
            (r"", Some("")),
            (r"plain", Some("plain")),
            (r#"a\"b\\c\/d"#, Some("a\"b\\c/d")),
            (r"\b\f\n\r\t", Some("\u{8}\u{c}\n\r\t")),
            (r"\u0041\u00e9\u4e2d", Some("Aé中")),
            (r"\u0000", Some("\0")),
            (r"\ud83d\ude00!", Some("😀!")),
            (r"\uD83D\uDE00", Some("😀")),
            (r"\ud83d", Some("\u{fffd}")),
            (r"\ud83dx", Some("\u{fffd}x")),
            (r"\ude00", Some("\u{fffd}")),
            (r"\ud83d\u0041", Some("\u{fffd}A")),
            (r"\ud83d\ud83d\ude00", Some("\u{fffd}😀")),
            (r"\ud83d\n", Some("\u{fffd}\n")),
            (r"\x", None),
            (r"\u12", None),
            (r"\u12g4", None),
            (r"\u+123", None),
            ("\\", None),
            (r"\ué", None),
        ] {
            let mut out = "before".to_owned();
            let right = unescape(text, &mut out);
            assert_eq!(right.then(|| &out["before".len()..]), meaning, "{text}");
            assert!(right || out == "before", "{text}");
        }
    }

    #[test]
    fn improper_lines_are_made_proper() {
        for (line, proper) in [
            ("{\"a\":\"b\"}", None),
            ("{\t\"a\":\"b\"}", None),
            ("{\"a\":\"b\tc\0\"}", Some(r#"{"a":"b\u0009c\u0000"}"#)),
            (r#"{"a":"\ud83d\ude00 \ud83d"}"#, Some(r#"{"a":"\ud83d\ude00 \ufffd"}"#)),
            (r#"{"a":"\\ud83d"}"#, None),
            (r#"{"a":"\q"}"#, None),
        ] {
            assert_eq!(make_proper(line).as_deref(), proper, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read(text in "\\PC*|[\\x00-\\x7f]*") {
            let json = serde_json::to_string(&text).unwrap();
            let mut out = String::new();
            prop_assert!(unescape(&json[1..json.len() - 1], &mut out));
            prop_assert_eq!(out, text);
        }
    }
}
