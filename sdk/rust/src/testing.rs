//! Runs a plugin under `cargo test`, natively.
