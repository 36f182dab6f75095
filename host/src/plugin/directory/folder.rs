//! A directory of which every plugin runs: what lies in it is what should run, in the order of the file names.
//!
//! A plugin is `<name>.wasm`; `<name>.yaml` beside it, its sidecar, says how it is to run. Other files are none of our
//! business, nor are names that begin with a dot or a `#` (editors, `..data` of a ConfigMap). A pair is read once both
//! files have stopped changing.
//!
//! Nothing here lets data pass that a plugin would have stopped:
//! - A plugin that vanishes goes on for `grace`, since a `mv` by hand unlinks before it writes; so does its configuration
//!   if only the sidecar vanishes. Only a look at the directory after that removes it. The same file and sidecar under
//!   another name take its place at once, in the position of the new name.
//! - A directory that is missing, or cannot be read, says nothing about what should run: all goes on.
//! - A version or a sidecar that does not load leaves the plugin running as it was, and the others untouched.
//!
//! At most `plugins_max` run. Those that run already come first; one too many is not loaded, and the status says so.

mod follow;
mod lying;
mod slots;
#[cfg(test)]
mod tests;

use super::loads;
use super::look::{self, Look};
use super::{Candidate, STABLE};
use crate::plugin::engine::engine;
use crate::plugin::stage::Member;
use crate::plugin::{Hash, LoadError, Offer, Platform, Plugin};
use serde_json::{Value, json};
use slots::{Note, Slot, State};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Size of a sidecar.
const SIDECAR_BYTES_MAX: usize = 1 << 20;

/// What is told about a directory.
pub struct FolderOptions {
    /// Where it is.
    pub path: PathBuf,
    /// How many plugins may run.
    pub plugins_max: usize,
    /// How long what vanished goes on.
    pub grace: Duration,
    /// Size of a plugin's file.
    pub bytes_max: usize,
}

/// A plugin as it lies in the directory.
pub struct Found<'a> {
    /// Its name: the file without `.wasm`.
    pub name: &'a str,
    /// Its file.
    pub file: &'a Path,
    /// What is in the file.
    pub candidate: &'a Candidate,
    /// Its sidecar: the file, and what is in it.
    pub sidecar: Option<(&'a Path, &'a str)>,
    /// If batches flow already: set when nobody waits for it any more.
    pub late: Option<&'a AtomicBool>,
}

/// What makes plugins of what is found.
pub trait Loader: Send + Sync {
    /// A plugin; `before` is the one that goes on under this name until then, and is to be configured anew.
    ///
    /// # Errors
    /// What is wrong with the file or its sidecar.
    fn load(&self, found: &Found<'_>, before: Option<&Plugin>) -> Result<Plugin, LoadError>;

    /// These run from now on.
    fn publish(&self, members: Vec<Arc<Member>>);
}

/// A directory that is followed.
pub struct Folder {
    options: FolderOptions,
    loader: Box<dyn Loader>,
    state: Mutex<State>,
}

impl Folder {
    /// Loads what is there. Blocks. A directory that is missing or empty is one of which nothing runs yet.
    ///
    /// # Errors
    /// Every plugin that does not load, or a directory that cannot be read: one that is missing from the start would let
    /// everything pass, and there is no older version to go on with.
    pub fn open(options: FolderOptions, loader: Box<dyn Loader>) -> Result<Arc<Self>, String> {
        let folder = Self { options, loader, state: Mutex::default() };
        // The first plugin may come late, on a thread of low priority; a fault will be told then.
        let _ = engine();
        let (mut slots, mut faults, mut problem) = (BTreeMap::new(), Vec::new(), None);
        match lying::plugins(&folder.options.path) {
            Ok(names) if names.len() > folder.options.plugins_max => return Err(folder.too_many(names.len())),
            Ok(names) => {
                let names: Vec<_> = names.into_iter().collect();
                let at_once = Platform::of_process().settings().load_concurrency;
                let loaded = loads::all(at_once, &names, |(name, pair)| folder.first(name, pair));
                for ((name, _), slot) in names.into_iter().zip(loaded) {
                    if let Note::Problem(problem) = &slot.note {
                        faults.push(problem.clone());
                    }
                    slots.insert(name, slot);
                }
            }
            Err(reason) if look::of(&folder.options.path) == Look::Missing => problem = Some(reason),
            // There may be plugins in it, and without them everything would pass.
            Err(reason) => return Err(reason),
        }
        if !faults.is_empty() {
            return Err(faults.join("\n"));
        }
        let state = State { slots, problem, strays: Vec::new() };
        let directory = folder.options.path.display();
        match &state.problem {
            Some(problem) => tracing::warn!(%directory, "no plugin runs from there yet: {problem}"),
            None if state.running() == 0 => {
                tracing::warn!(%directory, "no plugin is there yet; batches pass unchanged until one is");
            }
            None => {}
        }
        *folder.state() = state;
        Ok(Arc::new(folder))
    }

    /// The plugins that run, in the order of their names.
    pub fn members(&self) -> Vec<Arc<Member>> {
        self.state().members()
    }

    /// What it says about itself.
    pub fn status(&self) -> Value {
        let state = self.state();
        let plugins: Vec<Value> = state.slots.iter().map(|(name, slot)| self.slot_status(name, slot)).collect();
        json!({
            "directory": self.options.path.display().to_string(),
            "problem": state.problem,
            "unused": state.strays,
            "plugins": plugins,
        })
    }

    fn slot_status(&self, name: &str, slot: &Slot) -> Value {
        let mut status = slot.member.as_ref().map_or_else(|| json!({}), |member| member.plugin().status());
        let Some(fields) = status.as_object_mut() else { return status };
        let state = match (&slot.member, slot.gone, &slot.note) {
            (Some(_), None, _) => "running",
            (Some(_), Some(_), _) => "leaving",
            (None, ..) if slot.busy => "loading",
            (None, _, Note::Sampler) => "sampler",
            (None, ..) => "not loaded",
        };
        fields.insert("name".to_owned(), name.into());
        fields.insert("state".to_owned(), state.into());
        fields.insert("file".to_owned(), self.file(name).display().to_string().into());
        if let Note::Problem(problem) = &slot.note {
            fields.insert("problem".to_owned(), problem.clone().into());
        }
        status
    }

    fn file(&self, name: &str) -> PathBuf {
        lying::file(&self.options.path, name)
    }

    fn sidecar(&self, name: &str) -> PathBuf {
        lying::sidecar(&self.options.path, name)
    }

    fn too_many(&self, count: usize) -> String {
        let (path, max) = (self.options.path.display(), self.options.plugins_max);
        format!("{path} holds {count} plugins, more than the {max} that max_plugins allows")
    }

    /// A plugin that is there from the start.
    fn first(&self, name: &str, pair: &(Look, Look)) -> Slot {
        let mut slot = Slot::default();
        let file = self.file(name);
        // Waits until the file has stopped changing.
        let read = look::read_stable(&file, self.options.bytes_max, STABLE);
        let sidecar = match &pair.1 {
            Look::Missing => Ok(None),
            Look::Unusable(problem) => Err(problem.clone()),
            Look::File(_) => look::read_text(&self.sidecar(name), SIDECAR_BYTES_MAX).map(Some),
        };
        match (read, sidecar) {
            (Ok(candidate), Ok(sidecar)) => self.load(name, &candidate, sidecar, None, &mut slot),
            (Err(problem), _) | (_, Err(problem)) => slot.note = Note::Problem(problem),
        }
        slot
    }

    /// Brings a plugin in step with what was read.
    fn load(
        &self,
        name: &str,
        candidate: &Candidate,
        sidecar: Option<String>,
        late: Option<&AtomicBool>,
        slot: &mut Slot,
    ) {
        let file = self.file(name);
        let sidecar_file = self.sidecar(name);
        let text = sidecar.as_deref().map(|text| (sidecar_file.as_path(), text));
        let found = Found { name, file: &file, candidate, sidecar: text, late };
        let before = slot.member.as_ref().map(|member| Arc::clone(member.plugin()));
        let loaded = match (&before, &slot.runs) {
            (None, _) => {
                let running = self.state().running();
                if running >= self.options.plugins_max {
                    let problem = LoadError(self.too_many(running + 1));
                    return self.refuse(name, None, &problem.0, slot);
                }
                self.loader.load(&found, None).map(Some)
            }
            // Only the file changed, or nothing but its date.
            (Some(plugin), Some((_, runs))) if *runs == sidecar => match plugin.offer(candidate) {
                Offer::Same | Offer::Swapped(_) => Ok(None),
                Offer::Refused(error) => Err(error),
            },
            (Some(plugin), _) => self.loader.load(&found, Some(plugin)).map(Some),
        };
        match loaded {
            Ok(new) => {
                if let Some(plugin) = new {
                    if before.is_none() && late.is_some() {
                        tracing::info!(plugin = name, hash = candidate.hash().short(), "a new plugin runs");
                    }
                    slot.member = Some(Member::new(name, Arc::new(plugin)));
                }
                if let Some(member) = &slot.member {
                    member.plugin().no_trouble();
                }
                slot.note = Note::None;
                slot.runs = Some((candidate.hash(), sidecar));
            }
            Err(error) if error.is_for_tail_sampling() && before.is_none() => {
                if slot.note != Note::Sampler {
                    tracing::info!(
                        plugin = name,
                        "passed over: it is a sampler, which a policy of tail_sampling can use"
                    );
                }
                slot.note = Note::Sampler;
            }
            // Nobody goes on without it: who opens the directory tells.
            Err(error) if late.is_none() => slot.note = Note::Problem(self.unusable(name, &error.to_string())),
            Err(error) => self.refuse(name, Some(candidate.hash()), &error.to_string(), slot),
        }
    }

    fn unusable(&self, name: &str, reason: &str) -> String {
        format!("cannot use {} as a plugin: {reason}", self.file(name).display())
    }

    /// Notes why what lies there does not run.
    fn refuse(&self, name: &str, hash: Option<Hash>, reason: &str, slot: &mut Slot) {
        let problem = self.unusable(name, reason);
        match &slot.member {
            // It logs by itself, once.
            Some(member) => member.plugin().refuse(hash, reason),
            None if slot.note != Note::Problem(problem.clone()) => {
                tracing::error!(plugin = name, "{problem}; the other plugins go on without it");
            }
            None => {}
        }
        slot.note = Note::Problem(problem);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
