//! A period in words, for people: a Markdown page.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use hanabi_detect::{Alert, AlertSource, AlertState, Incident};
use hanabi_event::EventTime;
use hanabi_store::{AlertQuery, AlertStats, IncidentQuery};

use crate::app::AppParts;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::live::Fleet;
use crate::params::LIMIT_MAX;
use crate::routes::{alert_stats, alerts_of, incident_page};
use crate::times;

/// Incidents of a report at most; the rest is counted.
const INCIDENTS_MAX: usize = 100;
/// Alerts shown of an incident.
const ALERTS_SHOWN: usize = 10;
/// Rules shown, the busiest first.
const RULES_SHOWN: usize = 20;

/// The language of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

/// What a report tells of.
struct Told {
    span: (EventTime, EventTime),
    stats: AlertStats,
    /// With the first of their alerts.
    incidents: Vec<(Incident, Vec<Alert>)>,
    left_out: usize,
    fleet: Arc<Fleet>,
    /// Nobody's in particular, and so not told within a scope.
    lines_lost: Option<u64>,
}

/// The period's report. Reads the period's incidents, and the first alerts of those shown.
pub(crate) fn report(
    parts: &AppParts,
    caller: &Caller,
    span: (EventTime, EventTime),
    language: Language,
) -> Result<String, ApiError> {
    let (start, end) = (Some(span.0), Some(span.1));
    let query = AlertQuery { start, end, limit: LIMIT_MAX, ..AlertQuery::default() };
    let stats = alert_stats(parts, &query, caller.scope(), &parts.live.changed_alerts())?;
    let (all, left_out) = incidents(parts, caller, span)?;
    let mut incidents = Vec::with_capacity(all.len());
    for incident in all {
        let alerts = alerts_of(parts, caller, incident.alerts.iter().take(ALERTS_SHOWN))?;
        incidents.push((incident, alerts));
    }
    let fleet = caller.fleet(parts);
    let lost = fleet.totals.dropped.values().sum();
    let lines_lost = caller.scope().is_everything().then_some(lost);
    let told = Told { span, stats, incidents, left_out, fleet, lines_lost };
    let mut text = String::new();
    told.write(&mut text, Words::of(language)).map_err(ApiError::internal)?;
    Ok(text)
}

/// The incidents of the period, the most urgent first and the newest of those, and how many are left
/// out.
fn incidents(
    parts: &AppParts,
    caller: &Caller,
    (start, end): (EventTime, EventTime),
) -> Result<(Vec<Incident>, usize), ApiError> {
    let mut all = Vec::new();
    let mut query = IncidentQuery {
        start: Some(start),
        end: Some(end),
        limit: LIMIT_MAX,
        ..IncidentQuery::default()
    };
    let mut left_out = 0;
    loop {
        let page = incident_page(parts, &query, caller.scope())?;
        all.extend(page.items);
        all.sort_by(|a: &Incident, b| {
            (b.priority, b.last_seen, &b.id).cmp(&(a.priority, a.last_seen, &a.id))
        });
        left_out += all.len().saturating_sub(INCIDENTS_MAX);
        all.truncate(INCIDENTS_MAX);
        if page.next_cursor.is_none() {
            return Ok((all, left_out));
        }
        query.cursor = page.next_cursor;
    }
}

impl Told {
    fn write(&self, text: &mut String, words: &Words) -> fmt::Result {
        let (start, end) = (times::text(self.span.0), times::text(self.span.1));
        write!(text, "# {}\n\n{start} – {end}\n\n", words.title)?;
        self.numbers(text, words)?;
        self.kinds(text, words)?;
        writeln!(text, "## {}\n", words.incidents)?;
        if self.incidents.is_empty() {
            writeln!(text, "{}\n", words.none)?;
        }
        for (incident, alerts) in &self.incidents {
            one_incident(text, words, incident, alerts)?;
        }
        if self.left_out > 0 {
            writeln!(text, "{} {}\n", words.further, self.left_out)?;
        }
        self.containers(text, words)
    }

    fn numbers(&self, text: &mut String, words: &Words) -> fmt::Result {
        let Self { stats, fleet, .. } = self;
        let open = stats.by_state.get(&AlertState::Open).copied().unwrap_or(0);
        let behaviour = stats.by_source.get(&AlertSource::Hanabi).copied().unwrap_or(0);
        let detecting = fleet.profiles.iter().filter(|profile| profile.phase.detects()).count();
        for (label, value) in [
            (words.incidents, (self.incidents.len() + self.left_out) as u64),
            (words.alerts, stats.alerts),
            (words.of_behaviour, behaviour),
            (words.still_open, open),
            (words.occurrences, stats.occurrences),
            (words.containers, fleet.containers.len() as u64),
            (words.detecting, detecting as u64),
        ] {
            writeln!(text, "- {label}: {value}")?;
        }
        if let Some(lost) = self.lines_lost {
            writeln!(text, "- {}: {lost}", words.lines_lost)?;
        }
        writeln!(text)
    }

    fn kinds(&self, text: &mut String, words: &Words) -> fmt::Result {
        let stats = &self.stats;
        if stats.by_priority.is_empty() {
            return Ok(());
        }
        writeln!(text, "## {}\n\n| {} | {} |", words.alerts, words.what, words.count)?;
        writeln!(text, "| --- | ---: |")?;
        for (priority, count) in stats.by_priority.iter().rev() {
            writeln!(text, "| {priority} | {count} |")?;
        }
        let mut rules: Vec<_> = stats.by_rule.iter().collect();
        rules.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        for (rule, count) in rules.iter().take(RULES_SHOWN) {
            writeln!(text, "| {} | {count} |", code(rule))?;
        }
        if rules.len() > RULES_SHOWN {
            writeln!(text, "| {} | {} |", words.further, rules.len() - RULES_SHOWN)?;
        }
        writeln!(text)
    }

    fn containers(&self, text: &mut String, words: &Words) -> fmt::Result {
        let Words { containers, what, phase, events, .. } = words;
        writeln!(text, "## {containers}\n\n| {what} | {phase} | {events} |")?;
        writeln!(text, "| --- | --- | ---: |")?;
        let mut rows: Vec<_> = self.fleet.containers.iter().collect();
        rows.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        for row in rows.iter().take(LIMIT_MAX) {
            let name = if row.name.is_empty() { &row.id } else { &row.name };
            writeln!(text, "| {} | {} | {} |", code(name), row.phase.as_str(), row.events)?;
        }
        if rows.len() > LIMIT_MAX {
            writeln!(text, "| {} | | {} |", words.further, rows.len() - LIMIT_MAX)?;
        }
        Ok(())
    }
}

fn one_incident(
    text: &mut String,
    words: &Words,
    incident: &Incident,
    alerts: &[Alert],
) -> fmt::Result {
    let name = match incident.container.name.as_str() {
        "" => &incident.identity,
        name => name,
    };
    writeln!(text, "### {} · {}\n", incident.priority, code(name))?;
    let (first, last) = (times::text(incident.first_seen), times::text(incident.last_seen));
    let (total, count) = (incident.alerts_total, incident.count);
    let Words { alerts: of_alerts, occurrences, .. } = words;
    writeln!(text, "{first} – {last} · {of_alerts} {total} · {occurrences} {count}\n")?;
    for alert in alerts {
        one_alert(text, words, alert)?;
    }
    if total > alerts.len() as u64 {
        writeln!(text, "- {} {}", words.further, total - alerts.len() as u64)?;
    }
    writeln!(text)
}

fn one_alert(text: &mut String, words: &Words, alert: &Alert) -> fmt::Result {
    let sentence = match words.language {
        Language::English => &alert.summary.en,
        Language::Chinese => &alert.summary.zh,
    };
    let state = serde_json::to_value(alert.state).unwrap_or_default();
    let state = state.as_str().unwrap_or_default();
    let (sentence, rule) = (code(sentence), code(&alert.rule));
    write!(text, "- {} {sentence} ({rule}, ×{}, {state})", alert.priority, alert.count)?;
    for technique in &alert.mitre {
        write!(text, " {}", code(technique))?;
    }
    if !alert.assignee.is_empty() {
        write!(text, " · {} {}", words.assignee, code(&alert.assignee))?;
    }
    writeln!(text)
}

/// Text as code: what attackers wrote is never markup. The fence is longer than any run of backticks
/// in it (section 6.1 of `CommonMark`), line ends are blanks, and a bar does not end a table's cell.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .replace('|', "¦");
    let longest = plain.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if plain.is_empty() {
        return "–".to_owned();
    }
    let space = if plain.starts_with('`') || plain.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{plain}{space}{fence}")
}

/// What a report says beside the numbers.
struct Words {
    language: Language,
    title: &'static str,
    incidents: &'static str,
    alerts: &'static str,
    of_behaviour: &'static str,
    still_open: &'static str,
    occurrences: &'static str,
    containers: &'static str,
    detecting: &'static str,
    lines_lost: &'static str,
    what: &'static str,
    count: &'static str,
    further: &'static str,
    none: &'static str,
    phase: &'static str,
    events: &'static str,
    assignee: &'static str,
}

impl Words {
    fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &Self {
                language: Language::English,
                title: "Hanabi: report",
                incidents: "Incidents",
                alerts: "Alerts",
                of_behaviour: "Alerts by behaviour",
                still_open: "Alerts still open",
                occurrences: "Occurrences",
                containers: "Containers",
                detecting: "Profiles that detect",
                lines_lost: "Lines lost since the beginning",
                what: "What",
                count: "Count",
                further: "Not shown:",
                none: "None in this period.",
                phase: "Phase",
                events: "Events",
                assignee: "assigned to",
            },
            Language::Chinese => &Self {
                language: Language::Chinese,
                title: "Hanabi:报告",
                incidents: "事件",
                alerts: "告警",
                of_behaviour: "行为告警",
                still_open: "未处理告警",
                occurrences: "发生次数",
                containers: "容器",
                detecting: "处于检测阶段的画像",
                lines_lost: "累计丢失行数",
                what: "名称",
                count: "数量",
                further: "未显示:",
                none: "本时段内没有。",
                phase: "阶段",
                events: "运行时事件",
                assignee: "负责人",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn what_attackers_wrote_stays_text() {
        for (text, expected) in [
            ("nginx", "`nginx`"),
            ("", "–"),
            ("[x](javascript:alert(1))", "`[x](javascript:alert(1))`"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            ("a|b\nc", "`a¦b c`"),
            ("<img src=x>", "`<img src=x>`"),
        ] {
            assert_eq!(code(text), expected);
        }
    }
}
