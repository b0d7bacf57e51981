//! Dates and times as programs write them into names.

/// The token of digits alone: `20261122`, a time stamp, or seconds since 1970 and their fractions.
pub(super) fn of_digits(run: &str) -> Option<&'static str> {
    let bytes = run.as_bytes();
    match bytes.len() {
        8 => is_date(bytes, None).then_some("<date>"),
        12 | 14 => {
            (is_date(bytes.get(..8)?, None) && is_clock(bytes.get(8..)?, None)).then_some("<time>")
        }
        // From 2001 to 2038, in seconds, milli-, micro- and nanoseconds.
        10 | 13 | 16 | 19 => {
            let seconds: u64 = run.get(..10)?.parse().ok()?;
            (1_000_000_000..=2_147_483_647).contains(&seconds).then_some("<time>")
        }
        _ => None,
    }
}

/// A date, a date with a time, or a time with its seconds at the start of `text`, as tokens.
/// Returns its length.
pub(super) fn written(text: &[u8], out: &mut String) -> Option<usize> {
    let Some(date) = date(text) else {
        let length = clock(text)?;
        out.push_str("<time>");
        return Some(length);
    };
    let time = text.get(date).filter(|b| b"Tt_- .".contains(b)).and_then(|sign| {
        let length =
            clock(text.get(date + 1..)?).or_else(|| digits_clock(text.get(date + 1..)?))?;
        Some((*sign, date + 1 + length))
    });
    match time {
        Some((sign, end)) => {
            out.push_str("<date>");
            out.push(char::from(sign));
            out.push_str("<time>");
            Some(end)
        }
        None if ends(text, date) => {
            out.push_str("<date>");
            Some(date)
        }
        None => None,
    }
}

/// `2026-11-22`, `2026_11_22`, `2026.11.22`, `20261122`.
fn date(text: &[u8]) -> Option<usize> {
    let digits = leading_digits(text);
    if digits == 8 && is_date(text.get(..8)?, None) {
        return Some(8);
    }
    let sign = *text.get(4).filter(|b| b"-_.".contains(b))?;
    (digits == 4 && leading_digits(text.get(8..)?) == 2 && is_date(text.get(..10)?, Some(sign)))
        .then_some(10)
}

/// `09:11:40`, with a fraction and a zone, up to where the word goes on with something else.
fn clock(text: &[u8]) -> Option<usize> {
    let sign = *text.get(2).filter(|b| b":.-_".contains(b))?;
    // Other signs are read as a time only beside a date, where the caller has seen to it.
    if leading_digits(text) != 2 || !is_clock(text.get(..8)?, Some(sign)) {
        return None;
    }
    (sign == b':').then(|| zone(text, 8)).flatten()
}

/// `091140`, `0911` or `09-11-40` behind a date.
fn digits_clock(text: &[u8]) -> Option<usize> {
    let digits = leading_digits(text);
    if matches!(digits, 4 | 6) && is_clock(text.get(..digits)?, None) {
        return zone(text, digits);
    }
    let sign = *text.get(2).filter(|b| b".-_".contains(b))?;
    (digits == 2 && is_clock(text.get(..8)?, Some(sign))).then(|| zone(text, 8)).flatten()
}

/// The end of a time whose seconds end at `at`: behind a fraction and `Z` or `+02:00`.
fn zone(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    if text.get(end).is_some_and(|b| b".,".contains(b)) {
        let digits = leading_digits(text.get(end + 1..)?);
        end += if digits > 0 { digits + 1 } else { 0 };
    }
    if text.get(end).is_some_and(|b| b"Zz".contains(b)) {
        end += 1;
    } else if text.get(end).is_some_and(|b| b"+-".contains(b)) {
        end += offset(text.get(end + 1..)?).map_or(0, |length| length + 1);
    }
    ends(text, end).then_some(end)
}

fn offset(text: &[u8]) -> Option<usize> {
    let colon = text.get(2) == Some(&b':');
    let length = if colon { 5 } else { 4 };
    let signs = colon.then_some(b':');
    let whole = ends(text, length) && leading_digits(text) == if colon { 2 } else { 4 };
    (whole && is_clock(text.get(..length)?, signs)).then_some(length)
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|b| !b.is_ascii_alphanumeric())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

/// Year, month and day, with a sign between them or none.
fn is_date(text: &[u8], sign: Option<u8>) -> bool {
    let step = usize::from(sign.is_some());
    let parts = (
        text.get(..4).and_then(number),
        text.get(4 + step..6 + step).and_then(number),
        text.get(6 + 2 * step..8 + 2 * step).and_then(number),
    );
    let signs = sign.is_none_or(|s| text.get(4) == Some(&s) && text.get(7) == Some(&s));
    signs && matches!(parts, (Some(1990..=2099), Some(1..=12), Some(1..=31)))
}

/// Hours, minutes and, where they are there, seconds.
fn is_clock(text: &[u8], sign: Option<u8>) -> bool {
    let step = 2 + usize::from(sign.is_some());
    let mut at = 0;
    for limit in [23, 59, 60] {
        let Some(part) = text.get(at..at + 2).and_then(number) else { return false };
        if part > limit {
            return false;
        }
        at += 2;
        if at == text.len() {
            return limit > 23;
        }
        if sign.is_some_and(|s| text.get(at) != Some(&s)) {
            return false;
        }
        at += step - 2;
    }
    false
}
