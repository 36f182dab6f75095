//! OTLP/gRPC with tonic as the client.

use super::support::*;
use crate::component::ConsumeError;
use crate::otlp::compression::{Compression, encode};
use crate::otlp::grpc_path;
use crate::otlp::status::Status;
use crate::pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, logs_service_client::LogsServiceClient,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};

async fn client(address: SocketAddr) -> TraceServiceClient<Channel> {
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap();
    TraceServiceClient::new(channel)
}

/// A request goes in as it is, byte for byte, and the answer is a full success; whatever its compression.
#[tokio::test]
async fn requests_arrive() {
    let running = start(BOTH, []).await;
    let plain = client(running.grpc()).await;
    let clients = [
        plain.clone(),
        plain.clone().send_compressed(CompressionEncoding::Gzip),
        plain.clone().send_compressed(CompressionEncoding::Zstd),
        plain.accept_compressed(CompressionEncoding::Gzip),
    ];
    for mut client in clients {
        let response = client.export(traces("a", 3)).await.unwrap().into_inner();
        assert_eq!(response.partial_success, None);
    }
    let taken = running.sink.taken();
    assert_eq!(taken.len(), 4);
    for batch in taken {
        assert_eq!((batch.signal(), batch.items()), (Signal::Traces, 3));
        assert_eq!(batch.data(), &encoded("a", 3));
    }
    assert_eq!((running.spans("accepted", "grpc"), running.requests("success")), (12.0, 4.0));
    assert_eq!(running.spans("accepted", "http"), 0.0);
}

/// A body of a megabyte, in many frames.
#[tokio::test]
async fn a_large_request_arrives_in_one_piece() {
    let running = start(BOTH, []).await;
    let request = traces(&"x".repeat(500), 2_000);
    client(running.grpc()).await.export(request.clone()).await.unwrap();
    assert_eq!(running.sink.taken()[0].data(), &request.encode_to_vec());
}

/// Nothing in it: success, and the pipeline is not bothered.
#[tokio::test]
async fn an_empty_request_is_a_success() {
    let running = start(BOTH, []).await;
    let mut client = client(running.grpc()).await;
    client.export(traces("a", 0)).await.unwrap();
    client.export(ExportTraceServiceRequest::default()).await.unwrap();
    assert!(running.sink.taken().is_empty());
    assert_eq!(running.requests("success"), 2.0);
}

/// The answer is the pipeline's: its code if it has one, `INTERNAL` or `UNAVAILABLE` if not, a delay as `RetryInfo`.
#[tokio::test]
async fn the_answer_is_that_of_the_pipeline() {
    let after = Duration::from_millis(2_500);
    let script = [
        ConsumeError::retryable("full, 100 % and ü"),
        ConsumeError::Retryable { after: Some(after), message: "later".into() },
        ConsumeError::permanent("never"),
        ConsumeError::Permanent { code: Some(7), message: "not you".into() },
    ];
    let running = start(BOTH, script.map(Verdict::Err).into_iter().chain([Verdict::Panic])).await;
    let mut client = client(running.grpc()).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(client.export(traces("a", 2)).await.unwrap_err());
    }
    let codes: Vec<Code> = answers.iter().map(tonic::Status::code).collect();
    assert_eq!(codes, [Code::Unavailable, Code::Unavailable, Code::Internal, Code::PermissionDenied, Code::Internal]);
    assert_eq!(answers[0].message(), "full, 100 % and ü");
    assert_eq!(
        Status::from_proto(answers[0].details()).unwrap_or(Status::new(crate::otlp::status::Code::OK, "")).retry_after,
        None
    );
    assert_eq!(Status::from_proto(answers[1].details()).unwrap().retry_after, Some(after));
    assert_eq!(answers[4].message(), "the pipeline failed");
    assert_eq!(running.spans("refused", "grpc"), 4.0);
    assert_eq!(running.spans("failed", "grpc"), 6.0);
    assert_eq!((running.requests("refused"), running.requests("failure")), (2.0, 3.0));
    // And it goes on.
    client.export(traces("a", 1)).await.unwrap();
}

/// Each signal has its service; one without a pipeline is not implemented, as in the Collector.
#[tokio::test]
async fn signals_have_services() {
    let running = start(BOTH, []).await;
    let channel = Endpoint::try_from(format!("http://{}", running.grpc())).unwrap().connect().await.unwrap();
    let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default()], ..Default::default() }];
    let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    LogsServiceClient::new(channel.clone()).export(logs).await.unwrap();
    assert_eq!(running.sink.taken()[0].signal(), Signal::Logs);
    let refused = MetricsServiceClient::new(channel).export(ExportMetricsServiceRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let (_, headers) = call_path(running.grpc(), "/nobody.knows/This", &[], framed(false, b"")).await;
    assert_eq!(headers["grpc-status"], "12");
}

/// An unknown coding is refused with the list of the known ones; `deflate` and the flag itself follow gRPC's rules.
#[tokio::test]
async fn codings_follow_the_rules() {
    let running = start(BOTH, []).await;
    let data = encoded("a", 1);
    let (_, headers) = call(running.grpc(), &[("grpc-encoding", "snappy")], framed(true, &data)).await;
    assert_eq!(headers["grpc-status"], "12");
    assert_eq!(headers["grpc-accept-encoding"], "identity,gzip,zstd,deflate");
    let (_, headers) = call(running.grpc(), &[], framed(true, &data)).await;
    assert_eq!(headers["grpc-status"], "13", "compressed, but nobody said how");
    let (_, headers) = call(running.grpc(), &[("grpc-encoding", "gzip")], framed(false, &data)).await;
    assert_eq!(headers["grpc-status"], "0", "a message may stay uncompressed");
    let zlib = encode(Compression::Zlib, None, &data).unwrap();
    let (_, headers) = call(running.grpc(), &[("grpc-encoding", "deflate")], framed(true, &zlib)).await;
    assert_eq!(headers["grpc-status"], "0");
    assert_eq!(running.sink.taken().len(), 2);
}

/// A response's form, which tonic does not show: HTTP 200, one empty frame, the status in trailers; an error has no body.
#[tokio::test]
async fn the_form_of_an_answer() {
    let running = start(BOTH, [Verdict::Ok, Verdict::Err(ConsumeError::permanent("no"))]).await;
    let mut sender = http2(running.grpc()).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let path = format!("http://localhost{}", grpc_path(Signal::Traces));
        let request = http::Request::post(path).header("content-type", "application/grpc+proto");
        let request = request.body(bytes::Bytes::from(framed(false, &encoded("a", 1))).into()).unwrap();
        answers.push(whole(sender.send_request(request).await.unwrap()).await);
    }
    let (status, headers, body) = &answers[0];
    assert_eq!((status.as_u16(), &body[..]), (200, &[0; 5][..]));
    assert_eq!(
        (&headers["content-type"], &headers["grpc-status"]),
        (&"application/grpc".parse().unwrap(), &"0".parse().unwrap())
    );
    let (status, headers, body) = &answers[1];
    assert_eq!((status.as_u16(), body.len()), (200, 0));
    assert_eq!((headers["grpc-status"].to_str().unwrap(), headers["grpc-message"].to_str().unwrap()), ("13", "no"));
}

/// What is not gRPC gets an answer that a person can read.
#[tokio::test]
async fn other_protocols_are_told() {
    let running = start(BOTH, []).await;
    let (status, _) = call(running.grpc(), &[("content-type", "application/json")], "{}").await;
    assert_eq!(status, 415);
    let request = http::Request::get("http://localhost/").header("content-type", "application/grpc");
    let request = request.body(Default::default()).unwrap();
    let response = http2(running.grpc()).await.send_request(request).await.unwrap();
    assert_eq!(response.status(), 405);
}
