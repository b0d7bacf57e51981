//! Functions of single values: arithmetic, and the parts of a time.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};

type Of = fn(f64) -> f64;

/// The functions of one value without further arguments.
pub(super) fn plain(name: &str) -> Option<Of> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => |v| if v == 0.0 || v.is_nan() { v } else { v.signum() },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        _ => return None,
    })
}

/// The functions of a time in seconds, in UTC; NaN outside the years that have a calendar here.
pub(super) fn date(name: &str) -> Option<Of> {
    Some(match name {
        "minute" => |v| part(v, |t| f64::from(t.minute())),
        "hour" => |v| part(v, |t| f64::from(t.hour())),
        "day_of_month" => |v| part(v, |t| f64::from(t.day())),
        "day_of_week" => |v| {
            part(v, |t| match t.weekday() {
                Weekday::Sunday => 0.0,
                day => f64::from(day.to_monday_one_offset()),
            })
        },
        "day_of_year" => |v| part(v, |t| f64::from(t.day_of_year())),
        "days_in_month" => |v| part(v, |t| f64::from(t.days_in_month())),
        "month" => |v| part(v, |t| f64::from(t.month())),
        "year" => |v| part(v, |t| f64::from(t.year())),
        _ => return None,
    })
}

fn part(seconds: f64, of: impl Fn(&jiff::Zoned) -> f64) -> f64 {
    if seconds.is_nan() {
        return f64::NAN;
    }
    let at = Timestamp::from_second(seconds as i64);
    at.map_or(f64::NAN, |at| of(&at.to_zoned(TimeZone::UTC)))
}

/// To the nearest multiple, halves upwards.
pub(super) fn round(value: f64, to: f64) -> f64 {
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_times_are_in_utc() {
        // Sunday, 29 February 2032, 23:59:30.
        let at = 1_961_711_970.0;
        let all: Vec<f64> = [
            "minute",
            "hour",
            "day_of_month",
            "day_of_week",
            "day_of_year",
            "days_in_month",
            "month",
            "year",
        ]
        .iter()
        .map(|name| date(name).unwrap()(at))
        .collect();
        assert_eq!(all, [59.0, 23.0, 29.0, 0.0, 60.0, 29.0, 2.0, 2032.0]);
        assert!(date("year").unwrap()(f64::NAN).is_nan());
    }

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!((round(2.5, 1.0), round(-2.5, 1.0), round(7.0, 5.0)), (3.0, -2.0, 5.0));
    }
}
