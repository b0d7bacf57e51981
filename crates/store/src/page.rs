//! A page of a list.

use serde::{Deserialize, Serialize};

/// The most rows that one page holds: a page of 1 000 alerts is about 5 MB of JSON.
pub const PAGE_LIMIT: usize = 1_000;

/// A stretch of a list that runs from the newest to the oldest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end of the list. A page can be short, even empty, and still
    /// have one: a text search stops after a bounded number of rows looked at.
    pub next_cursor: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next_cursor: None }
    }
}

/// Holds a limit asked for to 1..=[`PAGE_LIMIT`].
pub(crate) fn bounded(limit: usize) -> usize {
    limit.clamp(1, PAGE_LIMIT)
}
