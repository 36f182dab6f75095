//! What every plugin has: a configuration, and an interest.

use crate::{Interest, fault};
use serde::de::DeserializeOwned;
use std::fmt;

/// What every plugin has. Implement this, and [`crate::Attributes`] or [`crate::Processor`].
pub trait Plugin: Sized + 'static {
    /// The `config` of the plugin in the collector's configuration. A struct with `#[derive(serde::Deserialize)]`;
    /// `#[serde(deny_unknown_fields)]` tells operators of typing errors. May be `Self`.
    type Config: DeserializeOwned;

    /// A JSON Schema of the configuration, for tools that help to write it.
    const CONFIG_SCHEMA: Option<&'static str> = None;

    /// What should happen to a batch if a call fails and the operator does not say. Without a wish, the batch is
    /// refused; that is what a plugin that protects data must keep.
    const ERROR_MODE: Option<ErrorMode> = None;

    /// Makes an instance. There may be several at once, which share nothing.
    ///
    /// # Errors
    /// What the operator should read. The plugin is then not used, and an older version of it goes on running.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// What the plugin wants to see; must be the same for the same configuration.
    fn interest(&self) -> Interest;
}

/// What happens to a batch for which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorMode {
    /// It is refused; the sender hears an error and may try again.
    Propagate,
    /// It is passed on unchanged.
    Ignore,
    /// It is dropped and counted.
    Drop,
}

/// The plugin's own "no" to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same batch may be accepted later.
    Retryable(String),
    /// The same batch will never be accepted.
    Permanent(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retryable(message) | Self::Permanent(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// Makes an instance from the text that the host hands over.
pub(crate) fn make<P: Plugin>(config: &str) -> Result<P, String> {
    let config = fault::read(config)?;
    P::new(config)
}
