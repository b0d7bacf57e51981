//! Durations and sizes as people write them: `45s`, `1h30m`, `64MiB`.

use std::{fmt, str::FromStr, time::Duration};

/// A length of time, written with units: `500ms`, `45s`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(Duration);

/// A number of bytes, written with a unit: `512B`, `64KiB`, `64MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(u64);

/// Longest first, so that formatting takes the largest unit that fits.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Period {
    /// A period of whole milliseconds.
    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A period of whole seconds.
    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// For timers and sleeps.
    pub(crate) fn as_duration(self) -> Duration {
        self.0
    }

    /// For arithmetic with event time; at most 584 years, far above what parsing accepts.
    pub(crate) fn as_nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl ByteSize {
    /// A size of whole kibibytes.
    pub(crate) const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// A size of whole mebibytes.
    pub(crate) const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The number of bytes.
    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of bytes, for buffers.
    pub(crate) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let millis = parse_units(text, &TIME_UNITS).map_err(|why| {
            format!("{why}; write a duration such as \"45s\", \"10m\" or \"24h\"")
        })?;
        Ok(Self::from_millis(millis))
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_units(text, &SIZE_UNITS)
            .map(Self)
            .map_err(|why| format!("{why}; write a size such as \"64KiB\", \"64MiB\" or \"2GiB\""))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write_exact(f, millis, &TIME_UNITS, "0s")
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_exact(f, self.0, &SIZE_UNITS, "0B")
    }
}

/// Writes the value in the largest unit of which it is a whole multiple.
fn write_exact(
    f: &mut fmt::Formatter<'_>,
    value: u64,
    units: &[(&str, u64)],
    zero: &str,
) -> fmt::Result {
    let unit = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) => write!(f, "{}{name}", value / factor),
        None => f.write_str(zero),
    }
}

/// Sums parts such as `1h30m`; every number needs a unit, so that no one has to guess it.
fn parse_units(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let names = || {
        let mut names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        names.reverse();
        names.join(", ")
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty".into());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err("is not a whole number with a unit".into());
        }
        if unit.is_empty() {
            return Err(format!("has a number without a unit ({})", names()));
        }
        let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("has the unknown unit `{unit}` (known: {})", names()));
        };
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|part| total.checked_add(part))
            .ok_or("is too large")?;
        rest = tail.trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Period};

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("45s", 45_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Period::from_millis(millis)), "{text}");
        }
        for text in ["", "45", "s", "4x", "-1s", "1.5h", "99999999999999999999s", "45 秒"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        assert_eq!("2GiB".parse(), Ok(ByteSize::mib(2048)));
        for text in ["64", "64mib", "64MB", "GiB", "1TiB1"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["0s", "1ms", "1500ms", "90s", "90m", "36h", "7d"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string(), text);
        }
        for text in ["0B", "1B", "1536KiB", "2GiB"] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.to_string(), text);
        }
    }

    #[test]
    fn messages_name_the_units() {
        assert_eq!(
            "45".parse::<Period>().unwrap_err(),
            "has a number without a unit (ms, s, m, h, d); \
             write a duration such as \"45s\", \"10m\" or \"24h\""
        );
        assert_eq!(
            "64MB".parse::<ByteSize>().unwrap_err(),
            "has the unknown unit `MB` (known: B, KiB, MiB, GiB, TiB); \
             write a size such as \"64KiB\", \"64MiB\" or \"2GiB\""
        );
    }
}
