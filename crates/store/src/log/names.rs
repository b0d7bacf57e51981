//! Containers by number: each file and each buffer of the log has a list of its own.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::row::LogRow;
use crate::alerts::short_id;

/// What a container is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContainerNames {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) identity: String,
}

impl ContainerNames {
    pub(crate) fn of(row: &LogRow) -> Self {
        Self {
            id: row.container_id.clone(),
            name: row.container_name.clone(),
            identity: row.identity.clone(),
        }
    }

    pub(crate) fn is(&self, row: &LogRow) -> bool {
        self.id == row.container_id
            && self.name == row.container_name
            && self.identity == row.identity
    }

    /// True for the container's id (short or full), its name or its identity.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.id == short_id(text) || self.name == text || self.identity == text
    }
}

/// Keeps one copy of what many segments name.
#[derive(Default)]
pub(crate) struct Interner {
    known: Mutex<HashSet<Arc<ContainerNames>>>,
}

impl Interner {
    pub(crate) fn intern(&self, names: ContainerNames) -> Arc<ContainerNames> {
        let mut known = self.known.lock();
        if let Some(found) = known.get(&names) {
            return Arc::clone(found);
        }
        let fresh = Arc::new(names);
        known.insert(Arc::clone(&fresh));
        fresh
    }

    /// Forgets what no segment names any more.
    pub(crate) fn sweep(&self) {
        self.known.lock().retain(|names| Arc::strong_count(names) > 1);
    }
}

/// Numbers for the containers of one buffer.
#[derive(Default)]
pub(crate) struct NameList {
    pub(crate) all: Vec<Arc<ContainerNames>>,
    numbers: HashMap<Arc<ContainerNames>, u32>,
}

impl NameList {
    /// The container's number, and whether it is new.
    pub(crate) fn number(&mut self, names: &Arc<ContainerNames>) -> (u32, bool) {
        if let Some(number) = self.numbers.get(names) {
            return (*number, false);
        }
        let number = self.all.len() as u32;
        self.all.push(Arc::clone(names));
        self.numbers.insert(Arc::clone(names), number);
        (number, true)
    }
}
