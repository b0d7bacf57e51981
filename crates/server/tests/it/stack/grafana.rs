//! Grafana's dashboards: their shape, and every query asked in both rooms.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::{
    list,
    prometheus::{exposed, metrics_of},
    text, word, yaml,
};
use crate::{
    metrics::{Helper, installed},
    service::{Service, lines},
};

const DASHBOARDS: [&str; 3] =
    ["grafana/dashboard.json", "grafana/container.json", "grafana/service.json"];
/// The container that stands for the variable of a dashboard.
const CONTAINER: &str = "web";

fn dashboard(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every query with the title of its panel, variables put in.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for panel in list(dashboard, "/panels") {
        let title = word(panel, "/title");
        for target in list(panel, "/targets") {
            assert_eq!(word(target, "/datasource/uid"), "${datasource}", "{title}");
            let query = word(target, "/expr").replace("$container", CONTAINER);
            assert!(!query.contains('$'), "{title}: {query} has an unknown variable");
            all.push((title.to_owned(), query));
        }
    }
    all
}

#[test]
fn dashboards_are_whole_and_ask_for_metrics_that_exist() {
    let known = exposed();
    let mut identities = BTreeSet::new();
    for path in DASHBOARDS {
        let dashboard = dashboard(path);
        assert!(identities.insert(word(&dashboard, "/uid").to_owned()), "{path}");
        assert!(word(&dashboard, "/title").starts_with("Hanabi"), "{path}");
        let variables: Vec<&str> =
            list(&dashboard, "/templating/list").iter().map(|one| word(one, "/name")).collect();
        assert_eq!(variables.first(), Some(&"datasource"), "{path}");
        let mut taken = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard, "/panels") {
            let title = word(panel, "/title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {title}");
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("w") >= 1 && at("x") + at("w") <= 24, "{path}: {title} is too wide");
            for (x, y) in (at("x")..at("x") + at("w"))
                .flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                let other = taken.insert((x, y), title);
                assert!(other.is_none(), "{path}: {title} lies over {other:?}");
            }
            assert_eq!(panel["type"] == "row", list(panel, "/targets").is_empty(), "{title}");
        }
        for (title, query) in queries(&dashboard) {
            for name in metrics_of(&query) {
                let name = name.unwrap_or_else(|| panic!("{title}: {query} selects no metric"));
                assert!(known.contains(&name), "{path}: {title} asks for {name}");
            }
        }
    }
}

/// What the specification names as queries is on the dashboards.
#[test]
fn the_templates_have_their_panels() {
    let all: BTreeSet<String> =
        DASHBOARDS.iter().flat_map(|path| queries(&dashboard(path))).map(|one| one.1).collect();
    for name in
        ["rate", "rate_by_priority", "rate_by_category", "container_rate", "container_alerts"]
    {
        let template = hanabi_series::TEMPLATES.iter().find(|one| one.name == name).unwrap();
        let query = template.of_container(CONTAINER);
        assert!(all.contains(&query), "{name}: {query} is on no dashboard");
    }
    assert!(all.iter().any(|query| query.contains("max(syscall_last_event_timestamp_seconds)")));
}

#[test]
fn provisioning_names_what_is_there() {
    let sources = yaml("grafana/provisioning/datasources/hanabi.yml");
    let compose = yaml("docker-compose.yml");
    for source in list(&sources, "/datasources") {
        assert_eq!(word(source, "/type"), "prometheus");
        let url = url::Url::parse(word(source, "/url")).unwrap();
        let host = url.host_str().unwrap();
        assert!(compose["services"].get(host).is_some(), "compose has no service {host}");
    }
    let provider = yaml("grafana/provisioning/dashboards/hanabi.yml");
    let folder = word(&provider, "/providers/0/options/path");
    let mounted = list(&compose, "/services/grafana/volumes");
    let wanted = format!("./grafana:{folder}:ro");
    assert!(mounted.iter().any(|volume| volume == &wanted), "no {wanted} in {mounted:?}");
    let header = word(&sources, "/datasources/1/secureJsonData/httpHeaderValue1");
    let secret = header.rsplit('/').next().unwrap().trim_end_matches('}');
    let given = list(&compose, "/services/grafana/secrets");
    assert!(given.iter().any(|one| one == secret), "Grafana is not given {secret}");
}

/// A Prometheus that scrapes a service every second.
fn prometheus(program: &str, dir: &Path, service: &Service) -> (Helper, String) {
    let target = service.url.trim_start_matches("http://");
    let config = dir.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: hanabi, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Helper(child), format!("http://127.0.0.1:{port}"))
}

/// The series that a room answers, none where it does not answer yet.
fn asked(room: &str, query: &str) -> Vec<Value> {
    let escaped: String = byte_serialize(query.as_bytes()).collect();
    let Ok(mut answer) = ureq::get(format!("{room}/api/v1/query?query={escaped}")).call() else {
        return Vec::new();
    };
    let answer: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    list(&answer, "/data/result").to_vec()
}

/// The values of the variable `container`, as Grafana asks for them.
fn containers(room: &str) -> Vec<Value> {
    let path = "/api/v1/label/container_name/values?match[]=syscall_events_total";
    let mut answer = ureq::get(format!("{room}{path}")).call().unwrap();
    let answer: Value = answer.body_mut().read_json().unwrap();
    list(&answer, "/data").to_vec()
}

#[test]
fn every_query_has_an_answer_in_both_rooms() {
    let dir = tempfile::tempdir().unwrap();
    let mut service =
        Service::start(&dir.path().join("data"), &["--set", "series.scrape_every=1s"]);
    let mut rooms = vec![service.url.clone()];
    let _prometheus = installed("prometheus").map(|program| {
        let (helper, url) = prometheus(&program, dir.path(), &service);
        rooms.push(url);
        helper
    });
    // Rates need samples from before and after the events.
    for room in &rooms {
        service.wait("the first samples", |_| {
            (!asked(room, "hanabi_events_total").is_empty()).then_some(())
        });
    }
    let (status, answer) =
        service.post("application/x-ndjson", None, &lines("shop-rules.jsonl.zst"));
    assert_eq!(status, 202, "{answer}");
    for room in &rooms {
        let definition =
            word(&dashboard("grafana/container.json"), "/templating/list/1/definition").to_owned();
        assert_eq!(definition, "label_values(syscall_events_total, container_name)");
        service.wait("the container of the variable", |_| {
            containers(room).iter().any(|one| one == CONTAINER).then_some(())
        });
        for path in DASHBOARDS {
            for (title, query) in queries(&dashboard(path)) {
                let what = format!("answer of {room} to {path}, {title}: {query}");
                service.wait(&what, |_| (!asked(room, &query).is_empty()).then_some(()));
            }
        }
    }
}
