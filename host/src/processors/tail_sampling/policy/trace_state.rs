//! `trace_state`: keeps traces with a span whose W3C `tracestate` has an entry with one of these values.
//!
//! ```yaml
//! - name: from-vendor
//!   type: trace_state
//!   trace_state: {key: vendor, values: [a, b]}
//! ```
//! As in the Collector a `tracestate` that breaks the rules of W3C has no entries, not even those that are in order.

use super::{Fault, Layout, Matched, Policy, PolicyConfig, Span, SpanFilter};
use serde::Deserialize;

/// Which entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Key of the entry.
    pub key: String,
    /// Its values.
    pub values: Vec<String>,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.values.is_empty() || self.key.is_empty() {
            fault.warn(if self.key.is_empty() { "key" } else { "values" }, "is empty: nothing matches");
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Matched::any(layout.filter(Entry(self.clone())))
    }
}

struct Entry(Config);

impl SpanFilter for Entry {
    fn matches(&self, span: &Span<'_>) -> bool {
        let value = tailrace_ottl::trace_state_entry(span.view.trace_state().to_str(), &self.0.key);
        // An entry has at most 256 characters, with its equals sign.
        let fits = |value: &str| !value.is_empty() && self.0.key.len() + value.len() < 256;
        value.is_some_and(|value| fits(value) && self.0.values.iter().any(|wanted| wanted == value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, vote};
    use super::*;

    #[test]
    fn entries() {
        let config = Config { key: "a".into(), values: vec!["1".into(), "2".into()] };
        for (state, expected) in [
            ("a=1", true),
            ("b=9, a=2", true),
            ("a=3", false),
            ("b=1", false),
            ("", false),
            ("a", false),
            ("aa=1", false),
            ("a=1,B=1", false),
            ("a=1,a=2", false),
        ] {
            assert_eq!(vote(&config, &Sample::of(1).trace_state(state)), expected, "{state:?}");
        }
    }
}
