//! `hanabi store`, and the service on directories that refuse it.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::{
    disk::Disk,
    restart::{compare, count, parts},
    service::{Service, append, fixture, hanabi, lines, replay},
};

const FAST: [&str; 2] = ["--set", "store.checkpoint_every=100ms"];

fn store(data: &Path, arguments: &[&str]) -> Output {
    hanabi().arg("store").args(arguments).arg("--data-dir").arg(data).output().unwrap()
}

fn done(data: &Path, arguments: &[&str]) -> Value {
    let output = store(data, &[arguments, &["--json"]].concat());
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The message of a command that fails, as one line without an end of its own.
fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = store(data, arguments);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {talk}");
    talk
}

/// What `hanabi run` says when it does not start.
fn not_started(data: &Path) -> String {
    let run = ["run", "--listen", "127.0.0.1:0", "--data-dir"];
    let output = hanabi().args(run).arg(data).output().unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{talk}");
    talk
}

#[test]
fn a_directory_is_checked_backed_up_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, restored) = (dir.path().join("data"), dir.path().join("restored"));
    let backup = dir.path().join("backup.tar.zst");
    let text = lines("shop-small.jsonl.zst");
    let mut service = Service::start(&data, &FAST);
    for part in parts(&text, 12) {
        // On a busy machine the queue may be full, and says so.
        service.wait("room in the queue", |service| {
            let (status, answer) = service.post("application/x-ndjson", None, part);
            assert!([202, 429].contains(&status), "{answer}");
            (status == 202).then_some(())
        });
    }
    let held = refused(&data, &["check"]);
    assert!(held.contains("is using it") && held.contains("hint:"), "{held}");
    assert!(refused(&data, &["backup", backup.to_str().unwrap()]).contains("is using it"));
    assert!(!backup.exists());
    // What a kill leaves is whole, too.
    service.kill();

    let report = done(&data, &["check"]);
    assert_eq!((&report["clean"], &report["format"]), (&Value::Bool(true), &1.into()), "{report}");
    let stats = done(&data, &["stats"]);
    let kinds = stats["kinds"].as_array().unwrap();
    let batches = kinds.iter().find(|kind| kind["kind"] == "journal").unwrap();
    assert!(batches["rows"].as_u64().unwrap() > 0, "{stats}");
    assert!(stats["on_disk"]["all"].as_u64().unwrap() > 1_000, "{stats}");
    let plain = String::from_utf8(store(&data, &["stats"]).stdout).unwrap();
    assert!(plain.contains("profiles") && plain.contains("on disk"), "{plain}");

    let manifest = done(&data, &["backup", backup.to_str().unwrap()]);
    assert!(manifest["files"].as_u64().unwrap() >= 4, "{manifest}");
    let again = refused(&data, &["backup", backup.to_str().unwrap()]);
    assert!(again.contains("it is there already"), "{again}");
    let full = refused(&data, &["restore", backup.to_str().unwrap()]);
    assert!(full.contains("--force"), "{full}");
    done(&restored, &["restore", backup.to_str().unwrap()]);
    done(&restored, &["compact"]);
    assert_eq!(done(&restored, &["check"])["clean"], true);
    let mut service = Service::start(&restored, &FAST);
    let totals = service.wait_received(count(&text));
    compare(&mut service, &totals);
}

#[test]
fn damage_is_named_with_its_file_and_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let service = Service::start(&data, &FAST);
    assert!(service.stop().0.success());
    let whole = fs::read(data.join("hanabi.redb")).unwrap();
    let (half, _) = whole.split_at(whole.len() / 2);
    fs::write(data.join("hanabi.redb"), half).unwrap();
    fs::write(data.join("series.redb"), b"no database").unwrap();
    let output = store(&data, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = report["problems"].as_array().unwrap();
    for (part, file) in [("store", "hanabi.redb"), ("series", "series.redb")] {
        let problem = problems.iter().find(|problem| problem["part"] == part).unwrap();
        assert!(problem["place"].as_str().unwrap().ends_with(file), "{problem}");
        assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{problem}");
    }
    let plain = String::from_utf8(store(&data, &["check"]).stdout).unwrap();
    assert!(plain.contains("problem: ") && plain.contains("remedy: "), "{plain}");
    assert_eq!(fs::read(data.join("hanabi.redb")).unwrap(), half, "a check mends nothing");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().to_str().unwrap();
    for command in ["check", "stats", "compact"] {
        let absent = refused(&dir.path().join("none"), &[command]);
        assert!(absent.contains("no such directory") && absent.contains(name), "{absent}");
        let foreign = refused(dir.path(), &[command]);
        assert!(foreign.contains("not a data directory"), "{foreign}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("format"), "hanabi-store 7\n").unwrap();
    for talk in [not_started(&data), refused(&data, &["check"]), refused(&data, &["compact"])] {
        assert!(talk.contains("its format is 7") && talk.contains("later version"), "{talk}");
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "it stays as it was");
}

#[test]
fn a_read_only_directory_is_named_and_kept() {
    let Some(disk) = Disk::mount("a_read_only_directory_is_named_and_kept", "64m") else { return };
    let data = disk.path.join("data");
    assert!(Service::start(&data, &FAST).stop().0.success());
    disk.remount("remount,ro");
    let talk = not_started(&data);
    assert!(talk.contains("read-only for this user"), "{talk}");
    assert!(talk.contains(data.to_str().unwrap()), "{talk}");
    assert_eq!(done(&data, &["check"])["clean"], true);
    assert!(refused(&data, &["compact"]).contains("read-only"));
    disk.remount("remount,rw");
    assert!(Service::start(&data, &FAST).stop().0.success());
}

#[test]
fn detection_goes_on_while_the_disk_is_full_and_nothing_is_lost() {
    let name = "detection_goes_on_while_the_disk_is_full_and_nothing_is_lost";
    let Some(disk) = Disk::mount(name, "64m") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (disk.path.join("data"), dir.path().join("falco.jsonl"));
    let source = format!("file:{}", file.display());
    let arguments = [["--source", source.as_str()].as_slice(), &FAST].concat();
    let mut service = Service::start(&data, &arguments);
    let reserve = data.join("reserve");
    service.wait("the reserve", |_| {
        fs::metadata(&reserve).is_ok_and(|found| found.len() == 8 << 20).then_some(())
    });
    // The reserve is taken, too, so that no checkpoint can be written at all.
    fs::remove_file(reserve).unwrap();
    let filler = disk.fill(0);
    let text = lines("shop-small.jsonl.zst");
    append(&file, &text);
    let totals = service.wait_received(count(&text));
    service.expect_alerts(&replay(&fixture("shop-small.jsonl.zst")).alerts);
    service.wait("an error of the store", |service| {
        service.talk().contains("no space is left").then_some(())
    });
    assert_eq!(service.status("/livez"), 200);
    fs::remove_file(&filler).unwrap();
    let (status, talk) = service.stop();
    assert!(status.success(), "{talk}");
    assert_eq!(done(&data, &["check"])["clean"], true);
    let mut service = Service::start(&data, &arguments);
    assert_eq!(service.wait_received(count(&text)), totals);
    service.expect_alerts(&replay(&fixture("shop-small.jsonl.zst")).alerts);
}
