//! `span_count`: keeps traces by how many spans they have.
//!
//! ```yaml
//! - name: large
//!   type: span_count
//!   span_count: {min_spans: 100, max_spans: 0}   # both inclusive; 0 is no bound
//! ```

use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;

/// How many.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// At least so many spans.
    pub min_spans: i32,
    /// At most so many; 0 is no bound.
    pub max_spans: i32,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.max_spans != 0 && self.max_spans < self.min_spans.max(1) {
            fault.warn("max_spans", "is less than min_spans: no trace is kept");
        }
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        if self.max_spans > 0 {
            fault.at(
                "max_spans",
                "does not work with sampling_strategy: span-ingest: the trace can still get more spans than that",
            );
        }
    }

    fn build(&self, _: &mut Layout) -> Box<dyn Policy> {
        let bound = |spans: i32| u32::try_from(spans).unwrap_or(0);
        let max = if self.max_spans == 0 { u32::MAX } else { bound(self.max_spans) };
        Box::new(SpanCount { min: bound(self.min_spans), max })
    }
}

struct SpanCount {
    min: u32,
    max: u32,
}

impl Policy for SpanCount {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if((self.min..=self.max).contains(&trace.facts.spans))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn bounds_are_inclusive() {
        for (min_spans, max_spans, spans, expected) in
            [(2, 0, 1, false), (2, 0, 2, true), (2, 3, 3, true), (2, 3, 4, false), (0, 1, 1, true), (0, 0, 9, true)]
        {
            let config = Config { min_spans, max_spans };
            assert_eq!(vote(&config, &Sample::of(spans)), expected, "{min_spans} {max_spans} {spans}");
        }
    }
}
