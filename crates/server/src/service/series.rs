//! The service's own metrics over time: scraped from itself, as Prometheus would.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use hanabi_api::App;
use hanabi_series::{Labels, SeriesStore, StoreOptions, exposition};
use hanabi_telemetry::{Format, Metrics};

use super::{now, worker::Worker};
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

/// Starts the thread that scrapes at whole multiples of the time between two scrapes, and makes all
/// durable when it ends.
pub(crate) fn start(
    store: Arc<SeriesStore>,
    app: App,
    metrics: Metrics,
    config: &config::Series,
) -> anyhow::Result<Worker> {
    let every = config.scrape_every.as_duration();
    Worker::start("hanabi-series", move |stopped| {
        Keeping { store, app, metrics }.run(every, stopped);
    })
}

/// What the thread works with.
struct Keeping {
    store: Arc<SeriesStore>,
    app: App,
    metrics: Metrics,
}

impl Keeping {
    fn run(&self, every: Duration, stopped: &Receiver<()>) {
        let (mut committed, mut cleaned) = (Instant::now(), Instant::now());
        let every = every.as_nanos().max(1) as u64;
        loop {
            let wait = Duration::from_nanos(every - now() % every);
            let ends = !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
            if !ends {
                self.scrape(now() / every * every);
            }
            if ends || committed.elapsed() >= COMMIT_EVERY {
                committed = Instant::now();
                self.told(self.store.commit().map(|()| 0));
            }
            if ends {
                return;
            }
            if cleaned.elapsed() >= CLEAN_EVERY {
                cleaned = Instant::now();
                self.told(self.store.retain((now() / 1_000_000) as i64));
            }
        }
    }

    fn scrape(&self, time: u64) {
        let text = self.app.exposition(Format::Text, time);
        let parsed = match exposition::parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.metrics.series_errors.increment();
                tracing::error!("the service's own metrics cannot be read: {error}");
                return;
            }
        };
        let values: Vec<(Labels, f64)> =
            parsed.into_iter().map(|(labels, value, _)| (labels, value)).collect();
        let appended = self.store.append_scrape((time / 1_000_000) as i64, &values);
        self.metrics.series_stored.set_count(self.store.series() as u64);
        self.metrics.series_samples.add(appended.taken);
        self.metrics.series_refused.add(appended.too_many_series + appended.out_of_order);
    }

    fn told(&self, done: Result<u64, hanabi_series::SeriesError>) {
        if let Err(error) = done {
            self.metrics.series_errors.increment();
            tracing::error!(error = &error as &dyn std::error::Error, "series were not stored");
        }
    }
}
