//! RFC 3339 in and out, to the nanosecond.

use crate::{EventTime, SECOND};

/// Reads an RFC 3339 date and time with an offset (`Z`, `+0000`, `+00:00`), with up to nine digits
/// of fraction.
///
/// `None` for anything else: no date, no offset, before 1970 or after 2554.
pub fn parse_time(text: &str) -> Option<EventTime> {
    parse_fixed(text.as_bytes()).or_else(|| parse_general(text))
}

/// Writes a time as RFC 3339 in UTC with nine digits: `2026-11-22T08:55:32.237776419Z`.
pub fn format_time(time: EventTime) -> String {
    let (seconds, fraction) = (time / SECOND, time % SECOND);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// The one shape that Falco writes, in UTC: `YYYY-MM-DDThh:mm:ss[.fraction](Z|+0000|+00:00)`.
fn parse_fixed(text: &[u8]) -> Option<EventTime> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    if marks != *b"--T::" {
        return None;
    }
    let year = digits(&head[..4])?;
    let (month, day) = (digits(&head[5..7])?, digits(&head[8..10])?);
    let (hour, minute) = (digits(&head[11..13])?, digits(&head[14..16])?);
    let second = digits(&head[17..])?;
    let fields_fit = (1970..2554).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fields_fit {
        return None;
    }
    let (fraction, offset) = fraction(rest)?;
    if !matches!(offset, b"Z" | b"+0000" | b"+00:00") {
        return None;
    }
    let seconds = days_until(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * SECOND + fraction)
}

/// Nanoseconds of a fraction, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some((0, text));
    };
    let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let (fraction, offset) = rest.split_at(length);
    Some((digits(fraction)? * 10_u64.pow(9 - length as u32), offset))
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
    })
}

/// Other offsets, a blank for the `T`, leap seconds.
fn parse_general(text: &str) -> Option<EventTime> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01. Years are counted from March, so that the leap day is a year's last.
fn days_until(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_1970
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;
/// In 400 years.
const DAYS_OF_ERA: u64 = 146_097;

fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (DAYS_OF_ERA - 1)) / 365;
    let of_year = of_era - (year * 365 + year / 4 - year / 100);
    let month = (of_year * 5 + 2) / 153;
    let day = of_year - (month * 153 + 2) / 5 + 1;
    let year = year + era * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::{format_time, parse_fixed, parse_general, parse_time};
    use proptest::prelude::*;

    #[test]
    fn shapes() {
        const T: u64 = 1_795_337_732_000_000_000;
        for (text, time) in [
            ("2026-11-22T08:55:32.237776419Z", Some(T + 237_776_419)),
            ("2026-11-22T08:55:32.237776419+0000", Some(T + 237_776_419)),
            ("2026-11-22T08:55:32.237776419+00:00", Some(T + 237_776_419)),
            ("2026-11-22T08:55:32Z", Some(T)),
            ("2026-11-22T08:55:32.5Z", Some(T + 500_000_000)),
            ("2026-11-22T10:55:32.5+02:00", Some(T + 500_000_000)),
            ("2026-11-22T10:55:32.5+0200", Some(T + 500_000_000)),
            ("2026-11-22 08:55:32Z", Some(T)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("2026-11-22T08:55:32.2377764190Z", None),
            ("2026-11-22T08:55:32.Z", None),
            ("2026-11-22T08:55:32", None),
            ("2026-13-22T08:55:32Z", None),
            ("2026-11-22T24:55:32Z", None),
            ("09:11:19.139259764", None),
            ("9999-12-30T00:00:00Z", None),
            ("", None),
            ("ü026-11-22T08:55:32Z", None),
        ] {
            assert_eq!(parse_time(text), time, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(time in 0_u64..=18_400_000_000_000_000_000) {
            let text = format_time(time);
            prop_assert_eq!(parse_fixed(text.as_bytes()), Some(time));
            prop_assert_eq!(parse_general(&text), Some(time));
        }

        #[test]
        fn both_readers_agree(text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|\\+0000|\\+00:00)") {
            prop_assert_eq!(parse_time(&text), parse_general(&text));
        }
    }
}
