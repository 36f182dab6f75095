//! `bytes_limiting`: keeps traces while their bytes do not exceed a rate.
//!
//! ```yaml
//! - name: at-most
//!   type: bytes_limiting
//!   bytes_limiting: {bytes_per_second: 1000000, burst_capacity: 2000000}   # burst_capacity: twice the rate if not set
//! ```
//! The bucket is that of `rate_limiting`. A trace takes as many tokens as it has bytes: spans, and for each request that it came with the
//! resource and the scopes around them once. That is what the Collector counts, give or take a few bytes a request.

use super::bucket::{self, Bucket};
use super::budget::Consistent;
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;
use std::sync::Arc;

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

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        fault.here(
            "does not work with sampling_strategy: span-ingest, which cannot know how many bytes a trace will have",
        );
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        layout.want_sizes();
        if layout.uses_tracestate() {
            let (rate, burst) = bucket::limits(self.bytes_per_second, self.burst_capacity);
            return Box::new(Consistent::new(rate, burst, |facts| facts.bytes, self, layout));
        }
        Box::new(BytesLimiting(layout.keep(self, |_| Bucket::of(self.bytes_per_second, self.burst_capacity))))
    }
}

struct BytesLimiting(Arc<Bucket>);

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
