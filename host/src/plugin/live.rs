//! The plugin as its users hold it: the version that runs now, its swap for another, and what it says about itself.
//!
//! The switch is one atomic pointer: a batch takes the generation once and is processed by exactly that one; batches that
//! are under way finish on the old. Only a plugin that keeps state lets batches wait for the switch ([`super::state`]). A candidate that does not load leaves the old version running, and the reason stays
//! in the status until the file is good again.

use super::contract::Role;
use super::error::{LoadError, RunError};
use super::generation::Generation;
use super::limits::Limits;
use super::metrics::PluginMetrics;
use super::program::{Candidate, Hash};
use super::state::{self, Current};
use super::work;
use crate::pdata::Batch;
use crate::telemetry::Metrics;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tailrace_columns::{Decision, Traces, Wanted};

/// What happens to a batch for which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMode {
    /// It is refused; the sender hears an error and may try again.
    Propagate,
    /// It is passed on unchanged.
    Ignore,
    /// It is dropped and counted.
    Drop,
}

impl ErrorMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Propagate => "propagate",
            Self::Ignore => "ignore",
            Self::Drop => "drop",
        }
    }
}

/// How a plugin is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name in logs.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// What `configure` gets: a JSON text.
    pub config: Arc<str>,
    /// What the operator wants done when a call fails; `None` leaves it to the plugin.
    pub error_mode: Option<ErrorMode>,
    /// What it may use.
    pub limits: Limits,
}

/// What a plugin made of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing; the batch goes on as it is.
    Unchanged,
    /// This batch goes on instead. It has at most as many items.
    Replaced(Batch),
    /// All of it is dropped.
    Dropped {
        /// The plugin's words for it.
        reason: Option<String>,
    },
}

/// Why a batch has no outcome, and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What the operator, or else the plugin, wants done.
    pub mode: ErrorMode,
    /// What happened.
    pub error: RunError,
}

/// A plugin that runs and can be swapped.
pub struct Plugin {
    options: Options,
    current: Current,
    metrics: PluginMetrics,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    /// Why the file as it lies in the directory does not run.
    load: Option<(SystemTime, Option<Hash>, String)>,
    /// The last call that failed.
    call: Option<(SystemTime, String)>,
    /// The plugin's words when it last dropped a whole batch.
    drop_reason: Option<String>,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It runs already.
    Same,
    /// It runs now, as this generation.
    Swapped(u64),
    /// It does not; the old version goes on.
    Refused(LoadError),
}

impl Plugin {
    /// Loads the first version. Blocks; may be called inside and outside of a runtime.
    ///
    /// # Errors
    /// What is wrong with the file, or what the plugin has against its configuration.
    pub fn load(
        candidate: &Candidate,
        options: Options,
        metrics: &Metrics,
        labels: &[(&'static str, &str)],
    ) -> Result<Self, LoadError> {
        let metrics = PluginMetrics::open(metrics, labels);
        // A thread of its own, since a runtime cannot be started inside a runtime.
        let load = || Generation::load(candidate, 1, &options, &metrics);
        let died = |_| Err(LoadError::new("loading it ended in a panic of the host"));
        let first = std::thread::scope(|scope| scope.spawn(load).join().unwrap_or_else(died))?;
        metrics.generation.set(1);
        Ok(Self { options, current: Current::new(first), metrics, trouble: Mutex::default() })
    }

    /// Runs a batch through the version that is current now.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn run(&self, batch: &Batch) -> Result<Outcome, Failed> {
        let (generation, inside) = self.current.enter().await;
        let outcome = state::run(&generation, inside, &self.metrics, batch).await.map_err(|error| {
            self.trouble().call = Some((SystemTime::now(), error.to_string()));
            Failed { mode: self.error_mode(&generation), error }
        })?;
        if let Outcome::Dropped { reason: Some(reason) } = &outcome {
            self.trouble().drop_reason = Some(reason.clone());
        }
        Ok(outcome)
    }

    /// Asks the version that is current now about traces; one decision for each, in their order.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn decide(&self, traces: &Traces) -> Result<Vec<Decision>, Failed> {
        let (generation, _inside) = self.current.enter().await;
        work::decide(&generation, &self.metrics, traces).await.map_err(|error| {
            self.trouble().call = Some((SystemTime::now(), error.to_string()));
            Failed { mode: self.error_mode(&generation), error }
        })
    }

    /// Asks about each trace in a batch, as if nothing more of it would come: for trying out a sampler.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn decide_batch(&self, batch: &Batch) -> Result<Vec<([u8; 16], Decision)>, Failed> {
        let generation = self.current.load_full();
        let interest = &generation.interest;
        let wanted = Wanted { keys: &interest.keys, levels: &interest.levels, intrinsics: &interest.intrinsics };
        let traces = Traces::gather(batch.data(), batch.index(), wanted, generation.wants_spans).map_err(|error| {
            let error = RunError::Permanent(error.to_string());
            Failed { mode: ErrorMode::Propagate, error }
        })?;
        let decisions = self.decide(&traces).await?;
        Ok((0..traces.len()).filter_map(|at| traces.id(at)).zip(decisions).collect())
    }

    /// What is to be done when a call fails: the operator's word, else the plugin's, else "propagate".
    fn error_mode(&self, generation: &Generation) -> ErrorMode {
        self.options.error_mode.or(generation.error_mode).unwrap_or(ErrorMode::Propagate)
    }

    /// Puts another version in its place, if it loads. Blocks for as long as that takes; batches flow on meanwhile. Not to be
    /// called from two threads at once, and not on a worker.
    pub fn offer(&self, candidate: &Candidate) -> Offer {
        let current = self.current.load_full();
        let plugin = self.options.name.as_str();
        if current.hash() == candidate.hash() {
            self.trouble().load = None;
            return Offer::Same;
        }
        match Generation::load(candidate, current.number + 1, &self.options, &self.metrics) {
            Ok(next) => {
                let number = next.number;
                tracing::info!(
                    plugin,
                    generation = number,
                    version = next.version,
                    hash = next.hash().short(),
                    replaced = current.hash().short(),
                    "plugin reloaded"
                );
                self.current.store(Arc::new(next));
                self.metrics.generation.set(i64::try_from(number).unwrap_or(i64::MAX));
                self.metrics.reloads.add(1);
                self.trouble().load = None;
                Offer::Swapped(number)
            }
            Err(error) => {
                self.refuse(Some(candidate.hash()), &error.to_string());
                Offer::Refused(error)
            }
        }
    }

    /// Notes why the file in the directory cannot be used; the running version goes on.
    pub fn refuse(&self, hash: Option<Hash>, reason: &str) {
        if self.note(hash, reason) {
            self.metrics.reload_failures.add(1);
        }
    }

    /// Notes that the file is gone; the running version goes on.
    pub fn missing(&self, file: &Path) {
        self.note(None, &format!("{} is missing", file.display()));
    }

    /// Logs and keeps a reason, once; whether it is new.
    fn note(&self, hash: Option<Hash>, reason: &str) -> bool {
        let mut trouble = self.trouble();
        if trouble.load.as_ref().is_some_and(|(_, before, text)| *before == hash && text == reason) {
            return false;
        }
        let (plugin, generation) = (self.options.name.as_str(), self.current.load().number);
        let hash_short = hash.map(|hash| hash.short());
        tracing::warn!(plugin, generation, hash = hash_short, "the running version of the plugin goes on: {reason}");
        trouble.load = Some((SystemTime::now(), hash, reason.to_owned()));
        true
    }

    /// The hash of what runs.
    pub fn hash(&self) -> Hash {
        self.current.load().hash()
    }

    /// The number of the version that runs; the first is 1.
    pub fn generation(&self) -> u64 {
        self.current.load().number
    }

    /// What it says about itself, for `GET /status`.
    pub fn status(&self) -> Value {
        let current = self.current.load();
        let metrics = &self.metrics;
        let (nanos, items) = (metrics.nanos.get(), metrics.items.get());
        let trouble = self.trouble();
        let load = trouble.load.as_ref().map(|(at, hash, reason)| {
            json!({ "at": seconds(*at), "hash": hash.map(|hash| hash.to_string()), "reason": reason })
        });
        let call = trouble.call.as_ref().map(|(at, reason)| json!({ "at": seconds(*at), "reason": reason }));
        let failures = super::Incident::ALL.iter().filter_map(|incident| {
            let count = metrics.failures(*incident)?.get();
            (count > 0).then(|| (incident.as_str().to_owned(), count.into()))
        });
        json!({
            "plugin": current.name,
            "version": current.version,
            "interface": current.kind.as_str(),
            "generation": current.number,
            "hash": current.hash().to_string(),
            "loaded_at": seconds(current.loaded),
            "error_mode": self.error_mode(&current).as_str(),
            "calls": metrics.calls.get(),
            "skipped": metrics.skipped.get(),
            "items": items,
            "items_dropped": metrics.items_dropped.get(),
            "values_set": metrics.values_set.get(),
            "values_removed": metrics.values_removed.get(),
            "nanoseconds_per_item": nanos.checked_div(items),
            "failures": failures.collect::<serde_json::Map<_, _>>(),
            "refusals": metrics.refusals.get(),
            "instances": metrics.instances.get(),
            "idle_memory_bytes": current.pool.idle_memory_bytes(),
            "reloads": metrics.reloads.get(),
            "reload_failures": metrics.reload_failures.get(),
            "load_error": load,
            "last_call_error": call,
            "last_drop_reason": trouble.drop_reason,
        })
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
