//! The newest samples of each series: in memory, and with each commit in a table of their own, since
//! they are written again and again.

use redb::{ReadableTable, WriteTransaction};

use super::{CHUNKS, HEADS, SERIES, encode_labels, index::Index, rows};
use crate::{
    Sample,
    chunk::{self, CHUNK_SAMPLES},
};

/// The newest samples of a series; all of them are later than what is in its rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) samples: Vec<Sample>,
    /// The last sample, wherever it is.
    pub(super) last: Option<Sample>,
    /// Samples that no commit has.
    pub(super) dirty: bool,
    /// It was in the last scrape, and no end was noted.
    pub(super) live: bool,
    /// The series has rows.
    pub(super) settled: bool,
}

impl Head {
    pub(super) fn last_time(&self) -> Option<i64> {
        self.last.map(|last| last.time)
    }

    pub(super) fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
        (self.last, self.dirty) = (Some(sample), true);
    }

    /// Samples that end the head's chunk. A series' first chunk is shorter by its number, so that
    /// series that begin together fill theirs one after the other: the rows that a commit writes
    /// again are as few in each, and so is the room that it takes beside what it replaces.
    fn room(&self, id: u64) -> usize {
        if self.settled { CHUNK_SAMPLES } else { CHUNK_SAMPLES - id as usize % CHUNK_SAMPLES }
    }

    /// What fills chunks, and what does not fill one yet.
    fn parts(&self, id: u64) -> (Vec<&[Sample]>, &[Sample]) {
        let (mut full, mut rest, mut room) = (Vec::new(), self.samples.as_slice(), self.room(id));
        while let Some((part, after)) = rest.split_at_checked(room) {
            full.push(part);
            (rest, room) = (after, CHUNK_SAMPLES);
        }
        (full, rest)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) index: Index,
    pub(super) heads: Vec<Head>,
    pub(super) newest: i64,
}

impl State {
    pub(super) fn write_heads(&self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut series = transaction.open_table(SERIES)?;
        let mut heads = transaction.open_table(HEADS)?;
        let mut chunks = transaction.open_table(CHUNKS)?;
        for (at, head) in self.heads.iter().enumerate().filter(|(_, head)| head.dirty) {
            let Some((id, labels)) = self.index.get(at) else { continue };
            if series.get(id)?.is_none() {
                series.insert(id, encode_labels(labels).as_slice())?;
            }
            let (full, rest) = head.parts(id);
            for part in full {
                rows::append(&mut chunks, id, &chunk::pack(part))?;
            }
            if rest.is_empty() {
                heads.remove(id)?;
            } else {
                heads.insert(id, chunk::pack(rest).as_slice())?;
            }
        }
        Ok(())
    }

    /// The heads are durable: what fills a chunk is no head's any more.
    pub(super) fn written(&mut self) {
        for (at, head) in self.heads.iter_mut().enumerate().filter(|(_, head)| head.dirty) {
            let Some((id, _)) = self.index.get(at) else { continue };
            let rest = head.parts(id).1.len();
            let full = head.samples.len() - rest;
            head.samples.drain(..full);
            head.dirty = false;
            head.settled |= full > 0;
        }
    }

    /// Makes the index anew without some of the series.
    pub(super) fn leave_out(&mut self, ended: &[bool]) {
        let (mut index, mut heads) = (Index::default(), Vec::new());
        for (at, head) in std::mem::take(&mut self.heads).into_iter().enumerate() {
            if !ended[at]
                && let Some((id, labels)) = self.index.get(at)
            {
                index.restore(id, labels);
                heads.push(head);
            }
        }
        index.go_on_from(&self.index);
        (self.index, self.heads) = (index, heads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunk_is_shorter_by_the_number_of_the_series() {
        for (samples, id, settled, full, rest) in [
            (0, 0, false, vec![], 0),
            (119, 0, false, vec![], 119),
            (120, 0, false, vec![120], 0),
            (241, 0, false, vec![120, 120], 1),
            (1, 119, false, vec![1], 0),
            (130, 119, false, vec![1, 120], 9),
            (119, 119, true, vec![], 119),
            (60, 180, false, vec![60], 0),
        ] {
            let head = Head {
                samples: (0..samples).map(|time| Sample { time, value: 0.0 }).collect(),
                settled,
                ..Head::default()
            };
            let (parts, open) = head.parts(id);
            let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            assert_eq!((lengths, open.len()), (full, rest), "{samples} of series {id}");
        }
    }
}
