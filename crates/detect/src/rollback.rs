//! A profile that goes back to what it had learned before.

use hanabi_profile::{Phase, Profile};

use crate::{Settings, Watch, watch::MAX_QUARANTINE};

impl Watch {
    /// Takes what was learned from an earlier state of this profile. Its containers and alerts
    /// stay, and so does what people have decided: promotions, accepted and rejected behaviour, and
    /// a freeze.
    pub fn roll_back(&mut self, to: Self, settings: &Settings) {
        let now: &Profile = &self.profile;
        let mut profile = to.profile;
        profile.identity.clone_from(&now.identity);
        profile.decide_as(now, &settings.limits);
        if now.phase == Phase::Frozen {
            profile.detect_now(&settings.limits);
            profile.phase = Phase::Frozen;
        } else if profile.phase == Phase::Frozen {
            profile.phase = Phase::Detecting;
        }
        self.profile = profile;
        self.quarantine.retain(|_, item| !item.by.is_empty());
        for (key, item) in to.quarantine {
            let undecided = item.by.is_empty() && !self.quarantine.contains_key(&key);
            if undecided && self.quarantine.len() < MAX_QUARANTINE {
                self.quarantine.insert(key, item);
            }
        }
        self.account_readers = to.account_readers;
        self.queries = to.queries;
        self.burst_levels = to.burst_levels;
    }
}
