//! A sampler that keeps the traces of large orders and of important customers.

use serde::Deserialize;
use tailrace_sdk::{Decision, Failure, Interest, Level, Plugin, Sampler, Trace, Value};

const AMOUNT: &str = "order.amount";

/// The plugin, and its configuration.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepOrders {
    min_amount: f64,
    vip_key: String,
}

impl Default for KeepOrders {
    fn default() -> Self {
        Self { min_amount: 100.0, vip_key: "customer.vip".to_owned() }
    }
}

impl Plugin for KeepOrders {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        Ok(config)
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes([AMOUNT, &self.vip_key]).at([Level::Item])
    }
}

impl Sampler for KeepOrders {
    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure> {
        let large = trace.all(AMOUNT).any(|amount| match amount.value {
            Value::Int(amount) => amount as f64 >= self.min_amount,
            Value::Double(amount) => amount >= self.min_amount,
            _ => false,
        });
        let important = trace.all(&self.vip_key).any(|vip| vip.value == Value::Bool(true));
        Ok(if large || important { Decision::Sample(None) } else { Decision::NotSampled })
    }
}

tailrace_sdk::export!(KeepOrders: sampler);

#[cfg(test)]
mod tests;
