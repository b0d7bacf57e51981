//! Orders of people, carried out between two steps. The answer goes out when the checkpoint that
//! holds what was done is durable.

use std::sync::Arc;

use hanabi_api::{Action, Carried, Command, Expiry, Order, Refused};
use hanabi_detect::{
    Alert, Settings, Suppression, SuppressionScope, Taught, Watch, stable_id,
    triage::{self, Actor, Refusal, Undone},
};
use hanabi_event::{EventTime, time::format_time};
use hanabi_store::AuditEntry;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{super::now, Driver};

/// Entries for the audit log that wait for a checkpoint; past it refusals are not noted down, which
/// only somebody who is refused without end can bring about.
const AUDIT_WAITING: usize = 10_000;

/// Where an alert is.
enum Place {
    /// In the ledger of a watch: room, slot, fingerprint.
    Memory(usize, u32, String),
    /// In the store alone.
    Store(Box<Alert>),
}

/// Which alerts a change means, and who makes it.
pub(super) struct Change<'a> {
    pub(super) actor: &'a Actor,
    pub(super) dry_run: bool,
}

impl Driver {
    pub(super) fn order(&mut self, order: &Order, reply: oneshot::Sender<Carried>) {
        let now_event = self.parts.engine.router.now();
        let actor = Actor { by: order.by.clone(), at: now(), now: now_event };
        let change = Change { actor: &actor, dry_run: order.dry_run };
        let carried = self.carry_out(&order.command, &change);
        if order.dry_run {
            // Nobody waits any more when the request has timed out.
            drop(reply.send(carried));
            return;
        }
        if self.audit.len() < AUDIT_WAITING || carried.is_ok() {
            self.audit.push(entry(order, &actor, &carried));
        }
        self.sequence += 1;
        match carried {
            Ok(_) => self.replies.push((reply, carried)),
            Err(_) => drop(reply.send(carried)),
        }
    }

    fn carry_out(&mut self, command: &Command, change: &Change<'_>) -> Carried {
        match command {
            Command::Alert { id, action } => self.alert(id, action, change),
            Command::Bulk { ids, action } => Ok(self.bulk(ids, action, change)),
            Command::Suppress { scope, value, expiry, note } => {
                let made = self.suppression(*scope, value, *expiry, note, change)?;
                let alerts = self.suppress(&made, change);
                Ok(json!({ "dry_run": change.dry_run, "alerts": alerts,
                    "suppression": brief(&made) }))
            }
            Command::Unsuppress { id } => {
                let alerts = self
                    .unsuppress(id, change)
                    .ok_or_else(|| Refused::NotFound { what: "suppression", id: id.clone() })?;
                Ok(json!({ "dry_run": change.dry_run, "alerts": alerts }))
            }
            Command::Maintain { container, start, end, note } => {
                self.maintain(container, (*start, *end), note, change)
            }
            Command::EndMaintenance { id } => self.end_maintenance(id, change),
            Command::Quarantine { identity, item, accept } => {
                self.decide(identity, item, *accept, change)
            }
            Command::Split { identity, node } => self.split(identity, node, change),
            Command::Profile { identity, operation } => self.operate(identity, *operation, change),
            Command::Rollback { identity, to } => self.roll_back(identity, to, change),
            Command::Source { id, operation } => {
                let (state, detail) = self.parts.sources.operate(id, *operation, change.dry_run)?;
                Ok(json!({ "dry_run": change.dry_run,
                    "source": { "id": id, "state": state, "detail": detail } }))
            }
        }
    }

    fn bulk(&mut self, ids: &[String], action: &Action, change: &Change<'_>) -> Value {
        let (mut done, mut alerts, mut refused) = (0u64, 0, Vec::new());
        for id in ids {
            match self.alert(id, action, change) {
                Ok(answer) => {
                    done += 1;
                    alerts += answer["alerts"].as_u64().unwrap_or(0);
                }
                Err(error) => refused.push(json!({ "id": id, "reason": error.to_string() })),
            }
        }
        json!({ "dry_run": change.dry_run, "done": done, "alerts": alerts, "refused": refused })
    }

    /// An action on one alert; `alerts` in the answer are those it changes, itself included.
    fn alert(&mut self, id: &str, action: &Action, change: &Change<'_>) -> Carried {
        let place = self.find(id)?;
        let mut answer = match action {
            Action::Act(act) => {
                self.change_alert(&place, change, |alert, actor| act.apply(alert, actor))?;
                json!({ "alerts": 1 })
            }
            Action::Suppress { scope, expiry, note } => {
                self.suppress_alert(&place, (*scope, *expiry, note), change)?
            }
            Action::Promote { wide } => self.promote(&place, *wide, change)?,
            Action::Undo => self.undo(&place, change)?,
        };
        answer["dry_run"] = change.dry_run.into();
        answer["alert"] = json!(self.shown(&place));
        Ok(answer)
    }

    fn find(&self, id: &str) -> Result<Place, Refused> {
        for (room, found) in self.parts.engine.rooms().enumerate() {
            for (slot, watch) in found.shard.watches().iter().enumerate() {
                if let Some(fingerprint) = watch.ledger.fingerprint_of(id) {
                    return Ok(Place::Memory(room, slot as u32, fingerprint.to_owned()));
                }
            }
        }
        if let Some(alert) = self.parts.live.changed_alert(id) {
            return Ok(Place::Store(Box::new(alert.as_ref().clone())));
        }
        match self.parts.store.alert(id) {
            Ok(Some(alert)) => Ok(Place::Store(Box::new(alert))),
            Ok(None) => Err(Refused::NotFound { what: "alert", id: id.to_owned() }),
            Err(error) => Err(Refused::Failed { context: error.to_string() }),
        }
    }

    /// The alert as it is now.
    fn shown(&self, place: &Place) -> Option<Alert> {
        match place {
            Place::Memory(room, slot, fingerprint) => {
                let room = self.parts.engine.rooms().nth(*room)?;
                room.shard.watches().get(*slot as usize)?.ledger.get(fingerprint).cloned()
            }
            Place::Store(alert) => {
                let changed = self.parts.live.changed_alert(&alert.id);
                Some(changed.map_or_else(|| alert.as_ref().clone(), |a| a.as_ref().clone()))
            }
        }
    }

    fn change_alert(
        &mut self,
        place: &Place,
        change: &Change<'_>,
        apply: impl FnOnce(&mut Alert, &Actor) -> Result<(), Refusal>,
    ) -> Result<(), Refused> {
        let Some(mut alert) = self.shown(place) else { return Ok(()) };
        if change.dry_run {
            return apply(&mut alert, change.actor).map_err(conflict);
        }
        match place {
            Place::Memory(room, slot, fingerprint) => self.on_watch(*room, *slot, |watch, _| {
                watch.ledger.change(fingerprint, change.actor, apply)
            }),
            Place::Store(_) => {
                apply(&mut alert, change.actor).map_err(conflict)?;
                self.desk.put(vec![alert.into()], Vec::new());
                Ok(())
            }
        }
    }

    /// Works on a watch, marks it as changed, and shows what became of its alerts.
    pub(super) fn on_watch<T>(
        &mut self,
        room: usize,
        slot: u32,
        work: impl FnOnce(&mut Watch, &Settings) -> Result<T, Refusal>,
    ) -> Result<T, Refused> {
        let settings = Arc::clone(&self.parts.engine.settings);
        let gone = || Refused::Failed { context: "a profile has lost its place".to_owned() };
        let room = self.parts.engine.room_mut(room).ok_or_else(gone)?;
        let watch = room.shard.watches_mut().get_mut(slot as usize).ok_or_else(gone)?;
        let done = work(watch, &settings).map_err(conflict)?;
        self.desk.show(watch);
        room.shard.mark(slot);
        Ok(done)
    }

    fn suppress_alert(
        &mut self,
        place: &Place,
        (scope, expiry, note): (SuppressionScope, Option<Expiry>, &str),
        change: &Change<'_>,
    ) -> Carried {
        let Some(alert) = self.shown(place) else { return Ok(json!({ "alerts": 0 })) };
        let container = &alert.container;
        let value = match scope {
            SuppressionScope::Fingerprint => &alert.fingerprint,
            SuppressionScope::Rule => &alert.rule,
            SuppressionScope::Container if container.name.is_empty() => &container.id,
            SuppressionScope::Container => &container.name,
            SuppressionScope::Identity => &alert.identity,
        };
        let made = self.suppression(scope, value, expiry, note, change)?;
        let mut alerts = self.suppress(&made, change);
        let told = |a: &Alert| a.history.last().is_some_and(|h| h.reference == made.id);
        if !change.dry_run && !self.shown(place).is_some_and(|alert| told(&alert)) {
            // It is closed, or only in the store: what was decided belongs to its history.
            self.change_alert(place, change, |alert, actor| {
                alerts += u64::from(triage::note_suppression(alert, &made, actor));
                Ok(())
            })?;
        }
        Ok(json!({ "alerts": alerts, "suppression": brief(&made) }))
    }

    fn promote(&mut self, place: &Place, wide: bool, change: &Change<'_>) -> Carried {
        let Place::Memory(room, slot, fingerprint) = place else {
            let reason = "what this alert saw is not in memory any more: wait for it to come \
                          again, or suppress it";
            return Err(Refused::Conflict { reason: reason.to_owned() });
        };
        let actor = change.actor;
        let taught = if change.dry_run {
            let rooms = self.parts.engine.rooms().nth(*room);
            let watch = rooms.and_then(|room| room.shard.watches().get(*slot as usize));
            let settings = &self.parts.engine.settings;
            let preview =
                watch.map(|watch| watch.preview_promotion(fingerprint, wide, actor, settings));
            preview.transpose().map_err(conflict)?.unwrap_or_default()
        } else {
            let id = stable_id(&["promotion", fingerprint, &actor.at.to_string()]);
            self.on_watch(*room, *slot, |watch, settings| {
                watch.promote(fingerprint, &id, wide, actor, settings)
            })?
        };
        Ok(told(&taught))
    }

    fn undo(&mut self, place: &Place, change: &Change<'_>) -> Carried {
        let Some(mut alert) = self.shown(place) else { return Ok(json!({ "alerts": 0 })) };
        let (undone, action) = {
            let undone = triage::undo(&mut alert, change.actor).map_err(conflict)?;
            let action = alert.history.last().map(|a| a.text.clone()).unwrap_or_default();
            (undone, action)
        };
        if change.dry_run {
            let alerts = match &undone {
                Undone::Alert => 1,
                Undone::Suppression(id) | Undone::Promotion(id) => self.held_by(id).max(1),
            };
            return Ok(json!({ "alerts": alerts, "undone": action }));
        }
        match place {
            Place::Memory(room, slot, fingerprint) => {
                self.on_watch(*room, *slot, |watch, _| {
                    watch.ledger.undo(fingerprint, change.actor)
                })?;
            }
            Place::Store(_) => {
                if let Undone::Suppression(id) | Undone::Promotion(id) = &undone {
                    triage::lift(&mut alert, id);
                }
                self.desk.put(vec![alert.into()], Vec::new());
            }
        }
        let alerts = match (&undone, place) {
            (Undone::Alert, _) | (Undone::Promotion(_), Place::Store(_)) => 1,
            (Undone::Suppression(id), _) => {
                let lifted = self.unsuppress(id, change);
                lifted.unwrap_or_else(|| self.on_all(|w| w.ledger.lift(id, change.actor))).max(1)
            }
            (Undone::Promotion(id), Place::Memory(room, slot, _)) => {
                self.on_watch(*room, *slot, |watch, settings| {
                    Ok(watch
                        .demote(id, change.actor, settings)
                        .unwrap_or_else(|| watch.ledger.lift(id, change.actor)))
                })? as u64
            }
        };
        Ok(json!({ "alerts": alerts, "undone": action }))
    }
}

/// A refusal as the API has it.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(super) fn conflict(refusal: Refusal) -> Refused {
    Refused::Conflict { reason: refusal.to_string() }
}

pub(super) fn told(taught: &Taught) -> Value {
    json!({
        "alerts": taught.alerts.len(),
        "nodes": taught.nodes,
        "accepts": taught.accepts,
        "lets_through": taught.lets_through,
        "lets_through_total": taught.lets_through_total,
    })
}

pub(super) fn brief(made: &Suppression) -> Value {
    let expires: Option<String> = made.expires.map(|time: EventTime| format_time(time));
    json!({ "id": made.id, "scope": made.scope, "value": made.value, "expires": expires,
        "note": made.note })
}

/// What the audit log says of an order.
fn entry(order: &Order, actor: &Actor, carried: &Carried) -> AuditEntry {
    let (action, object) = match &order.command {
        Command::Alert { id, action } => (format!("alert.{}", action.as_str()), id.clone()),
        Command::Bulk { ids, action } => {
            (format!("alert.{}", action.as_str()), format!("{} alerts", ids.len()))
        }
        Command::Suppress { scope, value, .. } => {
            ("suppression.add".to_owned(), format!("{} {value}", scope.as_str()))
        }
        Command::Unsuppress { id } => ("suppression.delete".to_owned(), id.clone()),
        Command::Maintain { container, .. } => ("maintenance.add".to_owned(), container.clone()),
        Command::EndMaintenance { id } => ("maintenance.delete".to_owned(), id.clone()),
        Command::Quarantine { identity, accept, .. } => {
            let word = if *accept { "accept" } else { "reject" };
            (format!("quarantine.{word}"), identity.clone())
        }
        Command::Split { identity, .. } => ("profile.split".to_owned(), identity.clone()),
        Command::Profile { identity, operation } => {
            (format!("profile.{}", operation.as_str()), identity.clone())
        }
        Command::Rollback { identity, .. } => ("profile.rollback".to_owned(), identity.clone()),
        Command::Source { id, operation } => (format!("source.{}", operation.as_str()), id.clone()),
    };
    let (outcome, mut detail) = match carried {
        Ok(answer) => ("ok", answer.clone()),
        Err(Refused::Failed { context }) => ("failed", json!({ "reason": context })),
        Err(refused) => ("refused", json!({ "reason": refused.to_string() })),
    };
    if let Some(detail) = detail.as_object_mut() {
        // The alert itself is in the store, and the paths are in the profile.
        for field in ["alert", "dry_run", "lets_through", "brought_back", "given_up", "left_out"] {
            detail.remove(field);
        }
        match &order.command {
            Command::Bulk { ids, .. } => detail.insert("ids".into(), json!(ids)),
            Command::Quarantine { item, .. } => detail.insert("item".into(), json!(item)),
            Command::Split { node, .. } => detail.insert("node".into(), json!(node)),
            _ => None,
        };
    }
    AuditEntry {
        at: actor.at,
        by: actor.by.clone(),
        action,
        object,
        outcome: outcome.to_owned(),
        address: order.address.clone(),
        request: order.request.clone(),
        detail,
        ..AuditEntry::default()
    }
}
