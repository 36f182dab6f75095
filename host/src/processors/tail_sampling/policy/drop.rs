//! `drop`: drops traces that all of several policies want, whatever other policies say.
//!
//! ```yaml
//! - name: no-health-checks
//!   type: drop
//!   drop:
//!     drop_sub_policy:
//!     - {name: health, type: string_attribute, string_attribute: {key: url.path, values: [/healthz]}}
//! ```
//! Such policies vote before all others.

use super::and::{all, all_pure};
use super::settings::{self, PolicySettings};
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use crate::yaml::Section;
use serde::Deserialize;

/// Which policies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// At least one; any type but `composite` and `drop`.
    pub drop_sub_policy: Vec<PolicySettings>,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        settings::check_parts(&self.drop_sub_policy, "drop_sub_policy", fault);
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        settings::check_parts_on_ingest(&self.drop_sub_policy, "drop_sub_policy", fault);
    }

    fn place(&mut self, section: &Section<'_>) {
        settings::place_parts(&mut self.drop_sub_policy, "drop_sub_policy", section);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Box::new(Drop(settings::build_parts(&self.drop_sub_policy, layout)))
    }

    fn must_stand_alone(&self) -> Option<&'static str> {
        Some("drop is a policy of its own: it speaks for the whole trace, not for a part of another policy")
    }
}

struct Drop(Vec<Box<dyn Policy>>);

impl Policy for Drop {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        match all(&self.0, trace) {
            Vote::Sampled => Vote::Dropped,
            Vote::Error => Vote::Error,
            _ => Vote::NotSampled,
        }
    }

    fn vetoes(&self) -> bool {
        true
    }

    fn is_pure(&self) -> bool {
        all_pure(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, all_votes_at};
    use super::*;
    use tailrace_otlp::Value;

    #[test]
    fn all_must_want_it() {
        let config: Config = serde_json::from_str(
            r#"{"drop_sub_policy": [
                {"name": "a", "type": "boolean_attribute", "boolean_attribute": {"key": "k", "value": true}},
                {"name": "b", "type": "span_count", "span_count": {"max_spans": 1}}
            ]}"#,
        )
        .unwrap();
        let with = |spans| Sample::of(spans).attribute(0, "k", Value::Bool(true));
        let votes = all_votes_at(&config, &[(&with(1), 0), (&with(2), 0), (&Sample::of(1), 0)]);
        assert_eq!(votes, [Vote::Dropped, Vote::NotSampled, Vote::NotSampled]);
        assert!(config.build(&mut Layout::default()).vetoes());
    }
}
