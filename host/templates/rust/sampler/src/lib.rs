//! Keeps traces with a large payment, and those that failed.

use serde::Deserialize;
use tailrace_sdk::{Decision, Failure, Interest, Plugin, Sampler, Trace, Value};

const AMOUNT: &str = "payment.amount_cents";

/// The plugin, which is also its configuration: `{"min_amount_cents": 30000}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepPayments {
    min_amount_cents: i64,
}

impl Plugin for KeepPayments {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        Ok(config)
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes([AMOUNT])
    }
}

impl Sampler for KeepPayments {
    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure> {
        let large = |value| matches!(value, Value::Int(cents) if cents >= self.min_amount_cents);
        let keep = trace.error_count > 0 || trace.all(AMOUNT).any(|amount| large(amount.value));
        Ok(if keep { Decision::Sample(None) } else { Decision::NotSampled })
    }
}

tailrace_sdk::export!(KeepPayments: sampler);

#[cfg(test)]
mod tests;
