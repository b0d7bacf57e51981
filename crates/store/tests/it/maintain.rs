//! Looking at a directory, compacting it, backing it up and restoring it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{alert, row, tree};
use hanabi_store::{
    About, AuditEntry, Checkpoint, DataDirectory, EventLog, LogOptions, LogQuery, Manifest, Store,
    StoreError, StoreOptions, restore,
};

/// Every file below a directory with its bytes, without locks.
pub(crate) fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().unwrap() != "lock" {
                all.insert(path.strip_prefix(dir).unwrap().into(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

fn log_options() -> LogOptions {
    LogOptions { memory_bytes: 64 << 10, ..LogOptions::default() }
}

/// A directory with some of everything.
pub(crate) fn fill(dir: &Path) {
    let store = Store::open(dir, StoreOptions::default()).unwrap();
    let audit = |at| AuditEntry { at, by: "ann".into(), ..AuditEntry::default() };
    store
        .commit(&Checkpoint {
            sequence: 7,
            positions: vec![("file".into(), b"9".to_vec())],
            profiles: (0..20).map(|n| (format!("p{n}"), vec![n; 5_000])).collect(),
            alerts: (0..50).map(|n| alert(n, 1_000 + n)).collect(),
            audit: vec![audit(5), audit(9)],
            engine: b"engine".to_vec(),
            ..Checkpoint::default()
        })
        .unwrap();
    store.put_snapshot("p1", 40, &tree(5, 2)).unwrap();
    store.put_snapshot("p2", 30, &tree(5, 2)).unwrap();
    let log = EventLog::open(dir, log_options()).unwrap();
    for sequence in 0..7 {
        let rows: Vec<_> = (0..200).map(|n| row(n, sequence * 1_000 + n)).collect();
        log.append(sequence, rows.clone());
    }
    log.flush().unwrap();
    fs::create_dir_all(dir.join("journal")).unwrap();
    fs::write(dir.join("journal/00000000000000000001.journal"), b"HANABIJ1").unwrap();
}

fn back_up(dir: &Path, target: &Path) -> Result<Manifest, StoreError> {
    let about = About { created: "2026-11-27T00:00:00Z".into(), program: "hanabi test".into() };
    DataDirectory::hold(dir)?.back_up(target, &about)
}

fn rows(dir: &Path) -> usize {
    let log = EventLog::open(dir, log_options()).unwrap();
    log.query(&LogQuery { limit: 1_000, ..LogQuery::default() }).unwrap().rows.len()
}

#[test]
fn a_look_changes_nothing_and_counts_all() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fill(&data);
    fs::write(data.join("events/segment-00000000000000ff.tmp"), b"half").unwrap();
    let tail = fs::read_dir(data.join("events")).unwrap().map(|entry| entry.unwrap().path());
    let tail = tail.into_iter().find(|path| path.to_str().unwrap().contains("tail-")).unwrap();
    let mut torn = fs::read(&tail).unwrap();
    torn.extend_from_slice(&[200, 0, 0, 0, 1, 2, 3, 4, 5]);
    fs::write(&tail, torn).unwrap();
    let before = content(&data);
    let dir = DataDirectory::hold(&data).unwrap();
    let store = dir.look_at_store().unwrap();
    assert!(store.check().unwrap().is_clean());
    let kinds = store.kinds().unwrap();
    let of = |kind: &str| kinds.iter().find(|one| one.kind == kind).unwrap().clone();
    assert_eq!((of("profiles").rows, of("alerts").rows, of("audit").rows), (20, 50, 2));
    assert_eq!((of("alerts").oldest, of("alerts").newest), (Some(1_000), Some(1_049)));
    assert_eq!((of("snapshots").oldest, of("snapshots").newest), (Some(30), Some(40)));
    assert_eq!((of("audit").oldest, of("audit").newest), (Some(5), Some(9)));
    assert!(of("alerts").bytes > 1_000 && of("engine").rows == 3, "{kinds:?}");
    // What is written goes nowhere, and a database that a kill left open is repaired nowhere.
    store.put_alert(&alert(99, 5)).unwrap();
    let report = dir.look_at_log(true).unwrap();
    assert_eq!((report.problems.len(), report.notes.len()), (0, 2), "{report:?}");
    assert_eq!((report.rows, report.events), (1_400, 1_400));
    assert_eq!((report.oldest, report.newest), (Some(0), Some(6_199)));
    assert!(report.segments > 1 && report.looked_at > 0, "{report:?}");
    drop((store, dir));
    assert!(content(&data) == before, "a look has changed the directory");
}

#[test]
fn damage_anywhere_in_the_log_is_named_with_its_file() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fill(&data);
    let mut files: Vec<_> =
        fs::read_dir(data.join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    for file in files {
        let whole = fs::read(&file).unwrap();
        for place in [0, 9, whole.len() / 3, whole.len() / 2, whole.len() - 20, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x40;
            fs::write(&file, &bytes).unwrap();
            let report = DataDirectory::hold(&data).unwrap().look_at_log(true).unwrap();
            // Of a segment's first bytes nothing is read, and a damaged length of the tail's last
            // frame cannot be told from a frame that was cut off.
            let hidden = place == 0 && file.to_str().unwrap().contains("segment-")
                || !report.notes.is_empty();
            assert!(hidden || !report.problems.is_empty(), "{} at {place}", file.display());
            assert!(report.problems.iter().all(|one| one.place == file && !one.remedy.is_empty()));
        }
        fs::write(&file, whole).unwrap();
    }
    assert!(DataDirectory::hold(&data).unwrap().look_at_log(true).unwrap().problems.is_empty());
}

#[test]
fn what_is_no_data_directory_is_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let hold = |dir: &Path| DataDirectory::hold(dir).unwrap_err();
    let absent = hold(&root.path().join("none"));
    assert!(matches!(absent, StoreError::Absent { .. }), "{absent:?}");
    let foreign = hold(root.path());
    assert!(matches!(foreign, StoreError::Foreign { .. }), "{foreign:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing was made");
    let data = root.path().join("data");
    fill(&data);
    let first = Store::open(&data, StoreOptions::default()).unwrap();
    let locked = hold(&data);
    assert!(locked.to_string().contains(&format!("process {}", std::process::id())), "{locked}");
    drop(first);
    fs::remove_file(data.join("hanabi.redb")).unwrap();
    let missing = DataDirectory::hold(&data).unwrap().look_at_store().err().unwrap();
    assert!(missing.to_string().contains("it is not there"), "{missing}");
    fs::write(data.join("format"), "hanabi-store 99\n").unwrap();
    let before = content(&data);
    let later = hold(&data);
    assert!(matches!(later, StoreError::FutureFormat { found: 99, .. }), "{later:?}");
    for error in [absent, foreign, locked, missing, later] {
        let text = error.to_string();
        assert!(text.contains(root.path().to_str().unwrap()) && text.contains(';'), "{text}");
    }
    assert!(content(&data) == before);
}

#[test]
fn compacting_gives_room_back_and_keeps_everything() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fill(&data);
    let store = DataDirectory::hold(&data).unwrap().open_store().unwrap();
    let noise = |n: u64| (0..300_000u64).map(|at| ((at * (2 * n + 1)) >> 3) as u8).collect();
    let big: Vec<_> = (0..20).map(|n| (format!("big{n}"), noise(n))).collect();
    let removed_profiles = big.iter().map(|(name, _)| name.clone()).collect();
    store.commit(&Checkpoint { sequence: 8, profiles: big, ..Checkpoint::default() }).unwrap();
    let gone = Checkpoint { sequence: 9, removed_profiles, ..Checkpoint::default() };
    store.commit(&gone).unwrap();
    let (before, kept) = (store.stats().unwrap(), store.restore().unwrap());
    store.compact().unwrap();
    let after = store.stats().unwrap();
    assert!(after.file_bytes < before.file_bytes / 2, "{before:?} {after:?}");
    assert_eq!(store.restore().unwrap(), kept);
    assert!(store.check().unwrap().is_clean());
    let log = EventLog::open(&data, log_options()).unwrap();
    log.compact().unwrap();
    assert_eq!(log.stats().rows, 1_400);
}

#[test]
fn a_backup_comes_back_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fill(&data);
    let expected = content(&data);
    for name in ["backup", "backup.tar", "backup.tar.zst"] {
        let target = root.path().join(name);
        let manifest = back_up(&data, &target).unwrap();
        assert_eq!((manifest.format, manifest.files.len()), (1, expected.len()));
        assert_eq!(target.is_dir(), name == "backup");
        let again = back_up(&data, &target).unwrap_err();
        assert!(again.to_string().contains("it is there already"), "{again}");
        let fresh = root.path().join(format!("{name}-restored/deeper"));
        let done = restore(&target, &fresh, false).unwrap();
        assert_eq!((done.manifest, done.moved_aside), (manifest, None));
        assert!(content(&fresh) == expected, "{name}");
        let store = Store::open(&fresh, StoreOptions::default()).unwrap();
        assert_eq!(store.restore().unwrap().sequence, Some(7));
        assert!(store.check().unwrap().is_clean());
        drop(store);
        assert_eq!(rows(&fresh), 1_000);
    }
    let inside = back_up(&data, &data.join("backup")).unwrap_err();
    assert!(inside.to_string().contains("lies in the data directory"), "{inside}");
    let nowhere = back_up(&data, &root.path().join("no/such")).unwrap_err();
    assert!(nowhere.to_string().contains("does not exist"), "{nowhere}");
    assert!(content(&data) == expected);
}

#[test]
fn a_restore_overwrites_nothing_and_moves_aside_when_told_to() {
    let root = tempfile::tempdir().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    fill(&data);
    back_up(&data, &backup).unwrap();
    let expected = content(&data);
    let store = Store::open(&data, StoreOptions::default()).unwrap();
    store.commit(&Checkpoint { sequence: 50, ..Checkpoint::default() }).unwrap();
    for force in [false, true] {
        let held = restore(&backup, &data, force).unwrap_err();
        assert!(matches!(held, StoreError::Locked { .. }), "{held:?}");
    }
    drop(store);
    let newer = content(&data);
    let refused = restore(&backup, &data, false).unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert!(content(&data) == newer);
    for number in 1..=2 {
        let aside = restore(&backup, &data, true).unwrap().moved_aside.unwrap();
        assert_eq!(aside, root.path().join(format!("data.before-restore-{number}")));
        assert!(content(&data) == expected);
        assert!(number > 1 || content(&aside) == newer);
    }
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restore(&backup, &empty, false).unwrap();
    assert!(content(&empty) == expected);
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let half = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tmp");
    assert!(!left.iter().any(half), "{left:?}");
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fill(&data);
    for name in ["backup", "backup.tar", "backup.tar.zst"] {
        back_up(&data, &root.path().join(name)).unwrap();
    }
    let target = root.path().join("target");
    let refuse = |from: &Path| {
        let error = restore(from, &target, false).unwrap_err();
        assert!(error.to_string().contains(from.to_str().unwrap()), "{error}");
        assert!(!target.exists());
        error
    };
    for (file, bytes) in content(&root.path().join("backup")) {
        let path = root.path().join("backup").join(&file);
        let mut broken = bytes.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 1;
        fs::write(&path, &broken).unwrap();
        // A bit of the manifest's own texts is nobody's but the reader's.
        if file != Path::new("manifest.json") {
            let error = refuse(&root.path().join("backup"));
            assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        }
        fs::remove_file(&path).unwrap();
        refuse(&root.path().join("backup"));
        fs::write(&path, bytes).unwrap();
    }
    for name in ["backup.tar", "backup.tar.zst"] {
        let path = root.path().join(name);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 3, whole.len() / 2, whole.len() * 9 / 10] {
            fs::write(&path, &whole[..cut]).unwrap();
            refuse(&path);
        }
    }
    refuse(&root.path().join("no-such-backup"));
    let manifest = root.path().join("backup/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(matches!(refuse(&root.path().join("backup")), StoreError::FutureFormat { .. }));
    fs::write(&manifest, text.replace("\"path\": \"format\"", "\"path\": \"../format\"")).unwrap();
    assert!(refuse(&root.path().join("backup")).to_string().contains("../format"));
    assert!(!root.path().join("format").exists());
}
