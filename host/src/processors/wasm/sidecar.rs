//! The sidecar of a plugin in a directory: `10-redact.yaml` beside `10-redact.wasm`.
//!
//! ```yaml
//! config: {keys: [user.email], action: hash, hash_key: "${env:REDACT_HASH_KEY}"}
//! error_mode: propagate
//! limits: {timeout: 50ms}
//! ```
//!
//! Read like the configuration itself: `${...}` is expanded, and every fault is told at once with file, line and key.
//! Environment variables and files that it refers to are read again when the sidecar changes, not before.

use super::settings::{Config, SomeLimits};
use crate::config::{Process, read_beside};
use crate::plugin::{ErrorMode, Limits};
use crate::yaml::{Check, Problems, Section, Settings};
use serde::Deserialize;
use std::path::Path;

/// What is written there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sidecar {
    /// What the plugin's `configure` gets, as JSON.
    config: serde_json::Value,
    /// What happens to a batch when a call fails; if not set, what the processor says, else what the plugin wishes.
    error_mode: Option<ErrorMode>,
    /// What the plugin may use; what is not set is as the processor says.
    limits: SomeLimits,
}

/// How a plugin is to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) config: String,
    pub(super) error_mode: Option<ErrorMode>,
    pub(super) limits: Limits,
}

impl Settings for Sidecar {
    fn check(&self, check: &mut Check<'_>) {
        if !(self.config.is_null() || self.config.is_object()) {
            check.error("config", "must be a map; the plugin gets it as a JSON object");
        }
    }
}

/// A sidecar on the ground of a processor's settings.
struct Grounded<'a>(&'a Config);

impl Grounded<'_> {
    fn setup(&self, sidecar: &Sidecar, workers: usize) -> Setup {
        let config = if sidecar.config.is_null() { "{}".to_owned() } else { sidecar.config.to_string() };
        let limits = sidecar.limits.over(&self.0.limits).limits(workers);
        Setup { config, error_mode: sidecar.error_mode.or(self.0.error_mode), limits }
    }
}

/// Reads a sidecar; without one the plugin gets no configuration, and the rest is as the processor says.
pub(super) fn read(sidecar: Option<(&Path, &str)>, processor: &Config, workers: usize) -> Result<Setup, String> {
    let ground = Grounded(processor);
    let Some((file, text)) = sidecar else { return Ok(ground.setup(&Sidecar::default(), workers)) };
    let mut problems = Problems::default();
    let name = file.display().to_string();
    let read = read_beside(&name, text, &Process, &mut problems).and_then(|node| {
        let section = Section { path: "", node: &node };
        let sidecar = section.settings::<Sidecar>(&mut problems)?;
        let limits = sidecar.limits.over(&processor.limits);
        let sound = section.check(&mut problems, |check| limits.check(check));
        sound.then_some(sidecar)
    });
    problems.sort();
    match read {
        Some(sidecar) if !problems.has_errors() => {
            for warning in problems.iter() {
                tracing::warn!("{warning}");
            }
            Ok(ground.setup(&sidecar, workers))
        }
        _ => Err(problems.to_string()),
    }
}
