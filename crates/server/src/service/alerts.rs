//! Changed alerts on their way to the overlay, the stream, the metrics and the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hanabi_api::{Live, StreamContainer, StreamHub};
use hanabi_detect::{Alert, AlertSource, Incident, Kind, Shard, Watch, ledger::Changed};
use hanabi_outputs::Outputs;
use hanabi_telemetry::{DeviationKind, Exporter, Metrics};

/// Where alerts are shown.
pub(crate) struct AlertDesk {
    live: Arc<Live>,
    hub: StreamHub,
    outputs: Outputs,
    exporter: Exporter,
    /// Shards and slots with changes that are not worth showing at once.
    waiting: BTreeSet<(usize, usize)>,
    alerts: BTreeMap<String, Arc<Alert>>,
    incidents: BTreeMap<String, Arc<Incident>>,
    scratch: Vec<usize>,
}

impl AlertDesk {
    pub(crate) fn new(
        live: Arc<Live>,
        hub: StreamHub,
        outputs: Outputs,
        exporter: Exporter,
    ) -> Self {
        Self {
            live,
            hub,
            outputs,
            exporter,
            waiting: BTreeSet::new(),
            alerts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            scratch: Vec::new(),
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
        let (changed, incidents) = watch.ledger.take_changed();
        let incidents: Vec<Arc<Incident>> = incidents.into_iter().map(Arc::new).collect();
        for changed in &changed {
            self.count(changed);
        }
        let alerts = changed.into_iter().map(|changed| Arc::new(changed.alert)).collect();
        self.put(alerts, incidents);
    }

    /// Shows alerts and incidents, and keeps them for the next checkpoint.
    pub(crate) fn put(&mut self, alerts: Vec<Arc<Alert>>, incidents: Vec<Arc<Incident>>) {
        self.live.put_alerts(alerts.clone());
        self.live.put_incidents(incidents.clone());
        for alert in alerts {
            self.outputs.offer(&alert);
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

    fn count(&mut self, changed: &Changed) {
        let metrics = self.exporter.metrics();
        let alert = &changed.alert;
        let source = match alert.source {
            AlertSource::Hanabi => hanabi_telemetry::AlertSource::Hanabi,
            AlertSource::Falco => hanabi_telemetry::AlertSource::Falco,
        };
        if changed.opened {
            metrics.alerts_opened.of(source).increment();
        }
        count_kind(metrics, alert.kind, changed.shown + changed.suppressed);
        metrics.alerts_suppressed.add(changed.suppressed);
        if changed.shown > 0 {
            let name = alert.container.name.as_str();
            let (count, now) = (changed.shown, super::now());
            self.exporter.count_alert(name, &alert.rule, alert.priority, source, count, now);
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
        Kind::Silence => DeviationKind::Silence,
        // A rule's match is no deviation from the profile.
        Kind::Rule | Kind::Revision => return,
    };
    metrics.deviations.of(kind).add(count);
}
