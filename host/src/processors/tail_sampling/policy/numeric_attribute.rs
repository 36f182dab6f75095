//! `numeric_attribute`: keeps traces in which a whole number lies between two bounds.
//!
//! ```yaml
//! - name: server-errors
//!   type: numeric_attribute
//!   numeric_attribute: {key: http.response.status_code, min_value: 500, max_value: 599, invert_match: false}
//! ```
//! As in the Collector a bound of 0 is no bound, and a value that is no whole number counts as 0.

use super::attribute::{self, ValueFilter};
use super::{Fault, Layout, Policy, PolicyConfig};
use serde::Deserialize;
use tailrace_otlp::Value;

/// Which numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The attribute, of the resource or of a span.
    pub key: String,
    /// The smallest value that matches; 0 is no bound.
    pub min_value: i64,
    /// The largest value that matches; 0 is no bound.
    pub max_value: i64,
    /// Keep the traces in which nothing matches.
    pub invert_match: bool,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        attribute::check_key(&self.key, fault);
        if self.min_value == 0 && self.max_value == 0 {
            fault.at("min_value", "min_value or max_value must be set and not be 0");
        }
        if self.max_value != 0 && self.min_value > self.max_value {
            fault.warn("max_value", "is less than min_value: nothing matches");
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let or = |bound: i64, none: i64| if bound == 0 { none } else { bound };
        let filter = Between { min: or(self.min_value, i64::MIN), max: or(self.max_value, i64::MAX) };
        attribute::policy(layout, &self.key, filter, self.invert_match)
    }
}

struct Between {
    min: i64,
    max: i64,
}

impl ValueFilter for Between {
    fn matches(&self, value: &Value<'_>) -> bool {
        let number = if let Value::Int(number) = value { *number } else { 0 };
        (self.min..=self.max).contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn bounds() {
        let check = |min_value, max_value, value: i64, expected: bool| {
            let config = Config { key: "k".into(), min_value, max_value, invert_match: false };
            let inverse = Config { invert_match: true, ..config.clone() };
            let sample = Sample::with("k", Value::Int(value));
            assert_eq!((vote(&config, &sample), vote(&inverse, &sample)), (expected, !expected), "{value}");
        };
        check(400, 499, 399, false);
        check(400, 499, 400, true);
        check(400, 499, 499, true);
        check(400, 499, 500, false);
        check(0, 10, -5, true);
        check(5, 0, i64::MAX, true);
    }

    /// No attribute is no match; a text is a 0, as the Collector reads it.
    #[test]
    fn what_is_no_number() {
        let config = Config { key: "k".into(), min_value: -1, max_value: 1, invert_match: false };
        assert!(!vote(&config, &Sample::with("other", Value::Int(1))));
        assert!(vote(&config, &Sample::with("k", Value::from("500"))));
    }
}
