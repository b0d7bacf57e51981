//! The exporter as a whole: budgets, expiry, monotony, and what promtool says of the page.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use hanabi_event::{Category, Container, Event, IgnoreReason, Priority, Process};
use proptest::prelude::*;

use crate::{
    AlertSource, EventCounter, EventDeltas, Exporter, ExporterOptions, Family, Format, Kind,
    Metrics, OTHER, Unit, definitions, observe_process, reference,
};

const HOUR: u64 = 3_600_000_000_000;
const START: u64 = 1_795_337_732_000_000_000;

fn event<'a>(container: &'a str, process: &'a str) -> Event<'a> {
    Event {
        time: START,
        rule: "process",
        category: Category::Process,
        container: Container { name: container, repository: "shop/nginx", ..Container::default() },
        process: Process { name: process, ..Process::default() },
        ..Event::default()
    }
}

fn exporter(options: &ExporterOptions) -> Exporter {
    Exporter::new(options, Metrics::new(), "0.0.0", START)
}

/// The samples of a text page, by series.
fn samples(page: &str, family: &str) -> BTreeMap<String, f64> {
    page.lines()
        .filter(|line| line.starts_with(family))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_string(), value.parse().unwrap())
        })
        .collect()
}

fn events_of(exporter: &Exporter, now: u64) -> BTreeMap<String, f64> {
    samples(&exporter.render(Format::Text, now), "syscall_events_total")
}

fn sum(samples: &BTreeMap<String, f64>) -> u64 {
    samples.values().sum::<f64>() as u64
}

#[test]
fn absent_values_have_their_words() {
    let options = ExporterOptions::default();
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    counter.count(&Event { time: START, ..Event::default() });
    exporter.apply(&counter.drain(), START);
    let page = exporter.render(Format::Text, START);
    let line = "syscall_events_total{rule=\"unknown\",priority=\"Debug\",\
                container_name=\"unknown\",image_repository=\"unknown\",process_name=\"unknown\",\
                k8s_namespace=\"none\",k8s_pod=\"none\",rule_category=\"unknown\"} 1\n";
    assert!(page.contains(line), "{page}");
    let line = "syscall_last_event_timestamp_seconds{container_name=\"unknown\"} 1795337732\n";
    assert!(page.contains(line), "{page}");
}

#[test]
fn labels_can_be_switched_off() {
    let options = ExporterOptions { process_name: false, k8s_pod: false, ..Default::default() };
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    for process in ["a", "b", "c"] {
        counter.count(&event("web", process));
    }
    exporter.apply(&counter.drain(), START);
    let events = events_of(&exporter, START);
    assert_eq!(events.values().collect::<Vec<_>>(), [&3.0]);
    let series = events.keys().next().unwrap();
    assert!(!series.contains("process_name") && !series.contains("k8s_pod"), "{series}");
}

#[test]
fn drains_hold_what_changed() {
    let mut counter = EventCounter::new(&ExporterOptions::default());
    let mut deltas = EventDeltas::default();
    counter.count(&event("web", "nginx"));
    counter.count(&Event { time: START + 5, ..event("web", "nginx") });
    counter.count(&event("db", "postgres"));
    counter.drain_into(&mut deltas);
    assert_eq!(deltas.events, 3);
    let of = |deltas: &EventDeltas| {
        deltas.series.iter().map(|s| (s.labels.get(2).to_string(), s.count, s.last)).collect()
    };
    let series: Vec<_> = of(&deltas);
    assert_eq!(series, [("web".into(), 2, START + 5), ("db".into(), 1, START)]);
    let labels = deltas.series[0].labels.clone();
    counter.drain_into(&mut deltas);
    assert!(deltas.is_empty() && deltas.series.is_empty());
    counter.count(&event("web", "nginx"));
    counter.drain_into(&mut deltas);
    assert!(std::sync::Arc::ptr_eq(&labels, &deltas.series[0].labels), "labels are kept");
}

#[test]
fn a_million_process_names_stay_bounded() {
    let options = ExporterOptions { series_max: 500, values_max: 100, ..Default::default() };
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    let mut deltas = EventDeltas::default();
    let mut name = String::new();
    for i in 0..1_000_000_u32 {
        name.clear();
        name.push_str(&i.wrapping_mul(2_654_435_761).to_string());
        counter.count(&event("web", &name));
        if i % 1_000 == 0 {
            counter.drain_into(&mut deltas);
            assert!(deltas.series.len() <= 600, "{}", deltas.series.len());
            exporter.apply(&deltas, START);
        }
    }
    exporter.apply(&counter.drain(), START);
    let events = events_of(&exporter, START);
    assert!(events.len() <= 101, "{}", events.len());
    assert_eq!(sum(&events), 1_000_000);
    let metrics = exporter.metrics();
    assert_eq!(metrics.events.get(), 1_000_000);
    let other: f64 = events.iter().filter(|(s, _)| s.contains(OTHER)).map(|(_, v)| v).sum();
    let folded = metrics.series_folded.of(Family::SyscallEvents).get();
    assert_eq!(folded, other as u64, "each folded occurrence is counted once");
    assert_eq!(metrics.series_folded.of(Family::LastEvent).get(), 0);
}

/// Whatever an attacker names what: the page stays what can be scraped, and the totals exact. The
/// time is printed for people; a busy machine must not fail it.
#[test]
fn a_million_names_pods_and_rules_keep_the_page_within_its_budget() {
    let options = ExporterOptions::default();
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    let (mut name, mut pod, mut rule) = (String::new(), String::new(), String::new());
    for i in 0..1_000_000_u32 {
        for (text, salt) in [(&mut name, 1), (&mut pod, 2), (&mut rule, 3)] {
            text.clear();
            text.push_str(&i.wrapping_mul(2_654_435_761).wrapping_add(salt).to_string());
        }
        let plain = event("web", &name);
        let container = Container { pod: &pod, namespace: "shop", ..plain.container };
        counter.count(&Event { rule: &rule, container, ..plain });
        if i % 10_000 == 0 {
            exporter.apply(&counter.drain(), START);
        }
    }
    exporter.apply(&counter.drain(), START);
    let began = std::time::Instant::now();
    let page = exporter.render(Format::Text, START);
    println!("{} bytes in {:.1?}", page.len(), began.elapsed());
    let events = samples(&page, "syscall_events_total");
    assert!(events.len() <= options.series_max + 1, "{}", events.len());
    assert!(page.len() < 16 << 20, "{}", page.len());
    assert_eq!(sum(&events), 1_000_000);
    assert_eq!(exporter.metrics().events.get(), 1_000_000);
}

#[test]
fn a_known_series_is_never_folded_and_comes_back_after_expiry() {
    let options = ExporterOptions { series_max: 4, ..Default::default() };
    let exporter = exporter(&options);
    let count = |container: &str, now: u64| {
        let mut counter = EventCounter::new(&options);
        counter.count(&event(container, "x"));
        exporter.apply(&counter.drain(), now);
    };
    count("first", START);
    for i in 0..20 {
        count(&format!("c{i}"), START + 1);
    }
    count("first", START + 2);
    let value = |now, container: &str| {
        let wanted = format!("container_name=\"{container}\"");
        events_of(&exporter, now).into_iter().find(|(s, _)| s.contains(&wanted)).map(|(_, v)| v)
    };
    assert_eq!(value(START + 2, "first"), Some(2.0));
    assert_eq!(value(START + 2, OTHER), Some(17.0));
    let later = START + 2 * HOUR;
    assert_eq!(value(later, "first"), None, "idle series are removed");
    assert_eq!(value(later, OTHER), None);
    count("first", later);
    count("c19", later);
    assert_eq!(value(later, "first"), Some(1.0), "and come back as their own");
    assert_eq!(value(later, "c19"), Some(1.0), "as does one that was folded before");
    assert_eq!(exporter.metrics().events.get(), 24, "the exact total forgets nothing");
    assert!(exporter.metrics().series_expired.of(Family::SyscallEvents).get() >= 5);
}

#[test]
fn idle_means_unchanged() {
    let options =
        ExporterOptions { idle_after: Duration::from_mins(10), ..ExporterOptions::default() };
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    let minute = HOUR / 60;
    for now in 0..30 {
        counter.count(&event("busy", "x"));
        if now == 0 {
            counter.count(&event("idle", "x"));
        }
        exporter.apply(&counter.drain(), START + now * minute);
    }
    let events = events_of(&exporter, START + 30 * minute);
    assert_eq!(events.values().collect::<Vec<_>>(), [&30.0]);
    assert_eq!(events_of(&exporter, START + 60 * minute).len(), 0);
}

#[test]
fn alerts_are_counted_by_their_labels() {
    let exporter = exporter(&ExporterOptions::default());
    for count in [2, 3] {
        let rule = "hbt.new_process";
        exporter.count_alert("web", rule, Priority::Warning, AlertSource::Hanabi, count, START);
    }
    let page = exporter.render(Format::Text, START);
    let line = "security_alerts_total{container_name=\"web\",rule=\"hbt.new_process\",\
                priority=\"Warning\",source=\"hanabi\"} 5\n";
    assert!(page.contains(line), "{page}");
    assert!(page.contains("\nhanabi_security_alerts_total 5\n"));
}

#[test]
fn hostile_values_stay_inside_their_quotes() {
    let options = ExporterOptions::default();
    let exporter = exporter(&options);
    let mut counter = EventCounter::new(&options);
    let long = "é".repeat(1_000);
    for name in ["a\"} 1\nfake_total 9", "back\\slash\\", "花火", &long, "\r\t\0", OTHER] {
        counter.count(&event(name, "x"));
    }
    exporter.apply(&counter.drain(), START);
    let page = exporter.render(Format::Text, START);
    assert!(page.contains("container_name=\"a\\\"} 1\\nfake_total 9\""));
    assert!(page.contains("container_name=\"back\\\\slash\\\\\""));
    assert!(page.contains("container_name=\"花火\""));
    assert!(page.contains(&format!("container_name=\"{}\"", "é".repeat(100))));
    assert!(!page.lines().any(|line| line.starts_with("fake_total")));
    promtool(&page);
}

fn filled() -> Exporter {
    let options = ExporterOptions::default();
    let metrics = Metrics::new();
    metrics.ingest_lines_ignored.of(IgnoreReason::Enter).add(7);
    metrics.match_duration.observe(Duration::from_micros(2));
    metrics.learning_progress_average.set(0.25);
    observe_process(&metrics);
    let exporter = Exporter::new(&options, metrics, "1.2.3", START);
    let mut counter = EventCounter::new(&options);
    for process in ["nginx", "sh"] {
        counter.count(&event("web", process));
    }
    exporter.apply(&counter.drain(), START + 1_500_000_000);
    let priority = Priority::Warning;
    exporter.count_alert("web", "Terminal shell", priority, AlertSource::Falco, 1, START);
    exporter
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    promtool(&filled().render(Format::Text, START + HOUR / 2));
}

/// Fails where promtool has anything to say. Without it on the path the check is left out, aloud.
fn promtool(page: &str) {
    let command = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = command else {
        // Written past the test runner, which swallows what a passing test prints.
        let warning = b"WARNING: promtool is not installed, the exposition was NOT checked\n";
        std::io::stderr().write_all(warning).unwrap();
        return;
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{page}");
}

#[test]
fn open_metrics_has_its_own_rules() {
    let page = filled().render(Format::OpenMetrics, START + HOUR / 2);
    assert!(page.ends_with("# EOF\n"));
    for line in [
        "# TYPE syscall_events counter",
        "# TYPE hanabi_build info",
        "hanabi_build_info{version=\"1.2.3\"} 1",
        "# UNIT process_resident_memory_bytes bytes",
        "# UNIT hanabi_ingest_received_bytes bytes",
        "hanabi_events_total 2",
        "hanabi_events_created 1795337732",
        "hanabi_match_duration_seconds_bucket{le=\"0.000003\"} 1",
        "hanabi_match_duration_seconds_bucket{le=\"+Inf\"} 1",
        "hanabi_match_duration_seconds_sum 0.000002",
        "hanabi_match_duration_seconds_count 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
    }
    let created = "rule_category=\"process\"} 1795337733.5\n";
    assert!(page.contains(created), "a series has its own creation time\n{page}");
    let mut family = String::new();
    let mut seen = Vec::new();
    for line in page.lines().filter(|line| *line != "# EOF") {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().unwrap().to_string();
            assert!(!seen.contains(&family), "{family} stands twice");
            assert!(!family.ends_with("_total"), "{family}");
            seen.push(family.clone());
        } else if let Some(head) = line.strip_prefix("# ") {
            assert!(head.split(' ').any(|word| word == family), "{line}");
        } else {
            assert!(line.starts_with(&family), "{line} is not of {family}");
        }
    }
}

#[test]
fn pages_are_sorted_and_repeatable() {
    let exporter = filled();
    let mut sorted: Vec<&str> = definitions().map(|definition| definition.name).collect();
    sorted.sort_unstable();
    for format in [Format::Text, Format::OpenMetrics] {
        let page = exporter.render(format, START + 1);
        assert_eq!(page, exporter.render(format, START + 2));
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: Vec<&str> = types.map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(names.len(), sorted.len());
        for (name, full) in names.iter().zip(&sorted) {
            assert!(full.starts_with(name), "{name} stands where {full} belongs");
        }
    }
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<&str> = definitions().map(|definition| definition.name).collect();
    for definition in definitions() {
        let name = definition.name;
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(valid), "{name}");
        assert_eq!(name.ends_with("_total"), definition.kind == Kind::Counter, "{name}");
        let base = name.trim_end_matches("_total");
        if definition.unit != Unit::Count {
            assert!(base.ends_with(definition.unit.as_str()), "{name}");
        }
        assert!(!definition.help.is_empty() && !definition.help.ends_with('.'), "{name}");
        assert!(definition.labels.len() <= crate::Labels::MAX, "{name}");
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "names are unique");
    for family in Family::ALL {
        assert!(names.contains(&family.as_str()));
    }
}

#[test]
fn the_reference_names_every_metric() {
    let reference = reference();
    for definition in definitions() {
        assert!(reference.contains(&format!("| `{}` |", definition.name)), "{}", definition.name);
    }
    assert!(reference.lines().skip(2).is_sorted());
    assert!(reference.lines().all(|line| line.matches('|').count() == 6));
}

#[test]
#[ignore = "a measurement: cargo test --release -p hanabi-telemetry -- --ignored --nocapture"]
fn time_of_counting() {
    for combinations in [1, 16, 256, 4_096] {
        let names: Vec<(String, String)> = (0..combinations)
            .map(|i| (format!("container-{}", i % 16), format!("process-{i}")))
            .collect();
        let namespace = Container { namespace: "production", ..event("", "").container };
        let events: Vec<Event<'_>> = names
            .iter()
            .map(|(container, process)| Event {
                container: Container { name: container, pod: "web-7d4b9c-x2x", ..namespace },
                ..event(container, process)
            })
            .collect();
        let mut counter = EventCounter::new(&ExporterOptions::default());
        let rounds = 4_000_000 / combinations;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            for event in &events {
                counter.count(std::hint::black_box(event));
            }
        }
        let each = start.elapsed().as_nanos() as f64 / f64::from(rounds * combinations);
        eprintln!("{combinations} combinations: {each:.1} ns an event");
        let start = std::time::Instant::now();
        let deltas = counter.drain();
        let drain = start.elapsed();
        let exporter = exporter(&ExporterOptions::default());
        let start = std::time::Instant::now();
        exporter.apply(&deltas, START);
        let apply = start.elapsed();
        let start = std::time::Instant::now();
        let page = exporter.render(Format::Text, START);
        let (render, size) = (start.elapsed(), page.len());
        eprintln!("  drain {drain:?}, apply {apply:?}, render {render:?} ({size} bytes)");
    }
}

#[derive(Clone, Debug)]
enum Action {
    Count { container: u8, process: u8 },
    Drain,
    Wait(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => (0..12_u8, 0..40_u8)
            .prop_map(|(container, process)| Action::Count { container, process }),
        3 => Just(Action::Drain),
        1 => (0..2 * HOUR).prop_map(Action::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens: series and values stay within their budgets, what is not expired adds up,
    /// the exact total is exact, and no series falls without having been removed.
    #[test]
    fn budgets_hold(actions in prop::collection::vec(action(), 1..400)) {
        let options = ExporterOptions { series_max: 16, values_max: 6, ..Default::default() };
        let exporter = exporter(&options);
        let mut counter = EventCounter::new(&options);
        let (mut now, mut counted, mut drained) = (START, 0, 0);
        let mut before: BTreeMap<String, f64> = BTreeMap::new();
        for action in actions {
            match action {
                Action::Count { container, process } => {
                    let (container, process) = (format!("c{container}"), format!("p{process}"));
                    counter.count(&event(&container, &process));
                    counted += 1;
                }
                Action::Wait(time) => now += time,
                Action::Drain => {
                    exporter.apply(&counter.drain(), now);
                    drained = counted;
                }
            }
            let events = events_of(&exporter, now);
            prop_assert!(events.len() <= 17, "{events:?}");
            for label in ["container_name=\"c", "process_name=\"p"] {
                let values: std::collections::BTreeSet<&str> = events
                    .keys()
                    .filter_map(|series| series.split_once(label)?.1.split('"').next())
                    .collect();
                prop_assert!(values.len() <= 6, "{values:?}");
            }
            prop_assert_eq!(exporter.metrics().events.get(), drained);
            prop_assert!(sum(&events) <= drained);
            let expired = exporter.metrics().series_expired.of(Family::SyscallEvents).get();
            if expired == 0 {
                prop_assert_eq!(sum(&events), drained);
                for (series, value) in &before {
                    prop_assert!(events.get(series).is_some_and(|now| now >= value), "{series}");
                }
                before = events;
            }
        }
    }
}
