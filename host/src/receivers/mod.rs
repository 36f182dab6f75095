//! Where telemetry comes in. One file or folder per component.
pub mod otlp;
