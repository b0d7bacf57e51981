//! Scripts read: <https://github.com/prometheus/prometheus/tree/main/promql/promqltest> describes them.

use hanabi_series::{Labels, Matcher, Sample, length, selector, stale};

#[derive(Clone, Debug)]
pub(super) enum Command {
    Clear,
    Load(Vec<(Labels, Vec<Sample>)>),
    Eval(Eval),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Eval {
    pub(super) query: String,
    pub(super) time: i64,
    pub(super) range: Option<(i64, i64, i64)>,
    pub(super) fails: bool,
    pub(super) message: Option<String>,
    pub(super) ordered: bool,
    pub(super) expected: Vec<Expected>,
}

#[derive(Clone, Debug)]
pub(super) enum Expected {
    Scalar(f64),
    Text(String),
    Series(Labels, Vec<Option<f64>>),
}

/// The commands with their lines.
pub(super) fn commands(text: &str) -> Result<Vec<(usize, Command)>, String> {
    let mut all: Vec<(usize, Command)> = Vec::new();
    let mut step = 0;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let failed = |why: String| format!("line {number}: {why}: {line}");
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let Some((_, command)) = all.last_mut() else {
                return Err(failed("it belongs to no command".to_owned()));
            };
            match command {
                Command::Load(series) => series.push(loaded(words, step).map_err(failed)?),
                Command::Eval(eval) => expect(words, eval).map_err(failed)?,
                Command::Clear => return Err(failed("nothing follows `clear`".to_owned())),
            }
        } else if words == "clear" {
            all.push((number, Command::Clear));
        } else if let Some(rest) = words.strip_prefix("load ") {
            step = length(rest.trim()).ok_or_else(|| failed("no step".to_owned()))?;
            all.push((number, Command::Load(Vec::new())));
        } else if words.starts_with("eval") {
            let eval = eval(words).ok_or_else(|| failed("it cannot be read".to_owned()))?;
            all.push((number, Command::Eval(eval)));
        } else {
            return Err(failed("no such command".to_owned()));
        }
    }
    Ok(all)
}

fn eval(line: &str) -> Option<Eval> {
    let (word, rest) = line.split_once(' ')?;
    let mut eval =
        Eval { fails: word == "eval_fail", ordered: word == "eval_ordered", ..Eval::default() };
    let (kind, rest) = rest.trim().split_once(' ')?;
    let mut next = rest.trim();
    let mut named = |name: &str| {
        let rest = next.strip_prefix(name)?.trim_start();
        let (value, rest) = rest.split_once(' ')?;
        next = rest.trim_start();
        // Negative times are read as positive ones and turned.
        match value.strip_prefix('-') {
            Some(value) => length(value).map(|length| -length),
            None => length(value),
        }
    };
    match kind {
        "instant" => eval.time = named("at ")?,
        "range" => eval.range = Some((named("from ")?, named("to ")?, named("step ")?)),
        _ => return None,
    }
    next.clone_into(&mut eval.query);
    Some(eval)
}

fn expect(line: &str, eval: &mut Eval) -> Result<(), String> {
    if let Some(what) = line.strip_prefix("expect ") {
        let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
        match word {
            "fail" => {
                eval.fails = true;
                eval.message = rest.strip_prefix("msg:").map(|text| text.trim().to_owned());
            }
            "ordered" => eval.ordered = true,
            "string" => eval.expected.push(Expected::Text(rest.trim_matches('"').to_owned())),
            // Annotations are not part of our answers.
            "warn" | "no_warn" | "info" | "no_info" => {}
            _ => return Err("no such expectation".to_owned()),
        }
        return Ok(());
    }
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        eval.message = Some(message.trim().to_owned());
        return Ok(());
    }
    if line.starts_with("expected_fail_regexp") {
        return Ok(());
    }
    if let Ok(value) = line.parse::<f64>() {
        eval.expected.push(Expected::Scalar(value));
        return Ok(());
    }
    if let Some(text) = line.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        eval.expected.push(Expected::Text(text.to_owned()));
        return Ok(());
    }
    let (labels, values) = described(line)?;
    eval.expected.push(Expected::Series(labels, values));
    Ok(())
}

fn loaded(line: &str, step: i64) -> Result<(Labels, Vec<Sample>), String> {
    let (labels, values) = described(line)?;
    let sample = |(index, value): (usize, Option<f64>)| {
        Some(Sample { time: index as i64 * step, value: value? })
    };
    Ok((labels, values.into_iter().enumerate().filter_map(sample).collect()))
}

/// A series and its values over the steps.
fn described(line: &str) -> Result<(Labels, Vec<Option<f64>>), String> {
    let end = match line.find(['{', ' ', '\t']) {
        Some(at) if line[at..].starts_with('{') => {
            let (mut quote, mut escaped) = (None, false);
            let close = line[at..].char_indices().find(|(_, c)| {
                match (quote, *c) {
                    (Some(_), '\\') if !escaped => {
                        escaped = true;
                        return false;
                    }
                    (Some(open), c) if open == c && !escaped => quote = None,
                    (None, '"' | '\'' | '`') => quote = Some(*c),
                    (None, '}') => return true,
                    _ => {}
                }
                escaped = false;
                false
            });
            at + close.ok_or("the labels have no end")?.0 + 1
        }
        Some(at) => at,
        None => return Err("no values".to_owned()),
    };
    let (series, values) = line.split_at(end);
    let matchers = if series == "{}" {
        Vec::new()
    } else {
        selector(series).map_err(|error| error.to_string())?
    };
    let mut pairs = Vec::new();
    for matcher in matchers {
        let Matcher::Equal(name, value) = matcher else { return Err("no label".to_owned()) };
        pairs.push((name, value));
    }
    let mut all = Vec::new();
    for word in values.split_whitespace() {
        all.extend(sequence(word).ok_or_else(|| format!("`{word}` is no sequence"))?);
    }
    Ok((Labels::new(pairs), all))
}

/// `5`, `_`, `stale`, `_x3`, `1x3` and `1+2x3`.
fn sequence(word: &str) -> Option<Vec<Option<f64>>> {
    if word == "stale" {
        return Some(vec![Some(stale())]);
    }
    if word == "_" {
        return Some(vec![None]);
    }
    if let Some(count) = word.strip_prefix("_x") {
        return Some(vec![None; count.parse().ok()?]);
    }
    let Some((value, count)) = word.split_once('x') else {
        return Some(vec![Some(word.parse().ok()?)]);
    };
    let count: usize = count.parse().ok()?;
    // The sign between value and step is neither the first one nor that of an exponent.
    let sign = value
        .char_indices()
        .skip(1)
        .find(|(at, c)| matches!(c, '+' | '-') && !value[..*at].ends_with(['e', 'E']));
    let (first, step): (f64, f64) = match sign {
        Some((at, _)) => (value[..at].parse().ok()?, value[at..].parse().ok()?),
        None => (value.parse().ok()?, 0.0),
    };
    let mut next = first;
    let mut all = Vec::new();
    for _ in 0..=count {
        all.push(Some(next));
        next += step;
    }
    Some(all)
}
