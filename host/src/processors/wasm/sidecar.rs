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

use super::settings::Config;
use crate::config::{Process, read_beside};
use crate::plugin::{ErrorMode, Limits, PluginConfig, SomeLimits};
use crate::yaml::{Check, Node, Problems, Section, Settings};
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
    pub(super) config: PluginConfig,
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
    fn setup(&self, sidecar: &Sidecar, written: Option<&Node>, workers: usize) -> Setup {
        let config = PluginConfig::written(written);
        let limits = sidecar.limits.over(&self.0.limits).limits(workers);
        Setup { config, error_mode: sidecar.error_mode.or(self.0.error_mode), limits }
    }
}

/// Reads a sidecar, and the configuration as it is written there; without one the plugin gets no configuration, and the rest
/// is as the processor says.
pub(super) fn read(
    sidecar: Option<(&Path, &str)>,
    processor: &Config,
    workers: usize,
) -> Result<(Setup, Option<Node>), String> {
    let ground = Grounded(processor);
    let Some((file, text)) = sidecar else { return Ok((ground.setup(&Sidecar::default(), None, workers), None)) };
    let mut problems = Problems::default();
    let name = file.display().to_string();
    let read = read_beside(&name, text, &Process, &mut problems).and_then(|node| {
        let section = Section { path: "", node: &node };
        let sidecar = section.settings::<Sidecar>(&mut problems)?;
        let limits = sidecar.limits.over(&processor.limits);
        let sound = section.check(&mut problems, |check| limits.check(check));
        sound.then(|| (sidecar, node.get("config").cloned()))
    });
    problems.sort();
    match read {
        Some((sidecar, written)) if !problems.has_errors() => {
            for warning in problems.iter() {
                tracing::warn!("{warning}");
            }
            Ok((ground.setup(&sidecar, written.as_ref(), workers), written))
        }
        _ => Err(problems.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::LimitsConfig;
    use std::time::Duration;

    fn processor() -> Config {
        let limits = LimitsConfig { memory_mib: 20, output_mib: 3, ..LimitsConfig::default() };
        Config { error_mode: Some(ErrorMode::Ignore), limits, ..Config::default() }
    }

    fn read_text(text: &str) -> Result<Setup, String> {
        Ok(read(Some((Path::new("p/10-a.yaml"), text)), &processor(), 4)?.0)
    }

    /// What the sidecar does not say is as the processor says, key by key.
    #[test]
    fn stands_on_the_processor() {
        let none = read(None, &processor(), 4).unwrap().0;
        assert_eq!((&none.config, none.error_mode), (&"{}".into(), Some(ErrorMode::Ignore)));
        assert_eq!((none.limits.memory_bytes, none.limits.output_bytes), (20 << 20, 3 << 20));
        assert_eq!(read_text("").unwrap(), none);
        let some = read_text("config: {a: [1]}\nerror_mode: drop\nlimits: {timeout: 7ms, output_mib: 5}").unwrap();
        assert_eq!((&some.config, some.error_mode), (&r#"{"a":[1]}"#.into(), Some(ErrorMode::Drop)));
        assert_eq!(some.limits.timeout, Duration::from_millis(7));
        assert_eq!((some.limits.memory_bytes, some.limits.output_bytes), (20 << 20, 5 << 20));
    }

    /// `${...}` is expanded as in the configuration.
    #[test]
    fn expands() {
        let given = |text| read_text(text).unwrap().config.for_schema(None);
        assert_eq!(&*given("config: {a: '${env:TAILRACE_NO_SUCH:-7}'}"), r#"{"a":7}"#);
    }

    /// Each fault names file, line and key; one that only follows together with the processor's limits too.
    #[test]
    fn faults_have_places() {
        for (text, parts) in [
            ("confg: {}\n", &["p/10-a.yaml:1:1: error: confg", "config"][..]),
            ("\nerror_mode: perhaps\n", &["p/10-a.yaml:2:13", "error_mode"]),
            ("config: 7\n", &["p/10-a.yaml:1:9", "must be a map"]),
            ("limits: {timeout: 0s, memory: 1}\n", &["limits::memory"]),
            ("limits:\n  recycle_memory_mib: 30\n", &["p/10-a.yaml:2:", "limits::recycle_memory_mib", "memory_mib"]),
            ("- a list\n", &["p/10-a.yaml:1:1"]),
            ("config: {", &["p/10-a.yaml:"]),
        ] {
            let faults = read_text(text).unwrap_err();
            assert!(parts.iter().all(|part| faults.contains(part)), "{text:?}: {faults}");
        }
    }
}
