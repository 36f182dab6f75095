//! The actions at work.

use crate::action::{Action, Actions, Source, When};
use crate::convert::{convert, hashed};
use crate::overlay::Overlay;
use tailrace_sdk::{Group, NewValue};

impl Actions {
    /// Runs the actions, one after the other, over the attributes of a group: a span, a log record, a data point, or a
    /// resource. Not those of its events, links and exemplars.
    pub fn apply(&mut self, group: &mut Group<'_>) {
        let mut attributes = Overlay::of(group);
        for action in &mut self.0 {
            action.apply(&mut attributes);
        }
        attributes.write(group);
    }
}

impl Action {
    fn apply(&mut self, attributes: &mut Overlay<'_>) {
        match self {
            Self::Put { key, when, source } => {
                let wanted = match when {
                    When::Always => true,
                    When::Absent => attributes.get(key).is_none(),
                    When::Present => attributes.get(key).is_some(),
                };
                if wanted && let Some(value) = source.value(attributes) {
                    attributes.set(key, value);
                }
            }
            Self::Delete { which } => attributes.each(|key, _| {
                let gone = key == which.key || which.pattern.as_mut().is_some_and(|names| names.matches(key));
                gone.then_some(None)
            }),
            Self::Hash { which } => {
                if !which.key.is_empty()
                    && let Some(current) = attributes.get(&which.key)
                {
                    let value = hashed(&current.value());
                    attributes.set(&which.key, value);
                }
                if let Some(names) = &mut which.pattern {
                    // An attribute that both `key` and `pattern` mean is hashed twice, as in the Collector.
                    attributes.each(|key, current| names.matches(key).then(|| Some(hashed(&current.value()))));
                }
            }
            Self::Extract { key, pattern, names } => {
                let Some(current) = attributes.get(key) else { return };
                let value = current.value();
                let Some(captures) = value.as_str().and_then(|text| pattern.captures(0, text)) else { return };
                let found: Vec<_> =
                    (1..=names.len()).map(|group| captures.get(group).unwrap_or_default().to_owned()).collect();
                for (name, text) in names.iter().zip(found) {
                    attributes.set(name, text.into());
                }
            }
            Self::Convert { key, to } => {
                if let Some(value) = attributes.get(key).and_then(|current| convert(&current.value(), *to)) {
                    attributes.set(key, value);
                }
            }
        }
    }
}

impl Source {
    fn value(&self, attributes: &Overlay<'_>) -> Option<NewValue> {
        let from = || attributes.get(self.from.as_deref()?)?.to_new();
        self.value.clone().or_else(from).or_else(|| self.default.clone())
    }
}
