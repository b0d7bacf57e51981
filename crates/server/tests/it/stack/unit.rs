//! The unit for systemd, completions, and the health check.

use std::process::Command;

use super::{root, said, succeeds, text};
use crate::{
    metrics::installed,
    service::{Service, hanabi},
};

/// How much of the host a broken service could still reach, of 100: what systemd calls "OK" ends at
/// 40, and a service of a user of its own without hardening has 90.
const EXPOSURE: &str = "20";

#[test]
fn systemd_finds_nothing_in_the_unit() {
    let Some(analyze) = installed("systemd-analyze") else { return };
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("hanabi.service");
    let given = text("deploy/systemd/hanabi.service");
    // The program has to be there for the check.
    let program = "ExecStart=/usr/local/bin/hanabi ";
    assert!(given.contains(program));
    let here = format!("ExecStart={} ", env!("CARGO_BIN_EXE_hanabi"));
    std::fs::write(&unit, given.replace(program, &here)).unwrap();
    let told = succeeds(Command::new(&analyze).arg("verify").arg(&unit));
    assert_eq!(told, "", "{told}");
    let mut check = Command::new(&analyze);
    check.args(["security", "--offline=yes", &format!("--threshold={EXPOSURE}")]).arg(&unit);
    succeeds(&mut check);
}

/// Names of keys in the unit are those of the configuration.
#[test]
fn the_unit_sets_keys_that_exist() {
    let (unit, reference) = (text("deploy/systemd/hanabi.service"), text("docs/configuration.md"));
    let set = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    let keys: Vec<&str> = set.map(|pair| pair.split('=').next().unwrap()).collect();
    assert_eq!(keys, ["HANABI_SERVER_DATA_DIR"]);
    assert!(keys.iter().all(|key| reference.contains(&format!("`{key}`"))));
}

#[test]
fn bash_reads_its_completions() {
    let script = hanabi().args(["completions", "bash"]).output().unwrap();
    assert!(script.status.success(), "{}", said(&script));
    let script = String::from_utf8(script.stdout).unwrap();
    // What bash offers after `hanabi con`.
    let ask = format!(
        "{script}\nCOMP_WORDS=(hanabi con); COMP_CWORD=1; \
         _hanabi hanabi con hanabi; echo \"${{COMPREPLY[@]}}\""
    );
    let Some(bash) = installed("bash") else { return };
    assert_eq!(succeeds(Command::new(bash).arg("-c").arg(ask)).trim(), "config");
    let unknown = hanabi().args(["completions", "cmd"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{}", said(&unknown));
}

#[test]
fn health_tells_by_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let url = service.url.clone();
    let health = |url: &str| hanabi().args(["health", "--url", url]).output().unwrap();
    assert!(health(&url).status.success());
    // A token that is no good must not make a healthy service sick.
    let asked = hanabi().arg("health").env("HANABI_URL", &url).env("HANABI_TOKEN", "no").output();
    assert!(asked.unwrap().status.success());
    service.kill();
    let dead = health(&url);
    assert_eq!(dead.status.code(), Some(1));
    assert!(said(&dead).contains(&url), "{}", said(&dead));
}

#[test]
fn the_script_for_secrets_is_one_that_bash_takes() {
    let Some(bash) = installed("bash") else { return };
    succeeds(Command::new(bash).arg("-n").arg(root().join("scripts/secrets.sh")));
}
