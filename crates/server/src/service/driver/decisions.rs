//! Orders about more than one alert: suppressions, maintenance windows, quarantine, profiles.

use hanabi_api::{Carried, Expiry, ProfileOperation, Refused};
use hanabi_detect::{
    Alert, MAX_MAINTENANCE, MAX_SUPPRESSIONS, Maintenance, Suppression, SuppressionScope, Watch,
    stable_id,
};
use hanabi_event::{EventTime, time::format_time};
use serde_json::json;

use super::{
    Driver,
    orders::{Change, conflict, told},
};

impl Driver {
    /// A suppression as asked for, or why there cannot be one.
    pub(super) fn suppression(
        &self,
        scope: SuppressionScope,
        value: &str,
        expiry: Option<Expiry>,
        note: &str,
        change: &Change<'_>,
    ) -> Result<Suppression, Refused> {
        let actor = change.actor;
        let expires = match expiry {
            None => None,
            Some(Expiry::At(time)) => Some(time),
            Some(Expiry::In(length)) => Some(actor.now.saturating_add(length)),
        };
        if expires.is_some_and(|time| time <= actor.now) {
            let reason = format!(
                "a suppression has to end after {}, which is how far event time has come",
                format_time(actor.now)
            );
            return Err(Refused::Conflict { reason });
        }
        let holding = self.rulings.suppressions().filter(|s| s.holds_at(actor.now)).count();
        if holding >= MAX_SUPPRESSIONS {
            let reason = format!(
                "there are {MAX_SUPPRESSIONS} suppressions already: delete some, or switch the \
                 rule off at its source"
            );
            return Err(Refused::Conflict { reason });
        }
        let parts = ["suppression", scope.as_str(), value, &actor.at.to_string()];
        let taken = |id: &str| self.rulings.suppressions().any(|s| s.id == id);
        let mut id = stable_id(&parts);
        while taken(&id) {
            id = stable_id(&[&id]);
        }
        Ok(Suppression {
            id,
            scope,
            value: value.to_owned(),
            created: actor.at,
            by: actor.by.clone(),
            expires,
            note: note.to_owned(),
        })
    }

    /// Lets a suppression hold; answers how many alerts it quietens now.
    pub(super) fn suppress(&mut self, made: &Suppression, change: &Change<'_>) -> u64 {
        if change.dry_run {
            let quiet = |w: &Watch| w.ledger.quietened_by(made).len() as u64;
            return self.parts.engine.watches().map(quiet).sum();
        }
        let mut all: Vec<Suppression> = self.rulings.suppressions().cloned().collect();
        if all.len() >= MAX_SUPPRESSIONS {
            all.retain(|one| one.holds_at(change.actor.now));
        }
        all.push(made.clone());
        self.rule(Some(all), None);
        self.on_all(|watch| watch.ledger.suppress(made, change.actor))
    }

    /// Ends a suppression; answers how many alerts it had quietened. `None` when there is none.
    pub(super) fn unsuppress(&mut self, id: &str, change: &Change<'_>) -> Option<u64> {
        let mut all: Vec<Suppression> = self.rulings.suppressions().cloned().collect();
        let before = all.len();
        all.retain(|one| one.id != id);
        if all.len() == before {
            return None;
        }
        if change.dry_run {
            return Some(self.held_by(id));
        }
        self.rule(Some(all), None);
        Some(self.on_all(|watch| watch.ledger.lift(id, change.actor)))
    }

    /// How many alerts in memory a suppression or promotion has changed.
    pub(super) fn held_by(&self, reference: &str) -> u64 {
        let holds = |alert: &&Alert| {
            alert
                .history
                .iter()
                .any(|a| !a.undone && a.action != "undo" && a.reference == reference)
        };
        let count = |w: &Watch| w.ledger.alerts().filter(holds).count() as u64;
        self.parts.engine.watches().map(count).sum()
    }

    /// Works on every watch; answers how many alerts that has changed.
    pub(super) fn on_all(&mut self, mut work: impl FnMut(&mut Watch) -> usize) -> u64 {
        let mut changed = 0;
        for room in self.parts.engine.rooms_mut() {
            for slot in 0..room.shard.watches().len() {
                let count = work(&mut room.shard.watches_mut()[slot]);
                if count > 0 {
                    self.desk.show(&mut room.shard.watches_mut()[slot]);
                    room.shard.mark(slot as u32);
                    changed += count as u64;
                }
            }
        }
        changed
    }

    /// Adds a maintenance window from a time to a time.
    pub(super) fn maintain(
        &mut self,
        container: &str,
        (start, end): (EventTime, EventTime),
        note: &str,
        change: &Change<'_>,
    ) -> Carried {
        let actor = change.actor;
        let window = Maintenance {
            id: stable_id(&["maintenance", container, &actor.at.to_string()]),
            container: container.to_owned(),
            start,
            end,
            created: actor.at,
            by: actor.by.clone(),
            note: note.to_owned(),
        };
        let over = |one: &Maintenance| one.end <= change.actor.now;
        if over(&window) {
            let reason = format!(
                "a maintenance window has to end after {}, which is how far event time has come",
                format_time(change.actor.now)
            );
            return Err(Refused::Conflict { reason });
        }
        let mut all = self.rulings.maintenance().to_vec();
        if all.len() >= MAX_MAINTENANCE {
            all.retain(|one| !over(one));
        }
        if all.len() >= MAX_MAINTENANCE {
            let reason = format!("there are {MAX_MAINTENANCE} maintenance windows already");
            return Err(Refused::Conflict { reason });
        }
        let answer = json!({ "dry_run": change.dry_run, "maintenance": { "id": window.id,
            "container": window.container, "start": format_time(window.start),
            "end": format_time(window.end), "note": window.note } });
        if !change.dry_run {
            all.push(window);
            self.rule(None, Some(all));
        }
        Ok(answer)
    }

    /// Takes a maintenance window out.
    pub(super) fn end_maintenance(&mut self, id: &str, change: &Change<'_>) -> Carried {
        let mut all = self.rulings.maintenance().to_vec();
        let before = all.len();
        all.retain(|one| one.id != id);
        if all.len() == before {
            return Err(Refused::NotFound { what: "maintenance window", id: id.to_owned() });
        }
        if !change.dry_run {
            self.rule(None, Some(all));
        }
        Ok(json!({ "dry_run": change.dry_run }))
    }

    pub(super) fn place_of(&self, identity: &str) -> Result<(usize, u32), Refused> {
        for (index, room) in self.parts.engine.rooms().enumerate() {
            let is = |w: &Watch| w.profile.identity == identity;
            if let Some(slot) = room.shard.watches().iter().position(is) {
                return Ok((index, slot as u32));
            }
        }
        Err(Refused::NotFound { what: "profile", id: identity.to_owned() })
    }

    /// Accepts or rejects quarantined behaviour.
    pub(super) fn decide(
        &mut self,
        identity: &str,
        item: &str,
        accept: bool,
        change: &Change<'_>,
    ) -> Carried {
        let (room, slot) = self.place_of(identity)?;
        let known = self.parts.engine.rooms().nth(room);
        let known = known.and_then(|r| r.shard.watches().get(slot as usize));
        if known.is_none_or(|watch| !watch.quarantine.contains_key(item)) {
            return Err(Refused::NotFound { what: "quarantined behaviour", id: item.to_owned() });
        }
        if change.dry_run {
            return Ok(json!({ "dry_run": true }));
        }
        let actor = change.actor;
        let id = stable_id(&["accept", item, &actor.at.to_string()]);
        let taught = self.on_watch(room, slot, |watch, settings| {
            if accept {
                watch.accept(item, &id, actor, settings).transpose()
            } else {
                watch.reject(item, actor, settings);
                Ok(None)
            }
        })?;
        let mut answer = told(&taught.unwrap_or_default());
        answer["dry_run"] = false.into();
        Ok(answer)
    }

    /// Undoes a merge of a tree.
    pub(super) fn split(
        &mut self,
        identity: &str,
        node: &[String],
        change: &Change<'_>,
    ) -> Carried {
        let (room, slot) = self.place_of(identity)?;
        let into = if change.dry_run {
            let limits = &self.parts.engine.settings.limits;
            let watches = self.parts.engine.rooms().nth(room).map(|room| room.shard.watches());
            let watch = watches.and_then(|all| all.get(slot as usize));
            // What would become of it is seen on a copy of the tree.
            let split = watch.map(|watch| watch.learned().split(node, limits));
            split.transpose().map_err(conflict)?.unwrap_or_default()
        } else {
            self.on_watch(room, slot, |watch, settings| watch.split(node, &settings.limits))?
        };
        Ok(json!({ "dry_run": change.dry_run, "identity": identity, "members": into.members,
            "nodes": into.nodes }))
    }

    /// Does something to a profile as a whole.
    pub(super) fn operate(
        &mut self,
        identity: &str,
        operation: ProfileOperation,
        change: &Change<'_>,
    ) -> Carried {
        let (room, slot) = self.place_of(identity)?;
        let actor = change.actor;
        if !change.dry_run {
            if operation == ProfileOperation::Delete {
                // Its alerts are shown and stored closed before they go from memory.
                self.on_watch(room, slot, |watch, _| {
                    watch.ledger.close(actor, "its profile was deleted");
                    Ok(())
                })?;
                self.forgotten.push(identity.to_owned());
                self.points.forget(identity);
            }
            self.on_watch(room, slot, |watch, settings| {
                match operation {
                    ProfileOperation::Relearn => watch.relearn(actor, settings),
                    ProfileOperation::Freeze => watch.freeze(settings),
                    ProfileOperation::Unfreeze => watch.unfreeze()?,
                    ProfileOperation::Delete => watch.forget(actor, settings),
                }
                Ok(())
            })?;
        }
        let now = self.parts.engine.rooms().nth(room);
        let phase = now
            .and_then(|r| r.shard.watches().get(slot as usize))
            .map_or("", |watch| watch.profile.phase.as_str());
        Ok(json!({ "dry_run": change.dry_run, "identity": identity, "phase": phase }))
    }
}
