//! `PromQL` in both rooms: the service's own series, and a Prometheus that got them by remote write.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use hanabi_series::TEMPLATES;
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::{
    metrics::{Helper, installed},
    service::{Service, lines},
};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn prometheus(program: &str, dir: &Path, port: u16) -> Helper {
    std::fs::write(dir.join("prometheus.yml"), "scrape_configs: []\n").unwrap();
    let child = Command::new(program)
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
        .arg("--web.enable-remote-write-receiver")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Helper(child)
}

/// The values of an answer by their labels.
fn asked(service: &Service, query: &str, time: &str) -> BTreeMap<String, f64> {
    let answer = service.get(&format!(
        "/api/v1/query?query={}{time}",
        byte_serialize(query.as_bytes()).collect::<String>()
    ));
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    let result = answer["data"]["result"].as_array().unwrap();
    let one = |series: &Value| {
        let value = series["value"][1].as_str().unwrap().parse().unwrap();
        (series["metric"].to_string(), value)
    };
    result.iter().map(one).collect()
}

#[test]
fn both_rooms_answer_the_templates_alike_and_nothing_is_lost_while_the_server_is_away() {
    let Some(program) = installed("prometheus") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let to = format!("series.remote_write_url=http://127.0.0.1:{port}/api/v1/write");
    // Debian's Prometheus is of version 2.
    let own = ["series.scrape_every=1s", "series.closed_windows=true", &to];
    let own: Vec<&str> = own.iter().flat_map(|setting| ["--set", setting]).collect();
    let mut service = Service::start(&dir.path().join("own"), &own);
    let (status, answer) =
        service.post("application/x-ndjson", None, &lines("shop-rules.jsonl.zst"));
    assert_eq!(status, 202, "{answer}");
    service.wait("tries without a server", |service| {
        (service.metric("hanabi_remote_write_retries_total") >= 2.0).then_some(())
    });
    let _prometheus = prometheus(&program, dir.path(), port);
    let ready = format!("http://127.0.0.1:{port}/-/ready");
    service.wait("Prometheus", |_| ureq::get(&ready).call().is_ok().then_some(()));
    let from = format!("series.prometheus_url=http://127.0.0.1:{port}");
    let other = Service::start(&dir.path().join("other"), &["--set", &from]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = format!("&time={now}");
    let sent = dir.path().join("own/remote-write");
    service.wait("word that all of it was taken", |_| {
        let upto: u64 = std::fs::read_to_string(&sent).ok()?.trim().parse().ok()?;
        (upto > now * 1_000).then_some(())
    });
    let count = "count_over_time(hanabi_events_total[1h])";
    assert_eq!(asked(&service, count, &time), asked(&other, count, &time));
    let mut answered = 0;
    for template in TEMPLATES {
        let query = template.of_container("web");
        let (mine, theirs) = (asked(&service, &query, &time), asked(&other, &query, &time));
        assert!(mine.keys().eq(theirs.keys()), "{query}: {mine:?} {theirs:?}");
        for (labels, value) in &mine {
            let difference = (value - theirs[labels]).abs();
            assert!(difference <= 1e-9 * value.abs(), "{query}: {mine:?} {theirs:?}");
        }
        answered += usize::from(!mine.is_empty());
    }
    assert!(answered > TEMPLATES.len() / 2, "{answered} templates have an answer");
    let labels = |service: &Service| service.get("/api/v1/labels")["data"].clone();
    assert_eq!(labels(&service), labels(&other));
    assert!(other.metric("hanabi_api_cache_lookups_total{result=\"miss\"}") > 0.0);
}

#[test]
fn a_server_that_is_away_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let from = format!("series.prometheus_url=http://127.0.0.1:{}", free_port());
    let service = Service::start(dir.path(), &["--set", &from]);
    let path = format!("{}/api/v1/query?query=up", service.url);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(&path).call().unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(body["errorType"], "unavailable");
    let why = body["error"].as_str().unwrap();
    assert!(why.contains(&from["series.prometheus_url=".len()..]), "{why}");
    assert!(why.contains("series.prometheus_url"), "{why}");
}
