//! A token bucket that all shards share without a lock.
//!
//! It is the one of the Collector's limiters (`golang.org/x/time/rate`): full at the start, filled with time up to its burst;
//! who asks for more than is there gets nothing and takes nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The instant at which the bucket would have been empty, in nanoseconds: it holds what has flowed in since. One number says
/// everything, so one compare-and-swap takes tokens.
#[derive(Debug)]
pub(super) struct Bucket {
    empty_at_ns: AtomicU64,
    ns_per_token: f64,
    burst: u64,
}

/// Rate and burst as they are configured: twice the rate if there is no burst, and nothing flows in at a rate of 0 or less.
pub(super) fn limits(tokens_per_second: i64, burst: i64) -> (u64, u64) {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    (count(tokens_per_second), count(if burst > 0 { burst } else { tokens_per_second.saturating_mul(2) }))
}

/// Instants are counted from so long before the start of the clock, so that a full bucket was empty in the past.
const BEFORE_NS: u64 = 1 << 62;

impl Bucket {
    /// A full bucket with [`limits`].
    pub(super) fn of(tokens_per_second: i64, burst: i64) -> Self {
        let (rate, burst) = limits(tokens_per_second, burst);
        Self::new(rate as f64, burst)
    }

    /// A full bucket.
    pub(super) fn new(tokens_per_second: f64, burst: u64) -> Self {
        let bucket = Self {
            empty_at_ns: AtomicU64::new(0),
            ns_per_token: if tokens_per_second == 0.0 { f64::INFINITY } else { 1e9 / tokens_per_second },
            burst,
        };
        if bucket.ns_per_token.is_finite() {
            bucket.empty_at_ns.store(BEFORE_NS.saturating_sub(bucket.fill_ns(burst)), Relaxed);
        }
        bucket
    }

    /// Takes `tokens` if they are there at `now_ms` of a clock that began at 0.
    pub(super) fn take(&self, tokens: u64, now_ms: u64) -> bool {
        if tokens > self.burst {
            return false;
        }
        if self.ns_per_token.is_infinite() {
            // Nothing flows in: it is the number of tokens that were taken.
            let taken = |before: u64| before.checked_add(tokens).filter(|after| *after <= self.burst);
            return self.empty_at_ns.fetch_update(Relaxed, Relaxed, taken).is_ok();
        }
        let now_ns = now_ns(now_ms);
        let taken = |empty_at: u64| {
            let empty_at = self.not_overflown(empty_at, now_ns).saturating_add(self.fill_ns(tokens));
            (empty_at <= now_ns).then_some(empty_at)
        };
        self.empty_at_ns.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }

    /// Takes `tokens` even if they are not there: they are missing later.
    pub(super) fn spend(&self, tokens: u64, now_ms: u64) {
        let now_ns = now_ns(now_ms);
        let spent = |state: u64| match self.ns_per_token.is_finite() {
            true => Some(self.not_overflown(state, now_ns).saturating_add(self.fill_ns(tokens))),
            false => Some(state.saturating_add(tokens)),
        };
        let _ = self.empty_at_ns.fetch_update(Relaxed, Relaxed, spent);
    }

    /// How many whole tokens are there.
    pub(super) fn tokens(&self, now_ms: u64) -> u64 {
        if self.ns_per_token.is_infinite() {
            return self.burst.saturating_sub(self.empty_at_ns.load(Relaxed));
        }
        let now_ns = now_ns(now_ms);
        let empty_at = self.not_overflown(self.empty_at_ns.load(Relaxed), now_ns);
        (now_ns.saturating_sub(empty_at) as f64 / self.ns_per_token) as u64
    }

    /// The most that it can hold.
    pub(super) fn burst(&self) -> u64 {
        self.burst
    }

    /// When it would have been empty, if what flowed over is not counted.
    fn not_overflown(&self, empty_at: u64, now_ns: u64) -> u64 {
        empty_at.max(now_ns.saturating_sub(self.fill_ns(self.burst)))
    }

    /// How long it takes until so many tokens have flowed in.
    fn fill_ns(&self, tokens: u64) -> u64 {
        (tokens as f64 * self.ns_per_token) as u64
    }
}

fn now_ns(now_ms: u64) -> u64 {
    BEFORE_NS.saturating_add(now_ms.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_at_the_start_then_as_time_fills_it() {
        let bucket = Bucket::new(10.0, 20);
        assert!(!bucket.take(21, 0), "more than the burst never passes");
        assert!(bucket.take(15, 0) && bucket.take(5, 0));
        assert!(!bucket.take(1, 0) && !bucket.take(1, 99));
        assert!(bucket.take(1, 100));
        assert!(!bucket.take(10, 1_000), "who asks for too much takes nothing");
        assert!(bucket.take(9, 1_000));
        assert!(bucket.take(20, 100_000) && !bucket.take(1, 100_000), "it does not overflow");
    }

    #[test]
    fn what_is_there_and_what_is_owed() {
        let bucket = Bucket::new(10.0, 20);
        assert_eq!((bucket.tokens(0), bucket.burst()), (20, 20));
        bucket.spend(25, 0);
        assert_eq!((bucket.tokens(400), bucket.tokens(500), bucket.tokens(1_000)), (0, 0, 5));
        assert!(!bucket.take(1, 500) && bucket.take(5, 1_000));
        assert_eq!((bucket.tokens(1_000), bucket.tokens(100_000)), (0, 20));
    }

    #[test]
    fn an_empty_rate_lets_nothing_pass() {
        let bucket = Bucket::of(0, 0);
        assert!(!bucket.take(1, 0) && !bucket.take(1, u64::MAX / 2));
        assert!(!Bucket::of(-5, 0).take(1, 1_000));
    }

    /// What is in it at the start can be taken, once.
    #[test]
    fn an_empty_rate_with_a_burst() {
        let bucket = Bucket::of(0, 10);
        assert!(bucket.take(6, 0) && !bucket.take(5, 1_000) && bucket.take(4, 2_000) && !bucket.take(1, u64::MAX / 2));
        assert!(Bucket::of(-5, 1).take(1, 0));
    }
}
