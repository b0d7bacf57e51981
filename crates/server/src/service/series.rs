//! The service's own metrics over time: scraped from itself, as Prometheus would.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use hanabi_series::{Labels, SeriesStore, StoreOptions, exposition};
use hanabi_telemetry::{Exporter, Format};

use super::now;
use crate::config::{self, Config};

/// How often what was scraped is made durable: a kill loses at most so much.
const COMMIT_EVERY: Duration = Duration::from_mins(1);
/// How often old samples are deleted.
const CLEAN_EVERY: Duration = Duration::from_hours(1);

/// The limits of the store, as configured.
pub(crate) fn options(config: &Config) -> StoreOptions {
    let kept = config.series();
    StoreOptions {
        retention: kept.retention.as_duration().as_millis() as i64,
        max_bytes: kept.max_bytes.as_u64(),
        ..StoreOptions::default()
    }
}

/// The thread that scrapes; it ends, and makes all durable, when this is dropped.
pub(crate) struct Scraper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scraper {
    /// Scrapes at whole multiples of the time between two scrapes.
    pub(crate) fn start(
        store: Arc<SeriesStore>,
        exporter: Exporter,
        config: &config::Series,
    ) -> anyhow::Result<Self> {
        let every = config.scrape_every.as_duration();
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name("hanabi-series".to_owned())
            .spawn(move || run(&store, &exporter, every, &stopped))
            .context("failed to start the thread that scrapes")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that scrapes has failed");
        }
    }
}

fn run(store: &SeriesStore, exporter: &Exporter, every: Duration, stopped: &Receiver<()>) {
    let (mut committed, mut cleaned) = (Instant::now(), Instant::now());
    let every = every.as_nanos().max(1) as u64;
    loop {
        let wait = Duration::from_nanos(every - now() % every);
        let ends = !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
        if !ends {
            scrape(store, exporter, now() / every * every);
        }
        if ends || committed.elapsed() >= COMMIT_EVERY {
            committed = Instant::now();
            told(exporter, store.commit().map(|()| 0));
        }
        if ends {
            return;
        }
        if cleaned.elapsed() >= CLEAN_EVERY {
            cleaned = Instant::now();
            told(exporter, store.retain((now() / 1_000_000) as i64));
        }
    }
}

fn scrape(store: &SeriesStore, exporter: &Exporter, time: u64) {
    let text = exporter.render(Format::Text, time);
    let parsed = match exposition::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => {
            exporter.metrics().series_errors.increment();
            tracing::error!("the service's own metrics cannot be read: {error}");
            return;
        }
    };
    let values: Vec<(Labels, f64)> =
        parsed.into_iter().map(|(labels, value, _)| (labels, value)).collect();
    let appended = store.append_scrape((time / 1_000_000) as i64, &values);
    let metrics = exporter.metrics();
    metrics.series_stored.set_count(store.series() as u64);
    metrics.series_samples.add(appended.taken);
    metrics.series_refused.add(appended.too_many_series + appended.out_of_order);
}

fn told(exporter: &Exporter, done: Result<u64, hanabi_series::SeriesError>) {
    if let Err(error) = done {
        exporter.metrics().series_errors.increment();
        tracing::error!(error = &error as &dyn std::error::Error, "series were not stored");
    }
}
