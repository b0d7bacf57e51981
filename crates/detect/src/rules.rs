//! Alerts of Falco's own rules.

use hanabi_event::{Event, Priority};

use crate::{
    AlertPath, AlertSource, Instance, Kind, ScorePart, Summary, Watch, ledger::Finding, text,
    watch::container_name,
};

impl Watch {
    pub(crate) fn rule_alert(&mut self, instance: &Instance, event: &Event<'_>) {
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
                    "{name} in {container}: Falco's rule \"{}\" matched: {shown}",
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
