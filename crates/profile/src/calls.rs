//! Events by call, for all nodes in one table: a node has one to four of them, and a list of its
//! own would cost more than they do.

use crate::{names::NameId, node::NONE};

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    call: NameId,
    next: u32,
}

/// The table. A list is the index of its first entry, [`NONE`] when it is empty.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    entries: Vec<Entry>,
    free: u32,
}

impl Default for Calls {
    fn default() -> Self {
        Self { entries: Vec::new(), free: NONE }
    }
}

impl Calls {
    /// Counts a call in a list; returns its new beginning. Linear in the list, which is short.
    pub(crate) fn add(&mut self, first: u32, call: NameId, count: u64) -> u32 {
        let (mut at, mut last) = (first, NONE);
        while let Some(entry) = self.entries.get_mut(at as usize) {
            if entry.call == call {
                entry.count += count;
                return first;
            }
            (last, at) = (at, entry.next);
        }
        let new = self.place(Entry { count, call, next: NONE });
        match self.entries.get_mut(last as usize) {
            Some(entry) => {
                entry.next = new;
                first
            }
            None => new,
        }
    }

    fn place(&mut self, entry: Entry) -> u32 {
        if let Some(old) = self.entries.get_mut(self.free as usize) {
            let place = self.free;
            self.free = old.next;
            *old = entry;
            return place;
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    /// Takes from a call's count what is in the list, at most.
    pub(crate) fn take(&mut self, first: u32, call: NameId, count: u64) {
        let mut at = first;
        while let Some(entry) = self.entries.get_mut(at as usize) {
            if entry.call == call {
                entry.count = entry.count.saturating_sub(count);
                return;
            }
            at = entry.next;
        }
    }

    /// The calls of a list, in order of arrival.
    pub(crate) fn list(&self, first: u32) -> impl Iterator<Item = (NameId, u64)> + Clone + '_ {
        let mut at = first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = entry.next;
            Some((entry.call, entry.count))
        })
    }

    /// Gives a list's entries back.
    pub(crate) fn release(&mut self, first: u32) {
        let mut last = first;
        while let Some(entry) = self.entries.get(last as usize) {
            if entry.next == NONE {
                break;
            }
            last = entry.next;
        }
        if let Some(entry) = self.entries.get_mut(last as usize) {
            entry.next = self.free;
            self.free = first;
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::Calls;
    use crate::{names::NameId, node::NONE};

    #[test]
    fn lists_share_a_table_and_give_back() {
        let mut calls = Calls::default();
        let a = calls.add(NONE, NameId(1), 2);
        let b = calls.add(NONE, NameId(1), 5);
        assert_eq!(calls.add(a, NameId(2), 1), a);
        assert_eq!(calls.add(a, NameId(1), 3), a);
        calls.take(a, NameId(1), 1);
        calls.take(a, NameId(9), 1);
        assert_eq!(calls.list(a).collect::<Vec<_>>(), [(NameId(1), 4), (NameId(2), 1)]);
        assert_eq!(calls.list(b).collect::<Vec<_>>(), [(NameId(1), 5)]);
        calls.release(a);
        calls.release(NONE);
        let bytes = calls.bytes();
        let again = calls.add(NONE, NameId(3), 1);
        calls.add(again, NameId(4), 1);
        assert_eq!((calls.list(again).count(), calls.list(NONE).count()), (2, 0));
        assert_eq!(calls.bytes(), bytes, "released entries are used again");
    }
}
