//! The newest rows, in memory, in the groups that become blocks.

use std::sync::Arc;

use hanabi_event::{EventTime, Priority};
use hashbrown::HashMap;

use super::names::{ContainerNames, NameList};
use super::row::{self, Parts, RowHead, RowKey, category_code};
use crate::alerts::priority_code;
use crate::error::Fault;

/// Rows that a search wants together: one container's of one category, or those that stand out.
///
/// Severe rows are rare, and in groups of their own a search for them need not open the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKey {
    pub(crate) class: u8,
    pub(crate) container: u32,
}

impl GroupKey {
    pub(crate) fn of(head: &RowHead, container: u32) -> Self {
        let severe = head.priority >= Priority::Notice;
        let class = if severe { u8::MAX } else { category_code(head.category) };
        Self { class, container }
    }
}

/// Where a row lies in its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRef {
    pub(crate) time: EventTime,
    pub(crate) ordinal: u64,
    pub(crate) at: u32,
}

impl RowRef {
    pub(crate) fn key(&self) -> RowKey {
        (self.time, self.ordinal)
    }
}

/// Rows of one group, oldest first.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: Vec<RowRef>,
    pub(crate) span: Span,
}

/// What a stretch of rows covers, for leaving it out of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) min_time: EventTime,
    pub(crate) max_time: EventTime,
    pub(crate) max_sequence: u64,
    /// One bit a priority.
    pub(crate) priorities: u8,
    /// One bit a category.
    pub(crate) categories: u8,
}

impl Default for Span {
    fn default() -> Self {
        let (min_time, max_time) = (EventTime::MAX, 0);
        Self { min_time, max_time, max_sequence: 0, priorities: 0, categories: 0 }
    }
}

impl Span {
    pub(crate) fn add(&mut self, head: &RowHead) {
        self.min_time = self.min_time.min(head.time);
        self.max_time = self.max_time.max(head.time);
        self.max_sequence = self.max_sequence.max(head.sequence);
        self.priorities |= 1 << priority_code(head.priority);
        self.categories |= 1 << category_code(head.category);
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.min_time = self.min_time.min(other.min_time);
        self.max_time = self.max_time.max(other.max_time);
        self.max_sequence = self.max_sequence.max(other.max_sequence);
        self.priorities |= other.priorities;
        self.categories |= other.categories;
    }
}

/// A row that further events can be added to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    group: GroupKey,
    at: u32,
    pub(crate) ordinal: u64,
}

/// Rows that are not in a segment yet.
#[derive(Default)]
pub(crate) struct Buffer {
    /// Gives the buffer's tail file and its segment their name.
    pub(crate) generation: u64,
    pub(crate) names: NameList,
    pub(crate) groups: HashMap<GroupKey, Group>,
    /// Of rows merged from several places in the input, how many events came from each.
    pub(crate) parts: HashMap<u64, Parts>,
    pub(crate) bytes: usize,
    pub(crate) rows: u64,
    pub(crate) events: u64,
    pub(crate) span: Span,
}

impl Buffer {
    pub(crate) fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// The number of a container, and whether it is new.
    pub(crate) fn number(&mut self, names: &Arc<ContainerNames>) -> (u32, bool) {
        self.names.number(names)
    }

    /// Adds a row whose bytes carry the buffer's number of its container.
    pub(crate) fn insert(&mut self, bytes: &[u8], head: &RowHead) -> Place {
        let key = GroupKey::of(head, head.container);
        let group = self.groups.entry(key).or_default();
        let at = group.bytes.len() as u32;
        group.bytes.extend_from_slice(bytes);
        let fresh = RowRef { time: head.time, ordinal: head.ordinal, at };
        // Rows of one container come in order but for a few, so the search from the end is short.
        let later = group.rows.iter().rev().take_while(|row| row.key() > fresh.key()).count();
        group.rows.insert(group.rows.len() - later, fresh);
        group.span.add(head);
        self.span.add(head);
        self.bytes += bytes.len() + size_of::<RowRef>();
        self.rows += 1;
        self.events += head.count;
        Place { group: key, at, ordinal: head.ordinal }
    }

    /// Adds events to a row that is there.
    pub(crate) fn add(&mut self, place: Place, sequence: u64, count: u64) -> Result<(), Fault> {
        let group = self.groups.get_mut(&place.group);
        let bytes = group.and_then(|group| {
            group.span.max_sequence = group.span.max_sequence.max(sequence);
            group.bytes.get_mut(place.at as usize..)
        });
        let bytes = bytes.ok_or_else(|| Fault::damaged("a merged row is not where it was"))?;
        let head = row::head(bytes)?;
        row::set_count(bytes, head.count.saturating_add(count));
        self.events += count;
        self.span.max_sequence = self.span.max_sequence.max(sequence);
        if sequence == head.sequence && !self.parts.contains_key(&place.ordinal) {
            return Ok(());
        }
        let parts = self.parts.entry(place.ordinal);
        let parts = parts.or_insert_with(|| vec![(head.sequence, head.count)]);
        match parts.last_mut() {
            Some(last) if last.0 == sequence => last.1 += count,
            _ => parts.push((sequence, count)),
        }
        Ok(())
    }

    /// The groups in the order in which a segment has them.
    pub(crate) fn sorted_groups(&self) -> Vec<(GroupKey, &Group)> {
        let mut groups: Vec<_> = self.groups.iter().map(|(key, group)| (*key, group)).collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        groups
    }

    /// Takes over a row of another buffer or segment, as far as it comes from the input up to
    /// `last`. Its number is that of this buffer from here on.
    pub(crate) fn take_until(
        &mut self,
        bytes: &[u8],
        names: &Arc<ContainerNames>,
        parts: Option<&Parts>,
        last: u64,
    ) -> Result<(), Fault> {
        let (mut bytes, own) = row::split_parts(bytes)?;
        let mut parts = parts.cloned().unwrap_or(own);
        let head = row::head(&bytes)?;
        if parts.is_empty() {
            parts.push((head.sequence, head.count));
        }
        parts.retain(|(sequence, _)| *sequence <= last);
        let Some(((first, count), rest)) = parts.split_first() else { return Ok(()) };
        row::set_sequence(&mut bytes, *first);
        row::set_count(&mut bytes, *count);
        row::set_container(&mut bytes, self.number(names).0);
        let head = row::head(&bytes)?;
        let place = self.insert(&bytes, &head);
        for (sequence, count) in rest {
            self.add(place, *sequence, *count)?;
        }
        Ok(())
    }

    /// A copy with what comes from the input up to `last`.
    pub(crate) fn until(&self, last: u64) -> Result<Self, Fault> {
        let mut kept = Self::new(self.generation);
        for (key, group) in self.sorted_groups() {
            let names = self.names.all.get(key.container as usize).cloned().unwrap_or_default();
            for row in &group.rows {
                let bytes = row::row_at(&group.bytes, row.at as usize)?;
                kept.take_until(bytes, &names, self.parts.get(&row.ordinal), last)?;
            }
        }
        Ok(kept)
    }
}
