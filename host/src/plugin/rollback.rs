//! Whether a new version is worse than the one before it, found out in its first minutes.
//!
//! A version that loads may still fail on real batches. So its calls are watched for `window`, from the first one. What counts as a
//! failure is an accident (a trap, a time that is used up, memory, output that makes no sense) and a batch that the plugin
//! itself refuses. The version is taken back once it has failed `failures` times and that is at least `share` of its
//! calls, counted over its whole life or over [`SLICE`] (which finds a version that works for a while and then does not). But
//! not if the version before failed about as often: then it is the data, and going back would help nobody.
//!
//! Batches that are answered without a call (the prefilter, the rest after accidents, the quarantine) count neither way,
//! so a client that repeats one poisoned batch does not bring a version down among good traffic.
//!
//! This file only counts and judges. [`super::live`] swaps; [`super::last_good`] keeps the last good version on disk.

use super::error::{Incident, RunError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Failures are also judged over so much time.
const SLICE: Duration = Duration::from_secs(10);
/// A version is worse if it fails more often than the one before, by this factor.
const WORSE: f64 = 2.0;

/// When a new version is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackSettings {
    /// How long a new version is watched; zero never takes one back.
    pub window: Duration,
    /// Failures that are needed.
    pub failures: u32,
    /// Failures that are needed, as a percentage of its calls.
    pub share_percent: u32,
}

impl Default for RollbackSettings {
    fn default() -> Self {
        Self { window: Duration::from_secs(300), failures: 5, share_percent: 10 }
    }
}

/// Calls of one version, and how many failed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Calls that ended by themselves, with a result or with the plugin's own "no".
    answers: AtomicU64,
    accidents: AtomicU64,
    refusals: AtomicU64,
}

impl Tally {
    /// A call ended by itself.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Relaxed);
    }

    /// How a batch ended; whether that is a failure of the version.
    pub(super) fn ended<T>(&self, result: &Result<T, RunError>) -> bool {
        match result {
            Ok(_) => false,
            Err(RunError::Accident(failure)) if failure.incident.is_without_a_call() => false,
            Err(RunError::Accident(_)) => {
                self.accidents.fetch_add(1, Relaxed);
                true
            }
            Err(RunError::Retryable(_) | RunError::Permanent(_)) => {
                self.refusals.fetch_add(1, Relaxed);
                true
            }
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.answers.load(Relaxed) + self.accidents.load(Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.accidents.load(Relaxed) + self.refusals.load(Relaxed)
    }

    /// Calls with a result.
    pub(super) fn successes(&self) -> u64 {
        self.calls().saturating_sub(self.failures())
    }

    /// The part of its calls that failed.
    pub(super) fn share(&self) -> f64 {
        share(self.failures(), self.calls())
    }
}

fn share(failures: u64, calls: u64) -> f64 {
    if calls == 0 { 0.0 } else { failures as f64 / calls as f64 }
}

/// What has been found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes home; the reason.
    Bad(String),
    /// It has been watched for long enough and works.
    Good,
}

/// The first minutes of a version.
#[derive(Debug)]
pub(super) struct Probation {
    settings: RollbackSettings,
    /// How often the version before failed.
    habit: f64,
    /// Its first call.
    begun: OnceLock<Instant>,
    over: AtomicBool,
    slice: Mutex<Slice>,
}

/// A stretch of time that begins with a failure.
#[derive(Debug, Default)]
struct Slice {
    begun: Option<Instant>,
    /// Calls and failures when it began.
    before: (u64, u64),
}

impl Probation {
    /// For a version whose predecessor failed in this part of its calls. It begins with the first call.
    pub(super) fn new(settings: &RollbackSettings, habit: f64) -> Self {
        let off = AtomicBool::new(settings.window.is_zero());
        let (begun, slice) = (OnceLock::new(), Mutex::default());
        Self { settings: settings.clone(), habit, begun, over: off, slice }
    }

    /// For a version that has proved itself before.
    pub(super) fn passed() -> Self {
        let settings = RollbackSettings { window: Duration::ZERO, ..RollbackSettings::default() };
        Self::new(&settings, 0.0)
    }

    /// Whether it is over, whatever came of it.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// How long it lasts still; nothing if it is over.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let begun = self.begun.get().copied().unwrap_or(now);
        (!self.is_over()).then(|| (begun + self.settings.window).saturating_duration_since(now))
    }

    /// Looks at the version after a call. A verdict is given once.
    pub(super) fn judge(&self, tally: &Tally, failed: bool, last: Option<Incident>, now: Instant) -> Option<Verdict> {
        if self.is_over() {
            return None;
        }
        let until = *self.begun.get_or_init(|| now) + self.settings.window;
        let bad = if failed { self.is_worse(tally, now) } else { None };
        let verdict = match bad {
            Some((failures, calls, span)) => {
                let last = last.map_or("refusal", Incident::as_str);
                let before = (self.habit * 100.0).round();
                Verdict::Bad(format!(
                    "{failures} of its {calls} calls {span} failed (the last one: {last}), of the version before {before} %"
                ))
            }
            None if now >= until && tally.successes() > 0 => Verdict::Good,
            None => return None,
        };
        (!self.over.swap(true, Relaxed)).then_some(verdict)
    }

    /// Failures and calls that are too much, and when.
    fn is_worse(&self, tally: &Tally, now: Instant) -> Option<(u64, u64, &'static str)> {
        let (calls, failures) = (tally.calls(), tally.failures());
        let mut slice = self.slice.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if slice.begun.is_none_or(|begun| now.saturating_duration_since(begun) > SLICE) {
            // This failure is the first of the new slice.
            *slice = Slice { begun: Some(now), before: (calls.saturating_sub(1), failures.saturating_sub(1)) };
        }
        let lately = (calls.saturating_sub(slice.before.0), failures.saturating_sub(slice.before.1));
        let too_much = |calls, failures| {
            let share = share(failures, calls);
            failures >= u64::from(self.settings.failures.max(1))
                && share * 100.0 >= f64::from(self.settings.share_percent)
                && share > self.habit * WORSE
        };
        if too_much(calls, failures) {
            return Some((failures, calls, "since it was loaded"));
        }
        too_much(lately.0, lately.1).then_some((lately.1, lately.0, "in the last seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Failure;
    use super::*;

    fn ok() -> Result<(), RunError> {
        Ok(())
    }

    fn trap() -> Result<(), RunError> {
        Err(Failure::new(Incident::Trap, "a trap").into())
    }

    fn no() -> Result<(), RunError> {
        Err(RunError::Permanent("no".to_owned()))
    }

    /// A version with a predecessor that failed so often, and so many calls one second apart; the first verdict.
    fn check(habit: f64, calls: impl IntoIterator<Item = Result<(), RunError>>) -> Option<(usize, Verdict)> {
        let start = Instant::now();
        let tally = Tally::default();
        let probation = Probation::new(&RollbackSettings::default(), habit);
        for (second, call) in calls.into_iter().enumerate() {
            if !matches!(&call, Err(RunError::Accident(_))) {
                tally.answered();
            }
            let failed = tally.ended(&call);
            let now = start + Duration::from_secs(second as u64);
            if let Some(verdict) = probation.judge(&tally, failed, Some(Incident::Trap), now) {
                assert!(probation.is_over());
                assert_eq!(probation.judge(&tally, true, None, now), None, "a verdict is given once");
                return Some((second, verdict));
            }
        }
        None
    }

    fn bad(verdict: Option<(usize, Verdict)>) -> usize {
        match verdict {
            Some((call, Verdict::Bad(_))) => call,
            other => panic!("{other:?} is not bad"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_bad_and_what_is_not() {
        use std::iter::repeat_with;
        // Fails always: known after the fifth call, whether it traps or refuses.
        assert_eq!(bad(check(0.0, repeat_with(trap).take(9))), 4);
        assert_eq!(bad(check(0.0, repeat_with(no).take(9))), 4);
        // Never fails: good once the time is over.
        assert_eq!(check(0.0, repeat_with(ok).take(900)), Some((300, Verdict::Good)));
        // One in twenty: below the share.
        let rarely = (0..900).map(|call| if call % 20 == 0 { trap() } else { ok() });
        assert_eq!(check(0.0, rarely), Some((300, Verdict::Good)));
        // One in five, but the version before did as well.
        let often = |call| if call % 5 == 0 { trap() } else { ok() };
        assert_eq!(bad(check(0.0, (0..900).map(often))), 20);
        assert_eq!(check(0.2, (0..900).map(often)).map(|(_, verdict)| verdict), Some(Verdict::Good));
        // Works for four minutes, then never again: the slice sees it at once.
        let late = (0..900).map(|call| if call < 240 { ok() } else { trap() });
        assert_eq!(bad(check(0.0, late)), 244);
        // Nothing but failures in all the time, too few of them: neither good nor bad.
        assert_eq!(check(0.0, (0..2).map(|_| trap())), None);
    }

    /// What was answered without a call says nothing about the version.
    #[tokio::test(start_paused = true)]
    async fn rest_and_quarantine_do_not_count() {
        let tally = Tally::default();
        for incident in [Incident::Resting, Incident::Quarantined] {
            assert!(!tally.ended::<()>(&Err(Failure::new(incident, "").into())));
        }
        assert_eq!((tally.calls(), tally.failures()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_of_zero_turns_it_off() {
        assert!(Probation::passed().is_over());
        let tally = Tally::default();
        assert_eq!(Probation::passed().judge(&tally, tally.ended(&trap()), None, Instant::now()), None);
    }
}
