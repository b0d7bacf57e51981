//! One line of `OpenMetrics` text.

use super::STALE;
use crate::{Labels, NAME, Sample, stale};

/// The last second of the year 9999: what is later was written in milliseconds.
const MAX_SECONDS: i64 = 253_402_300_799;
const TYPES: [&str; 8] =
    ["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"];

/// What a line is.
pub(super) enum Line {
    Sample(Labels, Sample),
    /// Type, help or unit.
    About,
    End,
}

/// What is wrong with a line, and what to do.
pub(super) struct Wrong(pub(super) String, pub(super) &'static str);

/// Reads a line without its end.
pub(super) fn parse(line: &[u8]) -> Result<Line, Wrong> {
    let Ok(line) = std::str::from_utf8(line) else {
        return wrong("the line is not UTF-8", "write the text in UTF-8");
    };
    if line.ends_with('\r') {
        let remedy = "write line ends as a line feed alone, as `tr -d '\\r'` does";
        return wrong("the line ends with a carriage return", remedy);
    }
    if line.is_empty() {
        return wrong("the line is empty", "take it out: OpenMetrics has no empty lines");
    }
    match line.strip_prefix('#') {
        Some(comment) => about(comment),
        None => sample(line).map(|(labels, sample)| Line::Sample(labels, sample)),
    }
}

fn wrong<T>(why: impl Into<String>, remedy: &'static str) -> Result<T, Wrong> {
    Err(Wrong(why.into(), remedy))
}

/// Text of a line for people: the beginning of it, without what moves a cursor.
fn cut(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn about(comment: &str) -> Result<Line, Wrong> {
    if comment == " EOF" {
        return Ok(Line::End);
    }
    let mut words = comment.strip_prefix(' ').unwrap_or_default().splitn(3, ' ');
    let (word, name, rest) = (words.next(), words.next(), words.next());
    if !matches!(word, Some("HELP" | "TYPE" | "UNIT")) {
        let remedy = "take it out: OpenMetrics has no comments of other kinds";
        return wrong("the comment is none of HELP, TYPE, UNIT and EOF", remedy);
    }
    if !name.is_some_and(is_name) {
        return wrong("the comment names no metric", "write it as in `# TYPE requests counter`");
    }
    let kind = rest.unwrap_or_default();
    if word == Some("TYPE") && !TYPES.contains(&kind) {
        let remedy = "it can be counter, gauge, histogram, gaugehistogram, summary, info, stateset \
                      or unknown (untyped of Prometheus' text format is unknown here)";
        return wrong(format!("`{}` is no type of OpenMetrics", cut(kind)), remedy);
    }
    Ok(Line::About)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && name_length(text, true) == text.len()
}

/// How much of a text is a name.
fn name_length(text: &str, colon: bool) -> usize {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':');
    if text.bytes().next().is_none_or(|first| first.is_ascii_digit() || !inner(first)) {
        return 0;
    }
    text.bytes().position(|b| !inner(b)).unwrap_or(text.len())
}

fn sample(line: &str) -> Result<(Labels, Sample), Wrong> {
    let (name, mut rest) = line.split_at(name_length(line, true));
    if name.is_empty() {
        let remedy = "begin it with letters, digits, `_` and `:`, and no digit first";
        return wrong("the line does not begin with the name of a metric", remedy);
    }
    let mut pairs = vec![(NAME, name.to_owned())];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = labels(inside, &mut pairs)?;
    }
    let Some(rest) = rest.strip_prefix(' ') else {
        let why = format!("no space and value follow the series `{}`", cut(name));
        return wrong(why, "write name and labels, a space, the value, a space, the time");
    };
    let (value, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(mut number) = float(value) else {
        let remedy = "write a decimal number, +Inf, -Inf or NaN, after one space";
        return wrong(format!("the value `{}` is no number", cut(value)), remedy);
    };
    if rest.is_empty() || rest.starts_with('#') {
        let remedy = "add one in seconds since 1970, as in `up 1 1700000000.5`";
        return wrong(format!("the sample `{}` has no time", cut(line)), remedy);
    }
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let time = time(word)?;
    match rest.strip_prefix("# ") {
        Some(STALE) if number.is_nan() => number = stale(),
        Some(text) => exemplar(text)?,
        None if rest.is_empty() => {}
        None => {
            let remedy = "end the line after the time, or write an exemplar: ` # {…} 1`";
            return wrong(format!("`{}` follows the time", cut(rest)), remedy);
        }
    }
    Ok((Labels::new(pairs), Sample { time, value: number }))
}

/// Reads labels up to the brace; returns what follows it.
fn labels<'a>(mut rest: &'a str, pairs: &mut Vec<(&'a str, String)>) -> Result<&'a str, Wrong> {
    while !rest.starts_with('}') {
        let (name, after) = rest.split_at(name_length(rest, false));
        if name.is_empty() {
            let remedy = "write labels as in `{job=\"api\",code=\"200\"}`, without spaces";
            let why = format!("`{}` does not begin with the name of a label", cut(rest));
            return wrong(why, remedy);
        }
        if pairs.iter().any(|(known, _)| *known == name) {
            return wrong(format!("the label `{}` is there twice", cut(name)), "take one out");
        }
        let Some(text) = after.strip_prefix("=\"") else {
            let why = format!("the value of the label `{}` is not in quotes", cut(name));
            return wrong(why, "write labels as in `{job=\"api\"}`");
        };
        let Some((value, after)) = quoted(text) else {
            let why = format!("the value of the label `{}` has no closing quote", cut(name));
            return wrong(why, "close it; a quote in a value is written \\\"");
        };
        pairs.push((name, value));
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => {
                let why = format!("neither a comma nor `}}` follows the label `{}`", cut(name));
                return wrong(why, "put a comma, without spaces, between labels");
            }
        };
    }
    Ok(&rest[1..])
}

/// A text up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let end = text.find(['"', '\\'])?;
    if text.as_bytes()[end] == b'"' {
        return Some((text[..end].to_owned(), &text[end + 1..]));
    }
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\') => value.push(c),
                // What is not escaped by this format stays as it stands, as in Prometheus.
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

fn exemplar(text: &str) -> Result<(), Wrong> {
    let read = || {
        let rest = labels(text.strip_prefix('{')?, &mut Vec::new()).ok()?;
        let mut words = rest.strip_prefix(' ')?.split(' ');
        float(words.next()?)?;
        let time_reads = words.next().is_none_or(|word| float(word).is_some());
        (time_reads && words.next().is_none()).then_some(())
    };
    let remedy = "write it as in ` # {trace_id=\"1\"} 0.5 1700000000`, or take it out";
    read().map_or_else(|| wrong("the exemplar cannot be read", remedy), Ok)
}

/// A number as Go reads it, without hexadecimals.
fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Seconds as milliseconds; what is finer is cut off.
fn time(text: &str) -> Result<i64, Wrong> {
    let exact = || {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let seconds: i64 = whole.parse().ok()?;
        let places = part.bytes().chain(*b"000").take(3);
        let rest = places.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
        let time = seconds.checked_mul(1_000)?.checked_add(rest)?;
        Some(if negative { -time } else { time })
    };
    let rounded = || float(text).filter(|t| t.is_finite()).map(|t| (t * 1_000.0) as i64);
    let Some(time) = exact().or_else(rounded) else {
        let remedy = "write it in seconds since 1970, as in 1700000000.5";
        return wrong(format!("the time `{}` is no number", cut(text)), remedy);
    };
    if time.unsigned_abs() / 1_000 > MAX_SECONDS as u64 {
        let remedy = "OpenMetrics counts seconds where Prometheus' text format counts milliseconds: \
                      divide it by 1000";
        return wrong(format!("the time `{}` is after the year 9999", cut(text)), remedy);
    }
    Ok(time)
}
