//! What the gateway counts of itself beside the exporter's own metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the gateway counts. All only grow, `connections` apart.
#[derive(Debug, Default)]
pub struct ApiCounters {
    /// Open connections.
    pub connections: AtomicU64,
    /// Connections refused because of the limit.
    pub connections_refused: AtomicU64,
    /// Requests refused because of a limit on requests at a time.
    pub requests_refused: AtomicU64,
    /// Requests refused because of their `Host` or `Origin`.
    pub hosts_refused: AtomicU64,
    /// Requests that took too long.
    pub timeouts: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
