//! What a reader sees.

use super::{Config, FACTORY};
use crate::component::ExporterConfig;
use crate::export::testing::{Rig, batch, context};
use crate::pdata::{Batch, Signal};
use crate::yaml;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span};
use prost::Message;
use std::time::Duration;

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any(value), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![attribute("service.name", Value::StringValue("shop".into()))],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "lib".into(), version: "1.2".into(), ..InstrumentationScope::default() })
}

fn valid(signal: Signal, message: &impl Message) -> Batch {
    Batch::validate(signal, message.encode_to_vec().into(), &Default::default()).unwrap()
}

fn traces() -> Batch {
    let list =
        ArrayValue { values: vec![any(Value::IntValue(1)).unwrap(), any(Value::StringValue("x".into())).unwrap()] };
    let event = span::Event {
        name: "retry".into(),
        time_unix_nano: 1_500_000_000,
        attributes: vec![attribute("n", Value::IntValue(2))],
        ..span::Event::default()
    };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        name: "GET /\u{1b}[31m".into(),
        kind: 2,
        end_time_unix_nano: 1_000_000_000,
        attributes: vec![attribute("http.ok", Value::BoolValue(true)), attribute("list", Value::ArrayValue(list))],
        events: vec![event],
        status: Some(Status { code: 2, message: "boom".into() }),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { scope: scope(), spans: vec![span], ..ScopeSpans::default() }];
    valid(
        Signal::Traces,
        &TracesData {
            resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, schema_url: "u".into() }],
        },
    )
}

fn logs() -> Batch {
    let record = LogRecord {
        severity_number: 10,
        severity_text: "INFO".into(),
        body: any(Value::StringValue("hello".into())),
        attributes: vec![attribute("user", Value::StringValue("ann".into()))],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records: vec![record], ..ScopeLogs::default() }];
    valid(
        Signal::Logs,
        &LogsData { resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }] },
    )
}

fn metrics() -> Batch {
    let point = NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(7)),
        attributes: vec![attribute("state", Value::StringValue("idle".into()))],
        ..NumberDataPoint::default()
    };
    let sum = Sum { data_points: vec![point.clone(), point], aggregation_temporality: 2, is_monotonic: true };
    let histogram = Histogram {
        data_points: vec![HistogramDataPoint { count: 3, sum: Some(4.5), ..HistogramDataPoint::default() }],
        aggregation_temporality: 1,
    };
    let named =
        |name: &str, data| Metric { name: name.into(), unit: "s".into(), data: Some(data), ..Metric::default() };
    let metrics = vec![named("cpu", metric::Data::Sum(sum)), named("latency", metric::Data::Histogram(histogram))];
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    valid(
        Signal::Metrics,
        &MetricsData {
            resource_metrics: vec![ResourceMetrics {
                resource: resource(),
                scope_metrics,
                ..ResourceMetrics::default()
            }],
        },
    )
}

#[test]
fn normal_is_a_line_for_each_item() {
    let trace = "ab".repeat(16);
    let expected = format!(
        "ResourceTraces #0 [u] service.name=shop\nScopeTraces #0 lib@1.2\n\
         GET /\\u{{1b}}[31m {trace} {} http.ok=true list=[1,\"x\"]\n",
        "cd".repeat(8)
    );
    assert_eq!(super::normal::text(&traces()), expected);
    let expected = "ResourceLog #0 service.name=shop\nScopeLog #0 lib@1.2\nhello user=ann\n";
    assert_eq!(super::normal::text(&logs()), expected);
    let expected = "ResourceMetrics #0 service.name=shop\nScopeMetrics #0 lib@1.2\n\
                    cpu{state=idle} 7\ncpu{state=idle} 7\nlatency{} count=3 sum=4.5\n";
    assert_eq!(super::normal::text(&metrics()), expected);
}

#[test]
fn detailed_is_everything() {
    let text = super::detailed::text(&traces());
    for line in [
        "ResourceSpans #0",
        "Resource SchemaURL: u",
        "     -> service.name: Str(shop)",
        "InstrumentationScope lib 1.2",
        "Span #0",
        "    Trace ID       : abababababababababababababababab",
        "    Parent ID      : ",
        "    Kind           : Server",
        "    Start time     : 1970-01-01 00:00:00 +0000 UTC",
        "    End time       : 1970-01-01 00:00:01 +0000 UTC",
        "    Status code    : Error",
        "    Status message : boom",
        "     -> http.ok: Bool(true)",
        "     -> list: Slice([1,\"x\"])",
        "SpanEvent #0",
        "     -> Timestamp: 1970-01-01 00:00:01.5 +0000 UTC",
        "          -> n: Int(2)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "control characters of others stay out");
    let text = super::detailed::text(&logs());
    for line in ["LogRecord #0", "SeverityNumber: Info2(10)", "Body: Str(hello)", "     -> user: Str(ann)"] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
    let text = super::detailed::text(&metrics());
    for line in [
        "Metric #1",
        "     -> DataType: Sum",
        "     -> IsMonotonic: true",
        "     -> AggregationTemporality: Cumulative",
        "NumberDataPoints #1",
        "     -> state: Str(idle)",
        "Value: 7",
        "HistogramDataPoints #0",
        "Count: 3",
        "Sum: 4.500000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in:\n{text}");
    }
}

/// Through the exporter into a file: sampled, counted, appended.
#[tokio::test]
async fn writes_to_output_paths() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.txt");
    let text = format!(
        "verbosity: normal\nuse_internal_logger: false\noutput_paths: [{}]\nsampling_initial: 1\nsampling_thereafter: 0",
        path.display()
    );
    let config: Config = yaml::from_str("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let context = context(Signal::Traces);
    let rig = Rig::start(context.clone(), config.build(context).unwrap()).await;
    rig.consume(batch("shown", 2)).await.unwrap();
    rig.consume(batch("sampled away", 2)).await.unwrap();
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.settled().handed_on, 4);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\tinfo\tTraces\t{\"resource spans\": 1, \"spans\": 2}\n"), "{text}");
    assert_eq!((text.matches("shown").count(), text.matches("sampled").count()), (2, 0));
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_stops_the_start() {
    let config: Config = yaml::from_str("test", "use_internal_logger: false\noutput_paths: [/nowhere/at/all]").unwrap();
    let context = context(Signal::Traces);
    let started = config.build(context).unwrap().start().await;
    assert!(started.unwrap_err().to_string().contains("/nowhere/at/all"));
}

#[test]
fn rules_of_the_section() {
    assert_eq!(FACTORY.info.kind, "debug");
    for (text, fault) in [
        ("verbosity: loud", "loud"),
        ("output_paths: [/tmp/x]", "use_internal_logger"),
        ("use_internal_logger: false\noutput_paths: [\"\"]", "empty path"),
        ("sampling_initial: -1", "sampling_initial"),
    ] {
        let found = yaml::from_str::<Config>("test", text).map(|_| ()).unwrap_err().to_string();
        assert!(found.contains(fault), "{text:?} should complain about {fault:?}: {found}");
    }
}
