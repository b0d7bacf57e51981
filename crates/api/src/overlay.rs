//! Alerts and incidents that have changed and are not in the store yet.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hanabi_detect::{Alert, Incident};

/// Values of either sort in the overlay. The store commits several times a second, so this many means
/// that it has stopped; at some 10 KiB an alert it bounds the overlay to about 40 MiB.
pub const OVERLAY_MAX: usize = 4_096;

#[derive(Debug)]
struct Changed<T> {
    by_id: HashMap<String, Arc<T>>,
    /// Ids in order of first arrival, for leaving when full; may hold ids that have left.
    order: VecDeque<String>,
    evicted: u64,
}

impl<T> Default for Changed<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), order: VecDeque::new(), evicted: 0 }
    }
}

impl<T> Changed<T> {
    fn put(&mut self, id: &str, value: Arc<T>) {
        if self.by_id.insert(id.to_owned(), value).is_none() {
            self.order.push_back(id.to_owned());
        }
        while self.by_id.len() > OVERLAY_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.evicted += u64::from(self.by_id.remove(&oldest).is_some());
        }
    }

    fn committed(&mut self, id: &str, value: &Arc<T>) {
        if self.by_id.get(id).is_some_and(|now| Arc::ptr_eq(now, value)) {
            self.by_id.remove(id);
        }
    }

    fn tidy(&mut self) {
        if self.by_id.len() < self.order.len() {
            let by_id = &self.by_id;
            self.order.retain(|id| by_id.contains_key(id));
        }
    }
}

/// See [`crate::Live::put_alerts`].
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    alerts: Changed<Alert>,
    incidents: Changed<Incident>,
}

impl Overlay {
    pub(crate) fn put_alerts(&mut self, alerts: Vec<Arc<Alert>>) {
        for alert in alerts {
            let id = alert.id.clone();
            self.alerts.put(&id, alert);
        }
    }

    pub(crate) fn put_incidents(&mut self, incidents: Vec<Arc<Incident>>) {
        for incident in incidents {
            let id = incident.id.clone();
            self.incidents.put(&id, incident);
        }
    }

    pub(crate) fn committed(&mut self, alerts: &[Arc<Alert>], incidents: &[Arc<Incident>]) {
        for alert in alerts {
            self.alerts.committed(&alert.id, alert);
        }
        for incident in incidents {
            self.incidents.committed(&incident.id, incident);
        }
        self.alerts.tidy();
        self.incidents.tidy();
    }

    pub(crate) fn alerts(&self) -> Vec<Arc<Alert>> {
        self.alerts.by_id.values().cloned().collect()
    }

    pub(crate) fn alert(&self, id: &str) -> Option<Arc<Alert>> {
        self.alerts.by_id.get(id).cloned()
    }

    pub(crate) fn incidents(&self) -> Vec<Arc<Incident>> {
        self.incidents.by_id.values().cloned().collect()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.alerts.evicted + self.incidents.evicted
    }
}
