//! Changed alerts on their way to the overlay, the stream, the metrics and the store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use hanabi_api::{Live, StreamContainer, StreamHub};
use hanabi_detect::{Alert, AlertSource, AlertState, Incident, Kind, Shard, Watch};
use hanabi_telemetry::{DeviationKind, Exporter, Metrics};

/// Where alerts are shown.
pub(crate) struct AlertDesk {
    live: Arc<Live>,
    hub: StreamHub,
    exporter: Exporter,
    /// Occurrences that are counted already, by alert id.
    counted: HashMap<String, u64>,
    /// Shards and slots with changes that are not worth showing at once.
    waiting: BTreeSet<(usize, usize)>,
    alerts: BTreeMap<String, Arc<Alert>>,
    incidents: BTreeMap<String, Arc<Incident>>,
    scratch: Vec<usize>,
}

impl AlertDesk {
    pub(crate) fn new(live: Arc<Live>, hub: StreamHub, exporter: Exporter) -> Self {
        Self {
            live,
            hub,
            exporter,
            counted: HashMap::new(),
            waiting: BTreeSet::new(),
            alerts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Counts from where a restored watch is: counters start at zero with the process.
    pub(crate) fn know(&mut self, watch: &Watch) {
        for alert in watch.ledger.alerts() {
            self.counted.insert(alert.id.clone(), alert.count);
        }
    }

    /// Looks at what a step has changed: opened alerts and risen priorities are shown at once,
    /// mere counts wait for [`AlertDesk::take_waiting`]. True when something was shown.
    pub(crate) fn look(&mut self, index: usize, shard: &mut Shard) -> bool {
        let mut slots = std::mem::take(&mut self.scratch);
        shard.take_touched(&mut slots);
        let mut shown = false;
        for slot in &slots {
            let Some(watch) = shard.watches_mut().get_mut(*slot) else { continue };
            if watch.ledger.has_news() {
                self.waiting.remove(&(index, *slot));
                self.show(watch);
                shown = true;
            } else if watch.ledger.has_changed() {
                self.waiting.insert((index, *slot));
            }
        }
        self.scratch = slots;
        shown
    }

    /// The places whose changes wait, to be given to [`AlertDesk::show`].
    pub(crate) fn take_waiting(&mut self) -> BTreeSet<(usize, usize)> {
        std::mem::take(&mut self.waiting)
    }

    /// Shows everything that has changed of a watch.
    pub(crate) fn show(&mut self, watch: &mut Watch) {
        let (alerts, incidents) = watch.ledger.take_changed();
        let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
        let incidents: Vec<Arc<Incident>> = incidents.into_iter().map(Arc::new).collect();
        for alert in &alerts {
            self.count(alert);
        }
        self.live.put_alerts(alerts.clone());
        self.live.put_incidents(incidents.clone());
        for alert in alerts {
            let container = StreamContainer {
                id: &alert.container.id,
                name: &alert.container.name,
                identity: &alert.identity,
            };
            self.hub.publish_alert(Arc::clone(&alert), container);
            self.alerts.insert(alert.id.clone(), alert);
        }
        self.incidents.extend(incidents.into_iter().map(|i| (i.id.clone(), i)));
    }

    /// What has changed since the last checkpoint.
    pub(crate) fn take_uncommitted(&mut self) -> (Vec<Arc<Alert>>, Vec<Arc<Incident>>) {
        let alerts = std::mem::take(&mut self.alerts);
        let incidents = std::mem::take(&mut self.incidents);
        (alerts.into_values().collect(), incidents.into_values().collect())
    }

    fn count(&mut self, alert: &Alert) {
        let metrics = self.exporter.metrics();
        let source = match alert.source {
            AlertSource::Hanabi => hanabi_telemetry::AlertSource::Hanabi,
            AlertSource::Falco => hanabi_telemetry::AlertSource::Falco,
        };
        let before = self.counted.get(&alert.id).copied();
        if before.is_none() {
            metrics.alerts_opened.of(source).increment();
        }
        let new = alert.count.saturating_sub(before.unwrap_or(0));
        if before != Some(alert.count) {
            self.counted.insert(alert.id.clone(), alert.count);
        }
        if new == 0 {
            return;
        }
        count_kind(metrics, alert.kind, new);
        if alert.state == AlertState::Suppressed {
            metrics.alerts_suppressed.add(new);
        } else {
            let name = alert.container.name.as_str();
            let now = super::now();
            self.exporter.count_alert(name, &alert.rule, alert.priority, source, new, now);
        }
    }
}

fn count_kind(metrics: &Metrics, kind: Kind, count: u64) {
    let kind = match kind {
        Kind::NewOperation => DeviationKind::NewOperation,
        Kind::NewProcess => DeviationKind::NewProcess,
        Kind::NewArgument => DeviationKind::NewArgument,
        Kind::NewExecutable => DeviationKind::NewExecutable,
        Kind::NewParent => DeviationKind::NewParent,
        Kind::NewUser => DeviationKind::NewUser,
        Kind::NewPeer => DeviationKind::NewPeer,
        Kind::NewPort => DeviationKind::NewPort,
        Kind::NewDirectory => DeviationKind::NewDirectory,
        Kind::NewFile => DeviationKind::NewFile,
        Kind::NewAccess => DeviationKind::NewAccess,
        Kind::Danger => DeviationKind::Danger,
        Kind::Burst => DeviationKind::Rate,
        // A rule's match is no deviation from the profile.
        Kind::Rule | Kind::Revision => return,
    };
    metrics.deviations.of(kind).add(count);
}
