//! What is left out first while the service cannot keep up.
//!
//! Detection goes before reading, and a list on somebody's screen before a file of a million rows.
//! So the reads that cost most are refused as long as the engine is behind with its lines, or reads
//! pile up at the store; everything else is answered as always.

use std::sync::atomic::Ordering;

use crate::app::AppState;
use crate::counters::count;
use crate::error::ApiError;

/// Reads of the store that wait for one of [`crate::ApiLimits::store_reads`] places: four times as
/// many as there are, which at some milliseconds each is still no wait that anybody sees.
pub(crate) const STORE_WAITING_MAX: usize = 16;
/// Levels of a tree that are not deep: what the console opens at once.
pub(crate) const SHALLOW: usize = 6;

/// A read that costs much more than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expensive {
    /// A whole list as a file.
    Export,
    /// `PromQL` over a range.
    Range,
    /// A tree to its leaves, or searched, or two of them compared.
    Tree,
    /// Events looked through for a text, which no index helps with.
    Search,
}

impl Expensive {
    fn words(self) -> &'static str {
        match self {
            Self::Export => "exports",
            Self::Range => "queries over a range",
            Self::Tree => "deep trees, searches in trees and differences",
            Self::Search => "searches in events",
        }
    }
}

impl AppState {
    /// Refuses an expensive read while the service cannot keep up.
    pub(crate) fn afford(&self, what: Expensive) -> Result<(), ApiError> {
        let reasons = self.degraded();
        if reasons.is_empty() {
            return Ok(());
        }
        count(&self.counters.shed);
        Err(ApiError::Shed { what: what.words(), reasons })
    }

    /// Why expensive reads are refused; empty while they are not.
    pub(crate) fn degraded(&self) -> Vec<String> {
        let mut reasons = self.parts.live.degraded();
        if self.store_waiting.load(Ordering::Relaxed) >= STORE_WAITING_MAX {
            reasons.push("reads of the store are waiting".to_owned());
        }
        reasons
    }
}
