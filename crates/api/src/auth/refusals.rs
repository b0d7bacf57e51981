//! What was refused, on its way to the audit log.
//!
//! Anybody can be refused as often as they like, so that entries are few for one address, few
//! altogether, and the rest is only counted: the log keeps a million, and changes must stay in it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use hanabi_store::{AuditEntry, Store};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::limits::{Keyed, block_of};

/// Entries that wait for the disk; they are written many at a time.
const WAITING_MAX: usize = 256;
/// Of one address: so many at once …
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// … and one more after each such time.
const ADDRESS_EVERY: Duration = Duration::from_mins(1);
/// Of all together: so many at once …
const ALL_BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// … and one more after each such time: under nine thousand a day, so that a flood needs months to
/// push a change out of the log.
const ALL_EVERY: Duration = Duration::from_secs(10);

/// See the module's text.
pub(crate) struct Refusals {
    waiting: Mutex<VecDeque<AuditEntry>>,
    wake: Notify,
    closed: AtomicBool,
    by_address: Keyed<IpAddr>,
    all: DefaultDirectRateLimiter,
    dropped: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            by_address: Keyed::every(ADDRESS_EVERY, ADDRESS_BURST),
            all: RateLimiter::direct(quota(ALL_EVERY, ALL_BURST)),
            dropped: AtomicU64::new(0),
        }
    }
}

/// So many at once, and one more after each such time.
pub(super) fn quota(every: Duration, burst: NonZeroU32) -> Quota {
    // Only a time of zero is no period.
    Quota::with_period(every).unwrap_or_else(|| Quota::per_second(burst)).allow_burst(burst)
}

impl Refusals {
    /// Hands an entry over, or counts it. Never waits.
    pub(crate) fn note(&self, address: Option<IpAddr>, entry: AuditEntry) {
        let spared = address.is_some_and(|ip| self.by_address.check(&block_of(ip)).is_err())
            || self.all.check().is_err();
        let mut waiting = self.waiting.lock();
        if spared || waiting.len() >= WAITING_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push_back(entry);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Entries that were only counted.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends [`Refusals::run`] when all that waits is written.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Writes what waits until it is closed.
    pub(crate) async fn run(&self, store: &Arc<Store>) {
        loop {
            let closed = self.closed.load(Ordering::Acquire);
            let entries: Vec<AuditEntry> = self.waiting.lock().drain(..).collect();
            if !entries.is_empty() {
                let (store, count) = (store.clone(), entries.len() as u64);
                let write = move || store.append_audits(&entries);
                // The store itself tells why.
                if !matches!(tokio::task::spawn_blocking(write).await, Ok(Ok(()))) {
                    self.dropped.fetch_add(count, Ordering::Relaxed);
                }
            } else if closed {
                return;
            } else {
                self.wake.notified().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hanabi_store::StoreOptions;

    use super::*;

    #[tokio::test]
    async fn a_flood_leaves_few_entries_and_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path(), StoreOptions::default()).unwrap());
        let refusals = Refusals::default();
        let from = |a: u8, b: u8| Some(IpAddr::from([10, 0, a, b]));
        for _ in 0..1_000 {
            refusals.note(from(0, 1), AuditEntry::default());
        }
        assert_eq!(refusals.dropped(), 1_000 - u64::from(ADDRESS_BURST.get()));
        for n in 0..1_000u16 {
            let [a, b] = n.to_be_bytes();
            refusals.note(from(a + 1, b), AuditEntry::default());
        }
        refusals.close();
        refusals.run(&store).await;
        let kept = store.audit(1_000, None).unwrap().items.len() as u64;
        // A refill or two may come while the test runs.
        let burst = u64::from(ALL_BURST.get());
        assert!((burst..burst + 3).contains(&kept), "{kept}");
        assert_eq!(refusals.dropped() + kept, 2_000);
    }
}
