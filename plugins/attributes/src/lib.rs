//! The `attributes` processor of the OpenTelemetry Collector: inserts, updates, deletes, hashes, extracts and converts
//! attributes of spans, log records and data points, all of them or those that `include` and `exclude` select.
//! See `README.md`, which lists every difference.

mod matching;
mod settings;

use actions::Actions;
use actions::settings::{Faults, read};
use matching::Matcher;
use settings::{Keys, Settings};
use tailrace_sdk::{Attributes as AttributesPlugin, Failure, Group, Interest, Level, Plugin, Signal};

/// The plugin.
#[derive(Debug)]
pub struct Attributes {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
    actions: Actions,
    /// Signals for which all keys of `include` and `exclude` make sense.
    signals: Vec<Signal>,
}

impl Plugin for Attributes {
    /// Read in [`Attributes::new`], where a fault can name its key.
    type Config = serde_json::Value;

    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Self::Config) -> Result<Self, String> {
        let settings: Settings = read(config)?;
        let mut faults = Faults::default();
        let signals = settings.signals(&mut faults);
        let mut matcher =
            |path, of: &Option<settings::MatchSettings>| of.as_ref().and_then(|of| Matcher::new(path, of, &mut faults));
        let (include, exclude) = (matcher("include", &settings.include), matcher("exclude", &settings.exclude));
        let actions = Actions::new("actions", &settings.actions);
        match (faults.into_result(), actions) {
            (Ok(()), Ok(actions)) => Ok(Self { include, exclude, actions, signals }),
            (Err(faults), Ok(_)) => Err(faults),
            (Ok(()), Err(faults)) => Err(faults),
            (Err(one), Err(other)) => Err(format!("{one}\n{other}")),
        }
    }

    fn interest(&self) -> Interest {
        let mut keys = Keys::default();
        for matcher in [&self.include, &self.exclude].into_iter().flatten() {
            matcher.ask(&mut keys);
        }
        let mut interest = Interest::in_attributes(self.actions.keys()).and_attributes(&keys.attributes);
        interest = interest.of(self.signals.iter().copied()).at([Level::Item]);
        if !keys.resources.is_empty() {
            interest = interest.and_attributes(&keys.resources).at([Level::Resource]);
        }
        for intrinsic in keys.fields {
            interest = interest.and_intrinsic(intrinsic);
        }
        if self.actions.add_out_of_nothing() { interest.and_every(Level::Item) } else { interest }
    }
}

impl AttributesPlugin for Attributes {
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        if group.level() != Level::Item
            || self.include.as_mut().is_some_and(|include| !include.matches(group))
            || self.exclude.as_mut().is_some_and(|exclude| exclude.matches(group))
        {
            return Ok(());
        }
        self.actions.apply(group);
        Ok(())
    }
}

tailrace_sdk::export!(Attributes: attributes);

#[cfg(test)]
mod tests;
