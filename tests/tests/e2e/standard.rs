//! The Collector's `attributes`, `resource` and `redaction`: configurations of the Collector, unchanged, and every case of
//! the three plugins through the components in the binary, from OTLP/JSON in to OTLP out.

use hyper::Method;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::fmt::Debug;
use std::path::Path;
use tailrace_tests::backend::Backend;
use tailrace_tests::host::Host;
use tailrace_tests::http;
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::repository;
use tailrace_tests::spans::{Generator, attribute, text};

/// As operators of the Collector write it: the three processors with names and without, in pipelines of every signal.
const COLLECTOR: &str = r#"
processors:
  attributes:
    include:
      match_type: regexp
      services: ["shop-.*", cart]
    actions:
      - {key: user.email, action: hash}
      - {key: environment, value: production, action: insert}
  attributes/logs:
    actions:
      - key: password
        action: delete
  resource/where:
    attributes:
      - key: cloud.availability_zone
        value: zone-1
        action: upsert
      - key: service.name
        pattern: ^(?P<team>[a-z]+)
        action: extract
  redaction:
    allow_all_keys: true
    blocked_key_patterns: [".*token.*"]
    blocked_values: ["4[0-9]{12}(?:[0-9]{3})?"]
    summary: debug
exporters:
  otlp_grpc: BACKEND
service:
  pipelines:
    traces: {receivers: [otlp], processors: [attributes, resource/where, redaction], exporters: [otlp_grpc]}
    logs: {receivers: [otlp], processors: [attributes/logs, redaction], exporters: [otlp_grpc]}
    metrics: {receivers: [otlp], processors: [resource/where, redaction], exporters: [otlp_grpc]}
"#;

const RECEIVER: &str =
    "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}";

/// A configuration of the Collector does here what it does there, and nothing in it says that plugins do it.
#[tokio::test]
async fn a_configuration_of_the_collector() {
    let backend = Backend::start().await;
    let host = Host::start(&format!("{RECEIVER}{}", COLLECTOR.replace("BACKEND", &backend.exporter("")))).await;
    let mut generator = Generator::new(1);
    let (mut traces, mut logs, metrics) = (generator.request(2), generator.logs(2), generator.metrics(2));
    for resource in &mut traces.resource_spans {
        let attributes = &mut resource.resource.get_or_insert_default().attributes;
        attributes.retain(|attribute| attribute.key != "service.name");
        attributes.push(attribute("service.name", "shop-7"));
        for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            span.attributes.retain(|attribute| !["user.email", "environment"].contains(&&*attribute.key));
            span.attributes.push(attribute("user.email", "ann@example.com"));
            span.attributes.push(attribute("session.token", "secret"));
        }
    }
    let record = &mut logs.resource_logs[0].scope_logs[0].log_records[0];
    record.attributes.push(attribute("password", "secret"));
    let card = AnyValue { value: Some(any_value::Value::StringValue("paid with 4111111111111111".into())) };
    let entries = vec![KeyValue { key: "message".into(), value: Some(card), ..Default::default() }];
    let map = any_value::Value::KvlistValue(opentelemetry_proto::tonic::common::v1::KeyValueList { values: entries });
    record.body = Some(AnyValue { value: Some(map) });
    let client = host.client().await;
    client.send(traces).await.unwrap();
    client.send_logs(logs).await.unwrap();
    client.send_metrics(metrics).await.unwrap();
    let all = |b: &Backend| b.span_count() > 0 && !b.log_requests().is_empty() && !b.metric_requests().is_empty();
    backend.until("all three", all).await;

    let resource = backend.trace_requests().remove(0).resource_spans.remove(0);
    let of_resource = resource.resource.unwrap().attributes;
    assert_eq!(text(&of_resource, "cloud.availability_zone"), Some("zone-1"));
    assert_eq!(text(&of_resource, "team"), Some("shop"));
    let span = &resource.scope_spans[0].spans[0].attributes;
    // SHA-256 of the address, as anybody can compute it.
    let hash = "71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476";
    assert_eq!(text(span, "user.email"), Some(hash));
    assert_eq!(text(span, "environment"), Some("production"));
    assert_eq!(text(span, "session.token"), Some("****"));
    assert_eq!(text(span, "redaction.masked.keys"), Some("session.token"));
    let record = backend.log_requests().remove(0).resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
    assert_eq!(text(&record.attributes, "password"), None);
    assert_eq!(text(&record.attributes, "redaction.body.masked.keys"), Some("message"));
    assert!(format!("{:?}", record.body).contains("paid with ****"), "{:?}", record.body);
    let metric = backend.metric_requests().remove(0).resource_metrics.remove(0).resource.unwrap().attributes;
    assert_eq!(text(&metric, "cloud.availability_zone"), Some("zone-1"));
    assert_balanced(&host.stop().await);
}

/// A case of one of the plugins.
struct Case {
    id: String,
    plugin: &'static str,
    config: Json,
    input: Json,
    expected: Json,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for plugin in ["attributes", "resource", "redaction"] {
        for folder in std::fs::read_dir(repository().join("plugins").join(plugin).join("cases")).unwrap() {
            let folder = folder.unwrap().path();
            let read = |file: &str| -> Json {
                serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
            };
            let id = format!("{plugin}-{}", folder.file_name().unwrap().to_string_lossy());
            let (input, expected) = (read("input.json"), read("expected.json"));
            cases.push(Case { id, plugin, config: read("config.json"), input, expected });
        }
    }
    cases
}

/// `$` stands for itself.
fn escaped(json: &Json) -> Json {
    match json {
        Json::String(text) => text.replace('$', "$$").into(),
        Json::Array(items) => items.iter().map(escaped).collect(),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), escaped(value))).collect(),
        other => other.clone(),
    }
}

/// What the plugins do natively, as their own tests say, the components do in a pipeline: same input, same output.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_through_the_components() {
    let out = tempfile::tempdir().unwrap();
    let file = |case: &Case, signal: &str| out.path().join(format!("{}-{signal}.json", case.id));
    let cases = cases();
    assert!(cases.len() > 30, "{} cases are too few to be all of them", cases.len());
    let (mut receivers, mut processors, mut exporters, mut pipelines) = (json!({}), json!({}), json!({}), json!({}));
    for case in &cases {
        let id = &case.id;
        receivers[format!("otlp/{id}")] = json!({ "protocols": { "http": { "endpoint": "127.0.0.1:0" } } });
        processors[format!("{}/{id}", case.plugin)] = escaped(&case.config);
        for signal in case.input.as_object().unwrap().keys() {
            exporters[format!("file/{id}-{signal}")] = json!({ "path": file(case, signal), "format": "proto" });
            pipelines[format!("{signal}/{id}")] = json!({
                "receivers": [format!("otlp/{id}")],
                "processors": [format!("{}/{id}", case.plugin)],
                "exporters": [format!("file/{id}-{signal}")],
            });
        }
    }
    let config = json!({
        "receivers": receivers, "processors": processors, "exporters": exporters,
        "service": { "pipelines": pipelines },
    });
    let host = Host::start(&config.to_string()).await;
    for case in &cases {
        let address = host.address(&format!("otlp/{}/http", case.id));
        for (signal, input) in case.input.as_object().unwrap() {
            let headers = [("content-type", "application/json")];
            let reply =
                http::try_send(address, Method::POST, &format!("/v1/{signal}"), &headers, input.to_string()).await;
            let reply = reply.unwrap();
            assert_eq!(reply.status, 200, "{} {signal}: {}", case.id, reply.text());
        }
    }
    assert_balanced_one_by_one(host).await;
    for case in &cases {
        for (signal, expected) in case.expected.as_object().unwrap() {
            let place = format!("{} {signal}", case.id);
            match signal.as_str() {
                "traces" => compare::<Traces>(&file(case, signal), expected, &place),
                "metrics" => compare::<Metrics>(&file(case, signal), expected, &place),
                _ => compare::<Logs>(&file(case, signal), expected, &place),
            }
        }
    }
}

async fn assert_balanced_one_by_one(host: Host) {
    for line in host.stop().await {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
    }
}

/// The one record in the file, which has its length in front of it, is what is expected.
fn compare<M: Message + Default + DeserializeOwned + PartialEq + Debug>(file: &Path, expected: &Json, place: &str) {
    let written = std::fs::read(file).unwrap_or_else(|error| panic!("{place}: {error}"));
    let output = M::decode(&written[4..]).unwrap_or_else(|error| panic!("{place}: {error}"));
    let expected: M = serde_json::from_value(expected.clone()).unwrap();
    assert!(output == expected, "{place}: {output:#?}");
}
