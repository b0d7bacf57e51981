//! A row of the event log, and its bytes.

use hanabi_event::{Category, EventTime, Priority};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::ContainerNames;
use crate::alerts::{priority_code, priority_of};
use crate::codec::{self, Reader, put_bytes};
use crate::error::Fault;

/// One event, or several of one behaviour, as the log keeps them. Absent texts are `""`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// When it happened; of merged events, when the first of them did.
    pub time: EventTime,
    /// The container's short id.
    pub container_id: String,
    /// Its name.
    pub container_name: String,
    /// Its profile's identity.
    pub identity: String,
    /// The host that saw it.
    pub host: String,
    /// The branch it belongs to.
    pub category: Category,
    /// The rule's priority.
    pub priority: Priority,
    /// The rule that reported it.
    pub rule: String,
    /// The call.
    pub call: String,
    /// The process's name.
    pub process: String,
    /// Its redacted command line; of merged events, that of the first.
    pub command_line: String,
    /// The path or peer that it was done to.
    pub object: String,
    /// What came of it: `ok`, an error's name …
    pub outcome: String,
    /// Events in this row, at least 1.
    pub count: u64,
    /// The fingerprint of the alert that it belongs to.
    pub deviation: Option<String>,
    /// The redacted event; of merged events, the first.
    pub raw: Option<Value>,
}

impl LogRow {
    /// About the bytes of memory that the row takes.
    pub(crate) fn weight(&self) -> usize {
        let texts = [
            &self.container_id,
            &self.container_name,
            &self.identity,
            &self.host,
            &self.rule,
            &self.call,
            &self.process,
            &self.command_line,
            &self.object,
            &self.outcome,
        ];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        size_of::<Self>() + texts + self.raw.as_ref().map_or(0, weight)
    }
}

/// About the bytes of memory that a value takes; events are flat, and their decoder bounds them.
fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(key, v)| key.len() + weight(v)).sum(),
    };
    size_of::<Value>() + inside
}

/// Where a row stands in the log: by time, and by arrival among rows of one time.
pub(crate) type RowKey = (EventTime, u64);

/// A row's numbers: what filters and merging read without touching its texts.
///
/// A row's bytes are the length of what follows, these numbers, the texts, and last, of a row that
/// was merged from several places in the input, how many events came from each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowHead {
    pub(crate) time: EventTime,
    pub(crate) ordinal: u64,
    pub(crate) sequence: u64,
    pub(crate) count: u64,
    pub(crate) container: u32,
    pub(crate) category: Category,
    pub(crate) priority: Priority,
}

const ORDINAL_AT: usize = 12;
const SEQUENCE_AT: usize = 20;
const COUNT_AT: usize = 28;
const CONTAINER_AT: usize = 36;
const FLAGS_AT: usize = 42;
const TEXTS_AT: usize = 43;

const HAS_DEVIATION: u8 = 1;
const HAS_RAW: u8 = 2;
const HAS_PARTS: u8 = 4;

/// The texts of a row, in the order of its bytes.
pub(crate) struct RowTexts<'a> {
    pub(crate) host: &'a str,
    pub(crate) rule: &'a str,
    pub(crate) call: &'a str,
    pub(crate) process: &'a str,
    pub(crate) command_line: &'a str,
    pub(crate) object: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) deviation: Option<&'a str>,
    pub(crate) raw: Option<&'a [u8]>,
}

/// How many events of a merged row came from which place in the input.
pub(crate) type Parts = Vec<(u64, u64)>;

impl RowHead {
    pub(crate) fn key(&self) -> RowKey {
        (self.time, self.ordinal)
    }
}

/// Appends a row's bytes, without an ordinal yet and with a container's number of the batch.
pub(crate) fn encode(out: &mut Vec<u8>, row: &LogRow, container: u32, sequence: u64) {
    let start = out.len();
    let mut flags = 0;
    if row.deviation.is_some() {
        flags |= HAS_DEVIATION;
    }
    if row.raw.is_some() {
        flags |= HAS_RAW;
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&row.time.to_le_bytes());
    out.extend_from_slice(&0u64.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&row.count.max(1).to_le_bytes());
    out.extend_from_slice(&container.to_le_bytes());
    out.extend_from_slice(&[category_code(row.category), priority_code(row.priority), flags]);
    let texts = [
        &row.host,
        &row.rule,
        &row.call,
        &row.process,
        &row.command_line,
        &row.object,
        &row.outcome,
    ];
    for text in texts {
        put_bytes(out, text.as_bytes());
    }
    if let Some(deviation) = &row.deviation {
        put_bytes(out, deviation.as_bytes());
    }
    if let Some(raw) = &row.raw {
        put_bytes(out, raw.to_string().as_bytes());
    }
    close(out, start);
}

/// Appends a row's bytes with its parts, if it has any.
pub(crate) fn copy_with(out: &mut Vec<u8>, row: &[u8], parts: Option<&Parts>) {
    let start = out.len();
    out.extend_from_slice(row);
    let Some(parts) = parts else { return };
    if let Some(flags) = out.get_mut(start + FLAGS_AT) {
        *flags |= HAS_PARTS;
    }
    codec::put_length(out, parts.len());
    for (sequence, count) in parts {
        out.extend_from_slice(&sequence.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
    }
    close(out, start);
}

pub(crate) fn set_ordinal(row: &mut [u8], ordinal: u64) {
    patch(row, ORDINAL_AT, &ordinal.to_le_bytes());
}

pub(crate) fn set_container(row: &mut [u8], container: u32) {
    patch(row, CONTAINER_AT, &container.to_le_bytes());
}

pub(crate) fn set_sequence(row: &mut [u8], sequence: u64) {
    patch(row, SEQUENCE_AT, &sequence.to_le_bytes());
}

pub(crate) fn set_count(row: &mut [u8], count: u64) {
    patch(row, COUNT_AT, &count.to_le_bytes());
}

fn patch(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn close(out: &mut [u8], start: usize) {
    let length = (out.len() - start - 4) as u32;
    patch(out, start, &length.to_le_bytes());
}

/// The row that begins at `at`, with its length in front.
pub(crate) fn row_at(bytes: &[u8], at: usize) -> Result<&[u8], Fault> {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = Reader::new(rest).u32()? as usize;
    Reader::new(rest).take(length + 4)
}

pub(crate) fn head(row: &[u8]) -> Result<RowHead, Fault> {
    let mut reader = Reader::new(row);
    reader.u32()?;
    Ok(RowHead {
        time: reader.u64()?,
        ordinal: reader.u64()?,
        sequence: reader.u64()?,
        count: reader.u64()?,
        container: reader.u32()?,
        category: category_of(reader.u8()?)?,
        priority: priority_of(reader.u8()?)?,
    })
}

pub(crate) fn texts(row: &[u8]) -> Result<RowTexts<'_>, Fault> {
    Ok(texts_and_rest(row)?.0)
}

/// A row's bytes without its parts, and the parts.
pub(crate) fn split_parts(row: &[u8]) -> Result<(Vec<u8>, Parts), Fault> {
    let (_, mut reader) = texts_and_rest(row)?;
    let mut plain = row.get(..row.len() - reader.rest().len()).unwrap_or_default().to_vec();
    if flags_of(row) & HAS_PARTS == 0 {
        return Ok((plain, Parts::new()));
    }
    let count = reader.length()?;
    let parts = (0..count).map(|_| Ok((reader.u64()?, reader.u64()?)));
    let parts = parts.collect::<Result<_, Fault>>()?;
    patch(&mut plain, FLAGS_AT, &[flags_of(row) & !HAS_PARTS]);
    close(&mut plain, 0);
    Ok((plain, parts))
}

fn flags_of(row: &[u8]) -> u8 {
    row.get(FLAGS_AT).copied().unwrap_or_default()
}

fn texts_and_rest(row: &[u8]) -> Result<(RowTexts<'_>, Reader<'_>), Fault> {
    let flags = flags_of(row);
    let mut reader = Reader::new(row.get(TEXTS_AT..).unwrap_or_default());
    let texts = RowTexts {
        host: reader.str()?,
        rule: reader.str()?,
        call: reader.str()?,
        process: reader.str()?,
        command_line: reader.str()?,
        object: reader.str()?,
        outcome: reader.str()?,
        deviation: if flags & HAS_DEVIATION == 0 { None } else { Some(reader.str()?) },
        raw: if flags & HAS_RAW == 0 { None } else { Some(reader.bytes()?) },
    };
    Ok((texts, reader))
}

pub(crate) fn decode(row: &[u8], container: &ContainerNames) -> Result<LogRow, Fault> {
    let head = head(row)?;
    let texts = texts(row)?;
    Ok(LogRow {
        time: head.time,
        container_id: container.id.clone(),
        container_name: container.name.clone(),
        identity: container.identity.clone(),
        host: texts.host.to_owned(),
        category: head.category,
        priority: head.priority,
        rule: texts.rule.to_owned(),
        call: texts.call.to_owned(),
        process: texts.process.to_owned(),
        command_line: texts.command_line.to_owned(),
        object: texts.object.to_owned(),
        outcome: texts.outcome.to_owned(),
        count: head.count,
        deviation: texts.deviation.map(str::to_owned),
        raw: texts.raw.map(codec::from_json).transpose()?,
    })
}

/// The stored number of a category.
pub(crate) fn category_code(category: Category) -> u8 {
    match category {
        Category::Process => 0,
        Category::Network => 1,
        Category::File => 2,
        Category::Unknown => 3,
    }
}

fn category_of(code: u8) -> Result<Category, Fault> {
    let found = Category::ALL.into_iter().find(|category| category_code(*category) == code);
    found.ok_or_else(|| Fault::Damaged(format!("unknown category {code}")))
}

#[cfg(test)]
mod tests {
    use hanabi_event::{Category, Priority};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let row = LogRow {
            time: 5,
            container_id: "0123456789ab".into(),
            container_name: "web".into(),
            identity: "shop:web".into(),
            host: "node".into(),
            category: Category::File,
            priority: Priority::Warning,
            rule: "r".into(),
            call: "openat".into(),
            process: "nginx".into(),
            command_line: "nginx -g 'daemon off;'".into(),
            object: "/etc/passwd".repeat(30),
            outcome: "ENOENT".into(),
            count: 7,
            deviation: Some("feed".into()),
            raw: Some(json!({"a": [1, "ü"]})),
        };
        let names = ContainerNames::of(&row);
        let mut bytes = vec![1, 2, 3];
        encode(&mut bytes, &row, 4, 9);
        let plain = row_at(&bytes, 3).unwrap().to_vec();
        assert_eq!(decode(&plain, &names).unwrap(), row);
        let mut copied = Vec::new();
        copy_with(&mut copied, &plain, Some(&vec![(9, 4), (10, 3)]));
        set_container(&mut copied, 8);
        set_ordinal(&mut copied, 77);
        assert_eq!(decode(row_at(&copied, 0).unwrap(), &names).unwrap(), row);
        let head = head(&copied).unwrap();
        assert_eq!((head.ordinal, head.container, head.sequence), (77, 8, 9));
        let (mut back, parts) = split_parts(&copied).unwrap();
        assert_eq!(parts, [(9, 4), (10, 3)]);
        set_ordinal(&mut back, 0);
        assert_eq!(decode(&back, &names).unwrap(), row);
        assert_eq!(back.len(), plain.len());
        for cut in 0..copied.len() {
            assert!(row_at(&copied[..cut], 0).is_err());
        }
    }
}
