//! Projection and splicing over real requests: every level, every field, order, and drops.

use super::*;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tailrace_otlp::{Index, KeySet, Signal, validate};

const LIMITS: Limits = Limits { value_bytes: 1000, data_bytes: 10_000 };

fn any(value: any_value::Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    any(any_value::Value::StringValue(text.into()))
}

fn kv(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..Default::default() }
}

/// One attribute `k` whose value says where it is.
fn here(place: &str) -> Vec<KeyValue> {
    vec![kv("other", text("x")), kv("k", text(place))]
}

fn span(number: u32) -> Span {
    Span {
        name: format!("span {number}"),
        kind: 2,
        start_time_unix_nano: 10,
        end_time_unix_nano: 15,
        attributes: here(&format!("item {number}")),
        events: vec![Event { attributes: here("event"), ..Default::default() }],
        links: vec![Link { attributes: here("link"), ..Default::default() }],
        status: Some(Status { code: 2, message: "broken".into() }),
        ..Default::default()
    }
}

/// Two resources; the second has two scopes of one span each.
fn traces() -> ExportTraceServiceRequest {
    let scope = |name: &str, spans| ScopeSpans {
        scope: Some(InstrumentationScope { name: name.into(), attributes: here(name), ..Default::default() }),
        spans,
        ..Default::default()
    };
    let resource = |name: &str, scope_spans| ResourceSpans {
        resource: Some(Resource { attributes: here(name), ..Default::default() }),
        scope_spans,
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![
            resource("resource 0", vec![scope("scope 0", vec![span(0), span(1)])]),
            resource("resource 1", vec![scope("scope 1", vec![span(2)]), scope("scope 2", vec![span(3)])]),
        ],
    }
}

fn indexed(signal: Signal, request: &impl Message) -> (Vec<u8>, Index) {
    let data = request.encode_to_vec();
    let index = validate(signal, &data, &tailrace_otlp::Limits::default()).unwrap();
    (data, index)
}

/// Every row in words: level, owner, key, value.
fn words(projection: &Projection, intrinsics: &[Intrinsic]) -> Vec<String> {
    let word = |row: Row<'_>| {
        let key = match row.key {
            Key::Attribute(key) => key,
            Key::Intrinsic(intrinsic) => intrinsic.name(),
        };
        let value = match row.value {
            Value::String(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        format!("{} {}: {key}={value}", row.level.name(), row.owner)
    };
    Rows::new(&projection.columns, intrinsics).iter().map(word).collect()
}

#[test]
fn attributes_of_every_level_in_the_order_of_the_bytes() {
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::exact(["k"]);
    let wanted = Wanted { keys: &keys, levels: &[], intrinsics: &[] };
    let rows = words(&project(Signal::Traces, &data, &index, wanted), &[]);
    assert_eq!(
        rows[..9],
        [
            "resource 0: k=resource 0",
            "scope 0: k=scope 0",
            "item 0: k=item 0",
            "event 0: k=event",
            "link 0: k=link",
            "item 1: k=item 1",
            "event 1: k=event",
            "link 1: k=link",
            "resource 1: k=resource 1",
        ]
    );
    assert_eq!(rows.len(), 2 + 3 + 4 * 3);

    let wanted = Wanted { levels: &[Level::Scope, Level::Link], ..wanted };
    let rows = words(&project(Signal::Traces, &data, &index, wanted), &[]);
    assert_eq!(rows.len(), 3 + 4, "{rows:?}");
}

/// Fields stand before the attributes of what carries them, also where there are no attributes.
#[test]
fn fields_stand_with_their_items() {
    let mut request = traces();
    request.resource_spans[1].scope_spans[0].spans[0].attributes.clear();
    let (data, index) = indexed(Signal::Traces, &request);
    let keys = KeySet::exact(["k"]);
    let fields = [Intrinsic::SpanDuration, Intrinsic::SpanName, Intrinsic::SpanStatus, Intrinsic::ScopeName];
    let wanted = Wanted { keys: &keys, levels: &[Level::Item], intrinsics: &fields };
    assert_eq!(
        words(&project(Signal::Traces, &data, &index, wanted), &fields),
        [
            "scope 0: scope.name=scope 0",
            "item 0: span.duration=5",
            "item 0: span.name=span 0",
            "item 0: span.status=2",
            "item 0: k=item 0",
            "item 1: span.duration=5",
            "item 1: span.name=span 1",
            "item 1: span.status=2",
            "item 1: k=item 1",
            "scope 1: scope.name=scope 1",
            "item 2: span.duration=5",
            "item 2: span.name=span 2",
            "item 2: span.status=2",
            "scope 2: scope.name=scope 2",
            "item 3: span.duration=5",
            "item 3: span.name=span 3",
            "item 3: span.status=2",
            "item 3: k=item 3",
        ]
    );
}

fn gauge(name: &str, points: u32) -> Metric {
    let point = |number| NumberDataPoint {
        attributes: here(&format!("point {number}")),
        exemplars: vec![Exemplar { filtered_attributes: here("exemplar"), ..Default::default() }],
        ..Default::default()
    };
    Metric {
        name: name.into(),
        metadata: here("metadata"),
        data: Some(metric::Data::Gauge(Gauge { data_points: (0..points).map(point).collect() })),
        ..Default::default()
    }
}

fn metrics() -> ExportMetricsServiceRequest {
    let scopes = vec![ScopeMetrics { metrics: vec![gauge("a", 2), gauge("b", 1)], ..Default::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics: scopes, ..Default::default() }],
    }
}

#[test]
fn metrics_have_a_level_of_their_own() {
    let (data, index) = indexed(Signal::Metrics, &metrics());
    let keys = KeySet::exact(["k"]);
    let fields = [Intrinsic::MetricName, Intrinsic::SpanName];
    let wanted = Wanted { keys: &keys, levels: &[], intrinsics: &fields };
    let projection = project(Signal::Metrics, &data, &index, wanted);
    // In the order of the bytes: the encoder writes exemplars (field 5) before attributes (field 7).
    assert_eq!(
        words(&projection, &fields),
        [
            "metric 0: metric.name=a",
            "metric 0: k=metadata",
            "exemplar 0: k=exemplar",
            "item 0: k=point 0",
            "exemplar 1: k=exemplar",
            "item 1: k=point 1",
            "metric 1: metric.name=b",
            "metric 1: k=metadata",
            "exemplar 2: k=exemplar",
            "item 2: k=point 0",
        ]
    );
    // A metric dropped is all its points dropped; a name set is set.
    let mut edits = Edits::default();
    edits.push(0, Action::Drop, &Value::Empty);
    edits.push(6, Action::Set, &Value::String("renamed"));
    let spliced = splice(Signal::Metrics, &data, &index, &projection, edits, &LIMITS).unwrap();
    assert_eq!((spliced.dropped, spliced.set), (2, 1));
    let (data, index) = spliced.request.unwrap();
    assert_eq!(index, validate(Signal::Metrics, &data, &tailrace_otlp::Limits::default()).unwrap());
    let mut expected = metrics();
    expected.resource_metrics[0].scope_metrics[0].metrics = vec![gauge("renamed", 1)];
    assert_eq!(ExportMetricsServiceRequest::decode(&*data).unwrap(), expected);
}

#[test]
fn logs_have_bodies() {
    let array = any(any_value::Value::ArrayValue(ArrayValue { values: vec![text("a")] }));
    let record = |body| LogRecord { body, severity_number: 9, ..Default::default() };
    let records = vec![record(Some(text("hello"))), record(None), record(Some(array))];
    let scopes = vec![ScopeLogs { log_records: records, ..Default::default() }];
    let request =
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs: scopes, ..Default::default() }] };
    let (data, index) = indexed(Signal::Logs, &request);
    let keys = KeySet::new();
    let fields = [Intrinsic::LogSeverity, Intrinsic::LogBody];
    let projection = project(Signal::Logs, &data, &index, Wanted { keys: &keys, levels: &[], intrinsics: &fields });
    let rows = words(&projection, &fields);
    assert_eq!(rows[..3], ["item 0: log.severity=9", "item 0: log.body=hello", "item 1: log.severity=9"]);
    assert!(rows[4].starts_with("item 2: log.body=Nested"), "{rows:?}");
    let mut edits = Edits::default();
    edits.push(1, Action::Set, &Value::String("bye"));
    edits.push(4, Action::Set, &Value::Int(7));
    let (data, _) = splice(Signal::Logs, &data, &index, &projection, edits, &LIMITS).unwrap().request.unwrap();
    let mut expected = request;
    expected.resource_logs[0].scope_logs[0].log_records[0].body = Some(text("bye"));
    expected.resource_logs[0].scope_logs[0].log_records[2].body = Some(any(any_value::Value::IntValue(7)));
    assert_eq!(ExportLogsServiceRequest::decode(&*data).unwrap(), expected);
}

/// An array goes from the body of one record to that of another, and into attributes, by edit and by addition; bytes that
/// are no array or map, or that are broken further down, are refused.
#[test]
fn arrays_and_maps_can_be_set() {
    let array = any(any_value::Value::ArrayValue(ArrayValue { values: vec![text("a")] }));
    let record = |body| LogRecord { body, severity_text: "WARN".into(), ..Default::default() };
    let scopes = vec![ScopeLogs {
        log_records: vec![record(Some(text("hello"))), record(Some(array.clone()))],
        ..Default::default()
    }];
    let request =
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs: scopes, ..Default::default() }] };
    let (data, index) = indexed(Signal::Logs, &request);
    let keys = KeySet::new();
    let fields = [Intrinsic::LogBody, Intrinsic::LogSeverityText];
    let projection = project(Signal::Logs, &data, &index, Wanted { keys: &keys, levels: &[], intrinsics: &fields });
    assert_eq!(words(&projection, &fields)[1], "item 0: log.severity_text=WARN");
    let message = array.encode_to_vec();
    let mut edits = Edits::default();
    edits.push(0, Action::Set, &Value::Nested(&message));
    edits.push(1, Action::Set, &Value::String("ERROR"));
    let name = edits.additions.name("k");
    edits.additions.push(1, Level::Item, crate::Put::Set, name, &Value::Nested(&message));
    let (data, _) = splice(Signal::Logs, &data, &index, &projection, edits, &LIMITS).unwrap().request.unwrap();
    let records = &ExportLogsServiceRequest::decode(&*data).unwrap().resource_logs[0].scope_logs[0].log_records;
    assert_eq!((records[0].body.as_ref(), records[0].severity_text.as_str()), (Some(&array), "ERROR"));
    assert_eq!(records[1].attributes, [kv("k", array.clone())]);

    let not_utf8 = [0x2a, 5, 0x0a, 3, 0x0a, 1, 0xff];
    let too_deep = (0..100).fold(message.clone(), |inner, _| {
        let (mut array, mut value) = (Vec::new(), Vec::new());
        tailrace_otlp::wire::put_len_field(&mut array, 1, &inner);
        tailrace_otlp::wire::put_len_field(&mut value, 5, &array);
        value
    });
    for wrong in [&[][..], &text("a").encode_to_vec(), &[0x2a], &not_utf8, &too_deep] {
        assert!(!Value::Nested(wrong).can_be_set(), "{wrong:?}");
        let mut edits = Edits::default();
        edits.push(0, Action::Set, &Value::Nested(wrong));
        assert_eq!(edits.check(4, &LIMITS), Err(crate::BadEdit::BadValue(0)));
    }
}

/// Set, remove and drop in one go, at several levels; what is left is what prost would make of it.
#[test]
fn edits_of_every_kind_together() {
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::exact(["k"]);
    let projection = project(Signal::Traces, &data, &index, Wanted { keys: &keys, levels: &[], intrinsics: &[] });
    let rows: Vec<_> = Rows::new(&projection.columns, &[]).iter().collect();
    let mut edits = Edits::default();
    for row in &rows {
        match (row.level, row.owner) {
            (Level::Scope, 1) => edits.push(row.index, Action::Drop, &Value::Empty),
            (Level::Item, 0) => edits.push(row.index, Action::Drop, &Value::Empty),
            (Level::Resource | Level::Link, _) => edits.push(row.index, Action::Remove, &Value::Empty),
            (Level::Item, _) => edits.push(row.index, Action::Set, &Value::Double(0.5)),
            _ => {}
        }
    }
    let spliced = splice(Signal::Traces, &data, &index, &projection, edits, &LIMITS).unwrap();
    assert_eq!((spliced.dropped, spliced.removed, spliced.set), (2, 6, 3));
    let (data, index) = spliced.request.unwrap();
    assert_eq!(index, validate(Signal::Traces, &data, &tailrace_otlp::Limits::default()).unwrap());

    let mut expected = traces();
    expected.resource_spans[0].scope_spans[0].spans.remove(0);
    expected.resource_spans[1].scope_spans.remove(0);
    for resource in &mut expected.resource_spans {
        resource.resource.as_mut().unwrap().attributes.pop();
        for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            span.links[0].attributes.pop();
            span.attributes[1].value = Some(any(any_value::Value::DoubleValue(0.5)));
        }
    }
    assert_eq!(ExportTraceServiceRequest::decode(&*data).unwrap(), expected);
}

/// Fields that cannot be set or removed, and values of the wrong kind, are refused; nothing is applied.
#[test]
fn what_cannot_be_edited() {
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::new();
    let fields = [Intrinsic::SpanDuration, Intrinsic::SpanName];
    let projection = project(Signal::Traces, &data, &index, Wanted { keys: &keys, levels: &[], intrinsics: &fields });
    let edit = |row, action, value: Value<'_>| {
        let mut edits = Edits::default();
        edits.push(row, action, &value);
        splice(Signal::Traces, &data, &index, &projection, edits, &LIMITS).map(drop)
    };
    assert_eq!(edit(0, Action::Set, Value::Int(1)), Err(BadEdit::BadValue(0)));
    assert_eq!(edit(1, Action::Set, Value::Int(1)), Err(BadEdit::BadValue(1)));
    assert_eq!(edit(1, Action::Remove, Value::Empty), Err(BadEdit::BadValue(1)));
    assert_eq!(edit(1, Action::Set, Value::String("new")), Ok(()));
}

/// Dropping a resource drops every span in it.
#[test]
fn a_resource_dropped() {
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::exact(["k"]);
    let levels = [Level::Resource];
    let projection = project(Signal::Traces, &data, &index, Wanted { keys: &keys, levels: &levels, intrinsics: &[] });
    let mut edits = Edits::default();
    edits.push(1, Action::Drop, &Value::Empty);
    let spliced = splice(Signal::Traces, &data, &index, &projection, edits, &LIMITS).unwrap();
    let (data, _) = spliced.request.unwrap();
    let mut expected = traces();
    expected.resource_spans.pop();
    assert_eq!((ExportTraceServiceRequest::decode(&*data).unwrap(), spliced.dropped), (expected, 2));
}

/// Values are added where none was, set where one was and where the plugin did not ask for them, and nothing is added twice.
#[test]
fn additions_of_every_kind() {
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::exact(["nothing"]);
    let projection = project(Signal::Traces, &data, &index, Wanted { keys: &keys, levels: &[], intrinsics: &[] });
    assert!(projection.columns.is_empty());
    assert_eq!(projection.columns.shape.scope_ends, [2, 3, 4]);
    let mut edits = Edits::default();
    let added = &mut edits.additions;
    let (k, new) = (added.name("k"), added.name("new"));
    added.push(0, Level::Resource, Put::Set, new, &Value::String("r"));
    added.push(1, Level::Scope, Put::Insert, k, &Value::String("not this"));
    added.push(0, Level::Item, Put::Set, k, &Value::Int(1));
    added.push(1, Level::Item, Put::Insert, new, &Value::Bool(true));
    added.push(1, Level::Item, Put::Insert, new, &Value::Bool(false));
    added.push(2, Level::Scope, Put::Drop, 0, &Value::Empty);
    let spliced = splice(Signal::Traces, &data, &index, &projection, edits, &LIMITS).unwrap();
    assert_eq!((spliced.set, spliced.removed, spliced.dropped), (5, 0, 1));
    let (data, index) = spliced.request.unwrap();
    assert_eq!(index, validate(Signal::Traces, &data, &tailrace_otlp::Limits::default()).unwrap());

    let mut expected = traces();
    expected.resource_spans[0].resource.as_mut().unwrap().attributes.push(kv("new", text("r")));
    let spans = &mut expected.resource_spans[0].scope_spans[0].spans;
    spans[0].attributes[1].value = Some(any(any_value::Value::IntValue(1)));
    spans[1].attributes.push(kv("new", any(any_value::Value::BoolValue(true))));
    expected.resource_spans[1].scope_spans.pop();
    assert_eq!(ExportTraceServiceRequest::decode(&*data).unwrap(), expected);
}

/// Values of which one is so long that the request is written around it, in each of the two buffers, in the middle of it or alone,
/// and with items dropped at the same time: what comes of it is what prost makes of it.
#[test]
fn long_values() {
    let limits = Limits { value_bytes: 1 << 20, data_bytes: 1 << 20 };
    let (data, index) = indexed(Signal::Traces, &traces());
    let keys = KeySet::exact(["k"]);
    let levels = [Level::Item];
    let projection = project(Signal::Traces, &data, &index, Wanted { keys: &keys, levels: &levels, intrinsics: &[] });
    let wants = Arc::new(Wants { keys: KeySet::exact(["k"]), levels: levels.into(), intrinsics: vec![] });
    let rows = projection.columns.owners.len();
    let long = "long ".repeat(40_000);
    for long_row in 0..=rows {
        for drops in [false, true] {
            let (mut edits, mut expected) = (Edits::default(), traces());
            let new = |at: usize| if at == long_row { long.clone() } else { format!("short {at}") };
            let resources = expected.resource_spans.iter_mut();
            let spans = resources.flat_map(|resource| &mut resource.scope_spans).flat_map(|scope| &mut scope.spans);
            for (at, span) in spans.enumerate() {
                edits.push(at as u32, Action::Set, &Value::String(&new(at)));
                span.attributes[1].value = Some(text(&new(at)));
            }
            assert_eq!(edits.len(), rows);
            let added = &mut edits.additions;
            let name = added.name("added");
            added.push(0, Level::Resource, Put::Set, name, &Value::String(&new(rows)));
            expected.resource_spans[0].resource.as_mut().unwrap().attributes.push(kv("added", text(&new(rows))));
            if drops {
                added.push(0, Level::Item, Put::Drop, 0, &Value::Empty);
                expected.resource_spans[0].scope_spans[0].spans.remove(0);
            }
            let mut shared =
                Table::scan(Signal::Traces, &data, &index, Arc::new(Union::of(core::slice::from_ref(&wants))));
            let view = shared.view(&wants);
            assert_eq!(view.columns, projection.columns);
            let mut same = edits.clone();
            let applied = shared.apply(&data, &index, &view, &mut same, &limits);
            assert_eq!(applied, Ok(Applied::Done { set: rows + 1, removed: 0, drops }));
            let seen = shared.view(&wants).columns;
            let values: Vec<_> = Rows::new(&seen, &[]).iter().map(|row| row.value).collect();
            assert_eq!(
                values,
                (0..rows).map(new).collect::<Vec<_>>().iter().map(|new| Value::String(new)).collect::<Vec<_>>()
            );
            let shared = shared.splice(Signal::Traces, &data, &index).unwrap();

            let spliced = splice(Signal::Traces, &data, &index, &projection, edits, &limits).unwrap();
            assert_eq!((spliced.set, spliced.dropped), (rows + 1, usize::from(drops)));
            assert_eq!(shared.request, spliced.request);
            let (data, index) = spliced.request.unwrap();
            assert_eq!(index, validate(Signal::Traces, &data, &tailrace_otlp::Limits::default()).unwrap());
            assert_eq!(ExportTraceServiceRequest::decode(&*data).unwrap(), expected, "row {long_row}");
        }
    }
}
