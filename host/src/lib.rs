//! Tailrace: an OpenTelemetry collector that anyone can extend with WebAssembly.
//!
//! The modules form levels; a file imports only from the levels above its own (see `ARCHITECTURE.md`,
//! held by `tests/tests/e2e/levels.rs`):
//!
//! | level | modules |
//! |---|---|
//! | 0 | `pdata`, `telemetry`, `shutdown`, `workers`, `web`, `yaml` |
//! | 1 | `component` |
//! | 2 | `config`, `otlp`, `plugin`, `export` |
//! | 3 | `receivers`, `processors`, `exporters`, `extensions` |
//! | 4 | `pipeline` |
//! | 5 | `components`, `collector` |
//! | 6 | `cli`, `main` |
// Denied but for two lines: machine code from the cache or the compiler (`plugin/cache.rs`), a system call (`workers/priority.rs`).
#![deny(unsafe_code)]

pub mod cli;
pub mod collector;
pub mod component;
pub mod components;
pub mod config;
pub mod export;
pub mod exporters;
pub mod extensions;
pub mod otlp;
pub mod pdata;
pub mod pipeline;
pub mod plugin;
pub mod processors;
pub mod receivers;
pub mod shutdown;
pub mod telemetry;
pub mod web;
pub mod workers;
pub mod yaml;
