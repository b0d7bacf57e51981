//! The families labelled by events, and the page that Prometheus scrapes.

use std::sync::Arc;
use std::time::Duration;

use hanabi_event::Priority;
use parking_lot::Mutex;

use crate::counter::{CONTAINER_NAME, EventDeltas};
use crate::exposition::{Format, Page};
use crate::family::BoundedFamily;
use crate::label::{AlertSource, Family};
use crate::labels::Labels;
use crate::table::{BUILD_INFO, LAST_EVENT, Metrics, SECURITY_ALERTS, SYSCALL_EVENTS};

/// Switches and bounds of the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterOptions {
    /// Keeps the label `process_name`.
    pub process_name: bool,
    /// Keeps the label `k8s_pod`.
    pub k8s_pod: bool,
    /// The most series of one family. 20 000 are about 6 MB a scrape, and what a small Prometheus
    /// takes from one target without complaint.
    pub series_max: usize,
    /// The most distinct values of `container_name`, `process_name` and `k8s_pod`. 2 000: ten times
    /// what one host runs.
    pub values_max: usize,
    /// The most distinct values of `image_repository`, between containers and rules.
    pub repositories_max: usize,
    /// The most distinct values of `rule` and `k8s_namespace`. 500: Falco's whole rule set has
    /// about 100.
    pub rules_max: usize,
    /// A series that has not changed for so long is removed: long enough for every alerting
    /// expression, short enough that yesterday's containers are gone.
    pub idle_after: Duration,
}

impl Default for ExporterOptions {
    fn default() -> Self {
        Self {
            process_name: true,
            k8s_pod: true,
            series_max: 20_000,
            values_max: 2_000,
            repositories_max: 1_000,
            rules_max: 500,
            idle_after: Duration::from_hours(1),
        }
    }
}

#[derive(Debug)]
struct Families {
    events: BoundedFamily,
    last_event: BoundedFamily,
    alerts: BoundedFamily,
    expired_at: u64,
}

#[derive(Debug)]
struct Shared {
    metrics: Metrics,
    version: String,
    started: u64,
    idle_after: u64,
    // Held for a merge or a copy of the series, never while text is written.
    families: Mutex<Families>,
}

/// Merges what the workers counted and writes everything out. Clones are the same exporter. All
/// times are nanoseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Exporter(Arc<Shared>);

impl Exporter {
    /// An exporter of `metrics`, too; `now` becomes the creation time of all counters.
    pub fn new(options: &ExporterOptions, metrics: Metrics, version: &str, now: u64) -> Self {
        let (values, rules) = (options.values_max, options.rules_max);
        let repositories = options.repositories_max;
        let events = vec![rules, 0, values, repositories, values, rules, values, 0];
        let idle_after = u64::try_from(options.idle_after.as_nanos()).unwrap_or(u64::MAX);
        let families = Families {
            events: BoundedFamily::new(events, options.series_max),
            last_event: BoundedFamily::new(vec![values], options.series_max),
            alerts: BoundedFamily::new(vec![values, rules, 0, 0], options.series_max),
            expired_at: now,
        };
        Self(Arc::new(Shared {
            metrics,
            version: version.to_string(),
            started: now,
            idle_after,
            families: Mutex::new(families),
        }))
    }

    /// The service's own metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Merges what a worker counted. Cost is linear in the series that changed.
    pub fn apply(&self, deltas: &EventDeltas, now: u64) {
        if deltas.is_empty() {
            return;
        }
        let metrics = &self.0.metrics;
        metrics.events.add(deltas.events);
        let mut folded = deltas.folded;
        let mut folded_times = 0;
        let mut families = self.0.families.lock();
        for delta in &deltas.series {
            folded += delta.count * u64::from(families.events.add(&delta.labels, delta.count, now));
            let container = Arc::new(Labels::new(&[delta.labels.get(CONTAINER_NAME)]));
            let raised = families.last_event.raise(&container, delta.last, now);
            folded_times += delta.count * u64::from(raised);
        }
        self.expire(&mut families, now);
        drop(families);
        metrics.series_folded.of(Family::SyscallEvents).add(folded);
        metrics.series_folded.of(Family::LastEvent).add(folded_times);
    }

    /// Counts `count` unsuppressed occurrences of an alert.
    pub fn count_alert(
        &self,
        container_name: &str,
        rule: &str,
        priority: Priority,
        source: AlertSource,
        count: u64,
        now: u64,
    ) {
        let or_unknown = |value| if str::is_empty(value) { "unknown" } else { value };
        let values =
            [or_unknown(container_name), or_unknown(rule), priority.as_str(), source.as_str()];
        let labels = Arc::new(Labels::new(&values));
        let folded = self.0.families.lock().alerts.add(&labels, count, now);
        let metrics = &self.0.metrics;
        metrics.security_alerts.add(count);
        metrics.series_folded.of(Family::SecurityAlerts).add(count * u64::from(folded));
    }

    /// The whole page. Families are sorted by name and series by their labels, so the same state
    /// gives the same text.
    pub fn render(&self, format: Format, now: u64) -> String {
        let mut page = Page::new(format, self.0.started);
        let mut families = self.0.families.lock();
        self.expire(&mut families, now);
        let metrics = &self.0.metrics;
        let sizes = [
            (Family::SyscallEvents, families.events.len()),
            (Family::LastEvent, families.last_event.len()),
            (Family::SecurityAlerts, families.alerts.len()),
        ];
        for (family, size) in sizes {
            metrics.series.of(family).set_count(size as u64);
        }
        let events = families.events.to_vec();
        let last_event = families.last_event.to_vec();
        let alerts = families.alerts.to_vec();
        drop(families);
        page.family(&SYSCALL_EVENTS, events);
        page.family(&LAST_EVENT, last_event);
        page.family(&SECURITY_ALERTS, alerts);
        page.info(&BUILD_INFO, &[&self.0.version]);
        metrics.visit(&mut |definition, cell| page.metric(definition, cell));
        page.finish()
    }

    /// Looks for idle series, at most sixty times within the time after which they are.
    fn expire(&self, families: &mut Families, now: u64) {
        let idle_after = self.0.idle_after;
        if now.saturating_sub(families.expired_at) < idle_after / 60 {
            return;
        }
        families.expired_at = now;
        let before = now.saturating_sub(idle_after);
        let expired = &self.0.metrics.series_expired;
        expired.of(Family::SyscallEvents).add(families.events.expire(before));
        expired.of(Family::LastEvent).add(families.last_event.expire(before));
        expired.of(Family::SecurityAlerts).add(families.alerts.expire(before));
    }
}
