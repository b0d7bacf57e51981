//! A running `hanabi run`, and what its clients do.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a condition may take to become true; only a service that never gets there waits so
/// long.
const PATIENCE: Duration = Duration::from_mins(2);

/// Learning that ends soon, and time that passes only by events: what a test compares must not
/// depend on how busy the machine is.
pub(crate) const SETTINGS: [&str; 5] = [
    "learn.warmup=30s",
    "learn.min_time=60s",
    "learn.min_events=50",
    "learn.novelty=0.5",
    "ingest.silence_after=1h",
];

pub(crate) struct Service {
    child: Child,
    pub(crate) url: String,
    talk: Arc<Mutex<String>>,
    agent: ureq::Agent,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// A fixture's lines, unpacked.
pub(crate) fn lines(name: &str) -> Vec<u8> {
    zstd::decode_all(std::fs::File::open(fixture(name)).unwrap()).unwrap()
}

pub(crate) fn hanabi() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hanabi"));
    command.env_remove("HANABI_CONFIG").env("NO_COLOR", "1");
    command
}

/// `--set` for each of [`SETTINGS`].
pub(crate) fn settings() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()])
}

impl Service {
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::spawn(data, arguments, Stdio::null(), TlsConfig::default())
    }

    /// One with TLS, whose certificate is in a file.
    pub(crate) fn start_tls(data: &Path, arguments: &[&str], cert_file: &str) -> Self {
        let pem = std::fs::read(cert_file).unwrap();
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
        let tls = TlsConfig::builder().root_certs(roots).build();
        Self::spawn(data, arguments, Stdio::null(), tls)
    }

    pub(crate) fn start_piped(data: &Path, arguments: &[&str]) -> (Self, ChildStdin) {
        let mut service = Self::spawn(data, arguments, Stdio::piped(), TlsConfig::default());
        let stdin = service.child.stdin.take().unwrap();
        (service, stdin)
    }

    fn spawn(data: &Path, arguments: &[&str], stdin: Stdio, tls: TlsConfig) -> Self {
        let mut child = hanabi()
            .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(settings())
            .args(arguments)
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let talk = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let heard = Arc::clone(&talk);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build()
            .into();
        let mut service = Self { child, url: String::new(), talk, agent };
        service.url = service.wait("its address", |service| {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended with {ended:?}:\n{}", service.talk());
            let talk = service.talk();
            let (_, rest) = talk.split_once("running at ")?;
            Some(rest.split_whitespace().next()?.to_owned())
        });
        service.wait("being ready", |service| (service.status("/readyz") == 200).then_some(()));
        service
    }

    /// What it has said on standard error.
    pub(crate) fn talk(&self) -> String {
        self.talk.lock().unwrap().clone()
    }

    /// Asks again and again until there is an answer.
    pub(crate) fn wait<T>(&mut self, what: &str, mut ask: impl FnMut(&mut Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "no {what} in time:\n{}", self.talk());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The value of a metric, by the beginning of its line.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let page = self.text("/metrics");
        let line = page.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
    }

    pub(crate) fn status(&self, path: &str) -> u16 {
        let answer = self.agent.get(format!("{}{path}", self.url)).call();
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let mut answer = self.agent.get(&url).call().unwrap();
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{url}: {body}");
        body
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// Sends a body; the status and the answer.
    pub(crate) fn post(&self, kind: &str, encoding: Option<&str>, body: &[u8]) -> (u16, String) {
        let mut request =
            self.agent.post(format!("{}/ingest/falco", self.url)).header("content-type", kind);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let mut answer = request.send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// Has something changed; the status and the answer.
    pub(crate) fn change(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body.to_string())
            .unwrap();
        let mut answer = self.agent.run(request).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// What became of every line.
    pub(crate) fn totals(&self) -> Totals {
        Totals::of(&self.get("/api/sources")["totals"])
    }

    /// Waits until so many lines were received and none waits; checks that they add up.
    pub(crate) fn wait_received(&mut self, received: u64) -> Totals {
        self.wait(&format!("{received} lines"), |service| {
            let totals = service.totals();
            totals.check();
            assert!(totals.received <= received, "{totals:?} of {received}");
            (totals.received == received && totals.pending == 0).then_some(totals)
        })
    }

    /// Every alert as its id, fingerprint, count and priority, sorted.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut path = "/api/alerts?limit=100".to_owned();
        loop {
            let page = self.get(&path);
            all.extend(page["alerts"].as_array().unwrap().iter().map(brief));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/alerts?limit=100&cursor={cursor}");
        }
        all.sort();
        all
    }

    /// Waits until the alerts are these: counts are shown once a second.
    pub(crate) fn expect_alerts(&mut self, expected: &[String]) {
        let start = Instant::now();
        while self.alerts() != expected && start.elapsed() < PATIENCE / 4 {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.alerts(), expected);
    }

    /// The trees of all profiles.
    pub(crate) fn trees(&self) -> Vec<(String, Value)> {
        let mut identities: Vec<String> = self.get("/api/containers?limit=1000")["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|container| container["identity"].as_str().unwrap().to_owned())
            .collect();
        identities.sort();
        identities.dedup();
        identities
            .into_iter()
            .map(|identity| {
                let path = format!("/api/hbt/{}?depth=60", identity.replace(':', "%3A"));
                let tree = self.get(&path);
                (identity, tree)
            })
            .collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop and waits.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.wait("end", |service| service.child.try_wait().unwrap());
        (status, self.talk())
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("http://")).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is compared of an alert.
pub(crate) fn brief(alert: &Value) -> String {
    format!(
        "{} {} {} {} {}",
        alert["id"], alert["fingerprint"], alert["rule"], alert["count"], alert["priority"]
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) modelled: u64,
    pub(crate) pending: u64,
    pub(crate) ignored: Value,
    pub(crate) rejected: Value,
    pub(crate) dropped: Value,
}

impl Totals {
    fn of(value: &Value) -> Self {
        let number = |key: &str| value[key].as_u64().unwrap();
        Self {
            received: number("received"),
            modelled: number("modelled"),
            pending: number("pending"),
            ignored: value["ignored"].clone(),
            rejected: value["rejected"].clone(),
            dropped: value["dropped"].clone(),
        }
    }

    /// Every line became something, once.
    pub(crate) fn check(&self) {
        let sum = |map: &Value| {
            map.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
        };
        let parts = self.modelled
            + self.pending
            + sum(&self.ignored)
            + sum(&self.rejected)
            + sum(&self.dropped);
        assert_eq!(self.received, parts, "{self:?}");
    }
}

/// The alerts and trees of a replay of the same lines.
pub(crate) struct Replayed {
    pub(crate) alerts: Vec<String>,
    pub(crate) trees: Vec<(String, Value)>,
    pub(crate) summary: String,
}

pub(crate) fn replay(file: &Path) -> Replayed {
    let snapshots = tempfile::tempdir().unwrap();
    let output = hanabi()
        .arg("replay")
        .arg(file)
        .args(settings())
        .arg("--snapshots")
        .arg(snapshots.path())
        .output()
        .unwrap();
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{summary}");
    let mut alerts: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| brief(&serde_json::from_str(line).unwrap()))
        .collect();
    alerts.sort();
    let mut trees: Vec<(String, Value)> = std::fs::read_dir(snapshots.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Beside the trees lie the profiles themselves.
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let tree: Value = serde_json::from_str(&text).unwrap();
            (tree["metadata"]["identity"].as_str().unwrap().to_owned(), tree)
        })
        .collect();
    trees.sort_by(|a, b| a.0.cmp(&b.0));
    Replayed { alerts, trees, summary }
}

pub(crate) fn append(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
