//! `hanabi series` as a user of `promtool` meets it, and what a Prometheus sends.

use std::{fmt::Write as _, io::Write as _, path::Path, process::Stdio};

use crate::service::{Service, hanabi};

/// Standard output, standard error, exit code.
type Said = (String, String, Option<i32>);

fn series(data: &Path, arguments: &[&str], stdin: &str) -> Said {
    let mut child = hanabi()
        .args(["series", arguments[0], "--data-dir"])
        .arg(data)
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read all.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

const TEXT: &str = "# TYPE requests counter\n\
    requests_total{job=\"b\"} 5 1700000060\n\
    requests_total{job=\"b\"} 1 1700000000\n\
    requests_total{job=\"a \\\"q\\\"\"} 2 1700000000.125\n\
    requests_total{job=\"b\"} 9 1700000060\n\
    up NaN 1700000000\n\
    up +Inf 1700000015\n\
    up NaN 1700000030 # {marker=\"stale\"} 1\n\
    # EOF\n";

#[test]
fn what_is_imported_is_dumped_and_imported_again() {
    let dir = tempfile::tempdir().unwrap();
    let (out, err, code) = series(dir.path(), &["import", "-"], TEXT);
    assert_eq!(
        (out.as_str(), code),
        (
            "imported 6 samples from standard input: 3 series; 1 samples were there already, 0 were refused\n",
            Some(0)
        ),
        "{err}"
    );
    let dumped = series(dir.path(), &["dump"], "").0;
    assert_eq!(
        dumped,
        "requests_total{job=\"a \\\"q\\\"\"} 2 1700000000.125\n\
         requests_total{job=\"b\"} 1 1700000000\n\
         requests_total{job=\"b\"} 5 1700000060\n\
         up NaN 1700000000\n\
         up +Inf 1700000015\n\
         up NaN 1700000030 # {marker=\"stale\"} 1\n\
         # EOF\n"
    );
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("dump.txt");
    std::fs::write(&file, &dumped).unwrap();
    let file = file.to_str().unwrap();
    let (out, err, code) = series(other.path(), &["import", file], "");
    assert!(out.starts_with("imported 6 samples") && code == Some(0), "{out}{err}");
    assert_eq!(series(other.path(), &["dump"], "").0, dumped);
    let again = series(other.path(), &["import", file], "").0;
    assert!(
        again.contains("imported 0 samples") && again.contains("6 samples were there"),
        "{again}"
    );
    let some = ["dump", "--match", "requests_total{job=\"b\"}", "--from", "1700000001"];
    let some = series(other.path(), &some, "").0;
    assert_eq!(some, "requests_total{job=\"b\"} 5 1700000060\n# EOF\n");
}

#[test]
fn queries_are_answered_as_promtool_prints_them() {
    let dir = tempfile::tempdir().unwrap();
    series(dir.path(), &["import", "-"], TEXT);
    let asked = |arguments: &[&str]| {
        let (out, err, code) = series(dir.path(), &[&["query"], arguments].concat(), "");
        assert_eq!(code, Some(0), "{err}");
        out
    };
    assert_eq!(
        asked(&["sum by (job) (requests_total)", "--time", "2023-11-14T22:14:20Z"]),
        "{job=\"a \\\"q\\\"\"} => 2 @[1700000060]\n{job=\"b\"} => 5 @[1700000060]\n"
    );
    assert_eq!(asked(&["-1 + 2", "--time", "1.5"]), "scalar: 1 @[1.5]\n");
    assert_eq!(asked(&["up", "--time", "1700000031"]), "", "it has ended");
    assert_eq!(
        asked(&[
            "requests_total{job='b'}",
            "--start",
            "1700000000",
            "--end",
            "1700000060",
            "--step",
            "1m"
        ]),
        "requests_total{job=\"b\"} =>\n1 @[1700000000]\n5 @[1700000060]\n"
    );
    assert_eq!(
        asked(&["up", "--time", "1700000015", "--json"]),
        "{\"result\":[{\"metric\":{\"__name__\":\"up\"},\"value\":[1700000015,\"+Inf\"]}],\"resultType\":\"vector\"}\n"
    );
    let counted = ["count_over_time(requests_total{job='b'}[1m])", "--time", "1700000060"];
    for (flags, count) in [
        (&[][..], 1),
        (&["--closed-windows"], 2),
        (&["--set", "series.closed_windows=true"], 2),
        (&["--set", "series.closed_windows=false", "--closed-windows"], 2),
    ] {
        let out = asked(&[&counted[..], flags].concat());
        assert_eq!(out, format!("{{job=\"b\"}} => {count} @[1700000060]\n"), "{flags:?}");
    }
    let (_, err, code) = series(dir.path(), &["query", "sum("], "");
    assert!(code == Some(1) && err.contains("failed to evaluate sum("), "{err}");
}

#[test]
fn what_cannot_be_done_is_said_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |data: &Path, arguments: &[&str], stdin: &str, expected: &[&str]| {
        let (_, err, code) = series(data, arguments, stdin);
        assert_eq!(code, Some(1), "{err}");
        for expected in expected {
            assert!(err.contains(expected), "{err}");
        }
    };
    refused(dir.path(), &["dump"], "", &["holds no time series", "hint:"]);
    let missing = dir.path().join("missing");
    refused(&missing, &["query", "up"], "", &["there is no data directory", "--data-dir"]);
    refused(&missing, &["import", "-"], TEXT, &["there is no data directory"]);
    let wrong = "up 1 1700000000\nup 1\n# EOF\n";
    let expected =
        ["line 2: the sample `up 1` has no time", "add one in seconds", "1 samples before"];
    refused(dir.path(), &["import", "-"], wrong, &expected);
    let file = dir.path().join("wrong.txt");
    std::fs::write(&file, wrong.replace("up", "down")).unwrap();
    let arguments = ["import", file.to_str().unwrap()];
    refused(dir.path(), &arguments, "", &["line 2", "wrong.txt", "nothing was imported"]);
    assert_eq!(series(dir.path(), &["dump"], "").0, "up 1 1700000000\n# EOF\n");
    // A running service is asked, not gone around.
    let service = Service::start(dir.path(), &[]);
    for arguments in [&["dump"][..], &["query", "up"], &["import", "-"]] {
        refused(dir.path(), arguments, TEXT, &["is held by another process", "running service"]);
    }
    drop(service);
}

#[test]
fn a_long_text_is_imported_in_batches_and_a_service_answers_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let now = jiff::Timestamp::now().as_second();
    for step in (0..3_000).rev() {
        for n in 0..100 {
            _ = writeln!(
                text,
                "jobs_total{{n=\"{n}\"}} {} {}",
                (3_000 - step) * n,
                now - step * 15
            );
        }
    }
    text.push_str("# EOF\n");
    let (out, err, _) = series(dir.path(), &["import", "-"], &text);
    assert!(out.starts_with("imported 300000 samples from standard input: 100 series;"), "{err}");
    let service = Service::start(dir.path(), &[]);
    let path = format!("/api/v1/query?query=sum(count_over_time(jobs_total%5B1d%5D))&time={now}");
    assert_eq!(service.get(&path)["data"]["result"][0]["value"][1], "300000");
    let (ended, talk) = service.stop();
    assert!(ended.success(), "{talk}");
    let (out, err, _) = series(dir.path(), &["dump", "--match", "jobs_total"], "");
    assert_eq!(out.lines().count(), 300_001, "{err}");
}

/// Prometheus, ended with the test.
struct Prometheus(std::process::Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_prometheus_writes_to_the_service() {
    let installed = std::process::Command::new("prometheus").arg("--version").output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: Prometheus is not installed (Debian's package prometheus)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let settings = ["--set", "series.remote_write_receiver=true"];
    let mut service = Service::start(&dir.path().join("hanabi"), &settings);
    let address = service.url.trim_start_matches("http://");
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- job_name: hanabi\n  static_configs: [{{targets: ['{address}']}}]\n\
         remote_write:\n- url: http://{address}/api/v1/write\n"
    );
    let file = dir.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let prometheus = std::process::Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let prometheus = Prometheus(prometheus.unwrap());
    let value = |service: &Service, query: &str| -> Option<f64> {
        let body = service.get(&format!("/api/v1/query?query={query}"));
        body["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    service.wait("scrapes of Prometheus", |service| {
        let query = "count_over_time(up%7Bjob%3D%22hanabi%22%7D%5B5m%5D)";
        (value(service, query)? >= 3.0).then_some(())
    });
    assert!(value(&service, "hanabi_build_info%7Bjob%3D%22hanabi%22%7D").is_some());
    let metrics = service.text("/metrics");
    assert!(metrics.contains("\nhanabi_series_stored_refused_total 0\n"), "{metrics}");
    drop(prometheus);
    let (ended, talk) = service.stop();
    assert!(ended.success(), "{talk}");
    // What was written survives the end.
    let (out, err, _) =
        series(&dir.path().join("hanabi"), &["dump", "--match", "up{job=\"hanabi\"}"], "");
    assert!(out.lines().count() >= 4, "{out}{err}");
}

#[test]
fn nobody_writes_unless_that_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let (status, answer) = service.change("POST", "/api/v1/write", &serde_json::json!({}));
    assert!(status == 404 && answer.contains("series.remote_write_receiver"), "{answer}");
}
