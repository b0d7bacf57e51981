//! Learning: what is taken into the tree, and what waits for a person.

use hanabi_event::EventTime;
use hanabi_profile::{
    Found, NodeId, arguments,
    behaviour::{self, Object},
};

use crate::{
    Instance, Quarantined, Settings, Watch,
    danger::{Context, DangerRule},
    files, findings,
    judge::{self, Case},
    ledger::{Finding, Ledger},
    processes, score,
    watch::{MAX_QUARANTINE, OWN_WORK_SLOTS},
};

/// What the history of an alert says that learning has resolved.
const OWN_WORK: &str = "seen again and again while learning: taken for the container's own work";

impl Watch {
    pub(crate) fn learn(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        program: Option<NodeId>,
        key: Option<u64>,
        settings: &Settings,
    ) {
        let news = self.is_news(case, program, settings);
        if news && self.quarantined(instance, case, settings) {
            return;
        }
        if news {
            self.learn_burst(instance, case);
        }
        self.learn_account_read(case);
        self.learn_query(case);
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
    pub(crate) fn is_news(
        &mut self,
        case: &Case<'_>,
        program: Option<NodeId>,
        settings: &Settings,
    ) -> bool {
        let Some(program) = program else { return true };
        if case.climbs()
            || settings.danger.watches(case.behaviour.call)
            || matches!(case.behaviour.call, "dup2" | "dup3" | "dup")
        {
            return true;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        judge::paths(case, &mut buffer);
        let news = buffer.iter().any(|steps| match self.profile.find(program, steps) {
            Found::Known(leaf) => !judge::covered_by(self.profile.tree.node(leaf).access)
                .contains(case.behaviour.access),
            Found::Missing { .. } => !case.behaviour.follows,
        });
        self.buffer = buffer;
        news
    }

    /// Raises and keeps apart what is dangerous; true when it is not to be learned.
    pub(crate) fn quarantined(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) -> bool {
        let Some((rule, finding)) = self.danger(instance, case, settings) else { return false };
        let key = own_work_key(case, &finding);
        let slot = case.event.time / hanabi_event::SECOND;
        if self.quarantine.len() < MAX_QUARANTINE || self.quarantine.contains_key(&key) {
            let item = self.quarantine.entry(key.clone()).or_insert_with(|| Quarantined {
                rule: rule.id.clone(),
                what: finding.path.raw.clone(),
                last_slot: u64::MAX,
                ..Quarantined::default()
            });
            if item.last_slot != slot {
                item.last_slot = slot;
                item.slots += 1;
            }
            let own_start = case.starting && rule.score < score::OWN_START;
            let recurs = own_start || item.slots >= OWN_WORK_SLOTS;
            let accepts = recurs && !item.accepted && !item.rejected;
            item.accepted |= accepts;
            let accepted = item.accepted;
            if accepts {
                self.settle(&key, case.event.time);
            }
            if accepted {
                return false;
            }
        }
        let fingerprint = self.raise(instance, case.event, finding);
        self.keep_lesson(&fingerprint, case, Some(&key));
        if let Some(item) = self.quarantine.get_mut(&key) {
            item.alert = fingerprint;
        }
        true
    }

    /// Resolves the alert of a quarantined behaviour that has turned out to be the container's own
    /// work, unless it is also about something that has not.
    fn settle(&mut self, key: &str, now: EventTime) {
        let Some(alert) = self.quarantine.get(key).map(|item| item.alert.clone()) else { return };
        if self.quarantine.values().all(|item| item.alert != alert || item.accepted) {
            self.ledger.settle(&alert, now, OWN_WORK);
        }
    }

    /// True when this dangerous behaviour was seen to be the container's own work.
    pub(crate) fn is_own_work(&self, case: &Case<'_>, finding: &Finding) -> bool {
        self.quarantine.get(&own_work_key(case, finding)).is_some_and(|item| item.accepted)
    }

    /// The worst of the danger rules that an event meets, and its finding.
    pub(crate) fn danger<'s>(
        &self,
        instance: &Instance,
        case: &Case<'_>,
        settings: &'s Settings,
    ) -> Option<(&'s DangerRule, Finding)> {
        let context = self.context(instance, case);
        let rules = settings.danger.matches(case.event, &case.behaviour, context);
        let (rule, further) = worst(&rules)?;
        Some((rule, findings::danger(case, rule, &further)))
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
        let parent = behaviour::parent_token(process.parent, case.behaviour.lexical);
        if parent == behaviour::RUNTIME
            || arguments::is_shell(process.parent)
            || is_script(process.parent)
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
}

/// What makes dangerous behaviour the same again: the rule, the executable (its name is left out,
/// since wrappers run one under many names), and what it was done to. A start of what is not
/// installed is known by its name, its parent and its place instead: a build runs what it has just
/// made in a directory of its own.
pub(crate) fn own_work_key(case: &Case<'_>, finding: &Finding) -> String {
    let process = &case.event.process;
    if !matches!(case.behaviour.object, Object::Start) {
        let object = without_temporary_name(judge::object_token(case));
        return Ledger::fingerprint(&finding.rule, process.executable, &object);
    }
    if hanabi_profile::is_installed(process.executable) {
        let arguments = behaviour::start_arguments(case.event, true).join(" ");
        return Ledger::fingerprint(&finding.rule, process.executable, &arguments);
    }
    let name = hanabi_profile::token::generalised(process.name);
    let parent = behaviour::parent_token(process.parent, true);
    let place = process.executable.split('/').nth(1).unwrap_or_default();
    Ledger::fingerprint(&finding.rule, &format!("{name} {parent}"), place)
}

/// What a program makes in a temporary directory is the same whatever it is called: a random part of
/// letters alone (Python's `tempfile`) looks like a word.
fn without_temporary_name(path: String) -> String {
    if files::is_temporary(&path) { "a temporary file".to_owned() } else { path }
}

fn worst<'r>(rules: &[&'r DangerRule]) -> Option<(&'r DangerRule, Vec<&'r DangerRule>)> {
    let mut sorted = rules.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let (first, rest) = sorted.split_first()?;
    Some((first, rest.to_vec()))
}

/// Shell scripts run shells all day.
fn is_script(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == "sh")
}
