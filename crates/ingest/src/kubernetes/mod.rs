//! Following the logs of a Kubernetes node's containers below a folder.
//!
//! Each file `*.log` is followed by itself through the kubelet's rotation, with a position of its own
//! behind the last whole line; new files are looked for, and those of removed pods let go when they
//! are read. The origin waits: what is not read stays in the files, as long as the kubelet keeps
//! them.

mod cri;
mod find;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::batch::part_key;
use crate::file::tail::{Step, Tail};
use crate::{
    Batch, Control, FileError, FileOptions, FileStats, FileStatus, Intake, Position, SourceId,
};
use cri::Joiner;

/// Files that are followed at a time, each with a descriptor: a node has some hundred pods, and
/// of these a source is to follow Falco's.
const FILES_MAX: usize = 512;
/// From this age without a new line a file is looked at more rarely.
const QUIET_AFTER: Duration = Duration::from_secs(10);
/// How long after a file was let go its position is let go, too: what was read of it last may still
/// be on its way.
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// How logs are followed.
#[derive(Clone, Copy, Debug)]
pub struct KubernetesOptions {
    /// How a file is.
    pub file: FileOptions,
    /// How often new files are looked for.
    pub search: Duration,
    /// How often a file is looked at that got no line for ten seconds.
    pub quiet_poll: Duration,
    /// How long nothing must be at a log's path until the log is let go: the kubelet renames a log
    /// a moment before the runtime makes the next.
    pub gone_after: Duration,
}

impl Default for KubernetesOptions {
    fn default() -> Self {
        Self {
            file: FileOptions::default(),
            search: Duration::from_secs(2),
            quiet_poll: Duration::from_secs(1),
            gone_after: Duration::from_secs(10),
        }
    }
}

/// Counters of a [`KubernetesSource`], readable while it runs.
#[derive(Debug, Default)]
pub struct KubernetesStats {
    files: Mutex<BTreeMap<PathBuf, Arc<FileStats>>>,
    /// What files had counted that are not followed any more.
    before: Mutex<FileStatus>,
    /// Files that were let go, and when; their positions are of no use.
    gone: Mutex<Vec<(String, PathBuf, Instant)>>,
    unparsed: AtomicU64,
    too_long: AtomicU64,
    left_out: AtomicU64,
    is_there: AtomicBool,
    lost: AtomicU64,
}

/// What a [`KubernetesSource`] is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesStatus {
    /// The sums of all files.
    pub file: FileStatus,
    /// Files that are followed.
    pub files: u64,
    /// Entries that are not in the runtime's format; they are handed out as they are.
    pub unparsed: u64,
    /// Files that are not followed because there are too many.
    pub left_out: u64,
    /// True while there is no folder, or no log in it.
    pub waiting: bool,
}

impl KubernetesStats {
    /// The counters now.
    pub fn status(&self) -> KubernetesStatus {
        let files = lock(&self.files);
        let mut sum = lock(&self.before).clone();
        for one in files.values().map(|stats| stats.status()) {
            add(&mut sum, &one);
        }
        sum.too_long += self.too_long.load(Ordering::Relaxed);
        sum.positions_lost += self.lost.load(Ordering::Relaxed);
        KubernetesStatus {
            file: sum,
            files: files.len() as u64,
            unparsed: self.unparsed.load(Ordering::Relaxed),
            left_out: self.left_out.load(Ordering::Relaxed),
            waiting: files.is_empty() || !self.is_there.load(Ordering::Relaxed),
        }
    }

    /// The keys of positions that are of no use any more; each is told once.
    pub fn take_gone(&self) -> Vec<String> {
        let mut gone = lock(&self.gone);
        let (old, young): (Vec<_>, Vec<_>) =
            gone.drain(..).partition(|(_, _, since)| since.elapsed() >= FORGET_AFTER);
        *gone = young;
        // A log that has come back has a position again.
        let files = lock(&self.files);
        let still = old.into_iter().filter(|(_, path, _)| !files.contains_key(path));
        still.map(|(key, _, _)| key).collect()
    }
}

fn add(sum: &mut FileStatus, one: &FileStatus) {
    sum.offset += one.offset;
    sum.size += one.size;
    sum.rotations += one.rotations;
    sum.truncations += one.truncations;
    sum.too_long += one.too_long;
    sum.positions_lost += one.positions_lost;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows all logs below a folder.
#[derive(Debug)]
pub struct KubernetesSource {
    id: SourceId,
    pattern: PathBuf,
    options: KubernetesOptions,
    stats: Arc<KubernetesStats>,
}

/// A log that is followed.
struct Log {
    path: PathBuf,
    tail: Tail,
    joiner: Joiner,
    stats: Arc<FileStats>,
    last_data: Instant,
    next_look: Instant,
    /// Since when nothing is at its path.
    removed: Option<Instant>,
    /// What its joiner had counted when it was last looked at: lines too long, entries that are none.
    counted: (u64, u64),
}

impl KubernetesSource {
    /// Follows the logs below `pattern` under the name `kubernetes:PATTERN`; a `*` in it stands for
    /// any text within the name of a folder.
    pub fn new(pattern: &Path, options: KubernetesOptions) -> Self {
        Self {
            id: SourceId::new(&format!("kubernetes:{}", pattern.display())),
            pattern: pattern.to_path_buf(),
            options,
            stats: Arc::default(),
        }
    }

    /// The source's name.
    pub fn id(&self) -> &SourceId {
        &self.id
    }

    /// The source's counters.
    pub fn stats(&self) -> Arc<KubernetesStats> {
        Arc::clone(&self.stats)
    }

    /// Reads into `intake` until stopped. Blocks while the queue is full. `resume` are the positions
    /// of what is done, by their keys; others are passed over.
    pub fn run(
        &self,
        intake: &Intake,
        resume: &BTreeMap<String, Position>,
        control: &Control,
    ) -> Result<(), FileError> {
        let mut logs: Vec<Log> = Vec::new();
        let mut search = Instant::now();
        let mut resume = self.positions(resume);
        while !control.wait_while_paused() {
            let now = Instant::now();
            if now >= search {
                self.search(&mut logs, &mut resume, now);
                search = now + self.options.search;
            }
            let mut active = false;
            for log in logs.iter_mut().filter(|log| log.next_look <= now) {
                match self.step(log, intake, now)? {
                    None => return Ok(()),
                    Some(has_more) => active |= has_more,
                }
                if control.is_stopped() {
                    break;
                }
            }
            self.let_go(&mut logs, intake, now);
            if !active {
                let next = logs.iter().map(|log| log.next_look).chain([search]).min();
                let wait = next.map_or(self.options.search, |at| at.saturating_duration_since(now));
                control.sleep(wait.max(Duration::from_millis(1)));
            }
        }
        Ok(())
    }

    /// The stored positions of this source by path.
    fn positions(&self, resume: &BTreeMap<String, Position>) -> BTreeMap<PathBuf, Position> {
        let own = |(key, position): (&String, &Position)| match position {
            Position::Within { part, at } if *key == part_key(self.id.as_str(), part) => {
                Some((part.clone(), at.as_ref().clone()))
            }
            _ => None,
        };
        resume.iter().filter_map(own).collect()
    }

    /// Opens logs that are new.
    fn search(&self, logs: &mut Vec<Log>, resume: &mut BTreeMap<PathBuf, Position>, now: Instant) {
        let found = find::find(&self.pattern);
        self.stats.is_there.store(found.is_there, Ordering::Relaxed);
        for log in logs.iter_mut() {
            let removed = !found.logs.contains(&log.path) && !log.path.exists();
            log.removed = removed.then(|| log.removed.unwrap_or(now));
        }
        let known: Vec<PathBuf> = logs.iter().map(|log| log.path.clone()).collect();
        let mut left_out = u64::from(found.passed_over);
        for path in found.logs.into_iter().filter(|path| !known.contains(path)) {
            if logs.len() >= FILES_MAX {
                left_out += 1;
                continue;
            }
            let position = resume.remove(&path).unwrap_or_default();
            logs.push(self.open(path, &position, now));
        }
        if left_out > self.stats.left_out.swap(left_out, Ordering::Relaxed) {
            let id = &self.id;
            tracing::warn!("source {id}: more than {FILES_MAX} logs; name fewer, as in falco_*");
        }
        if !found.is_there {
            // It may be mounted later.
            return;
        }
        for (path, position) in std::mem::take(resume) {
            // Without its folder the pod was removed while nobody looked. Else the log may have been
            // renamed a moment ago, and is found under its new name.
            if path.parent().is_some_and(Path::is_dir) {
                logs.push(self.open(path, &position, now));
                continue;
            }
            self.stats.lost.fetch_add(1, Ordering::Relaxed);
            let (id, shown) = (&self.id, path.display());
            tracing::warn!("source {id}: {shown} is gone; lines may be missing");
            self.forget(path, now);
        }
    }

    fn open(&self, path: PathBuf, position: &Position, now: Instant) -> Log {
        let stats = Arc::<FileStats>::default();
        lock(&self.stats.files).insert(path.clone(), Arc::clone(&stats));
        Log {
            tail: Tail::new(&path, self.options.file, position, Arc::clone(&stats)),
            path,
            joiner: Joiner::default(),
            stats,
            last_data: now,
            next_look: now,
            removed: None,
            counted: (0, 0),
        }
    }

    /// Reads once; whether there may be more at once. Nothing when the queue is closed.
    fn step(
        &self,
        log: &mut Log,
        intake: &Intake,
        now: Instant,
    ) -> Result<Option<bool>, FileError> {
        let path = &log.path;
        let failed = |source| FileError::Read { path: path.clone(), source };
        match log.tail.step(now).map_err(failed)? {
            Step::Lines(entries, _) => {
                log.last_data = now;
                log.next_look = now;
                let lines = log.joiner.join(&entries);
                self.count(log);
                // Parts of a line that has begun in the file before are with no line of this one.
                let position = log.tail.position_before(log.joiner.pending());
                Ok(self.push(log, intake, lines, position).then_some(true))
            }
            Step::Idle | Step::End => {
                let options = &self.options;
                let wait = match now.duration_since(log.last_data) {
                    quiet if quiet >= QUIET_AFTER => options.quiet_poll,
                    quiet if quiet >= Duration::from_secs(1) => options.file.poll,
                    _ => options.file.active_poll,
                };
                log.next_look = now + wait;
                Ok(Some(false))
            }
        }
    }

    /// False when the queue is closed.
    fn push(&self, log: &Log, intake: &Intake, lines: Vec<u8>, at: Option<Position>) -> bool {
        if lines.is_empty() {
            return true;
        }
        let within = |at| Position::Within { part: log.path.clone(), at: Box::new(at) };
        let position = at.map_or(Position::None, within);
        intake.push_wait(Batch::new(self.id.clone(), lines, position)).is_ok()
    }

    fn count(&self, log: &mut Log) {
        let now = (log.joiner.too_long, log.joiner.unparsed);
        self.stats.too_long.fetch_add(now.0 - log.counted.0, Ordering::Relaxed);
        self.stats.unparsed.fetch_add(now.1 - log.counted.1, Ordering::Relaxed);
        log.counted = now;
    }

    /// Ends with the logs that were removed and are read.
    fn let_go(&self, logs: &mut Vec<Log>, intake: &Intake, now: Instant) {
        logs.retain_mut(|log| {
            let since = log.removed.map(|since| now.duration_since(since));
            let is_gone = since.is_some_and(|time| time >= self.options.gone_after);
            if !(is_gone && log.tail.is_quiet(now)) {
                return true;
            }
            if let Some(lines) = log.joiner.finish() {
                let position = log.tail.position_before(0);
                self.push(log, intake, lines, position);
            }
            lock(&self.stats.files).remove(&log.path);
            let mut status = log.stats.status();
            // It is not behind any more.
            (status.offset, status.size) = (0, 0);
            add(&mut lock(&self.stats.before), &status);
            self.forget(log.path.clone(), now);
            false
        });
    }

    fn forget(&self, path: PathBuf, now: Instant) {
        let key = part_key(self.id.as_str(), &path);
        lock(&self.stats.gone).push((key, path, now));
    }
}
