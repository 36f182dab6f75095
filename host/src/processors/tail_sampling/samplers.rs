//! Samplers: the plugins that policies of type `wasm` ask.
//!
//! All traces of a decision slice are shown in one call, which happens outside of every lock. **A plugin that fails costs its
//! own vote, never a trace**: when a call over many traces has an accident, they are asked about in smaller
//! groups, so that one poisoned trace costs the others nothing, and what is left without an answer votes as
//! `error_mode` says. The plugin can be swapped while traces wait; a call is answered by one version.

use super::policy::wasm::ErrorMode as Mode;
use super::policy::{Answer, layout::Wish};
use super::shown::{Answers, Shown};
use crate::component::{BuildError, ComponentId, Context};
use crate::plugin::processor::{Followed, Place};
use crate::plugin::{ErrorMode, Failed, Mood, Options, Plugin, Role, directory, plugin_file, plugin_name};
use crate::shutdown::Deadline;
use serde_json::Value;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use tailrace_columns::Decision;

/// Traces that are asked about at a time after a call over more of them had an accident; then they are asked about one by one.
const GROUP: usize = 25;
/// Calls with accidents before the rest of a slice stays without an answer.
const ACCIDENTS_MAX: usize = 8;

/// A plugin that is asked about traces.
pub struct Sampler {
    wish: Wish,
    processor: ComponentId,
    file: PathBuf,
    plugin: Arc<Plugin>,
    followed: Followed,
    mood: Mood,
}

impl Sampler {
    /// Loads the plugin of each wish. Those that are among `old` with the same settings go on running; those that only got another
    /// configuration keep their counts and, if they keep any, their state. Blocks.
    ///
    /// # Errors
    /// What is wrong with a file, or what a plugin has against its configuration.
    pub fn load_all(context: &Context, wishes: &[Wish], old: &[Arc<Self>]) -> Result<Vec<Arc<Self>>, BuildError> {
        let same = |wish: &Wish| old.iter().find(|sampler| sampler.wish == *wish).map(Arc::clone);
        wishes.iter().map(|wish| same(wish).map_or_else(|| Self::load(context, wish, old).map(Arc::new), Ok)).collect()
    }

    fn load(context: &Context, wish: &Wish, old: &[Arc<Self>]) -> Result<Self, BuildError> {
        let settings = &wish.settings;
        let file = plugin_file(&settings.directory, &settings.module);
        let limits = settings.limits.limits(context.workers.count());
        let module_bytes = limits.module_bytes;
        let candidate = directory::read(&file, module_bytes).map_err(|error| {
            let module = &settings.module;
            let message = format!(
                "policy {:?}: cannot read plugin {module:?}: {error} (put a component there, or set `directory` or `module`)",
                wish.policy
            );
            settings.written.error(context, "module", message)
        })?;
        let place = Place::of(context);
        let [processor, pipeline, plugin] = place.labels(plugin_name(&settings.module));
        let labels = [processor, pipeline, ("policy", wish.policy.as_str()), plugin];
        let options = Options {
            name: format!("{}/{}", context.place(), wish.policy),
            role: Role::Traces,
            config: settings.written.config(&settings.config),
            // What a sampler's failure means is said by the policy; this is only what the plugin wishes.
            error_mode: None,
            limits,
        };
        let name = options.name.clone();
        let before = old.iter().find(|sampler| sampler.wish.policy == wish.policy && sampler.file == file);
        let plugin = match before {
            Some(before) => before
                .plugin
                .reconfigured(&candidate, options, &labels)
                .inspect_err(|error| before.plugin.refuse(Some(candidate.hash()), &error.to_string())),
            None => Plugin::load_file(&file, &candidate, options, context.telemetry.metrics(), &labels),
        };
        let plugin = plugin.map_err(|error| settings.written.refused(context, &file, &error))?;
        let plugin = Arc::new(plugin);
        let shown = Arc::clone(&plugin);
        context.telemetry.status().publish(&format!("processor:{name}"), move || shown.status());
        let (path, rescan, followed) = (file.clone(), settings.rescan_interval.get(), Arc::clone(&plugin));
        let follow = move || directory::watch(&path, rescan, Arc::clone(&followed), module_bytes);
        let (processor, followed, mood) = (context.id.clone(), Followed::new(&file, follow), Mood::default());
        Ok(Self { wish: wish.clone(), processor, file, plugin, followed, mood })
    }

    /// Follows the file from now on, if that is not done yet.
    ///
    /// # Errors
    /// If the directory cannot be watched.
    pub fn start(&self, context: &Context) -> Result<(), BuildError> {
        self.followed.start(context)
    }

    /// Follows the file no longer.
    pub async fn stop(&self, deadline: Deadline) {
        self.plugin.close();
        self.followed.stop(deadline).await;
    }

    /// Whether it looks at spans, not only at their counts and times.
    pub fn sees_spans(&self) -> bool {
        self.plugin.sees_spans()
    }

    /// Name of the policy that wants it asked, behind those of the policies that it is part of.
    pub fn policy(&self) -> &str {
        &self.wish.policy
    }

    /// What runs, for people: name, version, and the number of the version.
    pub fn running(&self) -> String {
        let status = self.plugin.status();
        let text = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = status.get("generation").and_then(Value::as_u64).unwrap_or_default();
        format!("{} {}, generation {number}", text("plugin"), text("version"))
    }

    /// Its number as a version that runs, and its name.
    pub fn version(&self) -> (u64, &str) {
        (self.plugin.generation(), plugin_name(&self.wish.settings.module))
    }

    /// Asks about all of `shown`.
    async fn ask(&self, shown: &Shown) -> Vec<Answer> {
        let mut answers = vec![None; shown.traces.len()];
        let mut accidents = 0;
        let mut groups = VecDeque::new();
        groups.push_back(0..answers.len());
        while let Some(group) = groups.pop_front() {
            let said = match self.plugin.ask(|wanted, spans| shown.traces(group.clone(), wanted, spans)).await {
                Ok(decisions) => {
                    self.works();
                    decisions.into_iter().map(Some).collect()
                }
                Err(no) => {
                    self.fails(&no);
                    accidents += usize::from(no.by_accident());
                    if no.by_accident() && accidents < ACCIDENTS_MAX && group.len() > 1 {
                        groups.extend(split(&group, if group.len() > GROUP { GROUP } else { 1 }));
                        continue;
                    }
                    vec![self.instead(&no); group.len()]
                }
            };
            if let Some(places) = answers.get_mut(group) {
                places.copy_from_slice(&said);
            }
        }
        answers
    }

    fn works(&self) {
        if self.mood.works() {
            tracing::info!(processor = %self.processor, policy = self.wish.policy, "the plugin works again");
        }
    }

    fn fails(&self, failed: &Failed) {
        if let Some(unsaid) = self.mood.fails() {
            let (processor, policy, error) = (&self.processor, &self.wish.policy, &failed.error);
            tracing::warn!(%processor, policy, unsaid, "the plugin fails, which costs its vote: {error}");
        }
    }

    /// What counts as its answer when it has none.
    fn instead(&self, failed: &Failed) -> Answer {
        let wished = if failed.mode == ErrorMode::Drop { Mode::Drop } else { Mode::Ignore };
        match self.wish.settings.error_mode.unwrap_or(wished) {
            Mode::Ignore => None,
            Mode::Sample => Some(Decision::Sample(None)),
            Mode::Drop => Some(Decision::Drop),
        }
    }
}

/// Asks all plugins of the policies about `shown`, one after the other.
pub async fn ask_all(shown: &Shown) -> Answers {
    let samplers = shown.policies.samplers();
    let mut by_plugin = Vec::with_capacity(samplers.len());
    for sampler in samplers {
        by_plugin.push(sampler.ask(shown).await);
    }
    Answers::new(shown.traces.len(), &by_plugin)
}

fn split(range: &Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, end) = (range.start, range.end);
    (start..end).step_by(size).map(move |start| start..(start + size).min(end))
}
