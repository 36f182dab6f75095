//! The thin path: every door in, a component from the plugin directory, every door out, and nothing changed on the way
//! but what the component changed.

use bytes::Bytes;
use hyper::Method;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use std::io::Write;
use tailrace_tests::backend::Backend;
use tailrace_tests::client::Books;
use tailrace_tests::guests::guest;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::http;
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::PluginDirectory;
use tailrace_tests::spans::{Generator, text};
use tailrace_tests::wire::Wire;
use tonic::codec::CompressionEncoding;

/// A plugin directory with the bundled `redact`, and settings of `wasm/redact` that delete `user.email`.
pub(crate) fn redact() -> (PluginDirectory, String) {
    let plugins = PluginDirectory::with("redact", &guest("redact"));
    let directory = plugins.path().display();
    let settings =
        format!("{{directory: '{directory}', module: redact, config: {{keys: [user.email], action: delete}}}}");
    (plugins, settings)
}

fn without_email(attributes: &mut Vec<KeyValue>) {
    attributes.retain(|attribute| attribute.key != "user.email");
}

/// What the request should look like behind `redact`.
fn redacted(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    scopes.flat_map(|scope| &mut scope.spans).for_each(|span| without_email(&mut span.attributes));
    request
}

/// gRPC in, one component from the directory, gRPC out: each request comes out as it went in, less the one attribute;
/// the ledger adds up by the metrics and by an independent count.
#[tokio::test]
async fn grpc_through_a_component_to_grpc() {
    let (_plugins, redact) = redact();
    let backend = Backend::start().await;
    let host = Host::start(&yaml(
        &["traces"],
        &[("wasm/redact", &redact)],
        &[("otlp_grpc", &backend.exporter("compression: none"))],
    ))
    .await;
    let mut generator = Generator::new(1);
    let client = host.client().await;
    let (mut books, mut expected) = (Books::default(), Vec::new());
    for _ in 0..20 {
        let request = generator.request(5);
        let answer = client.send(request.clone()).await;
        books.enter(&request, &answer);
        answer.unwrap();
        expected.push(redacted(request.clone()));
        assert_ne!(expected.last(), Some(&request), "the generator writes the attribute");
    }
    backend.until("all requests", |backend| backend.trace_requests().len() == 20).await;
    // The queue has several consumers, so that requests may overtake each other.
    let mut arrived = backend.trace_requests();
    let id = |request: &ExportTraceServiceRequest| request.encode_to_vec();
    arrived.sort_by_key(id);
    expected.sort_by_key(id);
    assert!(arrived == expected, "something besides user.email was changed");
    assert_eq!(
        host.metric("otelcol_receiver_accepted_spans_total", &["receiver=\"otlp\"", "transport=\"grpc\""]),
        1000.0
    );
    host.until("the last answers", |host| host.totals().sent == 1000).await;
    assert_eq!(host.metric("otelcol_exporter_sent_spans_total", &["exporter=\"otlp_grpc\""]), 1000.0);
    assert_balanced(&host.stop().await);
    books.assert_exactly_once(&backend.span_ids());
}

/// Metrics and logs take the same way, each through the component and to the backend's service for it.
#[tokio::test]
async fn metrics_and_logs_take_the_same_way() {
    let (_plugins, redact) = redact();
    let backend = Backend::start().await;
    let host =
        Host::start(&yaml(&["metrics", "logs"], &[("wasm/redact", &redact)], &[("otlp_grpc", &backend.exporter(""))]))
            .await;
    let mut generator = Generator::new(2);
    let client = host.client().await;
    let (mut metrics, mut logs) = (generator.metrics(8), generator.logs(8));
    client.send_metrics(metrics.clone()).await.unwrap();
    client.send_logs(logs.clone()).await.unwrap();
    backend.until("both", |b| !b.metric_requests().is_empty() && !b.log_requests().is_empty()).await;
    if let Some(Data::Sum(sum)) = &mut metrics.resource_metrics[0].scope_metrics[0].metrics[0].data {
        sum.data_points.iter_mut().for_each(|point| without_email(&mut point.attributes));
    }
    logs.resource_logs[0].scope_logs[0].log_records.iter_mut().for_each(|log| without_email(&mut log.attributes));
    assert_eq!(backend.metric_requests(), [metrics]);
    assert_eq!(backend.log_requests(), [logs]);
    host.until("the last answers", |host| host.totals().sent == 16).await;
    assert_eq!(host.metric("otelcol_receiver_accepted_metric_points_total", &[]), 8.0);
    assert_eq!(host.metric("otelcol_exporter_sent_log_records_total", &[]), 8.0);
    assert_balanced(&host.stop().await);
    // Traces had no pipeline: nobody listens for them.
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Every encoding and compression over HTTP in, each out again as protobuf over HTTP in one compression: the same
/// message; the same bytes where protobuf came in. The reply is in the request's type and says nothing of partial
/// success.
#[tokio::test]
async fn every_http_encoding_in_and_out() {
    let mut generator = Generator::new(3);
    for out in ["none", "gzip", "zstd"] {
        let wire = Wire::start().await;
        let exporter = format!("{{endpoint: 'http://{}', compression: {out}}}", wire.address());
        let host = Host::start(&yaml(&["traces"], &[], &[("otlp_http", &exporter)])).await;
        let mut count = 0;
        for (content_type, encoding) in [
            ("application/x-protobuf", ""),
            ("application/x-protobuf", "gzip"),
            ("application/x-protobuf", "zstd"),
            ("application/x-protobuf", "deflate"),
            ("application/json", ""),
            ("application/json", "gzip"),
        ] {
            let case = format!("{content_type} {encoding} -> {out}");
            let request = generator.request(2);
            let proto = request.encode_to_vec();
            let is_json = content_type == "application/json";
            let plain = if is_json { serde_json::to_vec(&request).unwrap() } else { proto.clone() };
            let body = match encoding {
                "gzip" => gzip(&plain),
                "zstd" => zstd::encode_all(&plain[..], 1).unwrap(),
                "deflate" => zlib(&plain),
                _ => plain,
            };
            let mut headers = vec![("content-type", content_type)];
            if !encoding.is_empty() {
                headers.push(("content-encoding", encoding));
            }
            let reply = http::try_send(host.http(), Method::POST, "/v1/traces", &headers, body).await.unwrap();
            assert_eq!(reply.status, 200, "{case}: {reply:?}");
            assert_eq!(reply.header("content-type"), content_type, "{case}");
            let empty: &[u8] = if is_json { b"{}" } else { b"" };
            assert_eq!(&reply.body[..], empty, "{case}: success has an empty response");
            count += 1;
            let arrival = wire.wait_for(count).await.pop().unwrap();
            assert_eq!(arrival.path, "/v1/traces", "{case}");
            assert_eq!(arrival.header("content-type"), "application/x-protobuf", "{case}");
            assert_eq!(arrival.header("content-encoding"), if out == "none" { "" } else { out }, "{case}");
            if is_json {
                let message = ExportTraceServiceRequest::decode(arrival.message).unwrap();
                assert!(message == request, "{case}: another message came out");
            } else {
                assert!(arrival.message == proto, "{case}: other bytes came out");
            }
        }
        assert_balanced(&host.stop().await);
    }
}

/// JSON out is the message that came in, read back by an independent decoder.
#[tokio::test]
async fn json_out() {
    let wire = Wire::start().await;
    let exporter = format!("{{endpoint: 'http://{}', encoding: json, compression: gzip}}", wire.address());
    let host = Host::start(&yaml(&["traces", "metrics", "logs"], &[], &[("otlp_http", &exporter)])).await;
    let mut generator = Generator::new(4);
    let (traces, metrics, logs) = (generator.request(2), generator.metrics(3), generator.logs(3));
    let client = host.client().await;
    client.send(traces.clone()).await.unwrap();
    client.send_metrics(metrics.clone()).await.unwrap();
    client.send_logs(logs.clone()).await.unwrap();
    for arrival in wire.wait_for(3).await {
        assert_eq!(arrival.header("content-type"), "application/json");
        match arrival.path.as_str() {
            "/v1/traces" => {
                assert_eq!(serde_json::from_slice::<ExportTraceServiceRequest>(&arrival.message).unwrap(), traces);
            }
            "/v1/metrics" => {
                assert_eq!(serde_json::from_slice::<ExportMetricsServiceRequest>(&arrival.message).unwrap(), metrics);
            }
            "/v1/logs" => {
                assert_eq!(serde_json::from_slice::<ExportLogsServiceRequest>(&arrival.message).unwrap(), logs);
            }
            other => panic!("posted to {other}"),
        }
    }
    assert_balanced(&host.stop().await);
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

/// A request of one span as no encoder of ours would write it: unknown fields on every level, the resource behind its
/// spans, a singular field written twice.
pub(crate) fn unusual_request() -> Bytes {
    let mut request = Generator::new(5).request(1);
    let mut resource = request.resource_spans.remove(0);
    let mut scope = resource.scope_spans.remove(0);
    let unknown = field(999, b"from a later version");
    let mut span = field(5, b"a first name");
    span.extend(scope.spans.remove(0).encode_to_vec());
    span.extend(&unknown);
    let mut scope_spans = field(2, &span);
    scope_spans.extend(field(1, &scope.scope.take().unwrap().encode_to_vec()));
    scope_spans.extend(&unknown);
    let mut resource_spans = field(2, &scope_spans);
    resource_spans.extend(field(1, &resource.resource.take().unwrap().encode_to_vec()));
    resource_spans.extend(&unknown);
    let mut bytes = field(1, &resource_spans);
    bytes.extend(&unknown);
    assert_eq!(ExportTraceServiceRequest::decode(&bytes[..]).unwrap().resource_spans.len(), 1);
    bytes.into()
}

/// What no component changes leaves as the bytes that came, whatever they look like: without processors, behind the
/// limiter, and behind a plugin that has no business with the batch.
#[tokio::test]
async fn pass_through_is_byte_identical() {
    let (_plugins, redact) = redact();
    let redact = redact.replace("user.email", "nobody.has.this");
    let limiter = ("memory_limiter", "{check_interval: 1s, limit_mib: 4000}");
    let bytes = unusual_request();
    for processors in [vec![], vec![limiter], vec![limiter, ("wasm/redact", redact.as_str())]] {
        let wire = Wire::start().await;
        let grpc = format!("{{endpoint: '{}', tls: {{insecure: true}}, compression: none}}", wire.address());
        let http = format!("{{endpoint: 'http://{}', compression: gzip}}", wire.address());
        let host = Host::start(&yaml(&["traces"], &processors, &[("otlp_grpc", &grpc), ("otlp_http", &http)])).await;
        host.client().await.send_bytes(bytes.clone()).await.unwrap();
        let reply = http::post(host.http(), "/v1/traces", "application/x-protobuf", bytes.clone()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        for arrival in wire.wait_for(4).await {
            assert!(arrival.message == bytes, "{}: other bytes came out of {processors:?}", arrival.path);
        }
        host.until("the last answers", |host| host.totals().sent == 4).await;
        assert_balanced_with_fan_out(host).await;
    }
}

/// An edit leaves everything else as it was, unknown fields included.
#[tokio::test]
async fn an_edit_keeps_unknown_fields() {
    let (_plugins, redact) = redact();
    let bytes = unusual_request();
    let wire = Wire::start().await;
    let exporter = format!("{{endpoint: 'http://{}', compression: none}}", wire.address());
    let host = Host::start(&yaml(&["traces"], &[("wasm/redact", &redact)], &[("otlp_http", &exporter)])).await;
    host.client().await.send_bytes(bytes.clone()).await.unwrap();
    let arrival = wire.wait_for(1).await.remove(0);
    let count = |data: &[u8]| data.windows(20).filter(|window| window == b"from a later version").count();
    assert_eq!((count(&bytes), count(&arrival.message)), (4, 4));
    let before = ExportTraceServiceRequest::decode(bytes).unwrap();
    let after = ExportTraceServiceRequest::decode(arrival.message).unwrap();
    assert_eq!(after, redacted(before.clone()));
    assert_ne!(after, before);
    assert_balanced(&host.stop().await);
}

/// gzip and zstd over gRPC in; gzip is what an exporter sends by default.
#[tokio::test]
async fn compression_over_grpc() {
    let wire = Wire::start().await;
    let exporter = format!("{{endpoint: '{}', tls: {{insecure: true}}}}", wire.address());
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &exporter)])).await;
    let request = Generator::new(6).request(3);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        host.client().await.compressed(encoding).send(request.clone()).await.unwrap();
    }
    for arrival in wire.wait_for(2).await {
        assert_eq!(arrival.header("grpc-encoding"), "gzip");
        assert!(arrival.wire.len() < arrival.message.len(), "it is compressed");
        assert!(arrival.message == request.encode_to_vec());
    }
    assert_balanced(&host.stop().await);
}

/// Two exporters each get every span.
#[tokio::test]
async fn fan_out_reaches_every_exporter() {
    let (one, two) = (Backend::start().await, Backend::start().await);
    let exporters = [("otlp_grpc/one", one.exporter("")), ("otlp_grpc/two", two.exporter(""))];
    let exporters: Vec<_> = exporters.iter().map(|(id, settings)| (*id, settings.as_str())).collect();
    let host = Host::start(&yaml(&["traces"], &[], &exporters)).await;
    let request = Generator::new(7).request(4);
    host.client().await.send(request.clone()).await.unwrap();
    for backend in [&one, &two] {
        backend.until("the request", |backend| !backend.trace_requests().is_empty()).await;
        assert_eq!(backend.trace_requests(), std::slice::from_ref(&request));
    }
    host.until("the last answers", |host| host.totals().sent == 80).await;
    assert_balanced_with_fan_out(host).await;
}

/// The `file` exporter: OTLP JSON, one request a line, and length-prefixed protobuf, both read back to the messages that
/// came in; the file is complete when the collector has stopped.
#[tokio::test]
async fn files_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (json, proto) = (folder.path().join("out.jsonl"), folder.path().join("out.pb"));
    let exporters = [
        ("file/json", format!("{{path: '{}'}}", json.display())),
        ("file/proto", format!("{{path: '{}', format: proto}}", proto.display())),
    ];
    let exporters: Vec<_> = exporters.iter().map(|(id, settings)| (*id, settings.as_str())).collect();
    let host = Host::start(&yaml(&["traces"], &[], &exporters)).await;
    let (client, mut generator) = (host.client().await, Generator::new(9));
    let mut sent = Vec::new();
    for _ in 0..5 {
        let request = generator.request(2);
        client.send(request.clone()).await.unwrap();
        sent.push(request);
    }
    assert_balanced_with_fan_out(host).await;
    let text = std::fs::read_to_string(json).unwrap();
    let lines: Vec<ExportTraceServiceRequest> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines == sent, "other lines came out");
    let (mut bytes, mut messages) = (Bytes::from(std::fs::read(proto).unwrap()), Vec::new());
    while !bytes.is_empty() {
        let length = bytes::Buf::get_u32(&mut bytes) as usize;
        messages.push(ExportTraceServiceRequest::decode(bytes.split_to(length)).unwrap());
    }
    assert!(messages == sent, "other messages came out");
}

/// TLS is on unless it is turned off: an exporter without `insecure` says nothing in the clear to a backend without TLS.
#[tokio::test]
async fn tls_is_on_by_default() {
    let backend = Backend::start().await;
    let exporter = format!(
        "{{endpoint: '{}', retry_on_failure: {{enabled: false}}, sending_queue: {{enabled: false}}}}",
        backend.address()
    );
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &exporter)])).await;
    let answer = host.client().await.send(Generator::new(10).request(1)).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::Unavailable);
    assert_eq!((backend.calls(), host.totals().accepted), (0, 0));
    assert_balanced(&host.stop().await);
}

/// With a fan-out the sums do not telescope, but every component's own column still adds up.
async fn assert_balanced_with_fan_out(host: Host) {
    for line in host.stop().await {
        assert_eq!((line.gap(), line.held), (0, 0), "{line:?}");
    }
}

/// Both bundled plugins in one pipeline: `drop-health` drops the spans of health checks through `processor`, `redact`
/// masks or hashes what is left; equal values keep equal hashes, so that joins survive.
#[tokio::test]
async fn both_bundled_plugins_in_a_row() {
    let (plugins, _) = redact();
    plugins.replace("drop-health", &guest("drop-health"));
    let directory = plugins.path().display();
    let drop = format!("{{directory: '{directory}', module: drop-health}}");
    let hash = format!(
        "{{directory: '{directory}', module: redact, config: {{keys: [user.email], action: hash, hash_key: a-secret-of-the-test}}}}"
    );
    let backend = Backend::start().await;
    let host = Host::start(&yaml(
        &["traces"],
        &[("wasm/drop", &drop), ("wasm/hash", &hash)],
        &[("otlp_grpc", &backend.exporter(""))],
    ))
    .await;
    let mut request = Generator::new(8).request(2);
    for span in request.resource_spans[1].scope_spans[0].spans.iter_mut() {
        span.attributes.retain(|attribute| attribute.key != "url.path");
        span.attributes.push(tailrace_tests::spans::attribute("url.path", "/healthz"));
    }
    host.client().await.send(request).await.unwrap();
    backend.until("the request", |backend| backend.span_count() > 0).await;
    let spans = backend.spans();
    assert_eq!(spans.len(), 10, "the spans of the health checks are gone");
    let hashes: Vec<_> = spans.iter().filter_map(|span| text(&span.attributes, "user.email")).collect();
    assert_eq!(hashes.len(), 3, "{hashes:?}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0] && !hash.contains("jane")), "{hashes:?}");
    let ledger = host.stop().await;
    let drop = ledger.iter().find(|line| line.component.contains("wasm/drop")).unwrap();
    assert_eq!(drop.dropped.values().sum::<u64>(), 10, "{drop:?}");
    assert_balanced(&ledger);
}
