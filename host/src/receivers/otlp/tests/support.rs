//! A receiver with a scripted pipeline, and clients.

use super::super::FACTORY;
use crate::component::{BoxFuture, ConsumeError, Consumer, Context, Outputs, Receiver};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::Telemetry;
use crate::workers::Workers;
use crate::yaml::{Problems, Section, parse};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tailrace_otlp::wire::put_len_field;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// What the pipeline says to a batch.
pub(super) enum Verdict {
    Ok,
    Err(ConsumeError),
    /// `Ok` once [`Sink::open`] was called.
    Wait,
    Panic,
}

/// The pipeline: says what the script says, then `Ok` to everything.
pub(super) struct Sink {
    script: Mutex<VecDeque<Verdict>>,
    taken: Mutex<Vec<Batch>>,
    gate: Semaphore,
    pub(super) waiting: Semaphore,
}

impl Sink {
    pub(super) fn new(script: impl IntoIterator<Item = Verdict>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            taken: Mutex::default(),
            gate: Semaphore::new(0),
            waiting: Semaphore::new(0),
        })
    }

    /// Lets one waiting batch through.
    pub(super) fn open(&self) {
        self.gate.add_permits(1);
    }

    /// Until a batch waits.
    pub(super) async fn someone_waits(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }

    pub(super) fn taken(&self) -> Vec<Batch> {
        self.taken.lock().unwrap().clone()
    }
}

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let verdict = self.script.lock().unwrap().pop_front().unwrap_or(Verdict::Ok);
            match verdict {
                Verdict::Ok => {}
                Verdict::Err(error) => return Err(error),
                Verdict::Panic => panic!("scripted"),
                Verdict::Wait => {
                    self.waiting.add_permits(1);
                    self.gate.acquire().await.unwrap().forget();
                }
            }
            self.taken.lock().unwrap().push(batch);
            Ok(())
        })
    }
}

/// A running receiver.
pub(super) struct Running {
    pub(super) receiver: Arc<dyn Receiver>,
    pub(super) telemetry: Telemetry,
    pub(super) sink: Arc<Sink>,
}

pub(super) const BOTH: &str = "protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}";

/// Builds the receiver of a section. Only traces and logs have a pipeline.
pub(super) fn build(yaml: &str, sink: &Arc<Sink>) -> (Arc<dyn Receiver>, Telemetry) {
    build_on(Workers::current(), yaml, sink)
}

pub(super) fn build_on(workers: Workers, yaml: &str, sink: &Arc<Sink>) -> (Arc<dyn Receiver>, Telemetry) {
    let mut problems = Problems::default();
    let node = parse("test.yaml", yaml, &mut problems).unwrap();
    let section = Section { path: "receivers::otlp", node: &node };
    let config = (FACTORY.parse)(&section, &mut problems).unwrap_or_else(|| panic!("{problems}"));
    let telemetry = Telemetry::new();
    let context = Context {
        id: "otlp".parse().unwrap(),
        pipeline: None,
        signal: None,
        account: telemetry.ledger().open("receiver:otlp", None),
        telemetry: telemetry.clone(),
        workers,
    };
    let next = Some(Arc::clone(sink) as Arc<dyn Consumer>);
    let outputs = Outputs { traces: next.clone(), metrics: None, logs: next };
    (config.build(context, outputs).unwrap(), telemetry)
}

/// Starts a receiver whose pipeline follows `script`.
pub(super) async fn start(yaml: &str, script: impl IntoIterator<Item = Verdict>) -> Running {
    let sink = Sink::new(script);
    let (receiver, telemetry) = build(yaml, &sink);
    receiver.start().await.unwrap();
    Running { receiver, telemetry, sink }
}

impl Running {
    pub(super) fn grpc(&self) -> SocketAddr {
        self.telemetry.status().address("otlp/grpc").unwrap()
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.telemetry.status().address("otlp/http").unwrap()
    }

    /// A metric of traces: `accepted`, `refused` or `failed`.
    pub(super) fn spans(&self, what: &str, transport: &str) -> f64 {
        let transport = format!("transport=\"{transport}\"");
        let labels = ["receiver=\"otlp\"", &transport];
        self.telemetry.metrics().total(&format!("otelcol_receiver_{what}_spans_total"), &labels)
    }

    pub(super) fn requests(&self, outcome: &str) -> f64 {
        let outcome = format!("outcome=\"{outcome}\"");
        self.telemetry.metrics().total("otelcol_receiver_requests_total", &[&outcome])
    }

    pub(super) async fn shutdown(&self, grace: Duration) {
        self.receiver.shutdown(Deadline::after(grace)).await;
    }
}

/// Until `condition` holds, for at most ten seconds.
pub(super) async fn eventually(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("did not come true within ten seconds");
}

/// A request with `spans` spans; `name` tells it from others.
pub(super) fn traces(name: &str, spans: usize) -> ExportTraceServiceRequest {
    let span = |number: usize| Span {
        trace_id: vec![7; 16],
        span_id: vec![(number % 255) as u8 + 1; 8],
        name: format!("{name} {number}"),
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: (0..spans).map(span).collect(), ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}

pub(super) fn encoded(name: &str, spans: usize) -> Bytes {
    traces(name, spans).encode_to_vec().into()
}

/// One HTTP/1.1 request on a connection of its own.
pub(super) async fn http1(address: SocketAddr, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    whole(sender.send_request(request).await.unwrap()).await
}

/// A client of HTTP/2 without TLS.
pub(super) async fn http2(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn whole(response: Response<hyper::body::Incoming>) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let mut headers = parts.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    (parts.status, headers, body.to_bytes())
}

/// `POST` of `body` to the default path of traces, with these headers.
pub(super) fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    post_to("/v1/traces", headers, body)
}

pub(super) fn post_to(path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// One raw gRPC call of the traces service: the answer's HTTP status, and headers with trailers.
pub(super) async fn call(
    address: SocketAddr,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (StatusCode, HeaderMap) {
    call_path(address, crate::otlp::grpc_path(Signal::Traces), headers, body).await
}

pub(super) async fn call_path(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (StatusCode, HeaderMap) {
    let mut request = Request::post(format!("http://localhost{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let (status, headers, _) = whole(http2(address).await.send_request(request).await.unwrap()).await;
    (status, headers)
}

/// `inner`, wrapped `levels` times in field `number`.
pub(super) fn nested(number: u32, levels: usize, mut inner: Vec<u8>) -> Vec<u8> {
    for _ in 0..levels {
        let mut outer = Vec::new();
        put_len_field(&mut outer, number, &inner);
        inner = outer;
    }
    inner
}

/// `message` in a gRPC frame.
pub(super) fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    [&crate::otlp::frame::prefix(compressed, message.len()).unwrap()[..], message].concat()
}
