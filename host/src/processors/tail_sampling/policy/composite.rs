//! `composite`: several policies in an order, each with a share of a number of spans per second.
//!
//! ```yaml
//! - name: budget
//!   type: composite
//!   composite:
//!     max_total_spans_per_second: 1000
//!     policy_order: [errors, rest]
//!     composite_sub_policy:
//!     - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
//!     - {name: rest, type: always_sample}
//!     rate_allocation:
//!     - {policy: errors, percent: 50}
//!     - {policy: rest, percent: 25}
//! ```
//! The first policy that wants a trace decides: it is kept if that policy's spans of this second stay within its share, else it
//! is not kept, and no further policy is asked. A policy without an allocation has an equal share of the total. Seconds are
//! those of the processor's clock, and counted for all shards together. As in the Collector the order is that of
//! `composite_sub_policy`, whatever `policy_order` says; if they differ there is a warning.

use super::per_shard::PerShard;
use super::settings::{self, PolicySettings};
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use crate::yaml::Section;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Policies, their order and their shares.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Spans per second of all together.
    pub max_total_spans_per_second: i64,
    /// Names of the policies in the order of `composite_sub_policy`; another order has no effect but a warning.
    pub policy_order: Vec<String>,
    /// The policies in the order in which they are asked; any type but `composite` and `drop`.
    pub composite_sub_policy: Vec<PolicySettings>,
    /// Their shares.
    pub rate_allocation: Vec<Allocation>,
}

/// The share of one policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Allocation {
    /// Its name.
    pub policy: String,
    /// Percent of the total.
    pub percent: i64,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.max_total_spans_per_second <= 0 {
            fault.warn("max_total_spans_per_second", "is not greater than zero: no trace is kept");
        }
        settings::check_parts(&self.composite_sub_policy, "composite_sub_policy", fault);
        let names: Vec<&str> = self.composite_sub_policy.iter().map(|part| part.name.as_str()).collect();
        if !self.policy_order.is_empty() && self.policy_order != names {
            let message =
                "is not the order of composite_sub_policy; policies are asked in that one, as in the Collector";
            fault.warn("policy_order", message);
        }
        for (i, share) in self.rate_allocation.iter().enumerate() {
            if !names.contains(&share.policy.as_str()) {
                let message = format!("{:?} is not among composite_sub_policy", share.policy);
                fault.warn(&format!("rate_allocation[{i}].policy"), message);
            }
            if !(0..=100).contains(&share.percent) {
                fault.warn(&format!("rate_allocation[{i}].percent"), "is not between 0 and 100");
            }
        }
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        settings::check_parts_on_ingest(&self.composite_sub_policy, "composite_sub_policy", fault);
    }

    fn place(&mut self, section: &Section<'_>) {
        settings::place_parts(&mut self.composite_sub_policy, "composite_sub_policy", section);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let parts = self.composite_sub_policy.iter().filter_map(|settings| {
            let policy = settings::build_parts([settings], layout).pop()?;
            let name = Arc::from(settings.name.as_str());
            let spans_per_second = self.share(&settings.name);
            let used = layout.keep(&(&settings.name, spans_per_second), |_| AtomicU64::new(0));
            Some(Part { name, policy, spans_per_second, used })
        });
        let parts = parts.collect();
        Box::new(Composite { parts, last: PerShard::new(layout, || AtomicUsize::new(0)) })
    }

    fn must_stand_alone(&self) -> Option<&'static str> {
        Some("composite is a policy of its own: it has a budget for the whole processor")
    }
}

impl Config {
    /// The spans per second of one policy.
    fn share(&self, name: &str) -> u64 {
        let total = self.max_total_spans_per_second as f64;
        let percent = self.rate_allocation.iter().rev().find(|share| share.policy == name).map(|share| share.percent);
        let share = match percent {
            Some(percent) if percent > 0 => percent as f64 / 100.0 * total,
            _ => total / self.composite_sub_policy.len() as f64,
        };
        share.min(total) as u64
    }
}

struct Composite {
    parts: Vec<Part>,
    /// Which part was the last to keep a trace.
    last: PerShard<AtomicUsize>,
}

struct Part {
    name: Arc<str>,
    policy: Box<dyn Policy>,
    spans_per_second: u64,
    /// The second, in the upper half, and how many spans were kept in it.
    used: Arc<AtomicU64>,
}

impl Policy for Composite {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        for (number, part) in self.parts.iter().enumerate() {
            match part.policy.vote(trace) {
                Vote::Sampled => {
                    if let Some(last) = self.last.of(trace) {
                        last.store(number, Relaxed);
                    }
                    return Vote::sampled_if(part.take(trace.facts.spans, trace.now_ms / 1000));
                }
                Vote::Error => return Vote::Error,
                _ => {}
            }
        }
        Vote::NotSampled
    }

    fn kept_by(&self, shard: usize) -> Option<&Arc<str>> {
        self.parts.get(self.last.get(shard)?.load(Relaxed)).map(|part| &part.name)
    }

    fn is_pure(&self) -> bool {
        false
    }
}

impl Part {
    /// Takes `spans` of what is left in this second; all or nothing.
    fn take(&self, spans: u32, second: u64) -> bool {
        let second = second & u64::from(u32::MAX);
        let taken = |used: u64| {
            let before = if used >> 32 == second { used & u64::from(u32::MAX) } else { 0 };
            let after = before + u64::from(spans);
            (after <= self.spans_per_second && u32::try_from(after).is_ok()).then_some(second << 32 | after)
        };
        self.used.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, votes_at};
    use super::*;

    fn config(rates: &str) -> Config {
        serde_json::from_str(&format!(
            r#"{{
                "max_total_spans_per_second": 10, "policy_order": ["large", "rest"],
                "composite_sub_policy": [
                    {{"name": "large", "type": "span_count", "span_count": {{"min_spans": 3}}}},
                    {{"name": "rest", "type": "always_sample"}}
                ],
                "rate_allocation": {rates}
            }}"#
        ))
        .unwrap()
    }

    /// Each has its share of a second, and who exceeds it is not kept, although the next policy would want the trace.
    #[test]
    fn shares_of_a_second() {
        let config = config(r#"[{"policy": "large", "percent": 60}, {"policy": "rest", "percent": 20}]"#);
        let (large, small) = (Sample::of(3), Sample::of(1));
        let votes = votes_at(
            &config,
            &[
                (&large, 0),
                (&large, 10),
                (&large, 20),
                (&small, 30),
                (&small, 40),
                (&small, 50),
                (&large, 999),
                (&large, 1000),
            ],
        );
        assert_eq!(votes, [true, true, false, true, true, false, false, true]);
    }

    /// The last allocation counts, a share may be more than all, and one that is none is an equal share.
    #[test]
    fn odd_allocations() {
        let one = r#"{"policy": "large", "percent": 150}"#;
        let shares = |rates: &str| ["large", "rest"].map(|name| config(rates).share(name));
        assert_eq!(shares(&format!("[{one}]")), [10, 5]);
        assert_eq!(shares(&format!(r#"[{one}, {{"policy": "large", "percent": 39}}]"#)), [3, 5]);
        assert_eq!(shares(r#"[{"policy": "large", "percent": 0}, {"policy": "rest", "percent": -3}]"#), [5, 5]);
    }

    /// A trace that is too large leaves room for a smaller one.
    #[test]
    fn equal_shares_without_an_allocation() {
        let votes = votes_at(&config("[]"), &[(&Sample::of(6), 0), (&Sample::of(4), 0), (&Sample::of(3), 0)]);
        assert_eq!(votes, [false, true, false]);
    }
}
