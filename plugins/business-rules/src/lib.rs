//! A sampler that keeps traces by what they mean to the business: an order above an amount, an important customer, and a
//! few traces of each route per minute, so that rare routes are seen too. See `README.md`.
//!
//! It runs in one instance, since a count of each route must be one count, and the counts go along when the plugin is
//! swapped.

pub mod quota;
pub mod settings;

use quota::Quota;
use settings::Config;
use tailrace_sdk::{Decision, Failure, Interest, Intrinsic, Level, Plugin, Sampler, Stateful, Trace, clock};

/// The plugin.
#[derive(Debug)]
pub struct BusinessRules {
    config: Config,
    /// Counts the traces of each route, if the operator wants some of each.
    quota: Option<Quota>,
}

impl Plugin for BusinessRules {
    type Config = Config;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let quota = config.some_of_each.as_ref().map(|some| Quota::new(some.per_minute, some.max_values));
        Ok(Self { config, quota })
    }

    fn interest(&self) -> Interest {
        let (fields, attributes): (Vec<_>, Vec<_>) =
            self.config.keys().into_iter().partition(|key| Intrinsic::from_name(key).is_some());
        let interest = Interest::in_attributes(attributes).at([Level::Resource, Level::Scope, Level::Item]);
        fields
            .into_iter()
            .filter_map(Intrinsic::from_name)
            .fold(interest, Interest::and_intrinsic)
            .of([tailrace_sdk::Signal::Traces])
            .in_one_instance()
    }
}

impl Sampler for BusinessRules {
    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure> {
        self.decide_all(std::slice::from_ref(trace))
            .map(|decisions| decisions.into_iter().next().unwrap_or(Decision::NotSampled))
    }

    /// One look at the clock for all traces of a call.
    fn decide_all(&mut self, traces: &[Trace<'_>]) -> Result<Vec<Decision>, Failure> {
        let now = clock::now();
        Ok(traces.iter().map(|trace| self.decide_at(trace, now)).collect())
    }
}

impl BusinessRules {
    /// A trace that a rule keeps takes nothing from the quota of its route: that is for the traces that no rule keeps.
    fn decide_at(&mut self, trace: &Trace<'_>, now: u64) -> Decision {
        if self.is_valuable(trace) || self.is_one_of_few(trace, now) {
            Decision::Sample(None)
        } else {
            Decision::NotSampled
        }
    }

    fn is_valuable(&self, trace: &Trace<'_>) -> bool {
        trace.values().any(|found| {
            let key = found.key();
            self.config.amounts.iter().any(|amount| amount.key == key && amount.is_reached_by(&found.value))
                || self.config.values.iter().any(|wanted| wanted.key == key && wanted.has(&found.value))
        })
    }

    fn is_one_of_few(&mut self, trace: &Trace<'_>, now: u64) -> bool {
        let (Some(some), Some(quota)) = (&self.config.some_of_each, &mut self.quota) else { return false };
        quota.take(trace.all(&some.key).filter_map(|found| found.value.as_str()), now)
    }
}

impl Stateful for BusinessRules {
    fn save(&mut self) -> Vec<u8> {
        self.quota.as_ref().map(Quota::save).unwrap_or_default()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        match &mut self.quota {
            Some(quota) if !state.is_empty() => quota.restore(state),
            _ => Ok(()),
        }
    }
}

tailrace_sdk::export!(BusinessRules: sampler, state);

#[cfg(test)]
mod tests;
