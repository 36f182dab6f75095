//! `boolean_attribute`: keeps traces in which an attribute is true, or false.
//!
//! ```yaml
//! - name: retries
//!   type: boolean_attribute
//!   boolean_attribute: {key: retried, value: true, invert_match: false}
//! ```
//! As in the Collector a value that is neither counts as false.

use super::attribute::{self, ValueFilter};
use super::{Fault, Layout, Policy, PolicyConfig};
use serde::Deserialize;
use tailrace_otlp::Value;

/// Which value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The attribute, of the resource or of a span.
    pub key: String,
    /// The value that matches.
    pub value: bool,
    /// Keep the traces in which nothing matches.
    pub invert_match: bool,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        attribute::check_key(&self.key, fault);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        attribute::policy(layout, &self.key, Equals(self.value), self.invert_match)
    }
}

struct Equals(bool);

impl ValueFilter for Equals {
    fn matches(&self, value: &Value<'_>) -> bool {
        matches!(value, Value::Bool(true)) == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn values() {
        let check = |value, attribute: Value<'static>, expected: bool| {
            let config = Config { key: "k".into(), value, invert_match: false };
            let inverse = Config { invert_match: true, ..config.clone() };
            let sample = Sample::with("k", attribute);
            assert_eq!((vote(&config, &sample), vote(&inverse, &sample)), (expected, !expected), "{value}");
        };
        check(true, Value::Bool(true), true);
        check(true, Value::Bool(false), false);
        check(false, Value::Bool(false), true);
        check(true, Value::from("true"), false);
        check(false, Value::Int(1), true);
        let config = Config { key: "k".into(), value: false, invert_match: false };
        assert!(!vote(&config, &Sample::with("other", Value::Bool(false))));
    }
}
