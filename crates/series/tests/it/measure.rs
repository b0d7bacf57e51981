//! A day of two thousand series: what it takes on disk, and a query over all of it, beside Prometheus.
//!
//! `cargo nextest run -p hanabi-series --cargo-profile slow --run-ignored only --no-capture measure`

use std::time::{Duration, Instant};

use hanabi_series::{Answer, Engine, Labels, Options, Sample, Series, SeriesStore, StoreOptions};

use crate::prometheus::Prometheus;

const SERIES: u64 = 2_000;
const SAMPLES: i64 = 5_760;
const START: i64 = 1_790_000_000_000;
const END: i64 = START + (SAMPLES - 1) * 15_000;

/// Counters as an exporter has them: most idle, some busy, all scraped every 15 s.
fn series(number: u64) -> Series {
    let container = format!("container-{}", number / 20);
    let labels = Labels::new([
        ("__name__", "syscall_events_total".to_owned()),
        ("container_name", container),
        ("process_name", format!("process-{}", number % 20)),
        ("priority", ["Debug", "Notice", "Warning"][(number % 3) as usize].to_owned()),
    ]);
    let mut state = number;
    let mut count = 0.0;
    let sample = |index: i64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let busy = number.is_multiple_of(4) || (state >> 60) == 0;
        count += if busy { (state >> 56) as f64 } else { 0.0 };
        Sample { time: START + index * 15_000, value: count }
    };
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

#[test]
#[ignore = "a measurement"]
fn measure() {
    let data: Vec<Series> = (0..SERIES).map(series).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
    let began = Instant::now();
    for index in 0..SAMPLES as usize {
        let scrape: Vec<(Labels, f64)> =
            data.iter().map(|s| (s.labels.clone(), s.samples[index].value)).collect();
        store.append_scrape(START + index as i64 * 15_000, &scrape);
        if index % 240 == 239 {
            store.commit().unwrap();
        }
    }
    store.commit().unwrap();
    let appended = began.elapsed();
    let samples = SERIES as i64 * SAMPLES;
    let packed = store.packed_bytes().unwrap();
    let file = std::fs::metadata(dir.path().join("series.redb")).unwrap().len();
    let each = |bytes: u64| bytes as f64 / samples as f64;
    println!(
        "{samples} samples in {appended:.1?}; {:.2} bytes a sample packed, {:.2} in the file",
        each(packed),
        each(file)
    );
    let queries = [
        "sum by (priority) (rate(syscall_events_total[5m]))",
        "topk(10, sum by (container_name) (rate(syscall_events_total[5m])))",
        "sum(rate(syscall_events_total{container_name=\"container-7\"}[5m]))",
    ];
    let prometheus = Prometheus::start(&data);
    for query in queries {
        let engine = Engine::new(&store, Options::default(), &|| None);
        let mut points = 0;
        let ours = fastest(|| {
            let Answer::Matrix(all) = engine.range(query, START, END, 300_000).unwrap() else {
                panic!("a range query answers a matrix")
            };
            points = all.iter().map(|(_, samples)| samples.len()).sum();
        });
        let Some(prometheus) = &prometheus else { continue };
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
