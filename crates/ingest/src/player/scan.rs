//! Finding the times in a line.

use super::time::Format;

/// A time as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The value's bytes, without quotes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) time: u64,
    pub(super) format: Format,
    /// Which of several times is the event's: the lowest.
    pub(super) rank: u8,
}

/// Collects the times of a Falco line in the order in which they stand: the top-level `time`, and
/// `evt.time.iso8601`, `evt.time` and `evt.rawtime` one level down, in `output_fields`. A line that
/// is not JSON yields nothing or what can be told of it.
pub(super) fn find_times(line: &[u8], fields: &mut Vec<Field>) {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let Some(end) = string_end(line, at) else { return };
                let name = line.get(at + 1..end - 1).unwrap_or_default();
                at = end;
                if let Some(rank) = rank(depth, name)
                    && let Some(field) = time_behind(line, end, rank)
                {
                    // Behind the closing quote, if there is one.
                    at = field.end + usize::from(line.get(field.end) == Some(&b'"'));
                    fields.push(field);
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

fn rank(depth: u32, name: &[u8]) -> Option<u8> {
    match (depth, name) {
        (2, b"evt.time.iso8601") => Some(0),
        (2, b"evt.time") => Some(1),
        (2, b"evt.rawtime") => Some(2),
        (1, b"time") => Some(3),
        _ => None,
    }
}

/// The end of the string that begins at `start`, behind its closing quote.
fn string_end(line: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The time that stands behind a key ending at `at`. `None` when the string was a value after all.
fn time_behind(line: &[u8], at: usize, rank: u8) -> Option<Field> {
    let at = skip_blank(line, at);
    if line.get(at) != Some(&b':') {
        return None;
    }
    let mut start = skip_blank(line, at + 1);
    let end = if line.get(start) == Some(&b'"') {
        let end = string_end(line, start)? - 1;
        start += 1;
        end
    } else {
        let digits = line.get(start..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        start + digits
    };
    let (time, format) = Format::read(line.get(start..end)?)?;
    Some(Field { start, end, time, format, rank })
}

fn skip_blank(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}
