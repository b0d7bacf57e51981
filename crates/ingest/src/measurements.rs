//! What the sources cost, in processor time of the measured thread: `cargo test --release -p hanabi-ingest -- --ignored --nocapture
//! --test-threads 1`. Numbers, not promises; nothing here can fail on a slow machine.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::body::{BodyLimits, decode_body};
use crate::player::{Player, Speed};
use crate::{
    BATCH_BYTES, Control, FileOptions, FileSource, Intake, IntakeOptions, Journal, JournalOptions,
    LineBlocks, Position, open_lines,
};

/// A line of the size of Falco's.
fn line(number: u64) -> Vec<u8> {
    let time = 1_795_337_732_000_000_000 + number * 1_000;
    let output = "x".repeat(1_000);
    format!(
        "{{\"hostname\":\"vm\",\"output\":\"{output}\",\"output_fields\":{{\"container.id\":\
         \"9aed9eefb575\",\"container.name\":\"batch\",\"evt.args\":\"fd=3(<f>/data/i{number}.png)\",\
         \"evt.num\":{number},\"evt.time.iso8601\":{time},\"evt.type\":\"openat\",\
         \"proc.cmdline\":\"python3 /app/cli.py --job {number}\",\"proc.name\":\"python3\"}},\
         \"priority\":\"Debug\",\"rule\":\"file\",\"source\":\"syscall\",\"tags\":[\"file\"],\
         \"time\":\"2026-11-22T09:19:17.288905181Z\"}}\n"
    )
    .into_bytes()
}

fn say(what: &str, bytes: usize, lines: u64, took: Duration) {
    let gigabytes = bytes as f64 / took.as_secs_f64() / 1e9;
    let each = took.as_nanos() as f64 / lines as f64;
    eprintln!("{what}: {gigabytes:.2} GB/s, {each:.0} ns a line");
}

/// Processor time of this thread: the machine may be busy with something else.
fn spent() -> Duration {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

fn text(lines: u64) -> Vec<u8> {
    (0..lines).flat_map(line).collect()
}

fn read_blocks(path: &Path) -> u64 {
    let mut blocks = LineBlocks::new(open_lines(path).unwrap(), BATCH_BYTES);
    let (mut block, mut lines) = (Vec::new(), 0);
    while blocks.next_into(&mut block).unwrap() {
        lines += block.len() as u64 / 1_300;
    }
    std::hint::black_box(lines)
}

#[test]
#[ignore = "a measurement"]
fn reading() {
    let dir = TempDir::new().unwrap();
    let count = 200_000;
    let text = text(count);
    let path = dir.path().join("x.log");
    fs::write(&path, &text).unwrap();
    let start = spent();
    read_blocks(&path);
    say("blocks of a plain file", text.len(), count, spent().saturating_sub(start));
    let packed = dir.path().join("x.zst");
    fs::write(&packed, zstd::encode_all(text.as_slice(), 3).unwrap()).unwrap();
    let start = spent();
    read_blocks(&packed);
    say("blocks of a zstd file", text.len(), count, spent().saturating_sub(start));
    let room = IntakeOptions { max_bytes: 1 << 30, ..IntakeOptions::default() };
    let (intake, receiver) = Intake::new(room, None);
    let source = FileSource::new(&path, FileOptions { once: true, ..FileOptions::default() });
    let start = spent();
    source.run(&intake, &Position::None, &Control::new()).unwrap();
    say("a file into the queue", text.len(), count, spent().saturating_sub(start));
    drop(intake);
    assert_eq!(receiver.iter().map(|batch| batch.lines).sum::<u64>(), count);
}

#[test]
#[ignore = "a measurement"]
fn offering() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
    for (name, journal) in [("without", None), ("with", Some(journal))] {
        for (lines, count) in [(1, 100_000), (700, 300)] {
            let (intake, receiver) = Intake::new(IntakeOptions::default(), journal.clone());
            let consumer = std::thread::spawn(move || receiver.iter().count());
            let body = text(lines);
            let start = spent();
            for _ in 0..count {
                while intake.offer(&"http".into(), body.clone()).is_err() {
                    std::thread::yield_now();
                }
            }
            let took = spent().saturating_sub(start);
            drop(intake);
            consumer.join().unwrap();
            let what = format!("{name} journal, {lines} lines an offer");
            say(&what, body.len() * count, lines * count as u64, took);
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn bodies_and_playing() {
    let count = 40_000;
    let text = text(count);
    let array: Vec<u8> = [b"[".as_slice(), text.trim_ascii_end(), b"]"].concat();
    let array = String::from_utf8(array).unwrap().replace('\n', ",");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&text).unwrap();
    let packed = packed.finish().unwrap();
    for (name, encoding, body) in [
        ("lines", None, text.clone()),
        ("array", None, array.into_bytes()),
        ("gzip", Some("gzip"), packed),
    ] {
        let start = spent();
        let lines = decode_body(None, encoding, body.into(), &BodyLimits::default()).unwrap();
        say(&format!("body of {name}"), lines.len(), count, spent().saturating_sub(start));
    }
    let mut player = Player::new(Speed::Times(2.0), Some(1_795_337_732_000_000_000));
    let start = spent();
    for line in text.split_inclusive(|b| *b == b'\n') {
        std::hint::black_box(player.next(line));
    }
    say("player", text.len(), count, spent().saturating_sub(start));
}
