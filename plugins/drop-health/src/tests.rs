//! The cases in `cases/`, and single spans.

use super::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::path::Path;
use tailrace_sdk::testing;

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = actions::testing::cases(&folder, |config, signal, request| {
        let mut plugin = testing::processor::<DropHealth>(config)?;
        plugin.run(signal, request).map_err(|failure| failure.to_string())
    });
    assert!(count >= 2, "{count} cases are too few to be all of them");
}

/// Whether a span with this name and these attributes survives.
fn survives(config: &str, name: &str, attributes: &[(&str, &str)]) -> bool {
    let attributes = attributes.iter().map(|(key, value)| KeyValue {
        key: (*key).into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue((*value).into())) }),
        ..Default::default()
    });
    let span = Span { name: name.into(), attributes: attributes.collect(), ..Default::default() };
    let scope = ScopeSpans { spans: vec![span], ..Default::default() };
    let traces = Traces { resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..Default::default() }] };
    let mut plugin = testing::processor::<DropHealth>(config).unwrap();
    let output = plugin.run(Signal::Traces, &traces.encode_to_vec()).unwrap();
    !Traces::decode(&*output).unwrap().resource_spans.is_empty()
}

#[test]
fn health_checks_go() {
    for (name, attributes) in [
        ("GET /healthz", &[][..]),
        ("/ready", &[]),
        ("GET", &[("url.path", "/health")]),
        ("GET", &[("http.target", "/health?full=1")]),
        ("GET", &[("http.route", "/livez/")]),
        ("HEAD", &[("url.full", "http://shop:8080/healthz?x=y#z")]),
        ("grpc.health.v1.Health/Check", &[]),
        ("Watch", &[("rpc.service", "grpc.health.v1.Health")]),
        ("Check", &[("rpc.method", "grpc.health.v1.Health/Check")]),
    ] {
        assert!(!survives("{}", name, attributes), "{name} {attributes:?}");
    }
}

#[test]
fn everything_else_stays() {
    for (name, attributes) in [
        ("GET /healthy-food", &[][..]),
        ("GET /shop/health", &[]),
        ("GET", &[("url.path", "/")]),
        ("GET", &[("http.target", "/search?q=/health")]),
        ("GET", &[("note", "/health")]),
        ("health", &[]),
        ("", &[]),
        ("shop.Health/Check", &[("rpc.service", "shop.Health")]),
        ("GET", &[("url.full", "http://health")]),
    ] {
        assert!(survives("{}", name, attributes), "{name} {attributes:?}");
    }
}

#[test]
fn the_configuration_counts() {
    let config = r#"{"paths": ["/up"], "span_names": ["heartbeat", "/alive"], "rpc_services": []}"#;
    assert!(!survives(config, "GET /up", &[]));
    assert!(!survives(config, "heartbeat", &[]));
    assert!(!survives(config, "GET /alive", &[]));
    assert!(survives(config, "GET /healthz", &[]));
    assert!(survives(config, "grpc.health.v1.Health/Check", &[]));
    let refused = |config| testing::processor::<DropHealth>(config).map(drop).unwrap_err();
    assert!(refused(r#"{"paths": ["up"]}"#).contains("slash"));
    assert!(refused(r#"{"path": ["/up"]}"#).contains("path"));
    assert!(refused(r#"{"paths": [], "rpc_services": []}"#).contains("empty"));
}
