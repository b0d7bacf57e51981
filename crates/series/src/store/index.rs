//! Which series there are, and which have a label.

use std::collections::HashMap;

use crate::{Labels, storage::Matcher};

/// Series by place, with the ids by which they are stored.
#[derive(Default)]
pub(super) struct Index {
    series: Vec<(u64, Labels)>,
    places: HashMap<Labels, usize>,
    /// The places of the series that have a label with a value.
    postings: HashMap<(String, String), Vec<usize>>,
    next: u64,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    pub(super) fn find(&self, labels: &Labels) -> Option<usize> {
        self.places.get(labels).copied()
    }

    pub(super) fn get(&self, at: usize) -> Option<(u64, &Labels)> {
        self.series.get(at).map(|(id, labels)| (*id, labels))
    }

    pub(super) fn add(&mut self, labels: &Labels) -> usize {
        self.restore(self.next, labels)
    }

    /// A series that was stored under an id.
    pub(super) fn restore(&mut self, id: u64, labels: &Labels) -> usize {
        let at = self.series.len();
        self.next = self.next.max(id + 1);
        self.series.push((id, labels.clone()));
        self.places.insert(labels.clone(), at);
        for (name, value) in labels.iter() {
            self.postings.entry((name.to_owned(), value.to_owned())).or_default().push(at);
        }
        at
    }

    /// Gives no id again that another has given.
    pub(super) fn go_on_from(&mut self, other: &Self) {
        self.next = self.next.max(other.next);
    }

    /// The places of the series that meet all conditions, in order.
    pub(super) fn select(&self, matchers: &[Matcher]) -> Vec<usize> {
        // The rarest of the labels that are asked for by value; the others are tried one by one.
        let rarest = matchers
            .iter()
            .filter_map(|matcher| match matcher {
                Matcher::Equal(name, value) if !value.is_empty() => {
                    let known = self.postings.get(&(name.clone(), value.clone()));
                    Some(known.map_or(&[][..], Vec::as_slice))
                }
                _ => None,
            })
            .min_by_key(|places| places.len());
        let accepts = |at: &usize| {
            self.series.get(*at).is_some_and(|(_, l)| matchers.iter().all(|m| m.accepts(l)))
        };
        match rarest {
            Some(places) => places.iter().copied().filter(accepts).collect(),
            None => (0..self.series.len()).filter(accepts).collect(),
        }
    }
}

/// Lengths and texts, name and value by turns.
pub(super) fn encode_labels(labels: &Labels) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The inverse of [`encode_labels`]; what cannot be read is left out.
pub(super) fn decode_labels(mut bytes: &[u8]) -> Labels {
    let mut texts: Vec<String> = Vec::new();
    while let Some((length, rest)) = bytes.split_at_checked(4) {
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let Some((text, rest)) = rest.split_at_checked(length) else { break };
        texts.push(String::from_utf8_lossy(text).into_owned());
        bytes = rest;
    }
    let pairs = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    Labels::new(pairs)
}
