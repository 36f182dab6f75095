//! The Wasm side of [`crate::export!`]: bindings made from `wit/`, and the way between them and the traits.
//!
//! Nothing here is meant for authors; its names may change at any time.

pub mod attributes;
pub mod lifecycle;
pub mod processor;
pub mod sampler;
mod slot;
pub mod state;

pub use slot::Slot;

use crate::log::Level;
use lifecycle::bindings::tailrace::plugin::host::{self, LogLevel};

/// Writes a line to the host's log.
pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    host::log(level, message);
}

/// Sends the text of a panic to the host's log before the panic becomes a trap.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| host::log(LogLevel::Error, &panic.to_string())));
}
