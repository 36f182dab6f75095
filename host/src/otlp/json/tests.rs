use super::*;
use crate::pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    Summary, SummaryDataPoint, exponential_histogram_data_point::Buckets, metric, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};
use tailrace_otlp::schema;

fn to_proto(signal: Signal, text: &str) -> Result<Vec<u8>, Error> {
    read(schema::request(signal), text.as_bytes(), &Limits::default())
}

fn to_json(signal: Signal, data: &[u8]) -> String {
    let mut out = Vec::new();
    write(schema::request(signal), data, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A request with one span, whose JSON is `span`.
fn one_span(span: Value) -> Result<Span, Error> {
    let text = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
    let request = ExportTraceServiceRequest::decode(&*to_proto(Signal::Traces, &text)?).unwrap();
    Ok(request.resource_spans[0].scope_spans[0].spans[0].clone())
}

fn attribute(value: Value) -> Result<Option<any_value::Value>, Error> {
    let span = one_span(json!({"attributes": [{"key": "k", "value": value}]}))?;
    Ok(span.attributes[0].value.clone().and_then(|value| value.value))
}

/// A span as the specification shows it: every kind of field is understood, unknown ones are not missed.
#[test]
fn a_span_in_full() {
    let span = one_span(json!({
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "parentSpanId": "",
        "traceState": null, "name": "GET /käse", "kind": 2, "flags": 257,
        "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": 1_544_712_661_000_000_000_u64,
        "status": {"code": 2}, "droppedLinksCount": 1.0,
        "events": [{"timeUnixNano": "7", "name": "e"}], "links": [],
        "futureField": {"deep": [1, {"x": null}]}, "trace_id": "ignored",
    }))
    .unwrap();
    assert_eq!(span.trace_id, (0x5B8E_FFF7_9803_8103_D269_B633_813F_C60C_u128).to_be_bytes());
    assert_eq!(span.span_id, 0xEEE1_9B7E_C3C1_B174_u64.to_be_bytes());
    assert_eq!((span.parent_span_id.len(), span.trace_state.as_str(), span.name.as_str()), (0, "", "GET /käse"));
    assert_eq!((span.kind, span.flags, span.dropped_links_count), (2, 257, 1));
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_544_712_660_000_000_000, 1_544_712_661_000_000_000)
    );
    assert_eq!(span.status, Some(Status { code: 2, message: String::new() }));
    assert_eq!((span.events[0].time_unix_nano, span.events[0].name.as_str()), (7, "e"));
}

/// Every type of attribute value, with zero values, which a oneof keeps.
#[test]
fn attribute_values() {
    use any_value::Value as V;
    let check = |json, expected| assert_eq!(attribute(json), Ok(Some(expected)));
    check(json!({"stringValue": ""}), V::StringValue(String::new()));
    check(json!({"boolValue": false}), V::BoolValue(false));
    check(json!({"intValue": "-9223372036854775808"}), V::IntValue(i64::MIN));
    check(json!({"intValue": 0}), V::IntValue(0));
    check(json!({"intValue": "1e3"}), V::IntValue(1_000));
    check(json!({"doubleValue": 1}), V::DoubleValue(1.0));
    check(json!({"doubleValue": "-Infinity"}), V::DoubleValue(f64::NEG_INFINITY));
    check(json!({"doubleValue": "0.1"}), V::DoubleValue(0.1));
    check(json!({"bytesValue": "-_8"}), V::BytesValue(vec![0xfb, 0xff]));
    check(json!({"bytesValue": "+/8="}), V::BytesValue(vec![0xfb, 0xff]));
    let one = AnyValue { value: Some(V::IntValue(1)) };
    check(json!({"arrayValue": {"values": [{"intValue": 1}]}}), V::ArrayValue(ArrayValue { values: vec![one] }));
    check(json!({"kvlistValue": {"values": []}}), V::KvlistValue(KeyValueList::default()));
    assert_eq!(attribute(json!({})), Ok(None));
    assert_eq!(attribute(json!(null)), Ok(None));
}

/// What is of the wrong type or out of range is refused, with the name of the field and the place.
#[test]
fn wrong_values_are_refused_by_name() {
    for (span, name) in [
        (json!({"traceId": "xyz"}), "traceId"),
        (json!({"traceId": "abc"}), "traceId"),
        (json!({"traceId": 5}), "traceId"),
        (json!({"kind": "SPAN_KIND_SERVER"}), "kind"),
        (json!({"kind": 4_294_967_296_u64}), "kind"),
        (json!({"flags": -1}), "flags"),
        (json!({"name": 1}), "name"),
        (json!({"name": ["a"]}), "name"),
        (json!({"startTimeUnixNano": "-1"}), "startTimeUnixNano"),
        (json!({"startTimeUnixNano": 1.5}), "startTimeUnixNano"),
        (json!({"startTimeUnixNano": "inf"}), "startTimeUnixNano"),
        (json!({"startTimeUnixNano": true}), "startTimeUnixNano"),
        (json!({"status": []}), "status"),
        (json!({"status": "ok"}), "status"),
        (json!({"events": {}}), "events"),
        (json!({"events": "e"}), "events"),
        (json!({"events": [null]}), "events"),
        (json!({"events": [[{}]]}), "events"),
        (json!({"attributes": [{"value": {"boolValue": 1}}]}), "boolValue"),
        (json!({"attributes": [{"value": {"bytesValue": "?"}}]}), "bytesValue"),
        (json!({"attributes": [{"value": {"doubleValue": "nan"}}]}), "doubleValue"),
    ] {
        match one_span(span.clone()) {
            Err(Error::Invalid(message)) => {
                assert!(message.contains(name) && message.contains("line 1 column"), "{span}: {message}");
            }
            other => panic!("{span}: {other:?}"),
        }
    }
}

#[test]
fn broken_texts_are_refused() {
    for text in ["", "null", "[]", "3", "{", "{}x", r#"{"resourceSpans":[{]}"#, "{\"a\":\"\u{1}\"}", "\u{feff}{}"] {
        assert!(matches!(to_proto(Signal::Traces, text), Err(Error::Invalid(_))), "{text:?}");
    }
    assert_eq!(to_proto(Signal::Traces, "{}"), Ok(vec![]));
    let bad_utf8 = b"{\"resourceSpans\":[{\"schemaUrl\":\"\xff\"}]}";
    assert!(read(schema::request(Signal::Traces), bad_utf8, &Limits::default()).is_err());
}

/// Repeated numbers come packed, also none of them.
#[test]
fn numbers_in_lists() {
    let text = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "h", "histogram": {"dataPoints": [
        {"count": "3", "sum": 0, "bucketCounts": ["1", 2, "0"], "explicitBounds": [0.5, "Infinity"], "exemplars": []},
        {"bucketCounts": []},
    ]}}]}]}]});
    let data = to_proto(Signal::Metrics, &text.to_string()).unwrap();
    let request = ExportMetricsServiceRequest::decode(&*data).unwrap();
    let Some(metric::Data::Histogram(histogram)) = &request.resource_metrics[0].scope_metrics[0].metrics[0].data else {
        panic!("{request:?}");
    };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum), (3, Some(0.0)));
    assert_eq!((&point.bucket_counts, &point.explicit_bounds), (&vec![1, 2, 0], &vec![0.5, f64::INFINITY]));
    let expected = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "h", "histogram": {"dataPoints": [
        {"count": "3", "sum": 0.0, "bucketCounts": ["1", "2", "0"], "explicitBounds": [0.5, "Infinity"]}, {},
    ]}}]}]}]});
    assert_eq!(serde_json::from_str::<Value>(&to_json(Signal::Metrics, &data)).unwrap(), expected);
}

/// A thousand levels: refused in known fields, passed over in unknown ones; neither takes a stack to speak of.
#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [
        (r#"{"arrayValue":{"values":["#, "]}}"),
        (r#"{"unknown":["#, "]}"),
        (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}"),
    ] {
        let nested = |levels: usize| {
            let value = format!("{}{{}}{}", open.repeat(levels), close.repeat(levels));
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}"#)
        };
        assert!(to_proto(Signal::Logs, &nested(20)).is_ok());
        for levels in [1_000, 100_000] {
            let result = to_proto(Signal::Logs, &nested(levels));
            assert_eq!(matches!(result, Err(Error::Invalid(_))), !open.contains("unknown"), "{open} {levels}");
        }
    }
    let limits = Limits { depth: 4, ..Limits::default() };
    let text = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":{}}}]}]}]}"#;
    assert!(read(schema::request(Signal::Logs), text, &limits).is_err());
    assert!(read(schema::request(Signal::Logs), text, &Limits { depth: 5, ..limits }).is_ok());
}

/// Three bytes of JSON an element: stopped by the budget, not by memory. And a result that grows beyond its limit.
#[test]
fn bombs_are_refused() {
    let text = format!(r#"{{"resourceSpans":[{{}}{}]}}"#, ",{}".repeat(1_000));
    let limits = Limits { elements: 1_000, ..Limits::default() };
    assert!(matches!(read(schema::request(Signal::Traces), text.as_bytes(), &limits), Err(Error::Invalid(_))));
    assert!(read(schema::request(Signal::Traces), text.as_bytes(), &Limits { elements: 1_001, ..limits }).is_ok());

    let numbers = format!("0{}", ",0".repeat(1_000));
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{numbers}]}}]}}}}]}}]}}]}}"#
    );
    let limits = Limits { bytes: text.len(), ..Limits::default() };
    let result = read(schema::request(Signal::Metrics), text.as_bytes(), &limits);
    assert_eq!(result, Err(Error::TooLarge { limit: text.len() }));
}

/// Encodings that writers do not produce but readers must accept: unpacked numbers, fields out of order, a single
/// message in two pieces, two members of a oneof.
#[test]
fn unusual_encodings_become_usual_json() {
    let check = |message, data: &[u8], expected: &str| {
        let mut out = Vec::new();
        write(message, data, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check(&schema::BUCKETS, b"\x10\x01\x10\x02\x12\x02\x03\x04", r#"{"bucketCounts":["1","2","3","4"]}"#);
    check(&schema::BUCKETS, b"\x12\x01\x07\x08\x03\x08\x05", r#"{"offset":-3,"bucketCounts":["7"]}"#);
    check(&schema::ANY_VALUE, b"\x0a\x01a\x18\x05", r#"{"intValue":"5"}"#);
    check(&schema::ANY_VALUE, b"\x18\x05\x0a\x01a", r#"{"stringValue":"a"}"#);
    check(&schema::SPAN, b"\x7a\x03\x12\x01m\x7a\x02\x18\x02", r#"{"status":{"message":"m","code":2}}"#);
    check(&schema::STATUS, b"\x12\x00\x18\x00\xf8\x07\x01", "{}");
    let mut out = Vec::new();
    assert_eq!(write(&schema::SPAN, b"\x7a\x7f", &mut out), Err(Malformed));
    assert_eq!(write(&schema::SPAN, b"\x08\x01", &mut out), Err(Malformed));
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value as V;
    let leaf = prop_oneof![
        Just(None),
        ".{0,20}".prop_map(|text| Some(V::StringValue(text))),
        any::<bool>().prop_map(|value| Some(V::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(V::IntValue(value))),
        any::<f64>().prop_map(|value| Some(V::DoubleValue(value))),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Some(V::BytesValue(bytes))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| AnyValue { value: Some(V::ArrayValue(ArrayValue { values })) }),
            proptest::collection::vec((".{0,5}", inner), 0..4).prop_map(|pairs| {
                let values =
                    pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..Default::default() });
                AnyValue { value: Some(V::KvlistValue(KeyValueList { values: values.collect() })) }
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (".{0,10}", proptest::option::of(any_value()));
    let pair = pair.prop_map(|(key, value)| KeyValue { key, value, ..Default::default() });
    proptest::collection::vec(pair, 0..4)
}

prop_compose! {
    fn trace_request()(
        trace_id in any::<[u8; 16]>(), span_id in any::<[u8; 8]>(), name in ".{0,20}", kind in any::<i32>(),
        times in any::<(u64, u64)>(), counts in any::<(u32, u32)>(), flags in any::<u32>(),
        attributes in attributes(), event in proptest::option::of(attributes()), code in proptest::option::of(0..3i32),
    ) -> ExportTraceServiceRequest {
        let events = event.into_iter().map(|attributes| span::Event { attributes, time_unix_nano: times.1, ..Default::default() });
        let span = Span {
            trace_id: trace_id.to_vec(), span_id: span_id.to_vec(), name, kind, flags, attributes,
            start_time_unix_nano: times.0, end_time_unix_nano: times.1,
            dropped_attributes_count: counts.0, dropped_events_count: counts.1, events: events.collect(),
            status: code.map(|code| Status { code, message: String::new() }), ..Default::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], schema_url: "s".into(), ..Default::default() }, ScopeSpans::default()];
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
    }
}

prop_compose! {
    fn metrics_request()(
        as_double in any::<f64>(), as_int in any::<i64>(), offset in any::<i32>(), scale in any::<i32>(),
        counts in proptest::collection::vec(any::<u64>(), 0..5), optional in proptest::option::of(any::<f64>()),
        quantiles in proptest::collection::vec(any::<(f64, f64)>(), 0..3), attributes in attributes(),
    ) -> ExportMetricsServiceRequest {
        let number = |value| NumberDataPoint { value: Some(value), attributes: attributes.clone(), ..Default::default() };
        let gauge = Gauge { data_points: vec![number(number_data_point::Value::AsDouble(as_double)), number(number_data_point::Value::AsInt(as_int))] };
        let point = ExponentialHistogramDataPoint {
            scale, sum: optional, min: optional, zero_threshold: as_double,
            positive: Some(Buckets { offset, bucket_counts: counts.clone() }), ..Default::default()
        };
        let quantile_values = quantiles.iter().map(|(quantile, value)| ValueAtQuantile { quantile: *quantile, value: *value }).collect();
        let summary = SummaryDataPoint { quantile_values, ..Default::default() };
        let metrics = [
            metric::Data::Gauge(gauge),
            metric::Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 }),
            metric::Data::Summary(Summary { data_points: vec![summary] }),
        ].into_iter().map(|data| Metric { name: "m".into(), data: Some(data), ..Default::default() }).collect();
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
    }
}

/// Bytes that prost wrote, through JSON and back: the same bytes for doubles that compare equal.
fn round_trip(signal: Signal, data: &[u8]) -> Vec<u8> {
    let text = to_json(signal, data);
    serde_json::from_str::<Value>(&text).expect("what is written is JSON");
    to_proto(signal, &text).unwrap()
}

proptest! {
    /// Any trace request survives the way through JSON, as prost reads it.
    #[test]
    fn traces_survive(request in trace_request()) {
        let back = round_trip(Signal::Traces, &request.encode_to_vec());
        prop_assert_eq!(ExportTraceServiceRequest::decode(&*back).unwrap(), request);
    }

    /// Any metrics request too.
    #[test]
    fn metrics_survive(request in metrics_request()) {
        let back = round_trip(Signal::Metrics, &request.encode_to_vec());
        prop_assert_eq!(ExportMetricsServiceRequest::decode(&*back).unwrap(), request);
    }

    /// Log bodies of every shape too.
    #[test]
    fn logs_survive(body in any_value()) {
        use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
        let record = LogRecord { body: Some(body), severity_number: 9, event_name: "e".into(), ..Default::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
        let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
        let back = round_trip(Signal::Logs, &request.encode_to_vec());
        prop_assert_eq!(ExportLogsServiceRequest::decode(&*back).unwrap(), request);
    }

    /// Whatever is read is a message that prost reads too; damaged text is refused or read, never a panic.
    #[test]
    fn damaged_text(request in trace_request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = to_json(Signal::Traces, &request.encode_to_vec()).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(data) = read(schema::request(Signal::Traces), &text, &Limits::default()) {
            prop_assert!(ExportTraceServiceRequest::decode(&*data).is_ok());
        }
    }

    /// Damaged protobuf never panics and never gives broken JSON.
    #[test]
    fn damaged_protobuf(request in trace_request(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut data = request.encode_to_vec();
        let at = at.index(data.len());
        data[at] = byte;
        let mut out = Vec::new();
        if write(schema::request(Signal::Traces), &data, &mut out).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok(), "{}", String::from_utf8_lossy(&out));
        }
    }
}
