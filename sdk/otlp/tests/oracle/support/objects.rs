//! Random requests as objects. Every field of every message is named, so that a new field of the dependency is an error here.

use super::source::Source;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric, number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message;
use tailrace_otlp::Signal;

/// An encoded request.
pub fn encoded(signal: Signal, s: &mut Source<'_>) -> Vec<u8> {
    match signal {
        Signal::Traces => traces(s).encode_to_vec(),
        Signal::Metrics => metrics(s).encode_to_vec(),
        Signal::Logs => logs(s).encode_to_vec(),
    }
}

fn u32(s: &mut Source<'_>) -> u32 {
    s.number() as u32
}

fn i32(s: &mut Source<'_>) -> i32 {
    s.number() as i32
}

fn f64(s: &mut Source<'_>) -> f64 {
    f64::from_bits(s.number())
}

pub fn any_value(s: &mut Source<'_>, depth: u32) -> AnyValue {
    use any_value::Value;
    let kinds = if depth > 3 { 7 } else { 9 };
    let value = match s.byte() % kinds {
        0 => None,
        1 | 2 => Some(Value::StringValue(s.string())),
        3 => Some(Value::BoolValue(s.bool())),
        4 => Some(Value::IntValue(s.number() as i64)),
        5 => Some(Value::DoubleValue(f64(s))),
        6 => Some(if s.one_in(4) { Value::StringValueStrindex(i32(s)) } else { Value::BytesValue(s.bytes()) }),
        7 => Some(Value::ArrayValue(ArrayValue { values: s.many(3, |s| any_value(s, depth + 1)) })),
        _ => Some(Value::KvlistValue(KeyValueList { values: s.many(3, |s| key_value(s, depth + 1)) })),
    };
    AnyValue { value }
}

fn key_value(s: &mut Source<'_>, depth: u32) -> KeyValue {
    KeyValue {
        key: s.string(),
        value: if s.one_in(8) { None } else { Some(any_value(s, depth)) },
        key_strindex: if s.one_in(8) { i32(s) } else { 0 },
    }
}

fn attributes(s: &mut Source<'_>) -> Vec<KeyValue> {
    s.many(5, |s| key_value(s, 0))
}

/// Attributes as instrumentation writes them.
fn usual_attributes(s: &mut Source<'_>) -> Vec<KeyValue> {
    use any_value::Value;
    (0..3 + s.below(6))
        .map(|_| {
            let value = match s.byte() % 8 {
                0 => Value::BoolValue(s.bool()),
                1 => Value::IntValue(i64::from(s.byte() % 128)),
                2 => Value::IntValue(128 + i64::from(s.byte())),
                3 => Value::IntValue(s.number() as i64),
                4 => Value::DoubleValue(f64(s)),
                // Its last two bytes are an unknown field where it is cut off.
                5 => Value::StringValue("END P!".into()),
                _ => Value::StringValue(s.string()),
            };
            let key = ["http.method", "k", "größe", "server.port", "schlüssel.der.lang.ist"][s.below(5)];
            KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
        })
        .collect()
}

/// A small request of the form that the fast path knows.
pub fn usual(signal: Signal, s: &mut Source<'_>) -> Vec<u8> {
    let resource = Some(Resource { attributes: usual_attributes(s), ..Resource::default() });
    match signal {
        Signal::Traces => {
            let spans = (0..2).map(|_| Span {
                trace_id: s.id(16),
                span_id: s.id(8),
                parent_span_id: s.id(8),
                name: s.string(),
                kind: s.below(6) as i32,
                start_time_unix_nano: s.u64(),
                end_time_unix_nano: s.u64(),
                attributes: usual_attributes(s),
                status: s.one_in(3).then(|| Status { message: String::new(), code: s.below(3) as i32 }),
                flags: if s.one_in(3) { 257 } else { 0 },
                ..Span::default()
            });
            let scope = ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() };
            let resource = ResourceSpans { resource, scope_spans: vec![scope], ..ResourceSpans::default() };
            ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
        }
        Signal::Logs => {
            let log_records = (0..2).map(|_| LogRecord {
                time_unix_nano: s.u64(),
                body: Some(any_value(s, 9)),
                attributes: usual_attributes(s),
                trace_id: s.id(16),
                ..LogRecord::default()
            });
            let scope = ScopeLogs { log_records: log_records.collect(), ..ScopeLogs::default() };
            let resource = ResourceLogs { resource, scope_logs: vec![scope], ..ResourceLogs::default() };
            ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
        }
        Signal::Metrics => {
            let mut metric = metric(s);
            if let Some(metric::Data::Gauge(gauge)) = &mut metric.data {
                for point in &mut gauge.data_points {
                    point.attributes = usual_attributes(s);
                }
            }
            let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
            let resource = ResourceMetrics { resource, scope_metrics: vec![scope], ..ResourceMetrics::default() };
            ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec()
        }
    }
}

fn resource(s: &mut Source<'_>) -> Resource {
    Resource {
        attributes: attributes(s),
        dropped_attributes_count: u32(s),
        entity_refs: if s.one_in(4) { s.many(2, entity_ref) } else { vec![] },
    }
}

fn entity_ref(s: &mut Source<'_>) -> EntityRef {
    EntityRef {
        schema_url: s.string(),
        r#type: s.string(),
        id_keys: s.many(3, Source::string),
        description_keys: s.many(2, Source::string),
    }
}

fn scope(s: &mut Source<'_>) -> InstrumentationScope {
    InstrumentationScope {
        name: s.string(),
        version: s.string(),
        attributes: attributes(s),
        dropped_attributes_count: u32(s),
    }
}

fn traces(s: &mut Source<'_>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: s.many(3, |s| ResourceSpans {
            resource: s.maybe(resource),
            scope_spans: s.many(3, |s| ScopeSpans {
                scope: s.maybe(scope),
                spans: s.many(4, span),
                schema_url: s.string(),
            }),
            schema_url: s.string(),
        }),
    }
}

fn span(s: &mut Source<'_>) -> Span {
    Span {
        trace_id: s.id(16),
        span_id: s.id(8),
        trace_state: s.string(),
        parent_span_id: s.id(8),
        flags: u32(s),
        name: s.string(),
        kind: i32(s),
        start_time_unix_nano: s.number(),
        end_time_unix_nano: s.number(),
        attributes: attributes(s),
        dropped_attributes_count: u32(s),
        events: s.many(2, |s| span::Event {
            time_unix_nano: s.number(),
            name: s.string(),
            attributes: attributes(s),
            dropped_attributes_count: u32(s),
        }),
        dropped_events_count: u32(s),
        links: s.many(2, |s| span::Link {
            trace_id: s.id(16),
            span_id: s.id(8),
            trace_state: s.string(),
            attributes: attributes(s),
            dropped_attributes_count: u32(s),
            flags: u32(s),
        }),
        dropped_links_count: u32(s),
        status: s.maybe(|s| Status { message: s.string(), code: if s.bool() { s.below(3) as i32 } else { i32(s) } }),
    }
}

fn logs(s: &mut Source<'_>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: s.many(3, |s| ResourceLogs {
            resource: s.maybe(resource),
            scope_logs: s.many(3, |s| ScopeLogs {
                scope: s.maybe(scope),
                log_records: s.many(4, |s| LogRecord {
                    time_unix_nano: s.number(),
                    observed_time_unix_nano: s.number(),
                    severity_number: i32(s),
                    severity_text: s.string(),
                    body: s.maybe(|s| any_value(s, 0)),
                    attributes: attributes(s),
                    dropped_attributes_count: u32(s),
                    flags: u32(s),
                    trace_id: s.id(16),
                    span_id: s.id(8),
                    event_name: s.string(),
                }),
                schema_url: s.string(),
            }),
            schema_url: s.string(),
        }),
    }
}

fn metrics(s: &mut Source<'_>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: s.many(3, |s| ResourceMetrics {
            resource: s.maybe(resource),
            scope_metrics: s.many(2, |s| ScopeMetrics {
                scope: s.maybe(scope),
                metrics: s.many(4, metric),
                schema_url: s.string(),
            }),
            schema_url: s.string(),
        }),
    }
}

fn metric(s: &mut Source<'_>) -> Metric {
    use metric::Data;
    let data = match s.byte() % 7 {
        0 => None,
        1 => Some(Data::Gauge(Gauge { data_points: s.many(4, number_point) })),
        2 | 3 => Some(Data::Sum(Sum {
            data_points: s.many(4, number_point),
            aggregation_temporality: i32(s),
            is_monotonic: s.bool(),
        })),
        4 => Some(Data::Histogram(Histogram {
            data_points: s.many(4, |s| HistogramDataPoint {
                attributes: attributes(s),
                start_time_unix_nano: s.number(),
                time_unix_nano: s.number(),
                count: s.number(),
                sum: s.maybe(f64),
                bucket_counts: s.many(4, Source::number),
                explicit_bounds: s.many(4, f64),
                exemplars: s.many(2, exemplar),
                flags: u32(s),
                min: s.maybe(f64),
                max: s.maybe(f64),
            }),
            aggregation_temporality: i32(s),
        })),
        5 => Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: s.many(3, |s| ExponentialHistogramDataPoint {
                attributes: attributes(s),
                start_time_unix_nano: s.number(),
                time_unix_nano: s.number(),
                count: s.number(),
                sum: s.maybe(f64),
                scale: i32(s),
                zero_count: s.number(),
                positive: s.maybe(buckets),
                negative: s.maybe(buckets),
                flags: u32(s),
                exemplars: s.many(2, exemplar),
                min: s.maybe(f64),
                max: s.maybe(f64),
                zero_threshold: f64(s),
            }),
            aggregation_temporality: i32(s),
        })),
        _ => Some(Data::Summary(Summary {
            data_points: s.many(3, |s| SummaryDataPoint {
                attributes: attributes(s),
                start_time_unix_nano: s.number(),
                time_unix_nano: s.number(),
                count: s.number(),
                sum: f64(s),
                quantile_values: s.many(3, |s| ValueAtQuantile { quantile: f64(s), value: f64(s) }),
                flags: u32(s),
            }),
        })),
    };
    Metric {
        name: s.string(),
        description: s.string(),
        unit: s.string(),
        metadata: if s.one_in(3) { attributes(s) } else { vec![] },
        data,
    }
}

fn buckets(s: &mut Source<'_>) -> Buckets {
    Buckets { offset: i32(s), bucket_counts: s.many(5, Source::number) }
}

fn number_point(s: &mut Source<'_>) -> NumberDataPoint {
    use number_data_point::Value;
    NumberDataPoint {
        attributes: attributes(s),
        start_time_unix_nano: s.number(),
        time_unix_nano: s.number(),
        exemplars: s.many(2, exemplar),
        flags: u32(s),
        value: match s.byte() % 3 {
            0 => None,
            1 => Some(Value::AsDouble(f64(s))),
            _ => Some(Value::AsInt(s.number() as i64)),
        },
    }
}

fn exemplar(s: &mut Source<'_>) -> Exemplar {
    use exemplar::Value;
    Exemplar {
        filtered_attributes: attributes(s),
        time_unix_nano: s.number(),
        span_id: s.id(8),
        trace_id: s.id(16),
        value: match s.byte() % 3 {
            0 => None,
            1 => Some(Value::AsDouble(f64(s))),
            _ => Some(Value::AsInt(s.number() as i64)),
        },
    }
}
