//! `rate_limiting`: keeps traces while their spans do not exceed a rate.
//!
//! ```yaml
//! - name: at-most
//!   type: rate_limiting
//!   rate_limiting: {spans_per_second: 100, burst_capacity: 200}   # burst_capacity: twice the rate if not set
//! ```
//! A token bucket, filled at the rate, holding `burst_capacity` at most and full at the start. A trace takes as many tokens
//! as it has spans, or none and is not kept; one that is larger than the burst is never kept.

use super::bucket::{self, Bucket};
use super::budget::Consistent;
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;
use std::sync::Arc;

/// The rate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Spans per second.
    pub spans_per_second: i64,
    /// Spans at once; 0 and less are twice the rate.
    pub burst_capacity: i64,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        check(self.spans_per_second, self.burst_capacity, "spans_per_second", fault);
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        fault.here(
            "does not work with sampling_strategy: span-ingest, which cannot know how many spans a trace will have",
        );
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        if layout.uses_tracestate() {
            let (rate, burst) = bucket::limits(self.spans_per_second, self.burst_capacity);
            return Box::new(Consistent::new(rate, burst, |facts| facts.spans.into(), self, layout));
        }
        Box::new(RateLimiting(layout.keep(self, |_| Bucket::of(self.spans_per_second, self.burst_capacity))))
    }
}

/// Warns about a bucket into which nothing flows.
pub fn check(rate: i64, burst: i64, key: &str, fault: &mut Fault<'_, '_>) {
    if rate <= 0 && burst <= 0 {
        fault.warn(key, "is not greater than zero: no trace is kept");
    } else if rate <= 0 {
        fault.warn(key, "is not greater than zero: no trace is kept once burst_capacity is used up");
    }
}

struct RateLimiting(Arc<Bucket>);

impl Policy for RateLimiting {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(self.0.take(trace.facts.spans.into(), trace.now_ms))
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
    fn spans_are_tokens() {
        let config = Config { spans_per_second: 5, burst_capacity: 0 };
        let three = Sample::of(3);
        let votes = votes_at(
            &config,
            &[(&three, 0), (&three, 0), (&three, 0), (&three, 0), (&three, 600), (&Sample::of(11), 9_000)],
        );
        assert_eq!(votes, [true, true, true, false, true, false]);
    }
}
