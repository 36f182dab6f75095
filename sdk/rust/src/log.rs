//! Lines for the host's log, which shows them with the name of the plugin.
//!
//! Lines are cut at 4 KiB, and what exceeds the rate in the plugin's limits is dropped and counted. Never write values
//! of telemetry. Natively (under `cargo test`) lines go to stderr.

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// For the operator.
    Info,
    /// Something the operator should look at.
    Warn,
    /// Something that does not work.
    Error,
}

/// Writes a line.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::guest::log(level, message);
    #[cfg(not(target_family = "wasm"))]
    #[expect(clippy::print_stderr, reason = "there is no host under cargo test")]
    {
        eprintln!("{level:?}: {message}");
    }
}

/// For the operator.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Something the operator should look at.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}
