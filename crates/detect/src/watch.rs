//! One identity under watch: its profile, its containers, its alerts.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_event::{Category, Direction, Event, EventTime, IgnoreReason};
use hanabi_profile::{
    NodeId, Profile,
    access::Access,
    arguments,
    behaviour::{self, Behaviour, Flow, Object, Steps},
};
use serde::{Deserialize, Serialize};

use crate::{
    Effort, accounts,
    instance::Instance,
    judge::{self, Case},
    ledger::{Finding, Ledger, Place},
    processes, queries,
    router::UNNAMED,
    settings::Settings,
    storms::Storms,
    text,
};

/// Containers of one identity that are kept apart; the one seen longest ago goes first.
pub const MAX_INSTANCES: usize = 256;
/// Dangerous behaviours waiting for a person; past it further ones raise alerts and are not listed.
pub const MAX_QUARANTINE: usize = 500;
/// Dangerous behaviour that recurs in so many separate seconds of learning is the container's own.
pub(crate) const OWN_WORK_SLOTS: u32 = 3;

/// The result of a call whose end was not seen: `ETIMEDOUT`, which it is most often.
const NO_END: i64 = -110;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It went into the model.
    Modelled,
    /// It did not, for a reason.
    Ignored(IgnoreReason),
    /// It waits for another rule's report of the same kernel event.
    Held,
}

/// Dangerous behaviour seen while learning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The danger rule.
    pub rule: String,
    /// Program and command line or object.
    pub what: String,
    /// Seconds in which it was seen.
    pub slots: u32,
    /// The last of them.
    pub last_slot: u64,
    /// Taken as the container's own work.
    pub accepted: bool,
    /// Who has accepted or rejected it; empty while nobody has.
    #[serde(default)]
    pub by: String,
    /// Never to be taken as the container's own work, however often it recurs.
    #[serde(default)]
    pub rejected: bool,
    /// The fingerprint of the alert that it has raised.
    #[serde(default)]
    pub alert: String,
}

/// One identity under watch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// What it has learned.
    pub profile: Profile,
    /// Its containers by id.
    pub instances: BTreeMap<String, Instance>,
    /// Its alerts.
    pub ledger: Ledger,
    /// Dangerous behaviour seen while learning, by fingerprint.
    pub quarantine: BTreeMap<String, Quarantined>,
    /// Programs that open alert after alert.
    #[serde(default)]
    pub storms: Storms,
    /// Programs that read the list of accounts at any time.
    #[serde(default)]
    pub account_readers: BTreeSet<String>,
    /// The longest name query of each program, bytes.
    #[serde(default)]
    pub queries: BTreeMap<String, u32>,
    /// The largest bursts while learning, by burst and program.
    #[serde(default)]
    pub burst_levels: BTreeMap<String, usize>,
    /// The alerts of its silent containers, by container id.
    #[serde(default)]
    pub(crate) silent: BTreeMap<String, String>,
    /// What it has used of a costly matcher.
    #[serde(default)]
    pub effort: Effort,
    #[serde(skip)]
    pub(crate) buffer: Vec<Steps>,
}

impl Watch {
    /// Begins with the first event at `now`.
    pub fn new(identity: &str, now: EventTime, settings: &Settings) -> Self {
        let mut profile = Profile::new(identity, now, settings.learn.warmup);
        if identity.starts_with(UNNAMED) {
            // What is counted here is counted nowhere else, also when it is merged into the profile
            // that the same host has for the name.
            profile.learned_at(identity);
        }
        Self {
            profile,
            instances: BTreeMap::new(),
            ledger: Ledger::default(),
            quarantine: BTreeMap::new(),
            storms: Storms::default(),
            account_readers: BTreeSet::new(),
            queries: BTreeMap::new(),
            burst_levels: BTreeMap::new(),
            silent: BTreeMap::new(),
            effort: Effort::default(),
            buffer: Vec::new(),
        }
    }

    /// What it has learned, without its containers and alerts: to be carried elsewhere.
    #[must_use]
    pub fn learned(&self) -> Self {
        Self {
            profile: self.profile.clone(),
            instances: BTreeMap::new(),
            ledger: Ledger::default(),
            quarantine: self.quarantine.clone(),
            storms: Storms::default(),
            account_readers: self.account_readers.clone(),
            queries: self.queries.clone(),
            burst_levels: self.burst_levels.clone(),
            silent: BTreeMap::new(),
            effort: Effort::default(),
            buffer: Vec::new(),
        }
    }

    /// Takes one line in, after [`Watch::advance`] to its time. `held` lines come back through
    /// [`Watch::release`].
    pub fn observe(&mut self, event: &Event<'_>, settings: &Settings) -> Verdict {
        let id = event.container.id;
        if !self.instances.contains_key(id) {
            self.admit(event);
        }
        let Some(mut instance) = self.instances.remove(id) else { return Verdict::Held };
        instance.observe(event);
        if !self.silent.is_empty() {
            self.heard_again(id, event.time);
        }
        let verdict = if event.catch_all {
            instance.note(event);
            self.line(&mut instance, event, settings)
        } else {
            self.rule_line(&mut instance, event, settings)
        };
        self.instances.insert(id.to_owned(), instance);
        verdict
    }

    /// Decides on a line of another rule that was held: a catch-all line has come, or will not.
    pub fn release(&mut self, event: &Event<'_>, settings: &Settings) -> Verdict {
        let id = event.container.id;
        let Some(mut instance) = self.instances.remove(id) else {
            return Verdict::Ignored(IgnoreReason::Duplicate);
        };
        let verdict = if instance.reported(event.time, event.call) {
            Verdict::Ignored(IgnoreReason::Duplicate)
        } else {
            instance.note(event);
            self.line(&mut instance, event, settings)
        };
        self.instances.insert(id.to_owned(), instance);
        verdict
    }

    /// Models a call that was begun and has no end, as one that has failed.
    pub fn attempt(&mut self, begun: &Event<'_>, settings: &Settings) {
        let id = begun.container.id;
        let Some(mut instance) = self.instances.remove(id) else { return };
        let mut event = *begun;
        (event.direction, event.result) = (Direction::Exit, Some(NO_END));
        self.model(&mut instance, &event, settings);
        self.instances.insert(id.to_owned(), instance);
    }

    /// Moves to `now`: windows end, phases change.
    pub fn advance(&mut self, now: EventTime, settings: &Settings) {
        let forced =
            settings.detect_from.is_some_and(|from| now >= from && self.profile.first_seen < from)
                || settings.learn_for.is_some_and(|length| now >= self.profile.first_seen + length);
        if forced {
            self.profile.detect_now(&settings.limits);
        }
        self.profile.end_windows(now, &settings.learn, &settings.limits);
    }

    fn admit(&mut self, event: &Event<'_>) {
        self.make_room();
        self.instances.insert(event.container.id.to_owned(), Instance::default());
    }

    /// Makes room for one more container.
    pub(crate) fn make_room(&mut self) {
        if self.instances.len() >= MAX_INSTANCES {
            let oldest =
                self.instances.iter().min_by_key(|(_, i)| i.last).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.instances.remove(&oldest);
            }
        }
    }

    fn rule_line(
        &mut self,
        instance: &mut Instance,
        event: &Event<'_>,
        settings: &Settings,
    ) -> Verdict {
        if event.priority >= settings.rule_min_priority {
            self.rule_alert(instance, event);
        }
        if instance.reported(event.time, event.call) {
            Verdict::Ignored(IgnoreReason::Duplicate)
        } else {
            Verdict::Held
        }
    }

    fn line(&mut self, instance: &mut Instance, event: &Event<'_>, settings: &Settings) -> Verdict {
        if behaviour::is_setup(event) {
            Self::meta(instance, event);
            return Verdict::Ignored(IgnoreReason::Setup);
        }
        if event.direction == Direction::Enter {
            instance.follow(event);
            return Verdict::Ignored(IgnoreReason::Enter);
        }
        if event.category == Category::Unknown {
            return Verdict::Ignored(IgnoreReason::UnknownCategory);
        }
        self.model(instance, event, settings);
        Verdict::Modelled
    }

    /// The runtime's `container` event names the image as it was asked for, where the fields may
    /// name another tag of the same image.
    fn meta(instance: &mut Instance, event: &Event<'_>) {
        if event.call != "container" {
            return;
        }
        let json = event.args.get("json").unwrap_or_default();
        if let Some(image) =
            json.split("\"image\":\"").nth(1).and_then(|rest| rest.split('"').next())
            && !image.is_empty()
        {
            instance.shown.image = text::bounded(image, 200);
        }
    }

    fn model(&mut self, instance: &mut Instance, event: &Event<'_>, settings: &Settings) {
        let window = settings.revision_window;
        self.profile.note_image(&instance.shown.image, event.time, window);
        self.profile.learned_at(&instance.shown.host);
        let flow = if event.category == Category::Network { instance.flow(event) } else { None };
        let target = instance.target(event);
        let behaviour = Behaviour::of(event, flow, target, &settings.limits);
        instance.follow(event);
        let mut digits = [0; text::DIGITS];
        let user = event.user.uid.map_or(event.user.name, |uid| text::decimal(uid, &mut digits));
        let container = instance.label(&self.profile.identity);
        let since = instance.processes.entry_since;
        let process = instance.processes.observe(event);
        let became_root = process.as_ref().is_some_and(|p| p.became_root);
        let started = process.as_ref().map_or(event.time, |p| p.started);
        let reloads = process.as_ref().is_some_and(|p| accounts::reloads(p, event.time));
        let starting = process.as_ref().is_some_and(|p| p.entry)
            && event.time.saturating_sub(since) < settings.revision_window;
        // A thread has a name of its own; the program is what the process was started as.
        let started_as = process
            .filter(|p| p.name != event.process.name && !processes::is_start(event))
            .map(|p| p.name.clone());
        let program_name = started_as.as_deref().unwrap_or(event.process.name);
        let case = Case {
            event,
            behaviour,
            container: &container,
            program: program_name,
            user,
            became_root,
            starting,
            age: event.time.saturating_sub(started),
            reloads,
            matcher: self.effort.matcher(settings.matcher.as_ref(), event.time),
        };
        let program = self.program(&case);
        let key = self.key(&case, program, flow);
        if let Some(key) = key
            && let Some(program) = program
            && let Some((leaf, operation)) = self.profile.recall(key)
        {
            self.note_rare_read(instance, &case, program, leaf);
            self.profile.count_at(program, Some(leaf), operation, case.hit());
            self.in_session(instance, event);
        } else if self.profile.phase.detects() {
            self.detect(instance, &case, program, key, settings);
        } else {
            self.learn(instance, &case, program, key, settings);
        }
        if event.call == "procexit"
            && let Some(pid) = event.process.pid
        {
            instance.processes.ended(pid, event.time);
        }
    }

    /// The case's program. A process whose start was not seen may show by the name of one of its
    /// threads; it is then known by its executable, unless that one runs many programs.
    fn program(&mut self, case: &Case<'_>) -> Option<NodeId> {
        let key = case.key();
        self.profile.program(&key).or_else(|| {
            let executable = case.event.process.executable;
            let base = executable.rsplit('/').next().unwrap_or_default();
            let shared =
                executable.is_empty() || arguments::is_interpreter(base) || base == "coreutils";
            if shared || processes::is_start(case.event) || !self.profile.phase.detects() {
                return None;
            }
            self.profile.program_by_executable(executable, case.user)
        })
    }

    /// The key under which an event's place is remembered; none for those that are looked at each
    /// time.
    fn key(&self, case: &Case<'_>, program: Option<NodeId>, flow: Option<Flow>) -> Option<u64> {
        let program = program?;
        let behaviour = &case.behaviour;
        let object = match &behaviour.object {
            Object::File(path) | Object::Unix(path) => *path,
            Object::Peer { .. } => case.event.fd.name,
            Object::None | Object::Pair(..) | Object::Socket(_) | Object::Start => return None,
        };
        if object.is_empty()
            || behaviour.access.contains(Access::PROBE)
            || case.climbs()
            || judge::is_account_list(object)
            || queries::query_size(case).is_some()
        {
            return None;
        }
        let flow = flow.map(|f| f as u8);
        Some(self.profile.raw_key((
            program,
            behaviour.call,
            object,
            behaviour.access.bits(),
            behaviour.category as u8,
            flow,
        )))
    }

    pub(crate) fn raise(
        &mut self,
        instance: &Instance,
        event: &Event<'_>,
        finding: Finding,
    ) -> String {
        let place = place(instance, event, &self.profile);
        let identity = self.profile.identity.clone();
        self.ledger.raise(&identity, finding, &place).0
    }
}

pub(crate) fn place<'a>(instance: &'a Instance, event: &Event<'_>, profile: &Profile) -> Place<'a> {
    Place {
        time: event.time,
        phase: profile.phase.as_str(),
        container: &instance.shown,
        namespace: &instance.namespace,
        lineage: instance.processes.lineage(event),
        sample: text::sample(event),
    }
}

pub(crate) fn session_of(instance: &Instance, event: &Event<'_>) -> Option<String> {
    instance.processes.get(event.process.pid?)?.session.clone()
}

pub(crate) fn open_session(instance: &mut Instance, event: &Event<'_>, fingerprint: &str) {
    if let Some(process) = event.process.pid.and_then(|pid| instance.processes.get_mut(pid))
        && process.session.is_none()
    {
        process.session = Some(fingerprint.to_owned());
    }
}

pub(crate) fn container_name(instance: &Instance, identity: &str) -> String {
    let name = if instance.shown.name.is_empty() { identity } else { &instance.shown.name };
    text::bounded(name, 80)
}
