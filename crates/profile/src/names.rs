//! Interned strings of one profile.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string of a [`Names`] table.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct NameId(pub(crate) u32);

/// Strings kept once each, in order of arrival. Ids stay valid for the table's life.
#[derive(Clone, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Names({})", self.ends.len())
    }
}

impl Names {
    /// The string of an id.
    pub(crate) fn get(&self, id: NameId) -> &str {
        slice(&self.text, &self.ends, id.0)
    }

    /// The id of a string that is there. One hash.
    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        let hash = self.hash(name);
        self.index.find(hash, |id| slice(&self.text, &self.ends, *id) == name).map(|id| NameId(*id))
    }

    /// The id of a string, put in if it is new.
    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = self.ends.len() as u32;
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        let hash = self.hash(name);
        let Self { text, ends, index, hasher } = self;
        index.insert_unique(hash, id, |id| hash_of(hasher, slice(text, ends, *id)));
        NameId(id)
    }

    /// How many strings there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.index.capacity() * 5
    }

    fn hash(&self, name: &str) -> u64 {
        hash_of(&self.hasher, name)
    }
}

fn hash_of(hasher: &foldhash::fast::RandomState, name: &str) -> u64 {
    use std::hash::BuildHasher;
    hasher.hash_one(name)
}

fn slice<'a>(text: &'a str, ends: &[u32], id: u32) -> &'a str {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends.get(id - 1).copied().unwrap_or_default() };
    let end = ends.get(id).copied().unwrap_or_default();
    text.get(start as usize..end as usize).unwrap_or_default()
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((0..self.ends.len()).map(|id| self.get(NameId(id as u32))))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vec::<String>::deserialize(from)?;
        let mut names = Self::default();
        for name in &list {
            names.intern(name);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_are_kept_once() {
        let mut names = Names::default();
        let a = names.intern("a");
        let empty = names.intern("");
        assert_eq!(names.intern("a"), a);
        assert_eq!((names.get(a), names.get(empty), names.ends.len()), ("a", "", 2));
        assert_eq!(names.find("b"), None);
        let copy: Names = serde_json::from_str(&serde_json::to_string(&names).unwrap()).unwrap();
        assert_eq!((copy.find("a"), copy.ends.len()), (Some(a), 2));
    }
}
