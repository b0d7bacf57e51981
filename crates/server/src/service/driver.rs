//! The thread that owns the engine: feeds it, steps, and publishes what came of it.

mod decisions;
mod durable;
mod orders;
mod points;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, select};
use hanabi_api::{EngineRequest, LogView, StreamContainer, StreamHub};
use hanabi_api::{Live, WAITING_FOR_RESTORE};
use hanabi_detect::{Rulings, SHARDS, Watch};
use hanabi_event::{Category, EventTime, SECOND};
use hanabi_ingest::{Intake, Journal, Position};
use hanabi_outputs::Outputs;
use hanabi_profile::Phase;
use hanabi_store::{AuditEntry, EventLog, LogRow, Store};
use hanabi_telemetry::{EventDeltas, Exporter};

use super::{
    alerts::AlertDesk,
    input::{Input, Piece},
    keeper::{Keeper, Reply},
    observer::Watcher,
    publish::{self, Publisher},
    sources::Sources,
    state::Counters,
};
use crate::engine::{Engine, Totals};
use points::Points;

/// The key of the journal's position; sources with positions of their own have their names.
pub(crate) const JOURNAL: &str = "journal";
/// How often counts reach the metrics and the overview.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// How often the fleet is made anew at most.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// Making the fleet takes at most this part of the time: with ten thousand containers it is made
/// less often.
const PUBLISH_SHARE: u32 = 20;
/// How often mere counts of an alert are shown.
const ALERT_COUNTS_EVERY: Duration = Duration::from_secs(1);
/// How often time passes in silence.
const SILENCE_EVERY: Duration = Duration::from_secs(1);
/// How often sizes and ages of stored things are looked at.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);

/// What the driver works with.
pub(crate) struct Parts {
    pub(crate) engine: Engine<Watcher>,
    pub(crate) input: Input,
    pub(crate) intake: Intake,
    pub(crate) journal: Journal,
    pub(crate) sources: Sources,
    pub(crate) requests: Receiver<EngineRequest>,
    pub(crate) live: Arc<Live>,
    pub(crate) hub: StreamHub,
    pub(crate) outputs: Outputs,
    pub(crate) exporter: Exporter,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Arc<EventLog>,
    pub(crate) keeper: Keeper,
    pub(crate) rhythm: Rhythm,
}

/// How often things are made durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) checkpoint_every: Duration,
    pub(crate) snapshot_every: Duration,
    /// A checkpoint is due when so much of the journal waits for one, whatever the time.
    pub(crate) journal_bytes: u64,
    /// After this long without input, time passes by itself.
    pub(crate) silence_after: Duration,
}

/// Where the last run ended.
pub(crate) struct Resume {
    pub(crate) sequence: u64,
    pub(crate) positions: BTreeMap<String, Position>,
    pub(crate) counters: Counters,
    pub(crate) rulings: Rulings,
}

/// See the module's text.
pub(crate) struct Driver {
    parts: Parts,
    desk: AlertDesk,
    publisher: Publisher,
    /// Handed to the engine and not stepped yet.
    fed: VecDeque<Piece>,
    /// Blocks stepped since the data directory exists.
    sequence: u64,
    committed: u64,
    positions: BTreeMap<String, Position>,
    counters: Counters,
    start: Totals,
    last_events: BTreeMap<String, EventTime>,
    /// Stored identities by shard, to find those whose profiles have another name now.
    stored: BTreeSet<String>,
    phases: BTreeMap<String, Phase>,
    /// Identities whose trees are to be added to their histories.
    snapshots: BTreeSet<String>,
    /// Changed since the last snapshot.
    changed: BTreeSet<String>,
    journal_bytes: u64,
    rotated: bool,
    skew_start: u64,
    losses_start: u64,
    /// What operators have decided for all profiles.
    rulings: Arc<Rulings>,
    /// Suppressions or maintenance windows have changed since the last checkpoint.
    ruled: bool,
    /// What people did since the last checkpoint.
    audit: Vec<AuditEntry>,
    /// Answers to be given when the next checkpoint is durable.
    replies: Vec<Reply>,
    /// Profiles that were deleted since the last checkpoint.
    forgotten: Vec<String>,
    points: Points,
    /// The queue is fuller than it should be.
    behind: bool,
    clock: Clock,
}

/// When what was done last.
struct Clock {
    input: Instant,
    has_input: bool,
    silence: Option<Instant>,
    count: Instant,
    publish: Instant,
    publish_pause: Duration,
    alert_counts: Instant,
    checkpoint: Instant,
    snapshot: Instant,
    upkeep: Option<Instant>,
}

impl Driver {
    pub(crate) fn new(parts: Parts, resume: Resume) -> Self {
        let (live, hub) = (Arc::clone(&parts.live), parts.hub.clone());
        let desk = AlertDesk::new(live, hub, parts.outputs.clone(), parts.exporter.clone());
        let (mut stored, mut phases) = (BTreeSet::new(), BTreeMap::new());
        for watch in parts.engine.watches() {
            stored.insert(watch.profile.identity.clone());
            phases.insert(watch.profile.identity.clone(), watch.profile.phase);
        }
        let points = Points::new(&parts.store, parts.engine.watches());
        let rulings = Arc::new(resume.rulings);
        let mut parts = parts;
        for room in parts.engine.rooms_mut() {
            room.shard.set_rulings(&rulings);
        }
        let now = Instant::now();
        Self {
            start: parts.engine.totals(),
            skew_start: parts.engine.router.clock_skew,
            losses_start: parts.engine.router.losses,
            parts,
            desk,
            publisher: Publisher::default(),
            fed: VecDeque::new(),
            sequence: resume.sequence,
            committed: resume.sequence,
            positions: resume.positions,
            counters: resume.counters,
            last_events: BTreeMap::new(),
            stored,
            phases,
            snapshots: BTreeSet::new(),
            changed: BTreeSet::new(),
            journal_bytes: 0,
            rotated: false,
            rulings,
            ruled: false,
            audit: Vec::new(),
            replies: Vec::new(),
            forgotten: Vec::new(),
            points,
            behind: false,
            clock: Clock {
                input: now,
                has_input: false,
                silence: None,
                count: now,
                publish: now,
                publish_pause: Duration::ZERO,
                alert_counts: now,
                checkpoint: now,
                snapshot: now,
                upkeep: None,
            },
        }
    }

    /// Works until the queue is closed and empty; then makes everything durable.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.publish();
        while !(self.parts.input.has_ended() && self.is_at_rest()) {
            self.fill();
            if self.parts.engine.is_idle() {
                self.wait();
            } else {
                self.step();
            }
            while let Ok(request) = self.parts.requests.try_recv() {
                self.answer(request);
            }
            self.tick();
        }
        self.finish()
    }

    /// Every line that was taken is in the engine's state: positions are true.
    fn is_at_rest(&self) -> bool {
        self.parts.engine.is_idle() && !self.parts.input.is_within_batch()
    }

    fn fill(&mut self) {
        while self.parts.engine.has_room() {
            // A checkpoint needs an engine at rest, so nothing new is begun before it.
            if self.is_checkpoint_due() && !self.parts.input.is_within_batch() {
                return;
            }
            let Some(mut piece) = self.parts.input.next() else { break };
            let source = piece.source.as_str();
            self.parts.engine.feed(source, std::mem::take(&mut piece.bytes));
            self.clock.input = Instant::now();
            self.clock.has_input = true;
            self.clock.silence = None;
            self.fed.push_back(piece);
        }
        if !self.parts.input.is_replaying() {
            self.parts.live.done(WAITING_FOR_RESTORE);
        }
    }

    /// Nothing to do: until something comes, or time passes.
    fn wait(&mut self) {
        if self.is_checkpoint_due() || self.parts.input.waiting_lines() > 0 {
            return;
        }
        let mut asked = None;
        select! {
            recv(self.parts.input.batches()) -> batch => self.parts.input.put(batch.ok()),
            recv(self.parts.requests) -> request => match request {
                Ok(request) => asked = Some(request),
                // The API has ended, and this channel must not be asked again and again.
                Err(_) => self.parts.requests = crossbeam_channel::never(),
            },
            default(COUNT_EVERY) => {}
        }
        if let Some(request) = asked {
            self.answer(request);
        }
    }

    fn answer(&mut self, request: EngineRequest) {
        match request {
            EngineRequest::Snapshot { identity, reply } => {
                let mut watches = self.parts.engine.watches();
                let watch = watches.find(|watch| watch.profile.identity == identity);
                // Nobody waits any more when the request has timed out.
                drop(reply.send(watch.map(|watch| watch.profile.snapshot())));
            }
            EngineRequest::Quarantine { identity, reply } => {
                let mut watches = self.parts.engine.watches();
                let watch = watches.find(|watch| watch.profile.identity == identity);
                let items = |watch: &Watch| {
                    watch.quarantine.iter().map(|(k, i)| (k.clone(), i.clone())).collect()
                };
                drop(reply.send(watch.map(items)));
            }
            EngineRequest::Order { order, reply } => self.order(&order, reply),
        }
    }

    fn step(&mut self) {
        let began = Instant::now();
        let Some(piece) = self.fed.pop_front() else { return };
        for room in self.parts.engine.rooms_mut() {
            room.observer.rows.merge_repetitions(piece.behind);
        }
        let Some(stepped) = self.parts.engine.step() else { return };
        self.sequence += 1;
        for rejected in stepped.samples {
            self.parts.live.put_rejected(piece.source.as_str(), rejected);
        }
        if stepped.newest > 0 {
            let last = self.last_events.entry(piece.source.to_string()).or_default();
            *last = stepped.newest.max(*last);
        }
        if self.look_at_alerts() {
            self.parts.exporter.metrics().alert_latency.observe(piece.taken.elapsed());
        }
        self.hand_rows_on();
        if let Some(position) = piece.position {
            if matches!(position, Position::Journal { .. }) {
                self.journal_bytes += piece.size;
            }
            self.advance(piece.source.as_str(), position);
        }
        self.parts.exporter.metrics().batch_duration.observe(began.elapsed());
    }

    fn look_at_alerts(&mut self) -> bool {
        let mut shown = false;
        for index in 0..SHARDS {
            if let Some(room) = self.parts.engine.room_mut(index) {
                shown |= self.desk.look(index, &mut room.shard);
            }
        }
        shown
    }

    /// Rows of the last step to the stream and the event log, after its alerts.
    fn hand_rows_on(&mut self) {
        let (mut rows, mut dropped): (Vec<LogRow>, u64) = (Vec::new(), 0);
        for room in self.parts.engine.rooms_mut() {
            dropped += room.observer.rows.take_dropped();
            if !room.observer.rows.is_empty() {
                rows.extend(room.observer.rows.drain());
            }
        }
        self.parts.exporter.metrics().event_log_dropped.add(dropped);
        if rows.is_empty() {
            return;
        }
        if let Some(mut events) = self.parts.hub.events() {
            for row in &rows {
                let container = StreamContainer {
                    id: &row.container_id,
                    name: &row.container_name,
                    identity: &row.identity,
                };
                events.add(container, row.category, row.priority, row.time, || LogView(row));
            }
        }
        self.parts.log.append(self.sequence, rows);
    }

    /// What is done by the clock, between steps.
    fn tick(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.clock.count) >= COUNT_EVERY {
            self.clock.count = now;
            self.count();
        }
        if now.duration_since(self.clock.alert_counts) >= ALERT_COUNTS_EVERY {
            self.clock.alert_counts = now;
            self.show_counts();
        }
        if now.duration_since(self.clock.publish) >= PUBLISH_EVERY.max(self.clock.publish_pause) {
            self.publish();
        }
        if self.is_at_rest() {
            self.pass_time(now);
            if self.is_checkpoint_due() {
                self.checkpoint();
            }
        }
        if now.duration_since(self.clock.snapshot) >= self.parts.rhythm.snapshot_every {
            self.clock.snapshot = now;
            self.snapshots.append(&mut self.changed);
        }
        self.take_snapshots();
        if self.clock.upkeep.is_none_or(|last| now.duration_since(last) >= UPKEEP_EVERY) {
            self.clock.upkeep = Some(now);
            self.upkeep();
        }
    }

    /// Silence is data: after some seconds without input every host's time goes on.
    fn pass_time(&mut self, now: Instant) {
        let silent = now.duration_since(self.clock.input) >= self.parts.rhythm.silence_after;
        // Before the first input the sources are still being opened.
        if !silent || !self.clock.has_input || self.parts.input.waiting_lines() > 0 {
            return;
        }
        let since = self.clock.silence.unwrap_or(self.clock.input);
        let passed = now.duration_since(since);
        if self.clock.silence.is_some() && passed < SILENCE_EVERY {
            return;
        }
        if self.parts.sources.is_behind() {
            self.clock.input = now;
            return;
        }
        self.clock.silence = Some(now);
        let pending = self.parts.engine.totals().pending;
        self.parts.engine.silence(passed.as_nanos() as EventTime);
        // Where nothing was decided there is nothing to store, and the disk may sleep.
        self.sequence += u64::from(self.parts.engine.totals().pending != pending);
        let second = self.parts.engine.router.now() / SECOND;
        self.parts.live.with_overview(|overview| overview.advance(second));
        self.sequence += u64::from(self.look_at_alerts());
        self.hand_rows_on();
    }

    /// Counts of the last moments to the metrics and the overview.
    fn count(&mut self) {
        let wall = super::now();
        let newest = self.parts.engine.router.now() / SECOND;
        let mut all: Vec<EventDeltas> = Vec::new();
        let mut modelled = [0; Category::ALL.len()];
        for room in self.parts.engine.rooms_mut() {
            all.append(&mut room.observer.take_deltas());
            for (sum, count) in modelled.iter_mut().zip(room.observer.take_modelled()) {
                *sum += count;
            }
        }
        for deltas in &all {
            self.parts.exporter.apply(deltas, wall);
        }
        let metrics = self.parts.exporter.metrics();
        for (category, count) in Category::ALL.into_iter().zip(modelled) {
            metrics.modelled_events.of(category).add(count);
        }
        if !all.is_empty() {
            self.parts.live.with_overview(|overview| {
                for deltas in &all {
                    publish::add_to_overview(overview, deltas, newest);
                }
            });
        }
    }

    fn show_counts(&mut self) {
        for (index, slot) in self.desk.take_waiting() {
            if let Some(room) = self.parts.engine.room_mut(index)
                && let Some(watch) = room.shard.watches_mut().get_mut(slot)
            {
                self.desk.show(watch);
            }
        }
    }

    fn publish(&mut self) {
        let began = Instant::now();
        self.note_phases();
        let Parts { engine, live, sources, intake, exporter, .. } = &self.parts;
        let now = engine.router.now();
        let rules = &engine.settings.learn;
        let (mut fleet, gauges) = self.publisher.fleet(engine.watches(), rules, now);
        let status = intake.status();
        let fed: u64 = self.fed.iter().map(|piece| piece.lines).sum();
        let queued = status.queued_lines + fed + self.parts.input.waiting_lines();
        let totals = engine.totals();
        let dropped = publish::dropped(&self.counters.dropped, &status);
        fleet.totals = publish::totals(&totals, queued, &dropped);
        fleet.sources = sources.status(&status, &self.last_events);
        let metrics = exporter.metrics();
        publish::measure_lines(metrics, &self.start, &totals, &status, fleet.totals.pending);
        gauges.set(metrics);
        self.publisher.count(&gauges, engine, metrics);
        metrics.ingest_clock_skew.raise_to(engine.router.clock_skew - self.skew_start);
        metrics.ingest_upstream_lost.raise_to(engine.router.losses - self.losses_start);
        sources.measure(&status, metrics);
        publish::measure_outputs(metrics, &self.parts.outputs);
        live.publish_fleet(fleet);
        self.behind = publish::is_behind(self.behind, status.queued_bytes, status.max_bytes);
        live.degrade(publish::BEHIND, self.behind);
        self.clock.publish = Instant::now();
        self.clock.publish_pause = began.elapsed() * PUBLISH_SHARE;
    }
}
