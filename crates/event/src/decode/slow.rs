//! The slow and general reader: any JSON, by `serde_json`. It takes the lines which the fast one
//! refuses, and is what the fast one is tested against.

use serde_json::Value as Json;

use super::escape;
use super::fields::{Fields, Key, Value};
use crate::{RejectReason, Span};

/// Reads a line into `fields`; texts go to `extra`.
pub(super) fn read(
    line: &str,
    fields: &mut Fields,
    extra: &mut String,
) -> Result<(), RejectReason> {
    let Json::Object(top) = parse(line)? else {
        return Err(RejectReason::NotFalco);
    };
    let Some(Json::Object(inner)) = top.get(Key::OutputFields.text()) else {
        return Err(RejectReason::NotFalco);
    };
    for key in Key::ALL {
        let object = if (key as usize) < Key::FIRST_INNER { &top } else { inner };
        if key != Key::Output
            && let Some(json) = object.get(key.text())
            && let Some(value) = value(key, json, extra)
        {
            fields.set(key, value);
        }
    }
    Ok(())
}

/// Parses a line as JSON proper, then once more with what Falco may print and `serde_json` refuses
/// (raw control characters, halves of surrogate pairs) made proper.
fn parse(line: &str) -> Result<Json, RejectReason> {
    let error = match serde_json::from_str(line) {
        Ok(json) => return Ok(json),
        Err(error) => error,
    };
    if let Some(proper) = escape::make_proper(line) {
        return serde_json::from_str(&proper).map_err(|error| reason(&error));
    }
    Err(reason(&error))
}

fn reason(error: &serde_json::Error) -> RejectReason {
    // The only way to tell: the error's kind is private, its text is not.
    if error.to_string().starts_with("recursion limit exceeded") {
        RejectReason::TooDeep
    } else {
        RejectReason::NotJson
    }
}

fn value(key: Key, json: &Json, extra: &mut String) -> Option<Value> {
    match json {
        Json::String(text) => Some(Value::Text(append(extra, text))),
        Json::Number(number) => match number.as_u64() {
            Some(number) => Some(Value::Positive(number)),
            None => number.as_i64().or_else(|| whole(number.as_f64()?)).map(Value::Negative),
        },
        Json::Array(_) if key == Key::Tags => Some(Value::Text(append(extra, &json.to_string()))),
        _ => None,
    }
}

/// A float that stands for a whole number, within the range in which that is certain.
fn whole(float: f64) -> Option<i64> {
    const CERTAIN: f64 = 9_007_199_254_740_992.0;
    (float.fract() == 0.0 && float.abs() < CERTAIN).then_some(float as i64)
}

fn append(extra: &mut String, text: &str) -> Span {
    let start = extra.len();
    extra.push_str(text);
    Span::extra(start, text.len())
}
