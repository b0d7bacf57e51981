//! `/metrics` as Prometheus' own tools see it. Without them (Debian's `prometheus`) the tests say
//! so and pass.

use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::service::{Service, lines};

/// The path of an installed program.
pub(crate) fn installed(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path
        .split(':')
        .chain(["/usr/bin", "/usr/local/bin"])
        .map(|dir| format!("{dir}/{name}"))
        .find(|file| Path::new(file).is_file());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed");
    }
    found
}

/// Ends a helper with the test.
pub(crate) struct Helper(pub(crate) Child);

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn fed(dir: &Path) -> Service {
    let mut service = Service::start(dir, &[]);
    let text = lines("shop-rules.jsonl.zst");
    let (status, answer) = service.post("application/x-ndjson", None, &text);
    assert_eq!(status, 202, "{answer}");
    let count = memchr::memchr_iter(b'\n', &text).count() as u64;
    service.wait("all lines", |service| {
        let totals = service.totals();
        totals.check();
        (totals.received == count && totals.pending < 100).then_some(())
    });
    service.wait("the counts", |service| {
        (value(&service.text("/metrics"), "hanabi_events_total") > 0).then_some(())
    });
    service
}

fn value(page: &str, name: &str) -> u64 {
    let line = page.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default() as u64
}

fn sum(page: &str, family: &str) -> u64 {
    page.lines()
        .filter(|line| line.starts_with(&format!("{family}{{")))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
        .sum()
}

#[test]
fn the_families_agree_with_the_totals_and_promtool_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let service = fed(dir.path());
    let page = service.text("/metrics");
    let totals = service.totals();
    assert_eq!(sum(&page, "syscall_events_total"), value(&page, "hanabi_events_total"));
    assert_eq!(value(&page, "hanabi_ingest_lines_modelled_total"), totals.modelled);
    assert_eq!(sum(&page, "security_alerts_total"), value(&page, "hanabi_security_alerts_total"));
    assert!(sum(&page, "syscall_last_event_timestamp_seconds") > 0);
    let Some(promtool) = installed("promtool") else { return };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_prometheus_scrapes_it() {
    let Some(prometheus) = installed("prometheus") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut service = fed(&dir.path().join("data"));
    let target = service.url.trim_start_matches("http://").to_owned();
    let config = dir.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: hanabi, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(prometheus)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Helper(child);
    let url = format!("http://127.0.0.1:{port}/api/v1/query?query=sum(syscall_events_total)");
    let seen = service.wait("answer of Prometheus", |_| {
        let mut answer = ureq::get(&url).call().ok()?;
        let answer: Value = answer.body_mut().read_json().ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse::<u64>().ok()
    });
    assert_eq!(seen, value(&service.text("/metrics"), "hanabi_events_total"));
}

#[test]
fn the_service_keeps_its_metrics_and_promtool_asks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ["--set", "series.scrape_every=1s"];
    let mut service = Service::start(dir.path(), &settings);
    let lines = lines("shop-small.jsonl.zst");
    let end = memchr::memchr_iter(b'\n', &lines).nth(9_999).unwrap() + 1;
    let (status, answer) = service.post("application/x-ndjson", None, &lines[..end]);
    assert_eq!(status, 202, "{answer}");
    let asked = |service: &Service, query: &str| -> Option<f64> {
        let body = service.get(&format!("/api/v1/query?query={query}"));
        assert_eq!(body["status"], "success", "{body}");
        body["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    service.wait("10 000 events in the series", |service| {
        (asked(service, "hanabi_events_total")? >= 10_000.0).then_some(())
    });
    assert_eq!(
        asked(&service, "sum(syscall_events_total)"),
        asked(&service, "hanabi_events_total")
    );
    if let Some(promtool) = installed("promtool") {
        let query = "count(syscall_events_total) > bool 3";
        let asked = Command::new(promtool).args(["query", "instant", &service.url, query]).output();
        let output = asked.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("=> 1 @"), "{output:?}");
    }
    let (ended, talk) = service.stop();
    assert!(ended.success(), "{talk}");
    // What was taken down before is there after a restart, as it was.
    let service = Service::start(dir.path(), &["--set", "series.scrape_every=1h"]);
    let before = asked(&service, "max_over_time(hanabi_events_total%5B10m%5D)");
    assert!(before.is_some_and(|events| events >= 10_000.0), "{before:?}");
}
