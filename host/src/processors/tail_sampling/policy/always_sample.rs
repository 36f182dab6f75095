//! `always_sample`: keeps every trace.

use super::{Layout, Policy, PolicyConfig, Trace, Vote};
use serde::Deserialize;

/// It has no settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl PolicyConfig for Config {
    fn build(&self, _: &mut Layout) -> Box<dyn Policy> {
        Box::new(AlwaysSample)
    }
}

struct AlwaysSample;

impl Policy for AlwaysSample {
    fn vote(&self, _: &Trace<'_>) -> Vote {
        Vote::Sampled
    }
}
