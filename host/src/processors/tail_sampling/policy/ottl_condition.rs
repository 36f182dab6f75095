//! `ottl_condition`: keeps traces with a span, or an event of a span, for which a condition holds.
//!
//! ```yaml
//! - name: interesting
//!   type: ottl_condition
//!   ottl_condition:
//!     error_mode: ignore       # ignore | silent | propagate
//!     span: ['attributes["http.response.status_code"] >= 500', 'IsRootSpan() and name == "GET /"']
//!     spanevent: ['name == "exception"']
//! ```
//! One condition that holds is enough. The language is that of `tailrace-ottl`. A condition that has no answer for a span (a text
//! where a number is needed) does not hold; with `propagate` the conditions behind it are not asked about that span, and a
//! trace in which none holds for any other span is an error of the policy. In the Collector an error counts if it comes before
//! the span that matches, so there the order of the spans matters.

use super::{Bit, Fault, Layout, Policy, PolicyConfig, Span, SpanFilter, Trace, Vote};
use serde::Deserialize;
use std::sync::Arc;
use tailrace_ottl::{Condition, Context, EvalError, Scene};

/// Which conditions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What becomes of a condition without an answer.
    pub error_mode: ErrorMode,
    /// Conditions on spans.
    pub span: Vec<String>,
    /// Conditions on events of spans.
    pub spanevent: Vec<String>,
}

/// What becomes of a condition without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ErrorMode {
    /// It does not hold; the reason is logged, for debugging.
    #[default]
    Ignore,
    /// It does not hold.
    Silent,
    /// The policy fails for the trace.
    Propagate,
}

impl TryFrom<String> for ErrorMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "ignore" => Ok(Self::Ignore),
            "silent" => Ok(Self::Silent),
            "propagate" => Ok(Self::Propagate),
            _ => Err(format!("unknown error mode {text:?}: ignore, silent or propagate")),
        }
    }
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.span.is_empty() && self.spanevent.is_empty() {
            fault.at("span", "span or spanevent must have at least one condition");
        }
        for (key, conditions, context) in
            [("span", &self.span, Context::Span), ("spanevent", &self.spanevent, Context::SpanEvent)]
        {
            for (i, text) in conditions.iter().enumerate() {
                if let Err(error) = Condition::parse(text, context) {
                    fault.at(&format!("{key}[{i}]"), format!("{text:?}: {error}"));
                }
            }
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        let parse =
            |texts: &[String], context| texts.iter().filter_map(|text| Condition::parse(text, context).ok()).collect();
        let conditions = Arc::new(Conditions {
            spans: parse(&self.span, Context::Span),
            events: parse(&self.spanevent, Context::SpanEvent),
            mode: self.error_mode,
        });
        Box::new(Holds {
            holds: layout.filter(Hold(Arc::clone(&conditions))),
            fails: (self.error_mode == ErrorMode::Propagate).then(|| layout.filter(Fail(conditions))),
        })
    }
}

struct Conditions {
    spans: Vec<Condition>,
    events: Vec<Condition>,
    mode: ErrorMode,
}

impl Conditions {
    /// Whether any holds. In the mode `propagate` the first one without an answer ends it.
    fn hold(&self, span: &Span<'_>) -> Result<bool, EvalError> {
        let now = i64::try_from(span.now_ns).unwrap_or(i64::MAX);
        let mut scene = Scene { resource: span.resource, scope: span.scope, span: span.view, event: None, now };
        if self.any(&self.spans, &scene)? {
            return Ok(true);
        }
        if !self.events.is_empty() {
            for event in (0..).zip(span.view.events()) {
                scene.event = Some(event);
                if self.any(&self.events, &scene)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn any(&self, conditions: &[Condition], scene: &Scene<'_>) -> Result<bool, EvalError> {
        for condition in conditions {
            match condition.eval(scene) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if self.mode == ErrorMode::Propagate => return Err(error),
                Err(error) if self.mode == ErrorMode::Ignore => {
                    tracing::debug!("ottl_condition: no answer for a span: {error}");
                }
                Err(_) => {}
            }
        }
        Ok(false)
    }
}

struct Hold(Arc<Conditions>);

impl SpanFilter for Hold {
    fn matches(&self, span: &Span<'_>) -> bool {
        self.0.hold(span).unwrap_or(false)
    }
}

struct Fail(Arc<Conditions>);

impl SpanFilter for Fail {
    fn matches(&self, span: &Span<'_>) -> bool {
        self.0.hold(span).is_err()
    }
}

struct Holds {
    holds: Bit,
    fails: Option<Bit>,
}

impl Policy for Holds {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        match self.fails {
            _ if trace.matched(self.holds) => Vote::Sampled,
            Some(fails) if trace.matched(fails) => Vote::Error,
            _ => Vote::NotSampled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Sample, all_votes_at, vote};
    use super::*;
    use tailrace_otlp::Value;

    fn config(span: &[&str], error_mode: ErrorMode) -> Config {
        Config { error_mode, span: span.iter().map(|text| (*text).to_owned()).collect(), spanevent: vec![] }
    }

    #[test]
    fn one_span_is_enough() {
        let config = config(&[r#"attributes["n"] > 5"#, "status.code == STATUS_CODE_ERROR"], ErrorMode::Ignore);
        assert!(vote(&config, &Sample::of(3).attribute(1, "n", Value::Int(6))));
        assert!(vote(&config, &Sample::of(3).status(2, 2)));
        assert!(!vote(&config, &Sample::of(3).attribute(1, "n", Value::Int(5))));
        let of_resource = self::config(&[r#"resource.attributes["tier"] == "gold""#], ErrorMode::Ignore);
        assert!(vote(&of_resource, &Sample::of(1).resource("tier", Value::from("gold"))));
    }

    #[test]
    fn no_answer() {
        let sample = Sample::with("n", Value::from("text"));
        let both = Sample::of(2).attribute(0, "n", Value::from("text")).attribute(1, "n", Value::Int(9));
        for (mode, expected) in [
            (ErrorMode::Ignore, Vote::NotSampled),
            (ErrorMode::Silent, Vote::NotSampled),
            (ErrorMode::Propagate, Vote::Error),
        ] {
            let first = config(&[r#"attributes["n"] + 1 > 5"#, "true"], mode);
            let keeps = if mode == ErrorMode::Propagate { Vote::Error } else { Vote::Sampled };
            assert_eq!(all_votes_at(&first, &[(&sample, 0)]), [keeps], "{mode:?}");
            let config = config(&[r#"attributes["n"] + 1 > 5"#], mode);
            assert_eq!(all_votes_at(&config, &[(&sample, 0), (&both, 0)]), [expected, Vote::Sampled], "{mode:?}");
        }
    }
}
