//! One `Export` call: a request out, a status back.

use super::channel::{Body, Channel};
use crate::component::ConsumeError;
use crate::export::client::describe;
use crate::export::{Sender, Sent};
use crate::otlp::compression::{Compression, decode_async, encode_async};
use crate::otlp::frame::{prefix, split_message};
use crate::otlp::grpc_path;
use crate::otlp::partial::{PartialSuccess, RESPONSE_BYTES_MAX};
use crate::otlp::status::{Code, Status};
use crate::pdata::{Batch, Signal};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::time::Duration;

/// Sends batches of one signal by gRPC.
#[derive(Debug)]
pub(super) struct GrpcSender {
    channel: Channel,
    uri: Uri,
    headers: HeaderMap,
    compression: Compression,
}

impl GrpcSender {
    /// `base` is scheme and authority; `headers` are the user's.
    pub(super) fn new(
        channel: Channel,
        signal: Signal,
        base: &str,
        mut headers: HeaderMap,
        compression: Compression,
        timeout: Duration,
    ) -> Result<Self, String> {
        let uri = format!("{base}{}", grpc_path(signal));
        let uri = uri.parse().map_err(|error| format!("{uri:?} is no URI: {error}"))?;
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd"));
        if compression != Compression::None {
            headers.insert("grpc-encoding", HeaderValue::from_static(compression.as_str()));
        }
        if let Some(timeout) = grpc_timeout(timeout) {
            headers.insert("grpc-timeout", timeout);
        }
        Ok(Self { channel, uri, headers, compression })
    }

    /// Sends the message, of so many bytes. A request that provably never left is given to another connection, once: the backend closed the
    /// first while nobody looked.
    async fn exchange(&self, body: Body, bytes: usize) -> Result<Response<Incoming>, ConsumeError> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        let mut failure = match self.channel.pick(bytes).await?.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        let Some(request) = failure.take_message() else { return Err(lost(&failure.into_error())) };
        let again = self.channel.pick(bytes).await?.try_send_request(request).await;
        again.map_err(|failure| lost(&failure.into_error()))
    }
}

impl Sender for GrpcSender {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        let message = encode_async(self.compression, None, batch.data().clone()).await;
        let message = message.map_err(|error| ConsumeError::permanent(error.to_string()))?;
        let prefix = prefix(self.compression != Compression::None, message.len())
            .ok_or_else(|| ConsumeError::permanent("a message of more than 4 GiB cannot be sent"))?;
        let bytes = message.len();
        let body = Full::new(Bytes::copy_from_slice(&prefix).chain(message));
        answer(self.exchange(body, bytes).await?).await
    }

    async fn stop(&self) {
        self.channel.stop().await;
    }
}

/// What the backend says.
async fn answer(response: Response<Incoming>) -> Result<Sent, ConsumeError> {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_grpc(&head.headers).filter(|status| status.code != Code::OK) {
        return Err(refused(status));
    }
    if head.status != StatusCode::OK {
        let message = format!("the backend answered with HTTP status {}", head.status.as_u16());
        return Err(refused(Status::new(Code::from_http(head.status), message)));
    }
    let (message, trailers) = read(body).await?;
    let missing = || Status::new(Code::INTERNAL, "the backend's answer has no grpc-status");
    let status = trailers.as_ref().and_then(Status::from_grpc).or_else(|| Status::from_grpc(&head.headers));
    let status = status.unwrap_or_else(missing);
    if status.code != Code::OK {
        return Err(refused(status));
    }
    let partial = partial_success(&head.headers, message)
        .await
        .ok_or_else(|| refused(Status::new(Code::INTERNAL, "the backend's answer is no OTLP response")))?;
    Ok(Sent { rejected: partial.rejected, message: partial.message })
}

async fn partial_success(headers: &HeaderMap, message: Bytes) -> Option<PartialSuccess> {
    if message.is_empty() {
        return Some(PartialSuccess::default());
    }
    let (compressed, message) = split_message(message).ok()?;
    if !compressed {
        return PartialSuccess::from_proto(&message);
    }
    let encoding = Compression::from_grpc(headers.get("grpc-encoding")?.to_str().ok()?)?;
    let message = decode_async(encoding, message, RESPONSE_BYTES_MAX).await.ok()?;
    PartialSuccess::from_proto(&message)
}

/// Body and trailers, up to OTLP's limit. (The size of headers and trailers is limited by hyper, to 16 KiB.)
async fn read(mut body: Incoming) -> Result<(Bytes, Option<HeaderMap>), ConsumeError> {
    let mut message = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| lost(&error))?;
        match frame.into_data() {
            Ok(data) if message.len() + data.len() > RESPONSE_BYTES_MAX => {
                let message = "the backend's answer is larger than 4 MiB";
                return Err(refused(Status::new(Code::RESOURCE_EXHAUSTED, message)));
            }
            Ok(data) => message.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
        }
    }
    Ok((message.freeze(), trailers))
}

/// OTLP's table of codes: which of them are worth another attempt.
fn refused(status: Status) -> ConsumeError {
    let message = status.to_string();
    if status.is_retryable() {
        return ConsumeError::Retryable { after: status.retry_after, message };
    }
    ConsumeError::Permanent { code: Some(status.code.0), message }
}

/// A connection or stream that broke. The batch may have arrived; it is sent again.
fn lost(error: &hyper::Error) -> ConsumeError {
    ConsumeError::retryable(format!("connection lost: {}", describe(error)))
}

/// At most eight digits and a unit.
fn grpc_timeout(timeout: Duration) -> Option<HeaderValue> {
    let text = match timeout.as_millis() {
        0 => return None,
        millis @ 1..100_000_000 => format!("{millis}m"),
        millis => format!("{}S", (millis / 1000).min(99_999_999)),
    };
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_at_most_eight_digits() {
        let text = |timeout| grpc_timeout(timeout).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(text(Duration::ZERO), None);
        assert_eq!(text(Duration::from_secs(5)).as_deref(), Some("5000m"));
        assert_eq!(text(Duration::from_secs(1_000_000)).as_deref(), Some("1000000S"));
        assert_eq!(text(Duration::MAX).as_deref(), Some("99999999S"));
    }
}
