//! Everything wasmtime: loading plugins, running them under limits, and swapping them while they run.
//!
//! A plugin is a guest, untrusted for safety: it reads what it was given and nothing else, cannot stall a worker (a call
//! yields at every tick and ends at its deadline), cannot grow without bound, and cannot emit malformed OTLP. A trap costs
//! its instance, never the process. Nothing here loses data: [`Plugin::run`] says what became of a batch, and the caller
//! decides. This module knows batches and bytes, never pipelines.
//!
//! | file | what |
//! |---|---|
//! | `engine` | the one engine, and the ticker that makes calls yield |
//! | `contract` | what a file is, found by looking, with errors that name the fix |
//! | `program` | a version of a plugin: read, hashed, compiled, linked |
//! | `guest`, `wasi`, `log` | what an instance is given: limits, a closed world, a bounded log |
//! | `imports` | what else it may ask of the host: metrics, regular expressions, hashes |
//! | `instance`, `pool`, `breaker` | instances, their calls, their reuse, their rest after traps |
//! | `generation`, `live` | a configured version with its instances; the one that runs now, and its swap |
//! | `state` | what a plugin keeps when its instance is replaced |
//! | `directory` | the watched directory |
//! | `work` | a batch through an `attributes` or a `processor` plugin |

mod bindings;
mod breaker;
mod bundled;
mod contract;
pub mod directory;
mod engine;
mod error;
mod generation;
mod guest;
mod imports;
mod instance;
mod interest;
mod limits;
mod live;
mod log;
mod metrics;
mod pool;
mod program;
mod state;
mod wasi;
mod work;

#[cfg(test)]
pub(crate) mod tests;

pub use bundled::bundled;
pub use contract::Role;
pub use error::{Failure, Incident, LoadError, RunError};
pub use limits::Limits;
pub use live::{ErrorMode, Failed, Offer, Options, Outcome, Plugin};
pub use program::{Candidate, Hash};
