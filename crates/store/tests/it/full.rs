//! Full and read-only disks, on file systems of their own; left out, and said so, where mounting is
//! not permitted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::row;
use hanabi_store::{
    Checkpoint, EventLog, LogOptions, LogQuery, LogRow, Store, StoreError, StoreOptions,
};

/// A small file system in memory, gone with this value.
struct Disk {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Disk {
    fn mount(test: &str, size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::create_dir(&path).unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED {test}: mounting a tmpfs is not permitted here");
            return None;
        }
        Some(Self { path, _dir: dir })
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", option]).arg(&self.path).status().unwrap();
        assert!(done.success());
    }

    /// Takes all space but `left` bytes.
    fn fill(&self, left: u64) -> PathBuf {
        let filler = self.path.join("filler");
        let chunk = vec![0u8; 4_096];
        let mut file = fs::File::create(&filler).unwrap();
        let mut taken = 0;
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {
            taken += chunk.len() as u64;
        }
        file.set_len(taken.saturating_sub(left)).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.path).status());
    }
}

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
            log.append(sequence, &(0..100).map(fresh).collect::<Vec<_>>());
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
    log.append(last + 1, &[row(0, u64::MAX - 1)]);
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
