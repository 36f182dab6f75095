//! The settings of the `wasm` processor.

use crate::plugin::{ErrorMode, LimitsConfig, PluginConfig, Written, plugin_file, plugin_name, usual_directory};
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a `wasm` processor.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds the plugins; it is watched. Without `module`, every plugin in it runs.
    pub directory: PathBuf,
    /// The plugin: `redact` is `redact.wasm` in the directory; anything with a slash, or that ends in `.wasm`, is a path.
    pub module: String,
    /// How many plugins of the directory may run.
    pub max_plugins: usize,
    /// How long a plugin that vanished from the directory goes on.
    pub removal_grace: GoDuration,
    /// What the plugin's `configure` gets, as JSON.
    pub config: serde_json::Value,
    /// What happens to a batch when a call fails; if not set, what the plugin wishes, else `propagate`.
    pub error_mode: Option<ErrorMode>,
    /// What the plugin may use.
    pub limits: LimitsConfig,
    /// How often the directory is looked at without any event.
    pub rescan_interval: GoDuration,
    /// Where all of it is written.
    #[serde(skip)]
    pub(super) written: Written,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: usual_directory(),
            module: String::new(),
            max_plugins: 32,
            removal_grace: GoDuration::from_secs(10),
            config: serde_json::Value::Null,
            error_mode: None,
            limits: LimitsConfig::default(),
            rescan_interval: GoDuration::from_secs(30),
            written: Written::default(),
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.module.is_empty() {
            if !check.is_set("directory") {
                check.error(
                    "",
                    "set `module` for one plugin (`redact` for redact.wasm in the directory, or a path), or `directory` \
                     for every plugin in it",
                );
            }
            if !self.config.is_null() {
                check.error(
                    "config",
                    "is for one plugin (`module`); of a whole directory each plugin has its configuration in a file of its \
                     name beside it, as in redact.yaml",
                );
            }
        } else {
            for key in ["max_plugins", "removal_grace"] {
                if check.is_set(key) {
                    check.error(key, "is for whole directories, without `module`");
                }
            }
        }
        if self.directory.as_os_str().is_empty() {
            check.error(
                "directory",
                "must name a directory; it is empty (was it an environment variable that is not set?)",
            );
        }
        if !(1..=1000).contains(&self.max_plugins) {
            check.error("max_plugins", "must be between 1 and 1000");
        }
        if !(self.config.is_null() || self.config.is_object()) {
            check.error("config", "must be a map; the plugin gets it as a JSON object");
        }
        if self.rescan() < Duration::from_secs(1) {
            check.error("rescan_interval", "must be at least 1s");
        }
        self.limits.check(check);
    }
}

impl Config {
    /// The file of the plugin.
    pub(super) fn file(&self) -> PathBuf {
        plugin_file(&self.directory, &self.module)
    }

    /// The name of the plugin in metrics.
    pub(super) fn name(&self) -> &str {
        plugin_name(&self.module)
    }

    /// What the plugin gets.
    pub(super) fn plugin_config(&self) -> PluginConfig {
        self.written.config(&self.config)
    }

    pub(super) fn removal_grace(&self) -> Duration {
        duration(&self.removal_grace)
    }

    pub(super) fn rescan(&self) -> Duration {
        duration(&self.rescan_interval)
    }
}

fn duration(duration: &GoDuration) -> Duration {
    duration.get()
}
