//! Limits and what a client is told when they are reached, through the whole collector.

use crate::path::unusual_request;
use crate::reload::settings;
use hyper::Method;
use prost::Message;
use std::time::Duration;
use tailrace_tests::backend::Backend;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::http;
use tailrace_tests::ledger::{Totals, assert_balanced};
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tailrace_tests::spans::Generator;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

fn code(answer: &Result<(), Status>) -> Code {
    answer.as_ref().map_or_else(Status::code, |()| Code::Ok)
}

/// The limiter's refusal reaches the client as something to try again: UNAVAILABLE, 503.
#[tokio::test]
async fn limiter_refusal_is_retryable() {
    let backend = Backend::start().await;
    let limiter = ("memory_limiter", "{check_interval: 20ms, limit_mib: 1}");
    let host = Host::start(&yaml(&["traces"], &[limiter], &[("otlp_grpc", &backend.exporter(""))])).await;
    let request = Generator::new(51).request(1);
    let answer = host.client().await.send(request.clone()).await;
    assert_eq!(code(&answer), Code::Unavailable, "{answer:?}");
    let bytes = request.encode_to_vec();
    let reply = http::post(host.http(), "/v1/traces", "application/x-protobuf", bytes).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/x-protobuf");
    let status = RpcStatus::decode(reply.body.clone()).unwrap();
    assert_eq!(status.code, Code::Unavailable as i32, "{status:?}");
    if !reply.header("retry-after").is_empty() {
        reply.header("retry-after").parse::<u32>().unwrap();
    }
    let json = serde_json::to_vec(&request).unwrap();
    let reply = http::post(host.http(), "/v1/traces", "application/json", json).await;
    assert_eq!((reply.status, reply.header("content-type")), (503, "application/json"));
    let status: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(status["message"].is_string(), "{status}");
    assert_balanced(&host.stop().await);
    assert_eq!(backend.span_count(), 0);
}

/// `google.rpc.Status`, as far as a client reads it.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What is asked wrongly is answered as the protocol says, and the next good request still passes.
#[tokio::test]
async fn wrong_requests_are_told_so() {
    let backend = Backend::start().await;
    let mut config = yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(""))]);
    config = config.replace("      grpc: {", "      grpc: {max_recv_msg_size_mib: 1, ");
    config = config.replace("      http: {", "      http: {max_request_body_size: 1048576, ");
    let host = Host::start(&config).await;
    let proto = "application/x-protobuf";
    let good = Generator::new(52).request(1);
    for (case, method, path, content_type, body, expected) in [
        ("another method", Method::GET, "/v1/traces", proto, vec![], 405),
        ("another type", Method::POST, "/v1/traces", "text/plain", vec![], 415),
        ("another path", Method::POST, "/v2/traces", proto, vec![], 404),
        ("no pipeline for it", Method::POST, "/v1/metrics", proto, vec![], 404),
        ("not protobuf", Method::POST, "/v1/traces", proto, b"\xff\xff\xff".to_vec(), 400),
        ("a short id", Method::POST, "/v1/traces", proto, short_id(), 400),
        ("not JSON", Method::POST, "/v1/traces", "application/json", b"{\"resourceSpans\": [".to_vec(), 400),
        ("deep JSON", Method::POST, "/v1/traces", "application/json", b"[".repeat(100_000), 400),
        ("two bytes a group, 100,000 deep", Method::POST, "/v1/traces", proto, b"\x0b".repeat(100_000), 400),
        ("too large", Method::POST, "/v1/traces", proto, vec![0; 2 << 20], 413),
    ] {
        let reply = http::try_send(host.http(), method, path, &[("content-type", content_type)], body).await;
        let reply = reply.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(reply.status, expected, "{case}: {reply:?}");
    }
    // Small on the wire, large inside.
    let client = host.client().await;
    let bomb = Generator::new(53).request(2000);
    assert!(bomb.encoded_len() > 2 << 20);
    for client in [client.clone(), client.clone().compressed(CompressionEncoding::Gzip)] {
        let answer = client.send(bomb.clone()).await;
        assert_eq!(code(&answer), Code::ResourceExhausted, "{answer:?}");
    }
    let answer = client.send_bytes(b"\xff\xff\xff".to_vec().into()).await;
    assert_eq!(code(&answer), Code::InvalidArgument, "{answer:?}");
    let answer = client.send_metrics(Generator::new(54).metrics(1)).await;
    assert_eq!(code(&answer), Code::Unimplemented, "there is no pipeline for metrics: {answer:?}");
    // An empty request is a success.
    assert_eq!(code(&client.send_bytes(bytes::Bytes::new()).await), Code::Ok);
    assert_eq!(code(&client.send_bytes(unusual_request()).await), Code::Ok);
    assert_eq!(code(&client.send(good).await), Code::Ok);
    backend.until("the good ones", |backend| backend.span_count() == 11).await;
    host.until("rest", |host| host.totals().held == 0).await;
    assert_balanced(&host.stop().await);
}

/// A client that is still writing when its body turns out too large hears 413, and no reset of the connection: it would
/// try again for ever.
#[tokio::test]
async fn a_client_that_writes_too_much_hears_so() {
    let config = yaml(&["traces"], &[], &[("nop", "")]);
    let host = Host::start(&config.replace("      http: {", "      http: {max_request_body_size: 1048576, ")).await;
    for _ in 0..30 {
        let body = vec![0; 6 << 20];
        let reply = http::post(host.http(), "/v1/traces", "application/x-protobuf", body).await;
        assert_eq!(reply.status, 413, "{reply:?}");
    }
    assert_balanced(&host.stop().await);
}

/// A span whose trace id has 15 bytes.
fn short_id() -> Vec<u8> {
    let mut request = Generator::new(55).request(1);
    request.resource_spans[0].scope_spans[0].spans[0].trace_id.pop();
    request.encode_to_vec()
}

/// What a client hears, what arrives and what the ledger says when a plugin fails, for each way to fail and each
/// `error_mode`. Afterwards a good version works at once: the process and the pipeline were never in danger.
#[tokio::test]
async fn a_failing_plugin_and_each_error_mode() {
    for (text, refused) in [
        ("trap", Code::Unavailable),
        ("loop", Code::Unavailable),
        ("grow", Code::Unavailable),
        ("later", Code::Unavailable),
        ("never", Code::Internal),
    ] {
        for (mode, expected, arrive, dropped) in
            [("propagate", refused, 0, 0), ("ignore", Code::Ok, 30, 0), ("drop", Code::Ok, 0, 30)]
        {
            let case = format!("{text}, {mode}");
            let plugins = PluginDirectory::with("stamp", &stamp(text));
            let more = format!(", error_mode: {mode}, limits: {{timeout: 50ms, memory_mib: 32}}}}");
            let settings = settings(plugins.path()).replace('}', &more);
            let backend = Backend::start().await;
            let processors = [("wasm/stamp", settings.as_str())];
            let host = Host::start(&yaml(&["traces"], &processors, &[("otlp_grpc", &backend.exporter(""))])).await;
            let (client, mut generator) = (host.client().await, Generator::new(56));
            let mut sent = Vec::new();
            for _ in 0..3 {
                let request = generator.request(1);
                sent.push(request.clone());
                let answer = client.send(request).await;
                assert_eq!(code(&answer), expected, "{case}: {answer:?}");
            }
            host.until("rest", |host| host.totals().held == 0).await;
            let totals = host.totals();
            assert_eq!((totals.sent, totals.dropped()), (arrive, dropped), "{case}: {totals:?}");
            if arrive > 0 {
                let mut arrived = backend.trace_requests();
                arrived.sort_by_key(Message::encode_to_vec);
                sent.sort_by_key(Message::encode_to_vec);
                assert!(arrived == sent, "{case}: they are unchanged");
            }
            let failures = host.metric("tailrace_plugin_failures_total", &["processor=\"wasm/stamp\""]);
            let refusals = host.metric("tailrace_plugin_refusals_total", &["processor=\"wasm/stamp\""]);
            assert_eq!(failures + refusals, 3.0, "{case}");
            plugins.replace("stamp", &stamp("good"));
            let generation = |host: &Host| host.metric("tailrace_plugin_generation", &[]);
            host.until("the good version", |host| generation(host) == 2.0).await;
            let before = backend.span_count();
            assert_eq!(code(&client.send(generator.request(1)).await), Code::Ok, "{case}");
            backend.until("the good batch", |backend| backend.span_count() == before + 10).await;
            assert_eq!(crate::reload::version_of(backend.trace_requests().last().unwrap()), "good", "{case}");
            let ledger = host.stop().await;
            assert_balanced(&ledger);
            assert_eq!(Totals::of(&ledger).sent, arrive + 10, "{case}");
        }
    }
}

/// A plugin that computes forever holds up its own batches, for as long as its limit says, and nobody else's.
#[tokio::test]
async fn a_looping_plugin_does_not_stall_others() {
    let plugins = PluginDirectory::with("stamp", &stamp("loop"));
    let backend = Backend::start().await;
    let limited = settings(plugins.path()).replace('}', ", limits: {timeout: 2s}}");
    let mut config = yaml(&["traces"], &[("wasm/stamp", &limited)], &[("otlp_grpc", &backend.exporter(""))]);
    config.push_str("    logs: {receivers: [otlp], exporters: [otlp_grpc]}\n");
    let host = Host::start(&config).await;
    let (stuck, client) = (host.client().await, host.client().await);
    let mut generator = Generator::new(57);
    let request = generator.request(1);
    let stuck: Vec<_> = (0..4)
        .map(|_| {
            let (client, request) = (stuck.clone(), request.clone());
            tokio::spawn(async move { client.send(request).await })
        })
        .collect();
    host.until("a call", |host| host.metric("tailrace_plugin_instances", &[]) >= 1.0).await;
    let started = std::time::Instant::now();
    for _ in 0..20 {
        client.send_logs(generator.logs(1)).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(1), "20 log requests took {:?}", started.elapsed());
    for stuck in stuck {
        assert_eq!(code(&stuck.await.unwrap()), Code::Unavailable);
    }
    host.until("rest", |host| host.totals().held == 0).await;
    assert_balanced(&host.stop().await);
}

/// `Retry-After` of an HTTP backend is honoured: the next attempt comes no earlier. A refusal for good is not repeated.
#[tokio::test]
async fn http_backend_with_retry_after() {
    use tailrace_tests::wire::{Answer, Wire};
    let wire = Wire::start().await;
    wire.answer_next([Answer { status: 429, retry_after: Some("1"), ..Answer::default() }]);
    let exporter = format!(
        "{{endpoint: 'http://{}', compression: none, retry_on_failure: {{initial_interval: 1ms}}}}",
        wire.address()
    );
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_http", &exporter)])).await;
    let client = host.client().await;
    let mut generator = Generator::new(58);
    client.send(generator.request(1)).await.unwrap();
    wire.wait_for(1).await;
    let refused = std::time::Instant::now();
    let arrivals = wire.wait_for(2).await;
    assert!(refused.elapsed() > Duration::from_millis(800), "it came again after {:?}", refused.elapsed());
    assert!(arrivals[0].message == arrivals[1].message);
    host.until("the answer", |host| host.totals().sent == 10).await;
    for status in [400, 413, 500] {
        wire.answer_next([Answer { status, ..Answer::default() }]);
        let before = host.totals().dropped();
        client.send(generator.request(1)).await.unwrap();
        host.until("a drop", |host| host.totals().dropped() == before + 10).await;
    }
    assert_eq!(wire.arrivals().len(), 5, "refusals for good were not repeated");
    assert_balanced(&host.stop().await);
}
