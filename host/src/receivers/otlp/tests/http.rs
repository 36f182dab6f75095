//! OTLP/HTTP, raw.

use super::support::*;
use crate::component::ConsumeError;
use crate::otlp::compression::{Compression, encode};
use crate::otlp::status::{Code, Status};
use crate::pdata::Signal;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use std::time::Duration;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const SPAN: &str =
    r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","name":"a"}]}]}]}"#;

/// Protobuf and JSON, in every coding, over HTTP/1.1 and HTTP/2: the same batch, and an answer in kind.
#[tokio::test]
async fn requests_arrive() {
    let running = start(BOTH, []).await;
    let mut sent = 0;
    for (name, compression) in [
        ("", Compression::None),
        ("identity", Compression::None),
        ("gzip", Compression::Gzip),
        ("GZIP", Compression::Gzip),
        ("zstd", Compression::Zstd),
        ("deflate", Compression::Zlib),
        ("zlib", Compression::Zlib),
    ] {
        let body = encode(compression, None, &encoded("a", 2)).unwrap();
        let (status, headers, body) = http1(running.http(), post(&[PROTOBUF, ("content-encoding", name)], body)).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &PROTOBUF.1.parse().unwrap()), "{name}");
        assert!(body.is_empty(), "partial_success is unset");
        let body = encode(compression, None, SPAN.as_bytes()).unwrap();
        let json = ("content-type", "Application/JSON; charset=utf-8");
        let (status, headers, body) = http1(running.http(), post(&[json, ("content-encoding", name)], body)).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &JSON.1.parse().unwrap()), "{name}");
        assert_eq!(&body[..], b"{}");
        sent += 3;
    }
    let request = Request::post("http://localhost/v1/traces").header(PROTOBUF.0, PROTOBUF.1);
    let request = request.body(encoded("a", 2).into()).unwrap();
    let response = http2(running.http()).await.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200, "HTTP/2 by prior knowledge");
    assert_eq!(running.spans("accepted", "http"), f64::from(sent + 2));
    assert_eq!(running.sink.taken().len(), 15);
}

/// One connection carries many requests, good and bad.
#[tokio::test]
async fn a_connection_is_reused() {
    let running = start(BOTH, []).await;
    let stream = tokio::net::TcpStream::connect(running.http()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    for round in 0..20 {
        let body = if round % 3 == 0 { Bytes::from_static(b"\xff") } else { encoded("a", 1) };
        sender.ready().await.unwrap();
        let (status, ..) = whole(sender.send_request(post(&[PROTOBUF], body)).await.unwrap()).await;
        assert_eq!(status.as_u16(), if round % 3 == 0 { 400 } else { 200 });
    }
}

/// The statuses of the Collector's table, `Retry-After` where a delay is known, and a `google.rpc.Status` in kind.
#[tokio::test]
async fn the_answer_is_that_of_the_pipeline() {
    let after = Some(Duration::from_millis(1_200));
    let coded = |code: Code| ConsumeError::Permanent { code: Some(code.0), message: "m".into() };
    for (error, status, retry_after) in [
        (ConsumeError::retryable("m"), 503, None),
        (ConsumeError::Retryable { after, message: "m".into() }, 503, Some("2")),
        (ConsumeError::permanent("m"), 500, None),
        (coded(Code::INVALID_ARGUMENT), 400, None),
        (coded(Code::UNAUTHENTICATED), 401, None),
        (coded(Code::PERMISSION_DENIED), 403, None),
        (coded(Code::RESOURCE_EXHAUSTED), 429, None),
    ] {
        let running = start(BOTH, [Verdict::Err(error.clone()), Verdict::Err(error.clone())]).await;
        let expected = Status::from(&error);
        let check = |(found, headers, body): (StatusCode, HeaderMap, Bytes), read: fn(&[u8]) -> Option<Status>| {
            assert_eq!(found.as_u16(), status, "{error:?}");
            assert_eq!(headers.get("retry-after").map(|delay| delay.to_str().unwrap()), retry_after, "{error:?}");
            assert_eq!(read(&body), Some(expected.clone()), "{body:?}");
            headers["content-type"].clone()
        };
        let answer = http1(running.http(), post(&[PROTOBUF], encoded("a", 1))).await;
        assert_eq!(check(answer, Status::from_proto), PROTOBUF.1);
        let answer = http1(running.http(), post(&[JSON], SPAN)).await;
        assert_eq!(check(answer, Status::from_json), JSON.1);
    }
}

/// Unknown paths and signals without a pipeline, other methods, other types, other codings: as the Collector answers.
#[tokio::test]
async fn requests_that_are_none() {
    let running = start(BOTH, []).await;
    let address = running.http();
    let (status, ..) = http1(address, post_to("/v1/unknown", &[PROTOBUF], "")).await;
    assert_eq!(status, 404);
    let (status, ..) = http1(address, post_to("/v1/metrics", &[PROTOBUF], "")).await;
    assert_eq!(status, 404, "no pipeline takes metrics");
    let get = Request::get("/v1/traces").header("host", "a").body(Default::default()).unwrap();
    let (status, headers, body) = http1(address, get).await;
    assert_eq!((status.as_u16(), &body[..]), (405, &b"405 method not allowed, supported: [POST]"[..]));
    assert_eq!(headers["allow"], "POST");
    for headers in [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/protobuf")]] {
        let (status, _, body) = http1(address, post(headers, encoded("a", 1))).await;
        let text = "415 unsupported media type, supported: [application/json, application/x-protobuf]";
        assert_eq!((status.as_u16(), &body[..]), (415, text.as_bytes()));
    }
    let (status, headers, body) = http1(address, post(&[JSON, ("content-encoding", "br")], "{}")).await;
    assert_eq!((status.as_u16(), &headers["content-type"]), (415, &JSON.1.parse().unwrap()));
    let message = Status::from_json(&body).unwrap().message;
    assert!(message.contains("br") && message.contains("identity, gzip, zstd, deflate"), "{message}");
    assert!(running.sink.taken().is_empty());
}

/// What cannot be read is 400 with `INVALID_ARGUMENT` in kind; too large, before or after decompression, is 413.
#[tokio::test]
async fn bad_bodies_are_refused_for_good() {
    let running = start("protocols: {http: {endpoint: '127.0.0.1:0', max_request_body_size: 1000}}", []).await;
    let address = running.http();
    for (headers, body) in [
        (&[PROTOBUF][..], &b"\x0a\xff"[..]),
        (&[PROTOBUF, ("content-encoding", "gzip")], b"no gzip"),
        (&[PROTOBUF, ("content-encoding", "zstd")], b"no zstd"),
        (&[PROTOBUF, ("content-encoding", "deflate")], b"\xff\xff"),
    ] {
        let (status, _, body) = http1(address, post(headers, body)).await;
        assert_eq!(status, 400, "{headers:?}");
        assert_eq!(Status::from_proto(&body).unwrap().code, Code::INVALID_ARGUMENT);
    }
    let (status, _, body) = http1(address, post(&[JSON], r#"{"resourceSpans":3}"#)).await;
    assert_eq!((status.as_u16(), Status::from_json(&body).unwrap().code), (400, Code::INVALID_ARGUMENT));

    let bomb = encode(Compression::Gzip, None, &vec![0; 1_001]).unwrap();
    for (headers, body) in [(&[PROTOBUF][..], vec![0; 1_001]), (&[PROTOBUF, ("content-encoding", "gzip")], bomb)] {
        let (status, headers, body) = http1(address, post(headers, body)).await;
        assert_eq!((status.as_u16(), headers.get("retry-after")), (413, None));
        let status = Status::from_proto(&body).unwrap();
        assert!(status.code == Code::RESOURCE_EXHAUSTED && !status.is_retryable());
    }
    assert_eq!(running.requests("failure"), 7.0);
    assert_eq!((running.spans("failed", "http"), running.sink.taken().len()), (0.0, 0));
}

/// Paths, headers of answers, a subset of the codings, one request a connection.
#[tokio::test]
async fn settings_are_honoured() {
    let yaml = "protocols: {http: {endpoint: '127.0.0.1:0', traces_url_path: /t, response_headers: {X-A: b}, \
                compression_algorithms: ['', gzip], keep_alives_enabled: false, cors: {allowed_origins: ['http://a']}}}";
    let running = start(yaml, []).await;
    let address = running.http();
    let (status, headers, _) =
        http1(address, post_to("/t", &[PROTOBUF, ("origin", "http://a")], encoded("a", 1))).await;
    assert_eq!((status.as_u16(), &headers["x-a"]), (200, &"b".parse().unwrap()));
    assert_eq!(
        (&headers["connection"], &headers["access-control-allow-origin"]),
        (&"close".parse().unwrap(), &"http://a".parse().unwrap())
    );
    let (status, headers, _) = http1(address, post_to("/t", &[PROTOBUF, ("content-encoding", "zstd")], "")).await;
    assert_eq!((status.as_u16(), &headers["x-a"]), (415, &"b".parse().unwrap()));
    let preflight = Request::options("/t").header("origin", "http://a").header("access-control-request-method", "POST");
    let (status, headers, _) = http1(address, preflight.header("host", "x").body(Default::default()).unwrap()).await;
    assert_eq!((status.as_u16(), &headers["access-control-allow-methods"]), (204, &"POST".parse().unwrap()));
}

/// All three JSON requests of a client become what protobuf would have been.
#[tokio::test]
async fn json_becomes_protobuf() {
    let running = start(BOTH, []).await;
    let text = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9,"body":{"stringValue":"b"}}]}]}]}"#;
    let (status, ..) = http1(running.http(), post_to("/v1/logs", &[JSON], text)).await;
    assert_eq!(status, 200);
    let taken = running.sink.taken();
    assert_eq!((taken[0].signal(), taken[0].items()), (Signal::Logs, 1));
    let mut back = Vec::new();
    crate::otlp::json::write(tailrace_otlp::schema::request(Signal::Logs), taken[0].data(), &mut back).unwrap();
    assert_eq!(String::from_utf8(back).unwrap(), text);
}
