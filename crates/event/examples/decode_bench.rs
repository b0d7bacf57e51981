//! How fast lines are decoded on one core, beside `sonic-rs` and `serde_json` that merely
//! deserialise the same fields of the same lines.
//!
//! `cargo run --release -p hanabi-event --example decode_bench -- FILE [MIB [ROUNDS]]`
//!
//! Each copies a block before it reads it, as the service does when it reads from a file in the
//! page cache. The three take turns, and what counts is the thread's own CPU time, so that other work on the
//! machine disturbs little; medians are printed.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::borrow::Cow;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;

use hanabi_event::Block;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The service's allocator: it gives a block's memory to the next block.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The size in which the service reads its input.
const BLOCK: usize = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: decode_bench FILE [MIB [ROUNDS]]")?;
    let mebibytes: u64 = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let mut data = Vec::new();
    File::open(path)?.take(mebibytes << 20).read_to_end(&mut data)?;
    let blocks = split(&data);
    let lines = memchr::memchr_iter(b'\n', &data).count();
    println!("{lines} lines of {} bytes, {} blocks", data.len() / lines.max(1), blocks.len());

    // The scheduler's account is only so fine: a round should take a tenth of a second or more.
    let passes = (512 << 20) / data.len().max(1) + 1;
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        times[0].push(time(decode, &blocks, passes, lines)?);
        times[1].push(time(sonic, &blocks, passes, lines)?);
        times[2].push(time(serde, &blocks, passes, lines)?);
    }
    let [own, sonic, serde] = times.map(median);
    for (name, rate) in [("Block::decode", own), ("sonic-rs", sonic), ("serde_json", serde)] {
        println!("{name:14} {:7.0} k events/s  {:6.0} ns/event", rate / 1e3, 1e9 / rate);
    }
    println!("Block::decode is {:.2} x sonic-rs, {:.2} x serde_json", own / sonic, own / serde);
    Ok(())
}

/// Whole lines, about [`BLOCK`] bytes of them at a time.
fn split(data: &[u8]) -> Vec<&[u8]> {
    let (mut blocks, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        let end =
            memchr::memrchr(b'\n', &rest[..BLOCK.min(rest.len())]).map_or(rest.len(), |n| n + 1);
        let (block, after) = rest.split_at(end);
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// Events per second of CPU time.
fn time(
    read: fn(&[u8]) -> usize,
    blocks: &[&[u8]],
    passes: usize,
    lines: usize,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = cpu_time()?;
    let mut records = 0;
    for _ in 0..passes {
        records += blocks.iter().map(|block| black_box(read(block))).sum::<usize>();
    }
    let nanoseconds = cpu_time()? - start;
    // The last line of what was loaded may be cut off.
    assert!(records / passes + 1 >= lines, "{records} of {lines} lines were read");
    Ok(records as f64 * 1e9 / nanoseconds as f64)
}

/// Nanoseconds that this thread has run, by the scheduler's own account.
fn cpu_time() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn decode(block: &[u8]) -> usize {
    black_box(Block::decode(block.to_vec())).records().len()
}

fn sonic(block: &[u8]) -> usize {
    each_line(block, |line| {
        sonic_rs::from_str::<Line<'_>>(line).is_ok_and(|l| black_box(l).has_time())
    })
}

fn serde(block: &[u8]) -> usize {
    each_line(block, |line| {
        serde_json::from_str::<Line<'_>>(line).is_ok_and(|l| black_box(l).has_time())
    })
}

fn each_line(block: &[u8], read: impl Fn(&str) -> bool) -> usize {
    let Ok(text) = simdutf8::basic::from_utf8(block) else { return 0 };
    let mut start = 0;
    memchr::memchr_iter(b'\n', block)
        .filter(|end| {
            let line = &text[start..*end];
            start = end + 1;
            read(line)
        })
        .count()
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only their reading is measured")]
struct Line<'a> {
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    priority: Text<'a>,
    #[serde(borrow)]
    rule: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
    #[serde(borrow)]
    output_fields: Inner<'a>,
}

impl Line<'_> {
    fn has_time(&self) -> bool {
        !self.time.0.is_empty() || self.output_fields.time.is_some()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner<'a> {
    #[serde(borrow, rename = "container.id")]
    container_id: Text<'a>,
    #[serde(borrow, rename = "container.image.repository")]
    repository: Text<'a>,
    #[serde(borrow, rename = "container.image.tag")]
    tag: Text<'a>,
    #[serde(borrow, rename = "container.name")]
    container_name: Text<'a>,
    #[serde(borrow, rename = "evt.args")]
    args: Text<'a>,
    #[serde(rename = "evt.num")]
    number: Option<u64>,
    #[serde(rename = "evt.time.iso8601")]
    time: Option<u64>,
    #[serde(borrow, rename = "evt.type")]
    call: Text<'a>,
    #[serde(borrow, rename = "fd.name")]
    fd_name: Text<'a>,
    #[serde(rename = "fd.num")]
    fd_number: Option<i64>,
    #[serde(borrow, rename = "fd.typechar")]
    fd_kind: Text<'a>,
    #[serde(borrow, rename = "k8s.ns.name")]
    namespace: Text<'a>,
    #[serde(borrow, rename = "k8s.pod.name")]
    pod: Text<'a>,
    #[serde(borrow, rename = "proc.args")]
    arguments: Text<'a>,
    #[serde(borrow, rename = "proc.cmdline")]
    command_line: Text<'a>,
    #[serde(borrow, rename = "proc.exepath")]
    executable: Text<'a>,
    #[serde(borrow, rename = "proc.name")]
    process_name: Text<'a>,
    #[serde(rename = "proc.pid")]
    pid: Option<i64>,
    #[serde(borrow, rename = "proc.pname")]
    parent: Text<'a>,
    #[serde(rename = "proc.ppid")]
    parent_pid: Option<i64>,
    #[serde(borrow, rename = "user.name")]
    user_name: Text<'a>,
    #[serde(rename = "user.uid")]
    uid: Option<i64>,
}

/// A string that borrows from the line where it has no escapes; null is empty.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
}
