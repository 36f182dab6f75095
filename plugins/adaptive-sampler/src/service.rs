//! What is known of one service, and the rate that follows from it.
//!
//! **The rule.** A service that had `load` spans per second if all of its traces were kept gets the rate `target / load`. The load is
//! not simply what arrives: a trace that is kept for another reason (an error, another service with a higher rate) brings
//! spans of this service along. So the load of a window is what will have been kept of the service in it, divided by its
//! rate: without other reasons, that is what arrived; with them it is more, the rate becomes lower, and it settles where
//! all that is kept together is the target. "Will have been kept" is a sum of probabilities, not a count of kept
//! spans: with few traces a count would jump from window to window, and the rate with it.
//!
//! **Time.** Windows of `window_seconds`; half of the load is what it was before, half is the last window. A window ends early once
//! twice the spans are kept that it may have, and then counts alone: so a sudden tenfold load is answered within a fraction of a
//! window, and of a service that was never seen before not more than that is kept at the first go.
//!
//! **Traces that were sampled before.** If clients have already sampled by the same randomness (the id of the trace), those that arrive all
//! lie in its upper part, and more of them pass than the probability says. How many more shows the number of those kept
//! beside the number expected ([`Evidence`]); by that factor the rate is lowered.

use serde::{Deserialize, Serialize};

/// However much of a service is kept for other reasons, this part of its target remains for its own rate: the rate is never
/// lower than what it would be for a load of so many times what arrives.
const OTHER_REASONS_MAX: f64 = 10.0;
/// A window ends early once so many times the spans are kept that it may have.
const BURST: f64 = 2.0;
/// The shortest time that is taken for the length of a window, in seconds: traces are decided in lumps, several times per second.
const SHORTEST: f64 = 1.0;
const NANOS: f64 = 1e9;

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Spans per second if all were kept; unknown until the end of its first window.
    load: Option<f64>,
    evidence: Evidence,
    window: Window,
}

/// What happened since the rate was last set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    /// In nanoseconds since 1970.
    start: u64,
    /// Spans that arrived.
    arrived: f64,
    /// Spans that will have been kept, as far as probabilities say.
    expected: f64,
    /// Spans that were kept.
    kept: f64,
}

/// Traces that the rate decided: how many should have been kept, and how many were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Evidence {
    expected: f64,
    kept: f64,
}

impl Evidence {
    /// Traces that are assumed to have been as expected, so that a few do not count for much.
    const PRIOR: f64 = 20.0;
    /// From so many expected ones on, older ones fade.
    const MAX: f64 = 500.0;

    fn add(&mut self, probability: f64, kept: bool) {
        self.expected += probability;
        self.kept += f64::from(u8::from(kept));
        if self.expected > Self::MAX {
            self.expected /= 2.0;
            self.kept /= 2.0;
        }
    }

    /// How many times more traces pass a threshold than its probability says.
    fn factor(&self) -> f64 {
        (self.kept + Self::PRIOR) / (self.expected + Self::PRIOR)
    }
}

/// A decision on a trace, as one of its services sees it.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// Spans of this service in the trace.
    pub spans: f64,
    /// The probability with which it was decided; `None` if it was kept for another reason.
    pub probability: Option<f64>,
    /// Whether it was kept.
    pub kept: bool,
}

impl Service {
    /// One that is seen for the first time.
    pub fn new(now: u64) -> Self {
        Self { load: None, evidence: Evidence::default(), window: Window { start: now, ..Window::default() } }
    }

    /// The share of its traces that is to be kept.
    pub fn rate(&self, target: f64) -> f64 {
        self.load.map_or(1.0, |load| if load <= target { 1.0 } else { target / load })
    }

    /// Sets the rate anew if it is time, before a trace is decided. Says whether it did.
    pub fn tick(&mut self, now: u64, target: f64, window_seconds: f64) -> bool {
        if now < self.window.start {
            // The clock was set back.
            self.window = Window { start: now, ..Window::default() };
            return false;
        }
        let elapsed = (now - self.window.start) as f64 / NANOS;
        let early = self.window.kept > BURST * target * window_seconds;
        if elapsed < window_seconds && !early {
            return false;
        }
        let load = self.load_of_window(elapsed.max(SHORTEST), target);
        // After a long silence there is more new than old.
        let new = if early { 1.0 } else { 1.0 - 0.5_f64.powf(elapsed / window_seconds) };
        self.load = Some(self.load.map_or(load, |old| old + (load - old) * new));
        self.window = Window { start: now, ..Window::default() };
        true
    }

    fn load_of_window(&self, seconds: f64, target: f64) -> f64 {
        let Window { arrived, expected, .. } = self.window;
        let most = OTHER_REASONS_MAX * arrived * self.evidence.factor().max(1.0);
        (expected / self.rate(target)).min(most) / seconds
    }

    /// Takes note of a decision.
    pub fn note(&mut self, decided: Decided) {
        let Decided { spans, probability, kept } = decided;
        let chance = match probability {
            Some(probability) if probability < 1.0 => {
                self.evidence.add(probability, kept);
                (probability * self.evidence.factor()).min(1.0)
            }
            _ => 1.0,
        };
        self.window.arrived += spans;
        self.window.expected += spans * chance;
        if kept {
            self.window.kept += spans;
        }
    }

    /// When its window began: it was last seen after that, at most one window ago or never since.
    pub fn seen(&self) -> u64 {
        self.window.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_700_000_000 * SECOND;

    /// A second of a service: `spans` one-span traces, kept by probability, and `others` that are kept anyway, as evenly
    /// as can be, so that the arithmetic shows.
    fn second(service: &mut Service, now: u64, spans: usize, others: usize) {
        let all = spans + others;
        let mut due = 0.5;
        for number in 0..all {
            service.tick(now + number as u64 * SECOND / all as u64, 100.0, 5.0);
            let is_other = (number + 1) * others / all > number * others / all;
            let probability = (!is_other).then(|| service.rate(100.0));
            due += probability.unwrap_or(0.0);
            let kept = is_other || due >= 1.0;
            due -= if kept && !is_other { 1.0 } else { 0.0 };
            service.note(Decided { spans: 1.0, probability, kept });
        }
    }

    #[test]
    fn a_load_below_the_target_is_kept_whole() {
        let mut service = Service::new(START);
        for at in 0..60 {
            second(&mut service, START + at * SECOND, 80, 0);
            assert_eq!(service.rate(100.0), 1.0);
        }
    }

    #[test]
    fn the_rate_is_target_over_load() {
        let mut service = Service::new(START);
        for at in 0..20 {
            second(&mut service, START + at * SECOND, 400, 0);
        }
        assert!((service.rate(100.0) - 0.25).abs() < 0.01, "{service:?}");
    }

    /// What is kept for other reasons counts towards the target: 60 of 100 leave 40 of 400 for the rate.
    #[test]
    fn other_reasons_leave_the_rest() {
        let mut service = Service::new(START);
        for at in 0..120 {
            second(&mut service, START + at * SECOND, 400, 60);
        }
        assert!((service.rate(100.0) - 0.1).abs() < 0.01, "{service:?}");
    }

    /// More other reasons than the target: the rate stays at a tenth of what it was without, and comes back when they are gone.
    #[test]
    fn too_many_other_reasons_do_not_starve_the_rest() {
        let mut service = Service::new(START);
        for at in 0..300 {
            second(&mut service, START + at * SECOND, 400, 600);
        }
        assert!((service.rate(100.0) - 0.01).abs() < 0.001, "{service:?}");
        for at in 300..360 {
            second(&mut service, START + at * SECOND, 400, 0);
        }
        assert!((service.rate(100.0) - 0.25).abs() < 0.02, "{service:?}");
    }

    /// A clock that jumps, either way, makes neither a rate of nothing nor a window that never ends.
    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let mut service = Service::new(START);
        for at in 0..20 {
            second(&mut service, START + at * SECOND, 400, 0);
        }
        for from in [START - 3600 * SECOND, START + 86_400 * SECOND] {
            for at in 0..20 {
                second(&mut service, from + at * SECOND, 400, 0);
                let rate = service.rate(100.0);
                assert!((0.1..=1.0).contains(&rate), "{rate}");
            }
            assert!((service.rate(100.0) - 0.25).abs() < 0.01, "{service:?}");
        }
    }
}
