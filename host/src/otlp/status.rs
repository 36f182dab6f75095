//! What an OTLP server answers when it does not say yes, over gRPC and over HTTP, in both directions.
//!
//! A [`Status`] is a `google.rpc.Status` with its one detail that matters here, `RetryInfo`. The tables are OTLP's:
//! which codes may be retried, and which HTTP status stands for which code.

use crate::component::ConsumeError;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use tailrace_otlp::wire::{Fields, Wire, put_len_field, put_varint_field};

/// A gRPC status code. Any number can come from outside; the named ones are all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

impl Code {
    /// Done.
    pub const OK: Self = Self(0);
    /// The caller gave up.
    pub const CANCELLED: Self = Self(1);
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(2);
    /// The request cannot be read.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// It took too long.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(5);
    /// There is one already.
    pub const ALREADY_EXISTS: Self = Self(6);
    /// Not allowed.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// Too large, or too much of it.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// Not in this state.
    pub const FAILED_PRECONDITION: Self = Self(9);
    /// A conflict.
    pub const ABORTED: Self = Self(10);
    /// Outside of the valid range. OTLP calls it retryable, so nothing that is too large may be answered with it.
    pub const OUT_OF_RANGE: Self = Self(11);
    /// No such method.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// A fault of the server.
    pub const INTERNAL: Self = Self(13);
    /// Not now.
    pub const UNAVAILABLE: Self = Self(14);
    /// Lost for good.
    pub const DATA_LOSS: Self = Self(15);
    /// Who are you?
    pub const UNAUTHENTICATED: Self = Self(16);

    /// Its name, as in gRPC's documentation.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "OK",
            1 => "CANCELLED",
            3 => "INVALID_ARGUMENT",
            4 => "DEADLINE_EXCEEDED",
            5 => "NOT_FOUND",
            6 => "ALREADY_EXISTS",
            7 => "PERMISSION_DENIED",
            8 => "RESOURCE_EXHAUSTED",
            9 => "FAILED_PRECONDITION",
            10 => "ABORTED",
            11 => "OUT_OF_RANGE",
            12 => "UNIMPLEMENTED",
            13 => "INTERNAL",
            14 => "UNAVAILABLE",
            15 => "DATA_LOSS",
            16 => "UNAUTHENTICATED",
            _ => "UNKNOWN",
        }
    }

    /// The HTTP status that the Collector answers for it.
    pub const fn http(self) -> http::StatusCode {
        use http::StatusCode as S;
        match self {
            Self::OK => S::OK,
            Self::CANCELLED
            | Self::DEADLINE_EXCEEDED
            | Self::ABORTED
            | Self::OUT_OF_RANGE
            | Self::UNAVAILABLE
            | Self::DATA_LOSS => S::SERVICE_UNAVAILABLE,
            Self::RESOURCE_EXHAUSTED => S::TOO_MANY_REQUESTS,
            Self::INVALID_ARGUMENT => S::BAD_REQUEST,
            Self::UNAUTHENTICATED => S::UNAUTHORIZED,
            Self::PERMISSION_DENIED => S::FORBIDDEN,
            Self::UNIMPLEMENTED => S::NOT_FOUND,
            _ => S::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code that an HTTP status without a readable body stands for (gRPC's table for proxies, and OTLP's own 413).
    pub const fn from_http(status: http::StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            413 => Self::RESOURCE_EXHAUSTED,
            429 | 502 | 503 | 504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A status that is not OK (or, read from a peer, perhaps is).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Why.
    pub code: Code,
    /// For people.
    pub message: Cow<'static, str>,
    /// How long to wait before the next attempt: `RetryInfo`.
    pub retry_after: Option<Duration>,
}

/// Longest message that is sent or kept, in bytes.
const MESSAGE_MAX: usize = 4 << 10;
/// Longest delay that is believed; anything longer is a fault of the sender.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_DETAILS: &str = "grpc-status-details-bin";

/// Base64 of binary headers: written without padding, read with or without.
const HEADER_BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Status {
    /// Without a delay.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_MAX {
            let end = message.floor_char_boundary(MESSAGE_MAX);
            message = message.get(..end).unwrap_or_default().to_owned().into();
        }
        Self { code, message, retry_after: None }
    }

    /// With a delay.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// Whether OTLP allows to send the same request again.
    pub fn is_retryable(&self) -> bool {
        match self.code {
            Code::CANCELLED
            | Code::DEADLINE_EXCEEDED
            | Code::ABORTED
            | Code::OUT_OF_RANGE
            | Code::UNAVAILABLE
            | Code::DATA_LOSS => true,
            Code::RESOURCE_EXHAUSTED => self.retry_after.is_some(),
            _ => false,
        }
    }

    /// The HTTP status that the Collector answers for it.
    pub fn http(&self) -> http::StatusCode {
        self.code.http()
    }

    /// The value of `Retry-After`, in whole seconds rounded up; only 429 and 503 have one.
    pub fn http_retry_after(&self) -> Option<HeaderValue> {
        if !matches!(self.http().as_u16(), 429 | 503) {
            return None;
        }
        let delay = self.retry_after?;
        Some((delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).into())
    }

    /// As an encoded `google.rpc.Status`.
    pub fn to_proto(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != Code::OK {
            put_varint_field(&mut out, 1, u64::from(self.code.0));
        }
        if !self.message.is_empty() {
            put_len_field(&mut out, 2, self.message.as_bytes());
        }
        if let Some(delay) = self.retry_after {
            let mut duration = Vec::new();
            put_varint_field(&mut duration, 1, delay.as_secs());
            if delay.subsec_nanos() > 0 {
                put_varint_field(&mut duration, 2, u64::from(delay.subsec_nanos()));
            }
            let mut info = Vec::new();
            put_len_field(&mut info, 1, &duration);
            let mut any = Vec::new();
            put_len_field(&mut any, 1, RETRY_INFO.as_bytes());
            put_len_field(&mut any, 2, &info);
            put_len_field(&mut out, 3, &any);
        }
        out
    }

    /// From an encoded `google.rpc.Status`. Details other than `RetryInfo` are skipped; `None` if it is malformed.
    pub fn from_proto(data: &[u8]) -> Option<Self> {
        let (mut code, mut message, mut retry_after) = (0, String::new(), None);
        let mut fields = Fields::new(data);
        for field in &mut fields {
            match (field.number, field.wire) {
                (1, Wire::Varint(value)) => code = value as u32,
                (2, Wire::Bytes(text)) => message = String::from_utf8_lossy(text).into_owned(),
                (3, Wire::Bytes(any)) => retry_after = retry_info(any).or(retry_after),
                _ => {}
            }
        }
        fields.finished().then(|| Self { retry_after, ..Self::new(Code(code), message) })
    }

    /// As JSON, in protobuf's mapping.
    pub fn to_json(&self) -> Vec<u8> {
        let mut status = serde_json::json!({ "code": self.code.0, "message": self.message });
        if let Some(delay) = self.retry_after {
            let delay = match delay.subsec_nanos() {
                0 => format!("{}s", delay.as_secs()),
                nanos => format!("{}.{nanos:09}s", delay.as_secs()),
            };
            let detail = serde_json::json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
            if let Some(object) = status.as_object_mut() {
                object.insert("details".to_owned(), detail);
            }
        }
        status.to_string().into_bytes()
    }

    /// From JSON. Unknown members and details are skipped; `None` if it is no JSON object.
    pub fn from_json(data: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(data).ok()?;
        let object = value.as_object()?;
        let code = object.get("code").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let message = object.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
        let details =
            object.get("details").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let retry_after = details.iter().find_map(|detail| {
            let is_info = detail.get("@type")?.as_str()? == RETRY_INFO;
            let seconds = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?.parse::<f64>().ok()?;
            let delay = Duration::try_from_secs_f64(seconds).ok()?;
            is_info.then_some(delay.min(RETRY_AFTER_MAX))
        });
        Some(Self { retry_after, ..Self::new(Code(code as u32), message.to_owned()) })
    }

    /// Writes `grpc-status` and what belongs to it into headers or trailers.
    pub fn write_grpc(&self, headers: &mut HeaderMap) {
        headers.insert(GRPC_STATUS, HeaderValue::from(self.code.0));
        if !self.message.is_empty()
            && let Ok(message) = HeaderValue::from_str(&percent_encode(&self.message))
        {
            headers.insert(GRPC_MESSAGE, message);
        }
        if self.retry_after.is_some()
            && let Ok(details) = HeaderValue::from_str(&HEADER_BASE64.encode(self.to_proto()))
        {
            headers.insert(GRPC_DETAILS, details);
        }
    }

    /// Reads it from headers or trailers; `None` if there is no `grpc-status` among them.
    pub fn from_grpc(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get(GRPC_STATUS)?;
        let code = code.to_str().ok().and_then(|code| code.parse().ok()).map_or(Code::UNKNOWN, Code);
        let message = headers.get(GRPC_MESSAGE).map(|message| percent_decode(message.as_bytes())).unwrap_or_default();
        let details = headers.get(GRPC_DETAILS).and_then(|details| HEADER_BASE64.decode(details.as_bytes()).ok());
        let retry_after = details.and_then(|details| Self::from_proto(&details)).and_then(|status| status.retry_after);
        Some(Self { retry_after, ..Self::new(code, message) })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.message {
            "" => write!(f, "{}", self.code),
            message => write!(f, "{}: {message}", self.code),
        }
    }
}

impl From<&ConsumeError> for Status {
    /// What the Collector's receiver answers: a permanent error without a code is `INTERNAL`, a retryable one
    /// `UNAVAILABLE`, with `RetryInfo` if a delay is known.
    fn from(error: &ConsumeError) -> Self {
        match error {
            ConsumeError::Permanent { code, message } => Self::new(code.map_or(Code::INTERNAL, Code), message.clone()),
            ConsumeError::Retryable { after, message } => {
                Self { retry_after: *after, ..Self::new(Code::UNAVAILABLE, message.clone()) }
            }
        }
    }
}

impl From<Status> for ConsumeError {
    /// What a client makes of a peer's answer.
    fn from(status: Status) -> Self {
        let message = status.to_string();
        if status.is_retryable() {
            Self::Retryable { after: status.retry_after, message }
        } else {
            Self::Permanent { code: Some(status.code.0), message }
        }
    }
}

/// The delay in a `google.protobuf.Any`, if it is a `RetryInfo`.
fn retry_info(any: &[u8]) -> Option<Duration> {
    let (mut is_info, mut value) = (false, &[][..]);
    for field in Fields::new(any) {
        match (field.number, field.wire) {
            (1, Wire::Bytes(url)) => is_info = url.rsplit(|byte| *byte == b'/').next() == Some(b"google.rpc.RetryInfo"),
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    if !is_info {
        return None;
    }
    let duration = Fields::new(value).filter(|field| field.number == 1).find_map(|field| field.bytes())?;
    let (mut seconds, mut nanos) = (0i64, 0i32);
    for field in Fields::new(duration) {
        match (field.number, field.wire) {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanos = value as i32,
            _ => {}
        }
    }
    let nanos = u32::try_from(nanos).unwrap_or_default().min(999_999_999);
    let delay = u64::try_from(seconds).map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanos));
    Some(delay.min(RETRY_AFTER_MAX))
}

/// gRPC's percent-encoding: everything but printable ASCII without `%`.
fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |digit: u8| HEX.get(usize::from(digit)).map_or('0', |digit| char::from(*digit));
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    out
}

/// The other way; what is no valid escape stays as it is, as gRPC asks.
fn percent_decode(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The value of a `Retry-After` header: seconds, or a date that is compared with `now`.
pub fn parse_retry_after(value: &HeaderValue, now: std::time::SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
