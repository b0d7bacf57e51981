//! Lexical generalisation: words in which numbers, hashes, dates and random parts lose their value.
//!
//! A word is read from left to right. Where something begins that is written in several pieces (an
//! address, a date, a version, a uuid) it becomes its token as a whole; what is left is cut into
//! runs of letters and digits, each judged alone, so that `orders-20261122-091239.csv` becomes
//! `orders-<date>-<time>.csv`.
//!
//! The result is a fixed point: generalising it again changes nothing. Three rules see to that. No
//! digit is left outside a token, but for the port of an address. Letters beside a token are what is
//! left of a run that was judged already, and stay. A word that is too long is cut only where the
//! pieces of the result meet.

mod compound;
mod date;
mod run;

use compound::compound;
use run::run;

/// Where a generalised word is cut off: longer names come from generators, and one node must not
/// cost a kilobyte. The last run may exceed it by its own length.
pub const MAX_WORD: usize = 120;

/// Every token that stands for a value, by its name. Classes of addresses follow `ip:`.
pub const TYPES: [&str; 12] = [
    "<pid>",
    "<num>",
    "<hex>",
    "<hash>",
    "<uuid>",
    "<date>",
    "<time>",
    "<version>",
    "<rand>",
    "<base64>",
    "<port>",
    "<port:ephemeral>",
];

/// Appends the generalised form of `word` to `out`. Linear in the word's length.
pub fn generalise(word: &str, out: &mut String) {
    let bytes = word.as_bytes();
    let begin = out.len();
    let mut at = 0;
    if run::is_temporary_name(bytes) {
        out.push_str("tmp<rand>");
        at = run::TEMPORARY_NAME;
    }
    // Most words are plain, and small letters alone change only where they can be a hash.
    if at == 0 && bytes.len() < 32 && bytes.iter().all(u8::is_ascii_lowercase) {
        out.push_str(word);
        return;
    }
    while at < bytes.len() && out.len() - begin < 2 * MAX_WORD + TOKEN {
        at = piece(word, at, out);
    }
    cut(out, begin);
}

/// The generalised form of `word` as a new string.
pub fn generalised(word: &str) -> String {
    let mut out = String::with_capacity(word.len().min(MAX_WORD) + 8);
    generalise(word, &mut out);
    out
}

/// As [`generalised`], or the word itself where `lexical` is off: what generalising is worth is
/// measured by leaving it out.
pub fn word(text: &str, lexical: bool) -> String {
    if lexical { generalised(text) } else { bounded(text, 2 * MAX_WORD).to_owned() }
}

/// Appends the piece that begins at `at`; returns where the next one does.
fn piece(word: &str, at: usize, out: &mut String) -> usize {
    let bytes = word.as_bytes();
    let rest = bytes.get(at..).unwrap_or_default();
    let end = match rest.first() {
        Some(b'<') if token_end(rest).is_some() => at + token_end(rest).unwrap_or(1),
        Some(first) if first.is_ascii_alphanumeric() => {
            if let Some(length) = compound(word, at, out) {
                return at + length;
            }
            let end = at + rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            let text = bounded(word.get(at..end).unwrap_or_default(), MAX_WORD);
            let after = bytes.get(end..).unwrap_or_default();
            run(text, bytes.get(..at).unwrap_or_default(), after, out);
            return end;
        }
        _ => {
            if let Some(length) = compound(word, at, out) {
                return at + length;
            }
            separator(word, at)
        }
    };
    out.push_str(bounded(word.get(at..end).unwrap_or_default(), MAX_WORD));
    end
}

/// Where the characters that are neither letters nor digits end; an address may begin among them.
fn separator(word: &str, at: usize) -> usize {
    let bytes = word.as_bytes();
    let mut end = at + 1;
    while end < bytes.len()
        && !bytes[end].is_ascii_alphanumeric()
        && bytes[end] != b'<'
        && !bytes[end..].starts_with(b"::")
    {
        end += 1;
    }
    while !word.is_char_boundary(end) {
        end += 1;
    }
    end
}

/// The longest token is `<port:ephemeral>`; what is written like one, but longer, is text.
const TOKEN: usize = 26;

/// Length of a token such as `<num>` or `<ip:private>` at the start of `bytes`.
fn token_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'<') || !bytes.get(1)?.is_ascii_lowercase() {
        return None;
    }
    let inner = bytes.iter().skip(1).take(TOKEN - 2).position(|b| *b == b'>')?;
    let body = bytes.get(1..=inner)?;
    let plain = body.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b':');
    plain.then_some(inner + 2)
}

/// Cuts what was written since `begin` where it is too long: before the first separator, or behind
/// the first token, at or after [`MAX_WORD`]. What is left is read again as the same pieces.
fn cut(out: &mut String, begin: usize) {
    let mut at = 0;
    while let Some(bytes) = out.as_bytes().get(begin + at..).filter(|rest| !rest.is_empty()) {
        let token = token_end(bytes);
        let plain = bytes.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        if token.is_none() && plain == 0 && at >= MAX_WORD {
            out.truncate(begin + at);
            return;
        }
        at += match token {
            Some(length) => length,
            None if plain > 0 => plain,
            None => separator(out.get(begin + at..).unwrap_or_default(), 0),
        };
        if token.is_some() && at >= MAX_WORD {
            out.truncate(begin + at);
            return;
        }
    }
}

/// At most so many bytes of a text, cut between characters.
fn bounded(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
