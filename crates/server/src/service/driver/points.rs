//! Restore points: profiles kept as they were, and going back to them.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_api::{Carried, Refused, RollbackTo};
use hanabi_detect::Watch;
use hanabi_event::{EventTime, SECOND, time::format_time};
use hanabi_profile::{TreeDiff, TreeNode};
use hanabi_store::{NewPoint, PointInfo, PointReason, Store};
use serde_json::json;

use super::{super::state, Driver, orders::Change};

/// A profile that changes has a restore point at least this often, in event time.
const POINT_EVERY: EventTime = 86_400 * SECOND;
/// Daily points of one checkpoint: each is a whole profile to pack, and the others are as well taken
/// five seconds later. Points with another reason are not bounded: they do not come in crowds.
const DAILY_AT_ONCE: usize = 4;
/// Differences of each sort in an answer: what a person reads.
const DIFFERENCES: usize = 100;

/// Which profiles have restore points, and which are to get one.
#[derive(Default)]
pub(super) struct Points {
    /// The newest point of each profile, stored or about to be.
    newest: BTreeMap<String, EventTime>,
    /// The newest image that each profile had seen at the last look.
    revisions: BTreeMap<String, String>,
    /// Profiles whose learning has ended.
    learned: BTreeSet<String>,
    /// To be stored with the next checkpoint.
    waiting: Vec<NewPoint>,
}

impl Points {
    /// What a start begins with.
    pub(super) fn new<'a>(store: &Store, watches: impl Iterator<Item = &'a Watch>) -> Self {
        let newest = store.newest_restore_points().unwrap_or_else(|error| {
            tracing::error!("the restore points cannot be listed: {error}");
            Vec::new()
        });
        let revisions = watches
            .map(|watch| (watch.profile.identity.clone(), last_revision(watch).to_owned()))
            .collect();
        Self { newest: newest.into_iter().collect(), revisions, ..Self::default() }
    }

    /// The learning of a profile has ended: as it is now it is worth keeping.
    pub(super) fn has_learned(&mut self, identity: &str) {
        self.learned.insert(identity.to_owned());
    }

    /// Looks at a profile that changed, before it is stored: the store still has it as it was.
    pub(super) fn look(
        &mut self,
        watch: &Watch,
        store: &Store,
        now: EventTime,
    ) -> anyhow::Result<()> {
        let identity = &watch.profile.identity;
        let revision = last_revision(watch);
        let before = self.revisions.insert(identity.clone(), revision.to_owned());
        if before.is_some_and(|before| !before.is_empty() && before != revision)
            && let Some(stored) = store.profile(identity)?
        {
            let earlier: Watch = state::unpack(&stored)?;
            self.keep(&earlier, PointReason::Revision, earlier.profile.last_seen)?;
        }
        // A checkpoint can see that learning has ended before the next look at the phases does.
        let first = watch.profile.phase.detects() && !self.newest.contains_key(identity);
        if self.learned.remove(identity) || first {
            return self.keep(watch, PointReason::Learned, now).map(drop);
        }
        let age = now.saturating_sub(self.newest.get(identity).copied().unwrap_or(0));
        let waiting = self.waiting.iter().filter(|p| p.info.reason == PointReason::Daily).count();
        if watch.profile.phase.detects() && age >= POINT_EVERY && waiting < DAILY_AT_ONCE {
            self.keep(watch, PointReason::Daily, now)?;
        }
        Ok(())
    }

    /// Keeps a profile for the next checkpoint; answers the time by which it is found.
    fn keep(
        &mut self,
        watch: &Watch,
        reason: PointReason,
        time: EventTime,
    ) -> anyhow::Result<EventTime> {
        let identity = &watch.profile.identity;
        // Event time can stand still between two of them.
        let newest = self.newest.get(identity).copied().unwrap_or(0);
        let time = time.max(newest.saturating_add(1));
        let info = PointInfo {
            time,
            reason,
            phase: watch.profile.phase.as_str().to_owned(),
            revision: last_revision(watch).to_owned(),
            nodes: watch.profile.tree.len() as u64,
            events: watch.profile.events,
            bytes: 0,
        };
        let profile = state::pack(&watch.learned())?;
        self.newest.insert(identity.clone(), time);
        self.waiting.push(NewPoint { identity: identity.clone(), info, profile });
        Ok(time)
    }

    /// What goes with the next checkpoint.
    pub(super) fn take(&mut self) -> Vec<NewPoint> {
        std::mem::take(&mut self.waiting)
    }

    /// Forgets profiles that are not there any more.
    pub(super) fn retain(&mut self, named: &BTreeSet<String>) {
        self.newest.retain(|identity, _| named.contains(identity));
        self.revisions.retain(|identity, _| named.contains(identity));
    }

    /// A deleted profile has no history.
    pub(super) fn forget(&mut self, identity: &str) {
        self.newest.remove(identity);
        self.waiting.retain(|point| point.identity != identity);
    }

    /// The newest point that an order means, with the profile in it.
    fn find(
        &self,
        store: &Store,
        identity: &str,
        to: &RollbackTo,
    ) -> anyhow::Result<Option<(PointInfo, Watch)>> {
        let is_meant = |info: &PointInfo| match to {
            RollbackTo::Time(time) => info.time <= *time,
            RollbackTo::Revision(revision) => info.revision == *revision,
        };
        // Those that wait for a checkpoint are newer than all that are stored.
        let waiting = self.waiting.iter().rev();
        let mut waiting = waiting.filter(|p| p.identity == identity && is_meant(&p.info));
        if let Some(point) = waiting.next() {
            return Ok(Some((point.info.clone(), state::unpack(&point.profile)?)));
        }
        let Some(info) = store.restore_points(identity)?.into_iter().find(is_meant) else {
            return Ok(None);
        };
        let profile = store.restore_point(identity, info.time)?;
        profile.map(|profile| Ok((info, state::unpack(&profile)?))).transpose()
    }
}

impl Driver {
    /// Goes back to a restore point. The profile as it was before is one, too, so that going
    /// forward again is the same order.
    pub(super) fn roll_back(
        &mut self,
        identity: &str,
        to: &RollbackTo,
        change: &Change<'_>,
    ) -> Carried {
        let (room, slot) = self.place_of(identity)?;
        let failed = |error: anyhow::Error| Refused::Failed { context: format!("{error:#}") };
        let found = self.points.find(&self.parts.store, identity, to).map_err(failed)?;
        let (point, earlier) = found.ok_or_else(|| Refused::Conflict { reason: none(to) })?;
        let watch = self.parts.engine.rooms().nth(room);
        let watch = watch.and_then(|room| room.shard.watches().get(slot as usize));
        let Some(watch) = watch else { return Err(failed(anyhow::anyhow!("a lost place"))) };
        let before = watch.profile.snapshot();
        let mut undo = None;
        let (after, phase) = if change.dry_run {
            let mut copy = watch.learned();
            copy.roll_back(earlier, &self.parts.engine.settings);
            (copy.profile.snapshot(), copy.profile.phase)
        } else {
            let kept = self.points.keep(watch, PointReason::Rollback, change.actor.now);
            undo = Some(kept.map_err(failed)?);
            self.on_watch(room, slot, |watch, settings| {
                watch.roll_back(earlier, settings);
                Ok((watch.profile.snapshot(), watch.profile.phase))
            })?
        };
        if !change.dry_run {
            // Its next image is news only if the profile does not know it.
            self.points.revisions.insert(identity.to_owned(), point.revision.clone());
            self.snapshots.insert(identity.to_owned());
        }
        let diff = TreeDiff::of(&before, &after, DIFFERENCES);
        Ok(json!({
            "dry_run": change.dry_run,
            "identity": identity,
            "phase": phase.as_str(),
            "to": format_time(point.time),
            "reason": point.reason,
            "revision": point.revision,
            "nodes_before": nodes(&before),
            "nodes_after": nodes(&after),
            "brought_back": diff.added,
            "given_up": diff.removed,
            "left_out": diff.left_out,
            "undo": undo.map(format_time),
        }))
    }
}

fn nodes(tree: &TreeNode) -> u64 {
    1 + tree.children.values().map(nodes).sum::<u64>()
}

fn last_revision(watch: &Watch) -> &str {
    watch.profile.revisions.last().map_or("", String::as_str)
}

/// Why there is nothing to go back to.
fn none(to: &RollbackTo) -> String {
    let which = match to {
        RollbackTo::Time(time) => format!("of {} or before", format_time(*time)),
        RollbackTo::Revision(revision) => format!("of the revision `{revision}`"),
    };
    format!("the profile has no restore point {which}: /api/hbt/{{id}}/history lists those it has")
}
