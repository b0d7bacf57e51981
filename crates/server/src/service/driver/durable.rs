//! What the driver makes durable: checkpoints, histories of trees, and the last state of all.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use hanabi_detect::{Maintenance, Rulings, Suppression};
use hanabi_ingest::Position;
use hanabi_store::Checkpoint;
use hanabi_telemetry::observe_process;

use super::{
    super::{
        keeper::{Chore, Commit},
        publish,
        state::{self, Counters},
    },
    Driver, JOURNAL,
};

impl Driver {
    /// Counts, logs and keeps the tree at every change of a phase.
    pub(super) fn note_phases(&mut self) {
        let metrics = self.parts.exporter.metrics().clone();
        let mut changed = false;
        for room in self.parts.engine.rooms_mut() {
            for slot in 0..room.shard.watches().len() {
                let profile = &room.shard.watches()[slot].profile;
                let (identity, phase) = (&profile.identity, profile.phase);
                let before = self.phases.get(identity).copied();
                if before == Some(phase) {
                    continue;
                }
                if let Some(counter) = metrics.profile_phase_changes.named(phase.as_str()) {
                    counter.increment();
                }
                if let Some(was) = before {
                    let (before, phase) = (was.as_str(), phase.as_str());
                    tracing::info!("profile {identity} went from {before} to {phase}");
                    self.snapshots.insert(identity.clone());
                    if !was.detects() && profile.phase.detects() {
                        self.points.has_learned(identity);
                    }
                } else {
                    tracing::info!("profile {identity} is new");
                    // A recording that is played fast has taught it all between two looks.
                    if phase.detects() {
                        self.points.has_learned(identity);
                    }
                }
                self.phases.insert(identity.clone(), phase);
                // Phases change in silence, too, which no line marks.
                room.shard.mark(slot as u32);
                changed = true;
            }
        }
        if changed && self.is_at_rest() {
            self.sequence += 1;
        }
    }

    /// Notes that a batch is in the engine's state, for the next checkpoint.
    pub(super) fn advance(&mut self, source: &str, position: Position) {
        match &position {
            Position::None => {}
            Position::Journal { .. } => {
                self.positions.insert(JOURNAL.to_owned(), position);
            }
            Position::File { inode, .. } => {
                let before = self.positions.get(source);
                self.rotated |=
                    matches!(before, Some(Position::File { inode: old, .. }) if old != inode);
                self.positions.insert(source.to_owned(), position);
            }
            Position::Docker { .. } => {
                self.positions.insert(source.to_owned(), position);
            }
            Position::Within { at, .. } => {
                let key = position.key(source);
                if let (Some(Position::Within { at: before, .. }), Position::File { inode, .. }) =
                    (self.positions.get(&key), at.as_ref())
                {
                    let old = before.as_ref();
                    self.rotated |=
                        matches!(old, Position::File { inode: old, .. } if old != inode);
                }
                self.positions.insert(key, position);
            }
        }
    }

    pub(super) fn take_snapshots(&mut self) {
        while self.parts.keeper.has_room() {
            let Some(identity) = self.snapshots.pop_first() else { return };
            let now = self.parts.engine.router.now();
            let mut watches = self.parts.engine.watches();
            if let Some(watch) = watches.find(|watch| watch.profile.identity == identity) {
                let tree = watch.profile.snapshot();
                self.parts.keeper.chore(Chore::Snapshot { identity, time: now, tree });
            }
        }
    }

    pub(super) fn is_checkpoint_due(&self) -> bool {
        if self.sequence == self.committed && self.fed.is_empty() {
            return false;
        }
        let due = !self.replies.is_empty()
            || self.clock.checkpoint.elapsed() >= self.parts.rhythm.checkpoint_every
            || self.rotated
            || self.journal_bytes >= self.parts.rhythm.journal_bytes;
        due && !self.parts.keeper.is_busy()
    }

    pub(super) fn checkpoint(&mut self) {
        match self.make_commit() {
            Ok(commit) => self.parts.keeper.commit(commit),
            Err(error) => tracing::error!("the engine's state cannot be stored: {error:#}"),
        }
        self.clock.checkpoint = Instant::now();
    }

    fn make_commit(&mut self) -> anyhow::Result<Commit> {
        self.look_at_alerts();
        self.show_counts();
        let mut profiles = Vec::new();
        let now = self.parts.engine.router.now();
        for room in self.parts.engine.rooms_mut() {
            let slots = room.shard.take_dirty();
            for watch in slots.iter().filter_map(|slot| room.shard.watches().get(*slot)) {
                let identity = watch.profile.identity.clone();
                self.changed.insert(identity.clone());
                if let Err(error) = self.points.look(watch, &self.parts.store, now) {
                    tracing::error!("a restore point of {identity} was not made: {error:#}");
                }
                profiles.push((identity, state::pack(watch)?));
            }
        }
        let named: BTreeSet<String> =
            self.parts.engine.watches().map(|w| w.profile.identity.clone()).collect();
        let removed_profiles: Vec<String> = self.stored.difference(&named).cloned().collect();
        // The histories of their trees would be nobody's.
        self.forgotten.extend(removed_profiles.iter().cloned());
        self.phases.retain(|identity, _| named.contains(identity));
        self.points.retain(&named);
        self.stored = named;
        let status = self.parts.intake.status();
        let dropped = publish::dropped(&self.counters.dropped, &status);
        let (alerts, incidents) = self.desk.take_uncommitted();
        let positions = self
            .positions
            .iter()
            .map(|(source, position)| Ok((source.clone(), serde_json::to_vec(position)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let shards = self.parts.engine.rooms().map(|room| &room.shard);
        let checkpoint = Checkpoint {
            sequence: self.sequence,
            positions,
            profiles,
            points: self.points.take(),
            removed_profiles,
            alerts: alerts.iter().map(|alert| alert.as_ref().clone()).collect(),
            incidents: incidents.iter().map(|incident| incident.as_ref().clone()).collect(),
            audit: std::mem::take(&mut self.audit),
            suppressions: self.ruled.then(|| self.rulings.suppressions().cloned().collect()),
            maintenance: self.ruled.then(|| self.rulings.maintenance().to_vec()),
            engine: state::pack_engine(&self.parts.engine.router, shards)?,
            counters: state::pack(&Counters { dropped, paused: self.parts.sources.paused() })?,
        };
        self.committed = self.sequence;
        self.journal_bytes = 0;
        self.rotated = false;
        self.ruled = false;
        let journal = match self.positions.get(JOURNAL) {
            Some(Position::Journal { sequence }) => Some(*sequence),
            _ => None,
        };
        let replies = std::mem::take(&mut self.replies);
        let forgotten = std::mem::take(&mut self.forgotten);
        Ok(Commit { checkpoint, alerts, incidents, journal, forgotten, replies })
    }

    /// Lets new rulings hold for all profiles, in place of those of a kind that is given.
    pub(super) fn rule(
        &mut self,
        suppressions: Option<Vec<Suppression>>,
        maintenance: Option<Vec<Maintenance>>,
    ) {
        let before = &self.rulings;
        let suppressions = suppressions.unwrap_or_else(|| before.suppressions().cloned().collect());
        let maintenance = maintenance.unwrap_or_else(|| before.maintenance().to_vec());
        self.rulings = Arc::new(Rulings::new(suppressions, maintenance, before.reopen_within));
        self.ruled = true;
        for room in self.parts.engine.rooms_mut() {
            room.shard.set_rulings(&self.rulings);
        }
    }

    pub(super) fn upkeep(&mut self) {
        let metrics = self.parts.exporter.metrics();
        observe_process(metrics);
        let journal = self.parts.journal.status();
        metrics.ingest_journal_bytes.set_count(journal.bytes);
        metrics.ingest_journal_refused.raise_to(journal.refused);
        metrics.ingest_journal_damaged_bytes.raise_to(journal.damaged_bytes);
        match self.parts.store.stats() {
            Ok(stats) => {
                metrics.store_bytes.set_count(stats.file_bytes);
                metrics.restore_points.set_count(stats.restore_points);
                metrics.restore_points_dropped.raise_to(stats.restore_points_dropped);
            }
            Err(error) => tracing::warn!("the store cannot be measured: {error}"),
        }
        for key in self.parts.sources.take_gone() {
            self.positions.remove(&key);
        }
        let now = self.parts.engine.router.now();
        if now > 0 && self.parts.keeper.has_room() {
            self.parts.keeper.chore(Chore::Retain(now));
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.count();
        self.publish();
        let last = (self.sequence != self.committed).then(|| self.make_commit()).transpose()?;
        self.parts.keeper.finish(last)?;
        self.parts.log.flush()?;
        Ok(())
    }
}
