//! How long to wait before the next attempt: exponential with jitter. Pure; it needs no clock.

use super::settings::RetrySettings;
use std::time::Duration;

/// No wait is shorter: settings of zero must not make a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// The waits of one batch.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    interval: Duration,
    max_interval: Duration,
    multiplier: f64,
    randomization_factor: f64,
}

impl Backoff {
    pub(super) fn new(settings: &RetrySettings) -> Self {
        Self {
            interval: settings.initial_interval.0,
            max_interval: settings.max_interval.0,
            multiplier: settings.multiplier,
            randomization_factor: settings.randomization_factor,
        }
    }

    /// The next wait, somewhere in `interval * (1 ± randomization_factor)`; `random` is in `[0, 1)`.
    pub(super) fn next(&mut self, random: f64) -> Duration {
        let spread = 1.0 - self.randomization_factor + 2.0 * self.randomization_factor * random;
        let wait = scale(self.interval, spread);
        self.interval = scale(self.interval, self.multiplier).min(self.max_interval);
        wait.max(SHORTEST)
    }
}

/// `duration * factor`; the longest duration when that does not fit.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::GoDuration;

    fn waits(settings: &RetrySettings, random: f64, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::new(settings);
        (0..count).map(|_| backoff.next(random)).collect()
    }

    #[test]
    fn defaults_grow_to_the_maximum_and_stay_there() {
        let seconds: Vec<f64> = waits(&RetrySettings::default(), 0.5, 7).iter().map(Duration::as_secs_f64).collect();
        assert_eq!(seconds, [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0]);
    }

    #[test]
    fn jitter_spans_the_factor_both_ways() {
        assert_eq!(waits(&RetrySettings::default(), 0.0, 1)[0], Duration::from_millis(2500));
        let longest = waits(&RetrySettings::default(), 0.999_999, 1)[0];
        assert!(longest < Duration::from_millis(7500) && longest > Duration::from_millis(7499), "{longest:?}");
    }

    /// Settings that make no sense still give waits: never zero, never an overflow.
    #[test]
    fn extremes_do_not_spin_or_overflow() {
        let zero =
            RetrySettings { initial_interval: GoDuration(Duration::ZERO), multiplier: 0.0, ..Default::default() };
        assert_eq!(waits(&zero, 0.7, 3), [SHORTEST; 3]);
        let huge = GoDuration(Duration::MAX);
        let huge =
            RetrySettings { initial_interval: huge, max_interval: huge, multiplier: 1e300, ..Default::default() };
        assert_eq!(waits(&huge, 0.9, 3), [Duration::MAX; 3]);
    }
}
