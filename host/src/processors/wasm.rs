//! `wasm`: batches through a plugin, a WebAssembly component from a watched directory that can be swapped while it runs.
//!
//! ```yaml
//! processors:
//!   wasm/redact:
//!     directory: /etc/tailrace/plugins  # watched
//!     module: redact                    # redact.wasm in it, or a path
//!     config: {keys: [user.email], action: delete}   # handed to the plugin
//!     error_mode: propagate             # propagate | ignore | drop
//!     limits: {timeout: 100ms, memory_mib: 64}
//! ```
//!
//! Without `module` every plugin of the directory runs, in the order of the file names, each with its sidecar (`every.rs`).
//!
//! Holds nothing: a batch waits for a free instance, which is backpressure, and its answer is that of the next stage. What the
//! plugin drops is counted with reason `plugin`, what `error_mode: drop` drops with reason `plugin_error`, both only once
//! the rest of the batch has been taken.

mod every;
mod settings;
mod sidecar;
#[cfg(test)]
mod tests;

pub use settings::Config;

use crate::component::{
    BuildError, ComponentInfo, Consumer, Context, Processor, ProcessorConfig, ProcessorFactory, Stability, parse,
};
use crate::pdata::Signal;
use crate::plugin::processor::{Place, Plugins};
use crate::plugin::stage::Stage;
use crate::plugin::{Options, Plugin, Role, Written, directory};
use std::sync::Arc;

/// Makes `wasm` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo { kind: "wasm", deprecated: &[], signals: &Signal::ALL, stability: Stability::Alpha },
    parse: |section, problems| {
        let mut config = parse::<Config>(section, problems)?;
        config.written = Written::at(section);
        Some(config as _)
    },
};

impl ProcessorConfig for Config {
    /// Loads the plugin: a missing or broken one is found here, by `tailrace validate` too.
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        if self.module.is_empty() {
            return every::build(self, context, next);
        }
        let file = self.file();
        let limits = self.limits.limits(context.workers.count());
        let module_bytes = limits.module_bytes;
        let candidate = directory::read(&file, module_bytes).map_err(|error| {
            let module = &self.module;
            let fix = match module.strip_suffix(".wasm").filter(|name| !name.contains('/')) {
                Some(name) => format!("that is a path; the file in `directory` is `{name}`"),
                None => "put a component there, or set `directory` or `module`".to_owned(),
            };
            let message = format!("cannot read plugin {module:?}: {error} ({fix})");
            self.written.error(&context, "module", message)
        })?;
        let place = Place::of(&context);
        let options = Options {
            name: context.place(),
            role: Role::Batches,
            config: self.plugin_config(),
            error_mode: self.error_mode,
            limits,
        };
        let labels = place.labels(self.name());
        let plugin = Plugin::load_file(&file, &candidate, options, context.telemetry.metrics(), &labels);
        let plugin = plugin.map_err(|error| self.written.refused(&context, &file, &error))?;
        let plugin = Arc::new(plugin);
        let shown = Arc::clone(&plugin);
        context.show(move || shown.status());
        let stage = Arc::new(Stage::single(context.clone(), Arc::clone(&plugin), next));
        let (path, rescan) = (file.clone(), self.rescan());
        let follow = move || directory::watch(&file, rescan, Arc::clone(&plugin), module_bytes);
        Ok(Arc::new(Plugins::following(context, stage, &path, follow)))
    }
}
