//! A small HTTP/1 server for people and probes: health, metrics, admin. Never on the path of a batch.
//!
//! Bounded: [`CONNECTIONS_MAX`] at once (more are closed at once), a header must arrive within [`HEADER_TIMEOUT`], and
//! request bodies are not read.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send a request's head.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a handler answers.
pub type Reply = Response<Full<Bytes>>;

type Handler = Arc<dyn Fn(&Request<Incoming>) -> Reply + Send + Sync>;

/// A listening server; dropping it closes the listener and its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: AbortHandle,
}

impl Server {
    /// Listens on `endpoint` (`host:port`) and answers with `handle`, on the runtime that calls.
    ///
    /// # Errors
    /// When the address cannot be resolved or is taken.
    pub async fn start(
        endpoint: &str,
        handle: impl Fn(&Request<Incoming>) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(endpoint).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::new(handle))).abort_handle();
        Ok(Self { address, task })
    }

    /// The address it really got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, handle: Handler) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Owns the connections: they end with this task.
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to come free.
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let handle = Arc::clone(&handle);
        connections.spawn(async move {
            let _place = place;
            let answer = |request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(handle(&request)));
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // An error is the client's: it went away or sent no HTTP.
            let _ = server.serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer)).await;
        });
    }
}

/// A reply with a body.
pub fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    reply
}

/// A reply with a JSON body.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    reply(status, "application/json", format!("{body:#}\n"))
}

/// `404`.
pub fn not_found() -> Reply {
    reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "not found\n")
}
