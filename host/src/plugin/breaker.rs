//! Rest after traps: a plugin that traps on everything must not cost a new instance for every batch.
//!
//! After [`TRAPS_BEFORE_REST`] accidents in a row calls fail at once for a while, which doubles with each further
//! accident up to [`REST_MAX`]. After a rest one call is let through while the others go on resting; one good call ends
//! it. Accidents on an input that is known for them are left out (see
//! [`super::quarantine`]): one poisoned batch that comes again and again is no reason to refuse its neighbours.

use std::time::Duration;
use tokio::time::Instant;

/// Accidents in a row that are taken as bad luck.
const TRAPS_BEFORE_REST: u32 = 3;
const REST_MIN: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(5);

/// Counts accidents in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    accidents: u32,
    rests_until: Option<Instant>,
}

impl Breaker {
    /// How long it still rests.
    pub(super) fn resting(&self, now: Instant) -> Option<Duration> {
        self.rests_until.and_then(|until| until.checked_duration_since(now)).filter(|rest| !rest.is_zero())
    }

    /// Whether a call may be made now: `None`, or how long it has to wait. After a rest one call at a time may try.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Duration> {
        let resting = self.resting(now);
        if resting.is_none() && self.rests_until.is_some() {
            self.rests_until = Some(now + self.rest());
        }
        resting
    }

    /// How long it rests after so many accidents.
    fn rest(&self) -> Duration {
        let excess = self.accidents.saturating_sub(TRAPS_BEFORE_REST);
        REST_MIN.saturating_mul(1 << excess.min(10)).min(REST_MAX)
    }

    /// A call ended well.
    pub(super) fn good(&mut self) {
        *self = Self::default();
    }

    /// A call ended in an accident.
    pub(super) fn accident(&mut self, now: Instant) {
        self.accidents = self.accidents.saturating_add(1);
        if self.accidents >= TRAPS_BEFORE_REST {
            self.rests_until = Some(now + self.rest());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rests_longer_and_longer_and_recovers_at_once() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        breaker.accident(start);
        breaker.accident(start);
        assert_eq!(breaker.resting(start), None);
        breaker.accident(start);
        assert_eq!(breaker.resting(start), Some(REST_MIN));
        breaker.accident(start);
        assert_eq!(breaker.resting(start), Some(2 * REST_MIN));
        assert_eq!(breaker.resting(start + 2 * REST_MIN), None);
        for _ in 0..100 {
            breaker.accident(start);
        }
        assert_eq!(breaker.resting(start), Some(REST_MAX));
        breaker.good();
        assert_eq!(breaker.resting(start), None);
    }

    /// After a rest one call tries, and the others go on resting until it has ended.
    #[tokio::test(start_paused = true)]
    async fn one_call_tries() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!((breaker.admit(start), breaker.admit(start)), (None, None));
        (0..3).for_each(|_| breaker.accident(start));
        let after = start + REST_MIN;
        let admitted = (breaker.admit(start), breaker.admit(after), breaker.admit(after));
        assert_eq!(admitted, (Some(REST_MIN), None, Some(REST_MIN)));
        // Nothing is heard of it: another one tries after another rest.
        assert_eq!(breaker.admit(after + REST_MIN), None);
        breaker.good();
        assert_eq!((breaker.admit(after), breaker.admit(after)), (None, None));
    }
}
