//! What was scraped, sent on to a Prometheus by remote write.
//!
//! The series on disk are the queue: what is sent next begins after what was sent last, which a file
//! beside them keeps. So an hour without the server costs no memory and loses nothing, as long as
//! the series are kept.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use hanabi_series::{QueryError, Series, SeriesStore, Storage as _, Upstream, remote};
use hanabi_telemetry::Metrics;

use super::{now, worker::Worker};

/// What is sent at a time at most, ms: samples of one series go in order, and those of all together.
const SLICE: i64 = 60_000;
/// Samples of a request, as Prometheus itself sends them.
const REQUEST_SAMPLES: usize = 2_000;
/// Samples of a slice at most, which are held at a time: twenty thousand series every second. Where
/// there are more the slice is shorter.
const SLICE_SAMPLES: usize = 2_000_000;
/// The first wait between two tries; each further one is twice as long.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest.
const RETRY_MAX: Duration = Duration::from_mins(1);
/// Where it is kept how far was sent.
const FILE: &str = "remote-write";

/// Starts the thread that sends what there is `every` so often.
pub(crate) fn start(
    store: Arc<SeriesStore>,
    server: Upstream,
    metrics: Metrics,
    every: Duration,
    dir: &Path,
) -> anyhow::Result<Worker> {
    let file = dir.join(FILE);
    let sent = read(&file).unwrap_or_else(present);
    let writing = Writing { store, server, metrics, file, sent };
    Worker::start("hanabi-remote", move |stopped| writing.run(every, stopped))
}

/// What a request has come to.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Taken,
    /// The server does not want these, now or ever.
    Refused(String),
    /// It is to be tried again.
    Later(String),
}

struct Writing {
    store: Arc<SeriesStore>,
    server: Upstream,
    metrics: Metrics,
    file: PathBuf,
    /// Up to here, ms, all was sent.
    sent: i64,
}

impl Writing {
    fn run(mut self, every: Duration, stopped: &Receiver<()>) {
        let mut retry: Option<Duration> = None;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(retry.unwrap_or(every)) {
            match self.send_on(stopped) {
                Ok(()) if retry.take().is_some() => tracing::info!("series are sent again"),
                Ok(()) => {}
                Err(why) => {
                    self.metrics.remote_write_retries.increment();
                    if retry.is_none() {
                        tracing::warn!("series are not sent; they wait on disk: {why}");
                    }
                    retry = Some(retry.map_or(RETRY_MIN, |wait| (2 * wait).min(RETRY_MAX)));
                }
            }
            let behind = present().saturating_sub(self.sent).max(0);
            self.metrics.remote_write_behind.set(behind as f64 / 1_000.0);
        }
    }

    /// Sends all there is, unless it is told to end.
    fn send_on(&mut self, stopped: &Receiver<()>) -> Result<(), String> {
        while let Err(TryRecvError::Empty) = stopped.try_recv() {
            let (from, end) = (self.sent + 1, present());
            if from > end {
                return Ok(());
            }
            let slice = slice(&self.store, from, end, SLICE_SAMPLES);
            let (to, series) = slice.map_err(|error| error.to_string())?;
            for part in requests(&series) {
                self.send(&part)?;
            }
            // A scrape may be under way: its samples are of this very moment.
            let last = series.iter().filter_map(|s| s.samples.last()).map(|s| s.time).max();
            let done = if to < end { to } else { last.unwrap_or(self.sent) };
            if done == self.sent {
                return Ok(());
            }
            self.sent = done;
            let kept = keep(&self.file, self.sent);
            kept.map_err(|error| format!("failed to write {}: {error}", self.file.display()))?;
        }
        Ok(())
    }

    fn send(&self, series: &[Series]) -> Result<(), String> {
        let samples: usize = series.iter().map(|one| one.samples.len()).sum();
        match self.request(series) {
            Sent::Taken => self.metrics.remote_write_samples.add(samples as u64),
            Sent::Refused(why) => {
                self.metrics.remote_write_refused.add(samples as u64);
                tracing::warn!("{samples} samples were refused, and are not sent again: {why}");
            }
            Sent::Later(why) => return Err(why),
        }
        Ok(())
    }

    fn request(&self, series: &[Series]) -> Sent {
        match self.server.write(&remote::encode(series)) {
            Err(error) => Sent::Later(error.to_string()),
            Ok(reply) => {
                let text: String = String::from_utf8_lossy(&reply.body).chars().take(300).collect();
                told(reply.status, text.trim())
            }
        }
    }
}

/// The next samples from one time to another, and the time up to which they are all: as far as there
/// are few enough of them, and at least a millisecond's, which has one of each series at most.
fn slice(
    store: &SeriesStore,
    from: i64,
    end: i64,
    most: usize,
) -> Result<(i64, Vec<Series>), QueryError> {
    let mut to = (from + SLICE).min(end);
    loop {
        let most = if to > from { most } else { usize::MAX };
        match store.select(&[], from, to, most) {
            Err(error) if error.is_too_many_samples() => to = from + (to - from) / 2,
            answer => return Ok((to, answer?)),
        }
    }
}

/// What a status means, as Prometheus itself takes it: what is wrong with the request stays wrong,
/// all else may pass.
fn told(status: u16, text: &str) -> Sent {
    match status {
        200..=299 => Sent::Taken,
        // Rights and addresses are mended at the server or here, and the samples are still good.
        401 | 403 | 404 | 408 | 429 | 500..=599 => Sent::Later(format!("status {status}: {text}")),
        _ => Sent::Refused(format!("status {status}: {text}")),
    }
}

/// Series in parts of so many samples.
fn requests(series: &[Series]) -> Vec<Vec<Series>> {
    let (mut parts, mut count) = (Vec::new(), 0);
    for one in series {
        if count == 0 || count + one.samples.len() > REQUEST_SAMPLES {
            parts.push(Vec::new());
            count = 0;
        }
        count += one.samples.len();
        if let Some(part) = parts.last_mut() {
            part.push(one.clone());
        }
    }
    parts
}

/// All of it or nothing: half a number would be a time long ago.
fn keep(file: &Path, sent: i64) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut writing = fs::File::create(&new)?;
    writeln!(writing, "{sent}")?;
    writing.sync_all()?;
    fs::rename(new, file)
}

fn read(file: &Path) -> Option<i64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn present() -> i64 {
    (now() / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use hanabi_series::{Labels, Sample, StoreOptions};

    use super::*;

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, again) in
            [(204, false), (400, false), (429, true), (503, true), (401, true), (404, true)]
        {
            let later = matches!(told(status, ""), Sent::Later(_));
            assert_eq!(later, again, "{status}");
        }
        assert_eq!(told(200, ""), Sent::Taken);
        assert_eq!(told(422, "no"), Sent::Refused("status 422: no".to_owned()));
    }

    #[test]
    fn how_far_was_sent_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        assert_eq!(read(&file), None);
        for sent in [1_795_337_732_000, 5] {
            keep(&file, sent).unwrap();
            assert_eq!(read(&file), Some(sent));
        }
    }

    #[test]
    fn slices_get_on_however_many_samples_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = SeriesStore::open(dir.path(), StoreOptions::default()).unwrap();
        // Ten series: two samples in the first minute, a hundred in the second, and no more.
        for time in [0, 59_000].into_iter().chain((100_000..).step_by(10).take(100)) {
            let scrape = (0..10).map(|n| (Labels::new([("n", n.to_string())]), f64::from(n)));
            store.append_scrape(time, &scrape.collect::<Vec<_>>());
        }
        for (most, shortest) in [(10_000, 60_000), (1_000, 60_000), (999, 1), (100, 1), (1, 0)] {
            let (end, mut from, mut times, mut steps) = (150_000, 0, Vec::new(), Vec::new());
            while from <= end {
                let (to, series) = slice(&store, from, end, most).unwrap();
                assert!(to >= from && to <= end, "{from} to {to}");
                let count: usize = series.iter().map(|one| one.samples.len()).sum();
                assert!(count <= most || to == from, "{count} of {most}");
                times.extend(series.iter().flat_map(|one| one.samples.iter().map(|s| s.time)));
                steps.push(to - from);
                from = to + 1;
            }
            assert_eq!(times.len(), 1_020, "{most}");
            assert!(times.is_sorted() || most > 10, "{most}");
            let full = steps.iter().rev().skip(1).all(|step| *step >= shortest);
            assert!(full && (shortest < SLICE || steps.len() == 3), "{most}: {steps:?}");
        }
    }

    #[test]
    fn requests_hold_every_series_once() {
        let series: Vec<Series> = (0..50)
            .map(|n: usize| Series {
                labels: Labels::new([("n", n.to_string())]),
                samples: (0..n * 4).map(|t| Sample { time: t as i64, value: 0.0 }).collect(),
            })
            .collect();
        let parts = requests(&series);
        assert_eq!(parts.concat(), series);
        for part in parts {
            assert!(part.iter().map(|s| s.samples.len()).sum::<usize>() <= REQUEST_SAMPLES);
        }
    }
}
