//! The `otlp_grpc` exporter (also spelled `otlp`): OTLP over gRPC.
//!
//! ```yaml
//! exporters:
//!   otlp_grpc:
//!     endpoint: tempo:4317        # TLS unless http:// or tls.insecure
//!     tls: {insecure: true}
//!     compression: gzip           # gzip | zstd | none
//!     timeout: 5s                 # per attempt
//!     sending_queue: {queue_size: 1000}
//!     retry_on_failure: {max_elapsed_time: 300s}
//! ```
//!
//! **Promise.** At least once: a batch whose answer got lost is sent again. Retried are lost connections, timeouts and the
//! codes that OTLP calls retryable; everything else is dropped and counted. What the backend rejects in a partial success is
//! counted and not sent again. See [`crate::export`] for the queue.
//!
//! A batch goes out as it came in: one chain of gRPC's five bytes and the batch's own (or compressed) bytes, never copied.

mod call;
mod channel;
mod config;
mod target;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use crate::component::{ComponentInfo, ExporterFactory, Stability, parse};
use crate::pdata::Signal;

/// The line for `components.rs`.
pub const FACTORY: ExporterFactory = ExporterFactory {
    info: ComponentInfo { kind: "otlp_grpc", deprecated: &["otlp"], signals: &Signal::ALL, stability: Stability::Beta },
    parse: |section, problems| Some(parse::<config::Config>(section, problems)? as _),
};
