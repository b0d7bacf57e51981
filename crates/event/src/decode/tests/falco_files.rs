//! Falco's configuration in `falco/`: it prints what is read here, and nothing that is not.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::{category::Category, decode::fields::Key};

/// Read from older or other set-ups, and not asked for: each is another form of a field that is, or
/// Falco 0.42 has given it up.
const OTHER_FORMS: [&str; 4] = ["container.image", "evt.dir", "evt.rawtime", "evt.time"];
/// Printed for people and other systems.
const NOT_READ: [&str; 1] = ["thread.tid"];

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(rename = "rule")]
    name: String,
    desc: String,
    condition: String,
    output: String,
    priority: String,
    tags: Vec<String>,
}

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../falco").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_saphyr::from_str(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn read() -> BTreeSet<&'static str> {
    Key::ALL[Key::FIRST_INNER..].iter().map(|key| key.text()).collect()
}

#[test]
fn the_catch_all_rules_print_every_field_that_is_read() {
    let expected: BTreeSet<&str> =
        read().into_iter().filter(|field| !OTHER_FORMS.contains(field)).collect();
    for name in ["custom_rules.yaml", "light_rules.yaml"] {
        let rules: Vec<Rule> = yaml(name);
        let mut categories = Vec::new();
        for rule in &rules {
            let printed: BTreeSet<&str> =
                rule.output.split_whitespace().map(|field| &field[1..]).collect();
            assert_eq!(printed, expected, "{name}: {}", rule.name);
            assert!(rule.output.split_whitespace().all(|field| field.starts_with('%')));
            let category = format!("evt.category = {} and container.id != host", rule.name);
            assert!(rule.condition.starts_with(&category), "{name}: {}", rule.condition);
            assert_eq!((rule.priority.as_str(), &rule.tags), ("DEBUG", &vec![rule.name.clone()]));
            assert!(!rule.desc.is_empty());
            categories.extend(Category::of_catch_all(rule.name.as_bytes()));
        }
        let all = [Category::Process, Category::Network, Category::File];
        assert_eq!(categories, all, "{name}");
    }
}

#[test]
fn the_lighter_rules_name_calls_that_exist() {
    let rules: Vec<Rule> = yaml("light_rules.yaml");
    for rule in rules {
        let (_, calls) = rule.condition.split_once("evt.type in (").unwrap();
        for call in calls.trim().trim_end_matches(')').split(',').map(str::trim) {
            let known = crate::syscalls::find(call.as_bytes()).name == call;
            assert!(known, "{}: {call}", rule.name);
        }
    }
}

#[test]
fn the_configuration_prints_what_the_decoder_takes() {
    let config: Value = yaml("falco.yaml");
    assert_eq!(config["json_output"], true);
    assert_eq!(config["rule_matching"], "all");
    assert_eq!(config["priority"], "debug");
    assert!(config["outputs_queue"]["capacity"].as_u64().unwrap() > 0, "it is bounded");
    assert_eq!(config["syscall_event_drops"]["actions"], serde_json::json!(["log", "alert"]));
    assert_eq!(config["metrics"]["output_rule"], true);
    assert_eq!(config["webserver"]["k8s_healthz_endpoint"], "/healthz");
    let appended = config["append_output"][0]["extra_fields"].as_array().unwrap();
    let appended: Vec<&str> = appended.iter().map(|field| field.as_str().unwrap()).collect();
    for field in ["evt.num", "proc.pid", "thread.tid"] {
        assert!(appended.contains(&field), "{field}");
    }
    let known = |field: &&str| read().contains(*field) || NOT_READ.contains(field);
    assert_eq!(appended.iter().find(|field| !known(field)), None);
    let files = config["rules_files"].as_array().unwrap();
    assert!(files.contains(&"/etc/falco/custom_rules.yaml".into()));
    assert!(config.get("plugins").is_none() && config.get("load_plugins").is_none());
    let plugin: Value = yaml("container-plugin.yaml");
    assert_eq!(plugin["load_plugins"], serde_json::json!(["container"]));
    assert_eq!(plugin["plugins"][0]["name"], "container");
}
