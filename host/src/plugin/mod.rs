//! Everything wasmtime: loading plugins, running them under limits, and swapping them while they run.
//!
//! A plugin is a guest, untrusted for safety: it reads what it was given and nothing else, cannot stall a worker (a call
//! yields at every tick and ends at its deadline), cannot grow without bound, and cannot emit malformed OTLP. A trap costs
//! its instance, never the process. Nothing here loses data: [`Plugin::run`] says what became of a batch, and the caller
//! decides. This module knows batches, bytes and the next consumer, never pipelines.
//!
//! | file | what |
//! |---|---|
//! | `engine` | the one engine, and the ticker that makes calls yield |
//! | `contract` | what a file is, found by looking, with errors that name the fix |
//! | `program` | a version of a plugin: read, hashed, compiled, linked |
//! | `compile` | compiling in a process of its own, under limits |
//! | `functions` | compiled functions that stay the same from save to save, for `tailrace plugin dev` |
//! | `cache`, `last_good`, `private_dir` | compiled plugins and last good versions on disk |
//! | `platform` | what the plugins of a process share |
//! | `guest`, `wasi`, `log` | what an instance is given: limits, a closed world, a bounded log |
//! | `imports` | what else it may ask of the host: metrics, regular expressions, hashes |
//! | `instance`, `call`, `pool`, `breaker`, `quarantine` | instances, their calls, their reuse, their rest after traps |
//! | `options` | how a plugin is to run, and what comes of a batch |
//! | `generation`, `live`, `view` | a configured version with its instances; the one that runs now; what it says of itself |
//! | `inner` | what every call has before and after it; what went wrong lately |
//! | `swap`, `rollback` | a new version in place of another, and when it is taken back |
//! | `state` | what a plugin keeps when its instance is replaced |
//! | `directory` | the watched directory |
//! | `template` | a component that is told once what it is to be, and becomes another one |
//! | `outline`, `about`, `bench` | for tools: what a file is, what a plugin says and what it costs |
//! | `work` | a batch through an `attributes` or a `processor` plugin |
//! | `chain`, `stage` | several plugins that share one scan; the place in a pipeline where plugins run |
//! | `processor` | what every processor made of plugins does besides |
//! | `config` | what a plugin is configured with, and where in the file that stands |

mod about;
mod bench;
mod bindings;
mod breaker;
mod bundled;
mod cache;
mod call;
mod chain;
mod compile;
mod config;
mod contract;
pub mod directory;
mod engine;
mod error;
mod foreground;
mod functions;
mod generation;
mod guest;
mod imports;
mod inner;
mod instance;
mod interest;
mod last_good;
mod limits;
mod live;
mod log;
mod metrics;
mod mood;
mod options;
mod outline;
mod platform;
mod pool;
mod private_dir;
pub mod processor;
mod program;
mod quarantine;
mod rollback;
mod settings;
pub mod stage;
mod state;
mod swap;
mod template;
mod view;
mod wasi;
mod work;
mod written;

#[cfg(test)]
pub(crate) mod tests;

pub use about::{About, Compiled, Wish};
pub use bench::Bench;
pub use bundled::bundled;
pub use compile::{CompileSettings, SUBCOMMAND as COMPILE_SUBCOMMAND, compiling_process};
pub use config::{PluginConfig, faults};
pub use contract::Role;
pub use error::{Failure, Incident, LoadError, RunError};
pub use limits::Limits;
pub use live::Plugin;
pub use log::one_line;
pub use mood::Mood;
pub use options::{ErrorMode, Failed, Options, Outcome};
pub use outline::Outline;
pub use platform::{CacheSettings, Platform, PlatformSettings};
pub use program::{Candidate, Hash};
pub use rollback::RollbackSettings;
pub use settings::{LimitsConfig, SomeLimits, config_json, plugin_file, plugin_name, usual_directory};
pub use swap::Offer;
pub use template::Template;
pub use written::Written;

/// Runs work of guests to its end on a thread of its own: they run in futures with timers, and a runtime cannot be started
/// inside a runtime. Blocks.
fn blocking<T: Send, F: Future<Output = T>>(work: impl FnOnce() -> F + Send) -> Result<T, LoadError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(LoadError::new)?;
        Ok(runtime.block_on(work()))
    };
    let died = |_| Err(LoadError::new("it ended in a panic of the host"));
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(died))
}
