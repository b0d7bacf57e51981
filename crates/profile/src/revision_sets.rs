//! Which images have used a node. Nodes share a few sets of them, so that two bytes a node do.

use serde::{Deserialize, Serialize};

/// Images told apart; what later ones use is not noted. As many as a profile remembers by name.
const MAX_IMAGES: usize = 50;
/// Sets told apart. A node that would need a further one keeps the set it has.
const MAX_SETS: usize = 4_096;
/// No set has this number.
const UNKNOWN: u16 = u16::MAX;

/// The images and the sets of them. Set 0 is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RevisionSets {
    images: Vec<String>,
    /// Bit n stands for image n.
    sets: Vec<u64>,
    current: Option<u8>,
    /// By set, the set with the current image added, as far as it was asked for.
    #[serde(skip)]
    next: Vec<u16>,
}

impl Default for RevisionSets {
    fn default() -> Self {
        Self { images: Vec::new(), sets: vec![0], current: None, next: Vec::new() }
    }
}

impl RevisionSets {
    /// What is counted from now on comes from this image; false when that is so already, or when it
    /// has no name.
    pub(crate) fn enter(&mut self, image: &str) -> bool {
        let current = self.current.and_then(|n| self.images.get(usize::from(n)));
        if image.is_empty() || current.is_some_and(|name| name == image) {
            return false;
        }
        self.current = match self.images.iter().position(|i| i == image) {
            Some(index) => Some(index as u8),
            None if self.images.len() < MAX_IMAGES => {
                self.images.push(image.to_owned());
                Some((self.images.len() - 1) as u8)
            }
            None => None,
        };
        self.next.clear();
        true
    }

    /// The set with the current image in it. One look at a small table.
    pub(crate) fn with_current(&mut self, set: u16) -> u16 {
        if let Some(next) = self.next.get(usize::from(set))
            && *next != UNKNOWN
        {
            return *next;
        }
        let bits = self.sets.get(usize::from(set)).copied().unwrap_or_default();
        let next = self.of(bits | self.current.map_or(0, |n| 1u64 << n), set);
        self.next.resize(self.sets.len(), UNKNOWN);
        if let Some(place) = self.next.get_mut(usize::from(set)) {
            *place = next;
        }
        next
    }

    pub(crate) fn union(&mut self, a: u16, b: u16) -> u16 {
        if a == b {
            return a;
        }
        let bits = |set: u16| self.sets.get(usize::from(set)).copied().unwrap_or_default();
        self.of(bits(a) | bits(b), a)
    }

    fn of(&mut self, bits: u64, otherwise: u16) -> u16 {
        if let Some(index) = self.sets.iter().position(|s| *s == bits) {
            return index as u16;
        }
        if self.sets.len() >= MAX_SETS {
            return otherwise;
        }
        self.sets.push(bits);
        (self.sets.len() - 1) as u16
    }

    /// The images of a set, in the order of their first appearance.
    pub(crate) fn images(&self, set: u16) -> impl Iterator<Item = &str> {
        let bits = self.sets.get(usize::from(set)).copied().unwrap_or_default();
        let images = self.images.iter().enumerate();
        images.filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, image)| image.as_str())
    }

    /// True when there is more than one image, so that it tells something which of them used a node.
    pub(crate) fn differ(&self) -> bool {
        self.images.len() > 1
    }

    /// A table of the same images in this order, and the sets of both.
    pub(crate) fn of_images<'a>(images: impl IntoIterator<Item = &'a str>) -> Self {
        let images = images.into_iter().take(MAX_IMAGES).map(str::to_owned).collect();
        Self { images, ..Self::default() }
    }

    /// All images.
    pub(crate) fn all(&self) -> &[String] {
        &self.images
    }

    /// The image that is counting.
    pub(crate) fn current(&self) -> Option<&str> {
        self.current.and_then(|n| self.images.get(usize::from(n))).map(String::as_str)
    }

    /// The sets of other tables as bits of this one's images.
    fn moved(&self, other: &Self) -> Vec<u64> {
        let place = |image: &String| self.images.iter().position(|i| i == image);
        let places: Vec<Option<usize>> = other.images.iter().map(place).collect();
        let moved = |bits: &u64| {
            let set = places.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
            set.filter_map(|(_, place)| *place).fold(0u64, |set, n| set | 1 << n)
        };
        other.sets.iter().map(moved).collect()
    }

    /// Takes the sets of two other tables over, in an order that does not tell them apart.
    pub(crate) fn take_sets(&mut self, others: [&Self; 2]) {
        let mut all: Vec<u64> = others.iter().flat_map(|other| self.moved(other)).collect();
        all.sort_unstable();
        for bits in all {
            self.of(bits, 0);
        }
    }

    /// For each set of `other`, the set of the same images here.
    pub(crate) fn translate(&mut self, other: &Self) -> Vec<u16> {
        self.moved(other).into_iter().map(|bits| self.of(bits, 0)).collect()
    }

    /// False when indices point nowhere.
    pub(crate) fn is_sound(&self) -> bool {
        self.images.len() <= MAX_IMAGES
            && self.current.is_none_or(|n| usize::from(n) < self.images.len())
            && (1..=MAX_SETS).contains(&self.sets.len())
            && self.sets.first() == Some(&0)
            && self.sets.iter().all(|bits| bits >> self.images.len() == 0)
    }

    /// How many sets there are.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::RevisionSets;

    #[test]
    fn sets_are_shared_and_grow_by_the_current_image() {
        let mut sets = RevisionSets::default();
        assert_eq!(sets.with_current(0), 0, "no image has a name yet");
        assert!(sets.enter("web:1") && !sets.enter("web:1") && !sets.enter(""));
        let first = sets.with_current(0);
        assert_eq!(sets.with_current(first), first);
        assert!(!sets.differ());
        assert!(sets.enter("web:2"));
        let both = sets.with_current(first);
        assert_eq!(sets.images(both).collect::<Vec<_>>(), ["web:1", "web:2"]);
        let second = sets.with_current(0);
        assert_eq!(sets.union(first, second), both);
        assert!(sets.enter("web:1"), "a roll-back");
        assert_eq!(sets.with_current(second), both);
        assert!(sets.is_sound() && sets.differ());
        assert_eq!(sets.len(), 4);
    }

    #[test]
    fn sets_of_another_table_are_translated() {
        let mut other = RevisionSets::default();
        other.enter("b");
        let b = other.with_current(0);
        other.enter("a");
        let both = other.with_current(b);
        let mut sets = RevisionSets::of_images(["a", "b"]);
        let moved = sets.translate(&other);
        assert_eq!(sets.images(moved[usize::from(b)]).collect::<Vec<_>>(), ["b"]);
        assert_eq!(sets.images(moved[usize::from(both)]).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_hundred_images_are_no_more_than_fifty() {
        let mut sets = RevisionSets::default();
        let mut set = 0;
        for n in 0..100 {
            sets.enter(&format!("web:{n}"));
            set = sets.with_current(set);
        }
        assert_eq!(sets.images(set).count(), 50);
        assert!(sets.is_sound());
    }
}
