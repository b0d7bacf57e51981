//! The alerts of a container that was filed under its id, in the ledger of its name.

use std::collections::BTreeSet;

use super::Ledger;

impl Ledger {
    /// Takes all alerts and incidents in. They keep their ids and fingerprints, by which people may
    /// know them; only whose they are is new. Linear in what both hold.
    pub(crate) fn take_in(&mut self, other: Self, identity: &str) {
        let Self { alerts, incidents, mut beside, mut changed, departed, .. } = other;
        for (fingerprint, mut alert) in alerts {
            identity.clone_into(&mut alert.identity);
            let fresh = changed.remove(&fingerprint).unwrap_or_default();
            let records = beside.remove(&fingerprint).unwrap_or_default();
            self.lessons += records.records.lessons.len();
            self.beside.insert(fingerprint.clone(), records);
            self.changed.insert(fingerprint.clone(), fresh);
            self.alerts.insert(fingerprint, alert);
        }
        self.departed.extend(departed);
        self.news = true;
        self.overflowed += other.overflowed;
        self.left += other.left;
        self.held += other.held;
        let ids = |ledger: &Self, indexes: &BTreeSet<usize>| -> BTreeSet<String> {
            indexes.iter().filter_map(|i| Some(ledger.incidents.get(*i)?.id.clone())).collect()
        };
        let mut stale = ids(self, &self.changed_incidents);
        for mut incident in incidents {
            identity.clone_into(&mut incident.identity);
            stale.insert(incident.id.clone());
            self.incidents.push(incident);
        }
        self.incidents.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
        let is_stale =
            |i: &usize| self.incidents.get(*i).is_some_and(|one| stale.contains(&one.id));
        self.changed_incidents = (0..self.incidents.len()).filter(is_stale).collect();
    }
}
