//! Detection: what does not fit becomes findings, grouped by the session it happens in.

use std::collections::BTreeSet;

use hanabi_event::Event;
use hanabi_profile::{NodeId, access::Access, behaviour::Object};

use crate::{
    Alert, Evidence, Instance, Kind, Settings, Watch, files, findings,
    judge::{self, Case, Judged},
    learner::own_work_key,
    ledger::Finding,
    processes, score, text,
    watch::{open_session, place, session_of},
};

impl Watch {
    pub(crate) fn detect(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        program: Option<NodeId>,
        key: Option<u64>,
        settings: &Settings,
    ) {
        let event = case.event;
        self.long_query(instance, case, settings);
        let mut dangerous = false;
        if self.is_news(case, program, settings) {
            dangerous = self.dangers(instance, case, settings);
        }
        let Some(program) = program else {
            let fingerprint = self.unknown(instance, case, settings);
            if !dangerous {
                self.keep_lesson(&fingerprint, case, None);
            }
            return;
        };
        let late = self.late_account_read(case, program);
        if let Some(finding) = late.filter(|finding| !self.is_own_work(case, finding)) {
            self.profile.count_deviation(program, case.hit());
            self.profile.deviations += 1;
            if !dangerous {
                let key = own_work_key(case, &finding);
                let fingerprint = self.deviate(instance, case, finding, false, settings);
                self.keep_lesson(&fingerprint, case, Some(&key));
            }
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let judged = judge::judge(&self.profile, program, case, settings, &mut buffer);
        if !matches!(judged, Judged::Fits(_, true)) {
            self.effort.spend(settings.matcher.as_ref(), event.time);
        }
        match judged {
            Judged::Fits(leaves, exact) => {
                let leaf = leaves.first().copied();
                if let Some(leaf) = leaf {
                    self.note_rare_read(instance, case, program, leaf);
                }
                let operation = self.profile.count(program, leaf, case.hit());
                for further in leaves.iter().skip(1) {
                    self.profile.count_further(*further, operation, case.hit());
                }
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
            Judged::Deviates(finding)
                if !dangerous
                    && session_of(instance, event).is_none()
                    && self.explained(instance, case, program, &finding, settings) => {}
            Judged::Deviates(finding) => {
                self.profile.count_deviation(program, case.hit());
                self.profile.deviations += 1;
                self.loss(instance, case, &finding, settings);
                if !dangerous {
                    let opens = processes::is_start(event);
                    let fingerprint = self.deviate(instance, case, *finding, opens, settings);
                    self.keep_lesson(&fingerprint, case, None);
                }
                self.burst(instance, case, settings);
            }
        }
        self.buffer = buffer;
    }

    /// Raises the worst of the danger rules that an event meets.
    pub(crate) fn dangers(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) -> bool {
        let Some((rule, mut finding)) = self.danger(instance, case, settings) else { return false };
        // One session, one alert a rule, whichever of its processes it was.
        if let Some(session) = session_of(instance, case.event) {
            finding.subject = format!("session {session}");
        }
        if case.starting && rule.score < score::OWN_START {
            finding.score *= score::START;
        }
        if self.is_own_work(case, &finding) {
            return false;
        }
        self.profile.deviations += 1;
        let key = own_work_key(case, &finding);
        let fingerprint = self.raise(instance, case.event, finding);
        self.keep_lesson(&fingerprint, case, Some(&key));
        if processes::is_start(case.event) {
            open_session(instance, case.event, &fingerprint);
        }
        true
    }

    /// Answers the alert that the event belongs to.
    pub(crate) fn unknown(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) -> String {
        self.profile.deviations += 1;
        self.profile.events += 1;
        self.profile.last_seen = self.profile.last_seen.max(case.event.time);
        let session = session_of(instance, case.event);
        let start = processes::is_start(case.event);
        let fingerprint = match session {
            Some(session) if !start => {
                self.unknown_does(instance, case, settings);
                session
            }
            _ => {
                let finding = findings::unknown_program(&self.profile, case, settings);
                self.effort.spend(settings.matcher.as_ref(), case.event.time);
                self.deviate(instance, case, finding, true, settings)
            }
        };
        self.burst(instance, case, settings);
        fingerprint
    }

    /// What a process outside the profile does is evidence of the alert it runs under.
    pub(crate) fn unknown_does(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) {
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
                    && !files::is_temporary(path)
                    && behaviour.access.intersects(harm)
                {
                    // Old members of a family (`<hex>.png`) are what a housekeeper deletes.
                    let family = judge::object_token(case).contains('<');
                    let deletes = !behaviour.access.intersects(Access::WRITE | Access::TRUNCATE);
                    if family && deletes { score::HOUSEKEEPING } else { score::TAMPERING }
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
        self.evidence(instance, case, evidence(case, kind, &token, score), &[], settings);
    }

    /// Answers the alert that the finding belongs to.
    pub(crate) fn deviate(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        finding: Finding,
        opens: bool,
        settings: &Settings,
    ) -> String {
        let known_session =
            session_of(instance, case.event).filter(|s| self.ledger.get(s).is_some());
        if let Some(session) = known_session {
            let piece = evidence(case, finding.kind, &finding.path.token, finding.score);
            self.evidence(instance, case, piece, &finding.mitre, settings);
            return session;
        }
        let piece = evidence(case, finding.kind, &finding.path.token, finding.score);
        let (finding, folded) = self.fold(case, finding);
        let fingerprint = self.raise(instance, case.event, finding);
        if folded {
            self.ledger.add_evidence(&fingerprint, piece);
        }
        if opens {
            open_session(instance, case.event, &fingerprint);
        }
        fingerprint
    }

    pub(crate) fn evidence(
        &mut self,
        instance: &Instance,
        case: &Case<'_>,
        evidence: Evidence,
        mitre: &[String],
        settings: &Settings,
    ) {
        let Some(session) = session_of(instance, case.event) else { return };
        let Some(alert) = self.ledger.get(&session) else { return };
        let score = session_score(alert, &evidence, settings);
        let place = place(instance, case.event, &self.profile);
        self.ledger.evidence(&session, evidence, score, mitre, &place);
    }

    /// Counts an event that needs no explanation at the alert its process runs under.
    pub(crate) fn in_session(&mut self, instance: &Instance, event: &Event<'_>) {
        if let Some(session) = session_of(instance, event) {
            self.ledger.continued(&session, event.time);
        }
    }

    /// Any program of the profile does this: a backup reads what its service reads.
    pub(crate) fn is_known_anywhere(&self, case: &Case<'_>) -> bool {
        let mut buffer = Vec::new();
        judge::paths(case, &mut buffer);
        buffer.iter().any(|steps| judge::known_anywhere(&self.profile, steps))
    }
}

/// One piece of evidence.
fn evidence(case: &Case<'_>, kind: Kind, token: &str, score: f64) -> Evidence {
    Evidence {
        kind: kind.as_str().to_owned(),
        process: text::bounded(case.event.process.name, 40),
        token: text::bounded(token, 160),
        score,
        count: 1,
    }
}

/// The highest score, more for further evidence, more for looking around. See [`score`].
fn session_score(alert: &Alert, new: &Evidence, settings: &Settings) -> f64 {
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
