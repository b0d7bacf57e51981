//! A pipe read line by line, with a reader that keeps its writer waiting.

use std::io::{PipeWriter, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::{IntakeOptions, Journal, JournalOptions, Position};

fn source() -> (StdinSource, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    (StdinSource::from_reader("stdin".into(), reader), writer)
}

#[test]
fn lines_come_at_once_and_go_through_the_journal() {
    let dir = tempfile::TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
    let (intake, receiver) = Intake::new(IntakeOptions::default(), Some(journal.clone()));
    let (source, mut writer) = source();
    let thread = thread::spawn(move || source.run(&intake, &Control::new()));
    writer.write_all(b"{\"a\":1}\n{\"b\"").unwrap();
    let start = Instant::now();
    let first = receiver.recv().unwrap();
    assert!(start.elapsed() < Duration::from_millis(500));
    assert_eq!((first.bytes.as_slice(), first.lines), (&b"{\"a\":1}\n"[..], 1));
    assert_eq!(first.position, Position::Journal { sequence: 1 });
    writer.write_all(b":2}\nlast").unwrap();
    drop(writer);
    let rest: Vec<u8> = receiver.iter().flat_map(|batch| batch.bytes.clone()).collect();
    assert_eq!(rest, b"{\"b\":2}\nlast\n");
    assert_eq!(thread.join().unwrap().unwrap(), 0);
    let replayed = journal.replay_from(0).unwrap().flat_map(|batch| batch.unwrap().bytes);
    assert_eq!(replayed.collect::<Vec<u8>>(), b"{\"a\":1}\n{\"b\":2}\nlast\n");
}

#[test]
fn a_full_queue_holds_the_writer_back() {
    let options = IntakeOptions { max_bytes: 1 << 16, ..IntakeOptions::default() };
    let (intake, receiver) = Intake::new(options, None);
    let (source, mut writer) = source();
    let reader = thread::spawn({
        let intake = intake.clone();
        move || source.run(&intake, &Control::new())
    });
    let lines = 100_000;
    let writing = thread::spawn(move || {
        for i in 0..lines {
            writeln!(writer, "{{\"line\":{i}}}").unwrap();
        }
    });
    thread::sleep(Duration::from_millis(100));
    assert!(!writing.is_finished());
    assert!(intake.status().queued_bytes <= 1 << 16);
    drop(intake);
    assert_eq!(receiver.iter().map(|batch| batch.lines).sum::<u64>(), lines);
    writing.join().unwrap();
    reader.join().unwrap().unwrap();
}

#[test]
fn a_line_without_end_is_cut_off() {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    let (source, mut writer) = source();
    let thread = thread::spawn(move || source.run(&intake, &Control::new()));
    let writing = thread::spawn(move || {
        for _ in 0..20 {
            writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
        }
        writer.write_all(b"\nshort\n").unwrap();
    });
    let bytes: Vec<u8> = receiver.iter().flat_map(|batch| batch.bytes.clone()).collect();
    assert_eq!(bytes.len(), crate::MAX_LINE_BYTES + 1 + 6);
    assert!(bytes.ends_with(b"x\nshort\n"));
    writing.join().unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), 1);
}
