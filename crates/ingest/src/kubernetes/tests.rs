//! Real files in temporary folders, written as a container runtime and the kubelet do.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use tempfile::TempDir;

use super::*;
use crate::IntakeOptions;

const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of logs, and what was read of them.
struct Node {
    dir: TempDir,
    /// What is stored: positions as the driver keeps them.
    positions: BTreeMap<String, Position>,
    read: Vec<String>,
    written: usize,
}

/// A source at work.
struct Run {
    control: Control,
    batches: Receiver<Batch>,
    stats: Arc<KubernetesStats>,
    thread: JoinHandle<Result<(), FileError>>,
}

impl Node {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self { dir, positions: BTreeMap::new(), read: Vec::new(), written: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Numbered lines, every third in two parts, with messages between.
    fn write(&mut self, name: &str, count: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut text = String::new();
        for number in self.written..self.written + count {
            let time = format!("2026-11-22T08:55:32.{number:09}Z");
            if number % 3 == 0 {
                let parts = [" stdout P {\"n\":\n", " stderr F talk\n", " stdout F "];
                text.extend(parts.map(|part| time.clone() + part));
                text.extend([number.to_string(), "}\n".to_owned()]);
            } else {
                let rest = [" stdout F {\"n\":", &number.to_string(), "}\n"].concat();
                text.extend([time, rest]);
            }
        }
        self.written += count;
        append(&path, &text);
    }

    fn start(&self) -> Run {
        let options = KubernetesOptions {
            file: FileOptions { rotate_idle: Duration::from_millis(200), ..FileOptions::default() },
            search: Duration::from_millis(20),
            quiet_poll: Duration::from_millis(100),
            gone_after: Duration::from_millis(500),
        };
        let source = KubernetesSource::new(self.dir.path(), options);
        let (stats, control) = (source.stats(), Control::new());
        let (intake, batches) = Intake::new(IntakeOptions::default(), None);
        let (told, positions) = (control.clone(), self.positions.clone());
        let thread = std::thread::spawn(move || source.run(&intake, &positions, &told));
        Run { control, batches, stats, thread }
    }

    /// Takes batches until all that was written has come.
    fn take(&mut self, run: &Run) {
        while self.read.len() < self.written {
            let batch = run.batches.recv_timeout(PATIENCE).unwrap();
            self.store(&batch);
        }
    }

    fn store(&mut self, batch: &Batch) {
        let text = std::str::from_utf8(&batch.bytes).unwrap();
        self.read.extend(text.lines().map(str::to_owned));
        let key = batch.position.key(batch.source.as_str());
        self.positions.insert(key, batch.position.clone());
    }

    /// Ends a run as a kill does: what was not taken is as if it had not been read.
    fn kill(run: Run) {
        run.control.stop();
        drop(run.batches);
        run.thread.join().unwrap().unwrap();
    }

    fn check(&self) {
        let expected: BTreeSet<String> =
            (0..self.written).map(|number| format!("{{\"n\":{number}}}")).collect();
        assert_eq!(self.read.len(), self.written);
        assert_eq!(self.read.iter().cloned().collect::<BTreeSet<_>>(), expected);
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_line_comes_once_from_many_files_through_rotation_and_kills() {
    let mut node = Node::new();
    let name = |pod: usize| format!("falco_falco-{pod}_uid/falco/0.log");
    for round in 0..4 {
        let run = node.start();
        for pod in 0..10 {
            node.write(&name(pod), 20 + round);
        }
        node.take(&run);
        // The kubelet renames, and the runtime goes on in a new file.
        for pod in 0..5 {
            let from = node.path(&name(pod));
            fs::rename(&from, from.with_extension(format!("log.20261122-08553{round}"))).unwrap();
            node.write(&name(pod), 5);
        }
        node.take(&run);
        Node::kill(run);
        // And while nobody looks; the container starts anew, too.
        node.write(&name(1), 3);
        let from = node.path(&name(7));
        fs::rename(&from, from.with_extension(format!("log.20261122-08554{round}"))).unwrap();
        node.write(&name(7), 4);
        node.write(&format!("falco_falco-2_uid/falco/{}.log", round + 1), 2);
    }
    let run = node.start();
    node.take(&run);
    node.check();
    let status = run.stats.status();
    assert_eq!((status.files, status.unparsed, status.file.positions_lost), (14, 0, 0));
    Node::kill(run);
}

#[test]
fn a_kill_within_a_line_loses_and_repeats_nothing() {
    let mut node = Node::new();
    let path = node.path("0.log");
    let run = node.start();
    node.write("0.log", 1);
    let part = "2026-11-22T08:55:32.000000001Z stdout P {\"n\":\n";
    append(&path, part);
    node.take(&run);
    wait("reading", || {
        let status = run.stats.status();
        status.file.offset == fs::metadata(&path).unwrap().len()
    });
    // The next line comes in two parts, and between them somebody is killed, and the log rotated.
    Node::kill(run);
    append(&path, "2026-11-22T08:55:32.000000002Z stdout F 1}\n");
    node.written += 1;
    let run = node.start();
    node.take(&run);
    append(&path, part);
    wait("reading", || run.stats.status().file.offset == fs::metadata(&path).unwrap().len());
    fs::rename(&path, path.with_extension("log.20261122-085535")).unwrap();
    append(&path, "2026-11-22T08:55:33.000000003Z stdout F 2}\n");
    node.written += 1;
    node.take(&run);
    node.check();
    Node::kill(run);
}

#[test]
fn a_log_that_was_renamed_a_moment_before_the_start_is_read_on() {
    let mut node = Node::new();
    let name = "falco_falco-1_uid/falco/0.log";
    node.write(name, 10);
    let run = node.start();
    node.take(&run);
    Node::kill(run);
    node.write(name, 10);
    let path = node.path(name);
    fs::rename(&path, path.with_extension("log.20261122-085535")).unwrap();
    // The runtime has not made the next one yet.
    let run = node.start();
    node.take(&run);
    node.write(name, 10);
    node.take(&run);
    node.check();
    assert_eq!(run.stats.status().file.positions_lost, 0);
    Node::kill(run);
}

#[test]
fn the_logs_of_removed_pods_are_read_to_their_end_and_forgotten() {
    let mut node = Node::new();
    node.write("a/falco/0.log", 10);
    node.write("b/falco/0.log", 10);
    let run = node.start();
    node.take(&run);
    // Its last word comes with the removal, as a descriptor that is still open sees it.
    fs::remove_dir_all(node.path("a")).unwrap();
    wait("letting go", || run.stats.status().files == 1);
    node.write("b/falco/0.log", 10);
    node.take(&run);
    node.check();
    Node::kill(run);

    // A pod that is removed while nobody looks may have had more to say.
    fs::remove_dir_all(node.path("b")).unwrap();
    fs::create_dir_all(node.path("c")).unwrap();
    let run = node.start();
    wait("the loss", || run.stats.status().file.positions_lost == 2);
    assert!(run.stats.status().waiting);
    Node::kill(run);
}

#[test]
fn a_folder_that_comes_later_is_waited_for_and_odd_lines_are_handed_out() {
    let node = Node::new();
    let options =
        KubernetesOptions { search: Duration::from_millis(20), ..KubernetesOptions::default() };
    let source = KubernetesSource::new(&node.path("pods/falco_*"), options);
    assert!(source.id().as_str().starts_with("kubernetes:/"));
    let (stats, control) = (source.stats(), Control::new());
    let (intake, batches) = Intake::new(IntakeOptions::default(), None);
    let told = control.clone();
    let thread = std::thread::spawn(move || source.run(&intake, &BTreeMap::new(), &told));
    assert!(batches.recv_timeout(Duration::from_millis(100)).is_err());
    assert!(stats.status().waiting);
    fs::create_dir_all(node.path("pods/falco_x_uid/falco")).unwrap();
    append(&node.path("pods/falco_x_uid/falco/0.log"), "{\"n\":0}\n");
    assert_eq!(batches.recv_timeout(PATIENCE).unwrap().bytes, b"{\"n\":0}\n");
    wait("the count", || stats.status().unparsed == 1);
    control.stop();
    thread.join().unwrap().unwrap();
}
