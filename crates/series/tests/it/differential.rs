//! The same questions to Prometheus and to the evaluator: the same answers, to nine digits.

use std::collections::BTreeMap;

use hanabi_series::{
    Answer, Edges, Engine, Labels, Memory, Options, QueryError, SeriesStore, Storage, StoreOptions,
    is_stale, number, openmetrics,
};
use serde_json::Value;

use crate::{
    data::{self, END, START},
    prometheus::Prometheus,
    queries,
};

/// A series' points by time, in ms, as text of a number.
type Points = BTreeMap<String, BTreeMap<i64, f64>>;

fn key(labels: &Labels) -> String {
    labels.to_string()
}

fn ours(answer: Answer) -> Points {
    let mut points = Points::new();
    let mut put = |key: String, time: i64, value: f64| {
        assert_eq!(points.entry(key).or_default().insert(time, value), None, "twice");
    };
    match answer {
        Answer::Scalar(sample) => put(String::new(), sample.time, sample.value),
        Answer::Text(time, text) => put(text, time, 0.0),
        Answer::Vector(all) => {
            for (labels, sample) in all {
                put(key(&labels), sample.time, sample.value);
            }
        }
        Answer::Matrix(all) => {
            for (labels, samples) in all {
                for sample in samples {
                    put(key(&labels), sample.time, sample.value);
                }
            }
        }
    }
    points
}

fn theirs(answer: &Value) -> Points {
    let mut points = Points::new();
    let mut put = |key: String, pair: &Value| {
        let time = (pair[0].as_f64().unwrap() * 1_000.0).round() as i64;
        let value = pair[1].as_str().unwrap();
        let value = match value {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            other => other.parse().unwrap(),
        };
        points.entry(key).or_default().insert(time, value);
    };
    let data = &answer["data"];
    if data["resultType"] == "scalar" {
        put(String::new(), &data["result"]);
        return points;
    }
    for series in data["result"].as_array().unwrap() {
        let labels = series["metric"].as_object().unwrap();
        let labels =
            Labels::new(labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap())));
        if let Some(value) = series.get("value") {
            put(key(&labels), value);
        }
        for value in series["values"].as_array().into_iter().flatten() {
            put(key(&labels), value);
        }
    }
    points
}

fn differ(a: f64, b: f64) -> bool {
    let same = a == b || (a.is_nan() && b.is_nan());
    // Sums that come to nothing leave what their order leaves.
    !same && (a - b).abs() > (1e-9 * a.abs().max(b.abs())).max(1e-12)
}

/// The first difference, for people.
fn difference(ours: &Points, theirs: &Points) -> Option<String> {
    let names = |points: &Points| points.keys().cloned().collect::<Vec<_>>();
    if names(ours) != names(theirs) {
        return Some(format!("series {:?}, Prometheus {:?}", names(ours), names(theirs)));
    }
    for (name, points) in ours {
        let other = &theirs[name];
        if !points.keys().eq(other.keys()) {
            let count = (points.len(), other.len());
            let only = points.keys().find(|t| !other.contains_key(t));
            let missing = other.keys().find(|t| !points.contains_key(t));
            return Some(format!(
                "{name}: points {count:?}, only ours {only:?}, missing {missing:?}"
            ));
        }
        for (time, value) in points {
            if differ(*value, other[time]) {
                let (a, b) = (number(*value), number(other[time]));
                return Some(format!("{name} at {time}: {a}, Prometheus {b}"));
            }
        }
    }
    None
}

struct Both {
    storage: Box<dyn Storage>,
    prometheus: Prometheus,
    problems: Vec<String>,
    asked: usize,
}

impl Both {
    fn compare(&mut self, what: &str, ours: Result<Answer, QueryError>, theirs_said: &Value) {
        self.asked += 1;
        let problem = match (ours, theirs_said["status"].as_str()) {
            (Ok(answer), Some("success")) => difference(&self::ours(answer), &theirs(theirs_said)),
            (Err(_), Some("error")) => None,
            (Ok(_), _) => Some(format!("answered; Prometheus: {}", theirs_said["error"])),
            (Err(error), _) => Some(format!("refused: {error}")),
        };
        self.problems.extend(problem.map(|problem| format!("{what}: {problem}")));
    }

    fn instant(&mut self, query: &str, time: i64) {
        let never = || None;
        let options = Options { edges: Edges::Closed, ..Options::default() };
        let ours = Engine::new(self.storage.as_ref(), options, &never).instant(query, time);
        let at = format!("{}", time as f64 / 1_000.0);
        let said = self.prometheus.ask("query", &[("query", query.to_owned()), ("time", at)]);
        self.compare(&format!("{query} at {time}"), ours, &said);
    }

    fn range(&mut self, query: &str, from: i64, to: i64, step: i64) {
        let never = || None;
        let options = Options { edges: Edges::Closed, ..Options::default() };
        let ours = Engine::new(self.storage.as_ref(), options, &never).range(query, from, to, step);
        let seconds = |ms: i64| format!("{}", ms as f64 / 1_000.0);
        let said = self.prometheus.ask(
            "query_range",
            &[
                ("query", query.to_owned()),
                ("start", seconds(from)),
                ("end", seconds(to)),
                ("step", seconds(step)),
            ],
        );
        self.compare(&format!("{query} over {from}..{to} by {step}"), ours, &said);
    }
}

#[test]
fn prometheus_gives_the_same_answers() {
    let data = data::all();
    let Some(prometheus) = Prometheus::start(&data) else { return };
    let mut memory = Memory::default();
    for series in &data {
        for sample in &series.samples {
            assert!(memory.add(&series.labels, *sample));
        }
    }
    let storage = Box::new(memory);
    let mut both = Both { storage, prometheus, problems: Vec::new(), asked: 0 };
    let queries = queries::all();
    assert!(queries.len() >= 150, "{}", queries.len());
    for query in &queries {
        for time in [START - 1_000, START + 1_234_567, START + 3_600_000, END, END + 200_000] {
            both.instant(query, time);
        }
        // Text and range vectors have no range query.
        both.range(query, START - 60_000, END + 400_000, 60_000);
        both.range(query, START + 900_000, START + 1_500_000, 7_000);
    }
    for query in queries::WRONG {
        both.instant(query, START + 3_600_000);
        both.range(query, START, END, 60_000);
    }
    let asked = both.tell(queries.len());
    println!("{asked} answers to {} queries are the same", queries.len());
}

#[test]
fn what_promtool_and_the_import_take_of_one_text_is_the_same() {
    let mut data = data::all();
    for series in &mut data {
        // `promtool` cannot be told that a series has ended.
        series.samples.retain(|sample| !is_stale(sample.value));
    }
    let mut text = String::new();
    for series in &data {
        for sample in &series.samples {
            openmetrics::write(&series.labels, *sample, &mut text);
        }
    }
    text.push_str("# EOF\n");
    let Some(prometheus) = Prometheus::of_text(&text) else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
    let mut reader = openmetrics::Reader::default();
    let read = text.lines().filter_map(|line| reader.line(line.as_bytes()).unwrap());
    // In three parts, in no order.
    let mut read: Vec<_> = read.collect();
    read.sort_by_key(|(_, sample)| std::cmp::Reverse(sample.time % 10_007));
    for part in read.chunks(read.len() / 3 + 1) {
        store.insert(part.to_vec()).unwrap();
    }
    let mut both = Both { storage: Box::new(store), prometheus, problems: Vec::new(), asked: 0 };
    let queries = queries::all();
    for query in queries.iter().step_by(3) {
        both.instant(query, START + 3_600_000);
        both.range(query, START - 60_000, END + 400_000, 300_000);
    }
    let asked = both.tell(queries.len().div_ceil(3));
    println!("{asked} answers over imported text are the same");
}

impl Both {
    /// How many were asked; fails where an answer differs.
    fn tell(self, queries: usize) -> usize {
        let Self { asked, problems, .. } = self;
        assert!(
            problems.is_empty(),
            "{} of {asked} answers to {queries} queries differ:\n{}",
            problems.len(),
            problems.iter().take(60).map(String::as_str).collect::<Vec<_>>().join("\n")
        );
        asked
    }
}
