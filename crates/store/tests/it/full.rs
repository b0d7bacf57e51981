//! Full and read-only disks, on file systems of their own; left out, and said so, where mounting is
//! not permitted.

use std::fs;
use std::path::Path;

use crate::common::{alert, row, tree};
use crate::disk::Disk;
use crate::maintain::{content, fill};
use hanabi_store::{
    About, Checkpoint, DataDirectory, EventLog, LogOptions, LogQuery, LogRow, Store, StoreError,
    StoreOptions, restore,
};

/// Bytes that do not compress.
fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn checkpoint(sequence: u64, bytes: usize) -> Checkpoint {
    Checkpoint {
        sequence,
        profiles: vec![(format!("p{sequence}"), noise(sequence + 1, bytes))],
        counters: vec![sequence as u8],
        ..Checkpoint::default()
    }
}

#[test]
fn a_full_disk_keeps_the_last_checkpoint() {
    let Some(disk) = Disk::mount("a_full_disk_keeps_the_last_checkpoint", "16m") else { return };
    let store = Store::open(disk.path.join("data"), StoreOptions::default()).unwrap();
    store.commit(&checkpoint(1, 100_000)).unwrap();
    let filler = disk.fill(64 << 10);
    for _ in 0..3 {
        let refused = store.commit(&checkpoint(2, 4_000_000)).unwrap_err();
        assert!(refused.is_full(), "{refused:?}");
        assert!(refused.to_string().contains("no space is left"), "{refused}");
        let restored = store.restore().unwrap();
        assert_eq!(restored.sequence, Some(1));
        assert_eq!(restored.profiles, checkpoint(1, 100_000).profiles);
    }
    fs::remove_file(filler).unwrap();
    store.commit(&checkpoint(2, 4_000_000)).unwrap();
    assert_eq!(store.sequence().unwrap(), Some(2));
    let stats = store.stats().unwrap();
    assert_eq!(stats.commit_errors, 3);
    assert!(stats.reopened > 0);
    assert!(store.check().unwrap().is_clean());
    let filler = disk.fill(0);
    drop(store);
    let store = Store::open(disk.path.join("data"), StoreOptions::default()).unwrap();
    assert_eq!(store.restore().unwrap().sequence, Some(2));
    fs::remove_file(filler).unwrap();
}

#[test]
fn a_full_disk_costs_the_log_its_oldest_rows() {
    let test = "a_full_disk_costs_the_log_its_oldest_rows";
    let Some(disk) = Disk::mount(test, "8m") else { return };
    let options = LogOptions { memory_bytes: 512 << 10, ..LogOptions::default() };
    let log = EventLog::open(disk.path.join("data"), options.clone()).unwrap();
    let mut sequence = 0;
    let mut append = |log: &EventLog, batches: u64| {
        for _ in 0..batches {
            sequence += 1;
            let fresh = |number: u64| LogRow {
                object: format!("{:02x?}", noise(sequence * 1_000 + number + 1, 400)),
                ..row(number, sequence * 1_000 + number)
            };
            log.append(sequence, (0..100).map(fresh).collect());
            log.flush().unwrap();
        }
        sequence
    };
    append(&log, 20);
    let filler = disk.fill(700 << 10);
    let last = append(&log, 100);
    let stats = log.stats();
    assert_eq!(stats.rows + stats.expired + stats.dropped_disk + stats.merged, stats.appended);
    assert!(stats.expired > 0, "{stats:?}");
    let newest = log.query(&LogQuery { limit: 100, ..LogQuery::default() }).unwrap().rows;
    assert_eq!(newest[0].time, last * 1_000 + 99);
    assert_eq!(newest.len(), 100);
    assert!(log.check().unwrap().is_clean());
    // With no room at all, memory still takes the newest rows.
    fs::remove_file(filler).unwrap();
    let filler = disk.fill(0);
    log.append(last + 1, vec![row(0, u64::MAX - 1)]);
    drop(log.flush());
    assert_eq!(log.query(&LogQuery { limit: 1, ..LogQuery::default() }).unwrap().rows.len(), 1);
    fs::remove_file(filler).unwrap();
    log.flush().unwrap();
    drop(log);
    let log = EventLog::open(disk.path.join("data"), options).unwrap();
    assert_eq!(log.stats().newest, Some(u64::MAX - 1));
}

#[test]
fn a_read_only_disk_is_named() {
    let Some(disk) = Disk::mount("a_read_only_disk_is_named", "8m") else { return };
    let open = |dir: &Path| Store::open(dir, StoreOptions::default()).map(drop);
    let dir = disk.path.join("data");
    open(&dir).unwrap();
    disk.remount("remount,ro");
    for dir in [dir, disk.path.join("new")] {
        let error = open(&dir).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains("read-only"), "{error}");
    }
}

#[test]
fn a_read_only_directory_can_be_checked_and_backed_up() {
    let test = "a_read_only_directory_can_be_checked_and_backed_up";
    let Some(disk) = Disk::mount(test, "32m") else { return };
    let data = disk.path.join("data");
    fill(&data);
    fs::remove_file(data.join("lock")).unwrap();
    let before = content(&data);
    disk.remount("remount,ro");
    let dir = DataDirectory::hold(&data).unwrap();
    assert!(dir.look_at_store().unwrap().check().unwrap().is_clean());
    assert!(dir.look_at_log(true).unwrap().problems.is_empty());
    let root = tempfile::tempdir().unwrap();
    dir.back_up(&root.path().join("backup"), &About::default()).unwrap();
    assert_eq!(content(&root.path().join("backup")).len(), before.len() + 1);
    let error = dir.open_store().err().unwrap();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    let error = restore(&root.path().join("backup"), &disk.path.join("new"), false).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn a_backup_that_does_not_fit_leaves_nothing_behind() {
    let test = "a_backup_that_does_not_fit_leaves_nothing_behind";
    let Some(disk) = Disk::mount(test, "1m") else { return };
    let root = tempfile::tempdir().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup"));
    fill(&data);
    let store = Store::open(&data, StoreOptions::default()).unwrap();
    store.commit(&checkpoint(9, 3_000_000)).unwrap();
    drop(store);
    let dir = DataDirectory::hold(&data).unwrap();
    for name in ["backup", "backup.tar", "backup.tar.zst"] {
        let error = dir.back_up(&disk.path.join(name), &About::default()).unwrap_err();
        assert!(matches!(error, StoreError::NoRoom { .. }), "{error:?}");
    }
    dir.back_up(&backup, &About::default()).unwrap();
    // The small disk is a mount, whose content is exchanged in place.
    for target in [disk.path.clone(), disk.path.join("data")] {
        let error = restore(&backup, &target, false).unwrap_err();
        assert!(matches!(error, StoreError::NoRoom { .. }), "{error:?}");
        assert_eq!(fs::read_dir(&disk.path).unwrap().count(), 0);
    }
}

#[test]
fn a_mounted_directory_is_restored_in_place() {
    let Some(disk) = Disk::mount("a_mounted_directory_is_restored_in_place", "64m") else { return };
    let root = tempfile::tempdir().unwrap();
    let (data, backup) = (root.path().join("data"), root.path().join("backup.tar.zst"));
    fill(&data);
    DataDirectory::hold(&data).unwrap().back_up(&backup, &About::default()).unwrap();
    let expected = content(&data);
    assert_eq!(restore(&backup, &disk.path, false).unwrap().moved_aside, None);
    assert!(content(&disk.path) == expected);
    let store = Store::open(&disk.path, StoreOptions::default()).unwrap();
    store.commit(&checkpoint(60, 1_000)).unwrap();
    drop(store);
    let newer = content(&disk.path);
    let aside = restore(&backup, &disk.path, true).unwrap().moved_aside.unwrap();
    assert!(content(&aside) == newer);
    let now = content(&disk.path);
    let own = now.into_iter().filter(|(path, _)| !path.starts_with(aside.file_name().unwrap()));
    assert!(own.collect::<std::collections::BTreeMap<_, _>>() == expected);
    // A restore that was cut off lets nobody start in what it left.
    fs::write(disk.path.join("format"), "hanabi-restore unfinished\n").unwrap();
    let error = Store::open(&disk.path, StoreOptions::default()).err().unwrap();
    assert!(error.to_string().contains("did not finish"), "{error}");
    restore(&backup, &disk.path, true).unwrap();
    Store::open(&disk.path, StoreOptions::default()).unwrap();
}

#[test]
fn alerts_and_snapshots_have_a_reserve_and_the_oldest_events_go_first() {
    let test = "alerts_and_snapshots_have_a_reserve_and_the_oldest_events_go_first";
    let Some(disk) = Disk::mount(test, "40m") else { return };
    let data = disk.path.join("data");
    let store = Store::open(&data, StoreOptions::default()).unwrap();
    assert!(store.keep_reserve().unwrap() && store.keep_reserve().unwrap());
    let options = LogOptions { memory_bytes: 512 << 10, ..LogOptions::default() };
    let log = EventLog::open(&data, options).unwrap();
    let fresh = |number: u64| LogRow {
        object: format!("{:02x?}", noise(number + 1, 400)),
        ..row(number, number)
    };
    for first in (0..4_000).step_by(100) {
        log.append(1, (first..first + 100).map(fresh).collect());
    }
    log.flush().unwrap();
    let filler = disk.fill(0);
    // As the service does it: the oldest segment, and when there is none, the reserve.
    let (mut segments, mut reserves) = (0, 0);
    let with_room =
        |write: &dyn Fn() -> Result<(), StoreError>, segments: &mut u64, reserves: &mut u64| {
            while let Err(error) = write() {
                assert!(error.is_full(), "{error:?}");
                if log.make_room().unwrap() {
                    *segments += 1;
                } else {
                    assert!(store.use_reserve().unwrap(), "there is no room for {error}");
                    *reserves += 1;
                }
            }
        };
    let (before, oldest) = (log.stats(), log.stats().oldest);
    let mut sequence = 1;
    while reserves == 0 {
        sequence += 1;
        let one = Checkpoint {
            alerts: vec![alert(sequence, 1_000 + sequence)],
            ..checkpoint(sequence, 200_000)
        };
        with_room(&|| store.commit(&one), &mut segments, &mut reserves);
        let snapshot = || store.put_snapshot("p", sequence, &tree(9, sequence));
        with_room(&snapshot, &mut segments, &mut reserves);
        let stats = log.stats();
        assert!(segments == 0 || stats.oldest > oldest || stats.rows == 0, "the oldest go first");
        assert!(reserves == 0 || stats.segments == 0, "the reserve goes last");
        assert!(sequence < 1_000, "{stats:?}");
    }
    assert_eq!(segments, before.segments, "all events but the newest gave way");
    assert_eq!(log.stats().expired + log.stats().rows, before.rows);
    assert_eq!(store.restore().unwrap().sequence, Some(sequence));
    assert_eq!(store.stats().unwrap().alerts, sequence - 1);
    assert_eq!(store.snapshot("p", None).unwrap().unwrap().0, sequence);
    assert!(store.check().unwrap().is_clean());
    assert!(!store.keep_reserve().unwrap() || fs::metadata(data.join("reserve")).is_ok());
    fs::remove_file(filler).unwrap();
    assert!(store.keep_reserve().unwrap());
}
