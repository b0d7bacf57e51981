//! Debian's Prometheus on a free port, with samples of a test.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hanabi_series::{Series, remote};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);
/// What is sent at a time: later samples of one series must not come before earlier ones of another
/// by more than Prometheus keeps open.
const SLICE: i64 = 300_000;

pub(crate) struct Prometheus {
    child: Child,
    url: String,
    agent: ureq::Agent,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// None where it is not installed, which is said.
    pub(crate) fn start(data: &[Series]) -> Option<Self> {
        let server = Self::run(|_| {})?;
        server.send(data);
        Some(server)
    }

    /// Over the blocks that `promtool` makes of `OpenMetrics` text.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        Self::run(|dir| {
            let file = dir.join("metrics.txt");
            std::fs::write(&file, text).unwrap();
            let made = Command::new("promtool")
                .args(["tsdb", "create-blocks-from", "openmetrics"])
                .args([file, dir.join("data")])
                .output()
                .unwrap();
            assert!(made.status.success(), "{made:?}");
        })
    }

    fn run(prepare: impl FnOnce(&Path)) -> Option<Self> {
        let installed = Command::new("prometheus")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            eprintln!("skipped: Prometheus is not installed (Debian's package prometheus)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        std::fs::write(dir.path().join("prometheus.yml"), "scrape_configs: []\n").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://127.0.0.1:{port}");
        let server = Self { child, url, agent, _dir: dir };
        server.wait();
        Some(server)
    }

    fn wait(&self) {
        let start = Instant::now();
        loop {
            let ready = self.agent.get(format!("{}/-/ready", self.url)).call();
            if ready.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "Prometheus does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn send(&self, data: &[Series]) {
        let times = || data.iter().flat_map(|series| &series.samples).map(|sample| sample.time);
        let (mut from, end) = (times().min().unwrap(), times().max().unwrap());
        while from <= end {
            let cut = |series: &Series| {
                let inside = |time: i64| (from..from + SLICE).contains(&time);
                let samples = series.samples.iter().filter(|s| inside(s.time)).copied().collect();
                Series { labels: series.labels.clone(), samples }
            };
            let slice: Vec<Series> =
                data.iter().map(cut).filter(|series| !series.samples.is_empty()).collect();
            let mut answer = self
                .agent
                .post(format!("{}/api/v1/write", self.url))
                .header("content-encoding", "snappy")
                .header("content-type", "application/x-protobuf")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .send(&remote::encode(&slice))
                .unwrap();
            let text = answer.body_mut().read_to_string().unwrap();
            assert_eq!(answer.status(), 204, "{text}");
            from += SLICE;
        }
    }

    /// The whole answer, an error's as well.
    pub(crate) fn ask(&self, path: &str, query: &[(&str, String)]) -> Value {
        let mut request = self.agent.get(format!("{}/api/v1/{path}", self.url));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let mut answer = request.call().unwrap();
        let body = answer.body_mut().with_config().limit(256 << 20).read_to_string().unwrap();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
