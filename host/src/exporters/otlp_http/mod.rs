//! The `otlp_http` exporter (also spelled `otlphttp`): OTLP over HTTP.
//!
//! ```yaml
//! exporters:
//!   otlp_http:
//!     endpoint: https://otlp.example.com:4318   # /v1/traces ... is appended
//!     encoding: proto                           # proto | json
//!     compression: gzip                         # gzip | zstd | zlib | deflate | none
//!     headers: {authorization: "Bearer ${env:TOKEN}"}
//!     timeout: 30s                              # per attempt
//! ```
//!
//! **Promise.** At least once: a batch whose answer got lost is sent again. Retried are transport errors, timeouts and the
//! statuses 429, 502, 503 and 504, not before what `Retry-After` says; everything else is dropped and counted. What the
//! backend rejects in a partial success is counted and not sent again. See [`crate::export`] for the queue.
//!
//! Connections are pooled; over TLS the backend chooses between HTTP/1.1 and HTTP/2. Proxies of the environment are not used,
//! and redirects not followed: they are answers like any other, and permanent errors.

mod call;
mod config;
mod connector;

#[cfg(test)]
mod tests;

use crate::component::{ComponentInfo, ExporterFactory, Stability, parse};
use crate::pdata::Signal;

/// The line for `components.rs`.
pub const FACTORY: ExporterFactory = ExporterFactory {
    info: ComponentInfo {
        kind: "otlp_http",
        deprecated: &["otlphttp"],
        signals: &Signal::ALL,
        stability: Stability::Beta,
    },
    parse: |section, problems| Some(parse::<config::Config>(section, problems)? as _),
};
