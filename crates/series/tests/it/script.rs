//! Scripts in the format of Prometheus' `promqltest`: `load`, `eval`, `expect`, `clear`.
//!
//! What is loaded goes through the text format of imports into a store. As there, every query at an
//! instant is also asked as a range around it, and values are compared to a millionth.

mod read;

use std::{fmt::Write as _, path::Path};

use hanabi_series::{
    Answer, Engine, Labels, Options, QueryError, Sample, SeriesStore, StoreOptions,
    openmetrics::{Reader, write},
};

use read::{Command, Eval, Expected, commands};

/// Runs a script; what did not come true, each with its line.
fn run(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut store = Stored::new();
    for (line, command) in commands(text).unwrap_or_else(|why| panic!("{why}")) {
        match command {
            Command::Clear => store = Stored::new(),
            Command::Load(series) => store.load(&series),
            Command::Eval(eval) => {
                if let Err(why) = store.check(&eval) {
                    problems.push(format!("line {line}: {}: {why}", eval.query));
                }
            }
        }
    }
    problems
}

struct Stored {
    store: SeriesStore,
    _dir: tempfile::TempDir,
}

impl Stored {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
        Self { store, _dir: dir }
    }

    fn load(&self, series: &[(Labels, Vec<Sample>)]) {
        let mut text = String::new();
        for (labels, samples) in series {
            for sample in samples {
                write(labels, *sample, &mut text);
            }
        }
        let mut reader = Reader::default();
        let read = text.lines().filter_map(|line| reader.line(line.as_bytes()).unwrap());
        self.store.insert(read.collect::<Vec<_>>()).unwrap();
    }

    fn ask(&self, eval: &Eval) -> Result<Answer, QueryError> {
        let engine = Engine::new(&self.store, Options::default(), &|| None);
        match eval.range {
            Some((from, to, step)) => engine.range(&eval.query, from, to, step),
            None => engine.instant(&eval.query, eval.time),
        }
    }

    fn check(&self, eval: &Eval) -> Result<(), String> {
        let answer = match (self.ask(eval), eval.fails) {
            (Err(error), true) => {
                let said = error.to_string();
                return match &eval.message {
                    Some(message) if *message != said => Err(format!("it says {said:?}")),
                    _ => Ok(()),
                };
            }
            (Ok(answer), true) => return Err(format!("answered {answer:?}")),
            (Err(error), false) => return Err(format!("refused: {error}")),
            (Ok(answer), false) => answer,
        };
        compare(eval, &answer)?;
        if let (None, Answer::Vector(_) | Answer::Scalar(_)) = (eval.range, &answer) {
            self.check_range(eval, &answer)?;
        }
        Ok(())
    }

    /// The same query over three steps, of which the one in the middle is the instant.
    fn check_range(&self, eval: &Eval, answer: &Answer) -> Result<(), String> {
        // `start()` and `end()` are other times in a range.
        if eval.query.contains("start()") || eval.query.contains("end()") {
            return Ok(());
        }
        let engine = Engine::new(&self.store, Options::default(), &|| None);
        let range = engine.range(&eval.query, eval.time - 60_000, eval.time + 60_000, 60_000);
        // Another step of the range may have no answer.
        let Ok(Answer::Matrix(series)) = range else { return Ok(()) };
        let at = |(labels, samples): (Labels, Vec<Sample>)| {
            let sample = samples.into_iter().find(|sample| sample.time == eval.time)?;
            Some((labels, sample))
        };
        let there: Vec<(Labels, Sample)> = series.into_iter().filter_map(at).collect();
        let middle = match (answer, there.first()) {
            (Answer::Scalar(_), Some((_, sample))) => Answer::Scalar(*sample),
            _ => Answer::Vector(there),
        };
        let unordered = Eval { ordered: false, ..eval.clone() };
        compare(&unordered, &middle).map_err(|why| format!("as a range: {why}"))
    }
}

fn compare(eval: &Eval, answer: &Answer) -> Result<(), String> {
    let found: Vec<(Labels, Vec<Option<f64>>)> = match answer {
        Answer::Scalar(sample) => {
            return match &eval.expected[..] {
                [Expected::Scalar(value)] if same(*value, sample.value) => Ok(()),
                expected => Err(format!("{} instead of {expected:?}", sample.value)),
            };
        }
        Answer::Text(_, text) => {
            return match &eval.expected[..] {
                [Expected::Text(expected)] if expected == text => Ok(()),
                expected => Err(format!("{text:?} instead of {expected:?}")),
            };
        }
        Answer::Vector(all) => all.iter().map(|(l, s)| (l.clone(), vec![Some(s.value)])).collect(),
        Answer::Matrix(all) => {
            let (from, to, step) = eval.range.ok_or("a matrix at an instant")?;
            let times = || (from..=to).step_by(step as usize);
            let at = |samples: &[Sample], time| {
                samples.iter().find(|sample| sample.time == time).map(|sample| sample.value)
            };
            all.iter().map(|(l, s)| (l.clone(), times().map(|t| at(s, t)).collect())).collect()
        }
    };
    let steps = eval.range.map_or(1, |(from, to, step)| (to - from) / step + 1) as usize;
    let mut expected: Vec<(Labels, Vec<Option<f64>>)> = Vec::new();
    for one in &eval.expected {
        let Expected::Series(labels, values) = one else {
            return Err(format!("{} series instead of {one:?}", found.len()));
        };
        let mut values = values.clone();
        values.resize(steps, None);
        expected.push((labels.clone(), values));
    }
    let mut sorted = found;
    if !eval.ordered {
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let equal = |a: &[Option<f64>], b: &[Option<f64>]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|pair| match pair {
                (Some(a), Some(b)) => same(*a, *b),
                (a, b) => a.is_none() && b.is_none(),
            })
    };
    let all_equal = sorted.len() == expected.len()
        && sorted.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && equal(&a.1, &b.1));
    if all_equal {
        return Ok(());
    }
    let mut why = String::from("found");
    for (title, all) in [("", &sorted), ("\n  instead of", &expected)] {
        why.push_str(title);
        for (labels, values) in all {
            _ = write!(why, "\n    {labels} {values:?}");
        }
    }
    Err(why)
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

#[test]
fn every_script_comes_true() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut all: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    // `HANABI_SCRIPTS` names further ones, such as those of Prometheus itself.
    if let Some(more) = std::env::var_os("HANABI_SCRIPTS") {
        all.extend(std::fs::read_dir(more).unwrap().map(|entry| entry.unwrap().path()));
    }
    all.sort();
    assert!(all.len() >= 10, "{all:?}");
    let mut problems = Vec::new();
    for path in all {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let found = run(&std::fs::read_to_string(&path).unwrap());
        problems.extend(found.into_iter().map(|problem| format!("{name} {problem}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_does_not_come_true_is_told() {
    let load = "load 1m\n  up{n=\"1\"} 0+1x2 _ stale 5\n";
    let wrong = |eval: &str| run(&format!("{load}{eval}")).len();
    for (eval, problems) in [
        ("eval instant at 2m up\n  up{n=\"1\"} 2\n", 0),
        ("eval instant at 3m up\n  up{n=\"1\"} 2\n", 0),
        ("eval instant at 4m up\n", 0),
        ("eval instant at 2m up\n  up{n=\"1\"} 3\n", 1),
        ("eval instant at 2m up\n  up{n=\"2\"} 2\n", 1),
        ("eval instant at 2m up\n", 1),
        ("eval instant at 2m 1\n  1\n", 0),
        ("eval_fail instant at 2m up\n", 1),
        ("eval_fail instant at 2m sum(\n", 0),
        ("eval instant at 2m nosuch(up)\n  expect fail\n", 0),
        ("eval range from 0 to 5m step 1m up\n  up{n=\"1\"} 0 1 2 2 _ 5\n", 0),
        ("eval range from 0 to 5m step 1m up\n  up{n=\"1\"} 0 1 2 2 2 5\n", 1),
        ("eval instant at 1m \"text\"\n  expect string \"text\"\n", 0),
    ] {
        assert_eq!(wrong(eval), problems, "{eval}");
    }
}
