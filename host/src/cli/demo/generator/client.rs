//! A gRPC client of its own, on hyper: one connection, one request at a time, as the SDK in a service has it. It shares
//! no code with the exporter under demonstration but the frame and status tables of `otlp`.

use crate::otlp::partial::PartialSuccess;
use crate::otlp::status::{Code, Status};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Bytes of the prefix of a gRPC message: compressed or not, and the length.
const PREFIX_BYTES: usize = 5;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The collector has taken responsibility for every span.
    Accepted,
    /// It has not, and asks to send again, perhaps not before a time.
    Retry(Option<Duration>, String),
    /// It has not and will not.
    Refused(String),
}

/// A connection, opened when it is needed.
pub(super) struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// A client of the collector that listens there.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends an encoded request once.
    pub(super) async fn export(&mut self, request: &[u8]) -> Answer {
        match tokio::time::timeout(TIMEOUT, self.try_export(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => self.disconnected(error.to_string()),
            Err(_) => self.disconnected(format!("no answer within {TIMEOUT:?}")),
        }
    }

    fn disconnected(&mut self, message: String) -> Answer {
        self.connection = None;
        Answer::Retry(None, message)
    }

    async fn try_export(&mut self, message: &[u8]) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let request = self.request(message)?;
        let response = self.sender().await?.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        // An answer without a body has its status among the headers.
        let status = body.trailers().and_then(Status::from_grpc).or_else(|| Status::from_grpc(&head.headers));
        let status = status.unwrap_or_else(|| Status::new(Code::from_http(head.status), "no gRPC status"));
        Ok(match status {
            status if status.code == Code::OK => accepted(&body.to_bytes()),
            status if status.is_retryable() => Answer::Retry(status.retry_after, status.to_string()),
            status => Answer::Refused(status.to_string()),
        })
    }

    fn request(&self, message: &[u8]) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let mut body = BytesMut::with_capacity(PREFIX_BYTES + message.len());
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len())?);
        body.put_slice(message);
        let path = crate::otlp::grpc_path(crate::pdata::Signal::Traces);
        let mut request = Request::post(format!("http://{}{path}", self.address)).body(Full::new(body.freeze()))?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        let agent = concat!("tailrace-demo/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
        Ok(request)
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.sender.is_closed() => connection,
            _ => connect(self.address).await?,
        };
        let sender = &mut self.connection.insert(connection).sender;
        sender.ready().await?;
        Ok(sender)
    }
}

async fn connect(address: SocketAddr) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(async move {
        // The request in flight hears of the error, too.
        let _ = connection.await;
    });
    Ok(Connection { sender, task: task.abort_handle() })
}

/// An `OK` counts in full only: which spans of a partial success were taken nobody can know.
fn accepted(body: &[u8]) -> Answer {
    match PartialSuccess::from_proto(body.get(PREFIX_BYTES..).unwrap_or_default()) {
        Some(partial) if partial.rejected == 0 => Answer::Accepted,
        Some(partial) => Answer::Refused(format!("{} spans rejected: {}", partial.rejected, partial.message)),
        None => Answer::Refused("the answer is no ExportTraceServiceResponse".to_owned()),
    }
}

#[cfg(test)]
mod tests;
