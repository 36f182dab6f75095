//! `latency`: keeps traces that took long, from the earliest start to the latest end of the spans that are there.
//!
//! ```yaml
//! - name: slow
//!   type: latency
//!   latency: {threshold_ms: 1000, upper_threshold_ms: 0}
//! ```
//! Durations are cut to whole milliseconds before they are compared, as in the Collector, and a span with an end and without a
//! start has lasted since 1970. With an upper bound the Collector looks at the spans one by one, and keeps the trace if what has
//! come so far is within the bounds: there the order of the spans matters, here the whole trace counts.

use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;

/// Bounds of the duration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A trace is kept if it took longer than this, in milliseconds.
    pub threshold_ms: i64,
    /// A trace is kept only if it took no longer than this, in milliseconds; 0 is no bound.
    pub upper_threshold_ms: i64,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.upper_threshold_ms != 0 && self.upper_threshold_ms <= self.threshold_ms {
            fault.warn("upper_threshold_ms", "is not greater than threshold_ms: no trace is kept");
        }
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        if self.upper_threshold_ms > 0 {
            fault.at(
                "upper_threshold_ms",
                "does not work with sampling_strategy: span-ingest: later spans can make the trace longer than that",
            );
        }
    }

    fn build(&self, _: &mut Layout) -> Box<dyn Policy> {
        Box::new(Latency {
            above_ms: self.threshold_ms,
            up_to_ms: if self.upper_threshold_ms == 0 { i64::MAX } else { self.upper_threshold_ms },
        })
    }
}

struct Latency {
    above_ms: i64,
    up_to_ms: i64,
}

impl Policy for Latency {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        let took_ms = trace.facts.duration_ms();
        Vote::sampled_if(took_ms > self.above_ms && took_ms <= self.up_to_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::tail_sampling::policy::Facts;

    /// Strictly longer than the lower bound, up to and including the upper one, in whole milliseconds.
    #[test]
    fn bounds() {
        let check = |threshold_ms, upper_threshold_ms, took_us: u64, expected| {
            let policy = Config { threshold_ms, upper_threshold_ms }.build(&mut Layout::default());
            let start_ns = 1_700_000_000_000_000_000;
            let facts = Facts { start_ns, end_ns: start_ns + took_us * 1000, ..Facts::default() };
            let vote = policy.vote(&Trace::new(&[1; 16], &facts, 0));
            assert_eq!(vote == Vote::Sampled, expected, "{threshold_ms} {upper_threshold_ms} {took_us}");
        };
        check(1000, 0, 1_000_000, false);
        check(1000, 0, 1_000_999, false);
        check(1000, 0, 1_001_000, true);
        check(0, 0, 0, false);
        check(1000, 2000, 1_000_000, false);
        check(1000, 2000, 1_001_000, true);
        check(1000, 2000, 2_000_999, true);
        check(1000, 2000, 2_001_000, false);
    }

    /// A clock that ran backwards is no long trace.
    #[test]
    fn end_before_start() {
        let policy = Config::default().build(&mut Layout::default());
        let facts = Facts { start_ns: 9_000_000_000, end_ns: 1, ..Facts::default() };
        assert_eq!(policy.vote(&Trace::new(&[1; 16], &facts, 0)), Vote::NotSampled);
    }
}
