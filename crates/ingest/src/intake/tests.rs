//! Limits, order and waiting of the one queue.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::JournalOptions;

fn options(max_bytes: u64) -> IntakeOptions {
    IntakeOptions { max_bytes, max_batches: 1_000 }
}

fn batch(text: &str) -> Batch {
    Batch::new("file:/x".into(), text.as_bytes().to_vec(), Position::None)
}

fn http() -> SourceId {
    "http".into()
}

#[test]
fn what_is_pushed_comes_out_in_order_and_then_the_end() {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    intake.push_wait(batch("a\n")).unwrap();
    let accepted = intake.offer(&http(), b"b\n\nc".to_vec()).unwrap();
    assert_eq!(accepted, Accepted { lines: 2, sequence: None });
    let status = intake.status();
    assert_eq!((status.queued_bytes, status.queued_lines, status.queued_batches), (7, 3, 2));
    drop(intake);
    let texts: Vec<Vec<u8>> = receiver.iter().map(|batch| batch.bytes).collect();
    assert_eq!(texts, [b"a\n".to_vec(), b"b\n\nc\n".to_vec()]);
}

#[test]
fn a_closed_queue_is_drained_and_takes_nothing() {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    intake.push_wait(batch("a\n")).unwrap();
    intake.close();
    assert!(matches!(intake.push_wait(batch("b\n")), Err(Refused::Closed)));
    assert!(matches!(intake.offer(&http(), b"b\n".to_vec()), Err(Refused::Closed)));
    assert!(!intake.push_or_drop(batch("b\nc\n")));
    assert_eq!(receiver.iter().count(), 1);
    let status = intake.status();
    assert_eq!(status.queued_bytes, 0);
    let file = status.sources.iter().find(|s| s.source.as_str() == "file:/x").unwrap();
    assert_eq!(file.dropped, [0, 0, 2]);
}

#[test]
fn a_full_queue_refuses_drops_and_waits() {
    let (intake, receiver) = Intake::new(options(80), None);
    intake.push_wait(batch(&"x".repeat(59))).unwrap();
    let refused = intake.offer(&http(), vec![b'y'; 59]).unwrap_err();
    assert!(matches!(refused, Refused::QueueFull { bytes: 60, max_bytes: 80 }));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    assert!(!intake.push_or_drop(batch(&"z".repeat(59))));
    let status = intake.status();
    let of = |name| status.sources.iter().find(|s| s.source == SourceId::new(name)).unwrap();
    assert_eq!(of("http").refused, 1);
    assert_eq!(of("file:/x").dropped, [1, 0, 0]);
    let waiter = thread::spawn({
        let intake = intake.clone();
        move || intake.push_wait(batch(&"w".repeat(59)))
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished(), "a file waits");
    let held = receiver.recv().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished(), "what the consumer holds counts");
    drop(held);
    waiter.join().unwrap().unwrap();
    assert_eq!(receiver.recv().unwrap().bytes[0], b'w');
}

#[test]
fn who_waits_leaves_room_for_who_cannot() {
    let (intake, receiver) = Intake::new(options(80), None);
    for _ in 0..7 {
        intake.push_wait(batch("123456789\n")).unwrap();
    }
    let waiter = thread::spawn({
        let intake = intake.clone();
        move || intake.push_wait(batch("123456789\n"))
    });
    thread::sleep(Duration::from_millis(30));
    assert!(!waiter.is_finished());
    intake.offer(&http(), b"123456789\n".to_vec()).unwrap();
    assert!(intake.offer(&http(), b"1\n".to_vec()).is_err());
    assert_eq!(receiver.iter().take(9).count(), 9);
    waiter.join().unwrap().unwrap();
}

#[test]
fn who_waits_reads_little_ahead() {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    let mebibyte = || batch(&"x".repeat((1 << 20) - 1));
    for _ in 0..8 {
        intake.push_wait(mebibyte()).unwrap();
    }
    let waiter = thread::spawn({
        let intake = intake.clone();
        move || intake.push_wait(batch("1\n"))
    });
    thread::sleep(Duration::from_millis(30));
    assert!(!waiter.is_finished());
    intake.offer(&http(), vec![b'y'; 20 << 20]).unwrap();
    drop(receiver.recv().unwrap());
    waiter.join().unwrap().unwrap();
    assert_eq!(receiver.iter().take(9).count(), 9);
}

#[test]
fn a_batch_above_the_budget_passes_alone() {
    let (intake, receiver) = Intake::new(options(10), None);
    intake.push_wait(batch(&"x".repeat(100))).unwrap();
    assert!(intake.offer(&http(), b"y\n".to_vec()).is_err());
    receiver.recv().unwrap().release();
    intake.offer(&http(), vec![b'y'; 100]).unwrap();
}

#[test]
fn closing_and_a_lost_consumer_free_who_waits() {
    for lose_consumer in [false, true] {
        let (intake, receiver) = Intake::new(options(10), None);
        intake.push_wait(batch("123456\n")).unwrap();
        let waiter = thread::spawn({
            let intake = intake.clone();
            move || intake.push_wait(batch("123456\n"))
        });
        thread::sleep(Duration::from_millis(20));
        if lose_consumer {
            drop(receiver);
        } else {
            intake.close();
        }
        assert!(matches!(waiter.join().unwrap(), Err(Refused::Closed)));
    }
}

#[test]
fn blank_lines_are_accepted_and_forgotten() {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    let accepted = intake.offer(&http(), b"\n \n".to_vec()).unwrap();
    assert_eq!(accepted.lines, 0);
    assert_eq!(intake.status().queued_bytes, 0);
    assert!(receiver.try_recv().is_err());
}

#[test]
fn queue_and_journal_have_one_order() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
    let (intake, receiver) = Intake::new(IntakeOptions::default(), Some(journal.clone()));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let intake = intake.clone();
            thread::spawn(move || {
                for i in 0..200 {
                    intake.offer(&http(), format!("{thread} {i}\n").into_bytes()).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    intake.close();
    let queued: Vec<Batch> = receiver.iter().collect();
    let replayed: Vec<Batch> = journal.replay_from(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(queued.len(), 800);
    for (index, (queued, replayed)) in queued.iter().zip(&replayed).enumerate() {
        assert_eq!(queued.position, Position::Journal { sequence: index as u64 + 1 });
        assert_eq!((&queued.position, &queued.bytes), (&replayed.position, &replayed.bytes));
    }
}

#[test]
fn a_full_journal_refuses_and_makes_a_pipe_wait() {
    let dir = TempDir::new().unwrap();
    let limits = JournalOptions { segment_bytes: 200, max_bytes: 600, sync: false };
    let journal = Journal::open(dir.path(), limits).unwrap();
    let (intake, receiver) = Intake::new(IntakeOptions::default(), Some(journal.clone()));
    let refused = loop {
        match intake.offer(&http(), vec![b'x'; 99]) {
            Ok(_) => {}
            Err(refused) => break refused,
        }
    };
    assert!(refused.waits_for_checkpoint() && refused.retry_after().is_some());
    assert_eq!(journal.status().refused, 1);
    let control = Control::new();
    let pipe = thread::spawn({
        let (intake, control) = (intake.clone(), control.clone());
        move || intake.record_wait(&"stdin".into(), vec![b'y'; 99], &control)
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!pipe.is_finished());
    journal.trim(journal.status().last_sequence).unwrap();
    assert!(pipe.join().unwrap().unwrap().sequence.is_some());
    while intake.offer(&http(), vec![b'x'; 99]).is_ok() {}
    control.stop();
    let dropped = intake.record_wait(&"stdin".into(), b"1\n2\n".repeat(40), &control);
    assert!(dropped.is_err());
    let status = intake.status();
    let stdin = status.sources.iter().find(|s| s.source.as_str() == "stdin").unwrap();
    assert_eq!(stdin.dropped, [0, 80, 0]);
    assert_eq!(status.queued_batches, receiver.len() as u64, "no share is lost");
}
