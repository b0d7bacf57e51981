//! What people teach a profile: promotions, what waits in quarantine, and the profile as a whole.

use hanabi_profile::{Found, Lesson, Phase, Profile, Promotion};

use crate::{
    AlertState, Kind, Quarantined, Settings, Watch,
    judge::{self, Case},
    ledger::Ledger,
    triage::{Actor, Refusal},
    watch::MAX_QUARANTINE,
};

/// Lines of a preview: what a person reads.
pub const PREVIEW_LINES: usize = 100;

/// What a promotion comes to, before or after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taught {
    /// The alerts that it covers, by fingerprint.
    pub alerts: Vec<String>,
    /// Nodes and ways of access that the tree did not have.
    pub nodes: usize,
    /// Behaviours that it lets through, the first [`PREVIEW_LINES`] of them.
    pub lets_through: Vec<String>,
    /// How many there are.
    pub lets_through_total: usize,
    /// Dangerous behaviours that it accepts as the container's own work.
    pub accepts: usize,
}

/// What is to be taught.
#[derive(Clone, Debug, Default)]
struct Material {
    lessons: Vec<Lesson>,
    keys: Vec<String>,
    /// The alert's own words for its keys, for the quarantine's list.
    rule: String,
    what: String,
}

impl Watch {
    /// Keeps what an event of an alert would teach. `key` is what tells a dangerous behaviour.
    pub(crate) fn keep_lesson(&mut self, fingerprint: &str, case: &Case<'_>, key: Option<&str>) {
        let behaviour = &case.behaviour;
        let object = judge::raw_object(case);
        let parts =
            [case.program, case.event.process.executable, behaviour.call, &object, case.user];
        let hash = crate::instance::stable_hash(&parts.join("\u{1f}"))
            ^ u64::from(behaviour.access.bits());
        self.ledger.record(fingerprint, hash, key, || lesson(case));
    }

    /// What promoting an alert would come to. Changes nothing.
    pub fn preview_promotion(
        &self,
        fingerprint: &str,
        wide: bool,
        actor: &Actor,
        settings: &Settings,
    ) -> Result<Taught, Refusal> {
        let material = self.material(fingerprint, wide)?;
        let mut copy = self.learned();
        let nodes = copy.put_in("", &material, actor, settings)?;
        Ok(self.taught(&mut copy, &material, nodes, fingerprint))
    }

    /// Puts an alert's behaviour into the profile, under `id`; what it covers becomes promoted.
    pub fn promote(
        &mut self,
        fingerprint: &str,
        id: &str,
        wide: bool,
        actor: &Actor,
        settings: &Settings,
    ) -> Result<Taught, Refusal> {
        let material = self.material(fingerprint, wide)?;
        self.teach(id, &material, fingerprint, actor, settings)
    }

    fn teach(
        &mut self,
        id: &str,
        material: &Material,
        fingerprint: &str,
        actor: &Actor,
        settings: &Settings,
    ) -> Result<Taught, Refusal> {
        let mut copy = self.learned();
        let nodes = copy.put_in(id, material, actor, settings)?;
        let taught = self.taught(&mut copy, material, nodes, fingerprint);
        (self.profile, self.quarantine) = (copy.profile, copy.quarantine);
        let text = format!("{} behaviours", taught.lets_through_total);
        for covered in &taught.alerts {
            self.ledger.turn_to(covered, AlertState::Promoted, "promote", id, &text, actor);
        }
        Ok(taught)
    }

    /// Takes a promotion back; answers how many alerts it had covered. `None` when there is none.
    pub fn demote(&mut self, id: &str, actor: &Actor, settings: &Settings) -> Option<usize> {
        let gone = self.profile.demote(id, &settings.limits)?;
        for key in &gone.accepted {
            let held = self.profile.promotions().iter().any(|p| p.accepted.contains(key));
            let Some(item) = self.quarantine.get_mut(key).filter(|i| !held && !i.by.is_empty())
            else {
                continue;
            };
            item.accepted = false;
            item.by.clear();
            if item.slots == 0 {
                self.quarantine.remove(key);
            }
        }
        Some(self.ledger.lift(id, actor))
    }

    fn material(&self, fingerprint: &str, wide: bool) -> Result<Material, Refusal> {
        let alert = self.ledger.get(fingerprint);
        match alert.map(|alert| (alert.state, alert.kind)) {
            Some((AlertState::Promoted, _)) => {
                return Err(Refusal::State {
                    state: AlertState::Promoted,
                    done: "promoted",
                    remedy: "it is already",
                });
            }
            Some((_, Kind::Rule)) => {
                return Err(Refusal::NotPromotable(
                    "a match of a Falco rule has no place in the profile: suppress it, or change \
                     the rule",
                ));
            }
            Some((_, Kind::Silence)) => {
                return Err(Refusal::NotPromotable(
                    "silence has no place in the profile: suppress it",
                ));
            }
            _ => {}
        }
        let records = self.ledger.records(fingerprint).filter(|records| !records.is_empty());
        let Some(records) = records else {
            return Err(Refusal::NotPromotable(
                "what this alert saw is not known any more: wait for it to come again, or \
                 suppress it",
            ));
        };
        // What is dangerous is let through to the letter only.
        let widen = |(lesson, danger): &(Lesson, Option<String>)| match danger {
            None if wide => lesson.generalised(),
            _ => lesson.clone(),
        };
        Ok(Material {
            lessons: records.lessons.iter().map(widen).collect(),
            keys: records.keys.iter().cloned().collect(),
            rule: alert
                .map(|a| a.rule.trim_start_matches("danger.").to_owned())
                .unwrap_or_default(),
            what: alert.map(|a| a.path.raw.clone()).unwrap_or_default(),
        })
    }

    fn put_in(
        &mut self,
        id: &str,
        material: &Material,
        actor: &Actor,
        settings: &Settings,
    ) -> Result<usize, Refusal> {
        let fresh = material.keys.iter().filter(|key| !self.quarantine.contains_key(*key)).count();
        if self.quarantine.len() + fresh > MAX_QUARANTINE {
            return Err(Refusal::QuarantineFull);
        }
        let lessons = material.lessons.clone();
        let mut promotion = Promotion::new(id.to_owned(), actor.at, actor.by.clone(), lessons);
        promotion.accepted.clone_from(&material.keys);
        let nodes = self.profile.promote(promotion, &settings.limits, actor.now)?;
        for key in &material.keys {
            let item = self.quarantine.entry(key.clone()).or_insert_with(|| Quarantined {
                rule: material.rule.clone(),
                what: material.what.clone(),
                last_slot: u64::MAX,
                ..Quarantined::default()
            });
            item.rejected = false;
            if !item.accepted {
                item.accepted = true;
                item.by.clone_from(&actor.by);
            }
        }
        Ok(nodes)
    }

    /// What `copy`, which has learned the material, knows of this one's alerts and this one does
    /// not.
    fn taught(
        &self,
        copy: &mut Self,
        material: &Material,
        nodes: usize,
        fingerprint: &str,
    ) -> Taught {
        let mut before = self.learned();
        let alerts = self
            .ledger
            .alerts()
            .filter(|alert| {
                alert.fingerprint == fingerprint
                    || (matches!(
                        alert.state,
                        AlertState::Open | AlertState::Acknowledged | AlertState::Suppressed
                    ) && !before.covers(&self.ledger, &alert.fingerprint)
                        && copy.covers(&self.ledger, &alert.fingerprint))
            })
            .map(|alert| alert.fingerprint.clone())
            .collect();
        let mut lines: Vec<String> = material.lessons.iter().flat_map(Lesson::words).collect();
        lines.sort();
        lines.dedup();
        let total = lines.len();
        lines.truncate(PREVIEW_LINES);
        let accepts = material.keys.len();
        Taught { alerts, nodes, lets_through: lines, lets_through_total: total, accepts }
    }

    /// True when everything that an alert of `ledger` has seen would fit now.
    fn covers(&mut self, ledger: &Ledger, fingerprint: &str) -> bool {
        let Some(records) = ledger.records(fingerprint).filter(|r| !r.is_empty()) else {
            return false;
        };
        let accepted = |key: &String| self.quarantine.get(key).is_some_and(|item| item.accepted);
        records.keys.iter().all(accepted)
            && records.lessons.iter().all(|(lesson, _)| is_known(&mut self.profile, lesson))
    }

    /// Takes a quarantined behaviour as the container's own work, under `id`; `None` when there is
    /// none of this key.
    pub fn accept(
        &mut self,
        key: &str,
        id: &str,
        actor: &Actor,
        settings: &Settings,
    ) -> Option<Result<Taught, Refusal>> {
        let item = self.quarantine.get(key)?.clone();
        let of_it = |lesson: &(Lesson, Option<String>)| lesson.1.as_deref() == Some(key);
        let records = self.ledger.records(&item.alert);
        let lessons = records.map(|records| {
            records.lessons.iter().filter(|l| of_it(l)).map(|l| l.0.clone()).collect()
        });
        let material = Material {
            lessons: lessons.unwrap_or_default(),
            keys: vec![key.to_owned()],
            rule: item.rule,
            what: item.what,
        };
        // Its alert may be about more than this, so it is covered only if all of it is.
        Some(self.teach(id, &material, "", actor, settings))
    }

    /// Keeps a quarantined behaviour from ever being taken as the container's own work; false when
    /// there is none of this key.
    pub fn reject(&mut self, key: &str, actor: &Actor, settings: &Settings) -> bool {
        if !self.quarantine.contains_key(key) {
            return false;
        }
        let holding: Vec<String> = self
            .profile
            .promotions()
            .iter()
            .filter(|promotion| promotion.accepted.iter().any(|accepted| accepted == key))
            .map(|promotion| promotion.id.clone())
            .collect();
        for id in holding {
            self.demote(&id, actor, settings);
        }
        let item = self.quarantine.entry(key.to_owned()).or_default();
        item.accepted = false;
        item.rejected = true;
        item.by.clone_from(&actor.by);
        true
    }

    /// Learns anew from `now` on. What people have decided stays: promotions, and what they have
    /// accepted and rejected.
    pub fn relearn(&mut self, actor: &Actor, settings: &Settings) {
        self.profile.begin_anew(actor.now, &settings.learn, &settings.limits);
        self.quarantine.retain(|_, item| !item.by.is_empty());
    }

    /// Detects from now on and never changes.
    pub fn freeze(&mut self, settings: &Settings) {
        self.profile.detect_now(&settings.limits);
        self.profile.phase = Phase::Frozen;
    }

    /// Goes on as a profile that has learned.
    pub fn unfreeze(&mut self) -> Result<(), Refusal> {
        if self.profile.phase != Phase::Frozen {
            return Err(Refusal::NotFrozen);
        }
        self.profile.phase = Phase::Detecting;
        Ok(())
    }

    /// Forgets everything: what was learned, who was seen, and what was decided. Its alerts are to
    /// be closed and taken before.
    pub fn forget(&mut self, actor: &Actor, settings: &Settings) {
        let fresh = Self::new(&self.profile.identity, actor.now, settings);
        let old = std::mem::replace(self, fresh);
        self.ledger.set_rulings(old.ledger.rulings());
    }

    /// True when nothing is known of it: it was forgotten, and nothing has come since.
    pub fn is_blank(&self) -> bool {
        self.profile.events == 0 && self.instances.is_empty() && self.ledger.alerts().count() == 0
    }
}

/// What a case would teach; `None` where its texts are too long, or it says nothing.
fn lesson(case: &Case<'_>) -> Option<Lesson> {
    let mut paths = Vec::new();
    if !case.behaviour.follows {
        judge::paths(case, &mut paths);
    }
    if paths.is_empty() && judge::is_common(case.behaviour.call) {
        return None;
    }
    Lesson::new(&case.key(), &case.hit(), &paths)
}

/// True when a profile knows everything of a lesson to the letter.
fn is_known(profile: &mut Profile, lesson: &Lesson) -> bool {
    let Some(program) = profile.program(&lesson.program()) else { return false };
    let paths = lesson.paths();
    if paths.is_empty() {
        let (category, call) = lesson.call();
        return profile.knows_call(program, category, call);
    }
    paths.iter().all(|steps| match profile.find(program, steps) {
        Found::Known(leaf) => {
            judge::covered_by(profile.tree.node(leaf).access).contains(lesson.access())
        }
        Found::Missing { .. } => false,
    })
}
