//! Views beside decoded objects.

use super::model::Model;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{exemplar, metric, number_data_point};
use tailrace_otlp::{
    DataPointView, Index, LogRecordView, MetricKind, MetricView, Number, ResourceView, ScopeView, SpanView, Value,
};

pub fn same_value(view: &Value<'_>, object: Option<&AnyValue>) {
    use any_value::Value as Any;
    match (view, object.and_then(|object| object.value.as_ref())) {
        (Value::Empty, None | Some(Any::StringValueStrindex(_))) => {}
        (Value::String(a), Some(Any::StringValue(b))) => assert_eq!(a.to_str(), b),
        (Value::Bool(a), Some(Any::BoolValue(b))) => assert_eq!(a, b),
        (Value::Int(a), Some(Any::IntValue(b))) => assert_eq!(a, b),
        (Value::Double(a), Some(Any::DoubleValue(b))) => assert_eq!(a.to_bits(), b.to_bits()),
        (Value::Bytes(a), Some(Any::BytesValue(b))) => assert_eq!(a, b),
        (Value::Array(a), Some(Any::ArrayValue(b))) => {
            assert_eq!(a.iter().count(), b.values.len());
            a.iter().zip(&b.values).for_each(|(a, b)| same_value(&a, Some(b)));
        }
        (Value::KvList(a), Some(Any::KvlistValue(b))) => same_attributes(a.iter(), &b.values),
        (view, object) => panic!("{view:?} is not {object:?}"),
    }
}

pub fn same_attributes<'a>(views: impl Iterator<Item = tailrace_otlp::KeyValue<'a>> + Clone, objects: &[KeyValue]) {
    assert_eq!(views.clone().count(), objects.len());
    for (view, object) in views.zip(objects) {
        assert_eq!(view.key.to_str(), object.key);
        same_value(&view.value, object.value.as_ref());
    }
}

/// An id as objects have it.
fn same_id<const N: usize>(view: Option<&[u8; N]>, object: &[u8]) {
    let object = Some(object).filter(|id| id.iter().any(|byte| *byte != 0));
    assert_eq!(view.map(|id| &id[..]), object);
}

fn status_code(number: i32) -> tailrace_otlp::StatusCode {
    match number {
        1 => tailrace_otlp::StatusCode::Ok,
        2 => tailrace_otlp::StatusCode::Error,
        _ => tailrace_otlp::StatusCode::Unset,
    }
}

/// Every getter of every view says what the decoded object says.
pub fn check(model: &Model, data: &[u8], index: &Index) {
    let mut items = (0..index.items.len()).map(|item| index.item(data, item).unwrap());
    let mut resources = index.resources.iter().map(|resource| ResourceView::new(&data[resource.range()]));
    let mut scopes = index.scopes.iter().map(|scope| ScopeView::new(&data[scope.range()]));
    macro_rules! contexts {
        ($resources:expr, $scopes:ident, |$scope:ident| $body:expr) => {
            for outer in $resources {
                let view = resources.next().unwrap();
                let resource = outer.resource.clone().unwrap_or_default();
                same_attributes(view.attributes(), &resource.attributes);
                assert_eq!(view.dropped_attributes_count(), resource.dropped_attributes_count);
                assert_eq!(view.schema_url().to_str(), outer.schema_url);
                for $scope in &outer.$scopes {
                    let view = scopes.next().unwrap();
                    let inner = $scope.scope.clone().unwrap_or_default();
                    assert_eq!(view.name().to_str(), inner.name);
                    assert_eq!(view.version().to_str(), inner.version);
                    same_attributes(view.attributes(), &inner.attributes);
                    assert_eq!(view.dropped_attributes_count(), inner.dropped_attributes_count);
                    assert_eq!(view.schema_url().to_str(), $scope.schema_url);
                    $body;
                }
            }
        };
    }
    match model {
        Model::Traces(request) => contexts!(&request.resource_spans, scope_spans, |scope| {
            for span in &scope.spans {
                let view = SpanView::new(items.next().unwrap());
                same_id(view.trace_id(), &span.trace_id);
                same_id(view.span_id(), &span.span_id);
                same_id(view.parent_span_id(), &span.parent_span_id);
                assert_eq!(view.trace_state().to_str(), span.trace_state);
                assert_eq!(view.name().to_str(), span.name);
                assert_eq!(view.kind(), span.kind);
                assert_eq!(view.start_time_unix_nano(), span.start_time_unix_nano);
                assert_eq!(view.end_time_unix_nano(), span.end_time_unix_nano);
                assert_eq!(view.dropped_attributes_count(), span.dropped_attributes_count);
                assert_eq!(view.dropped_events_count(), span.dropped_events_count);
                assert_eq!(view.dropped_links_count(), span.dropped_links_count);
                assert_eq!(view.flags(), span.flags);
                same_attributes(view.attributes(), &span.attributes);
                let status = span.status.clone().unwrap_or_default();
                assert_eq!(view.status_code(), status_code(status.code));
                assert_eq!(view.status_message().to_str(), status.message);
                assert_eq!(view.events().count(), span.events.len());
                for (view, event) in view.events().zip(&span.events) {
                    assert_eq!(view.time_unix_nano(), event.time_unix_nano);
                    assert_eq!(view.name().to_str(), event.name);
                    same_attributes(view.attributes(), &event.attributes);
                    assert_eq!(view.dropped_attributes_count(), event.dropped_attributes_count);
                }
                assert_eq!(view.links().count(), span.links.len());
                for (view, link) in view.links().zip(&span.links) {
                    same_id(view.trace_id(), &link.trace_id);
                    same_id(view.span_id(), &link.span_id);
                    assert_eq!(view.trace_state().to_str(), link.trace_state);
                    same_attributes(view.attributes(), &link.attributes);
                    assert_eq!(view.dropped_attributes_count(), link.dropped_attributes_count);
                    assert_eq!(view.flags(), link.flags);
                }
                let summary = view.summary();
                assert_eq!(summary.trace_id, view.trace_id());
                assert_eq!(summary.is_root, view.parent_span_id().is_none());
                assert_eq!(summary.start_time_unix_nano, span.start_time_unix_nano);
                assert_eq!(summary.end_time_unix_nano, span.end_time_unix_nano);
                assert_eq!(summary.status_code, status_code(status.code));
            }
        }),
        Model::Logs(request) => contexts!(&request.resource_logs, scope_logs, |scope| {
            for record in &scope.log_records {
                let view = LogRecordView::new(items.next().unwrap());
                assert_eq!(view.time_unix_nano(), record.time_unix_nano);
                assert_eq!(view.observed_time_unix_nano(), record.observed_time_unix_nano);
                assert_eq!(view.severity_number(), record.severity_number);
                assert_eq!(view.severity_text().to_str(), record.severity_text);
                same_value(&view.body(), record.body.as_ref());
                same_attributes(view.attributes(), &record.attributes);
                assert_eq!(view.dropped_attributes_count(), record.dropped_attributes_count);
                assert_eq!(view.flags(), record.flags);
                same_id(view.trace_id(), &record.trace_id);
                same_id(view.span_id(), &record.span_id);
                assert_eq!(view.event_name().to_str(), record.event_name);
            }
        }),
        Model::Metrics(request) => {
            let mut metrics = index.metrics.iter();
            contexts!(&request.resource_metrics, scope_metrics, |scope| {
                for metric in &scope.metrics {
                    let entry = metrics.next().unwrap();
                    let view = MetricView::new(&data[entry.range()]);
                    assert_eq!(view.name().to_str(), metric.name);
                    assert_eq!(view.description().to_str(), metric.description);
                    assert_eq!(view.unit().to_str(), metric.unit);
                    same_attributes(view.metadata(), &metric.metadata);
                    assert_eq!(view.kind(), entry.kind);
                    let points: Vec<_> = entry.items().map(|_| items.next().unwrap()).collect();
                    let inside: Vec<_> = view.data_points().map(|point| point.as_bytes()).collect();
                    assert_eq!(points, inside);
                    check_metric(&view, entry.kind, &points, metric);
                }
            });
            assert!(metrics.next().is_none());
        }
    }
    assert!(items.next().is_none() && scopes.next().is_none() && resources.next().is_none());
}

fn check_metric(
    view: &MetricView<'_>,
    kind: MetricKind,
    points: &[&[u8]],
    metric: &opentelemetry_proto::tonic::metrics::v1::Metric,
) {
    use metric::Data;
    let points: Vec<_> = points.iter().map(|point| DataPointView::new(kind, point)).collect();
    let bits = |double: Option<f64>| double.map(f64::to_bits);
    let (temporality, monotonic) = (view.aggregation_temporality(), view.is_monotonic());
    macro_rules! common {
        ($data:expr, |$view:ident, $point:ident| $body:expr) => {
            assert_eq!(points.len(), $data.data_points.len());
            for ($view, $point) in points.iter().zip(&$data.data_points) {
                same_attributes($view.attributes(), &$point.attributes);
                assert_eq!($view.start_time_unix_nano(), $point.start_time_unix_nano);
                assert_eq!($view.time_unix_nano(), $point.time_unix_nano);
                assert_eq!($view.flags(), $point.flags);
                $body
            }
        };
    }
    let exemplars = |view: &DataPointView<'_>, objects: &[opentelemetry_proto::tonic::metrics::v1::Exemplar]| {
        assert_eq!(view.exemplars().count(), objects.len());
        for (view, object) in view.exemplars().zip(objects) {
            same_attributes(view.filtered_attributes(), &object.filtered_attributes);
            assert_eq!(view.time_unix_nano(), object.time_unix_nano);
            same_id(view.span_id(), &object.span_id);
            same_id(view.trace_id(), &object.trace_id);
            match (view.value(), object.value) {
                (None, None) => {}
                (Some(Number::Int(a)), Some(exemplar::Value::AsInt(b))) => assert_eq!(a, b),
                (Some(Number::Double(a)), Some(exemplar::Value::AsDouble(b))) => assert_eq!(a.to_bits(), b.to_bits()),
                (a, b) => panic!("{a:?} is not {b:?}"),
            }
        }
    };
    match &metric.data {
        None => assert_eq!((kind, temporality, monotonic), (MetricKind::Empty, 0, false)),
        Some(Data::Gauge(data)) => {
            assert_eq!((kind, temporality, monotonic), (MetricKind::Gauge, 0, false));
            common!(data, |view, point| {
                exemplars(view, &point.exemplars);
                same_number(view.value(), point.value);
                assert_eq!((view.count(), view.sum()), (0, None));
            });
        }
        Some(Data::Sum(data)) => {
            assert_eq!(kind, MetricKind::Sum);
            assert_eq!((temporality, monotonic), (data.aggregation_temporality, data.is_monotonic));
            common!(data, |view, point| {
                exemplars(view, &point.exemplars);
                same_number(view.value(), point.value);
            });
        }
        Some(Data::Histogram(data)) => {
            assert_eq!((kind, temporality), (MetricKind::Histogram, data.aggregation_temporality));
            common!(data, |view, point| {
                exemplars(view, &point.exemplars);
                assert_eq!((view.count(), bits(view.sum())), (point.count, bits(point.sum)));
            });
        }
        Some(Data::ExponentialHistogram(data)) => {
            assert_eq!((kind, temporality), (MetricKind::ExponentialHistogram, data.aggregation_temporality));
            common!(data, |view, point| {
                exemplars(view, &point.exemplars);
                assert_eq!((view.count(), bits(view.sum())), (point.count, bits(point.sum)));
            });
        }
        Some(Data::Summary(data)) => {
            assert_eq!((kind, temporality), (MetricKind::Summary, 0));
            common!(data, |view, point| {
                assert_eq!(view.exemplars().count(), 0);
                assert_eq!((view.count(), bits(view.sum())), (point.count, bits(Some(point.sum))));
            });
        }
    }
}

fn same_number(view: Option<Number>, object: Option<number_data_point::Value>) {
    match (view, object) {
        (None, None) => {}
        (Some(Number::Int(a)), Some(number_data_point::Value::AsInt(b))) => assert_eq!(a, b),
        (Some(Number::Double(a)), Some(number_data_point::Value::AsDouble(b))) => assert_eq!(a.to_bits(), b.to_bits()),
        (a, b) => panic!("{a:?} is not {b:?}"),
    }
}
