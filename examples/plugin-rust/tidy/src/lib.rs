//! Deletes, masks and sets attributes, and drops spans by their name.

use serde::Deserialize;
use tailrace_sdk::{Attributes, Edit, Failure, Group, Interest, Intrinsic, Level, NewValue, Plugin, Value};

/// The plugin, and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tidy {
    delete: Vec<String>,
    mask: Vec<String>,
    set: Option<Copy>,
    drop_span_names: Vec<String>,
}

/// Which attribute gets the value of which other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Copy {
    to: String,
    from: String,
}

impl Plugin for Tidy {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        Ok(config)
    }

    fn interest(&self) -> Interest {
        let from = self.set.iter().map(|set| &set.from);
        let interest = Interest::in_attributes(self.delete.iter().chain(&self.mask).chain(from));
        if self.drop_span_names.is_empty() { interest } else { interest.and_intrinsic(Intrinsic::SpanName) }
    }
}

impl Attributes for Tidy {
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        let name = group.find(Intrinsic::SpanName.name()).map(|name| name.value);
        if self.drop_span_names.iter().any(|unwanted| name == Some(Value::String(unwanted))) {
            group.drop_item();
            return Ok(());
        }
        if let Some(Copy { to, from }) = &self.set
            && group.level() == Level::Item
            && let Some(Ok(value)) = group.find(from).map(|source| NewValue::try_from(source.value))
        {
            group.set(to, value);
        }
        for (at, attribute) in group.iter() {
            let is_in = |keys: &[String]| keys.iter().any(|key| key == attribute.key());
            if is_in(&self.delete) {
                group.edit(at, Edit::Remove);
            } else if is_in(&self.mask) {
                group.edit(at, Edit::set("****"));
            }
        }
        Ok(())
    }
}

tailrace_sdk::export!(Tidy: attributes);

#[cfg(test)]
mod tests;
