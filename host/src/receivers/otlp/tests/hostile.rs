//! What an attacker or a broken client sends. Each is refused with the right status, and the receiver goes on.

use super::support::*;
use crate::otlp::compression::{Compression, encode};
use crate::otlp::status::{Code, Status};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use std::net::SocketAddr;
use std::time::Duration;
use tailrace_otlp::wire::put_varint;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The gRPC status of a message, and whether it says when to come back.
async fn status_of(address: SocketAddr, message: &[u8]) -> (u32, bool) {
    let (_, headers) = call(address, &[], framed(false, message)).await;
    let status = Status::from_grpc(&headers).unwrap();
    (status.code.0, status.retry_after.is_some())
}

async fn still_serves(running: &Running) {
    assert_eq!(status_of(running.grpc(), &encoded("good", 1)).await.0, 0);
}

/// Too large, announced or real, compressed or not: `RESOURCE_EXHAUSTED` without `RetryInfo`, so that nobody sends it
/// again; never `OUT_OF_RANGE`.
#[tokio::test]
async fn too_large_is_for_good() {
    let running = start(BOTH, []).await;
    let zeros = vec![0; (4 << 20) + 1];
    assert_eq!(status_of(running.grpc(), &zeros).await, (8, false));
    for (name, compression) in
        [("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("deflate", Compression::Zlib)]
    {
        let bomb = encode(compression, Some(9), &vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 100 << 10);
        let (_, headers) = call(running.grpc(), &[("grpc-encoding", name)], framed(true, &bomb)).await;
        let status = Status::from_grpc(&headers).unwrap();
        assert_eq!((status.code, status.is_retryable()), (Code::RESOURCE_EXHAUSTED, false), "{name}");
        let request = post(&[PROTOBUF, ("content-encoding", name)], bomb);
        assert_eq!(http1(running.http(), request).await.0, 413, "{name}");
    }
    let (_, headers) = call(running.grpc(), &[], vec![0, 0xff, 0xff, 0xff, 0xff]).await;
    assert_eq!(headers["grpc-status"], "8", "on its announcement alone");
    still_serves(&running).await;
}

/// Two bytes on the wire, sixteen in an index, hundreds in objects: stopped by the budget of elements.
#[tokio::test]
async fn structural_bombs_are_refused() {
    let running = start(BOTH, []).await;
    // Ten million empty spans, and ten million empty scopes, in 20 MB, in some kilobytes.
    for scope in [nested(2, 1, b"\x12\0".repeat(9_900_000)), b"\x12\0".repeat(9_900_000)] {
        let packed = encode(Compression::Zstd, None, &nested(1, 1, scope)).unwrap();
        assert!(packed.len() < 100_000);
        let request = post(&[PROTOBUF, ("content-encoding", "zstd")], packed);
        let (status, _, body) = http1(running.http(), request).await;
        assert_eq!((status.as_u16(), Status::from_proto(&body).unwrap().code), (400, Code::INVALID_ARGUMENT));
    }
    let text = format!(r#"{{"resourceSpans":[{{}}{}]}}"#, ",{}".repeat(4_500_000));
    let packed = encode(Compression::Gzip, None, text.as_bytes()).unwrap();
    let (status, ..) = http1(running.http(), post(&[JSON, ("content-encoding", "gzip")], packed)).await;
    assert_eq!(status, 400);
    assert!(running.sink.taken().is_empty());
    still_serves(&running).await;
}

/// Values in values, a hundred thousand levels: in protobuf, in JSON, in unknown groups.
#[tokio::test]
async fn deep_nesting_is_refused() {
    let running = start(BOTH, []).await;
    // AnyValue.array_value (5) and ArrayValue.values (1) in turn, as the value of an attribute of a span.
    let with_value = |levels: usize| {
        let mut value = Vec::new();
        for _ in 0..levels {
            value = nested(5, 1, nested(1, 1, value));
        }
        nested(1, 1, nested(2, 1, nested(2, 1, nested(9, 1, nested(2, 1, value)))))
    };
    assert_eq!(status_of(running.grpc(), &with_value(20)).await.0, 0);
    assert_eq!(status_of(running.grpc(), &with_value(200)).await, (3, false));
    // Lengths of nested messages grow inwards, so a really deep one is quadratic to build that way; groups are not.
    let groups = [b"\xa3\x06".repeat(100_000), b"\xa4\x06".repeat(100_000)].concat();
    assert_eq!(status_of(running.grpc(), &groups).await, (3, false));
    let text = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"value":{}{}}}]}}}}]}}"#,
        r#"{"arrayValue":{"values":["#.repeat(100_000),
        "]}}".repeat(100_000)
    );
    assert_eq!(http1(running.http(), post(&[JSON], text)).await.0, 400);
    assert_eq!(http1(running.http(), post(&[JSON], "[".repeat(1 << 20))).await.0, 400);
    still_serves(&running).await;
}

/// Ids: none and all-zero ones pass and are known as "no trace" (not as one giant trace); other lengths are refused.
#[tokio::test]
async fn strange_ids() {
    let running = start(BOTH, []).await;
    for (length, byte, code) in [(16, 0, 0), (0, 0, 0), (16, 1, 0), (15, 1, 3), (17, 1, 3), (8, 1, 3)] {
        let mut request = traces("a", 1);
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![byte; length];
        assert_eq!(status_of(running.grpc(), &request.encode_to_vec()).await, (code, false), "{length} times {byte}");
    }
    let traces: Vec<_> =
        running.sink.taken().iter().map(|batch| batch.index().trace_id(batch.data(), 0).copied()).collect();
    assert_eq!(traces, [None, None, Some([1; 16])]);
}

/// One string that is not UTF-8 would fail a merged batch far from here: its own request fails instead.
#[tokio::test]
async fn bad_utf8_is_refused_at_the_door() {
    let running = start(BOTH, []).await;
    let mut data = encoded("xyz", 1).to_vec();
    let at = data.windows(3).position(|window| window == b"xyz").unwrap();
    data[at] = 0xff;
    assert_eq!(status_of(running.grpc(), &data).await, (3, false));
    assert_eq!(http1(running.http(), post(&[PROTOBUF], data)).await.0, 400);
    still_serves(&running).await;
}

/// Logs on the path of traces: their fields have other types there, so they are no spans.
#[tokio::test]
async fn another_signal_is_refused() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    let running = start(BOTH, []).await;
    let record = LogRecord { time_unix_nano: 1, severity_text: "INFO".into(), ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    assert_eq!(status_of(running.grpc(), &logs.encode_to_vec()).await, (3, false));
    assert_eq!(http1(running.http(), post(&[PROTOBUF], logs.encode_to_vec())).await.0, 400);
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#;
    assert_eq!(http1(running.http(), post(&[JSON], logs)).await.0, 200, "in JSON it is an unknown key: nothing in it");
    assert!(running.sink.taken().is_empty());
}

/// Cut off, and with something behind: refused, never taken in part.
#[tokio::test]
async fn truncated_and_trailing_bytes_are_refused() {
    let running = start(BOTH, []).await;
    let data = encoded("a", 3);
    for bad in [&data[..data.len() - 1], &[&data[..], b"\0"].concat(), &[&data[..], b"\x0a"].concat()] {
        assert_eq!(status_of(running.grpc(), bad).await, (3, false));
        assert_eq!(http1(running.http(), post(&[PROTOBUF], bad.to_vec())).await.0, 400);
    }
    for body in [framed(false, &data)[..50].to_vec(), [framed(false, &data), framed(false, &data)].concat(), vec![0; 3]]
    {
        let (_, headers) = call(running.grpc(), &[], body).await;
        assert_eq!(headers["grpc-status"], "3");
    }
    for (name, compression) in [("gzip", Compression::Gzip), ("zstd", Compression::Zstd)] {
        let packed = encode(compression, None, &data).unwrap();
        for bad in [packed[..packed.len() - 1].to_vec(), [&packed[..], b"tail"].concat()] {
            let (_, headers) = call(running.grpc(), &[("grpc-encoding", name)], framed(true, &bad)).await;
            assert_eq!(headers["grpc-status"], "3", "{name}");
        }
    }
    assert!(running.sink.taken().is_empty());
    still_serves(&running).await;
}

/// Many requests at once, in every coding, on shared and own connections: what arrives is what was sent, each once.
#[tokio::test]
async fn concurrent_requests_do_not_mix() {
    let running = start(BOTH, []).await;
    let sender = http2(running.grpc()).await;
    let mut tasks = Vec::new();
    for number in 0..150usize {
        let (grpc, mut sender) = (running.grpc(), sender.clone());
        let http = running.http();
        tasks.push(tokio::spawn(async move {
            let data = encoded(&format!("request {number}"), 1 + number % 40);
            let (name, compression) = [
                ("identity", Compression::None),
                ("gzip", Compression::Gzip),
                ("zstd", Compression::Zstd),
                ("deflate", Compression::Zlib),
            ][number % 4];
            let packed = encode(compression, None, &data).unwrap();
            match number % 3 {
                0 => {
                    let headers = [("grpc-encoding", name)];
                    let (_, headers) = call(grpc, &headers, framed(compression != Compression::None, &packed)).await;
                    assert_eq!(headers["grpc-status"], "0");
                }
                1 => {
                    let path = format!("http://localhost{}", crate::otlp::grpc_path(crate::pdata::Signal::Traces));
                    let request = http::Request::post(path)
                        .header("content-type", "application/grpc")
                        .header("grpc-encoding", name);
                    let body = Bytes::from(framed(compression != Compression::None, &packed));
                    sender.ready().await.unwrap();
                    let answer = whole(sender.send_request(request.body(body.into()).unwrap()).await.unwrap()).await;
                    assert_eq!(answer.1["grpc-status"], "0");
                }
                _ => {
                    let request = post(&[PROTOBUF, ("content-encoding", name)], packed);
                    assert_eq!(http1(http, request).await.0, 200);
                }
            }
            data
        }));
    }
    let mut sent = Vec::new();
    for task in tasks {
        sent.push(task.await.unwrap());
    }
    let mut taken: Vec<Bytes> = running.sink.taken().iter().map(|batch| batch.data().clone()).collect();
    sent.sort();
    taken.sort();
    assert_eq!(sent, taken);
}

/// Random damage to a good request: whatever happens is an answer, and what is taken is what prost can read.
#[tokio::test]
async fn random_damage() {
    let running = start(BOTH, []).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let good = encoded("good", 5);
    let mut sender = http2(running.grpc()).await;
    for _ in 0..300 {
        let mut data = good.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..data.len());
            data[at] = random.u8(..);
        }
        let path = format!("http://localhost{}", crate::otlp::grpc_path(crate::pdata::Signal::Traces));
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let body = Bytes::from(framed(false, &data));
        let (_, headers, _) = whole(sender.send_request(request.body(body.into()).unwrap()).await.unwrap()).await;
        assert!(["0", "3"].contains(&headers["grpc-status"].to_str().unwrap()), "{headers:?}");
    }
    for batch in running.sink.taken() {
        ExportTraceServiceRequest::decode(batch.data().clone()).expect("prost reads what was taken");
    }
    still_serves(&running).await;
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Headers of a gRPC call, without Huffman coding and without the table.
fn call_headers() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        block.extend_from_slice(name);
        put_varint(&mut block, value.len() as u64);
        block.extend_from_slice(value.as_bytes());
    };
    literal(&[0x04], crate::otlp::grpc_path(crate::pdata::Signal::Traces));
    literal(&[0x01], "localhost");
    literal(&[0x0f, 0x10], "application/grpc");
    block
}

/// A raw connection that has exchanged prefaces; the settings of the server, by number.
async fn raw(address: SocketAddr) -> (TcpStream, Vec<(u16, u32)>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).await.unwrap();
    let setting = |bytes: &[u8]| {
        (u16::from_be_bytes([bytes[0], bytes[1]]), u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]))
    };
    (stream, payload.chunks(6).map(setting).collect())
}

/// What a server tells its clients: streams and headers are bounded, windows are wide.
#[tokio::test]
async fn the_settings_bound_a_connection() {
    let yaml = "protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}";
    let running = start(yaml, []).await;
    for address in [running.grpc(), running.http()] {
        let (_, settings) = raw(address).await;
        let of = |number: u16| settings.iter().find(|(found, _)| *found == number).map(|(_, value)| *value);
        assert_eq!((of(3), of(4), of(6)), (Some(128), Some(1 << 20), Some(16 << 10)), "{settings:?}");
    }
    let running = start("protocols: {grpc: {endpoint: '127.0.0.1:0', max_concurrent_streams: 7}}", []).await;
    assert!(raw(running.grpc()).await.1.contains(&(3, 7)));
}

/// Streams opened and reset at once, by the thousand: the connection is closed, others are served.
#[tokio::test]
async fn a_reset_flood_ends_its_connection() {
    let running = start(BOTH, []).await;
    let (mut stream, _) = raw(running.grpc()).await;
    let block = call_headers();
    let mut flood = Vec::new();
    for number in 0..5_000u32 {
        let id = 2 * number + 1;
        flood.extend(frame(1, 4, id, &block));
        flood.extend(frame(3, 0, id, &8u32.to_be_bytes()));
    }
    // The server may close while this is still being written.
    let _ = stream.write_all(&flood).await;
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "the connection is still open");
    still_serves(&running).await;
    assert!(running.sink.taken().len() == 1);
}

/// Headers without an end, and more of them than are taken: the connection is closed or the stream refused.
#[tokio::test]
async fn endless_headers_end_their_connection() {
    let running = start(BOTH, []).await;
    let (mut stream, _) = raw(running.grpc()).await;
    // HEADERS without END_HEADERS, then CONTINUATION for ever, each with a large literal.
    let mut literal = vec![0x00, 0x01, b'a'];
    put_varint(&mut literal, 0);
    let block = literal.repeat(3_000);
    let mut writing = stream.write_all(&frame(1, 0, 1, &block)).await;
    for _ in 0..10_000 {
        if writing.is_err() {
            break;
        }
        writing = stream.write_all(&frame(9, 0, 1, &block)).await;
    }
    assert!(writing.is_err(), "the server took 120 MB of headers");
    still_serves(&running).await;
}

/// Headers that drip: the connection is closed after `read_header_timeout`; a silent one too.
#[tokio::test]
async fn slow_headers_are_given_up() {
    let yaml = "protocols: {http: {endpoint: '127.0.0.1:0', read_header_timeout: 200ms}}";
    let running = start(yaml, []).await;
    for start in [&b""[..], b"P", b"PRI * HTTP/2", b"POST /v1/traces HTTP/1.1\r\nhost: a\r\nx: "] {
        let mut stream = TcpStream::connect(running.http()).await.unwrap();
        stream.write_all(start).await.unwrap();
        let mut answer = Vec::new();
        let end = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "{:?} holds its connection", String::from_utf8_lossy(start));
    }
}

/// A body that drips: refused after `read_timeout`, although each byte is progress.
#[tokio::test]
async fn slow_bodies_are_given_up() {
    let running = start("protocols: {http: {endpoint: '127.0.0.1:0', read_timeout: 300ms}}", []).await;
    let mut stream = TcpStream::connect(running.http()).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[0; 10]).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("holds its connection").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 503"), "{}", String::from_utf8_lossy(&answer));
}
