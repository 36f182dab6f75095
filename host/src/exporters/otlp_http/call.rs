//! One POST: a batch out, a status back.

use super::connector::Connector;
use crate::component::ConsumeError;
use crate::export::client::describe;
use crate::export::{Sender, Sent};
use crate::otlp::compression::{Compression, decode_async, encode_async};
use crate::otlp::json;
use crate::otlp::partial::{PartialSuccess, RESPONSE_BYTES_MAX};
use crate::otlp::status::{Code, Status};
use crate::pdata::{Batch, Signal};
use crate::workers::lane::aside;
use crate::workers::large::LARGE_BYTES;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use tailrace_otlp::schema;

/// What is read of an answer that is no success: enough for a message.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// `encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// Protobuf: the batch as it is.
    Proto,
    /// OTLP/JSON.
    Json,
}

/// Two pools of connections: for messages as they are, and for those of more than 6 MiB, which others need not wait for.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) usual: Client<Connector, Full<Bytes>>,
    pub(super) long: Client<Connector, Full<Bytes>>,
}

/// Sends batches of one signal by HTTP.
#[derive(Debug)]
pub(super) struct HttpSender {
    clients: Clients,
    signal: Signal,
    url: Uri,
    headers: HeaderMap,
    encoding: Encoding,
    compression: (Compression, Option<i32>),
}

impl HttpSender {
    /// `headers` are the user's; `compression` with its level.
    pub(super) fn new(
        clients: Clients,
        signal: Signal,
        url: Uri,
        mut headers: HeaderMap,
        encoding: Encoding,
        compression: (Compression, Option<i32>),
    ) -> Self {
        let content_type = match encoding {
            Encoding::Proto => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if compression.0 != Compression::None {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(compression.0.as_str()));
        }
        Self { clients, signal, url, headers, encoding, compression }
    }

    async fn body(&self, batch: &Batch) -> Result<Bytes, ConsumeError> {
        let body = match self.encoding {
            Encoding::Proto => batch.data().clone(),
            Encoding::Json if batch.bytes() > json::INLINE_MAX => {
                let (signal, data) = (self.signal, batch.data().clone());
                aside(Box::pin(async move { as_json(signal, &data) })).await?
            }
            Encoding::Json => as_json(self.signal, batch.data())?,
        };
        let (compression, level) = self.compression;
        encode_async(compression, level, body).await.map_err(|error| ConsumeError::permanent(error.to_string()))
    }
}

impl Sender for HttpSender {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        let body = self.body(&batch).await?;
        let client = if body.len() > LARGE_BYTES { &self.clients.long } else { &self.clients.usual };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let response = client.request(request).await;
        let response = response.map_err(|error| ConsumeError::retryable(describe(&error)))?;
        if response.status().is_success() {
            return Ok(taken(self.signal, response).await);
        }
        Err(refused(response).await)
    }
}

fn as_json(signal: Signal, data: &[u8]) -> Result<Bytes, ConsumeError> {
    let mut text = Vec::with_capacity(2 * data.len());
    json::write(schema::request(signal), data, &mut text)
        .map_err(|_| ConsumeError::permanent("the batch cannot be written as JSON"))?;
    Ok(text.into())
}

/// The backend took it, whatever else it says; an answer that cannot be read changes nothing about that.
async fn taken(signal: Signal, response: Response<Incoming>) -> Sent {
    let (head, body) = response.into_parts();
    let unreadable = || PartialSuccess { rejected: 0, message: "the backend's answer cannot be read".to_owned() };
    let partial = match read(&head.headers, body, RESPONSE_BYTES_MAX).await {
        Some(body) if is_json(&head.headers) => PartialSuccess::from_json(signal, &body).unwrap_or_else(unreadable),
        Some(body) if is_proto(&head.headers) => PartialSuccess::from_proto(&body).unwrap_or_else(unreadable),
        // Some backends answer with nothing, or with a page of their own.
        Some(_) => PartialSuccess::default(),
        None => unreadable(),
    };
    Sent { rejected: partial.rejected, message: partial.message }
}

/// OTLP's table of statuses: which of them are worth another attempt, and when.
async fn refused(response: Response<Incoming>) -> ConsumeError {
    let (head, body) = response.into_parts();
    let body = read(&head.headers, body, ERROR_BYTES_MAX).await.unwrap_or_default();
    let status = match (is_json(&head.headers), is_proto(&head.headers)) {
        (true, _) => Status::from_json(&body),
        (_, true) => Status::from_proto(&body),
        _ => None,
    };
    let (code, detail) = match status {
        Some(status) if status.code != Code::OK => (status.code, status.message.into_owned()),
        Some(status) => (Code::from_http(head.status), status.message.into_owned()),
        None => (Code::from_http(head.status), String::new()),
    };
    let mut message = format!("the backend answered with HTTP status {}", head.status.as_u16());
    if !detail.is_empty() {
        message = format!("{message}: {detail}");
    }
    match head.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let after = head.headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
            ConsumeError::Retryable { after, message }
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => ConsumeError::Retryable { after: None, message },
        _ => ConsumeError::Permanent { code: Some(code.0), message },
    }
}

/// The body, decompressed, if it is not longer than `limit` and arrives whole.
async fn read(headers: &HeaderMap, mut body: Incoming, limit: usize) -> Option<Bytes> {
    let mut data = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.ok()?.into_data() else { continue };
        if data.len() + chunk.len() > limit {
            return None;
        }
        data.extend_from_slice(&chunk);
    }
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Some(data.freeze()) };
    let compression = Compression::from_http(encoding.to_str().ok()?)?;
    decode_async(compression, data.freeze(), limit).await.ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn is_proto(headers: &HeaderMap) -> bool {
    has_type(headers, "application/x-protobuf")
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let check = |text: &'static str, expected: Option<u64>| {
            let found = retry_after(&HeaderValue::from_static(text), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{text}");
        };
        check("7", Some(7));
        check("Sun, 09 Sep 2001 01:47:40 GMT", Some(60));
        check("Sun, 09 Sep 2001 01:40:40 GMT", None);
        check("soon", None);
        check("-3", None);
        check("", None);
    }
}
