//! x
use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Plugin};

#[derive(serde::Deserialize)]
struct Redact {
    keys: Vec<String>,
}

impl Plugin for Redact {
    type Config = Self;
    fn new(config: Self) -> Result<Self, String> {
        Ok(config)
    }
    fn interest(&self) -> Interest {
        Interest::in_attributes(&self.keys)
    }
}
impl Attributes for Redact {
    fn attribute(&mut self, _: &Attribute<'_>) -> Edit {
        Edit::set("[redacted]")
    }
}
tailrace_sdk::export!(Redact: attributes);
