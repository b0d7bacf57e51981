//! Journals cut, damaged, lost and full, in small segments so that every edge is met.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::Position;

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 256, max_bytes: 1 << 20, sync: false }
}

fn open(dir: &TempDir) -> Journal {
    Journal::open(dir.path(), small()).unwrap()
}

fn lines(sequence: u64) -> Vec<u8> {
    format!("{{\"line\":{sequence}}}\n").repeat(1 + sequence as usize % 5).into_bytes()
}

fn fill(journal: &Journal, count: u64) {
    for _ in 0..count {
        let next = journal.status().last_sequence + 1;
        assert_eq!(journal.append(&"http".into(), &lines(next)).unwrap(), next);
    }
}

fn replayed(journal: &Journal, after: u64) -> Vec<u64> {
    let batches = journal.replay_from(after).unwrap();
    batches
        .map(|batch| {
            let batch = batch.unwrap();
            let Position::Journal { sequence } = batch.position else { panic!("{batch:?}") };
            assert_eq!(batch.bytes, lines(sequence));
            assert_eq!(batch.source.as_str(), "http");
            sequence
        })
        .collect()
}

#[test]
fn batches_survive_reopening_and_trimming() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    assert_eq!(replayed(&journal, 0), [0; 0]);
    fill(&journal, 30);
    drop(journal);
    let journal = open(&dir);
    assert_eq!(replayed(&journal, 0), (1..=30).collect::<Vec<_>>());
    assert_eq!(replayed(&journal, 17), (18..=30).collect::<Vec<_>>());
    let before = journal.status();
    assert!(before.segments > 5, "{before:?}");
    journal.trim(17).unwrap();
    let after = journal.status();
    assert!(after.segments < before.segments && after.bytes < before.bytes);
    let left = replayed(&journal, 0);
    assert!(left[0] <= 18 && left[0] > 10 && left.last() == Some(&30), "{left:?}");
    journal.trim(30).unwrap();
    assert_eq!(journal.status().segments, 1);
    fill(&journal, 1);
    drop(journal);
    let journal = open(&dir);
    assert_eq!(journal.status().last_sequence, 31);
    assert_eq!(replayed(&journal, 30), [31]);
}

#[test]
fn a_journal_cut_anywhere_keeps_every_whole_batch() {
    let dir = TempDir::new().unwrap();
    let options = JournalOptions { segment_bytes: 1 << 20, ..small() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let mut ends = vec![frame::MAGIC.len() as u64];
    for _ in 0..5 {
        fill(&journal, 1);
        ends.push(journal.status().bytes);
    }
    drop(journal);
    let whole = fs::read(segment_path(dir.path(), 1)).unwrap();
    for cut in 0..=whole.len() {
        for garbage in [&b""[..], &[0; 32]] {
            let torn = TempDir::new().unwrap();
            fs::write(segment_path(torn.path(), 1), [&whole[..cut], garbage].concat()).unwrap();
            let opened = Journal::open(torn.path(), options);
            if cut < frame::MAGIC.len() && !garbage.is_empty() {
                assert!(matches!(opened, Err(JournalError::UnknownFormat { .. })), "{cut}");
                continue;
            }
            let journal = opened.unwrap();
            let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
            assert_eq!(replayed(&journal, 0), (1..=kept as u64).collect::<Vec<_>>(), "{cut}");
            let end = ends[kept].min(cut.max(8) as u64);
            assert_eq!(journal.status().bytes, end);
            fill(&journal, 2);
            assert_eq!(replayed(&journal, 0).len(), kept + 2, "appends go behind the cut");
        }
    }
}

#[test]
fn a_flipped_byte_costs_at_most_its_segment() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    fill(&journal, 30);
    let segments: Vec<u64> = journal.lock().segments.iter().map(|s| s.first).collect();
    drop(journal);
    let path = segment_path(dir.path(), segments[2]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    let journal = open(&dir);
    let left = replayed(&journal, 0);
    let lost: Vec<u64> = (1..=30).filter(|sequence| !left.contains(sequence)).collect();
    assert_eq!(lost, (segments[2]..segments[3]).collect::<Vec<_>>());
    assert!(journal.status().damaged_bytes > 0);
}

#[test]
fn the_budget_is_kept() {
    let dir = TempDir::new().unwrap();
    let options = JournalOptions { segment_bytes: 1_000, max_bytes: 4_000, sync: true };
    let journal = Journal::open(dir.path(), options).unwrap();
    let batch = vec![b'x'; 400];
    while journal.append(&"http".into(), &batch).is_ok() {}
    let status = journal.status();
    assert!(status.bytes <= 4_000 && status.bytes > 3_000, "{status:?}");
    assert_eq!(status.refused, 1);
    let error = journal.append(&"http".into(), &batch).unwrap_err();
    assert!(matches!(error, JournalError::Full { max_bytes: 4_000, .. }), "{error}");
    journal.trim(4).unwrap();
    journal.append(&"http".into(), &batch).unwrap();
    let on_disk: u64 =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(on_disk, journal.status().bytes);
}

#[test]
fn only_one_process_has_it_open() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    let second = Journal::open(dir.path(), small());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    drop(journal);
    open(&dir);
}

#[test]
fn a_lost_journal_goes_on_behind_the_checkpoint() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    assert_eq!(replayed(&journal, 1_000), [0; 0]);
    assert_eq!(journal.append(&"http".into(), &lines(1_001)).unwrap(), 1_001);
    drop(journal);
    let journal = open(&dir);
    assert_eq!(replayed(&journal, 1_000), [1_001]);
    assert_eq!(replayed(&journal, 0), [1_001]);
}

#[test]
fn a_segment_of_another_version_is_not_touched() {
    let dir = TempDir::new().unwrap();
    let path = segment_path(dir.path(), 1);
    fs::write(&path, b"HANABIJ9 and what only it can read").unwrap();
    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert!(matches!(error, JournalError::UnknownFormat { .. }), "{error}");
    assert!(fs::read(&path).unwrap().ends_with(b"can read"));
}

#[test]
fn what_is_appended_during_a_replay_is_not_replayed() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    fill(&journal, 10);
    let mut replay = journal.replay_from(5).unwrap();
    assert_eq!(replay.next().unwrap().unwrap().position, Position::Journal { sequence: 6 });
    fill(&journal, 10);
    journal.trim(8).unwrap();
    let rest: Vec<Position> = replay.map(|batch| batch.unwrap().position).collect();
    assert_eq!(rest.last(), Some(&Position::Journal { sequence: 10 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_after_the_checkpoint_is_lost(
        steps in prop::collection::vec((0_u64..12, any::<bool>(), 0_u64..6), 1..12),
    ) {
        let dir = TempDir::new().unwrap();
        let mut journal = open(&dir);
        let mut checkpoint = 0;
        for (appended, reopen, done) in steps {
            fill(&journal, appended);
            checkpoint = (checkpoint + done).min(journal.status().last_sequence);
            journal.trim(checkpoint).unwrap();
            if reopen {
                drop(journal);
                journal = open(&dir);
            }
            let last = journal.status().last_sequence;
            let expected: Vec<u64> = (checkpoint + 1..=last).collect();
            prop_assert_eq!(replayed(&journal, checkpoint), expected);
        }
    }
}

#[test]
fn the_oldest_segment_goes_when_it_is_told_to() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    assert_eq!(journal.drop_oldest().unwrap(), None, "the only one stays");
    fill(&journal, 30);
    journal.sync().unwrap();
    let before = journal.status();
    let last = journal.drop_oldest().unwrap().unwrap();
    assert!(last > 0 && last < 30, "{last}");
    assert_eq!(replayed(&journal, 0), (last + 1..=30).collect::<Vec<_>>());
    assert_eq!(journal.status().segments, before.segments - 1);
    drop(journal);
    assert_eq!(replayed(&open(&dir), 0).len() as u64, 30 - last);
}

#[test]
fn a_check_tells_damage_from_an_unfinished_end_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    assert_eq!(check_journal(&dir.path().join("none")).unwrap(), JournalReport::default());
    let journal = open(&dir);
    fill(&journal, 30);
    drop(journal);
    let clean = check_journal(dir.path()).unwrap();
    assert_eq!((clean.batches, clean.torn_bytes, clean.damaged.len()), (30, 0, 0));
    let segments = list_segments(dir.path()).unwrap();
    let newest = segment_path(dir.path(), segments.back().unwrap().first);
    let first = segment_path(dir.path(), segments[0].first);
    let mut file = OpenOptions::new().append(true).open(&newest).unwrap();
    file.write_all(b"half").unwrap();
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&first, bytes).unwrap();
    let found = check_journal(dir.path()).unwrap();
    assert_eq!((found.torn_bytes, found.damaged.len()), (4, 1), "{found:?}");
    assert_eq!(found.damaged[0].0, first);
    assert!(found.batches < 30);
    assert_eq!(check_journal(dir.path()).unwrap(), found);
}
