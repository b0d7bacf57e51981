//! Real files in temporary directories; the state machine with time as data, and with threads.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::thread;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::IntakeOptions;

/// A log in a directory, its writer, and a reader whose clock the test turns.
struct Scene {
    dir: TempDir,
    writer: File,
    tail: Tail,
    options: FileOptions,
    stats: Arc<FileStats>,
    now: Instant,
    read: Vec<u8>,
    position: Position,
    written: Vec<u8>,
    lines: u32,
    /// `written` ends inside a line.
    within_line: bool,
}

impl Scene {
    fn new() -> Self {
        Self::with(FileOptions::default())
    }

    fn with(options: FileOptions) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("x.log");
        let stats = Arc::<FileStats>::default();
        Self {
            writer: append_to(&path),
            tail: Tail::new(&path, options, &Position::None, Arc::clone(&stats)),
            dir,
            options,
            stats,
            now: Instant::now(),
            read: Vec::new(),
            position: Position::None,
            written: Vec::new(),
            lines: 0,
            within_line: false,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&mut self, text: &[u8]) {
        self.writer.write_all(text).unwrap();
        self.written.extend_from_slice(text);
    }

    /// Numbered lines, long enough that each file begins differently.
    fn write_lines(&mut self, count: u32) {
        if count > 0 {
            self.end_line();
        }
        for _ in 0..count {
            self.lines += 1;
            let text = format!("{{\"line\":{:0>90}}}\n", self.lines);
            self.write(text.as_bytes());
        }
    }

    fn begin_line(&mut self) {
        self.end_line();
        self.lines += 1;
        let text = format!("{{\"line\":{:0>90}", self.lines);
        self.write(text.as_bytes());
        self.within_line = true;
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.within_line) {
            self.write(b",\"end\":1}\n");
        }
    }

    /// Reads all there is now; true at the end of a `once` run.
    fn poll(&mut self) -> bool {
        loop {
            match self.tail.step(self.now).unwrap() {
                Step::Lines(bytes, position) => {
                    assert!(bytes.ends_with(b"\n"));
                    self.read.extend_from_slice(&bytes);
                    self.position = position;
                }
                Step::Idle => return false,
                Step::End => return true,
            }
        }
    }

    fn wait(&mut self) {
        self.now += self.options.rotate_idle + Duration::from_millis(1);
    }

    /// Polls and waits until every rotated file must have been read.
    fn settle(&mut self) {
        for _ in 0..40 {
            self.poll();
            self.wait();
        }
        self.poll();
    }

    /// `x.log` becomes `x.log.1`, and so on; the writer still has the old one.
    fn rename(&self) {
        for number in (1..50).rev() {
            let from = self.path(&format!("x.log.{number}"));
            if from.exists() {
                fs::rename(from, self.path(&format!("x.log.{}", number + 1))).unwrap();
            }
        }
        fs::rename(self.path("x.log"), self.path("x.log.1")).unwrap();
    }

    fn reopen_writer(&mut self) {
        self.writer = append_to(&self.path("x.log"));
    }

    /// A new process that starts at `position` with what was read up to there.
    fn restart(&mut self, position: Position, read: usize) {
        self.read.truncate(read);
        let path = self.path("x.log");
        self.tail = Tail::new(&path, self.options, &position, Arc::clone(&self.stats));
        self.position = position;
    }

    fn check(&self) {
        let read = String::from_utf8_lossy(&self.read);
        let written = String::from_utf8_lossy(&self.written);
        assert!(read == written, "read\n{read}\nwritten\n{written}");
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

#[test]
fn partial_lines_wait_for_their_end() {
    let mut scene = Scene::new();
    scene.write(b"one\ntw");
    scene.poll();
    assert_eq!(scene.read, b"one\n");
    scene.write(b"o");
    scene.poll();
    assert_eq!(scene.read, b"one\n");
    scene.write(b"\nthree\n");
    scene.poll();
    scene.check();
}

#[test]
fn reading_starts_at_the_beginning_or_at_the_end() {
    let mut scene = Scene::with(FileOptions { from_end: true, ..FileOptions::default() });
    scene.write(b"old\nold and unfinished");
    scene.poll();
    scene.write(b", now finished\nnew\n");
    scene.poll();
    assert_eq!(scene.read, b"new\n");
    // A stored position is worth more than the option.
    let position = scene.position.clone();
    scene.restart(position, 4);
    scene.write(b"newer\n");
    scene.poll();
    assert_eq!(scene.read, b"new\nnewer\n");
}

#[test]
fn a_missing_file_is_waited_for_and_read_whole() {
    for from_end in [false, true] {
        let mut scene = Scene::with(FileOptions { from_end, ..FileOptions::default() });
        fs::remove_file(scene.path("x.log")).unwrap();
        scene.poll();
        let status = scene.stats.status();
        assert!(status.waiting && status.error.is_some());
        scene.reopen_writer();
        scene.write_lines(3);
        scene.poll();
        scene.check();
        assert_eq!((scene.stats.status().waiting, scene.stats.status().error), (false, None));
    }
}

#[test]
fn rotation_by_rename_finishes_the_old_file_first() {
    let mut scene = Scene::new();
    scene.write_lines(3);
    scene.poll();
    scene.rename();
    scene.write_lines(2);
    scene.poll();
    scene.reopen_writer();
    scene.write_lines(4);
    scene.poll();
    assert_eq!(scene.stats.status().rotations, 0, "the old file may still grow");
    scene.wait();
    scene.poll();
    scene.check();
    assert_eq!(scene.stats.status().rotations, 1);
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    let mut scene = Scene::new();
    scene.write_lines(2);
    scene.poll();
    for _ in 0..5 {
        scene.write_lines(2);
        scene.rename();
        scene.reopen_writer();
    }
    scene.write_lines(1);
    scene.settle();
    scene.check();
    assert_eq!(scene.stats.status().rotations, 5);
}

#[test]
fn dated_names_are_followed_in_their_order() {
    let mut scene = Scene::new();
    scene.write_lines(1);
    scene.poll();
    for day in ["20250130", "20250131", "20250201"] {
        scene.write_lines(2);
        fs::rename(scene.path("x.log"), scene.path(&format!("x.log-{day}"))).unwrap();
        scene.reopen_writer();
    }
    // Neither of these is a part of the log.
    fs::write(scene.path("x.log.offset"), "42\n").unwrap();
    fs::write(scene.path("x.log-20250101.gz"), "\x1f").unwrap();
    scene.write_lines(1);
    scene.settle();
    scene.check();
}

#[test]
fn rotated_files_are_read_while_nothing_is_at_the_path() {
    for once in [false, true] {
        let mut scene = Scene::with(FileOptions { once, ..FileOptions::default() });
        scene.write_lines(2);
        scene.poll();
        let (position, read) = (scene.position.clone(), scene.read.len());
        for _ in 0..3 {
            scene.write_lines(2);
            scene.rename();
            scene.reopen_writer();
        }
        scene.write_lines(2);
        // The writer keeps the renamed file, and has not begun a new one.
        scene.rename();
        scene.restart(position, read);
        scene.settle();
        scene.check();
        scene.write_lines(1);
        scene.settle();
        scene.check();
        assert_eq!(scene.stats.status().rotations, 3);
    }
}

#[test]
fn an_unfinished_line_of_a_finished_file_is_handed_out() {
    let mut scene = Scene::new();
    scene.write(b"whole\nunfinished");
    scene.poll();
    scene.rename();
    scene.reopen_writer();
    scene.write(b"next\n");
    scene.settle();
    assert_eq!(scene.read, b"whole\nunfinished\nnext\n");
}

#[test]
fn a_removed_file_is_followed_by_the_new_one_of_its_name() {
    let mut scene = Scene::new();
    scene.write_lines(2);
    scene.poll();
    fs::remove_file(scene.path("x.log")).unwrap();
    scene.write_lines(1);
    scene.settle();
    scene.reopen_writer();
    scene.write_lines(2);
    scene.settle();
    scene.check();
}

#[test]
fn truncation_starts_anew() {
    let mut scene = Scene::new();
    scene.write_lines(5);
    scene.poll();
    scene.writer.set_len(0).unwrap();
    scene.write_lines(2);
    scene.poll();
    scene.check();
    // Grown past the old offset before the next look.
    scene.writer.set_len(0).unwrap();
    scene.write_lines(9);
    scene.poll();
    scene.check();
    assert_eq!(scene.stats.status().truncations, 2);
}

#[test]
fn what_a_copy_and_truncate_hid_is_read_from_the_copy() {
    let mut scene = Scene::new();
    scene.write_lines(5);
    scene.poll();
    scene.write_lines(3);
    fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
    scene.writer.set_len(0).unwrap();
    scene.write_lines(1);
    scene.settle();
    scene.check();
}

#[test]
fn a_position_is_found_again_under_any_name() {
    for name in ["x.log.1", "x.log-20250131", "old", "y.txt"] {
        let mut scene = Scene::new();
        scene.write_lines(4);
        scene.poll();
        let (position, read) = (scene.position.clone(), scene.read.len());
        scene.write_lines(3);
        fs::rename(scene.path("x.log"), scene.path(name)).unwrap();
        scene.reopen_writer();
        scene.write_lines(2);
        scene.restart(position, read);
        scene.settle();
        scene.check();
        assert_eq!(scene.stats.status().positions_lost, 0, "{name}");
    }
}

#[test]
fn a_position_whose_file_is_gone_is_counted() {
    let mut scene = Scene::new();
    scene.write_lines(4);
    scene.poll();
    let position = scene.position.clone();
    fs::remove_file(scene.path("x.log")).unwrap();
    scene.reopen_writer();
    scene.written.clear();
    // The number may well be given to the new file, which is longer, too.
    scene.write_lines(9);
    scene.restart(position, 0);
    scene.settle();
    scene.check();
    assert_eq!(scene.stats.status().positions_lost, 1);
}

#[test]
fn once_ends_with_the_last_line() {
    let mut scene = Scene::with(FileOptions { once: true, ..FileOptions::default() });
    scene.write(b"one\ntwo");
    assert!(scene.poll());
    assert_eq!(scene.read, b"one\ntwo\n");
    let mut scene = Scene::with(FileOptions { once: true, ..FileOptions::default() });
    fs::remove_file(scene.path("x.log")).unwrap();
    assert!(scene.poll());
}

#[test]
fn a_stop_hands_out_a_whole_value_and_leaves_half_a_one() {
    let mut scene = Scene::new();
    scene.write(b"{\"a\":1}\n{\"b\":2}");
    scene.poll();
    let (last, position) = scene.tail.stop().unwrap().unwrap();
    assert_eq!(last, b"{\"b\":2}\n");
    scene.read.extend_from_slice(&last);
    let read = scene.read.len();
    scene.restart(position, read);
    scene.write(b"\n{\"c\":");
    scene.poll();
    assert!(scene.tail.stop().unwrap().is_none());
    let position = scene.position.clone();
    scene.restart(position, read);
    scene.write(b"3}\n");
    scene.poll();
    assert_eq!(scene.read, b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
}

#[test]
fn a_hundred_megabyte_line_is_cut_off_and_resumed_behind() {
    let mut scene = Scene::new();
    scene.write(b"before\n");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        scene.writer.write_all(&piece).unwrap();
    }
    scene.writer.write_all(b"\nafter\n").unwrap();
    let mut batches = 0;
    while let Step::Lines(bytes, position) = scene.tail.step(scene.now).unwrap() {
        assert!(bytes.capacity() < 8 << 20, "{}", bytes.capacity());
        batches += 1;
        scene.read.extend_from_slice(&bytes);
        // A new process after every batch, also inside the long line.
        let read = scene.read.len();
        scene.restart(position, read);
    }
    assert!(batches >= 3);
    assert_eq!(scene.read.len(), 7 + crate::MAX_LINE_BYTES + 1 + 6);
    assert!(scene.read.starts_with(b"before\nxxx") && scene.read.ends_with(b"xxx\nafter\n"));
    assert_eq!(scene.stats.status().too_long, 1);
}

#[test]
fn binary_garbage_passes_unharmed() {
    let mut scene = Scene::new();
    let garbage: Vec<u8> =
        (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    scene.write(&garbage);
    scene.write(b"\n\0\0\0\n\xff\xfe\n");
    scene.poll();
    assert!(scene.read == scene.written);
}

#[derive(Clone, Debug)]
enum Action {
    Lines(u32),
    BeginLine,
    Poll,
    Wait,
    /// Rename, with this many lines still going to the old file.
    Rename(u32),
    /// Everything read, this much written unread, then copied and cut to nothing.
    CopyTruncate(u32),
    Truncate,
    Checkpoint,
    /// A kill: goes back to the last checkpoint.
    Kill,
    Stop,
}

fn action(rename: bool) -> impl Strategy<Value = Action> {
    let rotate = if rename {
        (0..3_u32).prop_map(Action::Rename).boxed()
    } else {
        prop_oneof![(0..3_u32).prop_map(Action::CopyTruncate), Just(Action::Truncate)].boxed()
    };
    prop_oneof![
        6 => (1..5_u32).prop_map(Action::Lines),
        2 => Just(Action::BeginLine),
        4 => Just(Action::Poll),
        2 => Just(Action::Wait),
        3 => rotate,
        1 => Just(Action::Checkpoint),
        2 => Just(Action::Kill),
        2 => Just(Action::Stop),
    ]
}

fn perform(scene: &mut Scene, checkpoint: &mut (Position, usize), action: &Action) {
    match *action {
        Action::Lines(count) => scene.write_lines(count),
        Action::BeginLine => scene.begin_line(),
        Action::Poll => {
            scene.poll();
        }
        Action::Wait => scene.wait(),
        Action::Rename(late) => {
            scene.end_line();
            scene.rename();
            scene.poll();
            scene.write_lines(late);
            scene.reopen_writer();
        }
        Action::CopyTruncate(unread) => {
            scene.write_lines(1);
            scene.settle();
            *checkpoint = (scene.position.clone(), scene.read.len());
            scene.write_lines(unread);
            for number in (1..50).rev() {
                let from = scene.path(&format!("x.log.{number}"));
                if from.exists() {
                    fs::rename(from, scene.path(&format!("x.log.{}", number + 1))).unwrap();
                }
            }
            fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
            scene.writer.set_len(0).unwrap();
        }
        Action::Truncate => {
            scene.end_line();
            scene.settle();
            *checkpoint = (scene.position.clone(), scene.read.len());
            scene.writer.set_len(0).unwrap();
        }
        Action::Checkpoint => *checkpoint = (scene.position.clone(), scene.read.len()),
        Action::Kill => scene.restart(checkpoint.0.clone(), checkpoint.1),
        Action::Stop => {
            if let Some((bytes, position)) = scene.tail.stop().unwrap() {
                scene.read.extend_from_slice(&bytes);
                scene.position = position;
            }
            let (position, read) = (scene.position.clone(), scene.read.len());
            *checkpoint = (position.clone(), read);
            scene.restart(position, read);
        }
    }
}

fn every_line_once(actions: &[Action]) {
    let mut scene = Scene::new();
    // Without a position reading starts with the file that is there, not with rotated ones.
    scene.write_lines(1);
    scene.poll();
    let mut checkpoint = (scene.position.clone(), scene.read.len());
    for action in actions {
        perform(&mut scene, &mut checkpoint, action);
    }
    scene.end_line();
    scene.settle();
    scene.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn every_line_once_through_renames(
        actions in prop::collection::vec(action(true), 1..40),
    ) {
        every_line_once(&actions);
    }

    #[test]
    fn every_line_once_through_truncations(
        actions in prop::collection::vec(action(false), 1..40),
    ) {
        every_line_once(&actions);
    }
}

fn quick() -> FileOptions {
    FileOptions {
        poll: Duration::from_millis(5),
        active_poll: Duration::from_millis(2),
        rotate_idle: Duration::from_millis(150),
        ..FileOptions::default()
    }
}

/// Runs a source from `position` for a while, and returns what it read and how far it came.
fn run_for(path: &Path, time: Duration, position: &mut Position) -> Vec<u8> {
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    let control = Control::new();
    let source = FileSource::new(path, quick());
    assert!(source.id().as_str().starts_with("file:"));
    let running = thread::spawn({
        let (control, position) = (control.clone(), position.clone());
        move || source.run(&intake, &position, &control)
    });
    thread::sleep(time);
    control.stop();
    running.join().unwrap().unwrap();
    let mut read = Vec::new();
    for batch in receiver.try_iter() {
        read.extend_from_slice(&batch.bytes);
        *position = batch.position.clone();
    }
    read
}

/// A writer that renames and goes on writing to the old file for a while, and readers that are
/// stopped and started again meanwhile. It ends renamed, with nothing at the path.
#[test]
fn threads_rotate_and_resume_without_loss() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.log");
    let total: u64 = 20_000;
    let line = |number: u64| format!("{{\"line\":{number:0>90}}}\n");
    // Without a position reading starts with the file that is there, so that a first run has to
    // have one before anything is rotated.
    fs::write(&path, line(0)).unwrap();
    let mut position = Position::None;
    let start = Instant::now();
    let mut first = Vec::new();
    while first.is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1));
        first = run_for(&path, Duration::from_millis(50), &mut position);
    }
    assert_eq!(first, line(0).as_bytes());
    let writing = thread::spawn({
        let path = path.clone();
        move || {
            let mut file = append_to(&path);
            for number in 1..total {
                if number % 4_000 == 3_900 {
                    let rotated = format!("log-2025010{}", number / 4_000);
                    fs::rename(&path, path.with_extension(rotated)).unwrap();
                }
                if number % 4_000 == 0 {
                    file = append_to(&path);
                }
                file.write_all(line(number).as_bytes()).unwrap();
                if number % 500 == 0 {
                    thread::sleep(Duration::from_millis(25));
                }
            }
        }
    });
    let mut read = 1;
    while read < total {
        assert!(start.elapsed() < Duration::from_mins(1), "{read} of {total}");
        let bytes = run_for(&path, Duration::from_millis(400), &mut position);
        for got in bytes.split_inclusive(|b| *b == b'\n') {
            assert_eq!(got, line(read).as_bytes());
            read += 1;
        }
    }
    writing.join().unwrap();
    assert!(run_for(&path, Duration::from_millis(400), &mut position).is_empty());
}

#[test]
fn a_paused_source_reads_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.log");
    fs::write(&path, "one\n").unwrap();
    let (intake, receiver) = Intake::new(IntakeOptions::default(), None);
    let source = FileSource::new(&path, quick());
    let stats = source.stats();
    let control = Control::new();
    let running = thread::spawn({
        let control = control.clone();
        move || source.run(&intake, &Position::None, &control)
    });
    let wait = Duration::from_secs(10);
    assert_eq!(receiver.recv_timeout(wait).unwrap().bytes, b"one\n");
    control.pause();
    thread::sleep(Duration::from_millis(30));
    append_to(&path).write_all(b"two\n").unwrap();
    assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
    control.resume();
    assert_eq!(receiver.recv_timeout(wait).unwrap().bytes, b"two\n");
    assert_eq!(stats.status().offset, 8);
    control.stop();
    running.join().unwrap().unwrap();
    assert!(receiver.recv().is_err());
}
