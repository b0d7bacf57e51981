//! One of two: what was learned under a container's id, before its name was known, and the profile
//! of the name.

use hanabi_profile::Phase;

use crate::{Watch, watch::MAX_QUARANTINE};

impl Watch {
    /// Takes in what was filed under the id of one of its containers.
    ///
    /// The tree is taken in while this profile still learns, or when the other has learned all by
    /// its own evidence. Of a profile that detects, the first seconds of another replica are nothing
    /// to learn from: nobody has judged them. Its alerts, and what waits for a person, come along in
    /// any case.
    pub(crate) fn unite(&mut self, other: Self) {
        let Self { profile, instances, ledger, quarantine, silent, .. } = other;
        let learned = self.profile.phase != Phase::Frozen
            && (!self.profile.phase.detects() || profile.phase.detects());
        if learned {
            let identity = self.profile.identity.clone();
            self.profile = self.profile.merge(&profile);
            self.profile.identity = identity;
            self.account_readers.extend(other.account_readers);
            for (program, size) in other.queries {
                let known = self.queries.entry(program).or_default();
                *known = size.max(*known);
            }
            for (burst, level) in other.burst_levels {
                let known = self.burst_levels.entry(burst).or_default();
                *known = level.max(*known);
            }
        }
        for (key, item) in quarantine {
            if self.quarantine.len() < MAX_QUARANTINE {
                self.quarantine.entry(key).or_insert(item);
            }
        }
        for (id, instance) in instances {
            self.make_room();
            self.instances.insert(id, instance);
        }
        self.silent.extend(silent);
        self.ledger.take_in(ledger, &self.profile.identity);
    }
}
