//! The whole replay beside a bare JSON parse of the same lines, on the same number of threads.
//!
//! `cargo bench -p hanabi-server --bench replay -- [FILE]` runs the release binary's `replay` and, in
//! turn, `sonic-rs` and `serde_json` reading the fields that the engine needs into borrowed structs.
//! Reports medians and ratios; machines differ, ratios in one run do not much.

use std::{
    error::Error,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use serde::Deserialize;

const ROUNDS: usize = 5;
const BLOCK: usize = 1 << 20;

/// What the engine reads of a line, and no more.
#[derive(Deserialize)]
#[allow(dead_code, reason = "the fields are there to be read from the text")]
struct Line<'a> {
    #[serde(borrow)]
    hostname: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    priority: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    rule: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    output_fields: Fields<'a>,
}

macro_rules! fields {
    ($($name:ident = $key:literal: $kind:ty),* $(,)?) => {
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "the fields are there to be read from the text")]
        struct Fields<'a> {
            $(#[serde(rename = $key, default, borrow)] $name: Option<$kind>,)*
            #[serde(rename = "evt.num", default)]
            number: Option<u64>,
            #[serde(rename = "evt.time.iso8601", default)]
            at: Option<u64>,
            #[serde(rename = "fd.num", default)]
            descriptor: Option<i64>,
            #[serde(rename = "proc.pid", default)]
            pid: Option<i64>,
            #[serde(rename = "proc.ppid", default)]
            parent_pid: Option<i64>,
            #[serde(rename = "user.uid", default)]
            uid: Option<i64>,
        }
    };
}

fields! {
    container_id = "container.id": std::borrow::Cow<'a, str>,
    repository = "container.image.repository": std::borrow::Cow<'a, str>,
    tag = "container.image.tag": std::borrow::Cow<'a, str>,
    container_name = "container.name": std::borrow::Cow<'a, str>,
    arguments = "evt.args": std::borrow::Cow<'a, str>,
    call = "evt.type": std::borrow::Cow<'a, str>,
    fd_name = "fd.name": std::borrow::Cow<'a, str>,
    fd_type = "fd.typechar": std::borrow::Cow<'a, str>,
    namespace = "k8s.ns.name": std::borrow::Cow<'a, str>,
    pod = "k8s.pod.name": std::borrow::Cow<'a, str>,
    process_arguments = "proc.args": std::borrow::Cow<'a, str>,
    command_line = "proc.cmdline": std::borrow::Cow<'a, str>,
    executable = "proc.exepath": std::borrow::Cow<'a, str>,
    process = "proc.name": std::borrow::Cow<'a, str>,
    parent = "proc.pname": std::borrow::Cow<'a, str>,
    user = "user.name": std::borrow::Cow<'a, str>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let file = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
    let Some(file) = file.or_else(|| std::env::var_os("HANABI_BENCH_FILE").map(PathBuf::from))
    else {
        writeln!(out, "replay: no recording given (an unpacked .jsonl file); left out")?;
        return Ok(());
    };
    let threads = std::thread::available_parallelism()?.get();
    let lines = memchr::memchr_iter(b'\n', &std::fs::read(&file)?).count();
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        rates[0].push(timed(lines, || replay(&file, threads))?);
        rates[1].push(timed(lines, || {
            parse(&file, threads, |line| sonic_rs::from_slice::<Line<'_>>(line).is_ok())
        })?);
        rates[2].push(timed(lines, || {
            parse(&file, threads, |line| serde_json::from_slice::<Line<'_>>(line).is_ok())
        })?);
    }
    let [replay, sonic, serde] = rates.map(median);
    writeln!(out, "{lines} lines, {threads} threads, medians of {ROUNDS} rounds in turn")?;
    writeln!(out, "replay (decode, model, detect, metrics)  {replay:>10.0} events/s")?;
    writeln!(out, "sonic-rs, the same fields                {sonic:>10.0} lines/s")?;
    writeln!(out, "serde_json, the same fields              {serde:>10.0} lines/s")?;
    writeln!(out, "replay / sonic-rs                        {:>10.2}", replay / sonic)?;
    writeln!(out, "replay / serde_json                      {:>10.2}", replay / serde)?;
    Ok(())
}

fn timed(
    lines: usize,
    run: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    run()?;
    Ok(lines as f64 / started.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn replay(file: &Path, threads: usize) -> Result<(), Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_hanabi"))
        .args(["replay", "--learn-for", "180s", "--threads", &threads.to_string()])
        .arg(file)
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// Reads the file in blocks of whole lines, as the replay does, and parses them on all threads.
fn parse(
    file: &Path,
    threads: usize,
    one: impl Fn(&[u8]) -> bool + Sync,
) -> Result<(), Box<dyn Error>> {
    let (sender, blocks) = crossbeam_channel::bounded::<Vec<u8>>(2 * threads + 2);
    let one = &one;
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        for _ in 0..threads {
            let blocks = blocks.clone();
            scope.spawn(move || {
                for block in blocks {
                    let read = block
                        .split(|b| *b == b'\n')
                        .filter(|l| !l.is_empty())
                        .filter(|l| one(l))
                        .count();
                    assert!(read > 0 || block.is_empty(), "no line of a block was understood");
                }
            });
        }
        let mut input = hanabi_ingest::LineBlocks::new(hanabi_ingest::open_lines(file)?, BLOCK);
        loop {
            let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
            if !input.next_into(&mut block)? {
                break;
            }
            sender.send(block)?;
        }
        drop(sender);
        Ok(())
    })
}
