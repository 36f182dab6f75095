//! Requests with unique span ids: what the external ledger counts by.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
};
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

    /// A request of one counter with so many points; each has `url.path`, every fourth `user.email`.
    pub fn metrics(&mut self, points: usize) -> ExportMetricsServiceRequest {
        let data_points = (0..points).map(|i| NumberDataPoint {
            attributes: attributes_of(i),
            time_unix_nano: 1_700_000_000_000_000_000,
            value: Some(Number::AsInt(self.random.i64(..))),
            ..NumberDataPoint::default()
        });
        let sum = Sum { data_points: data_points.collect(), aggregation_temporality: 2, is_monotonic: true };
        let metric = Metric { name: "requests".to_owned(), data: Some(Data::Sum(sum)), ..Metric::default() };
        let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
        let resource = Some(resource("service-m"));
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
        ExportMetricsServiceRequest { resource_metrics }
    }

    /// A request of so many log records; each has `url.path`, every fourth `user.email`.
    pub fn logs(&mut self, records: usize) -> ExportLogsServiceRequest {
        let records = (0..records).map(|i| LogRecord {
            time_unix_nano: 1_700_000_000_000_000_000 + self.random.u64(..1_000_000_000),
            severity_number: SeverityNumber::Warn.into(),
            body: Some(AnyValue { value: Some(Value::StringValue(format!("line {i}"))) }),
            attributes: attributes_of(i),
            ..LogRecord::default()
        });
        let scope_logs = vec![ScopeLogs { log_records: records.collect(), ..ScopeLogs::default() }];
        let resource = Some(resource("service-l"));
        let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
        ExportLogsServiceRequest { resource_logs }
    }

    fn trace(&mut self) -> ResourceSpans {
        let service = format!("service-{}", self.random.u8(..4));
        let trace_id: Vec<u8> = std::iter::repeat_with(|| self.random.u8(..)).take(16).collect();
        let is_error = self.random.u32(..100) < self.errors_percent;
        let duration_ns = if self.random.u32(..100) < self.slow_percent { 2_000_000_000 } else { 50_000_000 };
        let start = 1_700_000_000_000_000_000 + self.random.u64(..1_000_000_000);
        let spans = (0..self.spans_per_trace).map(|i| {
            let code = if is_error && i == 0 { StatusCode::Error } else { StatusCode::Unset };
            Span {
                trace_id: trace_id.clone(),
                span_id: self.random.u64(1..).to_be_bytes().to_vec(),
                name: format!("operation {i}"),
                start_time_unix_nano: start,
                end_time_unix_nano: start + duration_ns,
                attributes: attributes_of(i),
                status: Some(Status { code: code.into(), message: String::new() }),
                ..Span::default()
            }
        });
        let spans = spans.collect();
        let scope = Some(InstrumentationScope { name: "e2e".to_owned(), ..InstrumentationScope::default() });
        let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
        ResourceSpans { resource: Some(resource(&service)), scope_spans, ..ResourceSpans::default() }
    }
}

fn resource(service: &str) -> Resource {
    Resource { attributes: vec![attribute("service.name", service)], ..Resource::default() }
}

fn attributes_of(item: usize) -> Vec<KeyValue> {
    let mut attributes = vec![attribute("http.request.method", "GET"), attribute("url.path", "/api/cart")];
    if item.is_multiple_of(4) {
        attributes.push(attribute("user.email", "jane@example.com"));
    }
    attributes
}

/// The spans of a request.
pub fn spans_of(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans)
}
