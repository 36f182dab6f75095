//! The `redaction` processor of the OpenTelemetry Collector: removes attributes that are not allowed and masks values that
//! look like secrets, in attributes of resources, scopes, spans, events, log records and data points, and in the bodies of
//! log records down to their leaves. See `README.md`, which lists every difference.
//!
//! A `processor`, since it has to change single leaves of a log body and to add attributes to events. A batch takes one walk
//! and a few calls to the host, however many values there are: first everything that has to be looked at is gathered
//! ([`gather`]), then all texts are matched together ([`rules`]), then the edits are made ([`edit`]).

mod body;
mod edit;
mod gather;
mod mask;
mod rules;
mod settings;
mod summary;

use gather::Work;
use rules::Rules;
use tailrace_sdk::{Batch, Failure, Interest, Outcome, Plugin, Processor};

/// The plugin.
#[derive(Debug)]
pub struct Redaction {
    rules: Rules,
}

impl Plugin for Redaction {
    /// Read in [`Redaction::new`], where a fault can name its key.
    type Config = serde_json::Value;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Self::Config) -> Result<Self, String> {
        Ok(Self { rules: Rules::new(&actions::settings::read(config)?)? })
    }

    fn interest(&self) -> Interest {
        Interest::in_every_batch()
    }
}

impl Processor for Redaction {
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, Failure> {
        let index = batch.index()?;
        let work = Work::gather(&mut self.rules, batch, &index);
        let verdicts = self.rules.judge(&work.texts).map_err(Failure::Permanent)?;
        let edits = edit::edits(&self.rules, work, &verdicts);
        if edits.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let edited = edits.apply(batch.signal(), batch.bytes(), &index);
        let (bytes, _) = edited.map_err(|error| Failure::Permanent(error.to_string()))?;
        Ok(Outcome::Replaced(bytes))
    }
}

tailrace_sdk::export!(Redaction: processor);

#[cfg(test)]
mod tests;
