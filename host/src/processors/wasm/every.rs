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
use crate::component::{BuildError, Consumer, Context, Processor};
use crate::plugin::directory::{self, Folder, FolderOptions, Found, Loader};
use crate::plugin::processor::{Place, Plugins};
use crate::plugin::stage::{Member, Stage};
use crate::plugin::{LoadError, Options, Plugin, Role, faults};
use crate::yaml::Section;
use std::sync::Arc;

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
    let shown = Arc::clone(&folder);
    context.show(move || shown.status());
    let (path, rescan) = (config.directory.clone(), config.rescan());
    let follow = move || directory::watch_folder(&path, rescan, Arc::clone(&folder));
    Ok(Arc::new(Plugins::following(context, stage, &config.directory, follow)))
}

impl Loader for Maker {
    fn load(&self, found: &Found<'_>, before: Option<&Plugin>) -> Result<Plugin, LoadError> {
        let place = Place::of(&self.context);
        let labels = place.labels(found.name);
        let metrics = self.context.telemetry.metrics();
        let loaded = sidecar::read(found.sidecar, &self.config, self.context.workers.count())
            .map_err(LoadError)
            .and_then(|(setup, written)| {
                let options = Options {
                    name: format!("{}:{}", self.context.place(), found.name),
                    role: Role::Batches,
                    config: setup.config,
                    error_mode: setup.error_mode,
                    limits: setup.limits,
                };
                let loaded = match (before, found.late) {
                    (Some(plugin), _) => plugin.reconfigured(found.candidate, options, &labels),
                    (None, Some(ending)) => {
                        Plugin::load_late(found.file, found.candidate, options, metrics, &labels, ending)
                    }
                    (None, None) => Plugin::load_file(found.file, found.candidate, options, metrics, &labels),
                };
                loaded.map_err(|error| match (error.about_configuration(), written) {
                    (Some(answer), Some(node)) => {
                        let section = Section { path: "config", node: &node };
                        let faults = faults(&section, answer, "").to_string();
                        let (faults, several) = (faults.trim_end(), faults.trim_end().contains('\n'));
                        LoadError(format!("it refuses its configuration:{}{faults}", if several { "\n" } else { " " }))
                    }
                    (Some(answer), None) => {
                        let sidecar = found.file.with_extension("yaml");
                        let nothing = format!("there is no `config` in {}", sidecar.display());
                        LoadError(format!("it refuses its configuration: {answer} ({nothing})"))
                    }
                    _ => error,
                })
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
