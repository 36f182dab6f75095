//! `and`: keeps traces that all of several policies would keep.
//!
//! ```yaml
//! - name: slow-payments
//!   type: and
//!   and:
//!     and_sub_policy:
//!     - {name: slow, type: latency, latency: {threshold_ms: 500}}
//!     - {name: payments, type: string_attribute, string_attribute: {key: service.name, values: [payment]}}
//! ```
//! They are asked in their order, up to the first that does not want the trace: a limiter behind it is not used up.

use super::settings::{self, PolicySettings};
use super::{Fault, Layout, Planner, Policy, PolicyConfig, Trace, Vote};
use crate::processors::tail_sampling::ot::Threshold;
use crate::yaml::Section;
use serde::Deserialize;

/// Which policies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// At least one; any type but `composite` and `drop`.
    pub and_sub_policy: Vec<PolicySettings>,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        settings::check_parts(&self.and_sub_policy, "and_sub_policy", fault);
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        settings::check_parts_on_ingest(&self.and_sub_policy, "and_sub_policy", fault);
    }

    fn place(&mut self, section: &Section<'_>) {
        settings::place_parts(&mut self.and_sub_policy, "and_sub_policy", section);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Box::new(All(settings::build_parts(&self.and_sub_policy, layout)))
    }
}

struct All(Vec<Box<dyn Policy>>);

impl Policy for All {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        all(&self.0, trace)
    }

    /// The trace has passed all of them, and so the strictest.
    fn threshold(&self, trace: &Trace<'_>) -> Threshold {
        self.0.iter().map(|policy| policy.threshold(trace)).max().unwrap_or(Threshold::ALWAYS)
    }

    /// Only if all others can be asked beforehand.
    fn planner(&self) -> Option<&dyn Planner> {
        let plans = self.0.iter().any(|policy| policy.planner().is_some());
        let known = self.0.iter().all(|policy| policy.planner().is_some() || policy.is_pure());
        (plans && known).then_some(self)
    }

    fn is_pure(&self) -> bool {
        all_pure(&self.0)
    }
}

impl Planner for All {
    /// A part that plans is told of the traces that all other parts want.
    fn hear(&self, shard: usize, group: &[&Trace<'_>]) {
        let wanted = |trace: &Trace<'_>| {
            let mut others = self.0.iter().filter(|policy| policy.planner().is_none());
            others.all(|policy| policy.vote(trace) == Vote::Sampled)
        };
        let group: Vec<&Trace<'_>> = group.iter().copied().filter(|trace| wanted(trace)).collect();
        let planners = self.0.iter().filter_map(|policy| policy.planner());
        planners.for_each(|planner| planner.hear(shard, &group));
    }

    fn plan(&self, shard: usize, now_ms: u64) {
        let planners = self.0.iter().filter_map(|policy| policy.planner());
        planners.for_each(|planner| planner.plan(shard, now_ms));
    }
}

/// Whether all of them can be asked beforehand.
pub fn all_pure(policies: &[Box<dyn Policy>]) -> bool {
    policies.iter().all(|policy| policy.is_pure())
}

/// `Sampled` if all are, else the first other vote.
pub fn all(policies: &[Box<dyn Policy>], trace: &Trace<'_>) -> Vote {
    policies.iter().map(|policy| policy.vote(trace)).find(|vote| *vote != Vote::Sampled).unwrap_or(Vote::Sampled)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote, votes_at};
    use super::*;
    use crate::yaml::from_str;
    use tailrace_otlp::Value;

    fn config(parts: &str) -> Config {
        serde_json::from_value(serde_json::json!({
            "and_sub_policy": serde_json::from_str::<serde_json::Value>(parts).unwrap()
        }))
        .unwrap()
    }

    #[test]
    fn all_must_want_it() {
        let parts = r#"[
            {"name": "a", "type": "string_attribute", "string_attribute": {"key": "k", "values": ["v"]}},
            {"name": "b", "type": "span_count", "span_count": {"min_spans": 2}}
        ]"#;
        let config = config(parts);
        let with = |spans| Sample::of(spans).attribute(0, "k", Value::from("v"));
        assert!(vote(&config, &with(2)));
        assert!(!vote(&config, &with(1)));
        assert!(!vote(&config, &Sample::of(2)));
    }

    /// A limiter behind a policy that says no is not used up.
    #[test]
    fn the_first_no_ends_it() {
        let parts = r#"[
            {"name": "a", "type": "span_count", "span_count": {"min_spans": 2}},
            {"name": "b", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}
        ]"#;
        let (one, two) = (Sample::of(1), Sample::of(2));
        let votes = votes_at(&config(parts), &[(&one, 0), (&one, 0), (&two, 0), (&two, 0)]);
        assert_eq!(votes, [false, false, true, false]);
    }

    #[test]
    fn faults_name_the_part() {
        use super::super::super::config::Config as Processor;
        let check = |text: &str, expected: &[&str]| {
            let problems = from_str::<Processor>("t", text).unwrap_err().to_string();
            assert!(expected.iter().all(|part| problems.contains(part)), "{problems}");
        };
        check(
            "policies: [{name: a, type: and, and: {and_sub_policy: []}}]",
            &["policies[0]::and::and_sub_policy", "at least one"],
        );
        let part = |part: &str| format!("policies: [{{name: a, type: and, and: {{and_sub_policy: [{part}]}}}}]");
        check(&part("{name: b, type: drop}"), &["policies[0]::and::and_sub_policy[0]::type", "drop", "of its own"]);
        check(
            &part("{type: status_code, status_code: {status_codes: [BAD]}}"),
            &["policies[0]::and::and_sub_policy[0]::status_code::status_codes[0]"],
        );
    }
}
