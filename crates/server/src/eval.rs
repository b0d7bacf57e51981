//! `hanabi eval`: detection judged on a labelled recording.

use std::{io::Write as _, path::Path, time::Instant};

use anyhow::Context as _;
use hanabi_detect::{
    Alert, AlertSource, Observer, Settings, Verdict, danger::DangerList, matcher::Exact,
};
use hanabi_event::{Event, EventTime, Priority, SECOND, time::parse_time};
use serde::{Deserialize, Serialize};

use crate::{
    cli::{EvalArgs, Ingredient},
    config::Config,
    feed::{self, Lines, Metered},
    prototype::{Group, Prototype},
};

/// An alert may come this long after an episode's end and still belong to it.
const GRACE: EventTime = 2 * SECOND;

#[derive(Debug, Deserialize)]
struct Labels {
    phases: Vec<RawPhase>,
}

#[derive(Debug, Deserialize)]
struct RawPhase {
    kind: String,
    name: String,
    technique: Option<String>,
    container: Option<String>,
    start: String,
    end: String,
}

#[derive(Debug)]
struct Phase {
    kind: String,
    name: String,
    technique: String,
    containers: Vec<String>,
    start: EventTime,
    end: EventTime,
}

impl Phase {
    /// Benign, and not a gap after an attack, which may hold its aftermath.
    fn is_benign(&self) -> bool {
        self.kind == "benign" && !self.name.starts_with("gap_after")
    }
}

/// One attack episode's result.
#[derive(Debug, Serialize)]
struct Episode {
    name: String,
    technique: String,
    container: String,
    /// The highest priority of an alert by behaviour that was active in it.
    priority: Option<Priority>,
    /// From its start to the first such alert at Warning or above, milliseconds.
    time_to_detect_ms: Option<f64>,
    /// The same by Falco's rules, at Notice or above.
    falco: Option<Priority>,
    /// Rules of the alerts at Warning or above that were active in it.
    alerts: Vec<String>,
    incidents: usize,
}

#[derive(Debug, Serialize)]
struct FalseAlert {
    phase: String,
    container: String,
    rule: String,
    priority: Priority,
    source: &'static str,
    summary: String,
}

#[derive(Debug, Serialize)]
struct Report {
    episodes: Vec<Episode>,
    attacks: usize,
    /// Episodes found at this priority or above, by behaviour.
    found_at: std::collections::BTreeMap<String, usize>,
    /// Episodes that Falco's rules found at Notice or above.
    found_by_falco: usize,
    /// Alerts by behaviour at Warning or above that were first raised in benign phases.
    false_alerts: usize,
    false_alerts_falco: usize,
    false_alert_list: Vec<FalseAlert>,
    false_alerts_per_container_hour: f64,
    benign_container_hours: f64,
    /// Alerts at Warning or above that were raised while learning.
    learning_alerts: usize,
    alerts_total: usize,
    alerts_at_warning: usize,
    alerts_per_episode: f64,
    incidents_per_episode: f64,
    median_time_to_detect_ms: Option<f64>,
    events: u64,
    events_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact_matching: Option<Baseline>,
}

/// What another way of detecting came to on the same recording.
#[derive(Debug, Serialize)]
struct Baseline {
    found: usize,
    false_alerts: usize,
    alerts: usize,
}

/// Counts for the metrics, as the service does, and for the comparison where it is asked for.
struct Judged {
    metered: Metered,
    prototype: Option<Prototype>,
}

impl Observer for Judged {
    fn line(&mut self, event: &Event<'_>, identity: &str, verdict: Verdict) {
        self.metered.line(event, identity, verdict);
        if let Some(prototype) = &mut self.prototype {
            prototype.line(event, identity, verdict);
        }
    }
}

/// Judges detection on one recording.
pub(crate) fn eval(args: &EvalArgs, config: &Config) -> anyhow::Result<()> {
    let phases = labels(&args.labels)?;
    let mut settings = feed::settings(config)?;
    if !args.self_ending && args.profiles.is_none() {
        settings.detect_from = phases.iter().find(|p| p.kind == "learn").map(|p| p.end);
    }
    for ingredient in &args.without {
        switch_off(*ingredient, &mut settings);
    }
    let learn_end = phases.iter().find(|p| p.kind == "learn").map_or(0, |p| p.end);
    let mut engine =
        feed::engine(settings, config, feed::threads(None), args.profiles.as_deref(), || Judged {
            metered: Metered::new(),
            prototype: args.baselines.then(|| Prototype::new(learn_end)),
        })?;
    let started = Instant::now();
    let which = if args.without.contains(&Ingredient::Enters) { Lines::Exits } else { Lines::All };
    feed::recordings(&mut engine, std::slice::from_ref(&args.recording), which, |_| ())?;
    let seconds = started.elapsed().as_secs_f64();
    let containers = engine.watches().count();
    let mut report = judge(&phases, &engine.alerts(), &engine.incidents(), containers);
    report.events = engine.totals().received;
    report.events_per_second = report.events as f64 / seconds.max(1e-9);
    if args.baselines {
        let groups: Vec<Group> = engine
            .rooms()
            .filter_map(|room| room.observer.prototype.as_ref())
            .flat_map(|p| p.groups().cloned())
            .collect();
        report.exact_matching = Some(judge_exact(&phases, &groups));
    }
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.row {
        out.write_all(rows(&report, name).as_bytes()).context("failed to write the rows")?;
    } else if args.json {
        serde_json::to_writer_pretty(&mut out, &report).context("failed to write the report")?;
        out.write_all(b"\n").context("failed to write the report")?;
    } else {
        out.write_all(table(&report).as_bytes()).context("failed to write the report")?;
    }
    Ok(())
}

/// Measures what an ingredient is worth by leaving it out.
fn switch_off(ingredient: Ingredient, settings: &mut Settings) {
    match ingredient {
        Ingredient::Lexical => settings.limits.lexical = false,
        Ingredient::Structural => settings.limits.merge = false,
        Ingredient::Semantic => settings.matcher = Box::new(Exact),
        Ingredient::Danger => settings.danger = DangerList::background_only(),
        Ingredient::Bursts => settings.bursts = false,
        // The recording is fed without them.
        Ingredient::Enters => {}
    }
}

fn labels(path: &Path) -> anyhow::Result<Vec<Phase>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the labels {}", path.display()))?;
    let labels: Labels = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a labels file", path.display()))?;
    let time = |text: &str| {
        parse_time(text)
            .with_context(|| format!("`{text}` in {} is not an RFC 3339 time", path.display()))
    };
    labels
        .phases
        .into_iter()
        .map(|raw| {
            Ok(Phase {
                start: time(&raw.start)?,
                end: time(&raw.end)?,
                kind: raw.kind,
                technique: raw.technique.unwrap_or_default(),
                containers: raw
                    .container
                    .unwrap_or_default()
                    .split(',')
                    .filter(|c| !c.is_empty())
                    .map(str::to_owned)
                    .collect(),
                name: raw.name,
            })
        })
        .collect()
}

fn within(phase: &Phase, time: EventTime) -> bool {
    phase.start <= time && time <= phase.end
}

fn first_raised_benign(phases: &[Phase], alert: &Alert) -> bool {
    phases.iter().any(|p| p.is_benign() && within(p, alert.first_seen))
}

/// The highest priority at which an alert was active in an episode, and when first at `Warning`.
fn activity(alert: &Alert, phase: &Phase) -> Option<(Priority, Option<EventTime>)> {
    if !alert.containers.iter().any(|c| phase.containers.contains(&c.name)) {
        return None;
    }
    let end = phase.end + GRACE;
    let steps: Vec<_> = alert
        .activity
        .iter()
        .filter(|a| a.first <= end && a.start + SECOND > phase.start)
        .collect();
    let highest = steps.iter().map(|a| a.max_priority).max()?;
    let first = steps
        .iter()
        .filter(|a| a.max_priority >= Priority::Warning)
        .map(|a| a.first.max(phase.start))
        .min();
    Some((highest, first))
}

fn judge(
    phases: &[Phase],
    alerts: &[Alert],
    incidents: &[hanabi_detect::Incident],
    containers: usize,
) -> Report {
    let of = |source: AlertSource| alerts.iter().filter(move |a| a.source == source);
    let mut episodes = Vec::new();
    for phase in phases.iter().filter(|p| p.kind == "attack") {
        let mut episode = Episode {
            name: phase.name.clone(),
            technique: phase.technique.clone(),
            container: phase.containers.join(","),
            priority: None,
            time_to_detect_ms: None,
            falco: None,
            alerts: Vec::new(),
            incidents: 0,
        };
        let mut first_at: Option<EventTime> = None;
        for alert in of(AlertSource::Hanabi).filter(|a| !first_raised_benign(phases, a)) {
            let Some((priority, first)) = activity(alert, phase) else { continue };
            episode.priority = episode.priority.max(Some(priority));
            if priority >= Priority::Warning {
                episode.alerts.push(format!("{} {}", alert.rule, alert.path.token));
                first_at = [first_at, first].into_iter().flatten().min();
            }
        }
        episode.time_to_detect_ms = first_at.map(|at| (at - phase.start) as f64 / 1e6);
        for alert in of(AlertSource::Falco).filter(|a| !first_raised_benign(phases, a)) {
            if let Some((priority, _)) = activity(alert, phase)
                && priority >= Priority::Notice
            {
                episode.falco = episode.falco.max(Some(priority));
            }
        }
        episode.incidents = incidents
            .iter()
            .filter(|i| {
                i.priority >= Priority::Warning
                    && i.first_seen <= phase.end + GRACE
                    && i.last_seen >= phase.start
            })
            .filter(|i| phase.containers.contains(&i.container.name))
            .count();
        episodes.push(episode);
    }
    summarise(phases, alerts, episodes, containers)
}

fn summarise(
    phases: &[Phase],
    alerts: &[Alert],
    episodes: Vec<Episode>,
    containers: usize,
) -> Report {
    let mut false_alert_list = Vec::new();
    for alert in alerts {
        let least =
            if alert.source == AlertSource::Hanabi { Priority::Warning } else { Priority::Notice };
        let benign = |p: &&Phase| p.is_benign();
        let phase = phases.iter().filter(benign).find(|p| within(p, alert.first_seen));
        let reached = phase.is_some_and(|p| {
            alert.activity.iter().any(|a| a.max_priority >= least && within(p, a.first))
                || phases.iter().filter(benign).any(|p| {
                    alert.activity.iter().any(|a| a.max_priority >= least && within(p, a.first))
                })
        });
        if let (Some(phase), true) = (phase, reached) {
            false_alert_list.push(FalseAlert {
                phase: phase.name.clone(),
                container: alert.container.name.clone(),
                rule: alert.rule.clone(),
                priority: alert.priority,
                source: alert.source.as_str(),
                summary: alert.summary.en.clone(),
            });
        }
    }
    let false_by = |source: &str| false_alert_list.iter().filter(|f| f.source == source).count();
    let benign_time: EventTime =
        phases.iter().filter(|p| p.is_benign()).map(|p| p.end - p.start).sum();
    let hours = benign_time as f64 / (3_600.0 * SECOND as f64) * containers as f64;
    let learn = |a: &Alert| phases.iter().any(|p| p.kind == "learn" && within(p, a.first_seen));
    let hanabi = |a: &&Alert| a.source == AlertSource::Hanabi && a.priority >= Priority::Warning;
    let mut times: Vec<f64> = episodes.iter().filter_map(|e| e.time_to_detect_ms).collect();
    times.sort_by(f64::total_cmp);
    let count = episodes.len().max(1) as f64;
    Report {
        attacks: episodes.len(),
        found_at: Priority::ALL
            .into_iter()
            .skip(1)
            .map(|p| {
                (p.as_str().to_owned(), episodes.iter().filter(|e| e.priority >= Some(p)).count())
            })
            .collect(),
        found_by_falco: episodes.iter().filter(|e| e.falco.is_some()).count(),
        false_alerts: false_by("hanabi"),
        false_alerts_falco: false_by("falco"),
        false_alerts_per_container_hour: if hours > 0.0 {
            false_by("hanabi") as f64 / hours
        } else {
            0.0
        },
        benign_container_hours: hours,
        learning_alerts: alerts.iter().filter(hanabi).filter(|a| learn(a)).count(),
        alerts_total: alerts.len(),
        alerts_at_warning: alerts.iter().filter(hanabi).count(),
        alerts_per_episode: episodes.iter().map(|e| e.alerts.len()).sum::<usize>() as f64 / count,
        incidents_per_episode: episodes.iter().map(|e| e.incidents).sum::<usize>() as f64 / count,
        median_time_to_detect_ms: times.get(times.len() / 2).copied(),
        events: 0,
        events_per_second: 0.0,
        exact_matching: None,
        false_alert_list,
        episodes,
    }
}

fn judge_exact(phases: &[Phase], groups: &[Group]) -> Baseline {
    let benign = |time| phases.iter().any(|p| p.is_benign() && within(p, time));
    let in_episode = |g: &Group, p: &Phase| {
        p.containers.contains(&g.container)
            && g.times.iter().any(|t| p.start <= *t && *t <= p.end + GRACE)
    };
    let attacks = phases.iter().filter(|p| p.kind == "attack");
    Baseline {
        found: attacks
            .filter(|p| groups.iter().any(|g| !benign(g.first) && in_episode(g, p)))
            .count(),
        false_alerts: groups.iter().filter(|g| benign(g.first)).count(),
        alerts: groups.len(),
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = std::fmt::Write::write_fmt(text, what);
    debug_assert!(written.is_ok(), "a string takes all text");
}

/// Rows for the table in the documents; see `scripts/eval.sh`.
fn rows(report: &Report, name: &str) -> String {
    let warning = report.found_at.get("Warning").copied().unwrap_or_default();
    let attacks = report.attacks;
    let median =
        report.median_time_to_detect_ms.map_or_else(|| "-".to_owned(), |t| format!("{t:.0} ms"));
    let mut text = format!(
        "| {name} | {warning} of {attacks} | {} | {} of {} | {:.1} / {:.1} | {median} |\n",
        report.false_alerts,
        report.alerts_at_warning,
        report.alerts_total,
        report.alerts_per_episode,
        report.incidents_per_episode,
    );
    if let Some(exact) = &report.exact_matching {
        let falco = report.found_by_falco;
        put(
            &mut text,
            format_args!(
                "| Falco's stock rules, Notice and above | {falco} of {attacks} | {} | - | - | - |\n",
                report.false_alerts_falco
            ),
        );
        put(
            &mut text,
            format_args!(
                "| exact matching | {} of {attacks} | {} | {} | - | - |\n",
                exact.found, exact.false_alerts, exact.alerts
            ),
        );
    }
    text
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    for e in &report.episodes {
        let priority = e.priority.map_or("-", Priority::as_str);
        let falco = e.falco.map_or("-", Priority::as_str);
        let time = e.time_to_detect_ms.map_or_else(|| "-".to_owned(), |t| format!("{t:.0} ms"));
        put(
            &mut text,
            format_args!(
                "{:<26} {:<11} {:<13} {:>8}  falco {:<9} {}\n",
                e.name,
                e.container,
                priority,
                time,
                falco,
                e.alerts.join("; ")
            ),
        );
    }
    let warning = report.found_at.get("Warning").copied().unwrap_or_default();
    put(&mut text, format_args!("found at Warning or above   {warning} of {}\n", report.attacks));
    put(
        &mut text,
        format_args!(
            "found by Falco's rules      {} of {}
",
            report.found_by_falco, report.attacks
        ),
    );
    put(
        &mut text,
        format_args!(
            "false alerts                {} ({:.1} per container-hour), Falco's rules {}\n",
            report.false_alerts, report.false_alerts_per_container_hour, report.false_alerts_falco
        ),
    );
    for f in &report.false_alert_list {
        put(
            &mut text,
            format_args!("  {} {} {} {}: {}\n", f.source, f.phase, f.priority, f.rule, f.summary),
        );
    }
    put(&mut text, format_args!("alerts while learning       {}\n", report.learning_alerts));
    put(
        &mut text,
        format_args!(
            "alerts                      {} at Warning, {} in all\n",
            report.alerts_at_warning, report.alerts_total
        ),
    );
    put(
        &mut text,
        format_args!(
            "per episode                 {:.1} alerts, {:.1} incidents\n",
            report.alerts_per_episode, report.incidents_per_episode
        ),
    );
    put(
        &mut text,
        format_args!(
            "events                      {} ({:.0}/s)\n",
            report.events, report.events_per_second
        ),
    );
    text
}
