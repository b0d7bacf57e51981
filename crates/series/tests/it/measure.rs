//! A day of two thousand series: what it takes on disk, and a query over all of it, beside Prometheus;
//! and days of them of which one is kept.
//!
//! `cargo nextest run -p hanabi-series --cargo-profile slow --run-ignored only --no-capture measure`

use std::{
    os::unix::fs::MetadataExt as _,
    time::{Duration, Instant},
};

use hanabi_series::{Answer, Engine, Labels, Options, Sample, Series, SeriesStore, StoreOptions};

use crate::prometheus::Prometheus;

const SERIES: u64 = 2_000;
const SAMPLES: i64 = 5_760;
const START: i64 = 1_790_000_000_000;
const END: i64 = START + (SAMPLES - 1) * 15_000;

/// A counter as an exporter has them: most idle, some busy. Its labels, and what answers the next
/// value at every scrape.
fn counter(number: u64) -> (Labels, impl FnMut() -> f64) {
    let container = format!("container-{}", number / 20);
    let labels = Labels::new([
        ("__name__", "syscall_events_total".to_owned()),
        ("container_name", container),
        ("process_name", format!("process-{}", number % 20)),
        ("priority", ["Debug", "Notice", "Warning"][(number % 3) as usize].to_owned()),
    ]);
    let mut state = number;
    let mut count = 0.0;
    let next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let busy = number.is_multiple_of(4) || (state >> 60) == 0;
        count += if busy { (state >> 56) as f64 } else { 0.0 };
        count
    };
    (labels, next)
}

fn series(number: u64) -> Series {
    let (labels, mut next) = counter(number);
    let sample = |index: i64| Sample { time: START + index * 15_000, value: next() };
    Series { labels, samples: (0..SAMPLES).map(sample).collect() }
}

/// The fastest of five, since the machine does other things, too.
fn fastest(mut ask: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        ask();
        start.elapsed()
    };
    (0..5).map(time).min().unwrap()
}

/// A store that is filled as the service fills it: made durable every minute, cleaned every hour.
struct Filled {
    dir: tempfile::TempDir,
    store: SeriesStore,
    next: i64,
    commits: Vec<Duration>,
}

impl Filled {
    fn new(options: StoreOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SeriesStore::open(dir.path(), options).unwrap();
        Self { dir, store, next: 0, commits: Vec::new() }
    }

    fn scrape(&mut self, values: impl Iterator<Item = (Labels, f64)>) {
        let time = START + self.next * 15_000;
        self.next += 1;
        self.store.append_scrape(time, &values.collect::<Vec<_>>());
        if self.next % 4 == 0 {
            let began = Instant::now();
            self.store.commit().unwrap();
            self.commits.push(began.elapsed());
        }
        if self.next % 240 == 0 {
            self.store.retain(time).unwrap();
        }
    }

    /// Bytes of the chunks, of the file by its length, and of the disk that it takes.
    fn bytes(&self) -> (u64, u64, u64) {
        let file = std::fs::metadata(self.dir.path().join("series.redb")).unwrap();
        (self.store.packed_bytes().unwrap(), file.len(), file.blocks() * 512)
    }
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let data: Vec<Series> = (0..SERIES).map(series).collect();
    let mut filled = Filled::new(StoreOptions::default());
    let began = Instant::now();
    for index in 0..SAMPLES as usize {
        filled.scrape(data.iter().map(|s| (s.labels.clone(), s.samples[index].value)));
    }
    let took = began.elapsed();
    let samples = SERIES as i64 * SAMPLES;
    let (packed, file, disk) = filled.bytes();
    let each = |bytes: u64| bytes as f64 / samples as f64;
    filled.commits.sort_unstable();
    println!(
        "{samples} samples in {took:.1?}, a commit every minute took {:.1?} at the median; \
         {:.2} bytes a sample packed, {:.2} in the file, {:.2} on the disk",
        filled.commits[filled.commits.len() / 2],
        each(packed),
        each(file),
        each(disk)
    );
    let store = &filled.store;
    let queries = [
        "sum by (priority) (rate(syscall_events_total[5m]))",
        "topk(10, sum by (container_name) (rate(syscall_events_total[5m])))",
        "sum(rate(syscall_events_total{container_name=\"container-7\"}[5m]))",
    ];
    let prometheus = Prometheus::start(&data);
    for query in queries {
        let engine = Engine::new(store, Options::default(), &|| None);
        let mut points = 0;
        let ours = fastest(|| {
            let Answer::Matrix(all) = engine.range(query, START, END, 300_000).unwrap() else {
                panic!("a range query answers a matrix")
            };
            points = all.iter().map(|(_, samples)| samples.len()).sum();
        });
        let Some(prometheus) = &prometheus else {
            println!("{ours:>9.1?}  {points} points  {query}");
            continue;
        };
        let theirs = fastest(|| {
            let seconds = |ms: i64| format!("{}", ms as f64 / 1_000.0);
            let answer = prometheus.ask(
                "query_range",
                &[
                    ("query", query.to_owned()),
                    ("start", seconds(START)),
                    ("end", seconds(END)),
                    ("step", "300".to_owned()),
                ],
            );
            assert_eq!(answer["status"], "success");
        });
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("{ours:>9.1?}, Prometheus {theirs:>9.1?}, {ratio:.1}x  {points} points  {query}");
    }
}

#[test]
#[ignore = "a measurement"]
fn measure_days_of_which_one_is_kept() {
    let mut data: Vec<_> = (0..SERIES).map(counter).collect();
    let options = StoreOptions { retention: 86_400_000, ..StoreOptions::default() };
    let mut filled = Filled::new(options);
    println!("hours  samples kept  bytes a sample: packed, in the file, on the disk");
    for hour in 1..=72 {
        for _ in 0..240 {
            filled.scrape(data.iter_mut().map(|(labels, next)| (labels.clone(), next())));
        }
        if hour % 6 != 0 {
            continue;
        }
        let (packed, file, disk) = filled.bytes();
        let samples = SERIES as i64 * filled.next.min(SAMPLES);
        let [packed, file, disk] = [packed, file, disk].map(|bytes| bytes as f64 / samples as f64);
        println!("{hour:>5}  {samples:>12}  {packed:.2} {file:.2} {disk:.2}");
        // What the store promises of a day; the first hours are the tables' and the labels'.
        assert!(hour < 24 || file <= 2.0, "{file} bytes a sample");
    }
}
