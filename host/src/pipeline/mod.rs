//! The graph: components wired from the exporters back, started in that order and shut down in the opposite one.
//!
//! It sees traits only. Building opens no port and spawns no task (plugins are loaded), so `tailrace validate` and
//! start-up share it.

mod edge;
mod fan_out;
mod graph;

pub use graph::Graph;
