//! The configuration: `default.toml`, then a file, the environment and flags over it; checked
//! once, and unchangeable after that.
//!
//! A [`Config`] exists only if all of it is valid: [`Config::load`] is the one way to get one.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hanabi_api::Grafana;
use hanabi_event::Priority;

mod console;
mod layers;
mod nearest;
mod outputs;
mod problem;
mod reference;
mod security;
mod source;
#[cfg(test)]
mod tests;
mod units;
mod validate;

use layers::{Entry, Layers};

pub(crate) use layers::DEFAULT_TOML;
pub(crate) use outputs::Output;
pub(crate) use problem::{ConfigError, Origin, Problem};
pub(crate) use reference::reference;
pub(crate) use security::{Auth, AuthMode, KeySet, Tls};
pub(crate) use source::SourceSpec;
pub(crate) use units::{ByteSize, Period};

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// The configuration file.
    pub(crate) file: Option<PathBuf>,
    /// Keys with their values as text, and the flag that set them, weakest first.
    pub(crate) values: Vec<(String, String, &'static str)>,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    server: Server,
    auth: Auth,
    tls: Option<Tls>,
    sources: Vec<SourceSpec>,
    docker_host: String,
    outputs: Vec<Output>,
    ingest: Ingest,
    identity: Identity,
    learn: Learn,
    profile: Profile,
    detect: Detect,
    alerts: Alerts,
    redact: Redact,
    metrics: Metrics,
    store: Store,
    series: Series,
    grafana: Option<Grafana>,
    log: Log,
    values: Vec<(String, Setting)>,
    warnings: Vec<String>,
}

/// A value in force, for showing: as TOML, with where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The value.
    pub(crate) value: toml::Value,
    /// Who set it.
    pub(crate) origin: Origin,
}

/// `[server]`.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// Where machines are answered, if not there.
    pub(crate) machines_listen: Option<SocketAddr>,
    /// Names by which it may be asked.
    pub(crate) allowed_hosts: Vec<String>,
    /// Where durable state lies.
    pub(crate) data_dir: PathBuf,
}

/// `[ingest]`.
#[derive(Clone, Debug)]
pub(crate) struct Ingest {
    /// Bound of the queue.
    pub(crate) queue_bytes: ByteSize,
    /// Bound of the journal.
    pub(crate) journal_bytes: ByteSize,
    /// Largest HTTP body.
    pub(crate) body_limit: ByteSize,
    /// How long nothing comes until time passes by itself.
    pub(crate) silence_after: Period,
}

/// `[identity]`.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Whether the host is part of the identity.
    pub(crate) include_host: IncludeHost,
}

/// When the host is part of a profile's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncludeHost {
    /// Where events carry no Kubernetes fields.
    Auto,
    /// For every profile.
    Always,
    /// For none.
    Never,
}

/// `[learn]`; times are event time.
#[derive(Clone, Debug)]
pub(crate) struct Learn {
    /// Learning never ends before.
    pub(crate) warmup: Period,
    /// Least time that a branch learns.
    pub(crate) min_time: Period,
    /// Least events that a branch learns from.
    pub(crate) min_events: u32,
    /// Bound of the unseen mass at which learning ends.
    pub(crate) novelty: f64,
    /// Learning never lasts longer.
    pub(crate) max_time: Period,
    /// How long a new revision adds to its tree.
    pub(crate) revision_window: Period,
}

/// `[profile]`.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// Most nodes of a profile.
    pub(crate) max_nodes: u32,
    /// Files of a directory that are kept apart.
    pub(crate) files_per_directory: u32,
    /// Arguments of a process that are kept apart.
    pub(crate) arguments_per_process: u32,
    /// Files, and directories, that are kept apart below a path.
    pub(crate) limits: Vec<(String, u32)>,
}

/// `[detect]`.
#[derive(Clone, Debug)]
pub(crate) struct Detect {
    /// How unknown tokens are compared.
    pub(crate) matcher: MatcherKind,
    /// From which similarity a token is a variation; 0 to 1.
    pub(crate) threshold: f64,
    /// Where the model of the matcher `embedding` lies; empty where it is not used.
    pub(crate) embedding_dir: PathBuf,
    /// From which cosine a name is a variation for that matcher; 0.05 to 0.95.
    pub(crate) embedding_threshold: f64,
    /// Most siblings that its model compares with one token.
    pub(crate) embedding_siblings: u32,
    /// What is dangerous whatever the profile says.
    pub(crate) danger_list: DangerList,
}

/// Which matcher compares unknown tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatcherKind {
    /// By type, shape, prefix, address and port class.
    Structural,
    /// Byte by byte.
    Exact,
    /// Structural, and by the meaning of words. Only in builds with the feature `embedding`.
    Embedding,
}

/// Which danger list is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DangerList {
    /// The one that comes with the product.
    Builtin,
    /// The user's.
    File(PathBuf),
}

/// `[alerts]`.
#[derive(Clone, Debug)]
pub(crate) struct Alerts {
    /// Lowest priority at which a Falco rule's match is an alert.
    pub(crate) rule_min_priority: Priority,
    /// How long a resolved alert can be reopened by a recurrence.
    pub(crate) reopen_within: Period,
}

/// `[redact]`.
#[derive(Clone, Debug)]
pub(crate) struct Redact {
    /// Words that mark secrets, beside the built-in ones.
    pub(crate) extra_keys: Vec<String>,
    /// Whether payload and environment are kept.
    pub(crate) keep_payload: bool,
}

/// `[metrics]`.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Whether the `process_name` label is used.
    pub(crate) process_name: bool,
    /// Whether the `k8s_pod` label is used.
    pub(crate) k8s_pod: bool,
    /// Most series of a family.
    pub(crate) series_max: u32,
    /// When an idle series ends.
    pub(crate) idle_after: Period,
}

/// `[store]`.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// How often snapshots are added to the history.
    pub(crate) snapshot_every: Period,
    /// Bound of the event log in bytes.
    pub(crate) event_log_bytes: ByteSize,
    /// Bound of the event log in time.
    pub(crate) event_log_age: Period,
    /// How often the state is made durable.
    pub(crate) checkpoint_every: Period,
}

/// `[series]`.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// How often the service's own metrics are taken down.
    pub(crate) scrape_every: Period,
    /// How long they are kept.
    pub(crate) retention: Period,
    /// Bound of what is kept, in bytes.
    pub(crate) max_bytes: ByteSize,
    /// The server that is asked in place of our own series.
    pub(crate) prometheus: Option<Door>,
    /// Where what is scraped is sent.
    pub(crate) remote_write: Option<Door>,
    /// Whether a Prometheus may write here.
    pub(crate) remote_write_receiver: bool,
    /// Whether windows are closed on both sides.
    pub(crate) closed_windows: bool,
}

/// A server of somebody else's.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Its URL, without credentials.
    pub(crate) url: String,
    /// The file of a Bearer token.
    pub(crate) token_file: Option<PathBuf>,
}

impl Door {
    /// The token, without the white space around it; none without a file.
    pub(crate) fn token(&self) -> anyhow::Result<Option<String>> {
        self.token_file.as_deref().map(token).transpose()
    }
}

/// The token in a file, without the white space around it.
fn token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the token in {}", path.display()))?;
    let token = text.trim();
    anyhow::ensure!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "{} holds no token: one line of printable characters is expected",
        path.display()
    );
    Ok(token.to_owned())
}

/// `[log]`.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// Least severe messages that are printed.
    pub(crate) level: LogLevel,
    /// How they are printed.
    pub(crate) format: LogFormat,
    /// Whether every request is.
    pub(crate) access: bool,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Only what needs a person.
    Error,
    /// And what went wrong and was handled.
    Warn,
    /// And what happens rarely.
    Info,
    /// And what happens often.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All levels.
    pub(crate) const ALL: [Self; 5] =
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON lines for machines.
    Json,
}

impl Config {
    /// Reads and checks everything: defaults, file, environment, flags.
    ///
    /// A [`ConfigError`] names all problems at once.
    pub(crate) fn load(
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults();
        if let Some(path) = &overrides.file {
            read_file(&mut layers, path);
        }
        layers.environment(environment);
        for (key, text, flag) in &overrides.values {
            layers.put_text(key, text, &Origin::Flag(flag));
        }
        layers.complete_outputs();
        validate::validate(layers)
    }

    /// Address and data directory.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Who is answered.
    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// TLS of the listener, if any.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Where event lines come from.
    pub(crate) fn sources(&self) -> &[SourceSpec] {
        &self.sources
    }

    /// `sources.docker_host`.
    pub(crate) fn docker_host(&self) -> &str {
        &self.docker_host
    }

    /// Where alerts go.
    pub(crate) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Limits of the way in.
    pub(crate) fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// What makes a profile's identity.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When learning ends.
    pub(crate) fn learn(&self) -> &Learn {
        &self.learn
    }

    /// Limits of a profile.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How deviations are found.
    pub(crate) fn detect(&self) -> &Detect {
        &self.detect
    }

    /// What becomes an alert.
    pub(crate) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// What is cut out of events.
    pub(crate) fn redact(&self) -> &Redact {
        &self.redact
    }

    /// Labels and limits of the exporter.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Rhythm and limits of the store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Rhythm and limits of the time series.
    pub(crate) fn series(&self) -> &Series {
        &self.series
    }

    /// Dashboards that the console embeds.
    pub(crate) fn grafana(&self) -> Option<&Grafana> {
        self.grafana.as_ref()
    }

    /// How messages are printed.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Every key with its value and origin, in alphabetical order.
    pub(crate) fn values(&self) -> &[(String, Setting)] {
        &self.values
    }

    /// What is odd, but no reason to refuse the configuration.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl From<Entry> for Setting {
    fn from(entry: Entry) -> Self {
        Self { value: entry.value, origin: entry.origin }
    }
}

fn read_file(layers: &mut Layers, path: &Path) {
    match std::fs::read_to_string(path) {
        Ok(text) => layers.file(path, &text),
        Err(error) => layers.problems.push(Problem::new(
            "the file",
            &Origin::File(path.to_path_buf()),
            format!("cannot be read: {error}"),
        )),
    }
}
