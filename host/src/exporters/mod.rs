//! Where telemetry goes. One file or folder per component.
pub mod debug;
pub mod file;
pub mod nop;
pub mod otlp_grpc;
pub mod otlp_http;
