//! From what the engine sends to lines: time stamps are taken off, and parts of long lines joined.
//!
//! Docker cuts lines at 16 384 bytes. Every part is an entry of the log with the time stamp of the
//! first; all but the last lack the newline, and with the driver `local` the last lacks it, too.

use std::str::FromStr as _;

use jiff::Timestamp;

use crate::MAX_LINE_BYTES;

/// Where Docker cuts (`defaultBufSize` in its `daemon/logger/copier.go`).
const PART_BYTES: usize = 16_384;
/// A time stamp and a blank; more without a blank is none.
const STAMP_BYTES: usize = 40;

/// How far a log was read: the time stamp of the last line that is done, ns, and how many entries
/// with that time stamp are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) time: u64,
    pub(super) entries: u32,
}

/// How far back entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Beyond what was done before: nothing of what follows it is missing.
    Back,
    /// To the very time of it, or there are none.
    Open,
    /// Not to what was done before.
    Short,
}

/// Joins entries to lines. Entries up to a [`Mark`] are skipped.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// What was done before; nothing is skipped once it was passed.
    done: Option<Mark>,
    /// The same, kept.
    start: Option<Mark>,
    /// Entries with the time of `done` that were skipped.
    skipped: u32,
    /// All entries, and the time of the first.
    entries: usize,
    first: Option<u64>,
    /// What was done before was not among the entries.
    pub(super) missed: bool,
    /// The time of the newest entry and how many had it.
    at: Mark,
    partial: Vec<u8>,
    /// The rest of the present line was given up.
    cut: bool,
    /// Bytes of an unframed stream that are not an entry yet.
    raw: Vec<u8>,
    lines: Vec<u8>,
    /// The last whole line.
    finished: Option<Mark>,
    pub(super) too_long: u64,
    /// Entries without a time stamp.
    pub(super) unstamped: u64,
}

impl Joiner {
    pub(super) fn new(done: Option<Mark>) -> Self {
        Self { done, start: done, ..Self::default() }
    }

    /// One entry, of a stream that has frames.
    pub(super) fn frame(&mut self, entry: &[u8]) {
        let Some((time, text)) = stamped(entry) else {
            self.unstamped += 1;
            self.entries += 1;
            return self.entry(self.at.time, entry);
        };
        self.see(time);
        self.entry(time, text);
    }

    fn see(&mut self, time: u64) {
        self.entries += 1;
        self.first.get_or_insert(time);
    }

    /// Whether the entries begin before what was done.
    pub(super) fn reach(&self) -> Reach {
        match (self.first, self.start) {
            (Some(first), Some(start)) if first < start.time => Reach::Back,
            (Some(first), Some(start)) if first > start.time => Reach::Short,
            _ => Reach::Open,
        }
    }

    /// True when all that was done at the time of the mark was among the entries.
    pub(super) fn found_done(&self) -> bool {
        self.start.is_some_and(|start| self.skipped >= start.entries)
    }

    /// All entries so far.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The newest entry.
    pub(super) fn newest(&self) -> Mark {
        self.at
    }

    /// Bytes of a terminal's stream, which has no frames: an entry ends with its line or with its
    /// last byte that Docker takes.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let mut raw = std::mem::take(&mut self.raw);
        raw.extend_from_slice(bytes);
        let mut rest = raw.as_slice();
        while let Some(length) = raw_entry(rest) {
            let (entry, after) = rest.split_at(length);
            self.frame(entry);
            rest = after;
        }
        let read = raw.len() - rest.len();
        raw.drain(..read);
        self.raw = raw;
    }

    fn entry(&mut self, time: u64, text: &[u8]) {
        if self.is_done(time) {
            return;
        }
        if time != self.at.time {
            // The last part of a long line in the log of the driver `local` has no newline.
            self.end_line();
            self.at = Mark { time, entries: self.base(time) };
        }
        self.at.entries = self.at.entries.saturating_add(1);
        let (text, ends) = match text.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (text, text.len() < PART_BYTES),
        };
        let room = MAX_LINE_BYTES.saturating_sub(self.partial.len());
        if text.len() > room && !self.cut {
            self.cut = true;
            self.too_long += 1;
        }
        self.partial.extend_from_slice(text.get(..room).unwrap_or(text));
        if ends {
            self.finish();
        }
    }

    /// True for what was read before. Entries are in the order of their time stamps as long as
    /// nobody sets the clock back; once one is new, all are.
    fn is_done(&mut self, time: u64) -> bool {
        let Some(done) = self.done else { return false };
        if time < done.time {
            return true;
        }
        if time == done.time && self.skipped < done.entries {
            self.skipped += 1;
            return true;
        }
        self.done = None;
        self.missed = !self.found_done();
        // What follows at that very time counts on from there.
        self.at = if time == done.time { done } else { self.at };
        false
    }

    /// Entries of this time that were counted before.
    fn base(&self, time: u64) -> u32 {
        self.finished.filter(|mark| mark.time == time).map_or(0, |mark| mark.entries)
    }

    /// Ends a line whose last part is there, though it does not say so.
    pub(super) fn end_line(&mut self) {
        if !self.partial.is_empty() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.cut = false;
        self.lines.append(&mut self.partial);
        self.lines.push(b'\n');
        self.finished = Some(self.at);
    }

    /// True while a line waits for its end.
    pub(super) fn is_within_line(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Bytes of whole lines.
    pub(super) fn ready(&self) -> usize {
        self.lines.len()
    }

    /// The whole lines so far, with the mark up to which they go.
    pub(super) fn take(&mut self) -> Option<(Vec<u8>, Mark)> {
        let mark = self.finished?;
        (!self.lines.is_empty()).then(|| (std::mem::take(&mut self.lines), mark))
    }
}

/// The length of the first entry in a stream without frames; none while it is not whole.
fn raw_entry(bytes: &[u8]) -> Option<usize> {
    let stamp = bytes.iter().take(STAMP_BYTES).position(|b| *b == b' ').map_or(0, |at| at + 1);
    if stamp == 0 && bytes.len() < STAMP_BYTES {
        return memchr::memchr(b'\n', bytes).map(|end| end + 1);
    }
    let limit = (stamp + PART_BYTES).min(bytes.len());
    let text = bytes.get(stamp..limit)?;
    match memchr::memchr(b'\n', text) {
        Some(end) => Some(stamp + end + 1),
        None => (text.len() == PART_BYTES).then_some(limit),
    }
}

/// `2026-11-27T19:00:00.123456789Z text`, taken apart.
fn stamped(entry: &[u8]) -> Option<(u64, &[u8])> {
    let blank = entry.iter().take(STAMP_BYTES).position(|b| *b == b' ')?;
    let (stamp, text) = entry.split_at(blank);
    let stamp = Timestamp::from_str(std::str::from_utf8(stamp).ok()?).ok()?;
    Some((u64::try_from(stamp.as_nanosecond()).ok()?, text.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry at so many nanoseconds after the epoch's first second.
    fn entry(at: u64, text: &str) -> Vec<u8> {
        format!("1970-01-01T00:00:01.{at:09}Z {text}").into_bytes()
    }

    fn mark(at: u64, entries: u32) -> Mark {
        Mark { time: 1_000_000_000 + at, entries }
    }

    fn taken(joiner: &mut Joiner) -> (String, Option<Mark>) {
        joiner.take().map_or_else(Default::default, |(lines, mark)| {
            (String::from_utf8_lossy(&lines).into_owned(), Some(mark))
        })
    }

    #[test]
    fn lines_are_handed_out_with_how_far_they_go() {
        let mut joiner = Joiner::new(None);
        joiner.frame(&entry(5, "a\n"));
        joiner.frame(&entry(5, "b\n"));
        joiner.frame(&entry(6, "c\n"));
        assert_eq!(taken(&mut joiner), ("a\nb\nc\n".to_owned(), Some(mark(6, 1))));
        joiner.frame(&entry(6, "d\n"));
        assert_eq!(taken(&mut joiner), ("d\n".to_owned(), Some(mark(6, 2))));
        assert_eq!(taken(&mut joiner), (String::new(), None));
    }

    #[test]
    fn every_place_to_resume_gives_every_line_once() {
        let times = [1, 1, 1, 2, 3, 3, 4];
        let texts = ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n"];
        let all = |joiner: &mut Joiner, upto: usize| {
            for (time, text) in times.iter().zip(texts).take(upto) {
                joiner.frame(&entry(*time, text));
            }
        };
        for stop in 0..=texts.len() {
            let mut first = Joiner::new(None);
            all(&mut first, stop);
            let (before, done) = taken(&mut first);
            let mut second = Joiner::new(done);
            all(&mut second, texts.len());
            let (after, last) = taken(&mut second);
            assert_eq!(before + &after, texts.concat(), "stopped after {stop}");
            assert_eq!(last.or(done), Some(mark(4, 1)));
            // And once more after that, from where the second one stopped.
            let mut third = Joiner::new(last.or(done));
            all(&mut third, texts.len());
            assert_eq!(taken(&mut third).0, "");
        }
    }

    #[test]
    fn it_is_known_whether_anything_is_missing() {
        let done = Some(mark(5, 2));
        for (times, reach, found, missed, new) in [
            (&[3, 5, 5, 6][..], Reach::Back, true, false, 1),
            (&[5, 5, 6], Reach::Open, true, false, 1),
            (&[5, 6], Reach::Open, false, true, 1),
            (&[3, 6], Reach::Back, false, true, 1),
            (&[6, 6], Reach::Short, false, true, 2),
            (&[3, 5, 5], Reach::Back, true, false, 0),
            (&[], Reach::Open, false, false, 0),
        ] {
            let mut joiner = Joiner::new(done);
            for time in times {
                joiner.frame(&entry(*time, "x\n"));
            }
            let said = (joiner.reach(), joiner.found_done(), joiner.missed);
            assert_eq!(said, (reach, found, missed), "{times:?}");
            assert_eq!(taken(&mut joiner).0.lines().count(), new, "{times:?}");
            assert_eq!(joiner.entries(), times.len());
        }
    }

    #[test]
    fn parts_of_long_lines_are_joined_and_count_as_entries() {
        let part = "x".repeat(PART_BYTES);
        for newline in [true, false] {
            let mut joiner = Joiner::new(None);
            joiner.frame(&entry(1, &part));
            joiner.frame(&entry(1, &part));
            assert!(joiner.is_within_line());
            assert_eq!(taken(&mut joiner), (String::new(), None));
            joiner.frame(&entry(1, if newline { "end\n" } else { "end" }));
            let (line, done) = taken(&mut joiner);
            assert_eq!((line.len(), done), (2 * PART_BYTES + 4, Some(mark(1, 3))));
        }
        // A line as long as a part: the driver `local` does not say that it ends.
        let mut joiner = Joiner::new(None);
        joiner.frame(&entry(1, &part));
        joiner.frame(&entry(2, "next\n"));
        let (lines, done) = taken(&mut joiner);
        assert_eq!((lines.lines().count(), done), (2, Some(mark(2, 1))));
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let mut joiner = Joiner::new(None);
        let part = "x".repeat(PART_BYTES);
        for _ in 0..MAX_LINE_BYTES / PART_BYTES + 5 {
            joiner.frame(&entry(1, &part));
        }
        joiner.frame(&entry(1, "\n"));
        assert_eq!(taken(&mut joiner).0.len(), MAX_LINE_BYTES + 1);
        assert_eq!(joiner.too_long, 1);
    }

    #[test]
    fn a_terminals_stream_is_cut_into_entries_wherever_it_is_read() {
        let part = "y".repeat(PART_BYTES);
        let entries =
            [entry(1, "a\r\n"), entry(2, &part), entry(2, "end\r\n"), entry(3, "b\r\n")].concat();
        for step in [1, 7, 1_000, entries.len()] {
            let mut joiner = Joiner::new(None);
            for bytes in entries.chunks(step) {
                joiner.raw(bytes);
            }
            let (lines, done) = taken(&mut joiner);
            assert_eq!(lines, format!("a\r\n{part}end\r\nb\r\n"), "step {step}");
            assert_eq!((done, joiner.unstamped), (Some(mark(3, 1)), 0));
        }
    }

    #[test]
    fn what_has_no_time_stamp_is_a_line_all_the_same() {
        let mut joiner = Joiner::new(None);
        joiner.frame(&entry(1, "a\n"));
        joiner.frame(b"no stamp here\n");
        joiner.raw(b"short\n");
        assert_eq!(taken(&mut joiner).0, "a\nno stamp here\nshort\n");
        assert_eq!(joiner.unstamped, 2);
    }
}
