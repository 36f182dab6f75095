//! What can go wrong, kept apart: a plugin that cannot be loaded, an accident in a call, a plugin's own answer.

use super::log::tidy;
use std::fmt;

/// Why a file is not used as a plugin. The text says what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct LoadError(pub String);

/// What stands before a plugin's own words about its configuration.
const REFUSED: &str = "it refuses its configuration: ";

impl LoadError {
    /// The plugin has this against its configuration.
    pub(super) fn configuration(answer: &str) -> Self {
        Self(format!("{REFUSED}{answer}"))
    }

    /// What the plugin has against its configuration, if that is the reason.
    pub fn about_configuration(&self) -> Option<&str> {
        self.0.strip_prefix(REFUSED)
    }

    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// The same in words that can be shown: no file and no guest writes lines of its own into a log, or to a terminal.
    pub(super) fn tidy(self) -> Self {
        Self(tidy(&self.0))
    }

    /// Whether it is a good plugin, but one for tail sampling.
    pub fn is_for_tail_sampling(&self) -> bool {
        self.0 == super::contract::SAMPLER_ONLY
    }
}

/// What kind of accident happened; the word is the `reason` in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incident {
    /// The guest did what it must not, or panicked.
    Trap,
    /// It used up its time.
    Timeout,
    /// It wanted more memory than it may have, and then trapped.
    Memory,
    /// It handed back more than it may.
    Output,
    /// What it handed back makes no sense.
    Malformed,
    /// No instance could be made.
    Start,
    /// It trapped several times in a row and rests.
    Resting,
    /// It had accidents on this very input.
    Quarantined,
}

impl Incident {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Trap,
        Self::Timeout,
        Self::Memory,
        Self::Output,
        Self::Malformed,
        Self::Start,
        Self::Resting,
        Self::Quarantined,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Malformed => "malformed",
            Self::Start => "start",
            Self::Resting => "resting",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether the same input may well cause it again.
    pub(super) fn is_about_the_input(self) -> bool {
        !matches!(self, Self::Start | Self::Resting | Self::Quarantined)
    }

    /// Whether no call was made at all.
    pub(super) fn is_without_a_call(self) -> bool {
        matches!(self, Self::Resting | Self::Quarantined)
    }
}

/// Something went wrong in a call: ours to handle, the plugin did not mean it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub incident: Incident,
    /// For the log, the status and the sender.
    pub message: String,
}

impl Failure {
    pub(super) fn new(incident: Incident, message: impl fmt::Display) -> Self {
        Self { incident, message: message.to_string() }
    }
}

/// Why a batch has no outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// An accident.
    #[error("{0}")]
    Accident(#[from] Failure),
    /// The plugin's answer: later perhaps.
    #[error("{0}")]
    Retryable(String),
    /// The plugin's answer: never.
    #[error("{0}")]
    Permanent(String),
}
