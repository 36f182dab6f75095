//! What the attribute policies have in common: a filter on the value of one key.
//!
//! Attributes of the resource are looked at first, then those of each span; one match is enough. `invert_match` keeps
//! the traces in which nothing matches, those without the attribute among them.

use super::{Fault, Layout, Matched, Policy};
use tailrace_otlp::Value;

/// A question about the value of an attribute.
pub trait ValueFilter: Send + Sync {
    /// Whether the value meets it.
    fn matches(&self, value: &Value<'_>) -> bool;

    /// Whether the value meets it as an attribute of the resource.
    fn matches_of_resource(&self, value: &Value<'_>) -> bool {
        self.matches(value)
    }
}

/// An attribute without a name is hardly meant.
pub fn check_key(key: &str, fault: &mut Fault<'_, '_>) {
    if key.is_empty() {
        fault.warn("key", "is not set: only an attribute with an empty name can match");
    }
}

/// Registers a filter on `key`; the policy votes on whether any attribute met it.
pub fn policy(layout: &mut Layout, key: &str, filter: impl ValueFilter + 'static, invert: bool) -> Box<dyn Policy> {
    Matched::any_or_none(layout.attribute(key, filter), invert)
}
