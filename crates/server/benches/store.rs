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

const ROUNDS: usize = 5;
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
        rates[1].push(lines as f64 / serve(&file, lines as u64)?.as_secs_f64());
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

/// From the moment in which the file appears to that in which all its lines are modelled.
fn serve(file: &Path, lines: u64) -> Result<Duration, Box<dyn Error>> {
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
    while started.elapsed() < PATIENCE {
        let text = agent.get(format!("{url}/api/sources")).call()?.body_mut().read_to_string()?;
        let totals = &serde_json::from_str::<Value>(&text)?["totals"];
        if totals["received"].as_u64() == Some(lines) && totals["pending"] == 0 {
            return Ok(started.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the service did not read the file in time".into())
}
