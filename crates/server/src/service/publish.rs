//! What the API reads: the fleet, and the service's own metrics.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use hanabi_api::{ContainerRow, Fleet, IngestTotals, OverviewStats};
use hanabi_detect::{AlertState, Instance, Watch};
use hanabi_event::{Category, EventTime, IgnoreReason, Priority, RejectReason, SECOND};
use hanabi_ingest::{DropReason, IntakeStatus};
use hanabi_outputs::{OutputState, Outputs};
use hanabi_profile::{LearnRules, Phase, ProfileSummary};
use hanabi_telemetry::{EventDeltas, Metrics, Outcome};

use super::observer::Watcher;
use crate::engine::{Engine, Totals};

/// Why expensive reads are refused while the engine is behind.
pub(crate) const BEHIND: &str = "the engine is behind with its lines";
/// How fast a rate follows: the weight of the newest second.
const RATE_WEIGHT: f64 = 0.3;

/// How many events a container had when, for its rate.
struct Pace {
    events: u64,
    at: Instant,
    rate: f64,
    seen: u64,
}

/// Makes fleets, one after the other.
#[derive(Default)]
pub(crate) struct Publisher {
    paces: HashMap<String, Pace>,
    round: u64,
    /// Totals of ledgers and router at the start of the process, from which counters count.
    start: Option<[u64; 9]>,
}

/// The fleet's numbers that are metrics, too.
#[derive(Default)]
pub(crate) struct Gauges {
    phases: BTreeMap<Phase, u64>,
    nodes: u64,
    containers: u64,
    quarantine: u64,
    variations: u64,
    coarsenings: u64,
    /// New tokens that a costly matcher was not asked about.
    unasked: u64,
    departed: u64,
    overflowed: u64,
    held: u64,
    progress: Vec<f64>,
    open: BTreeMap<Priority, u64>,
}

impl Publisher {
    /// The containers and profiles of all watches.
    pub(crate) fn fleet<'a>(
        &mut self,
        watches: impl Iterator<Item = &'a Watch>,
        rules: &LearnRules,
        now: EventTime,
    ) -> (Fleet, Gauges) {
        let mut fleet = Fleet { generated: now, ..Fleet::default() };
        let mut gauges = Gauges::default();
        self.round += 1;
        for watch in watches {
            // Deleted, and nothing has come since: its place is kept, and there is nothing to show.
            if watch.is_blank() {
                continue;
            }
            let summary = watch.profile.summary(rules);
            gauges.add(watch, &summary);
            let open = open_alerts(watch);
            for (id, instance) in &watch.instances {
                let mut row = row(id, instance, &summary);
                row.events_per_second = self.rate(id, instance.events);
                row.open_alerts = open.get(id.as_str()).cloned().unwrap_or_default();
                fleet.containers.push(row);
            }
            fleet.profiles.push(summary);
        }
        fleet.containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        fleet.profiles.sort_by(|a, b| a.identity.cmp(&b.identity));
        let round = self.round;
        self.paces.retain(|_, pace| pace.seen == round);
        (fleet, gauges)
    }

    /// Brings the counters of what profiles, ledgers and the router have counted up to date.
    pub(crate) fn count(&mut self, gauges: &Gauges, engine: &Engine<Watcher>, metrics: &Metrics) {
        let (mut unpaired, mut refused) = (0, 0);
        for room in engine.rooms() {
            let of_shard = room.shard.unpaired();
            unpaired += of_shard.0;
            refused += of_shard.1;
        }
        let now = [
            gauges.departed,
            gauges.overflowed,
            gauges.held,
            engine.router.unwatched(),
            gauges.variations,
            gauges.coarsenings,
            gauges.unasked,
            unpaired,
            refused,
        ];
        let start = *self.start.get_or_insert(now);
        let counters = [
            &metrics.alerts_departed,
            &metrics.alerts_overflowed,
            &metrics.notifications_held,
            &metrics.silence_unwatched,
            &metrics.variations,
            &metrics.profile_coarsened,
            &metrics.embedding_unasked,
            &metrics.calls_unpaired,
            &metrics.calls_unwatched,
        ];
        for ((counter, now), start) in counters.into_iter().zip(now).zip(start) {
            counter.raise_to(now.saturating_sub(start));
        }
    }

    fn rate(&mut self, id: &str, events: u64) -> f64 {
        let at = Instant::now();
        let round = self.round;
        let Some(pace) = self.paces.get_mut(id) else {
            self.paces.insert(id.to_owned(), Pace { events, at, rate: 0.0, seen: round });
            return 0.0;
        };
        pace.seen = round;
        let passed = at.duration_since(pace.at).as_secs_f64();
        if passed >= 1.0 {
            let newest = events.saturating_sub(pace.events) as f64 / passed;
            pace.rate += RATE_WEIGHT * (newest - pace.rate);
            if pace.rate < 0.01 {
                pace.rate = 0.0;
            }
            (pace.events, pace.at) = (events, at);
        }
        pace.rate
    }
}

impl Gauges {
    fn add(&mut self, watch: &Watch, summary: &ProfileSummary) {
        *self.phases.entry(summary.phase).or_default() += 1;
        self.nodes += summary.nodes;
        self.containers += watch.instances.len() as u64;
        self.variations += watch.profile.variations;
        self.coarsenings += watch.profile.tree.coarsenings();
        self.unasked += watch.effort.refused;
        self.departed += watch.ledger.left;
        self.overflowed += watch.ledger.overflowed;
        self.held += watch.ledger.held;
        self.quarantine += watch.quarantine.values().filter(|item| !item.accepted).count() as u64;
        if !summary.phase.detects() {
            self.progress.push(summary.learning.progress / 100.0);
        }
        for alert in watch.ledger.alerts().filter(|a| a.state == AlertState::Open) {
            *self.open.entry(alert.priority).or_default() += 1;
        }
    }

    /// Sets the metrics.
    pub(crate) fn set(&self, metrics: &Metrics) {
        for phase in Phase::ALL {
            if let Some(gauge) = metrics.profiles.named(phase.as_str()) {
                gauge.set_count(self.phases.get(&phase).copied().unwrap_or(0));
            }
        }
        for priority in Priority::ALL {
            let open = self.open.get(&priority).copied().unwrap_or(0);
            metrics.alerts_open.of(priority).set_count(open);
        }
        metrics.containers.set_count(self.containers);
        metrics.profile_nodes.set_count(self.nodes);
        metrics.quarantine_items.set_count(self.quarantine);
        let count = self.progress.len().max(1) as f64;
        // Nobody who learns is as good as everybody who has learned.
        let (average, minimum) = if self.progress.is_empty() {
            (1.0, 1.0)
        } else {
            let least = self.progress.iter().copied().fold(1.0, f64::min);
            (self.progress.iter().sum::<f64>() / count, least)
        };
        metrics.learning_progress_average.set(average);
        metrics.learning_progress_minimum.set(minimum);
    }
}

fn open_alerts(watch: &Watch) -> HashMap<&str, BTreeMap<Priority, u64>> {
    let mut open: HashMap<&str, BTreeMap<Priority, u64>> = HashMap::new();
    for alert in watch.ledger.alerts().filter(|a| a.state == AlertState::Open) {
        for container in &alert.containers {
            *open.entry(&container.id).or_default().entry(alert.priority).or_default() += 1;
        }
    }
    open
}

fn row(id: &str, instance: &Instance, summary: &ProfileSummary) -> ContainerRow {
    let shown = &instance.shown;
    let (repository, tag) = split_image(&shown.image);
    ContainerRow {
        id: id.to_owned(),
        short_id: id.chars().take(12).collect(),
        name: shown.name.clone(),
        image: shown.image.clone(),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        host: shown.host.clone(),
        namespace: instance.namespace.clone(),
        pod: shown.pod.clone(),
        identity: summary.identity.clone(),
        phase: summary.phase,
        learning: summary.learning.clone(),
        events: instance.events,
        first_event: instance.first,
        last_event: instance.last,
        ..ContainerRow::default()
    }
}

/// A colon before a slash belongs to a registry's port.
fn split_image(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        Some(_) | None => (image, ""),
    }
}

/// What became of every line since the beginning of the data directory. `queued` lines were taken
/// and have not reached the engine; `dropped` is what earlier runs have lost.
pub(crate) fn totals(
    engine: &Totals,
    queued: u64,
    dropped: &BTreeMap<String, u64>,
) -> IngestTotals {
    let lost: u64 = dropped.values().sum();
    let own = |map: &BTreeMap<&'static str, u64>| {
        map.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
    };
    IngestTotals {
        received: engine.received + queued + lost,
        modelled: engine.counts.modelled,
        pending: engine.pending + queued,
        ignored: own(&engine.ignored()),
        rejected: own(&engine.rejected),
        dropped: dropped.clone(),
    }
}

/// Lines dropped: those of earlier runs and those of this one.
pub(crate) fn dropped(
    before: &BTreeMap<String, u64>,
    intake: &IntakeStatus,
) -> BTreeMap<String, u64> {
    let mut all = before.clone();
    for source in &intake.sources {
        for (reason, count) in DropReason::ALL.iter().zip(source.dropped) {
            if count > 0 {
                *all.entry(reason.as_str().to_owned()).or_default() += count;
            }
        }
    }
    all
}

/// Sets the metrics of lines; `start` is where this process began to count.
pub(crate) fn measure_lines(
    metrics: &Metrics,
    start: &Totals,
    engine: &Totals,
    intake: &IntakeStatus,
    pending: u64,
) {
    metrics
        .ingest_lines_modelled
        .raise_to(engine.counts.modelled.saturating_sub(start.counts.modelled));
    for reason in IgnoreReason::ALL {
        let count = |totals: &Totals| totals.counts.ignored[reason as usize];
        let new = count(engine).saturating_sub(count(start));
        metrics.ingest_lines_ignored.of(reason).raise_to(new);
    }
    for reason in RejectReason::ALL {
        let count = |t: &Totals| t.rejected.get(reason.as_str()).copied().unwrap_or(0);
        let new = count(engine).saturating_sub(count(start));
        metrics.ingest_lines_rejected.of(reason).raise_to(new);
    }
    for (reason, count) in dropped(&BTreeMap::new(), intake) {
        if let Some(counter) = metrics.ingest_lines_dropped.named(&reason) {
            counter.raise_to(count);
        }
    }
    metrics.ingest_lines_pending.set_count(pending);
    metrics.ingest_queue_bytes.set_count(intake.queued_bytes);
    metrics.ingest_queue_limit_bytes.set_count(intake.max_bytes);
    metrics.ingest_queue_batches.set_count(intake.queued_batches);
}

/// One series' counts are of one step of the overview; an event far ahead of its host's time must
/// not move the windows.
pub(crate) fn add_to_overview(overview: &mut OverviewStats, deltas: &EventDeltas, newest: u64) {
    for series in &deltas.series {
        let priority = Priority::parse(series.labels.get(1)).unwrap_or_default();
        let category = Category::ALL
            .into_iter()
            .find(|category| category.as_str() == series.labels.get(7))
            .unwrap_or_default();
        let second = (series.last / SECOND).min(newest);
        let (rule, container) = (series.labels.get(0), series.labels.get(2));
        overview.add(second, category, priority, rule, container, series.count);
    }
}

/// The engine is behind from when three quarters of its queue are full until three quarters are
/// free, so that the answer does not change with every batch.
pub(crate) fn is_behind(was: bool, queued: u64, most: u64) -> bool {
    let quarters = if was { 1 } else { 3 };
    queued.saturating_mul(4) > most.saturating_mul(quarters)
}

/// Sets the metrics of where alerts go.
pub(crate) fn measure_outputs(metrics: &Metrics, outputs: &Outputs) {
    let (mut sent, mut failed, mut dropped) = (0, 0, 0);
    for one in outputs.status() {
        let name = one.name.as_str();
        metrics.output_delivered.of(name).raise_to(one.delivered);
        metrics.output_retries.of(name).raise_to(one.retries);
        metrics.output_refused.of(name).raise_to(one.refused);
        metrics.output_dropped.of(name).raise_to(one.dropped);
        metrics.output_let_go.of(name).raise_to(one.let_go);
        metrics.output_forgotten.of(name).raise_to(one.forgotten);
        metrics.output_waiting.of(name).set_count(one.waiting);
        metrics.output_spool_bytes.of(name).set_count(one.spool_bytes);
        let failing = one.state == OutputState::Failing;
        metrics.output_failing.of(name).set_count(u64::from(failing));
        metrics.output_last_delivery.of(name).set(one.last_delivery as f64 / 1e9);
        sent += one.delivered;
        failed += one.retries;
        dropped += one.refused + one.dropped;
    }
    metrics.notifications.of(Outcome::Sent).raise_to(sent);
    metrics.notifications.of(Outcome::Failed).raise_to(failed);
    metrics.notifications.of(Outcome::Dropped).raise_to(dropped);
}

#[cfg(test)]
mod tests {
    use super::{is_behind, split_image};

    #[test]
    fn an_image_is_split_at_its_tag() {
        for (image, parts) in [
            ("nginx:1.25", ("nginx", "1.25")),
            ("localhost:5000/shop/web", ("localhost:5000/shop/web", "")),
            ("localhost:5000/shop/web:2", ("localhost:5000/shop/web", "2")),
            ("nginx", ("nginx", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_image(image), parts);
        }
    }

    #[test]
    fn the_engine_is_behind_until_it_has_really_caught_up() {
        for (was, queued, is) in [
            (false, 0, false),
            (false, 75, false),
            (false, 76, true),
            (true, 76, true),
            (true, 26, true),
            (true, 25, false),
            (true, 0, false),
        ] {
            assert_eq!(is_behind(was, queued, 100), is, "{was} {queued}");
        }
    }
}
