//! The label values of one series.

use std::hash::{Hash, Hasher};

/// Up to eight label values, packed into one text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    text: Box<str>,
    ends: [u16; Labels::MAX],
    count: u8,
}

impl Labels {
    /// The most labels of a family.
    pub const MAX: usize = 8;
    /// The longest value, in bytes: longer than any name of a container, pod or rule, and it
    /// bounds what one line of somebody else's can cost for an hour.
    pub const MAX_VALUE_BYTES: usize = 200;

    /// Packs values; what is over [`Labels::MAX`] values or [`Labels::MAX_VALUE_BYTES`] is cut off.
    pub fn new(values: &[&str]) -> Self {
        let values = values.get(..Self::MAX).unwrap_or(values);
        let mut text = String::with_capacity(values.iter().map(|v| bounded(v).len()).sum());
        let mut ends = [0; Self::MAX];
        for (end, value) in ends.iter_mut().zip(values) {
            text.push_str(bounded(value));
            *end = text.len() as u16;
        }
        Self { text: text.into_boxed_str(), ends, count: values.len() as u8 }
    }

    /// The value at `index`; `""` where there is none.
    pub fn get(&self, index: usize) -> &str {
        let end = self.ends.get(index).copied().unwrap_or_default();
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..usize::from(self.count)).map(|index| self.get(index))
    }

    /// True when these are the values; `ends` are [`ends_of`] them.
    pub(crate) fn are(&self, values: &[&str; Self::MAX], ends: &[u16; Self::MAX]) -> bool {
        if self.ends != *ends {
            return false;
        }
        let mut rest = self.text.as_bytes();
        for value in values {
            let Some((head, tail)) = rest.split_at_checked(value.len()) else { return false };
            if head != value.as_bytes() {
                return false;
            }
            rest = tail;
        }
        true
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.ends.hash(state);
    }
}

/// Where each value ends when they are packed. They must be [`bounded`].
pub(crate) fn ends_of(values: &[&str; Labels::MAX]) -> [u16; Labels::MAX] {
    let mut end = 0;
    values.map(|value| {
        end += value.len() as u16;
        end
    })
}

/// The value, cut at [`Labels::MAX_VALUE_BYTES`] between characters.
pub(crate) fn bounded(value: &str) -> &str {
    if value.len() <= Labels::MAX_VALUE_BYTES {
        return value;
    }
    let mut end = Labels::MAX_VALUE_BYTES;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values = ["a", "", "é", "d", "e", "f", "g", "h"];
        let labels = Labels::new(&values);
        assert_eq!(labels.iter().collect::<Vec<_>>(), values);
        assert!(labels.are(&values, &ends_of(&values)));
        let others = ["a", "é", "", "d", "e", "f", "g", "h"];
        assert!(!labels.are(&others, &ends_of(&others)));
        assert_eq!(Labels::new(&["x"]).get(3), "");
        assert_ne!(Labels::new(&["ab", "c"]), Labels::new(&["a", "bc"]));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = format!("x{}", "é".repeat(200));
        assert_eq!(Labels::new(&[&long]).get(0).len(), 199);
    }
}
