//! How a plugin is to run, and what comes of a batch.

use super::config::PluginConfig;
use super::contract::Role;
use super::error::RunError;
use super::limits::Limits;
use crate::pdata::Batch;

/// What happens to a batch for which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMode {
    /// It is refused; the sender hears an error and may try again.
    Propagate,
    /// It is passed on unchanged.
    Ignore,
    /// It is dropped and counted.
    Drop,
}

impl ErrorMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Propagate => "propagate",
            Self::Ignore => "ignore",
            Self::Drop => "drop",
        }
    }
}

/// How a plugin is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Its name in logs.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// What `configure` gets.
    pub config: PluginConfig,
    /// What the operator wants done when a call fails; `None` leaves it to the plugin.
    pub error_mode: Option<ErrorMode>,
    /// What it may use.
    pub limits: Limits,
}

/// What a plugin made of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing; the batch goes on as it is.
    Unchanged,
    /// This batch goes on instead. It has at most as many items.
    Replaced(Batch),
    /// All of it is dropped.
    Dropped {
        /// The plugin's words for it.
        reason: Option<String>,
    },
}

/// Why a batch has no outcome, and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What the operator, or else the plugin, wants done.
    pub mode: ErrorMode,
    /// What happened.
    pub error: RunError,
}

impl Failed {
    /// Whether a call was made and went wrong, for which one of several inputs may be to blame.
    pub fn by_accident(&self) -> bool {
        matches!(&self.error, RunError::Accident(failure) if !failure.incident.is_without_a_call())
    }
}
