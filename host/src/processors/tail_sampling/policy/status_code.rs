//! `status_code`: keeps traces with a span of one of these statuses.
//!
//! ```yaml
//! - name: errors
//!   type: status_code
//!   status_code: {status_codes: [ERROR]}
//! ```
//! A status with a number that OTLP does not know is none of these.

use super::{Fault, Layout, Matched, Policy, PolicyConfig, Span, SpanFilter};
use serde::Deserialize;
use tailrace_otlp::StatusCode;

/// Which statuses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `OK`, `ERROR`, `UNSET`; at least one.
    pub status_codes: Vec<String>,
}

/// A status by its name in the configuration.
fn code(name: &str) -> Option<StatusCode> {
    match name {
        "UNSET" => Some(StatusCode::Unset),
        "OK" => Some(StatusCode::Ok),
        "ERROR" => Some(StatusCode::Error),
        _ => None,
    }
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.status_codes.is_empty() {
            fault.at("status_codes", "must name at least one of OK, ERROR, UNSET");
        }
        for (i, name) in self.status_codes.iter().enumerate() {
            if code(name).is_none() {
                fault.at(&format!("status_codes[{i}]"), format!("unknown status code {name:?}: OK, ERROR or UNSET"));
            }
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let wanted = self.status_codes.iter().filter_map(|name| code(name)).collect();
        Matched::any(layout.filter(Wanted(wanted)))
    }
}

struct Wanted(Vec<StatusCode>);

impl SpanFilter for Wanted {
    fn matches(&self, span: &Span<'_>) -> bool {
        // A number that is no status is read as unset, and is none of them.
        self.0.contains(&span.status) && (span.status != StatusCode::Unset || span.view.status_code_number() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::span_of_status;
    use super::super::{Trace, Vote};
    use super::*;

    #[test]
    fn only_the_named_ones() {
        let mut layout = Layout::default();
        let status_codes = vec!["OK".to_owned(), "ERROR".to_owned()];
        let policy = Config { status_codes }.build(&mut layout);
        for (status, expected) in [(StatusCode::Unset, false), (StatusCode::Ok, true), (StatusCode::Error, true)] {
            let facts = layout.facts_of(&span_of_status(status));
            let vote = policy.vote(&Trace::new(&[1; 16], &facts, 0));
            assert_eq!(vote == Vote::Sampled, expected, "{status:?}");
        }
    }
}
