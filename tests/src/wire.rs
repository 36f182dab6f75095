//! A backend that keeps bytes: OTLP over gRPC and over HTTP on one port, remembered exactly as it arrived.
//!
//! It decodes nothing, so that a test can tell identical bytes from an equal message.

use crate::PATIENCE;
use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// The OTLP message: without gRPC's prefix, decompressed.
    pub message: Bytes,
    /// What was on the wire, still compressed.
    pub wire: Bytes,
}

impl Arrival {
    /// A header as text, "" when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }
}

/// An answer to an HTTP request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status; 0 is 200.
    pub status: u16,
    /// `Retry-After`, if any.
    pub retry_after: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

/// The backend; it ends when this is dropped.
pub struct Wire {
    address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

struct Inner {
    /// Answers to the next HTTP requests, the first one last; an empty list is 200.
    answers: Mutex<Vec<Answer>>,
    arrivals: watch::Sender<Vec<Arrival>>,
}

impl Wire {
    /// Starts one that accepts.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let inner = Arc::new(Inner { answers: Mutex::default(), arrivals: watch::Sender::new(Vec::new()) });
        let shared = Arc::clone(&inner);
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| serve(Arc::clone(&inner), request));
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, inner, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next HTTP requests so, in this order, and then with 200 again.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        *self.inner.answers.lock().unwrap() = answers;
    }

    /// Everything that came, in order, whatever the answer was.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.inner.arrivals.borrow().clone()
    }

    /// Waits until so many requests have come, and gives them.
    ///
    /// # Panics
    /// After five minutes: the test has failed.
    pub async fn wait_for(&self, count: usize) -> Vec<Arrival> {
        let mut arrivals = self.inner.arrivals.subscribe();
        let wait = arrivals.wait_for(|arrivals| arrivals.len() >= count);
        let found = tokio::time::timeout(PATIENCE, wait).await;
        let found = found
            .unwrap_or_else(|_| panic!("waited five minutes for {count} requests; {} came", self.arrivals().len()));
        found.expect("the backend lives").clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn serve(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let mut wire = body.collect().await?.to_bytes();
    let content_type = head.headers.get("content-type").cloned();
    let is_grpc = content_type.as_ref().is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let encoding_header = if is_grpc { "grpc-encoding" } else { "content-encoding" };
    let mut encoding = head.headers.get(encoding_header).map_or("", |value| value.to_str().expect("text")).to_owned();
    if is_grpc {
        let compressed = wire.get_u8() == 1;
        assert_eq!(wire.get_u32() as usize, wire.len(), "one message in the request");
        if !compressed {
            encoding.clear();
        }
    }
    let message = decompress(&encoding, &wire);
    let path = head.uri.path().to_owned();
    let arrival = Arrival { path, headers: head.headers, message, wire };
    inner.arrivals.send_modify(|arrivals| arrivals.push(arrival));
    if is_grpc {
        return Ok(grpc_ok());
    }
    let answer = inner.answers.lock().unwrap().pop().unwrap_or_default();
    let mut response = Response::builder().status(if answer.status == 0 { 200 } else { answer.status });
    if let Some(content_type) = content_type {
        response = response.header("content-type", content_type);
    }
    if let Some(seconds) = answer.retry_after {
        response = response.header("retry-after", seconds);
    }
    Ok(response.body(Full::new(answer.body).boxed_unsync()).expect("a response"))
}

/// An empty message and `grpc-status: 0`.
fn grpc_ok() -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a header"));
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
    let body = Frames(frames.into_iter().collect());
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(body.boxed_unsync()).expect("a response")
}

/// A body of frames that are all there.
struct Frames(std::collections::VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn decompress(encoding: &str, data: &[u8]) -> Bytes {
    let mut out = Vec::new();
    match encoding {
        "" | "identity" => out.extend_from_slice(data),
        "gzip" => {
            flate2::read::MultiGzDecoder::new(data).read_to_end(&mut out).expect("gzip");
        }
        "zstd" => out = zstd::decode_all(data).expect("zstd"),
        other => panic!("unexpected encoding {other}"),
    }
    out.into()
}
