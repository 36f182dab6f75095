//! Requests with unique span ids: what the external ledger counts by.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, status::StatusCode};

/// A key and a text.
pub fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// The text of an attribute, if there is one of this key.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Makes traces with random ids from a printed seed.
pub struct Generator {
    random: fastrand::Rng,
    /// Spans of a trace.
    pub spans_per_trace: usize,
    /// Of 100 traces, how many have an error.
    pub errors_percent: u32,
    /// Of 100 traces, how many last 2 s.
    pub slow_percent: u32,
}

impl Generator {
    /// The seed goes to the test's output.
    pub fn new(seed: u64) -> Self {
        println!("generator seed: {seed}");
        Self { random: fastrand::Rng::with_seed(seed), spans_per_trace: 10, errors_percent: 5, slow_percent: 5 }
    }

    /// A request of `traces` whole traces from a few services.
    pub fn request(&mut self, traces: usize) -> ExportTraceServiceRequest {
        let resource_spans = (0..traces).map(|_| self.trace()).collect();
        ExportTraceServiceRequest { resource_spans }
    }

    fn trace(&mut self) -> ResourceSpans {
        let service = format!("service-{}", self.random.u8(..4));
        let trace_id: Vec<u8> = std::iter::repeat_with(|| self.random.u8(..)).take(16).collect();
        let is_error = self.random.u32(..100) < self.errors_percent;
        let duration_ns = if self.random.u32(..100) < self.slow_percent { 2_000_000_000 } else { 50_000_000 };
        let start = 1_700_000_000_000_000_000 + self.random.u64(..1_000_000_000);
        let spans = (0..self.spans_per_trace).map(|i| {
            let mut attributes = vec![attribute("http.request.method", "GET"), attribute("url.path", "/api/cart")];
            if i % 4 == 0 {
                attributes.push(attribute("user.email", "jane@example.com"));
            }
            let code = if is_error && i == 0 { StatusCode::Error } else { StatusCode::Unset };
            Span {
                trace_id: trace_id.clone(),
                span_id: self.random.u64(1..).to_be_bytes().to_vec(),
                name: format!("operation {i}"),
                start_time_unix_nano: start,
                end_time_unix_nano: start + duration_ns,
                attributes,
                status: Some(Status { code: code.into(), message: String::new() }),
                ..Span::default()
            }
        });
        let spans = spans.collect();
        let scope = Some(InstrumentationScope { name: "e2e".to_owned(), ..InstrumentationScope::default() });
        let resource = Resource { attributes: vec![attribute("service.name", &service)], ..Resource::default() };
        let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
        ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }
    }
}

/// The spans of a request.
pub fn spans_of(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans)
}
