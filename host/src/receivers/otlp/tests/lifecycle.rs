//! Starting, overload, clients that leave, shutdown.

use super::support::*;
use crate::otlp::status::Status;
use crate::pdata::Signal;
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A port that somebody has is an error of start that names receiver, protocol and address, and leaves no port open.
#[tokio::test]
async fn a_busy_port_is_an_error() {
    let busy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = busy.local_addr().unwrap();
    let yaml = format!("protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '{address}'}}}}");
    let (receiver, telemetry) = build(&yaml, &Sink::new([]));
    let error = receiver.start().await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("otlp: cannot listen on {address} for http:")), "{error}");
    let grpc = telemetry.status().address("otlp/grpc").unwrap();
    assert!(TcpStream::connect(grpc).await.is_err(), "the other port is closed again");
}

/// Building opens nothing; shutting down what never started is no fault.
#[tokio::test]
async fn a_receiver_that_never_starts() {
    let (receiver, telemetry) = build(BOTH, &Sink::new([]));
    assert!(telemetry.status().addresses().is_empty());
    receiver.shutdown(crate::shutdown::Deadline::after(Duration::ZERO)).await;
}

/// Connections are dealt to workers with runtimes of their own; all of them share the limits and end at shutdown.
#[tokio::test]
async fn connections_live_on_the_workers() {
    let (workers, threads) = crate::workers::Workers::start(2).unwrap();
    let sink = Sink::new([]);
    let (receiver, telemetry) = build_on(workers, BOTH, &sink);
    receiver.start().await.unwrap();
    let running = Running { receiver, telemetry, sink };
    for number in 0..8 {
        let (_, headers) = call(running.grpc(), &[], framed(false, &encoded("a", number + 1))).await;
        assert_eq!(headers["grpc-status"], "0");
    }
    let mut idle = http2(running.grpc()).await;
    idle.ready().await.unwrap();
    timeout(Duration::from_secs(10), running.shutdown(Duration::from_secs(60))).await.expect("shutdown hangs");
    threads.stop();
    assert_eq!(running.spans("accepted", "grpc"), 36.0);
    assert_eq!(running.sink.taken().len(), 8);
}

/// A client that goes away takes its answer with it, not its batch: the pipeline comes to its end and it is counted.
#[tokio::test]
async fn a_client_that_leaves() {
    let running = start(BOTH, [Verdict::Wait, Verdict::Wait]).await;
    let grpc = tokio::spawn(call(running.grpc(), &[], framed(false, &encoded("a", 3))));
    let http =
        tokio::spawn(http1(running.http(), post(&[("content-type", "application/x-protobuf")], encoded("b", 4))));
    running.sink.someone_waits().await;
    running.sink.someone_waits().await;
    grpc.abort();
    http.abort();
    assert!(grpc.await.unwrap_err().is_cancelled() && http.await.unwrap_err().is_cancelled());
    assert_eq!(running.spans("accepted", "grpc"), 0.0);
    running.sink.open();
    running.sink.open();
    eventually(|| running.spans("accepted", "grpc") == 3.0 && running.spans("accepted", "http") == 4.0).await;
    assert_eq!(running.sink.taken().len(), 2);
}

/// At shutdown ports close first, requests on their way are answered, and idle connections end.
#[tokio::test]
async fn shutdown_lets_requests_finish() {
    let running = start(BOTH, [Verdict::Wait]).await;
    let (grpc_address, http_address) = (running.grpc(), running.http());
    let mut idle = http2(grpc_address).await;
    idle.ready().await.unwrap();
    let request = tokio::spawn(call(grpc_address, &[], framed(false, &encoded("a", 1))));
    running.sink.someone_waits().await;
    let shutdown = running.shutdown(Duration::from_secs(30));
    let finish = async {
        // The ports are closed while the request still waits.
        while TcpStream::connect(grpc_address).await.is_ok() || TcpStream::connect(http_address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        running.sink.open();
    };
    timeout(Duration::from_secs(10), async { tokio::join!(shutdown, finish) }).await.expect("shutdown took too long");
    let (_, headers) = request.await.unwrap();
    assert_eq!(headers["grpc-status"], "0");
    assert_eq!(running.spans("accepted", "grpc"), 1.0);
    assert!(idle.is_closed() || idle.ready().await.is_err());
}

/// What does not finish by the deadline is cut: the client gets no success, and it is counted as refused.
#[tokio::test]
async fn shutdown_ends_at_its_deadline() {
    let running = start(BOTH, [Verdict::Wait]).await;
    let address = running.grpc();
    let request = tokio::spawn(async move {
        let path = format!("http://localhost{}", crate::otlp::grpc_path(Signal::Traces));
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let request = request.body(Bytes::from(framed(false, &encoded("a", 2))).into()).unwrap();
        match http2(address).await.send_request(request).await {
            Ok(response) => Status::from_grpc(response.headers()).is_some_and(|status| status.is_retryable()),
            Err(_) => true,
        }
    });
    running.sink.someone_waits().await;
    timeout(Duration::from_secs(5), running.shutdown(Duration::from_millis(100))).await.expect("not forced");
    assert!(request.await.unwrap(), "the client was told success");
    assert_eq!((running.spans("refused", "grpc"), running.spans("accepted", "grpc")), (2.0, 0.0));
    assert!(running.sink.taken().is_empty());
}

/// Requests that wait for the pipeline fill the budget of bytes in flight: the next one waits a second and is refused, in
/// a way that may be retried; when there is room again it is taken.
#[tokio::test]
async fn bytes_in_flight_are_bounded() {
    let yaml = "{protocols: {grpc: {endpoint: '127.0.0.1:0'}}, limits: {in_flight_mib: 1}}";
    let running = start(yaml, [Verdict::Wait]).await;
    let large = encoded(&"x".repeat(1_000), 900);
    let first = tokio::spawn(call(running.grpc(), &[], framed(false, &large)));
    running.sink.someone_waits().await;
    let (_, headers) = call(running.grpc(), &[], framed(false, &large)).await;
    let status = Status::from_grpc(&headers).unwrap();
    assert_eq!((status.code.0, status.retry_after), (14, Some(Duration::from_secs(1))));
    let (_, headers) = call(running.grpc(), &[], framed(false, &encoded("small", 1))).await;
    assert_eq!(headers["grpc-status"], "0", "there is room for a small one");
    // 20,000 spans of two bytes each, of which the collector keeps a list.
    let hollow = Bytes::from(nested(1, 1, nested(2, 1, [0x12, 0].repeat(20_000))));
    let (_, headers) = call(running.grpc(), &[], framed(false, &hollow)).await;
    assert_eq!(headers["grpc-status"], "14", "there is no room for the list");
    running.sink.open();
    assert_eq!(first.await.unwrap().1["grpc-status"], "0");
    for message in [&large, &hollow] {
        let (_, headers) = call(running.grpc(), &[], framed(false, message)).await;
        assert_eq!(headers["grpc-status"], "0");
    }
    assert_eq!(running.requests("refused"), 2.0);
}

/// More connections than are allowed are closed at once; when one ends there is room for another.
#[tokio::test]
async fn connections_are_bounded() {
    let yaml = "{protocols: {grpc: {endpoint: '127.0.0.1:0'}}, limits: {connections: 2}}";
    let running = start(yaml, []).await;
    let (mut first, second) = (http2(running.grpc()).await, http2(running.grpc()).await);
    first.ready().await.unwrap();
    let mut third = TcpStream::connect(running.grpc()).await.unwrap();
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(10), third.read_to_end(&mut answer)).await.expect("still open");
    assert!(end.is_err() || answer.is_empty());
    drop((first, second));
    let served = async {
        loop {
            let stream = TcpStream::connect(running.grpc()).await.unwrap();
            let (executor, io) = (hyper_util::rt::TokioExecutor::new(), hyper_util::rt::TokioIo::new(stream));
            let handshake = hyper::client::conn::http2::handshake::<_, _, http_body_util::Full<Bytes>>(executor, io);
            let Ok((mut sender, connection)) = handshake.await else { continue };
            tokio::spawn(connection);
            let path = format!("http://localhost{}", crate::otlp::grpc_path(Signal::Traces));
            let request = http::Request::post(path).header("content-type", "application/grpc");
            let request = request.body(Bytes::from(framed(false, &encoded("a", 1))).into()).unwrap();
            if sender.send_request(request).await.is_ok() {
                break;
            }
        }
    };
    timeout(Duration::from_secs(10), served).await.expect("no room again");
}

/// Idle and old connections are ended as the keepalive settings say; a request in the middle is answered first.
#[tokio::test]
async fn keepalive_settings_are_honoured() {
    for parameter in ["max_connection_idle: 200ms", "max_connection_age: 200ms"] {
        let yaml = format!(
            "protocols: {{grpc: {{endpoint: '127.0.0.1:0', read_buffer_size: 65536, keepalive: {{server_parameters: {{{parameter}}}}}}}}}"
        );
        let running = start(&yaml, []).await;
        let mut sender = http2(running.grpc()).await;
        let path = format!("http://localhost{}", crate::otlp::grpc_path(Signal::Traces));
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let request = request.body(Bytes::from(framed(false, &encoded("a", 1))).into()).unwrap();
        let answer = whole(sender.send_request(request).await.unwrap()).await;
        assert_eq!(answer.1["grpc-status"], "0");
        eventually(|| sender.is_closed()).await;
    }
}

/// An answer that takes longer than `write_timeout` is none, but the batch is not lost on the way.
#[tokio::test]
async fn a_late_answer_is_none() {
    let yaml = "protocols: {http: {endpoint: '127.0.0.1:0', write_timeout: 100ms, idle_timeout: 200ms}}";
    let running = start(yaml, [Verdict::Wait]).await;
    let mut stream = TcpStream::connect(running.http()).await.unwrap();
    let body = encoded("a", 1);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("holds its connection");
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    running.sink.open();
    eventually(|| running.spans("accepted", "http") == 1.0).await;
}
