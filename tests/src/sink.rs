//! A backend that answers every OTLP/gRPC export with success and keeps nothing: cheap enough to stand beside what is
//! measured.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// Bytes that may be on their way to the sink, of one request; four times as many on a connection.
const WINDOW: u32 = 4 << 20;

/// Niceness of the sink's thread: a backend elsewhere would take no processor from the collector.
const LAST: i32 = 19;

/// Starts a sink on a free port, on a thread of its own that lives as long as the process.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("a bound socket has an address");
    let run = move || {
        let _ = rustix::process::setpriority_process(None, LAST);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a socket");
            serve(listener, Duration::ZERO).await.expect("the sink accepts connections");
        });
    };
    std::thread::Builder::new().name("sink".to_owned()).spawn(run).expect("a thread");
    address
}

/// Answers for ever, each time after `delay`.
///
/// # Errors
/// When no connection can be accepted any more.
pub async fn serve(listener: TcpListener, delay: Duration) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.initial_stream_window_size(WINDOW).initial_connection_window_size(4 * WINDOW);
            let answer = hyper::service::service_fn(move |request| answer(request, delay));
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    delay: Duration,
) -> Result<Response<http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>>, hyper::Error> {
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let ok = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Some(Ok(trailers))
    });
    let mut response = Response::new(ok.boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}
