//! How long to wait between tries.

use std::time::Duration;

use crate::Retry;

/// The longest wait that a receiver's `Retry-After` can ask for: it may be wrong, and people wait.
const ASKED_MAX: Duration = Duration::from_mins(5);

/// Waits that grow while nothing succeeds.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(retry: Retry) -> Self {
        Self { retry, next: retry.min }
    }

    /// Something has succeeded.
    pub(crate) fn reset(&mut self) {
        self.next = self.retry.min;
    }

    /// How long to wait now; not shorter than what the receiver has asked for.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = (2 * wait).min(self.retry.max);
        let asked = asked.unwrap_or_default().min(ASKED_MAX);
        scatter(wait, chance()).max(asked)
    }
}

/// A wait a quarter longer or shorter, so that many senders do not come back together: `chance` from
/// 0 to 1.
fn scatter(wait: Duration, chance: f64) -> Duration {
    wait.mul_f64(0.75 + chance / 2.0)
}

/// Where the system has no random numbers, everybody waits for the same time.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let (min, max) = (Duration::from_secs(1), Duration::from_mins(1));
        let mut backoff = Backoff::new(Retry { min, max });
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let middle = Duration::from_secs(seconds);
            let wait = backoff.wait(None);
            assert!(wait >= middle.mul_f64(0.75) && wait <= middle.mul_f64(1.25), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait(None) <= min.mul_f64(1.25));
        assert_eq!(backoff.wait(Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert_eq!(backoff.wait(Some(Duration::from_hours(9))), ASKED_MAX);
    }

    #[test]
    fn chance_scatters_evenly() {
        let second = Duration::from_secs(1);
        assert_eq!(scatter(second, 0.0), Duration::from_millis(750));
        assert_eq!(scatter(second, 1.0), Duration::from_millis(1_250));
    }
}
