//! Two hours of samples with everything that makes queries hard.

use hanabi_series::{Labels, Sample, Series, stale};

/// The first sample, ms.
pub(crate) const START: i64 = 1_790_000_000_000;
/// The last sample, ms.
pub(crate) const END: i64 = START + 7_200_000;
const STEP: i64 = 15_000;

/// Numbers that are the same at every run.
fn noise(seed: u64, index: u64) -> f64 {
    let mut x =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 31;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 29)) % 10_000) as f64 / 10_000.0
}

/// A series of some of the steps, each some ms after its time, as scrapes are.
fn series(labels: &[(&str, &str)], of: impl Fn(u64) -> Option<f64>) -> Series {
    let labels = Labels::new(labels.iter().copied());
    let shift = (noise(labels.to_string().len() as u64, 1) * 3_000.0) as i64;
    let sample = |index: u64| {
        let time = START + index as i64 * STEP + shift;
        Some(Sample { time, value: of(index)? })
    };
    let samples = (0..=480).filter_map(sample).filter(|sample| sample.time <= END).collect();
    Series { labels, samples }
}

pub(crate) fn all() -> Vec<Series> {
    let mut all = Vec::new();
    counters(&mut all);
    gauges(&mut all);
    histograms(&mut all);
    all
}

fn counters(all: &mut Vec<Series>) {
    let mut seed = 0;
    for job in ["api", "web"] {
        for instance in ["0", "1", "2"] {
            for code in ["200", "500"] {
                seed += 1;
                let labels = [
                    ("__name__", "requests_total"),
                    ("job", job),
                    ("instance", instance),
                    ("code", code),
                ];
                all.push(series(&labels, |index| {
                    // Resets, a gap, a late start, a counter that stands still.
                    let reset = if seed % 3 == 0 { 200 } else { 10_000 };
                    let gap = seed % 4 == 1 && (100..140).contains(&index);
                    let late = seed % 5 == 2 && index < 150;
                    let still = seed == 7;
                    let count = (0..index % reset).map(|i| (noise(seed, i) * 9.0).floor()).sum();
                    (!gap && !late).then_some(if still { 42.0 } else { count })
                }));
            }
        }
        all.push(series(
            &[("__name__", "build_info"), ("job", job), ("version", "1.2"), ("branch", "main")],
            |_| Some(1.0),
        ));
    }
}

fn gauges(all: &mut Vec<Series>) {
    for (seed, (job, instance)) in
        [("api", "0"), ("api", "1"), ("web", "0"), ("web", "1"), ("db", "0")]
            .into_iter()
            .enumerate()
    {
        let seed = seed as u64;
        let labels = |name| [("__name__", name), ("job", job), ("instance", instance)];
        all.push(series(&labels("memory_bytes"), |index| {
            Some(1e9 + 1e8 * ((index + 20 * seed) as f64 / 30.0).sin() + noise(seed, index))
        }));
        all.push(series(&labels("up"), |index| {
            Some(f64::from(u8::from(noise(seed + 50, index / 10) > 0.2)))
        }));
        all.push(series(&labels("sparse"), |index| {
            index.is_multiple_of(16).then(|| noise(seed + 90, index) * 10.0 - 5.0)
        }));
    }
    for (name, value) in [("a", -3.5), ("b", 0.0), ("c", 12.25)] {
        all.push(series(&[("__name__", "temperature"), ("room", name)], |index| {
            Some(match (name, index % 60) {
                ("b", 50) => f64::NAN,
                ("c", 51) => f64::INFINITY,
                ("c", 52) => f64::NEG_INFINITY,
                (_, rest) => value + (rest / 7) as f64,
            })
        }));
    }
    for (name, from, to) in [("x", 60, 120), ("y", 200, 205)] {
        all.push(series(&[("__name__", "comes_and_goes"), ("n", name)], |index| match index {
            i if i == from => Some(stale()),
            i if i > from && i < to => None,
            i => Some(i as f64),
        }));
    }
    all.push(series(&[("__name__", "started_at")], |index| Some(1_789_990_000.0 + index as f64)));
}

fn histograms(all: &mut Vec<Series>) {
    for (seed, job) in ["api", "web"].into_iter().enumerate() {
        let seed = seed as u64 + 70;
        let count = |index: u64| (0..index).map(|i| (noise(seed, i) * 20.0).floor()).sum::<f64>();
        for (le, share) in [("0.1", 0.25), ("0.5", 0.6), ("1", 0.8), ("2.5", 0.95), ("+Inf", 1.0)] {
            let labels = [("__name__", "latency_seconds_bucket"), ("job", job), ("le", le)];
            all.push(series(&labels, |index| Some((count(index) * share).floor())));
        }
        let labels = |name| [("__name__", name), ("job", job)];
        all.push(series(&labels("latency_seconds_count"), |index| Some(count(index))));
        all.push(series(&labels("latency_seconds_sum"), |index| Some(count(index) * 0.73)));
    }
}
