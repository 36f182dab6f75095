//! How long a thread has computed, which is not how long it took where the thread has to wait for a processor.

use super::super::{Priority, take_place};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// The number of the threads that are not of a lane, but as slow.
pub(super) const ASIDE: u8 = u8::MAX;

thread_local! {
    /// The number of this thread beside the workers, from 1; 0 is a thread of normal priority.
    static NUMBER: Cell<u8> = const { Cell::new(0) };
}

/// Makes this thread one beside the workers, with this number.
pub(super) fn take_number(number: u8) {
    NUMBER.set(number);
}

/// Makes this thread one of low priority, for work that may take long beside the workers: like a thread of the lane, but its
/// owner gives it its work.
pub(crate) fn step_aside() {
    take_place(Priority::Low);
    NUMBER.set(ASIDE);
}

/// A moment, to tell how long a thread has computed since.
///
/// On a worker that is the time that passed. A thread of low priority may have to wait for a processor, and that is not the
/// fault of the work: there it is the processor's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// The number of the thread is in the highest byte: processor times of two threads have nothing to do with each other.
const NUMBER_AT: u32 = 56;

impl Moment {
    /// Now, on this thread, in a life that began at `born`.
    pub(crate) fn now(born: Instant) -> Self {
        let number = NUMBER.get();
        let time = if number == 0 { born.elapsed() } else { processor_time() };
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) & ((1 << NUMBER_AT) - 1);
        Self(nanos | u64::from(number) << NUMBER_AT)
    }

    /// Time that was computed from `earlier` until now; nothing if that was on another thread, since work is moved only
    /// between two looks at the clock.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        if self.0 >> NUMBER_AT != earlier.0 >> NUMBER_AT {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// As one number, for an atomic.
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`Self::to_bits`].
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(unix)]
pub(super) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of two threads are not compared.
    #[test]
    fn moments() {
        let born = Instant::now();
        let here = Moment::now(born);
        assert!(Moment::now(born).since(here) < Duration::from_secs(60));
        let elsewhere = Moment::from_bits(here.to_bits() | 1 << NUMBER_AT);
        assert_eq!((here.since(elsewhere), elsewhere.since(here)), (Duration::ZERO, Duration::ZERO));
        NUMBER.set(3);
        let computing = Moment::now(born);
        std::thread::sleep(Duration::from_millis(20));
        assert!(Moment::now(born).since(computing) < Duration::from_millis(20), "a wait is no computing");
    }
}
