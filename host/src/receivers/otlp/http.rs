//! OTLP/HTTP: protobuf and JSON, each answered in kind.

use super::config;
use super::cors::Cors;
use super::door::{Door, Encoding, Refusal};
use super::grpc::plain;
use super::reply::Reply;
use super::server::{Handler, Hangup};
use crate::otlp::compression::Compression;
use crate::otlp::frame::{ReadError, discard, read_all};
use crate::otlp::status::{Code, Status};
use crate::pdata::Signal;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Answers OTLP/HTTP requests.
pub(super) struct Service {
    door: Arc<Door>,
    settings: config::Http,
    limit: usize,
    codings: Vec<Compression>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cors: Option<Cors>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

impl Service {
    pub(super) fn new(settings: &config::Http, door: Arc<Door>) -> Arc<Self> {
        Arc::new(Self {
            door,
            limit: settings.request_bytes_max(),
            codings: settings.codings(),
            headers: settings.headers(),
            cors: settings.cors.as_ref().and_then(Cors::new),
            read_timeout: settings.read_timeout(),
            write_timeout: settings.write_timeout(),
            settings: settings.clone(),
        })
    }

    async fn respond<B>(&self, request: Request<B>) -> Response<Reply>
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        let signal = self.settings.signal(request.uri().path()).filter(|signal| self.door.output(*signal).is_some());
        let Some(signal) = signal else {
            return plain(StatusCode::NOT_FOUND, "404 page not found");
        };
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed, supported: [POST]");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let Some(encoding) = encoding(request.headers()) else {
            return plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "415 unsupported media type, supported: [application/json, application/x-protobuf]",
            );
        };
        let (result, too_large) = match self.coding(request.headers()) {
            Ok(coding) => match self.export(signal, request, coding, encoding).await {
                Ok(()) => (Ok(()), false),
                Err(refusal) => (Err(refusal.status), refusal.too_large),
            },
            Err(status) => {
                let mut response = refuse(&status, encoding);
                *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                self.door.answered(Some(signal), &Err(status));
                return response;
            }
        };
        self.door.answered(Some(signal), &result);
        let mut response = match &result {
            Ok(()) => success(encoding),
            Err(status) => refuse(status, encoding),
        };
        if too_large {
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response.headers_mut().remove(RETRY_AFTER);
        }
        response
    }

    async fn export<B>(
        &self,
        signal: Signal,
        request: Request<B>,
        coding: Compression,
        encoding: Encoding,
    ) -> Result<(), Refusal>
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
        let until = self.read_timeout.map(|limit| Instant::now() + limit);
        // Who waits for "100 Continue" has not begun to write, and will not.
        let is_writing = !request.headers().contains_key(EXPECT);
        let mut body = request.into_body();
        let message = match read_all(&mut body, announced, self.limit, &self.door.budget, until).await {
            Err(error @ ReadError::TooLarge { .. }) => {
                if is_writing {
                    discard(&mut body).await;
                }
                return Err(error.into());
            }
            read => read?,
        };
        self.door.take(signal, message, coding, encoding, self.limit).await
    }

    fn coding(&self, headers: &HeaderMap) -> Result<Compression, Status> {
        let name =
            headers.get(CONTENT_ENCODING).map(|name| String::from_utf8_lossy(name.as_bytes())).unwrap_or_default();
        let coding = Compression::from_http(name.trim());
        coding.filter(|coding| self.codings.contains(coding)).ok_or_else(|| {
            let known: Vec<&str> = self.codings.iter().map(|coding| coding.as_str()).collect();
            Status::new(
                Code::INVALID_ARGUMENT,
                format!("unsupported Content-Encoding {name:?}; {} are supported", known.join(", ")),
            )
        })
    }
}

impl Handler for Service {
    async fn handle<B>(&self, request: Request<B>) -> Result<Response<Reply>, Hangup>
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
    {
        let allowed = self.cors.as_ref().map(|cors| cors.judge(&request));
        let mut response = match allowed.as_ref().and_then(|allowed| allowed.preflight()) {
            Some(response) => response,
            None => {
                let answer = self.respond(request);
                match self.write_timeout {
                    Some(limit) => timeout(limit, answer).await.map_err(|_| Hangup)?,
                    None => answer.await,
                }
            }
        };
        if let Some(allowed) = allowed {
            allowed.write(response.headers_mut());
        }
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(response)
    }
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = content_type.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case(PROTOBUF) {
        return Some(Encoding::Proto);
    }
    essence.eq_ignore_ascii_case(JSON).then_some(Encoding::Json)
}

fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Proto => PROTOBUF,
        Encoding::Json => JSON,
    })
}

/// An empty response: `partial_success` unset, every item was taken.
fn success(encoding: Encoding) -> Response<Reply> {
    let mut response = Response::new(match encoding {
        Encoding::Proto => Reply::default(),
        Encoding::Json => Reply::of("{}"),
    });
    response.headers_mut().insert(CONTENT_TYPE, content_type(encoding));
    response
}

fn refuse(status: &Status, encoding: Encoding) -> Response<Reply> {
    let mut response = Response::new(Reply::of(match encoding {
        Encoding::Proto => status.to_proto(),
        Encoding::Json => status.to_json(),
    }));
    *response.status_mut() = status.http();
    response.headers_mut().insert(CONTENT_TYPE, content_type(encoding));
    if let Some(delay) = status.http_retry_after() {
        response.headers_mut().insert(RETRY_AFTER, delay);
    }
    response
}
