//! Every plugin of a directory, in the order of the file names.
//!
//! ```yaml
//! processors:
//!   wasm:
//!     directory: /etc/tailrace/plugins  # 10-redact.wasm, 10-redact.yaml, 20-tidy.wasm ...
//!     max_plugins: 32
//!     removal_grace: 10s
//!     error_mode: propagate             # of those whose sidecar says nothing else
//!     limits: {timeout: 100ms}
//! ```
//!
//! The directory is the desired state (`plugin::directory`'s `folder` says what that means for what vanishes or is broken). At
//! the start a plugin that does not load is an error, as with `module`: to start without it would let everything pass
//! that it is there to stop.

use super::settings::Config;
use super::sidecar;
use crate::component::{BoxFuture, BuildError, Component, ConsumeError, Consumer, Context, Draft, Processor};
use crate::pdata::{Batch, Signal};
use crate::plugin::directory::{self, Folder, FolderOptions, Found, Loader, Watch};
use crate::plugin::stage::{Member, Stage};
use crate::plugin::{LoadError, Options, Plugin, Role};
use crate::shutdown::Deadline;
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_columns::Wants;

struct Every {
    context: Context,
    config: Config,
    stage: Arc<Stage>,
    folder: Arc<Folder>,
    watch: Mutex<Option<Watch>>,
}

/// Makes plugins with their sidecars, and puts them into the stage.
struct Maker {
    config: Config,
    context: Context,
    stage: Arc<Stage>,
}

/// Builds a processor that runs every plugin of its directory.
pub(super) fn build(
    config: &Config,
    context: Context,
    next: Arc<dyn Consumer>,
) -> Result<Arc<dyn Processor>, BuildError> {
    let stage = Arc::new(Stage::new(context.clone(), Vec::new(), next));
    let maker = Maker { config: config.clone(), context: context.clone(), stage: Arc::clone(&stage) };
    let options = FolderOptions {
        path: config.directory.clone(),
        plugins_max: config.max_plugins,
        grace: config.removal_grace(),
        bytes_max: config.limits.limits(1).module_bytes,
    };
    let folder = Folder::open(options, Box::new(maker)).map_err(|faults| context.error(faults))?;
    stage.set(folder.members());
    let (shown, name) = (Arc::clone(&folder), place(&context));
    context.telemetry.status().publish(&format!("processor:{name}"), move || shown.status());
    Ok(Arc::new(Every { context, config: config.clone(), stage, folder, watch: Mutex::default() }))
}

/// The processor and its pipeline: what tells this place from others.
fn place(context: &Context) -> String {
    match &context.pipeline {
        Some(pipeline) => format!("{}@{pipeline}", context.id),
        None => context.id.to_string(),
    }
}

impl Loader for Maker {
    fn load(&self, found: &Found<'_>, before: Option<&Plugin>) -> Result<Plugin, LoadError> {
        let (id, name) = (self.context.id.to_string(), place(&self.context));
        let pipeline = self.context.pipeline.as_ref().map(ToString::to_string).unwrap_or_default();
        let labels = [("processor", id.as_str()), ("pipeline", pipeline.as_str()), ("plugin", found.name)];
        let metrics = self.context.telemetry.metrics();
        let loaded = sidecar::read(found.sidecar, &self.config, self.context.workers.count())
            .map_err(LoadError)
            .and_then(|setup| {
                let options = Options {
                    name: format!("{name}:{}", found.name),
                    role: Role::Batches,
                    config: setup.config.into(),
                    error_mode: setup.error_mode,
                    limits: setup.limits,
                };
                match before {
                    Some(plugin) => plugin.reconfigured(found.candidate, options, &labels),
                    None if found.late => Plugin::load_late(found.file, found.candidate, options, metrics, &labels),
                    None => Plugin::load_file(found.file, found.candidate, options, metrics, &labels),
                }
            });
        if loaded.as_ref().is_err_and(|error| before.is_none() && !error.is_for_tail_sampling()) {
            Plugin::count_refused(metrics, &labels);
        }
        loaded
    }

    fn publish(&self, members: Vec<Arc<Member>>) {
        let now = self.stage.members();
        let same = now.len() == members.len() && now.iter().zip(&members).all(|(a, b)| Arc::ptr_eq(a, b));
        if !same {
            self.stage.set(members);
        }
    }
}

impl Component for Every {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let path = &self.config.directory;
        let watch = directory::watch_folder(path, self.config.rescan(), Arc::clone(&self.folder))
            .map_err(|error| self.context.error(format_args!("cannot watch {}: {error}", path.display())));
        let started = watch.map(|watch| *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch));
        Box::pin(std::future::ready(started))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        for member in self.stage.members().iter() {
            member.plugin().close();
        }
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            // The thread of the directory may be compiling; it is waited for beside the runtime.
            let _ = deadline.bound(tokio::task::spawn_blocking(move || drop(watch))).await;
        })
    }
}

impl Processor for Every {}

impl Consumer for Every {
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
