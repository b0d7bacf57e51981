//! From layered values to checked ones: every bound is stated here, once.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use hanabi_event::Priority;
use toml::Value;

use super::{
    Alerts, ByteSize, Config, DangerList, Detect, Door, Identity, IncludeHost, Ingest, Learn, Log,
    LogFormat, LogLevel, MatcherKind, Metrics, Period, Profile, Redact, Series, Server, SourceSpec,
    Store, console,
    layers::Layers,
    outputs,
    problem::{ConfigError, Origin, Problem},
    security,
};

pub(super) const SECOND: Period = Period::from_secs(1);
const MINUTE: Period = Period::from_secs(60);
const HOUR: Period = Period::from_secs(3600);
const YEAR: Period = Period::from_secs(366 * 86_400);

/// Reads every key, collecting all that is wrong instead of stopping at the first.
pub(super) fn validate(layers: Layers) -> Result<Config, ConfigError> {
    let mut check = Checker { layers: &layers, problems: Vec::new(), read: BTreeSet::new() };
    let server = server(&mut check);
    let machines = server.machines_listen.map(|address| ("server.machines_listen", address));
    let listen: Vec<_> = [("server.listen", server.listen)].into_iter().chain(machines).collect();
    let (auth, tls) = security::read(&mut check, &listen);
    let config = Config {
        server,
        auth,
        tls,
        sources: sources(&mut check),
        docker_host: docker_host(&mut check),
        outputs: outputs::read(&mut check),
        ingest: ingest(&mut check),
        identity: Identity {
            include_host: check.word(
                "identity.include_host",
                &[
                    ("auto", IncludeHost::Auto),
                    ("always", IncludeHost::Always),
                    ("never", IncludeHost::Never),
                ],
            ),
        },
        learn: learn(&mut check),
        profile: Profile {
            max_nodes: check.count("profile.max_nodes", 1000..=10_000_000),
            files_per_directory: check.count("profile.files_per_directory", 2..=10_000),
            arguments_per_process: check.count("profile.arguments_per_process", 2..=10_000),
            limits: check.paths("profile.limits", 2..=10_000),
        },
        detect: detect(&mut check),
        alerts: alerts(&mut check),
        redact: Redact {
            extra_keys: check.list("redact.extra_keys"),
            keep_payload: check.switch("redact.keep_payload"),
        },
        metrics: Metrics {
            process_name: check.switch("metrics.process_name"),
            k8s_pod: check.switch("metrics.k8s_pod"),
            series_max: check.count("metrics.series_max", 100..=1_000_000),
            idle_after: check.period("metrics.idle_after", MINUTE..=YEAR),
        },
        store: store(&mut check),
        series: series(&mut check),
        grafana: console::read(&mut check),
        log: log(&mut check),
        values: Vec::new(),
        warnings: Vec::new(),
    };
    let (found, read) = (check.problems, check.read);
    debug_assert!(
        !layers.problems.is_empty() || layers.entries().all(|(key, _)| read.contains(key)),
        "every key of default.toml is read"
    );
    let values =
        layers.entries().map(|(key, entry)| (key.to_owned(), entry.clone().into())).collect();
    let Layers { mut problems, warnings, .. } = layers;
    problems.extend(found);
    if problems.is_empty() {
        Ok(Config { values, warnings, ..config })
    } else {
        Err(ConfigError(problems))
    }
}

fn server(check: &mut Checker) -> Server {
    let listen = check.parsed("server.listen", listen_address);
    let fallback = SocketAddr::from((Ipv4Addr::LOCALHOST, 8000));
    let data_dir = PathBuf::from(check.filled("server.data_dir"));
    let machines = check.parsed("server.machines_listen", |text| {
        if text.is_empty() { Ok(None) } else { listen_address(text).map(Some) }
    });
    Server {
        listen: listen.unwrap_or(fallback),
        machines_listen: machines.flatten(),
        allowed_hosts: check.list("server.allowed_hosts"),
        data_dir,
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = numeric
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| "must be an address and a port, such as \"127.0.0.1:8000\"")?;
    Ok(address)
}

fn sources(check: &mut Checker) -> Vec<SourceSpec> {
    let mut sources = Vec::new();
    for text in check.list("sources.list") {
        match text.parse() {
            Ok(source) if sources.contains(&source) => {
                check.problem("sources.list", &format!("names {text:?} twice"));
            }
            Ok(source) => sources.push(source),
            Err(why) => check.problem("sources.list", &format!("has {text:?}, which {why}")),
        }
    }
    sources
}

fn docker_host(check: &mut Checker) -> String {
    let text = check.text("sources.docker_host");
    let named = |scheme| text.strip_prefix(scheme).is_some_and(|rest: &str| !rest.is_empty());
    if !named("unix:///") && !named("tcp://") {
        check.problem("sources.docker_host", "must be unix://PATH or tcp://HOST:PORT");
    }
    text.to_owned()
}

fn ingest(check: &mut Checker) -> Ingest {
    let queue_bytes = check.size("ingest.queue_bytes", ByteSize::mib(1)..=ByteSize::mib(4096));
    Ingest {
        queue_bytes,
        journal_bytes: check
            .size("ingest.journal_bytes", ByteSize::mib(1)..=ByteSize::mib(16 * 1024)),
        body_limit: check.size("ingest.body_limit", ByteSize::mib(1)..=queue_bytes),
        silence_after: check.period("ingest.silence_after", SECOND..=YEAR),
    }
}

fn learn(check: &mut Checker) -> Learn {
    let warmup = check.period("learn.warmup", Period::default()..=YEAR);
    let min_time = check.period("learn.min_time", warmup..=YEAR);
    Learn {
        warmup,
        min_time,
        min_events: check.count("learn.min_events", 1..=1_000_000_000),
        novelty: check.fraction(
            "learn.novelty",
            f64::MIN_POSITIVE..=0.5,
            "above 0 and at most 0.5",
        ),
        max_time: check.period("learn.max_time", min_time..=YEAR),
        revision_window: check.period("learn.revision_window", Period::default()..=YEAR),
    }
}

fn detect(check: &mut Checker) -> Detect {
    let danger_list = match check.filled("detect.danger_list").as_str() {
        "builtin" => DangerList::Builtin,
        path => DangerList::File(path.into()),
    };
    let detect = Detect {
        matcher: check.word(
            "detect.matcher",
            &[
                ("structural", MatcherKind::Structural),
                ("exact", MatcherKind::Exact),
                ("embedding", MatcherKind::Embedding),
            ],
        ),
        threshold: check.fraction("detect.threshold", 0.0..=1.0, "from 0 to 1"),
        embedding_dir: check.text("detect.embedding_dir").into(),
        embedding_threshold: check.fraction(
            "detect.embedding_threshold",
            0.05..=0.95,
            "from 0.05 to 0.95",
        ),
        embedding_siblings: check.count("detect.embedding_siblings", 1..=128),
        danger_list,
    };
    if detect.matcher == MatcherKind::Embedding
        && let Some((key, why)) = embedding(cfg!(feature = "embedding"), &detect.embedding_dir)
    {
        check.problem(key, why);
    }
    detect
}

/// What keeps the matcher `embedding` from being used: the key at fault, and why.
pub(super) fn embedding(built: bool, directory: &Path) -> Option<(&'static str, &'static str)> {
    if !built {
        return Some((
            "detect.matcher",
            "is not in this build of hanabi: build it with `cargo build --release --features \
             embedding`, or choose \"structural\"",
        ));
    }
    directory.as_os_str().is_empty().then_some((
        "detect.embedding_dir",
        "must name the directory of a model when detect.matcher is \"embedding\"",
    ))
}

fn alerts(check: &mut Checker) -> Alerts {
    Alerts {
        rule_min_priority: check.priority("alerts.rule_min_priority"),
        reopen_within: check.period("alerts.reopen_within", Period::default()..=YEAR),
    }
}

fn store(check: &mut Checker) -> Store {
    let tebibyte = ByteSize::mib(1024 * 1024);
    let shortest = Period::from_millis(100);
    Store {
        snapshot_every: check.period("store.snapshot_every", SECOND..=YEAR),
        event_log_bytes: check.size("store.event_log_bytes", ByteSize::mib(16)..=tebibyte),
        event_log_age: check.period("store.event_log_age", MINUTE..=YEAR),
        checkpoint_every: check.period("store.checkpoint_every", shortest..=HOUR),
    }
}

fn series(check: &mut Checker) -> Series {
    let tebibyte = ByteSize::mib(1024 * 1024);
    Series {
        scrape_every: check.period("series.scrape_every", SECOND..=HOUR),
        retention: check.period("series.retention", HOUR..=YEAR),
        max_bytes: check.size("series.max_bytes", ByteSize::mib(1)..=tebibyte),
        prometheus: door(check, "series.prometheus_url", "series.prometheus_token_file"),
        remote_write: door(check, "series.remote_write_url", "series.remote_write_token_file"),
        remote_write_receiver: check.switch("series.remote_write_receiver"),
        closed_windows: check.switch("series.closed_windows"),
    }
}

/// A server by its URL; none where there is none.
fn door(check: &mut Checker, url: &'static str, token: &'static str) -> Option<Door> {
    let (text, file) = (check.text(url), check.text(token));
    if text.is_empty() {
        return None;
    }
    let plain = url::Url::parse(text).is_ok_and(|parsed| {
        matches!(parsed.scheme(), "http" | "https")
            && parsed.has_host()
            && parsed.query().is_none()
            && parsed.fragment().is_none()
    });
    if !plain {
        check.problem(url, "must be empty, or http://HOST:PORT/PATH or https://HOST:PORT/PATH");
    }
    if text.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
        let remedy = format!("must not hold a password; put a token into a file, see {token}");
        check.problem(url, &remedy);
    }
    let token_file = (!file.is_empty()).then(|| file.into());
    Some(Door { url: text.to_owned(), token_file })
}

fn log(check: &mut Checker) -> Log {
    Log {
        level: check.word("log.level", &LogLevel::ALL.map(|level| (level.as_str(), level))),
        format: check.word("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
        access: check.switch("log.access"),
    }
}

pub(super) struct Checker<'a> {
    layers: &'a Layers,
    problems: Vec<Problem>,
    read: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    /// The value in force; keys are those of `default.toml`, which a test holds us to.
    fn value(&mut self, key: &str) -> Option<&'a Value> {
        self.read.insert(key.to_owned());
        self.layers.get(key).map(|entry| &entry.value)
    }

    pub(super) fn problem(&mut self, key: &str, why: &str) {
        let (what, origin) = match self.layers.get(key) {
            Some(entry) => (format!("{key} = {}", entry.value), &entry.origin),
            None => (key.to_owned(), &Origin::Default),
        };
        self.problems.push(Problem::new(what, origin, why));
    }

    pub(super) fn text(&mut self, key: &str) -> &'a str {
        self.value(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text that must not be empty.
    pub(super) fn filled(&mut self, key: &str) -> String {
        let text = self.text(key).to_owned();
        if text.is_empty() {
            self.problem(key, "must not be empty");
        }
        text
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(key)) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(key, &why);
                None
            }
        }
    }

    /// A value between two bounds. The lower bound stands in for a wrong value, so that bounds
    /// that depend on this key do not add problems of their own.
    fn bounded<T>(&mut self, key: &str, bounds: RangeInclusive<T>) -> T
    where
        T: FromStr<Err = String> + Copy + PartialOrd + std::fmt::Display,
    {
        let (least, most) = (*bounds.start(), *bounds.end());
        match self.parsed(key, str::parse::<T>) {
            Some(value) if bounds.contains(&value) || least > most => value,
            Some(_) => {
                self.problem(key, &format!("must be from {least} to {most}"));
                least
            }
            None => least,
        }
    }

    pub(super) fn period(&mut self, key: &str, bounds: RangeInclusive<Period>) -> Period {
        self.bounded(key, bounds)
    }

    pub(super) fn size(&mut self, key: &str, bounds: RangeInclusive<ByteSize>) -> ByteSize {
        self.bounded(key, bounds)
    }

    pub(super) fn count(&mut self, key: &str, bounds: RangeInclusive<u32>) -> u32 {
        let number = self.value(key).and_then(Value::as_integer).unwrap_or_default();
        match u32::try_from(number) {
            Ok(number) if bounds.contains(&number) => number,
            _ => {
                let (least, most) = bounds.into_inner();
                self.problem(key, &format!("must be from {least} to {most}"));
                least
            }
        }
    }

    fn fraction(&mut self, key: &str, bounds: RangeInclusive<f64>, words: &str) -> f64 {
        let number = self.value(key).and_then(Value::as_float).unwrap_or_default();
        if !bounds.contains(&number) {
            self.problem(key, &format!("must be {words}"));
        }
        number
    }

    pub(super) fn priority(&mut self, key: &str) -> Priority {
        let known = Priority::ALL.map(Priority::as_str).join(", ");
        let parse =
            |text: &str| Priority::parse(text).ok_or_else(|| format!("must be one of {known}"));
        self.parsed(key, parse).unwrap_or_default()
    }

    /// The names of the outputs.
    pub(super) fn outputs(&self) -> Vec<String> {
        self.layers.outputs()
    }

    /// Takes keys as read that begin in a way.
    pub(super) fn pass(&mut self, prefix: &str) {
        let keys = self.layers.entries().map(|(key, _)| key);
        self.read.extend(keys.filter(|key| key.starts_with(prefix)).map(str::to_owned));
    }

    pub(super) fn switch(&mut self, key: &str) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let items = self.value(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whole numbers by absolute path.
    fn paths(&mut self, key: &str, bounds: RangeInclusive<u32>) -> Vec<(String, u32)> {
        let mut paths = Vec::new();
        let table = self.value(key).and_then(Value::as_table);
        for (path, value) in table.into_iter().flatten() {
            let number = value.as_integer().and_then(|n| u32::try_from(n).ok());
            let number = number.filter(|n| bounds.contains(n));
            match number {
                Some(number) if path.starts_with('/') => paths.push((path.clone(), number)),
                Some(_) => self.problem(key, &format!("has {path:?}, which is no absolute path")),
                None => {
                    let (least, most) = (*bounds.start(), *bounds.end());
                    self.problem(key, &format!("must be from {least} to {most} for {path:?}"));
                }
            }
        }
        paths
    }

    /// One of a closed set of words; the first stands in for a wrong one.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> T {
        let text = self.text(key);
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.problem(key, &format!("must be one of {}", known.join(", ")));
        words[0].1
    }
}
