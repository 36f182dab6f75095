//! `not`: keeps traces that another policy would not keep.
//!
//! ```yaml
//! - name: not-health
//!   type: not
//!   not:
//!     not_sub_policy:
//!       name: health
//!       type: string_attribute
//!       string_attribute: {key: url.path, values: [/healthz]}
//! ```

use super::and::all_pure;
use super::settings::{self, PolicySettings};
use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use crate::yaml::Section;
use serde::Deserialize;

/// Which policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Any type but `composite` and `drop`.
    pub not_sub_policy: Option<Box<PolicySettings>>,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        match &self.not_sub_policy {
            None => fault.at("not_sub_policy", "must be set"),
            Some(part) => settings::check_part(part, &mut fault.inside("not_sub_policy")),
        }
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        if let Some(part) = &self.not_sub_policy {
            part.check_on_ingest(&mut fault.inside("not_sub_policy"));
        }
    }

    fn place(&mut self, section: &Section<'_>) {
        if let (Some(part), Some(node)) = (&mut self.not_sub_policy, section.node.get("not_sub_policy")) {
            part.place(&Section { path: &format!("{}::not_sub_policy", section.path), node });
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Box::new(Not(settings::build_parts(self.not_sub_policy.as_deref(), layout)))
    }
}

/// One policy; none if the settings were not checked.
struct Not(Vec<Box<dyn Policy>>);

impl Policy for Not {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        match self.0.first().map(|policy| policy.vote(trace)) {
            Some(Vote::Sampled) => Vote::NotSampled,
            Some(Vote::NotSampled) => Vote::Sampled,
            other => other.unwrap_or(Vote::Error),
        }
    }

    fn is_pure(&self) -> bool {
        all_pure(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn the_opposite() {
        let config: Config = serde_json::from_str(
            r#"{"not_sub_policy": {"name": "a", "type": "span_count", "span_count": {"min_spans": 2}}}"#,
        )
        .unwrap();
        assert!(vote(&config, &Sample::of(1)) && !vote(&config, &Sample::of(2)));
    }
}
