//! Reading a container's log from where reading stopped.

use std::pin::{Pin, pin};
use std::time::{Duration, Instant, SystemTime};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{FutureExt as _, Stream, StreamExt as _};

use super::DockerStats;
use super::follow::{Follower, LOOK};
use super::found::{Found, inspect};
use super::join::{Joiner, Mark, Reach};
use crate::{BATCH_BYTES, Batch, Position};

/// Entries that are asked for from the end of a log: twice those of the last time, between these.
/// They are held while it is not known whether any are missing: at most 20 MB of usual lines.
const TAIL: (usize, usize) = (500, 20_000);
/// After this long a line of the driver `local` is whole, though it is as long as a part.
const LINE_IDLE: Duration = Duration::from_secs(1);
/// After such a silence the engine is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// How reading a log ended.
pub(super) enum End {
    /// There is no more.
    Log,
    /// Stopped, paused, or the queue is closed.
    Told,
}

/// What is kept between two readings of one log.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// Entries that came the last time.
    entries: usize,
    /// A line that may be whole, and since when.
    unended: Option<(Mark, Instant)>,
}

impl Follower<'_> {
    /// Reads the log from where reading stopped. One that does not rotate is followed while the
    /// container runs.
    pub(super) async fn read(&mut self, docker: &Docker, found: &Found) -> Result<End, Error> {
        let done = self.at.as_ref().and_then(|(_, mark)| *mark);
        if let Some(mark) = done.filter(|_| found.rotates) {
            let tail = (2 * self.readings.entries).clamp(TAIL.0, TAIL.1);
            for part in [Part::Recent(tail, mark), Part::Last(TAIL.1)] {
                if let Some(end) = self.read_part(docker, found, mark, part).await? {
                    return Ok(end);
                }
            }
        }
        let whole = match done {
            Some(mark) if !found.rotates => Part::Since(mark),
            Some(_) | None => Part::All,
        };
        let log = pin!(log(docker, found, whole));
        self.read_on(docker, found, Joiner::new(done), log).await
    }

    /// Reads a part of a log that rotates; none when it does not reach back to where reading
    /// stopped.
    async fn read_part(
        &mut self,
        docker: &Docker,
        found: &Found,
        mark: Mark,
        part: Part,
    ) -> Result<Option<End>, Error> {
        let mut joiner = Joiner::new(Some(mark));
        let mut log = pin!(log(docker, found, part));
        loop {
            let more = take_in(log.next().await, log.as_mut(), &mut joiner, found.tty)?;
            match joiner.reach() {
                Reach::Short => return Ok(None),
                Reach::Back if more => {
                    return self.read_on(docker, found, joiner, log).await.map(Some);
                }
                Reach::Open if more => {}
                Reach::Open if !joiner.found_done() => return Ok(None),
                Reach::Back | Reach::Open => {
                    self.end(&mut joiner, found);
                    return Ok(Some(self.told_or(End::Log)));
                }
            }
        }
    }

    async fn read_on(
        &mut self,
        docker: &Docker,
        found: &Found,
        mut joiner: Joiner,
        mut log: Pin<&mut impl Stream<Item = Result<LogOutput, Error>>>,
    ) -> Result<End, Error> {
        self.push(&mut joiner, &found.id);
        let mut heard = Instant::now();
        loop {
            if self.closed || self.is_told() {
                return Ok(End::Told);
            }
            let Ok(entry) = tokio::time::timeout(LOOK, log.next()).await else {
                if heard.elapsed() >= SILENCE {
                    inspect(docker, &found.id).await?;
                    heard = Instant::now();
                }
                continue;
            };
            heard = Instant::now();
            let more = take_in(entry, log.as_mut(), &mut joiner, found.tty);
            if matches!(more, Ok(false)) {
                self.end(&mut joiner, found);
                return Ok(self.told_or(End::Log));
            }
            self.push(&mut joiner, &found.id);
            more?;
        }
    }

    fn told_or(&self, end: End) -> End {
        if self.closed { End::Told } else { end }
    }

    /// The end of what there is. Nobody will end the last line of a container that has stopped, and
    /// the driver `local` does not say that a line as long as a part ends.
    fn end(&mut self, joiner: &mut Joiner, found: &Found) {
        let unended = joiner.is_within_line().then(|| joiner.newest());
        let since = self.readings.unended.filter(|(mark, _)| Some(*mark) == unended);
        let waited = since.is_some_and(|(_, since)| since.elapsed() >= LINE_IDLE);
        if !found.running || waited && found.driver == "local" {
            joiner.end_line();
        }
        let now = Instant::now();
        self.readings.unended = since.or(unended.map(|mark| (mark, now)));
        self.readings.entries = joiner.entries();
        self.push(joiner, &found.id);
    }

    /// Hands over the whole lines there are.
    fn push(&mut self, joiner: &mut Joiner, container: &str) {
        let stats = &self.source.stats;
        DockerStats::add(&stats.too_long, std::mem::take(&mut joiner.too_long));
        DockerStats::add(&stats.unstamped, std::mem::take(&mut joiner.unstamped));
        if std::mem::take(&mut joiner.missed) {
            self.lost(container, "the engine no longer has the line at which reading stopped");
        }
        let Some((lines, mark)) = joiner.take() else { return };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        let lag = now.saturating_sub(mark.time);
        self.source.stats.lag.store(lag, std::sync::atomic::Ordering::Relaxed);
        let (time, entries) = (mark.time, mark.entries);
        let position = Position::Docker { container: container.to_owned(), time, entries };
        let batch = Batch::new(self.source.id.clone(), lines, position);
        self.closed = self.intake.push_wait(batch).is_err();
        self.at = Some((container.to_owned(), Some(mark)));
    }
}

/// Which part of a log is asked for.
#[derive(Clone, Copy)]
enum Part {
    /// All of it.
    All,
    /// What came since the second of a mark.
    Since(Mark),
    /// The same, but only so many entries from the end. Docker 20.10 leaves out compressed files
    /// altogether, whenever they end; those that it opens it unpacks first.
    Recent(usize, Mark),
    /// So many entries from the end.
    Last(usize),
}

fn log(
    docker: &Docker,
    found: &Found,
    part: Part,
) -> impl Stream<Item = Result<LogOutput, Error>> + use<> {
    let (tail, since) = match part {
        Part::All => (None, None),
        Part::Since(mark) => (None, Some(mark)),
        Part::Recent(tail, mark) => (Some(tail), Some(mark)),
        Part::Last(tail) => (Some(tail), None),
    };
    let since = since.map_or(0, |mark| mark.time / 1_000_000_000);
    let options = LogsOptionsBuilder::new()
        .follow(found.running && !found.rotates)
        .stdout(true)
        .timestamps(true)
        .since(i32::try_from(since).unwrap_or(i32::MAX))
        .tail(&tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string()))
        .build();
    docker.logs(&found.id, Some(options))
}

/// Takes an entry in, and those that are there already, up to a batch. False at the end of the log.
fn take_in(
    first: Option<Result<LogOutput, Error>>,
    mut log: Pin<&mut impl Stream<Item = Result<LogOutput, Error>>>,
    joiner: &mut Joiner,
    tty: bool,
) -> Result<bool, Error> {
    let mut entry = first;
    loop {
        let Some(output) = entry.transpose()? else { return Ok(false) };
        match output {
            LogOutput::Console { message } if tty => joiner.raw(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                joiner.frame(&message);
            }
            LogOutput::StdErr { .. } | LogOutput::StdIn { .. } => {}
        }
        if joiner.ready() >= BATCH_BYTES {
            return Ok(true);
        }
        match log.next().now_or_never() {
            Some(next) => entry = next,
            None => return Ok(true),
        }
    }
}
