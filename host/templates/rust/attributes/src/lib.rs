//! Masks the attributes that the configuration names.

use serde::Deserialize;
use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Plugin, Value};

/// The plugin, which is also its configuration: `{"mask": ["user.email"]}`. A key that ends in `*` is a prefix.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    mask: Vec<String>,
}

impl Plugin for Mask {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        if config.mask.is_empty() { Err("mask: name at least one attribute".into()) } else { Ok(config) }
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes(&self.mask)
    }
}

impl Attributes for Mask {
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Edit {
        match attribute.value {
            Value::String(text) => Edit::set("*".repeat(text.chars().count())),
            _ => Edit::Remove,
        }
    }
}

tailrace_sdk::export!(Mask: attributes);

#[cfg(test)]
mod tests;
