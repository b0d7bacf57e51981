//! From a line's fields to its record: the same for both readers.

use super::DecodeOptions;
use super::args;
use super::fields::{Fields, Key, Value};
use crate::syscalls::{self, Branch, Call};
use crate::{Category, Direction, EventTime, FdKind, Priority, Record, Span, errno, time};

/// The texts that spans of a line point into.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) text: &'a [u8],
    pub(super) extra: &'a [u8],
}

impl<'a> Texts<'a> {
    #[inline]
    fn get(self, span: Span) -> &'a [u8] {
        let (text, start) = span.locate(self.text, self.extra);
        text.get(start..start + span.len as usize).unwrap_or_default()
    }
}

/// The record of a line; `None` when it has no time.
pub(super) fn finish(
    line: Span,
    fields: &Fields,
    texts: Texts<'_>,
    options: DecodeOptions,
) -> Option<Record> {
    let text = |key| present(fields.text(key), texts);
    let number = |key| signed(fields, key, texts);
    let mut record = Record {
        line,
        time: time_of(fields, texts)?,
        number: unsigned(fields, Key::Number, texts),
        fd_kind: fd_kind(fields, texts),
        fd_number: number(Key::FdNumber),
        pid: number(Key::Pid),
        parent_pid: number(Key::ParentPid),
        tty: number(Key::Tty),
        uid: number(Key::Uid),
        host: text(Key::Hostname),
        rule: text(Key::Rule),
        source: text(Key::Source),
        tags: tags(fields, texts),
        call: text(Key::Call),
        container_id: text(Key::ContainerId),
        container_name: text(Key::ContainerName),
        repository: text(Key::Repository),
        tag: text(Key::Tag),
        namespace: text(Key::Namespace),
        pod: text(Key::Pod),
        process_name: text(Key::ProcessName),
        executable: text(Key::Executable),
        command_line: text(Key::CommandLine),
        arguments: text(Key::Arguments),
        parent: text(Key::Parent),
        grandparent: text(Key::Grandparent),
        fd_name: text(Key::FdName),
        user_name: text(Key::UserName),
        ..Record::default()
    };
    let call = syscalls::find(texts.get(record.call));
    fill_args(&mut record, fields, texts, call, options);
    fill_rule(&mut record, fields, texts, call);
    if record.repository.is_empty() {
        split_image(&mut record, text(Key::ContainerImage), texts);
    }
    if record.arguments.is_empty() {
        record.arguments = arguments_of(&record, texts);
    }
    Some(record)
}

/// An empty span for each of the words by which Falco says that there is no value.
#[inline]
fn present(span: Span, texts: Texts<'_>) -> Span {
    let absent = match span.len {
        4 => matches!(texts.get(span), b"<NA>" | b"NULL"),
        9 => texts.get(span) == b"<unknown>",
        0 => true,
        _ => false,
    };
    if absent { Span::default() } else { span }
}

/// The tags, if they are an array.
#[inline]
fn tags(fields: &Fields, texts: Texts<'_>) -> Span {
    let span = fields.text(Key::Tags);
    if texts.get(span).starts_with(b"[") { span } else { Span::default() }
}

/// A signed number, printed as such or as a string.
#[inline]
fn signed(fields: &Fields, key: Key, texts: Texts<'_>) -> Option<i64> {
    match fields.get(key) {
        Value::Absent => None,
        Value::Positive(number) => i64::try_from(number).ok(),
        Value::Negative(number) => Some(number),
        Value::Text(span) => match texts.get(span).strip_prefix(b"-") {
            Some(digits) => decimal(digits).and_then(|number| 0_i64.checked_sub_unsigned(number)),
            None => decimal(texts.get(span)).and_then(|number| i64::try_from(number).ok()),
        },
    }
}

/// As [`signed`].
#[inline]
fn unsigned(fields: &Fields, key: Key, texts: Texts<'_>) -> Option<u64> {
    match fields.get(key) {
        Value::Absent | Value::Negative(_) => None,
        Value::Positive(number) => Some(number),
        Value::Text(span) => decimal(texts.get(span)),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The first of the time fields that holds a whole time; a time of day alone is none.
#[inline]
fn time_of(fields: &Fields, texts: Texts<'_>) -> Option<EventTime> {
    [Key::EventTime, Key::IsoTime, Key::RawTime, Key::Time].into_iter().find_map(|key| {
        let time = match fields.get(key) {
            Value::Text(span) => time_from_text(texts.get(span)),
            Value::Positive(number) => Some(number),
            Value::Absent | Value::Negative(_) => None,
        };
        time.filter(|time| *time > 0)
    })
}

fn time_from_text(text: &[u8]) -> Option<EventTime> {
    decimal(text).or_else(|| time::parse_time(std::str::from_utf8(text).ok()?))
}

fn fd_kind(fields: &Fields, texts: Texts<'_>) -> FdKind {
    let typechar = present(fields.text(Key::FdTypechar), texts);
    if typechar.is_empty() {
        return FdKind::from_name(texts.get(present(fields.text(Key::FdType), texts)));
    }
    FdKind::from_char(texts.get(typechar))
}

/// Splits the arguments around their private part; direction, result and terminal are in them.
fn fill_args(
    record: &mut Record,
    fields: &Fields,
    texts: Texts<'_>,
    call: &Call,
    options: DecodeOptions,
) {
    let span = fields.text(Key::Args);
    let is_text = matches!(fields.get(Key::Args), Value::Text(_));
    let value = is_text.then(|| texts.get(span));
    record.direction = match texts.get(fields.text(Key::Direction)) {
        b">" => Direction::Enter,
        b"<" => Direction::Exit,
        _ => args::direction(value, call),
    };
    record.args_head = present(span, texts);
    let value = value.unwrap_or_default();
    if record.direction == Direction::Exit {
        record.result = args::result(value, call)
            .or_else(|| errno::parse_result(texts.get(fields.text(Key::Result))));
    }
    let Some((start, end)) = args::private_part(value, call) else {
        return;
    };
    let tail = if value.get(end) == Some(&b' ') { end + 1 } else { end };
    if record.tty.is_none() {
        record.tty = args::tty(&value[tail..]);
    }
    if !options.keep_payload {
        let head = if start > 0 && value[start - 1] == b' ' { start - 1 } else { start };
        record.args_head = span.part(0, head);
        record.args_tail = span.part(tail, value.len() - tail);
    }
}

/// What the rule says: its priority, and the branch where it is one that prints every call.
fn fill_rule(record: &mut Record, fields: &Fields, texts: Texts<'_>, call: &Call) {
    let priority = std::str::from_utf8(texts.get(fields.text(Key::Priority))).unwrap_or_default();
    record.priority = Priority::parse(priority.trim()).unwrap_or_default();
    let category = Category::of_catch_all(texts.get(record.rule));
    record.catch_all = category.is_some();
    record.category = category.unwrap_or_else(|| match call.branch {
        Branch::Process => Category::Process,
        Branch::Network => Category::Network,
        Branch::File => Category::File,
        Branch::Unknown => Category::Unknown,
        Branch::Descriptor => by_descriptor(record.fd_kind, texts.get(record.fd_name)),
    });
}

/// The branch of a descriptor. Stock rules print its name without its kind: then the name decides.
fn by_descriptor(kind: FdKind, name: &[u8]) -> Category {
    match kind {
        FdKind::File | FdKind::Directory => Category::File,
        FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Unix | FdKind::Netlink => Category::Network,
        FdKind::None if name.starts_with(b"/") => Category::File,
        FdKind::None if memchr::memmem::find(name, b"->").is_some() => Category::Network,
        FdKind::None | FdKind::Pipe | FdKind::Other => Category::Unknown,
    }
}

/// `registry:5000/shop/nginx:1.22@sha256:…` has the repository before the tag and the digest.
fn split_image(record: &mut Record, image: Span, texts: Texts<'_>) {
    let text = texts.get(image);
    let name = memchr::memchr(b'@', text).map_or(text, |at| &text[..at]);
    let path = memchr::memrchr(b'/', name).map_or(0, |at| at + 1);
    let length = match memchr::memrchr(b':', &name[path..]) {
        Some(colon) => {
            let colon = path + colon;
            if record.tag.is_empty() {
                record.tag = image.part(colon + 1, name.len() - colon - 1);
            }
            colon
        }
        None => name.len(),
    };
    record.repository = image.part(0, length);
}

/// The arguments in a command line that begins with the process' name.
fn arguments_of(record: &Record, texts: Texts<'_>) -> Span {
    let command_line = texts.get(record.command_line);
    let name = texts.get(record.process_name);
    match command_line.strip_prefix(name) {
        Some([b' ', rest @ ..]) if !name.is_empty() => {
            record.command_line.part(name.len() + 1, rest.len())
        }
        _ => Span::default(),
    }
}
