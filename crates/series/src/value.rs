//! Answers, and how Prometheus writes them.

use crate::{Labels, Sample};

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A number at a time.
    Scalar(Sample),
    /// A text at a time.
    Text(i64, String),
    /// Series at one time, in the order of the answer.
    Vector(Vec<(Labels, Sample)>),
    /// Series over time, sorted by labels.
    Matrix(Vec<(Labels, Vec<Sample>)>),
}

/// A number as Prometheus writes it: the shortest decimal that is read back the same, never with an
/// exponent.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_written_as_prometheus_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
