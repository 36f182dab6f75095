//! `bytes_limiting`: keeps traces while their bytes do not exceed a rate.
//!
//! ```yaml
//! - name: at-most
//!   type: bytes_limiting
//!   bytes_limiting: {bytes_per_second: 1000000, burst_capacity: 2000000}   # burst_capacity: twice the rate if not set
//! ```
//! The bucket is that of `rate_limiting`. A trace takes as many tokens as it has bytes: spans, and for each request that it came with the
//! resource and the scopes around them once. That is what the Collector counts, give or take a few bytes a request.

use super::bucket::Bucket;
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;

/// The rate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes per second.
    pub bytes_per_second: i64,
    /// Bytes at once; 0 and less are twice the rate.
    pub burst_capacity: i64,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        super::rate_limiting::check(self.bytes_per_second, self.burst_capacity, "bytes_per_second", fault);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        layout.want_sizes();
        Box::new(BytesLimiting(Bucket::of(self.bytes_per_second, self.burst_capacity)))
    }
}

struct BytesLimiting(Bucket);

impl Policy for BytesLimiting {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(self.0.take(trace.facts.size(), trace.now_ms))
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
