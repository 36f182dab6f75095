//! hyper: HTTP/2 for gRPC, HTTP/1.1 and HTTP/2 without TLS for HTTP.
//!
//! What the defaults of libraries leave open is set here: streams per connection, windows, sizes of headers, the guards
//! against resets. A connection buffers at most its window, 1 MiB, of what nobody reads yet.

use super::super::config;
use super::super::reply::Reply;
use super::carry::{Activity, Lifetimes, drive};
use super::{Handler, Hangup, Life, Transport};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes that a stream, and a connection, may send ahead. Less doubles the latency of usual requests, more gains nothing.
const WINDOW: u32 = 1 << 20;
/// Headers of one request in bytes, names and values and 32 for each.
const HEADER_LIST_MAX: u32 = 16 << 10;
/// Streams that a peer may make us reset for its errors, in a connection's life; then it is closed.
const LOCAL_RESETS_MAX: usize = 1_024;
/// Streams that a peer may open and reset before we saw them; then the connection is closed.
const PENDING_RESETS_MAX: usize = 20;
/// Headers and read buffer of HTTP/1 in bytes.
const HTTP1_BUFFER: usize = 64 << 10;
/// Smallest send buffer that HTTP/2 makes progress with, in bytes.
const SEND_BUFFER_MIN: usize = 16 << 10;
/// A connection that says nothing at all is closed after this time.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// HTTP/2 alone.
pub(in super::super) struct Http2 {
    builder: http2::Builder<TokioExecutor>,
    read_buffer: usize,
    lifetimes: Lifetimes,
}

/// HTTP/1.1, and HTTP/2 by prior knowledge.
pub(in super::super) struct Auto {
    builder: auto::Builder<TokioExecutor>,
    lifetimes: Lifetimes,
}

/// The transport of OTLP/gRPC.
pub(in super::super) fn grpc(settings: &config::Grpc) -> Http2 {
    let keepalive = &settings.keepalive;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(settings.concurrent_streams())
        .max_header_list_size(HEADER_LIST_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_send_buf_size(settings.write_buffer_size.max(SEND_BUFFER_MIN))
        .keep_alive_interval(keepalive.ping_interval())
        .keep_alive_timeout(keepalive.ping_timeout())
        .auto_date_header(false);
    let lifetimes = Lifetimes {
        first_request: None,
        idle: keepalive.max_idle(),
        age: keepalive.max_age(),
        age_grace: keepalive.max_age_grace(),
    };
    Http2 { builder, read_buffer: settings.read_buffer_size.unwrap_or_default(), lifetimes }
}

/// The transport of OTLP/HTTP.
pub(in super::super) fn http(settings: &config::Http) -> Auto {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !settings.keep_alives_enabled {
        builder = builder.http1_only();
    }
    let keepalive = config::Keepalive::default();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.read_header_timeout())
        .max_buf_size(HTTP1_BUFFER)
        .keep_alive(settings.keep_alives_enabled);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(config::CONCURRENT_STREAMS)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .keep_alive_interval(keepalive.ping_interval())
        .keep_alive_timeout(keepalive.ping_timeout());
    let lifetimes = Lifetimes {
        first_request: settings.read_header_timeout(),
        idle: settings.idle_timeout(),
        ..Lifetimes::default()
    };
    Auto { builder, lifetimes }
}

impl Http2 {
    async fn serve<H: Handler, I>(&self, io: I, handler: Arc<H>, life: &Life)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let connection = self.builder.serve_connection(TokioIo::new(io), service(handler, &activity));
        drive(connection, self.lifetimes, &activity, life).await;
    }
}

impl Transport for Http2 {
    async fn carry<H: Handler>(&self, stream: TcpStream, handler: Arc<H>, life: Life) {
        // The preface of HTTP/2 comes from the client. Without it there is no ping yet that could end the wait.
        let begun = tokio::select! {
            begun = timeout(FIRST_BYTE, stream.readable()) => matches!(begun, Ok(Ok(()))),
            () = life.draining() => false,
        };
        match self.read_buffer {
            _ if !begun => {}
            0 => self.serve(stream, handler, &life).await,
            size => self.serve(BufReader::with_capacity(size, stream), handler, &life).await,
        }
    }
}

impl Transport for Auto {
    async fn carry<H: Handler>(&self, stream: TcpStream, handler: Arc<H>, life: Life) {
        let activity = Activity::new();
        let connection = self.builder.serve_connection(TokioIo::new(stream), service(handler, &activity));
        drive(connection, self.lifetimes, &activity, &life).await;
    }
}

/// A handler as hyper sees it; `activity` knows of each request until its answer is made.
fn service<H: Handler>(
    handler: Arc<H>,
    activity: &Activity,
) -> impl Service<Request<Incoming>, Response = Response<Reply>, Error = Hangup, Future: Send + 'static>
+ Send
+ 'static
+ use<H> {
    let activity = activity.clone();
    service_fn(move |request: Request<Incoming>| {
        let (handler, active) = (Arc::clone(&handler), activity.begin());
        async move {
            let _active = active;
            handler.handle(request).await
        }
    })
}
