//! A webhook whose receiver hangs, refuses, answers 500, goes away and comes back.

use std::{sync::Arc, time::Duration};

use hanabi_detect::AlertState;
use hanabi_outputs::{
    Format, HttpTarget, OutputError, OutputSettings, OutputState, Outputs, Target,
};

use crate::{
    kit::{alert, free_port, offer, settings, start, status, wait},
    receivers::{HANG, Webhook},
};

fn hook(webhook: &Webhook) -> OutputSettings {
    let target = HttpTarget { url: webhook.url(), token: Some("s3cret".into()), ca: None };
    settings(Target::Webhook(target), Format::Falco)
}

fn texts(webhook: &Webhook) -> Vec<String> {
    let taken = webhook.taken.lock().unwrap();
    taken.iter().map(|message| message["output"].as_str().unwrap().to_owned()).collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("alert {number}")).collect()
}

#[test]
fn nothing_is_lost_and_order_is_kept_whatever_the_receiver_does() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 200);
    let outputs = start(dir.path(), hook(&webhook));
    offer(&outputs, 0..10);
    wait("delivery", || (webhook.count() == 10).then_some(()));

    webhook.answer(500);
    offer(&outputs, 10..20);
    wait("word of the failure", || {
        let now = status(&outputs);
        (now.state == OutputState::Failing && now.retries > 2).then_some(())
    });
    assert!(status(&outputs).detail.contains("status 500: ok"));
    webhook.answer(HANG);
    offer(&outputs, 20..30);
    webhook.answer(202);
    wait("delivery", || (webhook.count() == 30).then_some(()));

    // It goes away, and comes back on its port.
    webhook.end();
    offer(&outputs, 30..40);
    wait("word of the failure", || (status(&outputs).state == OutputState::Failing).then_some(()));
    assert_eq!(status(&outputs).waiting, 10);
    let back = Webhook::listen(webhook.port, 200);
    wait("delivery", || (back.count() == 10).then_some(()));
    assert_eq!([texts(&webhook), texts(&back)].concat(), expected(0..40));
    let end = wait("rest", || Some(status(&outputs)).filter(|s| s.waiting == 0));
    assert_eq!((end.delivered, end.dropped, end.refused), (40, 0, 0));
    assert_eq!(end.state, OutputState::Running);
    let head = back.head.lock().unwrap().to_lowercase();
    assert!(head.starts_with("post /hook/secret "), "{head}");
    assert!(head.contains("authorization: bearer s3cret"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
}

#[test]
fn what_waits_survives_and_nothing_is_told_twice() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 503);
    let outputs = start(dir.path(), hook(&webhook));
    offer(&outputs, 0..20);
    outputs.stop(Duration::from_secs(20));
    drop(outputs);
    let outputs = start(dir.path(), hook(&webhook));
    // The engine reads its input again after a kill, and raises the same alerts.
    offer(&outputs, 0..25);
    assert_eq!(status(&outputs).waiting, 25);
    webhook.answer(200);
    wait("delivery", || (webhook.count() == 25).then_some(()));
    offer(&outputs, 0..25);
    assert_eq!(status(&outputs).waiting, 0);
    assert_eq!(texts(&webhook), expected(0..25));
    let numbers: std::collections::BTreeSet<String> = {
        let taken = webhook.taken.lock().unwrap();
        taken.iter().map(|one| one["uuid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(numbers.len(), 25);
}

#[test]
fn updates_are_no_flood_and_suppressed_alerts_are_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 200);
    let outputs = start(dir.path(), OutputSettings { format: Format::Json, ..hook(&webhook) });
    let mut one = alert(1);
    let mut change = |state, notifications, count| {
        (one.state, one.notifications, one.count) = (state, notifications, count);
        outputs.offer(&Arc::new(one.clone()));
    };
    // In a window of maintenance, and suppressed from the start.
    change(AlertState::Open, 0, 1);
    change(AlertState::Suppressed, 0, 2);
    for count in 3..500 {
        change(AlertState::Open, 1, count);
    }
    change(AlertState::Acknowledged, 1, 500);
    change(AlertState::Resolved, 1, 501);
    change(AlertState::Open, 2, 502);
    assert!(outputs.settle(Duration::from_mins(1)));
    wait("rest", || (status(&outputs).waiting == 0).then_some(()));
    let taken = webhook.taken.lock().unwrap();
    let told: Vec<(&str, u64)> = taken
        .iter()
        .map(|message| (message["event"].as_str().unwrap(), message["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("raised", 3), ("ended", 501), ("raised", 502)]);
}

#[test]
fn what_a_receiver_does_not_want_is_counted_and_does_not_hold_up_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 422);
    let outputs = start(dir.path(), hook(&webhook));
    offer(&outputs, 0..3);
    wait("refusals", || (status(&outputs).refused == 3).then_some(()));
    webhook.answer(200);
    offer(&outputs, 3..4);
    wait("delivery", || (webhook.count() == 1).then_some(()));
    assert_eq!(texts(&webhook), expected(3..4));
}

#[test]
fn a_receiver_that_stays_away_costs_disk_up_to_a_bound_and_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let gone = format!("http://127.0.0.1:{}/", free_port());
    let target = Target::Webhook(HttpTarget { url: gone, token: None, ca: None });
    let outputs = start(
        dir.path(),
        OutputSettings { spool_bytes: 1 << 20, ..settings(target, Format::Falco) },
    );
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    offer(&outputs, 0..5_000);
    let before = resident();
    let mut written = 5_000;
    // Far more than the spool holds: some 24 MiB of messages.
    while written < 25_000 {
        offer(&outputs, written..written + 1_000);
        written += 1_000;
    }
    let grown = resident().saturating_sub(before);
    let now = status(&outputs);
    assert!(now.spool_bytes <= 1 << 20, "{now:?}");
    assert_eq!(now.waiting + now.dropped, written as u64, "{now:?}");
    // What was told is remembered, at some two hundred bytes an alert.
    assert!(grown < 24 << 20, "{grown} bytes more");
}

#[test]
fn a_test_tells_what_the_receiver_says_and_goes_past_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook::listen(0, 500);
    let outputs = start(dir.path(), hook(&webhook));
    offer(&outputs, 0..1);
    let failed = outputs.test("siem").unwrap_err().to_string();
    assert!(failed.contains("status 500"), "{failed}");
    assert!(!failed.contains("SECRET"), "{failed}");
    assert!(matches!(outputs.test("mail"), Err(OutputError::Unknown { .. })));
    webhook.answer(200);
    outputs.test("siem").unwrap();
    wait("both", || (webhook.count() == 2).then_some(()));
    assert!(texts(&webhook).iter().any(|text| text.contains("nothing has happened")));
    assert_eq!(Outputs::default().status(), []);
}
