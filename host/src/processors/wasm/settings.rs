//! The settings of the `wasm` processor.

use crate::plugin::{ErrorMode, Limits};
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where plugins are looked for if the configuration does not say.
const DIRECTORY: &str = "/etc/tailrace/plugins";
/// Calls that may run at once if the configuration does not say; one per core if there are more cores.
const INSTANCES: usize = 4;
const MIB: usize = 1 << 20;

/// Settings of a `wasm` processor.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds the plugins; it is watched.
    pub directory: PathBuf,
    /// The plugin: `redact` is `redact.wasm` in the directory; anything with a slash, or that ends in `.wasm`, is a path.
    pub module: String,
    /// What the plugin's `configure` gets, as JSON.
    pub config: serde_json::Value,
    /// What happens to a batch when a call fails; if not set, what the plugin wishes, else `propagate`.
    pub error_mode: Option<ErrorMode>,
    /// What the plugin may use.
    pub limits: LimitsConfig,
    /// How often the directory is looked at without any event.
    pub rescan_interval: GoDuration,
}

/// What a plugin may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Time that one call may compute.
    pub timeout: GoDuration,
    /// Memory of one instance.
    pub memory_mib: usize,
    /// What one call may hand back.
    pub output_mib: usize,
    /// How many instances run at once; 0 is one per core, at least 4.
    pub instances: usize,
    /// Lines of log.
    pub log_lines_per_second: u32,
    /// Size of the file.
    pub module_mib: usize,
    /// Calls after which an instance is replaced by a fresh one.
    pub recycle_calls: u64,
    /// Age at which an instance is replaced.
    pub recycle_age: GoDuration,
    /// Memory beyond which an instance is replaced; 0 is three quarters of `memory_mib`.
    pub recycle_memory_mib: usize,
    /// Series of metrics that the plugin may open, all instances together.
    pub metric_series: usize,
    /// What the plugin may keep when its instance is replaced.
    pub state_mib: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: DIRECTORY.into(),
            module: String::new(),
            config: serde_json::Value::Null,
            error_mode: None,
            limits: LimitsConfig::default(),
            rescan_interval: GoDuration::from_secs(30),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            timeout: limits.timeout.into(),
            memory_mib: limits.memory_bytes / MIB,
            output_mib: limits.output_bytes / MIB,
            instances: 0,
            log_lines_per_second: limits.log_lines_per_second,
            module_mib: limits.module_bytes / MIB,
            recycle_calls: limits.recycle_calls,
            recycle_age: limits.recycle_age.into(),
            recycle_memory_mib: 0,
            metric_series: limits.metric_series,
            state_mib: limits.state_bytes / MIB,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.module.is_empty() {
            check.error("module", "must name a plugin: `redact` for redact.wasm in the directory, or a path");
        }
        if !(self.config.is_null() || self.config.is_object()) {
            check.error("config", "must be a map; the plugin gets it as a JSON object");
        }
        if self.rescan() < Duration::from_secs(1) {
            check.error("rescan_interval", "must be at least 1s");
        }
        let limits = &self.limits;
        if duration(&limits.timeout).is_zero() {
            check.error("limits.timeout", "must be more than 0");
        }
        if duration(&limits.recycle_age).is_zero() {
            check.error("limits.recycle_age", "must be more than 0");
        }
        for (key, mib) in [
            ("limits.memory_mib", limits.memory_mib),
            ("limits.output_mib", limits.output_mib),
            ("limits.module_mib", limits.module_mib),
            ("limits.state_mib", limits.state_mib),
        ] {
            if !(1..=4096).contains(&mib) {
                check.error(key, "must be between 1 and 4096");
            }
        }
        if limits.recycle_memory_mib > limits.memory_mib {
            check.error("limits.recycle_memory_mib", "must not be more than memory_mib, which stops growth before");
        }
        if limits.instances > 1024 {
            check.error("limits.instances", "must be at most 1024");
        }
        if limits.metric_series > 10_000 {
            check.error("limits.metric_series", "must be at most 10000; 0 lets the plugin have none");
        }
        if limits.log_lines_per_second == 0 {
            check.error("limits.log_lines_per_second", "must be at least 1");
        }
        if limits.recycle_calls == 0 {
            check.error("limits.recycle_calls", "must be at least 1");
        }
    }
}

impl Config {
    /// The file of the plugin.
    pub(super) fn file(&self) -> PathBuf {
        if self.module.contains('/') || self.module.ends_with(".wasm") {
            PathBuf::from(&self.module)
        } else {
            self.directory.join(format!("{}.wasm", self.module))
        }
    }

    /// The name of the plugin in metrics: its file without `.wasm`.
    pub(super) fn name(&self) -> &str {
        Path::new(&self.module).file_stem().and_then(|stem| stem.to_str()).unwrap_or(&self.module)
    }

    /// What the plugin gets.
    pub(super) fn config_json(&self) -> String {
        if self.config.is_null() { "{}".to_owned() } else { self.config.to_string() }
    }

    pub(super) fn rescan(&self) -> Duration {
        duration(&self.rescan_interval)
    }
}

impl LimitsConfig {
    /// As the plugin host wants them, on a machine with so many workers.
    pub(super) fn limits(&self, workers: usize) -> Limits {
        let recycle_mib = match self.recycle_memory_mib {
            0 => self.memory_mib.saturating_mul(3) / 4,
            mib => mib,
        };
        Limits {
            timeout: duration(&self.timeout),
            memory_bytes: self.memory_mib.saturating_mul(MIB),
            output_bytes: self.output_mib.saturating_mul(MIB),
            instances: if self.instances == 0 { workers.max(INSTANCES) } else { self.instances },
            log_lines_per_second: self.log_lines_per_second,
            recycle_calls: self.recycle_calls,
            recycle_age: duration(&self.recycle_age),
            recycle_memory_bytes: recycle_mib.saturating_mul(MIB),
            module_bytes: self.module_mib.saturating_mul(MIB),
            metric_series: self.metric_series,
            state_bytes: self.state_mib.saturating_mul(MIB),
        }
    }
}

fn duration(duration: &GoDuration) -> Duration {
    duration.get()
}
