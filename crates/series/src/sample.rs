//! Samples, and the value that says that a series has ended.

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub time: i64,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The same value, as one that is sent twice has it: NaN is the same as itself.
    pub(crate) fn is_same_value(self, other: Self) -> bool {
        let same_nan = self.value.is_nan() && other.value.is_nan();
        self.value == other.value || (same_nan && is_stale(self.value) == is_stale(other.value))
    }
}

/// The NaN by which Prometheus marks that a series has ended (`model/value/value.go`).
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value of a sample that says that its series has ended.
pub fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// True for [`stale`] and for no other NaN.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_nan_is_stale() {
        assert!(stale().is_nan() && is_stale(stale()));
        assert!(!is_stale(f64::NAN) && !is_stale(0.0));
    }
}
