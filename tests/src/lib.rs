//! What end-to-end tests share: a collector on free ports, a backend that remembers every span id, a generator that
//! knows what was accepted. Client and backend are tonic's and prost's: independent of the host's own transport.

pub mod backend;
pub mod bomb;
pub mod bystanders;
pub mod client;
pub mod crafted;
pub mod guests;
pub mod heard;
pub mod hoards;
pub mod host;
pub mod http;
pub mod ledger;
pub mod neighbours;
pub mod parity;
pub mod plugins;
pub mod process;
pub mod pulse;
pub mod sink;
pub mod spans;
pub mod swaps;
pub mod unhurt;
pub mod wire;

/// How long a test waits for what must come. Plugins are loaded at the lowest priority: beside a build on two cores that has
/// taken more than two minutes.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);
