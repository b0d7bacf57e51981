//! The two ways in which Falco writes a time, read and written back in the same form.

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// How a time stood in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Nanoseconds since the epoch.
    Nanoseconds,
    /// `2025-01-31T10:20:30.123456789Z`.
    Rfc3339 {
        /// Digits of the fraction; 0 without one.
        digits: u8,
        /// What stands between date and time: `T`, `t` or a blank.
        separator: u8,
        zone: Zone,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Z,
    /// East of Greenwich.
    Minutes {
        offset: i16,
        colon: bool,
    },
}

impl Format {
    /// Reads a time between 1970 and 2554; `None` for anything else.
    pub(super) fn read(text: &[u8]) -> Option<(u64, Self)> {
        if text.len() >= 10 && text.iter().all(u8::is_ascii_digit) {
            let time = std::str::from_utf8(text).ok()?.parse().ok()?;
            return Some((time, Self::Nanoseconds));
        }
        read_rfc3339(text)
    }

    /// Writes `time` in this form; a shorter fraction is cut, not rounded.
    pub(super) fn write(self, time: u64, out: &mut Vec<u8>) {
        let text = match self {
            Self::Nanoseconds => time.to_string(),
            Self::Rfc3339 { digits, separator, zone } => rfc3339(time, digits, separator, zone),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

fn read_rfc3339(text: &[u8]) -> Option<(u64, Format)> {
    let number = |from: usize, to: usize| digits_value(text.get(from..to)?);
    let mark = |at: usize, byte: u8| (text.get(at) == Some(&byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    mark(4, b'-').and(mark(7, b'-')).and(mark(13, b':')).and(mark(16, b':'))?;
    let separator = *text.get(10).filter(|b| matches!(b, b'T' | b't' | b' '))?;
    let in_range = (1970..=2554).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let fraction = match text.get(19) {
        Some(b'.') => text.get(20..)?.iter().take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    };
    if fraction > 9 || (fraction == 0 && text.get(19) == Some(&b'.')) {
        return None;
    }
    let nanoseconds = match fraction {
        0 => 0,
        digits => number(20, 20 + digits)? * 10_i64.pow(9 - digits as u32),
    };
    let zone_start = if fraction == 0 { 19 } else { 20 + fraction };
    let zone = read_zone(text.get(zone_start..)?)?;
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second
        - zone.minutes() * 60;
    let time = i128::from(seconds) * i128::from(SECOND) + i128::from(nanoseconds);
    let time = u64::try_from(time).ok()?;
    Some((time, Format::Rfc3339 { digits: fraction as u8, separator, zone }))
}

fn read_zone(text: &[u8]) -> Option<Zone> {
    let (sign, rest) = match text {
        [b'Z' | b'z'] => return Some(Zone::Z),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes, colon) = match rest {
        [h0, h1, b':', m0, m1] => ([*h0, *h1], [*m0, *m1], true),
        [h0, h1, m0, m1] => ([*h0, *h1], [*m0, *m1], false),
        _ => return None,
    };
    let (hours, minutes) = (digits_value(&hours)?, digits_value(&minutes)?);
    let offset = sign * (hours * 60 + minutes);
    (hours < 24 && minutes < 60).then_some(Zone::Minutes { offset: offset as i16, colon })
}

impl Zone {
    fn minutes(self) -> i64 {
        match self {
            Self::Z => 0,
            Self::Minutes { offset, .. } => i64::from(offset),
        }
    }
}

fn digits_value(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn rfc3339(time: u64, digits: u8, separator: u8, zone: Zone) -> String {
    let seconds = (time / SECOND as u64) as i64 + zone.minutes() * 60;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let separator = char::from(separator);
    let nanoseconds = format!(".{:09}", time % SECOND as u64);
    let fraction = match digits {
        0 => "",
        1.. => nanoseconds.get(..=usize::from(digits)).unwrap_or(&nanoseconds),
    };
    let zone = match zone {
        Zone::Z => "Z".to_string(),
        Zone::Minutes { offset, colon } => {
            let sign = if offset < 0 { '-' } else { '+' };
            let colon = if colon { ":" } else { "" };
            format!("{sign}{:02}{colon}{:02}", offset.abs() / 60, offset.abs() % 60)
        }
    };
    format!(
        "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
    )
}

/// Days since the epoch of a date of the Gregorian calendar, by counting years from March on, so
/// that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (text, time) in [
            ("1795337732237776419", Some(1_795_337_732_237_776_419)),
            ("2026-11-22T08:55:32.237776419Z", Some(1_795_337_732_237_776_419)),
            ("2026-11-22T08:55:32.237776419+0000", Some(1_795_337_732_237_776_419)),
            ("2026-11-22T09:55:32.237776419+01:00", Some(1_795_337_732_237_776_419)),
            ("2026-11-22 08:55:32Z", Some(1_795_337_732_000_000_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T23:59:59.5Z", Some(951_868_799_500_000_000)),
            ("08:55:32.237776419", None),
            ("2026-13-22T08:55:32Z", None),
            ("2026-11-22T08:55:32.Z", None),
            ("2026-11-22T08:55:32", None),
            ("1969-12-31T23:59:59Z", None),
            ("99999999999999999999", None),
            ("", None),
            ("soon", None),
        ] {
            let read = Format::read(text.as_bytes());
            assert_eq!(read.map(|(time, _)| time), time, "{text}");
            if let Some((time, format)) = read {
                let mut written = Vec::new();
                format.write(time, &mut written);
                assert_eq!(String::from_utf8_lossy(&written), text);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(time in 0_u64..18_000_000_000_000_000_000, offset in -1439_i16..1440) {
            for zone in [Zone::Z, Zone::Minutes { offset, colon: true }] {
                let format = Format::Rfc3339 { digits: 9, separator: b'T', zone };
                let mut text = Vec::new();
                format.write(time, &mut text);
                // A zone can push the date out of the readable range at either end.
                if let Some(read) = Format::read(&text) {
                    prop_assert_eq!(read, (time, format));
                } else {
                    prop_assert!(!(86_400_000_000_000..17_999_900_000_000_000_000).contains(&time));
                }
            }
        }
    }
}
