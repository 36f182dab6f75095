//! OTLP/gRPC: three unary methods, with gRPC's framing and statuses.

use super::config;
use super::door::{Door, Encoding, Refusal};
use super::reply::Reply;
use super::server::{Handler, Hangup};
use crate::otlp::compression::Compression;
use crate::otlp::frame::{PREFIX_LEN, prefix, read_grpc};
use crate::otlp::grpc_path;
use crate::otlp::status::{Code, Status};
use crate::pdata::Signal;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use std::sync::Arc;

/// Answers OTLP/gRPC requests.
pub(super) struct Service {
    door: Arc<Door>,
    limit: usize,
    success: HeaderMap,
}

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const ACCEPTED: &str = "identity,gzip,zstd,deflate";
/// An empty response: `partial_success` unset, every item was taken.
static EMPTY: Bytes = Bytes::from_static(&[0; PREFIX_LEN]);

impl Service {
    pub(super) fn new(settings: &config::Grpc, door: Arc<Door>) -> Arc<Self> {
        debug_assert_eq!(prefix(false, 0), Some([0; PREFIX_LEN]));
        let mut success = HeaderMap::new();
        success.insert("grpc-status", HeaderValue::from_static("0"));
        Arc::new(Self { door, limit: settings.request_bytes_max(), success })
    }

    async fn export<B>(&self, request: Request<B>) -> (Option<Signal>, Result<(), Status>)
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        let path = request.uri().path();
        let Some(signal) = Signal::ALL.into_iter().find(|signal| grpc_path(*signal) == path) else {
            return (None, Err(Status::new(Code::UNIMPLEMENTED, format!("unknown method {path}"))));
        };
        let result = self.export_signal(signal, request).await;
        (Some(signal), result.map_err(|refusal| refusal.status))
    }

    async fn export_signal<B>(&self, signal: Signal, request: Request<B>) -> Result<(), Refusal>
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        if self.door.output(signal).is_none() {
            return Err(Status::new(Code::UNIMPLEMENTED, format!("no pipeline takes {signal}")).into());
        }
        let coding = match request.headers().get("grpc-encoding").map(HeaderValue::as_bytes) {
            None => Compression::None,
            Some(name) => {
                let name = String::from_utf8_lossy(name);
                Compression::from_grpc(&name).ok_or_else(|| {
                    Status::new(Code::UNIMPLEMENTED, format!("unknown compression {name:?}; {ACCEPTED} are supported"))
                })?
            }
        };
        let message = read_grpc(request.into_body(), self.limit, &self.door.budget, None).await?;
        let compression = match (message.compressed, coding) {
            (true, Compression::None) => {
                return Err(Status::new(Code::INTERNAL, "compressed message without grpc-encoding").into());
            }
            (true, coding) => coding,
            (false, _) => Compression::None,
        };
        self.door.take(signal, message, compression, Encoding::Proto, self.limit).await
    }

    fn answer(&self, result: &Result<(), Status>) -> Response<Reply> {
        let mut response = match result {
            Ok(()) => Response::new(Reply::of(EMPTY.clone()).with_trailers(self.success.clone())),
            // Trailers only: the status is in the headers and there is no body.
            Err(status) => {
                let mut response = Response::new(Reply::default());
                status.write_grpc(response.headers_mut());
                if status.code == Code::UNIMPLEMENTED {
                    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(ACCEPTED));
                }
                response
            }
        };
        response.headers_mut().insert(CONTENT_TYPE, GRPC);
        response
    }
}

impl Handler for Service {
    async fn handle<B>(&self, request: Request<B>) -> Result<Response<Reply>, Hangup>
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
    {
        // What is not gRPC is answered in plain HTTP.
        if !is_grpc(request.headers()) {
            return Ok(plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this port speaks OTLP/gRPC only; OTLP/HTTP has one of its own",
            ));
        }
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed, supported: [POST]");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Ok(response);
        }
        let (signal, result) = self.export(request).await;
        self.door.answered(signal, &result);
        Ok(self.answer(&result))
    }
}

/// `application/grpc`, also with `+proto` or parameters; other message formats are not OTLP.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/grpc") || essence.eq_ignore_ascii_case("application/grpc+proto")
}

/// An answer for people.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::of(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
