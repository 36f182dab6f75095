//! OTLP as it looks on a connection, for receivers and exporters alike: statuses, gRPC frames, compression, JSON.
//!
//! No sockets and no components here. Everything that reads bytes from outside is bounded and never panics.

pub mod compression;
pub mod frame;
pub mod json;
pub mod partial;
pub mod status;

use crate::pdata::Signal;

/// Path of the signal's `Export` method, as in gRPC's `:path`.
pub const fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// Default path of the signal over HTTP.
pub const fn http_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
    }
}
