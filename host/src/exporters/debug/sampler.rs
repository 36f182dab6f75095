//! Lets the first batches of each second pass, and then some.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Sampler {
    initial: u64,
    thereafter: u64,
    /// When this second began, and how many came in it.
    second: Mutex<(Option<Instant>, u64)>,
}

impl Sampler {
    pub(super) fn new(initial: u64, thereafter: u64) -> Self {
        Self { initial, thereafter, second: Mutex::default() }
    }

    pub(super) fn pass(&self) -> bool {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0.is_none_or(|began| began.elapsed() >= SECOND) {
            *second = (Some(Instant::now()), 0);
        }
        second.1 += 1;
        match second.1.checked_sub(self.initial) {
            None | Some(0) => true,
            Some(over) => over.checked_rem(self.thereafter) == Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(initial: u64, thereafter: u64) -> Vec<u64> {
        let sampler = Sampler::new(initial, thereafter);
        let mut passed = (1..=10).filter(|_| sampler.pass()).collect::<Vec<u64>>();
        tokio::time::advance(SECOND).await;
        passed.extend((11..=13).filter(|_| sampler.pass()));
        passed
    }

    #[tokio::test(start_paused = true)]
    async fn first_some_then_every_so_many_each_second() {
        assert_eq!(passed(2, 3).await, [1, 2, 5, 8, 11, 12]);
        assert_eq!(passed(2, 0).await, [1, 2, 11, 12]);
        assert_eq!(passed(0, 1).await, (1..=13).collect::<Vec<_>>());
    }
}
