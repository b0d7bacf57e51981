//! Prometheus' configuration and rules, as `promtool` reads them.

use std::{cell::RefCell, collections::BTreeSet, process::Command};

use hanabi_series::restrict;
use serde_json::Value;

use super::{list, root, succeeds, text, word, yaml};
use crate::metrics::installed;

pub(super) const RULES: [&str; 2] =
    ["prometheus/rules/recording.yml", "prometheus/rules/alerts.yml"];
const RUNBOOK: &str = "docs/troubleshooting.md";

/// The metrics that the selectors of a query name, `None` for one that names none.
pub(super) fn metrics_of(query: &str) -> Vec<Option<String>> {
    let seen = RefCell::new(Vec::new());
    let see = |metric: Option<&str>| {
        seen.borrow_mut().push(metric.map(str::to_owned));
        Ok(false)
    };
    restrict(query, "{a=\"b\"}", &see).unwrap_or_else(|error| panic!("{query}: {error}"));
    seen.into_inner()
}

/// What the exporter exposes.
pub(super) fn exposed() -> BTreeSet<String> {
    let names = hanabi_telemetry::definitions().map(|definition| definition.name);
    names.flat_map(|name| [name.to_owned(), format!("{name}_bucket")]).collect()
}

fn rules() -> Vec<Value> {
    RULES
        .iter()
        .flat_map(|path| list(&yaml(path), "/groups").to_vec())
        .flat_map(|group| list(&group, "/rules").to_vec())
        .collect()
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    let Some(promtool) = installed("promtool") else { return };
    let dir = tempfile::tempdir().unwrap();
    succeeds(Command::new("cp").arg("-r").arg(root().join("prometheus/rules")).arg(dir.path()));
    // The token is where compose puts it.
    let token = dir.path().join("metrics-token");
    std::fs::write(&token, "token").unwrap();
    let given = "/run/secrets/metrics-token";
    let config = text("prometheus/prometheus.yml");
    assert!(config.contains(given));
    let file = dir.path().join("prometheus.yml");
    std::fs::write(&file, config.replace(given, token.to_str().unwrap())).unwrap();
    let told = succeeds(Command::new(&promtool).args(["check", "config"]).arg(&file));
    assert!(told.contains("2 rule files found") && !told.contains("FAILED"), "{told}");
    let mut check = Command::new(&promtool);
    check.args(["check", "rules", "--lint=all", "--lint-fatal"]);
    succeeds(check.args(RULES.map(|path| root().join(path))));
}

#[test]
fn the_rules_hold_in_their_cases_and_every_alert_has_one() {
    let cases = text("prometheus/tests/rules_test.yml");
    for rule in rules() {
        if let Some(alert) = rule["alert"].as_str() {
            let fires = format!("alertname: {alert}\n");
            assert!(cases.contains(&fires), "no case for {alert}");
        }
    }
    let Some(promtool) = installed("promtool") else { return };
    let folder = root().join("prometheus/tests");
    let mut test = Command::new(promtool);
    succeeds(test.args(["test", "rules", "rules_test.yml"]).current_dir(folder));
}

#[test]
fn rules_ask_for_metrics_that_exist() {
    let mut known = exposed();
    known.insert("up".to_owned());
    let rules = rules();
    known.extend(rules.iter().filter_map(|rule| rule["record"].as_str()).map(str::to_owned));
    for rule in &rules {
        let query = word(rule, "/expr");
        let names = metrics_of(query);
        assert!(!names.is_empty(), "{query}");
        for name in names {
            let name = name.unwrap_or_else(|| panic!("{query} selects without a name"));
            assert!(known.contains(&name), "{query} asks for {name}, which nobody exposes");
        }
    }
}

#[test]
fn every_alert_says_what_to_do_in_both_languages() {
    for path in [RUNBOOK, "docs/zh/troubleshooting.md"] {
        let document = text(path);
        let headings: BTreeSet<String> = document
            .lines()
            .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '))
            .map(str::to_lowercase)
            .collect();
        for rule in rules() {
            let Some(alert) = rule["alert"].as_str() else { continue };
            let link = format!("{RUNBOOK}#{}", alert.to_lowercase());
            assert_eq!(word(&rule, "/annotations/runbook"), link);
            assert!(headings.contains(&alert.to_lowercase()), "{path} has no heading {alert}");
        }
    }
}
