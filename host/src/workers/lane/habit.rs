//! Whether work of one kind takes long: where it begins the next time.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How many times work must do better to be trusted with a better place.
pub(super) const FORGOTTEN_AFTER: u8 = 20;
/// How many times what is new must be quick to be trusted.
const TRUSTED_AFTER: u8 = 3;
/// What keeps its thread for so long is slow without a second time.
const FAR_TOO_SLOW: Duration = Duration::from_millis(5);
/// The last time was slow without any doubt. Once is no habit: an instance may have been replaced.
const SLOW_ONCE: u8 = SUSPECTED - 1;
/// What took long may have waited for a processor.
const SUSPECTED: u8 = u8::MAX;

/// Where work of one kind has its place.
///
/// On a busy machine a thread may lose its processor in the middle of quick work, so that a poll which took long is a
/// suspicion only: the next ones are measured in the processor's time, which costs two system calls, until one was quick. What is
/// new is taken for slow: a call may do what nothing interrupts, like filling all of its memory, and a worker is no place to
/// find that out.
///
/// The number counts down what is known: above [`FORGOTTEN_AFTER`] the work is endless, above 0 it is slow.
#[derive(Debug)]
pub(crate) struct Habit(AtomicU8);

impl Default for Habit {
    fn default() -> Self {
        Self(AtomicU8::new(TRUSTED_AFTER))
    }
}

impl Habit {
    pub(super) fn is_slow(&self) -> bool {
        (1..SLOW_ONCE).contains(&self.0.load(Relaxed))
    }

    pub(super) fn is_endless(&self) -> bool {
        (FORGOTTEN_AFTER + 1..SLOW_ONCE).contains(&self.0.load(Relaxed))
    }

    /// Whether only exact times count.
    pub(super) fn is_suspected(&self) -> bool {
        self.0.load(Relaxed) >= SLOW_ONCE
    }

    /// A poll took so long, in exact time, and that is slow.
    pub(super) fn was_slow(&self, took: Duration) {
        self.change(|now| match now {
            SUSPECTED | 0 if took < FAR_TOO_SLOW => Some(SLOW_ONCE),
            SUSPECTED | 0 => Some(FORGOTTEN_AFTER),
            ..=FORGOTTEN_AFTER | SLOW_ONCE => Some(FORGOTTEN_AFTER),
            // It was not endless this time.
            now => Some(now - 1),
        });
    }

    /// What it did is slow, whatever the clock says.
    pub(crate) fn did_much(&self) {
        self.was_slow(Duration::ZERO);
    }

    /// It computes and computes.
    pub(super) fn was_endless(&self) {
        self.0.store(2 * FORGOTTEN_AFTER, Relaxed);
    }

    /// A poll took long, but perhaps it had to wait.
    pub(super) fn suspect(&self) {
        self.change(|now| (now == 0).then_some(SUSPECTED));
    }

    /// It was done, and took less than [`SLOW`](super::SLOW). Its owner says so: that nothing was to be done is no reason to
    /// trust it.
    pub(crate) fn was_quick(&self) {
        if self.0.load(Relaxed) > 0 {
            self.change(|now| match now {
                SUSPECTED | SLOW_ONCE => Some(0),
                now => now.checked_sub(1),
            });
        }
    }

    /// Two at once may both count: it is a habit, no ledger.
    fn change(&self, change: impl FnMut(u8) -> Option<u8>) {
        let _ = self.0.fetch_update(Relaxed, Relaxed, change);
    }
}

#[cfg(test)]
impl Habit {
    /// Of work that has been quick so far.
    pub(super) fn trusted() -> Self {
        let habit = Self::default();
        (0..TRUSTED_AFTER).for_each(|_| habit.was_quick());
        habit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up by what was slow and endless, down one by one.
    #[test]
    fn places() {
        let habit = Habit::default();
        let place = || (habit.is_suspected(), habit.is_slow(), habit.is_endless());
        let (trusted, suspected) = ((false, false, false), (true, false, false));
        let (slow, endless) = ((false, true, false), (false, true, true));
        for _ in 0..TRUSTED_AFTER {
            assert_eq!(place(), slow, "what is new");
            habit.was_quick();
        }
        assert_eq!(place(), trusted);
        habit.suspect();
        habit.was_quick();
        assert_eq!(place(), trusted);
        habit.did_much();
        assert_eq!(place(), suspected, "once is no habit");
        habit.was_quick();
        assert_eq!(place(), trusted);
        (0..3).for_each(|_| habit.did_much());
        habit.suspect();
        assert_eq!(place(), slow);
        habit.was_endless();
        for _ in 0..FORGOTTEN_AFTER {
            assert_eq!(place(), endless);
            habit.did_much();
        }
        for _ in 0..FORGOTTEN_AFTER {
            assert_eq!(place(), slow);
            habit.was_quick();
        }
        assert_eq!(place(), trusted);
        habit.was_quick();
        assert_eq!(place(), trusted);
        habit.was_slow(FAR_TOO_SLOW);
        assert_eq!(place(), slow, "there is no doubt");
    }
}
