//! Looking at everything in the log: every block, every frame, every file that is left over.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use hanabi_event::EventTime;
use serde::Serialize;

use super::DIRECTORY;
use super::buffer::Span;
use super::names::Interner;
use super::recover::{Files, list};
use super::row;
use super::segment::{BlockInfo, Segment, row_places};
use super::tail::{self, MAGIC};
use crate::StoreError;
use crate::error::Fault;
use crate::store::Problem;

/// What a look at the log's files found; nothing was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// What is not as it should be.
    pub problems: Vec<Problem>,
    /// What is odd and mends itself at the next start.
    pub notes: Vec<String>,
    /// Sealed files.
    pub segments: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Rows that can be read.
    pub rows: u64,
    /// Events in them.
    pub events: u64,
    /// The oldest row's time.
    pub oldest: Option<EventTime>,
    /// The newest row's time.
    pub newest: Option<EventTime>,
    /// Rows of blocks that were read; 0 where only the indexes were.
    pub looked_at: u64,
}

/// What reading one segment found.
#[derive(Default)]
pub(crate) struct SegmentReport {
    pub(crate) problems: Vec<String>,
    pub(crate) rows: u64,
}

/// Reads every block of a segment; `None` when its time had come meanwhile.
pub(crate) fn check_segment(segment: &Segment) -> Result<Option<SegmentReport>, StoreError> {
    let file = match segment.open_file() {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::io("read", &segment.path, source)),
    };
    let mut report = SegmentReport::default();
    let mut events = 0;
    for block in &segment.blocks {
        let found = block.read(&file).and_then(|bytes| check_block(segment, block, &bytes));
        match found {
            Ok((some, of)) => {
                report.rows += some;
                events += of;
            }
            Err(fault) => report.problems.push(fault.what()),
        }
    }
    if (report.rows, events) != (segment.rows, segment.events) {
        let (found, expected) = (report.rows, segment.rows);
        report.problems.push(format!("{found} rows instead of {expected}"));
    }
    Ok(Some(report))
}

fn check_block(segment: &Segment, info: &BlockInfo, bytes: &[u8]) -> Result<(u64, u64), Fault> {
    let (mut rows, mut events) = (0, 0);
    let mut span = Span { max_sequence: info.span.max_sequence, ..Span::default() };
    let mut last = None;
    for at in row_places(bytes)? {
        let bytes = row::row_at(bytes, at)?;
        let head = row::head(bytes)?;
        row::decode(bytes, &segment.name(head.container))?;
        let in_range = (info.low..=info.high).contains(&head.container)
            && (head.container as usize) < segment.names.len();
        if !in_range || last.is_some_and(|last| last >= head.key()) {
            return Err(Fault::damaged("a row is out of order or of no container"));
        }
        last = Some(head.key());
        span.add(&head);
        rows += 1;
        events += head.count;
    }
    if span != info.span || rows != u64::from(info.rows) {
        return Err(Fault::damaged("a block is not what the index says"));
    }
    Ok((rows, events))
}

/// Looks at the log below a data directory that nobody has open; with `blocks`, reads all of it.
pub(crate) fn look(data: &Path, blocks: bool) -> Result<LogReport, StoreError> {
    let dir = data.join(DIRECTORY);
    let mut report = LogReport::default();
    if !dir.is_dir() {
        report.notes.push(format!("{} is not there: no event was logged yet", dir.display()));
        return Ok(report);
    }
    crate::directory::check_format(&dir)?;
    let files = list(&dir)?;
    let names = Interner::default();
    let mut span = Span::default();
    for (generation, path) in &files.segments {
        report.bytes += size(path)?;
        let segment = match Segment::open(path, *generation, &names) {
            Ok(segment) => segment,
            Err(StoreError::Damaged { detail, .. }) => {
                report.problem(path, detail, "restore a backup; a start sets the file aside");
                continue;
            }
            Err(error) => return Err(error),
        };
        report.add(segment.rows, segment.events, &segment.span, &mut span);
        report.segments += 1;
        if blocks && let Some(found) = check_segment(&segment)? {
            report.looked_at += found.rows;
            for what in found.problems {
                report.problem(path, what, "restore a backup; searches leave the block out");
            }
        }
    }
    for (generation, path) in &files.tails {
        report.bytes += size(path)?;
        if !files.segments.iter().any(|(sealed, _)| sealed == generation) {
            report.tail(path, *generation, &names, &mut span)?;
        }
    }
    report.left_over(&files)?;
    (report.oldest, report.newest) =
        if report.rows > 0 { (Some(span.min_time), Some(span.max_time)) } else { (None, None) };
    Ok(report)
}

impl LogReport {
    fn problem(&mut self, path: &Path, what: impl Into<String>, remedy: &str) {
        self.problems.push(Problem::new(path, what, remedy));
    }

    fn add(&mut self, rows: u64, events: u64, of: &Span, all: &mut Span) {
        self.rows += rows;
        self.events += events;
        all.join(of);
    }

    fn tail(
        &mut self,
        path: &Path,
        generation: u64,
        names: &Interner,
        span: &mut Span,
    ) -> Result<(), StoreError> {
        let bytes = fs::read(path).map_err(|source| StoreError::io("read", path, source))?;
        let (buffer, whole) = tail::replay_bytes(&bytes, path, generation, names);
        self.add(buffer.rows, buffer.events, &buffer.span, span);
        let rest = bytes.get(whole..).unwrap_or_default();
        let name = path.display();
        if rest.is_empty() {
            return Ok(());
        }
        if whole < MAGIC.len() && rest.len() >= MAGIC.len() {
            self.problem(path, "it does not begin as a tail does", "restore a backup");
        } else if whole < MAGIC.len() || tail::is_torn(rest) {
            let count = rest.len();
            self.notes.push(format!(
                "{name}: its last {count} bytes were not written whole, as a kill or a power cut \
                 leaves them; the next start cuts them off and reads the input again"
            ));
        } else {
            let what = format!("{} bytes from {whole} on do not match their checksum", rest.len());
            self.problem(path, what, "restore a backup; a start cuts them off");
        }
        Ok(())
    }

    fn left_over(&mut self, files: &Files) -> Result<(), StoreError> {
        for (_, path) in &files.damaged {
            self.bytes += size(path)?;
            let remedy = "restore a backup, or delete it: it only takes space";
            self.problem(path, "an earlier start has set it aside as damaged", remedy);
        }
        for path in &files.unfinished {
            self.bytes += size(path)?;
            let name = path.display();
            self.notes
                .push(format!("{name}: half a file of a process that ended; a start removes it"));
        }
        Ok(())
    }
}

fn size(path: &Path) -> Result<u64, StoreError> {
    let found = fs::metadata(path).map_err(|source| StoreError::io("measure", path, source))?;
    Ok(found.len())
}
