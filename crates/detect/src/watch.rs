//! One identity under watch: its profile, its containers, its alerts.

use std::collections::{BTreeMap, BTreeSet};

use hanabi_event::{Category, Direction, Event, EventTime, IgnoreReason, Priority};
use hanabi_profile::{
    NodeId, Profile,
    access::Access,
    arguments,
    behaviour::{self, Behaviour, Flow, Object, Steps},
};
use serde::{Deserialize, Serialize};

use crate::{
    AlertPath, AlertSource, Evidence, Kind, ScorePart, Summary,
    bursts::Burst,
    danger::{self, Context},
    instance::Instance,
    judge::{self, Case, Judged},
    ledger::{Finding, Ledger, Place},
    processes, score,
    settings::Settings,
    text,
};

/// Containers of one identity that are kept apart; the one seen longest ago goes first.
pub const MAX_INSTANCES: usize = 256;
/// Dangerous behaviours waiting for a person; past it further ones raise alerts and are not listed.
pub const MAX_QUARANTINE: usize = 500;
/// Dangerous behaviour that recurs in so many separate seconds of learning is the container's own.
const OWN_WORK_SLOTS: u32 = 3;

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
    #[serde(skip)]
    buffer: Vec<Steps>,
}

impl Watch {
    /// Begins with the first event at `now`.
    pub fn new(identity: &str, now: EventTime, settings: &Settings) -> Self {
        Self {
            profile: Profile::new(identity, now, settings.learn.warmup),
            instances: BTreeMap::new(),
            ledger: Ledger::default(),
            quarantine: BTreeMap::new(),
            buffer: Vec::new(),
        }
    }

    /// Rebuilds what is not stored. To be called after deserialising.
    pub fn restore(&mut self) {
        self.profile.restore();
    }

    /// Takes one line in. `held` lines come back through [`Watch::release`].
    pub fn observe(&mut self, event: &Event<'_>, settings: &Settings) -> Verdict {
        self.advance(event.time, settings);
        let id = event.container.id;
        if !self.instances.contains_key(id) {
            self.admit(event);
        }
        let Some(mut instance) = self.instances.remove(id) else { return Verdict::Held };
        instance.observe(event);
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
        if self.instances.len() >= MAX_INSTANCES {
            let oldest =
                self.instances.iter().min_by_key(|(_, i)| i.last).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.instances.remove(&oldest);
            }
        }
        self.instances.insert(event.container.id.to_owned(), Instance::default());
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

    fn rule_alert(&mut self, instance: &Instance, event: &Event<'_>) {
        let object =
            if event.fd.name.is_empty() { event.process.command_line } else { event.fd.name };
        let shown = text::shown(object, 160);
        let name = text::bounded(event.process.name, 40);
        let container = container_name(instance, &self.profile.identity);
        let finding = Finding {
            kind: Kind::Rule,
            source: AlertSource::Falco,
            rule: text::bounded(event.rule, 200),
            subject: hanabi_profile::token::generalised(event.process.name),
            score: rule_score(event.priority),
            priority: Some(event.priority),
            parts: vec![ScorePart {
                name: "falco_priority".to_owned(),
                value: rule_score(event.priority),
            }],
            path: AlertPath { learned: Vec::new(), token: name.clone(), raw: shown.clone() },
            expected: Vec::new(),
            nearest: None,
            mitre: techniques(event.tags),
            summary: Summary {
                en: format!(
                    "in {container} {name}: Falco's rule \"{}\" matched: {shown}",
                    text::bounded(event.rule, 120)
                ),
                zh: format!(
                    "容器 {container} 中 {name} 命中 Falco 规则“{}”：{shown}",
                    text::bounded(event.rule, 120)
                ),
            },
        };
        self.raise(instance, event, finding);
    }

    fn line(&mut self, instance: &mut Instance, event: &Event<'_>, settings: &Settings) -> Verdict {
        if behaviour::is_setup(event) {
            self.meta(instance, event);
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
    fn meta(&mut self, instance: &mut Instance, event: &Event<'_>) {
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
        self.revision(instance);
        let flow = if event.category == Category::Network { instance.flow(event) } else { None };
        let target = instance.target(event);
        let behaviour = Behaviour::of(event, flow, target);
        instance.follow(event);
        let user = event.user.uid.map_or_else(|| event.user.name.to_owned(), |uid| uid.to_string());
        let container = container_name(instance, &self.profile.identity);
        let since = instance.processes.entry_since;
        let process = instance.processes.observe(event);
        let became_root = process.as_ref().is_some_and(|p| p.became_root);
        let starting = process.is_some_and(|p| p.entry)
            && event.time.saturating_sub(since) < settings.revision_window;
        let case =
            Case { event, behaviour, container: &container, user: &user, became_root, starting };
        let program = self.profile.program(&case.key());
        let key = self.key(&case, program, flow);
        if let Some(key) = key
            && let Some(program) = program
            && let Some((leaf, operation)) = self.profile.recall(key)
        {
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
            instance.processes.ended(pid);
        }
    }

    fn revision(&mut self, instance: &Instance) {
        let image = &instance.shown.image;
        if !image.is_empty() && self.profile.revisions.last() != Some(image) {
            self.profile.revisions.retain(|r| r != image);
            self.profile.revisions.push(image.clone());
            if self.profile.revisions.len() > 50 {
                self.profile.revisions.remove(0);
            }
        }
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
        if object.is_empty() || behaviour.access.contains(Access::PROBE) {
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

    fn learn(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        program: Option<NodeId>,
        key: Option<u64>,
        settings: &Settings,
    ) {
        if self.is_news(case, program, settings) && self.quarantined(instance, case, settings) {
            return;
        }
        let event = case.event;
        let program = match program {
            Some(program) => program,
            None => self.profile.learn_program(&case.key(), event.time, &settings.limits).0,
        };
        if processes::is_start(event)
            && let Some(info) = self.profile.info_mut(program)
        {
            info.starts += 1;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let (leaf, operation) =
            judge::learn(&mut self.profile, program, case, settings, &mut buffer);
        self.buffer = buffer;
        if let (Some(key), Some(leaf)) = (key, leaf) {
            self.profile.remember(key, leaf, operation);
        }
        self.in_session(instance, event);
    }

    /// True when learning would take something in that it has not seen, or the call is one that the
    /// danger list names.
    fn is_news(&mut self, case: &Case<'_>, program: Option<NodeId>, settings: &Settings) -> bool {
        let Some(program) = program else { return true };
        if settings.danger.watches(case.behaviour.call)
            || matches!(case.behaviour.call, "dup2" | "dup3" | "dup")
        {
            return true;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        judge::paths(case, &mut buffer);
        let news = buffer.iter().any(|steps| match self.profile.find(program, steps) {
            hanabi_profile::Found::Known(leaf) => {
                !judge::covered_by(self.profile.tree.node(leaf).access)
                    .contains(case.behaviour.access)
            }
            hanabi_profile::Found::Missing { .. } => !case.behaviour.follows,
        });
        self.buffer = buffer;
        news
    }

    /// Raises and keeps apart what is dangerous; true when it is not to be learned.
    fn quarantined(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) -> bool {
        let context = self.context(instance, case);
        let rules = settings.danger.matches(case.event, &case.behaviour, context);
        let Some((rule, further)) = worst(&rules) else { return false };
        let finding = judge::danger(case, rule, &further);
        let fingerprint = own_work_key(case, &finding);
        let slot = case.event.time / hanabi_event::SECOND;
        if self.quarantine.len() < MAX_QUARANTINE || self.quarantine.contains_key(&fingerprint) {
            let item = self.quarantine.entry(fingerprint).or_insert_with(|| Quarantined {
                rule: rule.id.clone(),
                what: finding.path.raw.clone(),
                last_slot: u64::MAX,
                ..Quarantined::default()
            });
            if item.last_slot != slot {
                item.last_slot = slot;
                item.slots += 1;
            }
            item.accepted |= item.slots >= OWN_WORK_SLOTS;
            if item.accepted {
                return false;
            }
        }
        self.raise(instance, case.event, finding);
        true
    }

    /// True when this dangerous behaviour was seen to be the container's own work.
    fn is_own_work(&self, case: &Case<'_>, finding: &Finding) -> bool {
        self.quarantine.get(&own_work_key(case, finding)).is_some_and(|item| item.accepted)
    }

    fn context(&self, instance: &Instance, case: &Case<'_>) -> Context {
        let pid = case.event.process.pid;
        let terminal = case.event.process.tty.map_or_else(
            || pid.and_then(|p| instance.processes.get(p)).is_some_and(|p| p.terminal),
            |tty| tty > 0,
        );
        Context { terminal, service_shell: self.is_service_shell(instance, case) }
    }

    fn is_service_shell(&self, instance: &Instance, case: &Case<'_>) -> bool {
        let process = &case.event.process;
        if !processes::is_start(case.event) || !arguments::is_shell(process.name) {
            return false;
        }
        let parent = behaviour::parent_token(process.parent);
        if parent == behaviour::RUNTIME
            || arguments::is_shell(process.parent)
            || process.parent.ends_with(".sh")
        {
            return false;
        }
        let in_session = process
            .parent_pid
            .and_then(|p| instance.processes.get(p))
            .is_some_and(|p| p.session.is_some());
        let parent_serves = self.profile.programs().any(|(id, info)| {
            info.name == parent
                && (info.slots >= 60 || (info.slots >= 30 && score::serves(&self.profile, id)))
        });
        let done_before = self.profile.programs().any(|(id, info)| {
            arguments::is_shell(&info.name)
                && self.profile.tree.child(id, hanabi_profile::NodeKind::Parent, &parent).is_some()
        });
        parent_serves && !in_session && !done_before
    }

    fn detect(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        program: Option<NodeId>,
        key: Option<u64>,
        settings: &Settings,
    ) {
        let event = case.event;
        let mut dangerous = false;
        if self.is_news(case, program, settings) {
            dangerous = self.dangers(instance, case, settings);
        }
        let Some(program) = program else {
            self.unknown(instance, case, settings);
            return;
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let judged = judge::judge(&self.profile, program, case, settings, &mut buffer);
        match judged {
            Judged::Fits(leaf, exact) => {
                let operation = self.profile.count(program, leaf, case.hit());
                if !exact {
                    self.profile.variations += 1;
                }
                if let (Some(key), Some(leaf), true) = (key, leaf, exact && !dangerous) {
                    self.profile.remember(key, leaf, operation);
                }
                if !exact && !case.behaviour.follows {
                    self.burst(instance, case, settings);
                }
                self.in_session(instance, event);
            }
            Judged::Deviates(finding) => {
                self.profile.count(program, None, case.hit());
                self.profile.deviations += 1;
                if !dangerous {
                    let opens = processes::is_start(event);
                    self.deviate(instance, case, finding, opens, settings);
                }
                self.burst(instance, case, settings);
            }
        }
        self.buffer = buffer;
    }

    /// Raises the worst of the danger rules that an event meets.
    fn dangers(&mut self, instance: &mut Instance, case: &Case<'_>, settings: &Settings) -> bool {
        let context = self.context(instance, case);
        let rules = settings.danger.matches(case.event, &case.behaviour, context);
        let Some((rule, further)) = worst(&rules) else { return false };
        let finding = judge::danger(case, rule, &further);
        if self.is_own_work(case, &finding) {
            return false;
        }
        self.profile.deviations += 1;
        let fingerprint = self.raise(instance, case.event, finding);
        if processes::is_start(case.event) {
            open_session(instance, case.event, &fingerprint);
        }
        true
    }

    fn unknown(&mut self, instance: &mut Instance, case: &Case<'_>, settings: &Settings) {
        self.profile.deviations += 1;
        self.profile.events += 1;
        self.profile.last_seen = self.profile.last_seen.max(case.event.time);
        let session = session_of(instance, case.event);
        let start = processes::is_start(case.event);
        if start || session.is_none() {
            let finding = judge::unknown_program(&self.profile, case, settings);
            self.deviate(instance, case, finding, true, settings);
        } else {
            self.unknown_does(instance, case, settings);
        }
        self.burst(instance, case, settings);
    }

    /// What a process outside the profile does is evidence of the alert it runs under.
    fn unknown_does(&mut self, instance: &mut Instance, case: &Case<'_>, settings: &Settings) {
        let behaviour = &case.behaviour;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        judge::paths(case, &mut buffer);
        let elsewhere = buffer.iter().any(|steps| judge::known_anywhere(&self.profile, steps));
        self.buffer = buffer;
        let score = match &behaviour.object {
            Object::Peer { flow, service, peer } if !behaviour.follows && service.port != 0 => {
                let class = hanabi_profile::peer::AddressClass::of(*peer);
                score::peer(*flow, class, service.port, elsewhere, false).value
            }
            Object::File(path) | Object::Pair(_, path)
                if behaviour.access.intersects(Access::ALTERING)
                    && !settings.danger.background.covers(path, true) =>
            {
                let harm = Access::DELETE | Access::WRITE | Access::TRUNCATE;
                let configuration = path.starts_with("/etc/");
                if elsewhere
                    && !configuration
                    && !case.starting
                    && behaviour.access.intersects(harm)
                {
                    score::TAMPERING
                } else {
                    0.35
                }
            }
            _ => {
                self.in_session(instance, case.event);
                return;
            }
        };
        let kind = if matches!(behaviour.object, Object::Peer { .. }) {
            Kind::NewPeer
        } else {
            Kind::NewFile
        };
        let token = judge::object_token(case);
        self.evidence(instance, case, kind, token, score, &[], settings);
    }

    fn deviate(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        finding: Finding,
        opens: bool,
        settings: &Settings,
    ) {
        let known_session =
            session_of(instance, case.event).filter(|s| self.ledger.get(s).is_some());
        if known_session.is_some() {
            let token = finding.path.token.clone();
            let mitre = finding.mitre.clone();
            self.evidence(instance, case, finding.kind, token, finding.score, &mitre, settings);
            return;
        }
        let fingerprint = self.raise(instance, case.event, finding);
        if opens {
            open_session(instance, case.event, &fingerprint);
        }
    }

    fn evidence(
        &mut self,
        instance: &Instance,
        case: &Case<'_>,
        kind: Kind,
        token: String,
        own: f64,
        mitre: &[String],
        settings: &Settings,
    ) {
        let Some(session) = session_of(instance, case.event) else { return };
        let evidence = Evidence {
            kind: kind.as_str().to_owned(),
            process: text::bounded(case.event.process.name, 40),
            token: text::bounded(&token, 160),
            score: own,
            count: 1,
        };
        let Some(alert) = self.ledger.get(&session) else { return };
        let score = session_score(alert, &evidence, settings);
        let place = place(instance, case.event, &self.profile);
        self.ledger.evidence(&session, evidence, score, mitre, &place);
    }

    /// Counts an event that needs no explanation at the alert its process runs under.
    fn in_session(&mut self, instance: &Instance, event: &Event<'_>) {
        if let Some(session) = session_of(instance, event) {
            self.ledger.continued(&session, event.time);
        }
    }

    fn burst(&mut self, instance: &mut Instance, case: &Case<'_>, settings: &Settings) {
        if !settings.bursts || !self.profile.phase.detects() {
            return;
        }
        let behaviour = &case.behaviour;
        let (burst, object) = match &behaviour.object {
            Object::Peer { flow: Flow::Out, service, .. }
                if !behaviour.follows && service.port != 0 =>
            {
                (Burst::Scan, format!("{}:{}", service.address, service.port))
            }
            Object::File(path) | Object::Pair(path, _)
                if behaviour.access.intersects(Access::ALTERING) =>
            {
                (Burst::Change, (*path).to_owned())
            }
            Object::File(path)
                if behaviour.access.intersects(Access::READ | Access::LIST | Access::STAT) =>
            {
                (Burst::Sweep, (*path).to_owned())
            }
            _ => return,
        };
        let expected = settings.danger.background.covers(&object, burst == Burst::Change)
            || (burst != Burst::Scan && case.starting)
            || (burst != Burst::Change && self.is_known_anywhere(case));
        if expected {
            return;
        }
        let actor =
            session_of(instance, case.event).unwrap_or_else(|| case.event.process.name.to_owned());
        let object = u64::from_str_radix(&crate::hash::id(&[&object]), 16).unwrap_or_default();
        let Some(distinct) = instance.bursts.count(&actor, burst, object, case.event.time) else {
            return;
        };
        let finding = self.burst_finding(instance, case, burst, distinct);
        self.raise(instance, case.event, finding);
    }

    /// Any program of the profile does this: a backup reads what its service reads.
    fn is_known_anywhere(&self, case: &Case<'_>) -> bool {
        let mut buffer = Vec::new();
        judge::paths(case, &mut buffer);
        buffer.iter().any(|steps| judge::known_anywhere(&self.profile, steps))
    }

    fn burst_finding(
        &self,
        instance: &Instance,
        case: &Case<'_>,
        burst: Burst,
        distinct: usize,
    ) -> Finding {
        let name = text::bounded(case.event.process.name, 40);
        let container = container_name(instance, &self.profile.identity);
        let (what, what_zh) = match burst {
            Burst::Scan => ("new peers or ports", "个新的对端或端口"),
            Burst::Sweep => ("new files read or looked at", "个新文件被读取或查看"),
            Burst::Change => ("files changed", "个文件被改动"),
        };
        Finding {
            kind: Kind::Burst,
            source: AlertSource::Hanabi,
            rule: format!("burst.{}", burst.as_str()),
            subject: hanabi_profile::token::generalised(case.event.process.name),
            score: burst.score(),
            priority: None,
            parts: vec![ScorePart {
                name: format!("burst:{}", burst.as_str()),
                value: burst.score(),
            }],
            path: AlertPath {
                learned: Vec::new(),
                token: burst.as_str().to_owned(),
                raw: judge::object_token(case),
            },
            expected: Vec::new(),
            nearest: None,
            mitre: burst.mitre().iter().map(|m| (*m).to_owned()).collect(),
            summary: Summary {
                en: format!("in {container} {name}: {distinct} {what} within ten seconds"),
                zh: format!("容器 {container} 中 {name} 在十秒内有 {distinct} {what_zh}"),
            },
        }
    }

    fn raise(&mut self, instance: &Instance, event: &Event<'_>, finding: Finding) -> String {
        let place = place(instance, event, &self.profile);
        let identity = self.profile.identity.clone();
        self.ledger.raise(&identity, finding, &place).0
    }
}

fn place<'a>(instance: &'a Instance, event: &Event<'_>, profile: &Profile) -> Place<'a> {
    Place {
        time: event.time,
        phase: profile.phase.as_str(),
        container: &instance.shown,
        namespace: &instance.namespace,
        lineage: instance.processes.lineage(event),
        sample: text::sample(event),
    }
}

/// What makes dangerous behaviour the same again: the rule, the executable, and what it was done
/// to. The name is left out, since wrappers run one executable under many names.
fn own_work_key(case: &Case<'_>, finding: &Finding) -> String {
    let object = match &case.behaviour.object {
        Object::Start => hanabi_profile::behaviour::start_arguments(case.event).join(" "),
        _ => judge::object_token(case),
    };
    Ledger::fingerprint(&finding.rule, case.event.process.executable, &object)
}

fn worst<'r>(
    rules: &[&'r danger::DangerRule],
) -> Option<(&'r danger::DangerRule, Vec<&'r danger::DangerRule>)> {
    let mut sorted = rules.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let (first, rest) = sorted.split_first()?;
    Some((first, rest.to_vec()))
}

/// The highest score, more for further evidence, more for looking around. See [`score`].
fn session_score(alert: &crate::Alert, new: &Evidence, settings: &Settings) -> f64 {
    let known = alert
        .evidence
        .iter()
        .filter(|e| e.kind != new.kind || e.token != new.token || e.process != new.process);
    let all: Vec<&Evidence> = known.chain(std::iter::once(new)).collect();
    let first = alert.score_parts.first().map_or(0.0, |p| p.value);
    let highest = all.iter().map(|e| e.score).fold(first, f64::max);
    let classes = &settings.danger.classes;
    let mut tools: BTreeSet<&str> = all
        .iter()
        .filter(|e| e.kind == Kind::NewProcess.as_str() && score::is_discovery(&e.token, classes))
        .map(|e| e.token.as_str())
        .collect();
    if score::is_discovery(&alert.path.token, classes) {
        tools.insert(&alert.path.token);
    }
    let further = 0.03 * (all.len().min(4) as f64);
    let looking = 0.08 * (tools.len().saturating_sub(1).min(5) as f64);
    // Ordinary pieces never add up to a Warning by their number alone.
    let ordinary = if highest < 0.5 { (highest + further).min(0.49) } else { highest + further };
    (ordinary + looking).min(1.0)
}

fn session_of(instance: &Instance, event: &Event<'_>) -> Option<String> {
    instance.processes.get(event.process.pid?)?.session.clone()
}

fn open_session(instance: &mut Instance, event: &Event<'_>, fingerprint: &str) {
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

fn rule_score(priority: Priority) -> f64 {
    match priority {
        Priority::Emergency | Priority::Alert => 1.0,
        Priority::Critical => 0.9,
        Priority::Error => 0.75,
        Priority::Warning => 0.6,
        Priority::Notice => 0.4,
        Priority::Informational | Priority::Debug => 0.2,
    }
}

/// The ATT&CK ids among a rule's tags.
fn techniques(tags: &str) -> Vec<String> {
    tags.split('"')
        .filter(|t| {
            t.len() >= 5
                && t.starts_with('T')
                && t[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.')
        })
        .filter(|t| !t.starts_with("TA"))
        .take(8)
        .map(str::to_owned)
        .collect()
}
