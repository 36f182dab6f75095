//! What the attribute policies have in common: a filter on the value of one key.
//!
//! Attributes of the resource are looked at first, then those of each span; one match is enough. `invert_match` keeps
//! the traces in which nothing matches, those without the attribute among them.

use super::{Bit, Layout, Policy, Trace, Vote};
use tailrace_otlp::Value;

/// A question about the value of an attribute.
pub trait ValueFilter: Send + Sync {
    /// Whether the value meets it.
    fn matches(&self, value: &Value<'_>) -> bool;
}

/// Registers a filter on `key`; the policy votes on whether any attribute met it.
pub fn policy(layout: &mut Layout, key: &str, filter: impl ValueFilter + 'static, invert: bool) -> Box<dyn Policy> {
    Box::new(AnyAttribute { bit: layout.attribute(key, filter), invert })
}

struct AnyAttribute {
    bit: Bit,
    invert: bool,
}

impl Policy for AnyAttribute {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(trace.matched(self.bit) != self.invert)
    }
}
