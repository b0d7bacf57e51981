//! Certificates and keys that change while the service runs: files that are written anew, and a set
//! of keys that is fetched.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use hanabi_api::{Jwt, Tls};
use hanabi_telemetry::Metrics;
use ureq::tls::TlsConfig;

use super::worker::Worker;
use crate::{commands::client, config::KeySet};

/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the files are looked at; nobody exchanges certificates to the second.
const FILES_EVERY: Duration = Duration::from_secs(10);
/// A set that could not be fetched, or that lacks a key, is fetched again after this time: a key
/// that somebody makes up must not make us ask without end.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// A fetch takes at most this long.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// Bytes of a set: 64 keys with their certificates are some 200 KiB.
const SET_BYTES: u64 = 1 << 20;

/// What is read again.
pub(crate) struct Reloaded {
    pub(crate) tls: Option<Tls>,
    pub(crate) jwt: Option<Arc<Jwt>>,
}

/// A file as it was at the last look: inode, time and length, which change with every exchange.
type Stamp = Option<(u64, i64, i64, u64)>;

struct Reloader {
    what: Reloaded,
    set: Option<(KeySet, ureq::Agent)>,
    metrics: Metrics,
    /// The files as they were when they were last read without an error.
    files: BTreeMap<PathBuf, Stamp>,
    looked: Instant,
    /// When the set was last asked for, and whether that went well.
    fetched: Option<(Instant, bool)>,
}

/// The thread that reads again what changes.
pub(crate) struct Reloading {
    /// Set to have it look now.
    pub(crate) at_once: Arc<AtomicBool>,
    _thread: Worker,
}

/// Starts the thread; none where nothing can change.
pub(crate) fn start(
    what: Reloaded,
    set: Option<&KeySet>,
    metrics: Metrics,
) -> anyhow::Result<Option<Reloading>> {
    if what.tls.is_none() && what.jwt.is_none() {
        return Ok(None);
    }
    let set = set.map(|set| Ok::<_, anyhow::Error>((set.clone(), agent(set)?))).transpose()?;
    let (files, looked) = (BTreeMap::new(), Instant::now());
    let mut reloader = Reloader { what, set, metrics, files, looked, fetched: None };
    reloader.files = reloader.stamps();
    // Whoever comes at once with a signed token is known at once, if the address answers.
    reloader.fetch();
    let at_once = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&at_once);
    let thread = Worker::start("hanabi-reload", move |stopped| reloader.run(stopped, &asked))?;
    Ok(Some(Reloading { at_once, _thread: thread }))
}

fn agent(set: &KeySet) -> anyhow::Result<ureq::Agent> {
    let tls = match &set.ca_file {
        Some(path) => client::known_by(path).context("auth.jwks_ca_file cannot be used")?,
        None => TlsConfig::default(),
    };
    let config = ureq::Agent::config_builder()
        .http_status_as_error(true)
        // A redirection could lead to where no TLS is.
        .max_redirects(0)
        .max_redirects_will_error(true)
        .timeout_global(Some(FETCH_TIME))
        .tls_config(tls)
        .build();
    Ok(config.into())
}

impl Reloader {
    fn run(mut self, stopped: &Receiver<()>, at_once: &AtomicBool) {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let asked = at_once.swap(false, Ordering::Relaxed);
            if asked || self.looked.elapsed() >= FILES_EVERY {
                self.looked = Instant::now();
                self.look(asked);
            }
            if asked || self.is_set_due() {
                self.fetch();
            }
        }
    }

    /// Reads files that have changed, or all of them.
    fn look(&mut self, all: bool) {
        let stamps = self.stamps();
        if !all && stamps == self.files {
            return;
        }
        let tls =
            self.what.tls.as_ref().map(|tls| tls.reload().context("the old certificate stays"));
        let jwt = self.what.jwt.as_ref().map(|jwt| jwt.reload_file().context("the old keys stay"));
        let (mut failed, mut read) = (false, false);
        for done in [tls, jwt].into_iter().flatten() {
            read = true;
            if let Err(error) = done {
                failed = true;
                self.metrics.reload_errors.increment();
                tracing::error!(
                    "files of [tls] or [auth] have changed and cannot be used: {error:#}"
                );
            }
        }
        // Files are exchanged one after the other: until they fit together they are looked at again.
        if !failed {
            self.files = stamps;
        }
        if read && !failed {
            tracing::info!("certificates and keys were read again");
        }
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        let tls = self.what.tls.iter().flat_map(Tls::files);
        let keys = self.what.jwt.iter().filter_map(|jwt| jwt.set_file());
        tls.chain(keys).map(|path| (path.to_path_buf(), stamp(path))).collect()
    }

    fn is_set_due(&self) -> bool {
        let (Some((set, _)), Some((at, good))) = (&self.set, self.fetched) else { return false };
        let age = at.elapsed();
        let missed = || self.what.jwt.as_ref().is_some_and(|jwt| jwt.has_missed());
        age >= set.refresh.as_duration() || age >= RETRY_AFTER && (!good || missed())
    }

    fn fetch(&mut self) {
        let (Some((set, agent)), Some(jwt)) = (&self.set, &self.what.jwt) else { return };
        let fetched = get(agent, &set.url)
            .and_then(|json| jwt.replace_set(&json).map_err(anyhow::Error::msg))
            .with_context(|| format!("auth.jwks_url: the keys of {} were not taken", set.url));
        match &fetched {
            Ok(()) => tracing::debug!("the keys of {} were fetched", set.url),
            Err(error) => {
                self.metrics.reload_errors.increment();
                tracing::error!("{error:#}; those that are known stay, and it is tried again");
            }
        }
        self.fetched = Some((Instant::now(), fetched.is_ok()));
    }
}

fn get(agent: &ureq::Agent, url: &str) -> anyhow::Result<Vec<u8>> {
    let mut answer = agent.get(url).call()?;
    Ok(answer.body_mut().with_config().limit(SET_BYTES).read_to_vec()?)
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
}
