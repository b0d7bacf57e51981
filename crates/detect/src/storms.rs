//! Storms: a thousand new fingerprints of one cause are one alert with its evidence.
//!
//! What one program does in one way (a loop over files, a list of hosts) differs in its object each
//! time, and each object would be an alert of its own. After the first few the rest share one.

use std::collections::BTreeMap;

use hanabi_event::{EventTime, SECOND};
use hanabi_profile::behaviour;
use serde::{Deserialize, Serialize};

use crate::{
    Kind, Watch,
    judge::Case,
    ledger::{Finding, Ledger},
    words,
};

/// Alerts that one program may open in one way before further ones are folded: as many as a reader
/// takes in at a glance.
pub const FOLD_AFTER: u32 = 5;
/// A storm is over when nothing new came of it for this long.
pub(crate) const CALM: EventTime = 60 * SECOND;
/// Programs and ways that are watched at a time; the calmest go first.
pub const MAX_STORMS: usize = 256;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Storm {
    opened: u32,
    last: EventTime,
}

/// The storms of one identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Storms {
    running: BTreeMap<(String, Kind), Storm>,
    /// Alerts that were folded into one.
    pub folded: u64,
}

impl Storms {
    /// Counts a new alert of `actor`; true when it is to be folded.
    fn opens(&mut self, actor: &str, kind: Kind, now: EventTime) -> bool {
        if self.running.len() >= MAX_STORMS {
            self.running.retain(|_, storm| now.saturating_sub(storm.last) <= CALM);
            if self.running.len() >= MAX_STORMS {
                self.running.pop_first();
            }
        }
        let storm =
            self.running.entry((actor.to_owned(), kind)).or_insert(Storm { opened: 0, last: now });
        if now.saturating_sub(storm.last) > CALM {
            storm.opened = 0;
        }
        storm.last = storm.last.max(now);
        storm.opened += 1;
        let fold = storm.opened > FOLD_AFTER;
        self.folded += u64::from(fold);
        fold
    }
}

impl Watch {
    /// The finding itself, or the one that stands for all of its kind by its program while there is
    /// a storm of them; true in the second case.
    pub(crate) fn fold(&mut self, case: &Case<'_>, finding: Finding) -> (Finding, bool) {
        let identity = &self.profile.identity;
        let own = Ledger::fingerprint(identity, &finding.rule, &finding.subject);
        if self.ledger.get(&own).is_some() {
            return (finding, false);
        }
        // Programs are many by who starts them; what people run in a container by hand is not.
        let actor = match finding.kind {
            Kind::NewProcess | Kind::NewExecutable | Kind::NewUser | Kind::NewParent => {
                let parent = behaviour::parent_token(case.event.process.parent, true);
                if parent == behaviour::RUNTIME {
                    return (finding, false);
                }
                parent
            }
            _ => hanabi_profile::token::generalised(case.program),
        };
        if !self.storms.opens(&actor, finding.kind, case.event.time) {
            return (finding, false);
        }
        let summary = words::storm(finding.kind, case.container, &actor, &finding.path.raw);
        let subject = format!("{actor} storm");
        (Finding { subject, summary, ..finding }, true)
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::SECOND;

    use super::{CALM, FOLD_AFTER, MAX_STORMS, Storms};
    use crate::Kind;

    #[test]
    fn after_the_first_few_the_rest_is_folded_until_it_is_calm() {
        let mut storms = Storms::default();
        let mut folded = 0;
        for second in 0..20 {
            folded += u32::from(storms.opens("python3", Kind::NewFile, second * SECOND));
        }
        assert_eq!(folded, 20 - FOLD_AFTER);
        assert!(!storms.opens("python3", Kind::NewPeer, 19 * SECOND), "another way");
        assert!(!storms.opens("perl", Kind::NewFile, 19 * SECOND), "another program");
        assert!(storms.opens("python3", Kind::NewFile, 19 * SECOND + CALM));
        assert!(!storms.opens("python3", Kind::NewFile, 20 * SECOND + 2 * CALM));
        assert_eq!(storms.folded, u64::from(folded) + 1);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut storms = Storms::default();
        for number in 0..3 * MAX_STORMS {
            storms.opens(&format!("p{number}"), Kind::NewFile, SECOND);
        }
        assert_eq!(storms.running.len(), MAX_STORMS);
    }
}
