//! Log lines about what happens often: the first, and then one in ten seconds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Lets one complaint through now and then.
#[derive(Debug)]
pub(super) struct Complaints {
    start: Instant,
    /// Milliseconds since start at which the next one may go, 0 at first.
    next: AtomicU64,
    untold: AtomicU64,
}

const PAUSE: Duration = Duration::from_secs(10);

impl Default for Complaints {
    fn default() -> Self {
        Self { start: Instant::now(), next: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }
}

impl Complaints {
    /// If it may go: how many before it were not told.
    pub(super) fn turn(&self) -> Option<u64> {
        let now = self.start.elapsed().as_millis() as u64;
        let next = self.next.load(Relaxed);
        let pause = PAUSE.as_millis() as u64;
        if now >= next && self.next.compare_exchange(next, now + pause, Relaxed, Relaxed).is_ok() {
            return Some(self.untold.swap(0, Relaxed));
        }
        self.untold.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood of failures is one line, and the next line tells how many there were.
    #[test]
    fn one_of_many_complaints_is_told() {
        let complaints = Complaints::default();
        assert_eq!(complaints.turn(), Some(0));
        for _ in 0..100 {
            assert_eq!(complaints.turn(), None);
        }
        complaints.next.store(0, Relaxed);
        assert_eq!(complaints.turn(), Some(100));
    }
}
