//! Bursts in a container: which events count, how much of it is the container's own, the finding.

use hanabi_event::SECOND;
use hanabi_profile::{
    access::Access,
    behaviour::{self, Flow, Object},
};

use crate::{
    AlertPath, AlertSource, Instance, Kind, ScorePart, Settings, Summary, Watch,
    bursts::Burst,
    files,
    judge::{self, Case},
    ledger::{Finding, Ledger},
    text,
    watch::{container_name, session_of},
};

/// Programs whose bursts are learned; further ones are held to the common limits.
const MAX_LEVELS: usize = 256;

/// What an event counts towards, and as which object.
fn counted(case: &Case<'_>) -> Option<(Burst, String)> {
    let behaviour = &case.behaviour;
    match &behaviour.object {
        Object::Peer { flow: Flow::Out, .. } if behaviour::is_send(behaviour.call) => {
            Some((Burst::Sends, case.event.time.to_string()))
        }
        Object::Peer { flow: Flow::Out, service, .. }
            if !behaviour.follows && service.port != 0 =>
        {
            Some((Burst::Scan, format!("{}:{}", service.address, service.port)))
        }
        Object::File(path) | Object::Pair(path, _)
            if behaviour.access.intersects(Access::ALTERING) =>
        {
            Some((Burst::Change, (*path).to_owned()))
        }
        Object::File(path)
            if behaviour.access.intersects(Access::READ | Access::LIST | Access::STAT) =>
        {
            Some((Burst::Sweep, (*path).to_owned()))
        }
        _ => None,
    }
}

impl Watch {
    /// Learns how much of it a program does by itself: builds change hundreds of files.
    pub(crate) fn learn_burst(&mut self, instance: &mut Instance, case: &Case<'_>) {
        if case.starting {
            return;
        }
        let Some((burst, object)) = counted(case) else { return };
        let distinct = count(instance, case.program, burst, &object, case);
        if distinct * 2 < burst.limit() {
            return;
        }
        let key = level_key(case, burst);
        if let Some(level) = self.burst_levels.get_mut(&key) {
            *level = distinct.max(*level);
        } else if self.burst_levels.len() < MAX_LEVELS {
            self.burst_levels.insert(key, distinct);
        }
    }

    /// Counts an event that does not fit.
    pub(crate) fn burst(&mut self, instance: &mut Instance, case: &Case<'_>, settings: &Settings) {
        if !settings.bursts || !self.profile.phase.detects() {
            return;
        }
        let Some((burst, object)) = counted(case) else { return };
        let expected = settings.danger.background.covers(&object, burst == Burst::Change)
            || (matches!(burst, Burst::Sweep | Burst::Change) && case.starting)
            || (burst != Burst::Change && self.is_known_anywhere(case));
        if !expected {
            self.count_burst(instance, case, burst, &object);
        }
    }

    /// Counts the first deletion of a file that the program has worked with.
    pub(crate) fn loss(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        finding: &Finding,
        settings: &Settings,
    ) {
        let path = judge::object_token(case);
        let loses = settings.bursts
            && finding.kind == Kind::NewAccess
            && case.behaviour.access.contains(Access::DELETE)
            && !path.contains('<')
            && !files::is_passing(&path);
        if loses {
            self.count_burst(instance, case, Burst::Loss, &path);
        }
    }

    /// Counts an object of a burst, and raises it when there are more than the program is used to.
    pub(crate) fn count_burst(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        burst: Burst,
        object: &str,
    ) {
        let session = session_of(instance, case.event);
        let actor = session.clone().unwrap_or_else(|| case.program.to_owned());
        let distinct = count(instance, &actor, burst, object, case);
        let key = level_key(case, burst);
        let used_to = self.burst_levels.get(&key).copied().unwrap_or_default();
        if distinct < burst.limit() || distinct * 2 < used_to * 3 {
            return;
        }
        let mut finding = self.burst_finding(instance, case, burst, distinct);
        let key = Ledger::fingerprint(&finding.rule, case.event.process.executable, "");
        if self.quarantine.get(&key).is_some_and(|item| item.accepted) {
            return;
        }
        // One session, one alert a burst, whichever of its processes it was.
        if let Some(session) = session {
            finding.subject = format!("session {session}");
        }
        let fingerprint = self.raise(instance, case.event, finding);
        self.keep_lesson(&fingerprint, case, Some(&key));
    }

    pub(crate) fn burst_finding(
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
            Burst::Sends => ("sends to a new peer", "次向新对端的发送"),
            Burst::Queries => ("name queries longer than any before", "次超长域名查询"),
            Burst::Loss => ("files deleted that it had worked with", "个一直使用的文件被删除"),
        };
        let seconds = burst.window() / SECOND;
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
                en: format!("{name} in {container}: {distinct} {what} within {seconds} seconds"),
                zh: format!("容器 {container} 中 {name} 在 {seconds} 秒内有 {distinct} {what_zh}"),
            },
        }
    }
}

fn level_key(case: &Case<'_>, burst: Burst) -> String {
    format!("{} {}", burst.as_str(), hanabi_profile::token::generalised(case.program))
}

fn count(
    instance: &mut Instance,
    actor: &str,
    burst: Burst,
    object: &str,
    case: &Case<'_>,
) -> usize {
    let object = u64::from_str_radix(&crate::hash::id(&[object]), 16).unwrap_or_default();
    instance.bursts.count(actor, burst, object, case.event.time)
}
