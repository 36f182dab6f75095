//! What the plugins of a process share: settings, the cache, the compiler, and the list of who is there.
//!
//! There is one for the process ([`Platform::of_process`]), since memory, processors and the disk are the process's. As a
//! library it has neither a cache nor a process to compile in, so that nothing is written or started that nobody asked
//! for; the `tailrace` command installs one that has both, and the extension `plugins` refines it.

use super::cache::Cache;
use super::compile::{CompileSettings, Compiler};
use super::engine::engine;
use super::error::LoadError;
use super::inner::Inner;
use super::private_dir::PrivateDir;
use super::program::Hash;
use super::rollback::RollbackSettings;
use crate::telemetry::Metrics;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

/// Settings of what plugins share.
#[derive(Clone, Debug)]
pub struct PlatformSettings {
    /// Plugins in all places of the configuration.
    pub max_plugins: usize,
    /// How many plugins of a directory are loaded at once.
    pub load_concurrency: usize,
    /// Compiled plugins on disk.
    pub cache: CacheSettings,
    /// What compiling may use.
    pub compile: CompileSettings,
    /// When a new version is taken back.
    pub rollback: RollbackSettings,
    /// Whether a plugin whose file does not load at the start runs in its last good version instead.
    pub start_with_last_good: bool,
}

/// Where compiled plugins and last good versions lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The directory; `None` is no cache.
    pub directory: Option<PathBuf>,
    /// What all of it may take.
    pub bytes_max: u64,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            max_plugins: 100,
            load_concurrency: 4,
            cache: CacheSettings { directory: None, bytes_max: 512 << 20 },
            compile: CompileSettings::default(),
            rollback: RollbackSettings::default(),
            start_with_last_good: false,
        }
    }
}

impl PlatformSettings {
    /// Settings of the `tailrace` command: a cache in the usual place, and a process of its own for the compiler.
    pub fn of_the_command() -> Self {
        // The very build that runs, whatever has become of its file.
        let program = Path::new("/proc/self/exe");
        let program = if program.exists() { Some(program.to_owned()) } else { std::env::current_exe().ok() };
        let mut settings = Self::default();
        settings.cache.directory = CacheSettings::usual_directory(&|name| std::env::var_os(name));
        settings.compile.program = program;
        settings
    }
}

impl CacheSettings {
    /// `$TAILRACE_CACHE_DIR`, else `$XDG_CACHE_HOME/tailrace`, else `$HOME/.cache/tailrace`, else `/var/cache/tailrace`.
    /// `TAILRACE_CACHE_DIR` set to nothing means that there is no cache.
    pub fn usual_directory(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        if let Some(directory) = variable("TAILRACE_CACHE_DIR") {
            return (!directory.is_empty()).then(|| directory.into());
        }
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // `/` is the home of users who have none.
        let home = absolute("HOME").filter(|home| home.parent().is_some());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
        Some(caches.unwrap_or_else(|| "/var/cache".into()).join("tailrace"))
    }
}

/// What the plugins of a process share.
pub struct Platform {
    settings: PlatformSettings,
    compiler: Compiler,
    cache: OnceLock<Option<Cache>>,
    /// Plugins that are being loaded.
    coming: Arc<Mutex<usize>>,
}

/// A place for a plugin, taken until it is on the list or was not loaded.
pub(super) struct Room(Arc<Mutex<usize>>);

impl Drop for Room {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

/// Every plugin of the process.
static PLUGINS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());
static OF_THE_PROCESS: RwLock<Option<Arc<Platform>>> = RwLock::new(None);

impl Platform {
    /// With these settings. Touches nothing yet.
    pub fn new(settings: PlatformSettings) -> Arc<Self> {
        let compiler = Compiler::new(settings.compile.clone());
        Arc::new(Self { settings, compiler, cache: OnceLock::new(), coming: Arc::default() })
    }

    /// The one of this process.
    pub fn of_process() -> Arc<Self> {
        if let Some(platform) = &*OF_THE_PROCESS.read().unwrap_or_else(PoisonError::into_inner) {
            return Arc::clone(platform);
        }
        let mut slot = OF_THE_PROCESS.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slot.get_or_insert_with(|| Self::new(PlatformSettings::default())))
    }

    /// Makes this the one of the process, for plugins that are loaded from now on.
    pub fn install(self: Arc<Self>) {
        *OF_THE_PROCESS.write().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// Its settings.
    pub fn settings(&self) -> &PlatformSettings {
        &self.settings
    }

    /// What every plugin that counts into `metrics` says about itself, by name: the plugins of one collector.
    pub fn views(metrics: &Metrics) -> Vec<Value> {
        let mut plugins = plugins();
        plugins.retain(|plugin| plugin.counts_into(metrics));
        plugins.sort_by(|a, b| a.name().cmp(b.name()));
        plugins.iter().map(|plugin| plugin.view()).collect()
    }

    /// Whether the plugin with this hash is in the cache, compiled for this host.
    pub fn has_compiled(&self, hash: Hash) -> bool {
        self.cache().zip(engine().ok()).is_some_and(|(cache, engine)| cache.has(engine, hash))
    }

    pub(super) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// The cache, if there is one that can be used; why not is said once.
    pub(super) fn cache(&self) -> Option<&Cache> {
        let open = || {
            let CacheSettings { directory, bytes_max } = &self.settings.cache;
            let directory = directory.as_ref().filter(|_| *bytes_max > 0)?;
            match PrivateDir::open(directory) {
                Ok(directory) => Some(Cache::new(directory, *bytes_max)),
                Err(reason) => {
                    tracing::warn!("no cache for compiled plugins, each start compiles them again: {reason}");
                    None
                }
            }
        };
        self.cache.get_or_init(open).as_ref()
    }

    /// Refuses one plugin too many; several may be loaded at once.
    pub(super) fn take_room(&self) -> Result<Room, LoadError> {
        let ours = |plugin: &&Arc<Inner>| std::ptr::eq(Arc::as_ptr(&plugin.platform), self);
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, max) = (plugins().iter().filter(ours).count() + *coming, self.settings.max_plugins);
        if count < max {
            *coming += 1;
            return Ok(Room(Arc::clone(&self.coming)));
        }
        Err(LoadError(format!(
            "there are {count} plugins already; max_plugins of the extension `plugins` allows {max}"
        )))
    }
}

/// Puts a plugin on the list.
pub(super) fn enlist(plugin: &Arc<Inner>) {
    let mut known = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|plugin| plugin.strong_count() > 0);
    known.push(Arc::downgrade(plugin));
}

fn plugins() -> Vec<Arc<Inner>> {
    PLUGINS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_directories() {
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            CacheSettings::usual_directory(&find).map(|path| path.display().to_string())
        };
        let all = [("TAILRACE_CACHE_DIR", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/home/ann")];
        assert_eq!(of(&all).as_deref(), Some("/c"));
        assert_eq!(of(&all[1..]).as_deref(), Some("/x/tailrace"));
        assert_eq!(of(&all[2..]).as_deref(), Some("/home/ann/.cache/tailrace"));
        assert_eq!(of(&[("HOME", "/"), ("XDG_CACHE_HOME", "relative")]).as_deref(), Some("/var/cache/tailrace"));
        assert_eq!(of(&[]).as_deref(), Some("/var/cache/tailrace"));
        assert_eq!(of(&[("TAILRACE_CACHE_DIR", ""), ("HOME", "/home/ann")]), None);
    }
}
