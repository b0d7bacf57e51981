//! A stretch of input lines and the records found in it.

use crate::{
    Args, Category, Container, Direction, Event, EventTime, Fd, FdKind, Priority, Process,
    RejectReason, Rejected, User,
};

/// A piece of a block's text. The default is the empty string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset; the top bit says that the text is in the block's unescaped part.
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    const EXTRA: u32 = 1 << 31;

    pub(crate) fn text(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    pub(crate) fn extra(start: usize, len: usize) -> Self {
        Self { start: start as u32 | Self::EXTRA, len: len as u32 }
    }

    /// The text that this span is in, and its offset there.
    #[inline]
    pub(crate) fn locate<'a, T: ?Sized>(self, text: &'a T, extra: &'a T) -> (&'a T, usize) {
        if self.start & Self::EXTRA == 0 {
            (text, self.start as usize)
        } else {
            (extra, (self.start & !Self::EXTRA) as usize)
        }
    }

    /// A part of this span; both numbers must lie within it.
    pub(crate) fn part(self, start: usize, len: usize) -> Self {
        debug_assert!(start + len <= self.len as usize);
        if len == 0 {
            Self::default()
        } else {
            Self { start: self.start + start as u32, len: len as u32 }
        }
    }

    /// True for the empty string.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One decoded line: plain numbers and spans, no lifetimes, so that blocks can cross threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// The whole line (the repaired one, where it had to be repaired).
    pub line: Span,
    /// See [`Event::time`].
    pub time: EventTime,
    /// See [`Event::number`].
    pub number: Option<u64>,
    /// See [`Event::priority`].
    pub priority: Priority,
    /// See [`Event::catch_all`].
    pub catch_all: bool,
    /// See [`Event::category`].
    pub category: Category,
    /// See [`Event::direction`].
    pub direction: Direction,
    /// See [`Event::result`].
    pub result: Option<i64>,
    /// See [`Fd::kind`].
    pub fd_kind: FdKind,
    /// See [`Fd::number`].
    pub fd_number: Option<i64>,
    /// See [`Process::pid`].
    pub pid: Option<i64>,
    /// See [`Process::parent_pid`].
    pub parent_pid: Option<i64>,
    /// See [`Process::tty`].
    pub tty: Option<i64>,
    /// See [`User::uid`].
    pub uid: Option<i64>,
    /// The strings, in the order of [`Event`]'s fields.
    pub host: Span,
    /// See [`Event::rule`].
    pub rule: Span,
    /// See [`Event::source`].
    pub source: Span,
    /// See [`Event::tags`].
    pub tags: Span,
    /// See [`Event::call`].
    pub call: Span,
    /// See [`Args::head`].
    pub args_head: Span,
    /// See [`Args::tail`].
    pub args_tail: Span,
    /// See [`Container::id`].
    pub container_id: Span,
    /// See [`Container::name`].
    pub container_name: Span,
    /// See [`Container::repository`].
    pub repository: Span,
    /// See [`Container::tag`].
    pub tag: Span,
    /// See [`Container::namespace`].
    pub namespace: Span,
    /// See [`Container::pod`].
    pub pod: Span,
    /// See [`Process::name`].
    pub process_name: Span,
    /// See [`Process::executable`].
    pub executable: Span,
    /// See [`Process::command_line`].
    pub command_line: Span,
    /// See [`Process::arguments`].
    pub arguments: Span,
    /// See [`Process::parent`].
    pub parent: Span,
    /// See [`Process::grandparent`].
    pub grandparent: Span,
    /// See [`Fd::name`].
    pub fd_name: Span,
    /// See [`User::name`].
    pub user_name: Span,
}

/// Whole lines of input with what was found in them.
#[derive(Debug, Default)]
pub struct Block {
    pub(crate) text: String,
    /// Unescaped strings and repaired lines.
    pub(crate) extra: String,
    pub(crate) records: Vec<Record>,
    pub(crate) rejects: Vec<RejectReason>,
    pub(crate) samples: Vec<Rejected>,
    pub(crate) lines: u64,
    pub(crate) repaired: u64,
}

impl Block {
    /// The longest line that is read: Falco's longest seen is 6 KiB, so 1 MiB leaves room for
    /// arguments at the kernel's limit and still bounds what one line can cost.
    pub const MAX_LINE: usize = 1 << 20;
    /// How much of a rejected line is kept.
    pub const REJECT_SAMPLE: usize = 256;
    /// How many rejected lines of one block are kept.
    pub const REJECT_SAMPLES: usize = 4;

    /// The records, in the order of their lines.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Lines read, blank ones left out: records plus rejects.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines with bytes that were not UTF-8, which became U+FFFD.
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    /// One reason for every line that is not an event.
    pub fn rejects(&self) -> &[RejectReason] {
        &self.rejects
    }

    /// The first few rejected lines.
    pub fn samples(&self) -> &[Rejected] {
        &self.samples
    }

    /// The text of a span of this block's; `""` for one that is not.
    pub fn str(&self, span: Span) -> &str {
        let (text, start) = span.locate(self.text.as_str(), self.extra.as_str());
        text.get(start..start + span.len as usize).unwrap_or("")
    }

    /// Lends a record out with its strings.
    pub fn event<'a>(&'a self, record: &Record) -> Event<'a> {
        Event {
            time: record.time,
            number: record.number,
            host: self.str(record.host),
            rule: self.str(record.rule),
            priority: record.priority,
            source: self.str(record.source),
            tags: self.str(record.tags),
            catch_all: record.catch_all,
            category: record.category,
            call: self.str(record.call),
            direction: record.direction,
            result: record.result,
            args: Args { head: self.str(record.args_head), tail: self.str(record.args_tail) },
            container: Container {
                id: self.str(record.container_id),
                name: self.str(record.container_name),
                repository: self.str(record.repository),
                tag: self.str(record.tag),
                namespace: self.str(record.namespace),
                pod: self.str(record.pod),
            },
            process: Process {
                name: self.str(record.process_name),
                executable: self.str(record.executable),
                command_line: self.str(record.command_line),
                arguments: self.str(record.arguments),
                parent: self.str(record.parent),
                grandparent: self.str(record.grandparent),
                pid: record.pid,
                parent_pid: record.parent_pid,
                tty: record.tty,
            },
            fd: Fd {
                name: self.str(record.fd_name),
                kind: record.fd_kind,
                number: record.fd_number,
            },
            user: User { name: self.str(record.user_name), uid: record.uid },
        }
    }
}
