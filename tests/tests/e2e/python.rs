//! A real client: a small Python web application without a line of telemetry code, two processes of it under
//! `opentelemetry-instrument`, over gRPC and over HTTP.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;
use tailrace_tests::backend::Backend;
use tailrace_tests::guests::guest;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::http;
use tailrace_tests::ledger::Totals;
use tailrace_tests::plugins::{PluginDirectory, repository};
use tokio::io::{AsyncBufReadExt, BufReader};

/// An application that listens; it is killed when this is dropped.
struct App {
    address: SocketAddr,
    _process: tokio::process::Child,
}

impl App {
    /// Starts `tests/python/app.py` as `service`, sending to `endpoint`; with a peer it asks the peer.
    async fn start(service: &str, protocol: &str, endpoint: SocketAddr, peer: Option<SocketAddr>) -> Self {
        let python = repository().join("target/python/bin");
        assert!(python.exists(), "{} is missing; `make python` makes it", python.display());
        let mut command = tokio::process::Command::new(python.join("opentelemetry-instrument"));
        command.arg(python.join("python")).arg(repository().join("tests/python/app.py")).arg("0");
        command.args(peer.map(|peer| peer.port().to_string()));
        command.env("OTEL_SERVICE_NAME", service);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"));
        command.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
        command.env("OTEL_BLRP_SCHEDULE_DELAY", "100");
        command.env("OTEL_METRIC_EXPORT_INTERVAL", "500");
        command.env("OTEL_PYTHON_LOG_CODE_ATTRIBUTES", "true");
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("opentelemetry-instrument runs");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let line = stdout.lines().next_line().await.expect("readable").expect("the application says its port");
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("{line:?} is no port"));
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), _process: process }
    }
}

/// What the plugin takes away: an attribute of server spans, of log records, of data points.
const REDACTED: [&str; 3] = ["net.peer.ip", "code.file.path", "http.flavor"];

/// All attribute keys of items that arrived, per signal.
fn keys(backend: &Backend) -> [BTreeSet<String>; 3] {
    fn of<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> BTreeSet<String> {
        attributes.map(|attribute| attribute.key.clone()).collect()
    }
    let (spans, metrics, logs) = (backend.spans(), backend.metric_requests(), backend.log_requests());
    let metrics = metrics.iter().flat_map(|r| &r.resource_metrics).flat_map(|r| &r.scope_metrics);
    let points = metrics.flat_map(|scope| &scope.metrics).flat_map(|metric| match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().flat_map(|point| &point.attributes).collect::<Vec<_>>(),
        Some(Data::Sum(sum)) => sum.data_points.iter().flat_map(|point| &point.attributes).collect(),
        Some(Data::Histogram(all)) => all.data_points.iter().flat_map(|point| &point.attributes).collect(),
        _ => Vec::new(),
    });
    let logs = logs.iter().flat_map(|r| &r.resource_logs).flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records);
    [of(spans.iter().flat_map(|span| &span.attributes)), of(points), of(logs.flat_map(|record| &record.attributes))]
}

/// Spans, metrics and logs of both processes come out without what the plugin takes away; a second pipeline without the
/// plugin shows that it was there. The spans of both processes are one trace.
async fn spans_metrics_and_logs_of_two_processes(protocol: &str) {
    let plugins = PluginDirectory::with("redact", &guest("redact"));
    let redact = format!(
        "{{directory: '{}', module: redact, config: {{keys: [{}], action: delete}}}}",
        plugins.path().display(),
        REDACTED.join(", ")
    );
    let (backend, raw) = (Backend::start().await, Backend::start().await);
    let exporters = [("otlp_grpc", backend.exporter("")), ("otlp_grpc/raw", raw.exporter(""))];
    let exporters: Vec<_> = exporters.iter().map(|(id, settings)| (*id, settings.as_str())).collect();
    let mut config = yaml(&["traces", "metrics", "logs"], &[("wasm/redact", &redact)], &exporters)
        .replace("exporters: [otlp_grpc, otlp_grpc/raw]", "exporters: [otlp_grpc]");
    for signal in ["traces", "metrics", "logs"] {
        config.push_str(&format!("    {signal}/raw: {{receivers: [otlp], exporters: [otlp_grpc/raw]}}\n"));
    }
    let host = Host::start(&config).await;
    let endpoint = if protocol == "grpc" { host.grpc() } else { host.http() };
    let back = App::start("back", protocol, endpoint, None).await;
    let front = App::start("front", protocol, endpoint, Some(back.address)).await;
    assert_eq!(http::get(front.address, "/").await.text(), "front of leaf");

    for backend in [&backend, &raw] {
        backend
            .until("spans, metrics and logs of both", |backend| {
                let [_, metrics, logs] = keys(backend);
                // Two of HTTP servers, one of the client between them.
                backend.span_count() >= 3 && !metrics.is_empty() && !logs.is_empty() && log_count(backend) >= 2
            })
            .await;
    }
    let spans = backend.spans();
    let traces: BTreeSet<_> = spans.iter().map(|span| &span.trace_id).collect();
    assert_eq!((spans.len(), traces.len()), (3, 1), "{spans:#?}");
    let client = spans.iter().find(|span| span.kind == SpanKind::Client as i32).expect("the question of the front");
    let servers: Vec<_> = spans.iter().filter(|span| span.kind == SpanKind::Server as i32).collect();
    assert_eq!(servers.len(), 2);
    assert!(servers.iter().any(|server| server.parent_span_id == client.span_id), "the answer of the back");
    assert!(servers.iter().any(|server| server.span_id == client.parent_span_id), "the answer of the front");

    for (signal, (shown, all)) in ["spans", "metrics", "logs"].iter().zip(keys(&backend).iter().zip(keys(&raw))) {
        let gone: Vec<_> = all.difference(shown).map(String::as_str).collect();
        assert!(!gone.is_empty(), "{signal}: nothing was taken away of {all:?}");
        assert!(gone.iter().all(|key| REDACTED.contains(key)), "{signal}: {gone:?} are gone");
        assert!(REDACTED.iter().all(|key| !shown.contains(*key)), "{signal}: {shown:?} are shown");
        assert!(!shown.is_empty(), "{signal}: everything is gone");
    }
    drop((front, back));
    for line in host.stop().await {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
        assert_eq!(Totals::of(std::slice::from_ref(&line)).dropped(), 0, "{line:?}");
    }
}

fn log_count(backend: &Backend) -> usize {
    let logs = backend.log_requests();
    let scopes = logs.iter().flat_map(|request| &request.resource_logs).flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

#[tokio::test]
async fn zero_code_python_over_grpc() {
    spans_metrics_and_logs_of_two_processes("grpc").await;
}

#[tokio::test]
async fn zero_code_python_over_http() {
    spans_metrics_and_logs_of_two_processes("http/protobuf").await;
}
