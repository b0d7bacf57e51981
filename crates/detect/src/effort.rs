//! How much of a costly matcher one profile may use.

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

use crate::matcher::SemanticMatcher;

/// New tokens of one profile that a costly matcher is asked about in one minute of event time. A
/// model needs some 5 ms a name: all of them are a hundredth of a core, and a service that names
/// more files a minute has names that a shape describes.
pub const NEW_TOKENS_A_MINUTE: u32 = 120;

/// What a profile has used of it. Whoever makes up names by the thousand is judged by their letters
/// and keeps nobody waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    minute: u64,
    used: u32,
    /// New tokens that the cheaper matcher alone has judged.
    pub refused: u64,
}

impl Effort {
    /// The matcher for an event at `now`: the one given, or its cheaper part when the minute's share
    /// is used up.
    pub(crate) fn matcher<'a>(
        &self,
        matcher: &'a dyn SemanticMatcher,
        now: EventTime,
    ) -> &'a dyn SemanticMatcher {
        let spent = self.minute == minute_of(now) && self.used >= NEW_TOKENS_A_MINUTE;
        matcher.cheaper().filter(|_| spent).unwrap_or(matcher)
    }

    /// A new token was judged.
    pub(crate) fn spend(&mut self, matcher: &dyn SemanticMatcher, now: EventTime) {
        if matcher.cheaper().is_none() {
            return;
        }
        let minute = minute_of(now);
        if self.minute != minute {
            (self.minute, self.used) = (minute, 0);
        }
        if self.used < NEW_TOKENS_A_MINUTE {
            self.used += 1;
        } else {
            self.refused += 1;
        }
    }
}

fn minute_of(time: EventTime) -> u64 {
    time / (60 * SECOND)
}

#[cfg(test)]
mod tests {
    use hanabi_profile::NodeKind;

    use super::*;
    use crate::matcher::{Exact, Match, Structural};

    /// Costly, and finds everything alike.
    struct Costly(Exact);

    impl SemanticMatcher for Costly {
        fn nearest(&self, _: NodeKind, _: &str, _: &[&str]) -> Option<Match> {
            Some(Match { index: 0, similarity: 1.0 })
        }

        fn threshold(&self, _: NodeKind) -> f64 {
            1.0
        }

        fn cheaper(&self) -> Option<&dyn SemanticMatcher> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_flood_of_names_is_judged_by_the_cheaper_matcher_until_the_minute_is_over() {
        let (costly, mut effort) = (Costly(Exact), Effort::default());
        let accepts = |effort: &Effort, now: EventTime| {
            let found = effort.matcher(&costly, now).nearest(NodeKind::File, "a", &["b"]);
            found.is_some_and(|found| found.similarity >= 1.0)
        };
        for _ in 0..NEW_TOKENS_A_MINUTE {
            assert!(accepts(&effort, SECOND));
            effort.spend(&costly, SECOND);
        }
        assert!(!accepts(&effort, 59 * SECOND));
        effort.spend(&costly, 59 * SECOND);
        assert_eq!(effort.refused, 1);
        assert!(accepts(&effort, 60 * SECOND), "a new minute");
    }

    #[test]
    fn a_cheap_matcher_has_no_limit() {
        let (cheap, mut effort) = (Structural::default(), Effort::default());
        for _ in 0..2 * NEW_TOKENS_A_MINUTE {
            effort.spend(&cheap, SECOND);
        }
        assert_eq!(effort, Effort::default());
    }
}
