//! Tailrace: an OpenTelemetry collector that anyone can extend with WebAssembly.
//!
//! The modules form levels; a file imports only from the levels above its own (see `ARCHITECTURE.md`,
//! held by `tests/tests/e2e/levels.rs`):
//!
//! | level | modules |
//! |---|---|
//! | 0 | `telemetry`, `shutdown`, `workers`, `web`, `yaml` |
//! | 1 | `pdata` |
//! | 2 | `component` |
//! | 3 | `config`, `otlp`, `plugin`, `export` |
//! | 4 | `receivers`, `processors`, `exporters`, `extensions` |
//! | 5 | `pipeline` |
//! | 6 | `components`, `collector` |
//! | 7 | `cli`, `main` |
// Denied but for three places: machine code from the cache or the compiler (`plugin/cache.rs`), a system call (`workers/priority.rs`),
// numbers for the allocator (`workers/large.rs`).
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
