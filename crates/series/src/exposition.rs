//! Prometheus' text format, read back: what a scrape of ourselves has, and what others export.

use crate::{Labels, NAME};

/// A line that is no sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no sample: {why}")]
pub struct ExpositionError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A sample as it stands in the text; the time only where the text has one, ms.
pub type Exposed = (Labels, f64, Option<i64>);

/// The samples of a text (format 0.0.4, and of `OpenMetrics` what is the same there). Comments are
/// skipped. Linear in the text.
pub fn parse(text: &str) -> Result<Vec<Exposed>, ExpositionError> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let sample = sample(line).map_err(|why| ExpositionError { line: index + 1, why })?;
        all.push(sample);
    }
    Ok(all)
}

fn sample(line: &str) -> Result<Exposed, &'static str> {
    let end = line.find(['{', ' ', '\t']).ok_or("it has no value")?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() {
        return Err("it has no name");
    }
    let mut pairs = vec![(NAME.to_owned(), name.to_owned())];
    if let Some(labels) = rest.strip_prefix('{') {
        rest = self::labels(labels, &mut pairs)?;
    }
    let mut words = rest.split_whitespace();
    let value = number(words.next().ok_or("it has no value")?).ok_or("its value is no number")?;
    // What follows `#` is an exemplar.
    let time = match words.next().filter(|word| *word != "#") {
        None => None,
        Some(word) => Some(word.parse::<i64>().map_err(|_| "its time is no number")?),
    };
    Ok((Labels::new(pairs), value, time))
}

/// Reads labels up to the brace; returns what follows.
fn labels<'a>(
    mut rest: &'a str,
    pairs: &mut Vec<(String, String)>,
) -> Result<&'a str, &'static str> {
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = rest.split_once('=').ok_or("a label has no value")?;
        let mut text = after.trim_start().strip_prefix('"').ok_or("a label is not in quotes")?;
        let mut value = String::new();
        loop {
            let at = text.find(['"', '\\']).ok_or("a label has no end")?;
            value.push_str(&text[..at]);
            let quoted = text[at..].starts_with('\\');
            text = &text[at + 1..];
            if !quoted {
                break;
            }
            let next = text.chars().next().ok_or("a label has no end")?;
            value.push(if next == 'n' { '\n' } else { next });
            text = &text[next.len_utf8()..];
        }
        pairs.push((name.trim().to_owned(), value));
        rest = text;
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_what_is_escaped() {
        let text = "# HELP a b\n\na 1\nb{x=\"q\\\"\\\\n\\n}\", y=\"\"} +Inf 1700000000000\nc{} -2.5e3 # {t=\"1\"} 1\n";
        let all = parse(text).unwrap();
        let shown: Vec<String> =
            all.iter().map(|(l, v, t)| format!("{l} {} {t:?}", crate::number(*v))).collect();
        assert_eq!(
            shown,
            [
                "{__name__=\"a\"} 1 None",
                "{__name__=\"b\", x=\"q\\\"\\\\n\\n}\"} +Inf Some(1700000000000)",
                "{__name__=\"c\"} -2500 None",
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_sample_is_named() {
        for (text, why) in [
            ("a 1\nb", "line 2 is no sample: it has no value"),
            ("a{x=1} 1", "line 1 is no sample: a label is not in quotes"),
            ("a{x=\"1} 1", "line 1 is no sample: a label has no end"),
            ("a one", "line 1 is no sample: its value is no number"),
            ("{x=\"1\"} 1", "line 1 is no sample: it has no name"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), why);
        }
    }
}
