//! What silence looks like as an alert, and when it is none.

use hanabi_event::{EventTime, SECOND, time::format_time};
use serde_json::json;

use super::{REPLACED, Silent, Who};
use crate::{
    AlertContainer, AlertPath, AlertSource, Instance, Kind, ScorePart, Summary, Watch,
    ledger::{Finding, Place},
    text,
    watch::MAX_INSTANCES,
};

/// As severe as a new destination of a service: somebody may have switched the sensor off.
const SCORE: f64 = 0.5;

impl Watch {
    /// Raises the silence of one of its containers, of the host, or of a source, unless there is a
    /// reason for it.
    pub(crate) fn fell_silent(&mut self, silent: &Silent) {
        let shown = match &silent.who {
            Who::Container(id) => match self.instances.get(id) {
                Some(instance) if !self.is_expected(instance) => instance.shown.clone(),
                Some(_) | None => return,
            },
            Who::Host | Who::Source(_) => AlertContainer {
                id: "host".to_owned(),
                name: "host".to_owned(),
                host: silent.host.clone(),
                ..AlertContainer::default()
            },
        };
        let identity = self.profile.identity.clone();
        let place = Place {
            time: silent.at,
            phase: self.profile.phase.as_str(),
            container: &shown,
            namespace: "",
            lineage: Vec::new(),
            sample: json!({ "container.id": shown.id, "hostname": silent.host }),
        };
        let finding = finding(silent, &shown);
        let fingerprint = self.ledger.raise(&identity, finding, &place).0;
        // Those that were forgotten are not heard again, and their alerts are a person's to resolve.
        if self.silent.len() > MAX_INSTANCES {
            self.silent.pop_first();
        }
        self.silent.insert(silent.who.key(&silent.host), fingerprint);
    }

    /// It has ended by itself, another one of its identity has taken its place, or nobody knows yet
    /// what it does.
    fn is_expected(&self, instance: &Instance) -> bool {
        let replaces = |other: &Instance| other.first + REPLACED >= instance.last;
        !self.profile.phase.detects()
            || instance.processes.has_ended()
            || self.instances.values().any(|other| other.first > instance.first && replaces(other))
    }

    /// Resolves the silence of who is heard again, by the key of [`Who::key`].
    pub(crate) fn heard_again(&mut self, key: &str, now: EventTime) {
        if let Some(fingerprint) = self.silent.remove(key) {
            self.ledger.settle(&fingerprint, now, "it is heard again");
        }
    }
}

impl Who {
    /// What silence is filed under; no container's id has a colon.
    pub(crate) fn key(&self, host: &str) -> String {
        match self {
            Self::Container(id) => id.clone(),
            Self::Host => format!("host:{host}"),
            Self::Source(source) => format!("source:{source}"),
        }
    }
}

fn finding(silent: &Silent, shown: &AlertContainer) -> Finding {
    let (rule, subject, who, who_zh) = match &silent.who {
        Who::Host => {
            let host = &silent.host;
            ("silence.host", host.clone(), format!("host {host}"), format!("主机 {host}"))
        }
        Who::Source(source) => {
            let shown = text::shown(source, 160);
            ("silence.source", source.clone(), format!("source {shown}"), format!("来源 {shown}"))
        }
        Who::Container(_) => {
            let name = if shown.name.is_empty() { &shown.id } else { &shown.name };
            ("silence.container", shown.name.clone(), name.clone(), format!("容器 {name}"))
        }
    };
    let longest = silent.longest.div_ceil(SECOND);
    let since = format_time(silent.since);
    Finding {
        kind: Kind::Silence,
        source: AlertSource::Hanabi,
        rule: rule.to_owned(),
        subject,
        score: SCORE,
        priority: None,
        parts: vec![ScorePart { name: "silence".to_owned(), value: SCORE }],
        path: AlertPath {
            learned: Vec::new(),
            token: "silence".to_owned(),
            raw: format!("silent since {since}, never before for more than {longest} s"),
        },
        expected: Vec::new(),
        nearest: None,
        mitre: vec!["T1562".to_owned()],
        summary: Summary {
            en: format!(
                "{who} has sent nothing since {since}, and was never silent for more than \
                 {longest} seconds before"
            ),
            zh: format!("{who_zh} 自 {since} 起没有任何事件，此前静默从未超过 {longest} 秒"),
        },
    }
}
