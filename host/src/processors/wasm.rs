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

pub use settings::{Config, LimitsConfig};
pub(crate) use settings::{config_json, plugin_file, plugin_name, usual_directory};

use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, ConsumeError, Consumer, Context, Draft, Processor,
    ProcessorConfig, ProcessorFactory, Stability, parse,
};
use crate::pdata::{Batch, Signal};
use crate::plugin::directory::{self, Watch};
use crate::plugin::stage::Stage;
use crate::plugin::{Options, Plugin, Role};
use crate::shutdown::Deadline;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tailrace_columns::Wants;

/// Makes `wasm` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo { kind: "wasm", deprecated: &[], signals: &Signal::ALL, stability: Stability::Alpha },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

struct Wasm {
    context: Context,
    file: PathBuf,
    rescan: Duration,
    module_bytes: usize,
    plugin: Arc<Plugin>,
    stage: Stage,
    watch: Mutex<Option<Watch>>,
}

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
            context.error(format_args!(
                "cannot read plugin {:?}: {error} (put a component there, or set `directory` or `module`)",
                self.module
            ))
        })?;
        let pipeline = context.pipeline.as_ref().map(ToString::to_string).unwrap_or_default();
        let id = context.id.to_string();
        let labels = [("processor", id.as_str()), ("pipeline", pipeline.as_str()), ("plugin", self.name())];
        let name = if pipeline.is_empty() { id.clone() } else { format!("{id}@{pipeline}") };
        let options = Options {
            name: name.clone(),
            role: Role::Batches,
            config: self.config_json().into(),
            error_mode: self.error_mode,
            limits,
        };
        let plugin = Plugin::load_file(&file, &candidate, options, context.telemetry.metrics(), &labels)
            .map_err(|error| context.error(format_args!("cannot use {} as a plugin: {error}", file.display())))?;
        let plugin = Arc::new(plugin);
        let shown = Arc::clone(&plugin);
        context.telemetry.status().publish(&format!("processor:{name}"), move || shown.status());
        Ok(Arc::new(Wasm {
            rescan: self.rescan(),
            watch: Mutex::default(),
            stage: Stage::single(context.clone(), Arc::clone(&plugin), next),
            context,
            file,
            module_bytes,
            plugin,
        }))
    }
}

impl Component for Wasm {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let watch = directory::watch(&self.file, self.rescan, Arc::clone(&self.plugin), self.module_bytes)
            .map_err(|error| self.context.error(format_args!("cannot watch {}: {error}", self.file.display())));
        let started = watch.map(|watch| *self.watch() = Some(watch));
        Box::pin(std::future::ready(started))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        self.plugin.close();
        let watch = self.watch().take();
        Box::pin(async move {
            // The thread of the directory may be compiling; it is waited for beside the runtime.
            let _ = deadline.bound(tokio::task::spawn_blocking(move || drop(watch))).await;
        })
    }
}

impl Processor for Wasm {}

impl Consumer for Wasm {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.stage.consume(batch)
    }

    fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.stage.consume_draft(draft)
    }

    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        self.stage.foresee(signal, wants)
    }
}

impl Wasm {
    fn watch(&self) -> std::sync::MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
