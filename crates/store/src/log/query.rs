//! Reading: rows from the newest to the oldest, out of memory and out of blocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use hanabi_event::EventTime;
use hashbrown::HashMap;

use super::buffer::{Buffer, Span};
use super::names::ContainerNames;
use super::options::{LogPage, LogQuery};
use super::row::{self, RowHead, RowKey};
use super::segment::{Segment, row_places};
use super::{Shared, State};
use crate::StoreError;
use crate::alerts::priority_code;
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::page::bounded;

pub(crate) fn query(shared: &Shared, query: &LogQuery) -> Result<LogPage, StoreError> {
    let filter = Filter::of(query)?;
    let deadline = filter.needle.as_ref().map(|_| Instant::now() + shared.options.scan_limit);
    let mut found = Found::new(bounded(query.limit));
    let failed = |fault: Fault| fault.into_error("read the event log", &shared.dir);
    let (segments, sealing) = {
        let state = shared.state.read();
        scan_buffer(&state.active, &filter, &mut found).map_err(failed)?;
        let State { segments, sealing, .. } = &*state;
        (segments.clone(), sealing.clone())
    };
    if let Some(buffer) = sealing {
        scan_buffer(&buffer, &filter, &mut found).map_err(failed)?;
    }
    let stopped_at = scan_segments(shared, &segments, &filter, &mut found, deadline);
    found.into_page(&filter, stopped_at).map_err(failed)
}

/// A query, made ready to be held against rows.
struct Filter<'a> {
    query: &'a LogQuery,
    name: String,
    start: EventTime,
    /// Rows from this key on are not meant.
    before: RowKey,
    priorities: u8,
    categories: u8,
    needle: Option<Needle>,
}

impl<'a> Filter<'a> {
    fn of(query: &'a LogQuery) -> Result<Self, StoreError> {
        let plain = LogQuery { limit: 0, cursor: None, ..query.clone() };
        let name = format!("{plain:?}");
        let mut before = (query.end.unwrap_or(EventTime::MAX), 0);
        if query.end.is_none() {
            before.1 = u64::MAX;
        }
        if let Some(cursor) = &query.cursor {
            let cursor = Cursor::decode(cursor, &name)?;
            let tie = cursor.tie.try_into().map_err(|_| StoreError::Cursor)?;
            before = (cursor.time, u64::from_be_bytes(tie));
        }
        let least = query.min_priority.map_or(0, priority_code);
        Ok(Self {
            query,
            name,
            start: query.start.unwrap_or(0),
            before,
            priorities: u8::MAX << least,
            categories: query.category.map_or(u8::MAX, |one| 1 << row::category_code(one)),
            needle: query.q.as_deref().and_then(Needle::of),
        })
    }

    fn cursor(&self, (time, ordinal): RowKey) -> String {
        Cursor { time, tie: ordinal.to_be_bytes().to_vec() }.encode(&self.name)
    }

    fn may_cover(&self, span: &Span) -> bool {
        span.max_time >= self.start
            && (span.min_time, 0) < self.before
            && span.priorities & self.priorities != 0
            && span.categories & self.categories != 0
    }

    /// The numbers of the containers that are meant, sorted; `None` for all.
    fn numbers(&self, names: &[Arc<ContainerNames>]) -> Option<Vec<u32>> {
        let wanted = self.query.container.as_deref()?;
        let hits = names.iter().enumerate().filter(|(_, names)| names.matches(wanted));
        Some(hits.map(|(number, _)| number as u32).collect())
    }

    fn fits(&self, head: &RowHead, numbers: Option<&[u32]>) -> bool {
        self.query.min_priority.is_none_or(|least| head.priority >= least)
            && self.query.category.is_none_or(|category| head.category == category)
            && numbers.is_none_or(|numbers| numbers.binary_search(&head.container).is_ok())
    }

    fn reads(&self, row: &[u8]) -> Result<bool, Fault> {
        let Some(needle) = &self.needle else { return Ok(true) };
        // Most rows hold the text nowhere, and this is much cheaper than taking them apart.
        if !needle.is_in(row) {
            return Ok(false);
        }
        let texts = row::texts(row)?;
        let parts = [
            texts.rule,
            texts.call,
            texts.process,
            texts.command_line,
            texts.object,
            texts.outcome,
        ];
        let hit = |text: &str| needle.is_in(text.as_bytes());
        Ok(parts.into_iter().any(hit) || texts.deviation.is_some_and(hit))
    }
}

/// Text looked for without regard to the case of ASCII letters.
struct Needle {
    lower: Vec<u8>,
    first: [u8; 2],
}

impl Needle {
    fn of(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase().into_bytes();
        let first = *lower.first()?;
        Some(Self { lower, first: [first, first.to_ascii_uppercase()] })
    }

    fn is_in(&self, text: &[u8]) -> bool {
        let [low, high] = self.first;
        memchr::memchr2_iter(low, high, text).any(|at| {
            text.get(at..at + self.lower.len())
                .is_some_and(|part| part.eq_ignore_ascii_case(&self.lower))
        })
    }
}

/// A row that belongs on the page, as far as is known.
struct Hit {
    key: RowKey,
    names: Arc<ContainerNames>,
    row: Vec<u8>,
}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// The newest rows found so far, one more than the page holds.
struct Found {
    limit: usize,
    hits: BinaryHeap<Reverse<Hit>>,
}

impl Found {
    fn new(limit: usize) -> Self {
        Self { limit, hits: BinaryHeap::with_capacity(limit + 2) }
    }

    /// When the page is full, the key that a row must be newer than.
    fn floor(&self) -> Option<RowKey> {
        self.hits.peek().filter(|_| self.hits.len() > self.limit).map(|Reverse(hit)| hit.key)
    }

    /// Answers `false` when this row, and so every older one, comes too late.
    fn wants(&self, key: RowKey) -> bool {
        self.floor().is_none_or(|floor| key > floor)
    }

    fn put(&mut self, hit: Hit) {
        self.hits.push(Reverse(hit));
        if self.hits.len() > self.limit + 1 {
            self.hits.pop();
        }
    }

    fn into_page(
        self,
        filter: &Filter<'_>,
        stopped_at: Option<EventTime>,
    ) -> Result<LogPage, Fault> {
        let mut hits = self.hits.into_sorted_vec();
        let mut page = LogPage::default();
        if let Some(stopped_at) = stopped_at {
            // What is not newer may be followed by rows in blocks that were not opened.
            hits.retain(|Reverse(hit)| hit.key.0 > stopped_at);
        }
        if hits.len() > self.limit {
            hits.truncate(self.limit);
            page.next_cursor = hits.last().map(|Reverse(hit)| filter.cursor(hit.key));
        } else if let Some(stopped_at) = stopped_at {
            page.next_cursor = Some(filter.cursor((stopped_at, u64::MAX)));
            page.scanned_until = Some(stopped_at);
        }
        for Reverse(hit) in hits {
            page.rows.push(row::decode(&hit.row, &hit.names)?);
        }
        Ok(page)
    }
}

fn scan_buffer(buffer: &Buffer, filter: &Filter<'_>, found: &mut Found) -> Result<(), Fault> {
    let numbers = filter.numbers(&buffer.names.all);
    for (key, group) in &buffer.groups {
        let meant = numbers.as_ref().is_none_or(|all| all.binary_search(&key.container).is_ok());
        if !meant || !filter.may_cover(&group.span) {
            continue;
        }
        let Some(names) = buffer.names.all.get(key.container as usize) else { continue };
        let end = group.rows.partition_point(|row| row.key() < filter.before);
        for place in group.rows.iter().take(end).rev() {
            if place.time < filter.start || !found.wants(place.key()) {
                break;
            }
            let row = row::row_at(&group.bytes, place.at as usize)?;
            if filter.fits(&row::head(row)?, None) && filter.reads(row)? {
                found.put(Hit { key: place.key(), names: Arc::clone(names), row: row.to_vec() });
            }
        }
    }
    Ok(())
}

/// Opens blocks, those with the newest rows first, until no other can hold a row of the page.
///
/// Answers, when time ran out, the time down to which everything was looked at.
fn scan_segments(
    shared: &Shared,
    segments: &[Arc<Segment>],
    filter: &Filter<'_>,
    found: &mut Found,
    deadline: Option<Instant>,
) -> Option<EventTime> {
    // A segment's blocks are looked at when it is its turn: most queries need few of hundreds.
    let mut places: BinaryHeap<Place> = BinaryHeap::new();
    for (at, segment) in segments.iter().enumerate() {
        if filter.may_cover(&segment.span) {
            places.push((segment.span.max_time.min(filter.before.0), at, None));
        }
    }
    let mut numbers = HashMap::new();
    let mut open: Option<(usize, File)> = None;
    while let Some((newest, at, block)) = places.pop() {
        if !found.wants((newest, u64::MAX)) {
            return None;
        }
        // A page must end before the time it began at, or its cursor would lead nowhere.
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late && newest < filter.before.0 {
            return Some(newest);
        }
        let Some(segment) = segments.get(at) else { continue };
        let Some(block) = block else {
            numbers.insert(at, unfold(segment, at, filter, &mut places));
            continue;
        };
        let Some(meant) = numbers.get(&at) else { continue };
        let file = match open.take() {
            Some((of, file)) if of == at => file,
            _ => match segment.open_file() {
                Ok(file) => file,
                // Its time had come since the list was made.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    shared.note_damage(segment, &error.to_string());
                    continue;
                }
            },
        };
        if let Err(fault) = scan_block(segment, &file, block, meant.as_deref(), filter, found) {
            shared.note_damage(segment, &format!("{fault:?}"));
        }
        open = Some((at, file));
    }
    None
}

/// A segment, or one of its blocks, by the time of the newest row that it can hold.
type Place = (EventTime, usize, Option<usize>);

/// Puts the blocks of a segment that can hold rows that are meant in their places; answers the
/// numbers of the containers that are meant.
fn unfold(
    segment: &Segment,
    at: usize,
    filter: &Filter<'_>,
    places: &mut BinaryHeap<Place>,
) -> Option<Vec<u32>> {
    let meant = filter.numbers(&segment.names);
    for (block, info) in segment.blocks.iter().enumerate() {
        let inside = |number: &u32| (info.low..=info.high).contains(number);
        if filter.may_cover(&info.span)
            && meant.as_ref().is_none_or(|meant| meant.iter().any(inside))
        {
            places.push((info.span.max_time.min(filter.before.0), at, Some(block)));
        }
    }
    meant
}

fn scan_block(
    segment: &Segment,
    file: &File,
    block: usize,
    numbers: Option<&[u32]>,
    filter: &Filter<'_>,
    found: &mut Found,
) -> Result<(), Fault> {
    let Some(info) = segment.blocks.get(block) else { return Ok(()) };
    let rows = info.read(file)?;
    for at in row_places(&rows)?.into_iter().rev() {
        let row = row::row_at(&rows, at)?;
        let head = row::head(row)?;
        let key = head.key();
        if key >= filter.before {
            continue;
        }
        if head.time < filter.start || !found.wants(key) {
            break;
        }
        if filter.fits(&head, numbers) && filter.reads(row)? {
            found.put(Hit { key, names: segment.name(head.container), row: row.to_vec() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Needle;

    #[test]
    fn a_needle_is_found_in_any_case() {
        let needle = Needle::of(" /Etc/PASSWD ").unwrap();
        assert!(needle.is_in(b"cat /etc/passwd"));
        assert!(needle.is_in(b"/ETC/passwd"));
        assert!(!needle.is_in(b"/etc/passw"));
        assert!(Needle::of("  ").is_none());
        assert!(Needle::of("Ünï").unwrap().is_in("xÜNï".as_bytes()));
    }
}
