//! What the store costs: the service on a file, with everything made durable, beside a replay of the
//! same file, which stores nothing.
//!
//! `cargo bench -p hanabi-server --bench store -- [FILE]` runs both in turn with the release binary.
//! The service does more than the replay even without a store (it answers requests, counts, and
//! publishes every row), so the ratio is a lower bound. The bar is 0.85.

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const ROUNDS: usize = 7;
/// A service that never gets there is ended.
const PATIENCE: Duration = Duration::from_mins(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let Some(file) = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from)
    else {
        writeln!(out, "store: no recording given (an unpacked .jsonl file); left out")?;
        return Ok(());
    };
    let lines = memchr::memchr_iter(b'\n', &std::fs::read(&file)?).count();
    let mut rates: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        rates[0].push(lines as f64 / replay(&file)?.as_secs_f64());
        rates[1].push(serve(&file, lines as u64)?);
    }
    let [replay, service] = rates.map(median);
    writeln!(out, "{lines} lines, medians of {ROUNDS} rounds in turn")?;
    writeln!(out, "replay, nothing stored (the baseline)    {replay:>10.0} events/s")?;
    writeln!(out, "service, everything stored               {service:>10.0} events/s")?;
    writeln!(out, "service / replay                         {:>10.2}", service / replay)?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn replay(file: &Path) -> Result<Duration, Box<dyn Error>> {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_hanabi"))
        .args(["replay", "--learn-for", "180s"])
        .arg(file)
        .output()?;
    if output.status.success() {
        Ok(started.elapsed())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// Ended when it goes out of scope, however that happens.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Lines a second that the service works off, from the first figures it publishes to the last: it
/// publishes four times a second, and looks for a file ten times.
fn serve(file: &Path, lines: u64) -> Result<f64, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let watched = dir.path().join("events.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_hanabi"))
        .args(["run", "--listen", "127.0.0.1:0", "--source"])
        .arg(format!("file:{}", watched.display()))
        .arg("--data-dir")
        .arg(dir.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut talk = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    let _service = Service(child);
    let url = loop {
        let line = talk.next().ok_or("the service has ended")??;
        if let Some((_, rest)) = line.split_once("running at ") {
            break rest.trim().to_owned();
        }
    };
    // What it says is read to the end, so that it never waits for a reader.
    std::thread::spawn(move || talk.map_while(Result::ok).for_each(drop));
    let agent = ureq::agent();
    while agent.get(format!("{url}/readyz")).call().is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::fs::copy(file, dir.path().join("copy"))?;
    let started = Instant::now();
    std::fs::rename(dir.path().join("copy"), &watched)?;
    let mut seen: Vec<(Duration, u64)> = Vec::new();
    while started.elapsed() < PATIENCE {
        let text = agent.get(format!("{url}/api/sources")).call()?.body_mut().read_to_string()?;
        let totals = &serde_json::from_str::<Value>(&text)?["totals"];
        let number = |name: &str| totals[name].as_u64().unwrap_or_default();
        let done = number("received") - number("pending");
        // Lines whose containers have no name yet, or whose calls may still end, wait for silence.
        let ended = number("received") == lines && seen.last().is_some_and(|last| last.1 == done);
        if ended {
            let [first, .., last, _] = seen.as_slice() else {
                return Err("the recording is too short: it takes less than a second".into());
            };
            return Ok((last.1 - first.1) as f64 / (last.0.as_secs_f64() - first.0.as_secs_f64()));
        }
        if done > 0 && seen.last().is_none_or(|last| last.1 != done) {
            seen.push((started.elapsed(), done));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the service did not read the file in time".into())
}
