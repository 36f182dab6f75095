//! How a plugin is written down in a configuration, wherever one is: which file, and what it may use.

use super::limits::Limits;
use crate::yaml::{Check, GoDuration};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where plugins are looked for if the configuration does not say.
const DIRECTORY: &str = "/etc/tailrace/plugins";
/// Calls that may run at once if the configuration does not say; one per core if there are more cores.
const INSTANCES: usize = 4;
const MIB: usize = 1 << 20;

/// Declares settings, and the same settings as somebody may write some of them elsewhere.
macro_rules! overridable {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $type:ty,)* } $(#[$more:meta])* $some:ident) => {
        $(#[$about])*
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }

        $(#[$more])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $some { $($field: Option<$type>,)* }

        impl $some {
            /// These settings where they are given, `base` elsewhere.
            pub fn over(&self, base: &$name) -> $name {
                $name { $($field: self.$field.clone().unwrap_or_else(|| base.$field.clone()),)* }
            }
        }
    };
}

overridable! {
/// What a plugin may use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Time that one call may compute.
    pub timeout: GoDuration,
    /// Time that starting, describing and configuring itself may take of an instance, each.
    pub start_timeout: GoDuration,
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

/// What one plugin of a directory may use: what is not given is as the processor's `limits` say.
SomeLimits
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            timeout: limits.timeout.into(),
            start_timeout: limits.start_timeout.into(),
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

impl LimitsConfig {
    /// Faults that no type can express, told under `limits` of a section.
    pub fn check(&self, check: &mut Check<'_>) {
        self.faults(|key, message| check.error(&format!("limits.{key}"), message));
    }

    /// Faults that no type can express: the key, and what is wrong with it.
    pub fn faults(&self, mut fault: impl FnMut(&str, &str)) {
        for (key, time) in
            [("timeout", &self.timeout), ("start_timeout", &self.start_timeout), ("recycle_age", &self.recycle_age)]
        {
            if duration(time).is_zero() {
                fault(key, "must be more than 0");
            }
        }
        for (key, mib) in [
            ("memory_mib", self.memory_mib),
            ("output_mib", self.output_mib),
            ("module_mib", self.module_mib),
            ("state_mib", self.state_mib),
        ] {
            if !(1..=4096).contains(&mib) {
                fault(key, "must be between 1 and 4096");
            }
        }
        if self.recycle_memory_mib > self.memory_mib {
            fault("recycle_memory_mib", "must not be more than memory_mib, which stops growth before");
        }
        if self.instances > 1024 {
            fault("instances", "must be at most 1024");
        }
        if self.metric_series > 10_000 {
            fault("metric_series", "must be at most 10000; 0 lets the plugin have none");
        }
        if self.log_lines_per_second == 0 {
            fault("log_lines_per_second", "must be at least 1");
        }
        if self.recycle_calls == 0 {
            fault("recycle_calls", "must be at least 1");
        }
    }
}

/// What a plugin gets of its `config`.
pub fn config_json(config: &serde_json::Value) -> String {
    if config.is_null() { "{}".to_owned() } else { config.to_string() }
}

/// Where plugins are looked for if the configuration does not say.
pub fn usual_directory() -> PathBuf {
    DIRECTORY.into()
}

/// The file of plugin `module`: `redact` is `redact.wasm` in the directory; anything with a slash, or that ends in `.wasm`, is a
/// path.
pub fn plugin_file(directory: &Path, module: &str) -> PathBuf {
    if module.contains('/') || module.ends_with(".wasm") {
        PathBuf::from(module)
    } else {
        directory.join(format!("{module}.wasm"))
    }
}

/// The name of plugin `module` in metrics: its file without `.wasm`.
pub fn plugin_name(module: &str) -> &str {
    Path::new(module).file_stem().and_then(|stem| stem.to_str()).unwrap_or(module)
}

impl LimitsConfig {
    /// As the plugin host wants them, on a machine with so many workers.
    pub fn limits(&self, workers: usize) -> Limits {
        let recycle_mib = match self.recycle_memory_mib {
            0 => self.memory_mib.saturating_mul(3) / 4,
            mib => mib,
        };
        Limits {
            timeout: duration(&self.timeout),
            start_timeout: duration(&self.start_timeout),
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
