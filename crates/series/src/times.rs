//! Times and lengths as Prometheus' HTTP API takes them.

/// Seconds since 1970, or a time of RFC 3339, as ms.
pub fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then(|| (seconds * 1_000.0).round() as i64);
    }
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// Seconds, or numbers with units such as `1h30m`, as ms.
pub fn length(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some((seconds * 1_000.0) as i64);
    }
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        rest = rest.get(letters..)?;
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_seconds_or_have_units() {
        for (text, ms) in [
            ("15", Some(15_000)),
            ("0.5", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("1x", None),
            ("h", None),
            ("99999999999y", None),
        ] {
            assert_eq!(length(text), ms, "{text}");
        }
    }

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(time("1.5"), Some(1_500));
        assert_eq!(time("1970-01-01T00:00:02.25Z"), Some(2_250));
        assert_eq!((time("NaN"), time("yesterday")), (None, None));
    }
}
