//! Lines moved together, and where in their origin they end.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::intake::Ticket;

/// The name of one source, as configured: `http`, `stdin`, `file:/var/log/falco.jsonl`.
///
/// It is a metric label and the key of stored positions, so it must not change between runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// The longest name kept, in bytes: room for a path, and it fits the journal's frames.
    pub const MAX_BYTES: usize = 4096;

    /// Names a source; what is longer than [`SourceId::MAX_BYTES`] is cut off.
    pub fn new(name: &str) -> Self {
        let mut end = name.len().min(Self::MAX_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        Self(Arc::from(name.get(..end).unwrap_or_default()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for SourceId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for SourceId {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl From<SourceId> for String {
    fn from(id: SourceId) -> Self {
        id.0.to_string()
    }
}

/// Where reading goes on after a batch: true when everything up to and including it is done.
///
/// Ordered within its source: journal sequences by number, offsets within one file. Positions in
/// different files have no order; the later one handed out is the later one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Position {
    /// The origin cannot be read again.
    #[default]
    None,
    /// In the journal.
    Journal {
        /// The number of the batch; the first is 1.
        sequence: u64,
    },
    /// In a file.
    File {
        /// The device the file is on.
        device: u64,
        /// The file's number on it.
        inode: u64,
        /// Bytes from its start.
        offset: u64,
        /// CRC-32 of the file's first bytes, at most 256 and not past `offset`: numbers are given
        /// again to new files, and a file cut to nothing may have grown past `offset` since.
        head: u32,
        /// The followed path, for people; a renamed file is found by its number.
        path: PathBuf,
    },
    /// In the log of a Docker container.
    Docker {
        /// Its full id.
        container: String,
        /// The engine's time stamp of the last line, ns since 1970.
        time: u64,
        /// Entries of the log with that time stamp that are done.
        entries: u32,
    },
    /// In one of several files that are one source, each with a position of its own.
    Within {
        /// Which file: the followed path.
        part: PathBuf,
        /// Where in it; a [`Position::File`].
        at: Box<Position>,
    },
}

impl Position {
    /// What the position of a part is stored under, beside those of other parts.
    pub fn key(&self, source: &str) -> String {
        match self {
            Self::Within { part, .. } => part_key(source, part),
            Self::None | Self::Journal { .. } | Self::File { .. } | Self::Docker { .. } => {
                source.to_owned()
            }
        }
    }
}

/// No name of a source has a newline.
pub(crate) fn part_key(source: &str, part: &Path) -> String {
    format!("{source}\n{}", part.display())
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::None, Self::None) => Some(Ordering::Equal),
            (Self::Journal { sequence: a }, Self::Journal { sequence: b }) => Some(a.cmp(b)),
            (
                Self::File { device: device_a, inode: inode_a, offset: a, .. },
                Self::File { device: device_b, inode: inode_b, offset: b, .. },
            ) if (device_a, inode_a) == (device_b, inode_b) => match a.cmp(b) {
                Ordering::Equal if self != other => None,
                order => Some(order),
            },
            (
                Self::Docker { container: container_a, time: time_a, entries: a },
                Self::Docker { container: container_b, time: time_b, entries: b },
            ) if container_a == container_b => Some((time_a, a).cmp(&(time_b, b))),
            (Self::Within { part: part_a, at: a }, Self::Within { part: part_b, at: b })
                if part_a == part_b =>
            {
                a.partial_cmp(b)
            }
            (
                Self::None
                | Self::Journal { .. }
                | Self::File { .. }
                | Self::Docker { .. }
                | Self::Within { .. },
                _,
            ) => None,
        }
    }
}

/// Whole lines of one source.
#[derive(Debug)]
pub struct Batch {
    /// Whose lines they are.
    pub source: SourceId,
    /// The lines, each ending in `\n`.
    pub bytes: Vec<u8>,
    /// How many lines there are, blank ones left out.
    pub lines: u64,
    /// Where reading goes on after this batch.
    pub position: Position,
    /// The batch's share of the queue's budget, given back when the batch is dropped or
    /// [`Batch::release`]d.
    pub(crate) ticket: Option<Ticket>,
}

impl Batch {
    /// Makes a batch; a missing last newline is added. Cost is linear in the bytes.
    pub fn new(source: SourceId, mut bytes: Vec<u8>, position: Position) -> Self {
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        let lines = count_lines(&bytes);
        Self { source, bytes, lines, position, ticket: None }
    }

    /// Gives the batch's share of the queue's budget back now, for a consumer that keeps the
    /// batch but bounds its own memory.
    pub fn release(&mut self) {
        self.ticket = None;
    }
}

/// Counts lines that are not blank (ASCII white space only); an unterminated last one counts.
pub fn count_lines(bytes: &[u8]) -> u64 {
    let mut lines = 0;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        lines += u64::from(!is_blank(bytes.get(start..end).unwrap_or_default()));
        start = end + 1;
    }
    lines + u64::from(!is_blank(bytes.get(start..).unwrap_or_default()))
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64, offset: u64) -> Position {
        Position::File { device: 1, inode, offset, head: 0, path: "/x".into() }
    }

    fn docker(container: &str, time: u64, entries: u32) -> Position {
        Position::Docker { container: container.into(), time, entries }
    }

    #[test]
    fn lines_are_counted_without_blank_ones() {
        for (text, lines) in [
            ("", 0),
            ("\n", 0),
            ("a\n", 1),
            ("a", 1),
            ("a\n\n \t\r\nb\r\n", 2),
            ("a\nb\nc", 3),
            ("\n\n\nx", 1),
        ] {
            assert_eq!(count_lines(text.as_bytes()), lines, "{text:?}");
        }
    }

    #[test]
    fn positions_are_ordered_within_their_source() {
        assert!(Position::Journal { sequence: 1 } < Position::Journal { sequence: 2 });
        assert!(file(7, 10) < file(7, 20));
        assert_eq!(file(7, 10).partial_cmp(&file(8, 20)), None);
        assert_eq!(file(7, 10).partial_cmp(&Position::None), None);
        assert_eq!(file(7, 10).partial_cmp(&file(7, 10)), Some(Ordering::Equal));
        assert!(docker("a", 5, 2) < docker("a", 6, 1));
        assert!(docker("a", 5, 1) < docker("a", 5, 2));
        assert_eq!(docker("a", 5, 1).partial_cmp(&docker("b", 6, 1)), None);
        let within = |part: &str, offset| Position::Within {
            part: part.into(),
            at: Box::new(file(1, offset)),
        };
        assert!(within("/a", 1) < within("/a", 2));
        assert_eq!(within("/a", 1).partial_cmp(&within("/b", 2)), None);
        assert_ne!(within("/a", 1).key("k"), within("/b", 1).key("k"));
    }

    #[test]
    fn positions_and_names_survive_json() {
        for position in [
            Position::None,
            Position::Journal { sequence: u64::MAX },
            file(1, 2),
            docker("a", 3, 4),
            Position::Within { part: "/x".into(), at: Box::new(file(1, 2)) },
        ] {
            let json = serde_json::to_string(&position).unwrap();
            assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
        }
        let id = SourceId::new("file:/var/log/falco.jsonl");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"file:/var/log/falco.jsonl\"");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let id = SourceId::new(&"é".repeat(SourceId::MAX_BYTES));
        assert_eq!(id.as_str().len(), SourceId::MAX_BYTES);
        let id = SourceId::new(&format!("x{}", "é".repeat(SourceId::MAX_BYTES)));
        assert_eq!(id.as_str().len(), SourceId::MAX_BYTES - 1);
    }

    #[test]
    fn a_batch_ends_in_a_newline() {
        let batch = Batch::new("http".into(), b"{}".to_vec(), Position::None);
        assert_eq!(batch.bytes, b"{}\n");
        assert_eq!(batch.lines, 1);
        assert!(Batch::new("http".into(), Vec::new(), Position::None).bytes.is_empty());
    }
}
