//! Alerts on their way out of a running service.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use crate::{
    receivers::Webhook,
    restart::parts,
    service::{Service, append, hanabi, lines},
};

fn config(dir: &Path, webhook: &Webhook) -> String {
    let path = dir.join("hanabi.toml");
    let text = format!(
        "[outputs.hook]\nkind = \"webhook\"\nto = \"{}\"\nformat = \"json\"\nretry_max = \"1s\"\n\
         [outputs.lines]\nkind = \"file\"\nto = \"{}\"\nmin_priority = \"Debug\"\n\
         containers = [\"web\"]\n",
        webhook.url(),
        dir.join("alerts.jsonl").display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn start(dir: &Path, config: &str) -> Service {
    let source = format!("file:{}", dir.join("falco.jsonl").display());
    let set = ["--set", "store.checkpoint_every=100ms"];
    let more = [&["--config", config, "--source", source.as_str()][..], &set].concat();
    Service::start(&dir.join("data"), &more)
}

fn output(service: &Service, name: &str) -> Value {
    let all = service.get("/api/outputs");
    let all = all["outputs"].as_array().unwrap();
    all.iter().find(|output| output["name"] == name).unwrap().clone()
}

/// How often each open alert has asked for attention, of those that an output is to tell. What is
/// over may have ended before anybody could be told.
fn wanted(service: &Service, keep: impl Fn(&Value) -> bool) -> BTreeMap<String, u64> {
    let all = service.get("/api/alerts?limit=1000");
    let all = all["alerts"].as_array().unwrap();
    assert!(all.len() < 1000);
    all.iter()
        .filter(|alert| alert["state"] == "open" && keep(alert))
        .map(|alert| {
            let times = service.get(&format!("/api/alerts/{}", alert["id"].as_str().unwrap()));
            let times = times["notifications"].as_u64().unwrap();
            (alert["id"].as_str().unwrap().to_owned(), times)
        })
        .filter(|(_, times)| *times > 0)
        .collect()
}

#[test]
fn every_alert_is_told_once_through_kills_of_the_service_and_absences_of_the_receiver() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 200);
    let config = config(dir.path(), &webhook);
    let text = lines("shop-small.jsonl.zst");
    let mut written = 0;
    for (round, part) in parts(&text, 5).into_iter().enumerate() {
        webhook.answer(if round % 2 == 0 { 200 } else { 503 });
        let mut service = start(dir.path(), &config);
        append(&dir.path().join("falco.jsonl"), part);
        let before = written;
        written += memchr::memchr_iter(b'\n', part).count() as u64;
        let moment = before + (written - before) * (round as u64 + 1) / 6;
        service.wait("progress", |service| (service.totals().received > moment).then_some(()));
        service.kill();
    }
    webhook.answer(200);
    let mut service = start(dir.path(), &config);
    service.wait_received(written);
    service.wait("delivery", |service| {
        let done = |name| output(service, name)["waiting"] == 0;
        (done("hook") && done("lines")).then_some(())
    });
    let loud = |alert: &Value| {
        let priority = alert["priority"].as_str().unwrap();
        ["Warning", "Error", "Critical", "Alert", "Emergency"].contains(&priority)
    };
    let wanted_of_hook = wanted(&service, loud);
    assert!(!wanted_of_hook.is_empty());
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in webhook.taken.lock().unwrap().iter().filter(|m| m["event"] == "raised") {
        let times = message["notifications"].as_u64().unwrap();
        told.entry(message["id"].as_str().unwrap().to_owned()).or_default().push(times);
    }
    // An alert that only later became loud is told from then on, so the newest turn counts; who is
    // killed between a receiver's yes and its note sends one message again.
    let newest: BTreeMap<String, u64> = told
        .iter()
        .map(|(id, all)| (id.clone(), *all.iter().max().unwrap()))
        .filter(|(id, _)| wanted_of_hook.contains_key(id))
        .collect();
    assert_eq!(newest, wanted_of_hook);
    let again: usize = told
        .values()
        .map(|all| {
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            all.len() - distinct.len()
        })
        .sum();
    assert!(again <= 5, "{again} messages were sent again in five kills");

    let of_web = wanted(&service, |alert| alert["container"]["name"] == "web");
    let file = std::fs::read_to_string(dir.path().join("alerts.jsonl")).unwrap();
    let in_file: std::collections::BTreeSet<String> = file
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["output_fields"]["hanabi.id"].as_str().unwrap().to_owned())
        .collect();
    let missing: Vec<&String> = of_web.keys().filter(|id| !in_file.contains(*id)).collect();
    assert!(!of_web.is_empty() && missing.is_empty(), "{missing:?}");

    service.wait("the metric", |service| {
        let metric = service.metric("hanabi_output_delivered_total{output=\"hook\"}");
        (Some(metric) == output(service, "hook")["delivered"].as_f64()).then_some(())
    });
    assert!(!service.text("/api/config").contains("SECRET"), "paths of webhooks are secrets");
    assert!(service.text("/api/config").contains("outputs.hook.to"));
}

#[test]
fn an_output_is_tried_by_api_and_command() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 500);
    let config = config(dir.path(), &webhook);
    let service = start(dir.path(), &config);
    let (status, answer) = service.change("POST", "/api/outputs/hook/test", &json!({}));
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["delivered"], false);
    assert!(answer["detail"].as_str().unwrap().contains("status 500"));
    assert_eq!(service.change("POST", "/api/outputs/mail/test", &json!({})).0, 404);

    let run = |arguments: &[&str]| {
        let done = hanabi().arg("output").args(arguments).args(["--url", &service.url]).output();
        let done = done.unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run(&["test", "hook"]);
    assert!(code == Some(1) && text.contains("status 500"), "{text}");
    webhook.answer(200);
    let (code, text) = run(&["test", "hook"]);
    assert!(code == Some(0) && text.contains("has taken a test"), "{text}");
    assert_eq!(webhook.taken.lock().unwrap()[0]["rule"], "hanabi.test");
    let (code, text) = run(&["list"]);
    assert_eq!((code, text.lines().count()), (Some(0), 2), "{text}");
    assert!(text.contains("webhook") && !text.contains("SECRET"), "{text}");
    let audit = service.get("/api/audit");
    assert_eq!(audit["audit"][0]["action"], "output.test");
    assert_eq!(audit["audit"][0]["outcome"], "ok");
    // Only tests that were taken, and nobody to take one.
    assert_eq!(webhook.count(), 1);
    webhook.end();
    let (code, text) = run(&["test", "hook"]);
    assert!(code == Some(1) && text.contains("wait on disk"), "{text}");
}
