//! `plugins`: settings of what all Wasm plugins of the process share.
//!
//! ```yaml
//! extensions:
//!   plugins:
//!     max_plugins: 100
//!     load: {concurrency: 4}
//!     cache: {directory: /var/cache/tailrace, size_mib: 512}
//!     compile: {timeout: 120s, memory_mib: 2048, code_mib: 128, concurrency: 1}
//!     rollback: {window: 5m, failures: 5, share_percent: 10}
//! service:
//!   extensions: [plugins]
//! ```
//! It runs nothing: its settings are in force before the first plugin is loaded, and a configuration without it has the
//! defaults. Not an extension of the Collector.

use crate::component::{
    BuildError, Component, ComponentInfo, Context, Extension, ExtensionConfig, ExtensionFactory, Stability, parse,
};
use crate::plugin::{CacheSettings, CompileSettings, Platform, PlatformSettings, RollbackSettings};
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// The extension.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    info: ComponentInfo { kind: "plugins", deprecated: &[], signals: &[], stability: Stability::Alpha },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

const MIB: u64 = 1 << 20;

/// Settings of `plugins`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Plugins in all places of the configuration; a processor in two pipelines is two.
    max_plugins: usize,
    /// How plugins are loaded.
    load: LoadConfig,
    /// Compiled plugins on disk.
    cache: CacheConfig,
    /// What compiling one plugin may use.
    compile: CompileConfig,
    /// When a new version is taken back.
    rollback: RollbackConfig,
}

/// How plugins are loaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LoadConfig {
    /// How many of a directory at once.
    concurrency: usize,
}

/// Compiled plugins on disk.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CacheConfig {
    /// Where; empty is the usual place.
    directory: PathBuf,
    /// How much; 0 is no cache.
    size_mib: u64,
}

/// What compiling may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CompileConfig {
    /// Processor time.
    timeout: GoDuration,
    /// Memory.
    memory_mib: u64,
    /// Machine code that comes out of it.
    code_mib: u64,
    /// How many at once.
    concurrency: usize,
}

/// When a new version is taken back.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RollbackConfig {
    /// How long a new version is watched; 0 never takes one back.
    window: GoDuration,
    /// Failures that are needed.
    failures: u32,
    /// Failures that are needed, of a hundred calls.
    share_percent: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_plugins: PlatformSettings::default().max_plugins,
            load: LoadConfig::default(),
            cache: CacheConfig::default(),
            compile: CompileConfig::default(),
            rollback: RollbackConfig::default(),
        }
    }
}

impl Default for LoadConfig {
    fn default() -> Self {
        Self { concurrency: PlatformSettings::default().load_concurrency }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { directory: PathBuf::new(), size_mib: PlatformSettings::default().cache.bytes_max / MIB }
    }
}

impl Default for CompileConfig {
    fn default() -> Self {
        let CompileSettings { timeout, memory_bytes, code_bytes, concurrency, .. } = CompileSettings::default();
        Self { timeout: timeout.into(), memory_mib: memory_bytes / MIB, code_mib: code_bytes / MIB, concurrency }
    }
}

impl Default for RollbackConfig {
    fn default() -> Self {
        let RollbackSettings { window, failures, share_percent } = RollbackSettings::default();
        Self { window: window.into(), failures, share_percent }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.max_plugins == 0 {
            check.error("max_plugins", "must be at least 1");
        }
        if !(1..=64).contains(&self.load.concurrency) {
            check.error("load.concurrency", "must be between 1 and 64");
        }
        if self.cache.directory.is_relative() && !self.cache.directory.as_os_str().is_empty() {
            check.error("cache.directory", "must be an absolute path");
        }
        if self.cache.size_mib > 1 << 20 {
            check.error("cache.size_mib", "must be at most 1048576");
        }
        if self.compile.timeout.get().as_secs() == 0 {
            check.error("compile.timeout", "must be at least 1s");
        }
        if !(256..=1 << 20).contains(&self.compile.memory_mib) {
            check.error("compile.memory_mib", "must be between 256 and 1048576");
        }
        if !(1..=1 << 20).contains(&self.compile.code_mib) {
            check.error("compile.code_mib", "must be between 1 and 1048576");
        }
        if !(1..=64).contains(&self.compile.concurrency) {
            check.error("compile.concurrency", "must be between 1 and 64");
        }
        if self.rollback.failures == 0 {
            check.error("rollback.failures", "must be at least 1; `window: 0s` turns rollback off");
        }
        if !(1..=100).contains(&self.rollback.share_percent) {
            check.error("rollback.share_percent", "must be between 1 and 100");
        }
    }
}

impl ExtensionConfig for Config {
    fn prepare(&self) {
        Platform::new(self.on_top_of(Platform::of_process().settings().clone())).install();
    }

    fn build(&self, _: Context) -> Result<Arc<dyn Extension>, BuildError> {
        Ok(Arc::new(Prepared))
    }
}

impl Config {
    /// These settings, and from `base` what cannot be set here.
    fn on_top_of(&self, base: PlatformSettings) -> PlatformSettings {
        let chosen = Some(self.cache.directory.clone()).filter(|directory| !directory.as_os_str().is_empty());
        PlatformSettings {
            max_plugins: self.max_plugins,
            load_concurrency: self.load.concurrency,
            cache: CacheSettings {
                directory: chosen.or(base.cache.directory),
                bytes_max: self.cache.size_mib.saturating_mul(MIB),
            },
            compile: CompileSettings {
                timeout: self.compile.timeout.get(),
                memory_bytes: self.compile.memory_mib.saturating_mul(MIB),
                code_bytes: self.compile.code_mib.saturating_mul(MIB),
                concurrency: self.compile.concurrency,
                program: base.compile.program,
                functions_bytes: base.compile.functions_bytes,
            },
            rollback: RollbackSettings {
                window: self.rollback.window.get(),
                failures: self.rollback.failures,
                share_percent: self.rollback.share_percent,
            },
            start_with_last_good: base.start_with_last_good,
        }
    }
}

/// It has done its work before it was built.
struct Prepared;

impl Component for Prepared {}
impl Extension for Prepared {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What is not written is the default of the platform, what cannot be written is the command's.
    #[test]
    fn settings_arrive() {
        let defaults = Config::default().on_top_of(PlatformSettings::default());
        assert_eq!(format!("{defaults:?}"), format!("{:?}", PlatformSettings::default()));
        let config = serde_json::json!({
            "max_plugins": 7, "load": {"concurrency": 2}, "cache": {"directory": "/c", "size_mib": 3}, "compile": {"memory_mib": 300},
            "rollback": {"window": "1m"},
        });
        let config: Config = serde_json::from_value(config).unwrap();
        let mut base = PlatformSettings { start_with_last_good: true, ..PlatformSettings::default() };
        base.compile.program = Some("/proc/self/exe".into());
        let settings = config.on_top_of(base);
        assert_eq!((settings.max_plugins, settings.load_concurrency, settings.start_with_last_good), (7, 2, true));
        assert_eq!(settings.cache, CacheSettings { directory: Some("/c".into()), bytes_max: 3 << 20 });
        assert_eq!((settings.compile.memory_bytes, settings.compile.concurrency), (300 << 20, 1));
        assert_eq!(settings.compile.program, Some("/proc/self/exe".into()));
        assert_eq!((settings.rollback.window, settings.rollback.failures), (Duration::from_secs(60), 5));
    }
}
