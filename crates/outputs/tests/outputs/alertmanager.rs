//! Alertmanager itself.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use hanabi_detect::AlertState;
use hanabi_event::Priority;
use hanabi_outputs::{Format, HttpTarget, Outputs, Target};
use serde_json::Value;

use crate::kit::{Daemon, alert, free_port, installed, settings, start, wait};

fn alertmanager(program: &str, dir: &Path, port: u16) -> Daemon {
    let config = dir.join("am.yml");
    fs::write(
        &config,
        "route:\n  receiver: none\n  group_by: [fingerprint]\nreceivers:\n- name: none\n",
    )
    .unwrap();
    let child = Command::new(program)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.join("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.join("am.log")).unwrap())
        .spawn()
        .unwrap();
    Daemon(child)
}

fn ask(port: u16) -> Option<Vec<Value>> {
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    let mut answer = ureq::get(&url).call().ok()?;
    serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
}

/// The active alerts by summary and priority.
fn active(port: u16) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<(String, String)> = ask(port)?
        .iter()
        .filter(|one| one["status"]["state"] == "active")
        .map(|one| (text(&one["annotations"]["summary"]), text(&one["labels"]["priority"])))
        .collect();
    all.sort();
    Some(all)
}

fn expect(port: u16, wanted: &[(&str, &str)]) {
    wait(&format!("{wanted:?}"), || {
        let all = active(port)?;
        let same = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(wanted.iter().copied());
        same.then_some(())
    });
}

#[test]
fn alerts_begin_change_end_and_come_back_after_restarts() {
    let Some(program) = installed("prometheus-alertmanager") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let target = HttpTarget { url: format!("http://127.0.0.1:{port}/"), token: None, ca: None };
    let output = || settings(Target::Alertmanager(target.clone()), Format::Falco);
    let outputs = start(&dir.path().join("spool"), output());
    let offer = |outputs: &Outputs, alert: &hanabi_detect::Alert| {
        outputs.offer(&Arc::new(alert.clone()));
        assert!(outputs.settle(Duration::from_mins(1)));
    };
    let (mut first, mut second) = (alert(1), alert(2));
    // Before it is there.
    offer(&outputs, &first);
    let daemon = alertmanager(&program, dir.path(), port);
    expect(port, &[("alert 1", "Warning")]);
    offer(&outputs, &second);
    expect(port, &[("alert 1", "Warning"), ("alert 2", "Warning")]);
    let one = ask(port).unwrap().remove(0);
    assert!(one["labels"].as_object().unwrap().len() <= 7, "{one}");
    assert_eq!(one["labels"]["alertname"], "hbt.new_process");

    // A higher priority is another set of labels, and the old one ends.
    (first.priority, first.notifications) = (Priority::Critical, 2);
    offer(&outputs, &first);
    expect(port, &[("alert 1", "Critical"), ("alert 2", "Warning")]);
    second.state = AlertState::Resolved;
    offer(&outputs, &second);
    expect(port, &[("alert 1", "Critical")]);

    // It forgets all, and so does this process; what goes on is sent again.
    outputs.stop(Duration::from_secs(20));
    drop((outputs, daemon));
    fs::remove_dir_all(dir.path().join("am")).unwrap();
    let _daemon = alertmanager(&program, dir.path(), port);
    let outputs =
        Outputs::start(&dir.path().join("spool"), vec![output()], &[&first, &second]).unwrap();
    expect(port, &[("alert 1", "Critical")]);
    outputs.test("siem").unwrap();
    wait("the test", || active(port)?.iter().any(|one| one.0.contains("test")).then_some(()));
}
