//! Requests that a test makes up.

use crate::Signal;
use crate::otlp::view::put_attribute;
use crate::otlp::wire::put_len_field;
use crate::otlp::{NONE, RequestWriter, Value};

/// Fields of a span, as OTLP numbers them.
const TRACE_ID: u32 = 1;
const SPAN_ID: u32 = 2;
const NAME: u32 = 5;
const ATTRIBUTES: u32 = 9;

/// Spans of one resource: a request to run through a plugin, or to compare with what came out.
///
/// ```
/// use tailrace_sdk::testing::Spans;
///
/// let request = Spans::new()
///     .span("GET /", &[("user.email", "ann@example.com".into()), ("http.response.status_code", 200.into())])
///     .span("SELECT", &[])
///     .next_trace()
///     .span("GET /healthz", &[])
///     .request();
/// assert!(!request.is_empty());
/// ```
#[derive(Debug)]
pub struct Spans {
    spans: Vec<Vec<u8>>,
    trace: u8,
}

impl Default for Spans {
    fn default() -> Self {
        Self::new()
    }
}

impl Spans {
    /// No span yet.
    pub fn new() -> Self {
        Self { spans: Vec::new(), trace: 1 }
    }

    /// Adds a span to the trace.
    pub fn span(mut self, name: &str, attributes: &[(&str, Value<'_>)]) -> Self {
        let mut span = Vec::new();
        let number = u8::try_from(self.spans.len() + 1).unwrap_or(u8::MAX);
        put_len_field(&mut span, TRACE_ID, &[self.trace; 16]);
        put_len_field(&mut span, SPAN_ID, &[number; 8]);
        put_len_field(&mut span, NAME, name.as_bytes());
        for (key, value) in attributes {
            put_attribute(&mut span, ATTRIBUTES, (*key).into(), value);
        }
        self.spans.push(span);
        self
    }

    /// The spans that are added from now on belong to another trace.
    pub fn next_trace(mut self) -> Self {
        self.trace = self.trace.saturating_add(1);
        self
    }

    /// The encoded request. Empty if there is no span.
    pub fn request(self) -> Vec<u8> {
        let mut writer = RequestWriter::new(Signal::Traces);
        for span in &self.spans {
            writer.item(span, NONE);
        }
        writer.finish().map(|(request, _)| request).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{Limits, SpanView, validate};

    /// What is made up is what the host would take.
    #[test]
    fn a_request() {
        let request = Spans::new().span("a", &[("k", 7.into())]).next_trace().span("b", &[("k", "v".into())]).request();
        let index = validate(Signal::Traces, &request, &Limits::default()).unwrap();
        let span = |at| SpanView::new(index.item(&request, at).unwrap());
        assert_eq!((index.len(), span(0).name().to_str(), span(1).name().to_str()), (2, "a", "b"));
        assert_ne!(span(0).trace_id(), span(1).trace_id());
        let [attribute] = span(1).attributes().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((attribute.key.to_str(), attribute.value), ("k", Value::from("v")));
        assert!(Spans::new().request().is_empty());
    }
}
