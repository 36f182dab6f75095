//! Drops spans by name.

use serde::Deserialize;
use tailrace_sdk::{Batch, Failure, Interest, Outcome, Plugin, Processor, Signal};

/// The plugin, which is also its configuration: `{"drop_span_names": ["GET /healthz"]}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropByName {
    drop_span_names: Vec<String>,
}

impl Plugin for DropByName {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        if config.drop_span_names.is_empty() { Err("drop_span_names: name at least one span".into()) } else { Ok(config) }
    }

    fn interest(&self) -> Interest {
        Interest::in_every_batch().of([Signal::Traces])
    }
}

impl Processor for DropByName {
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, Failure> {
        let unwanted = |name: &str| self.drop_span_names.iter().any(|known| known == name);
        batch.retain(|item| !item.span().is_some_and(|span| unwanted(span.name().to_str())))
    }
}

tailrace_sdk::export!(DropByName: processor);

#[cfg(test)]
mod tests;
