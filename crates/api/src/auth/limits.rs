//! How often somebody may ask.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use super::refusals::quota;

/// Names or addresses told apart at a time, at some 100 bytes each. Past it those that have asked
/// for nothing lately are forgotten, and while there are none new ones share one limit.
const KEYS_MAX: usize = 10_000;
/// How often it is looked for some to forget: it walks all of them.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// Requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Of one principal, machines that ingest left out: their queue is their limit.
    pub per_principal: NonZeroU32,
    /// Of one address, whoever asks, ingest left out.
    pub per_address: NonZeroU32,
}

impl Default for RequestLimits {
    /// A console asks for some twenty things at a time, and a script for what it gets.
    fn default() -> Self {
        let some = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_principal: some(200), per_address: some(500) }
    }
}

/// Wrong credentials of one address: so many at once …
const FAILURES_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// … and one more after each such time.
const FAILURES_EVERY: Duration = Duration::from_secs(6);

/// The limits of all callers.
pub(crate) struct Limits {
    principals: Keyed<String>,
    addresses: Keyed<IpAddr>,
    failures: Keyed<IpAddr>,
}

impl Limits {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            principals: Keyed::new(Quota::per_second(limits.per_principal)),
            addresses: Keyed::new(Quota::per_second(limits.per_address)),
            failures: Keyed::every(FAILURES_EVERY, FAILURES_BURST),
        }
    }

    /// A request of an address; an error says after how long the next one is taken.
    pub(crate) fn address(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        address.map_or(Ok(()), |address| self.addresses.check(&block_of(address)))
    }

    /// A request of a principal.
    pub(crate) fn principal(&self, name: &str) -> Result<(), Duration> {
        self.principals.check(&name.to_owned())
    }

    /// Wrong credentials of an address.
    pub(crate) fn failure(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        address.map_or(Ok(()), |address| self.failures.check(&block_of(address)))
    }
}

/// One subscriber of IPv6 has a block of 64 bits, and would be as many callers.
pub(super) fn block_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// A limit for each key.
pub(super) struct Keyed<K: Hash + Eq + Clone> {
    each: DefaultKeyedRateLimiter<K>,
    rest: DefaultDirectRateLimiter,
    tidied: Mutex<Instant>,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    pub(super) fn every(every: Duration, burst: NonZeroU32) -> Self {
        Self::new(quota(every, burst))
    }

    fn new(quota: Quota) -> Self {
        Self {
            each: RateLimiter::keyed(quota),
            rest: RateLimiter::direct(quota),
            tidied: Mutex::new(Instant::now()),
        }
    }

    /// One more of a key; an error says after how long it would be taken.
    pub(super) fn check(&self, key: &K) -> Result<(), Duration> {
        let wait =
            |until: governor::NotUntil<_>| until.wait_time_from(DefaultClock::default().now());
        if self.each.len() >= KEYS_MAX && !self.tidy() {
            return self.rest.check().map_err(wait);
        }
        self.each.check_key(key).map_err(wait)
    }

    /// Forgets those who have asked for nothing lately; answers whether there is room.
    fn tidy(&self) -> bool {
        let mut tidied = self.tidied.lock();
        if tidied.elapsed() < TIDY_EVERY {
            return false;
        }
        *tidied = Instant::now();
        self.each.retain_recent();
        self.each.len() < KEYS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_limit() {
        let keyed = Keyed::every(Duration::from_hours(1), NonZeroU32::new(2).unwrap());
        let took: Vec<bool> =
            [1, 1, 1, 2, 2, 2].iter().map(|key| keyed.check(key).is_ok()).collect();
        assert_eq!(took, [true, true, false, true, true, false]);
        let wait = keyed.check(&1).unwrap_err();
        assert!(wait > Duration::from_mins(50) && wait <= Duration::from_hours(1), "{wait:?}");
    }

    #[test]
    fn too_many_keys_share_one_limit() {
        let keyed = Keyed::every(Duration::from_hours(1), NonZeroU32::MIN);
        let taken = (0..KEYS_MAX + 100).filter(|key| keyed.check(key).is_ok()).count();
        assert_eq!(taken, KEYS_MAX + 1);
        assert_eq!(keyed.each.len(), KEYS_MAX);
    }

    #[test]
    fn a_block_of_addresses_is_one_caller() {
        for (a, b, same) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let block = |text: &str| block_of(text.parse().unwrap());
            assert_eq!(block(a) == block(b), same, "{a} {b}");
        }
    }
}
