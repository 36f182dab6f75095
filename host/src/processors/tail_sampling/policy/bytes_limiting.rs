//! `bytes_limiting`: keeps traces while the bytes of their spans do not exceed a rate.
//!
//! ```yaml
//! - name: at-most
//!   type: bytes_limiting
//!   bytes_limiting: {bytes_per_second: 1000000, burst_capacity: 2000000}   # burst_capacity: twice the rate if not set
//! ```
//! The bucket is that of `rate_limiting`. A trace takes as many tokens as its encoded spans have bytes; the resources and scopes
//! around them, which several traces share, are not counted.

use super::bucket::Bucket;
use super::budget::{Budget, Consistent};
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;

/// The rate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes per second.
    pub bytes_per_second: i64,
    /// Bytes at once; 0 is twice the rate.
    pub burst_capacity: i64,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.bytes_per_second <= 0 {
            fault.at("bytes_per_second", "must be greater than zero");
        }
        if self.burst_capacity < 0 {
            fault.at("burst_capacity", "must not be negative");
        }
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        fault.here(
            "does not work with sampling_strategy: span-ingest, which cannot know how many bytes a trace will have",
        );
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let rate = self.bytes_per_second.unsigned_abs();
        let burst = if self.burst_capacity == 0 { rate.saturating_mul(2) } else { self.burst_capacity.unsigned_abs() };
        if layout.uses_tracestate() {
            return Box::new(Consistent(Budget::new(rate, burst, |facts| facts.bytes, layout)));
        }
        Box::new(BytesLimiting(Bucket::new(rate as f64, burst)))
    }
}

struct BytesLimiting(Bucket);

impl Policy for BytesLimiting {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(self.0.take(trace.facts.bytes, trace.now_ms))
    }

    fn is_pure(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, votes_at};
    use super::*;

    #[test]
    fn bytes_are_tokens() {
        let sample = Sample::of(1);
        let bytes = i64::try_from(sample.bytes()).unwrap();
        let config = Config { bytes_per_second: bytes, burst_capacity: 0 };
        let votes = votes_at(&config, &[(&sample, 0), (&sample, 0), (&sample, 0), (&sample, 1_000), (&sample, 1_500)]);
        assert_eq!(votes, [true, true, false, true, false]);
    }
}
