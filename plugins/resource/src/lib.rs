//! The `resource` processor of the OpenTelemetry Collector: inserts, updates, deletes, hashes, extracts and converts
//! attributes of resources. See `README.md`, which lists every difference.

use actions::settings::read;
use actions::{ActionSettings, Actions};
use serde::Deserialize;
use tailrace_sdk::{Attributes, Failure, Group, Interest, Level, Plugin};

/// What the operator writes, with the Collector's keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// What is done, in this order.
    attributes: Vec<ActionSettings>,
}

/// The plugin.
#[derive(Debug)]
pub struct Resource {
    actions: Actions,
}

impl Plugin for Resource {
    /// Read in [`Resource::new`], where a fault can name its key.
    type Config = serde_json::Value;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Self::Config) -> Result<Self, String> {
        let settings: Settings = read(config)?;
        Ok(Self { actions: Actions::new("attributes", &settings.attributes)? })
    }

    fn interest(&self) -> Interest {
        let interest = Interest::in_attributes(self.actions.keys()).at([Level::Resource]);
        if self.actions.add_out_of_nothing() { interest.and_every(Level::Resource) } else { interest }
    }
}

impl Attributes for Resource {
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        if group.level() == Level::Resource {
            self.actions.apply(group);
        }
        Ok(())
    }
}

tailrace_sdk::export!(Resource: attributes);

#[cfg(test)]
mod tests;
