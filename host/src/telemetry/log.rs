//! The process's log on stderr: text for people, JSON for machines.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// One readable line per event.
    #[default]
    Console,
    /// One JSON object per event.
    Json,
}

/// Installs the logger of the process. `level` is `debug`, `info`, `warn` or `error`; a `RUST_LOG` in `filter` wins.
/// A second call changes nothing.
pub fn install(level: &str, encoding: Encoding, filter: Option<&str>) {
    let quiet = format!("{level},wasmtime=warn,cranelift=warn,h2=warn,hyper=warn,rustls=warn");
    let filter = EnvFilter::try_new(filter.unwrap_or(&quiet)).unwrap_or_else(|_| EnvFilter::new(quiet));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let builder = builder.with_ansi(colours);
    // An error means that a logger is installed already (a test's, or an embedder's): that one is used.
    let _ = match encoding {
        Encoding::Console => builder.try_init(),
        Encoding::Json => builder.json().flatten_event(true).try_init(),
    };
}
