//! What a plugin keeps when its instance is replaced, as `wit/state.wit` promises it.
//!
//! Only plugins that run in one instance keep anything. When that instance is spent, the next batch finds it saved and
//! replaced ([`Kept`], used by [`super::pool`]). When another version takes the place of the plugin ([`Current`]), its
//! batches wait at a gate from the end of the last call of the old instance until the new one has taken over: for one
//! `save` and one `restore`, both under the limits of a call. The new version is loaded, configured and tried before that,
//! and it runs whatever becomes of the state: what cannot be saved or restored is logged and counted, and the plugin
//! starts fresh.

#[cfg(test)]
mod tests;

use super::chain::{self, Prepared, Step};
use super::error::{Failure, Incident, LoadError, RunError};
use super::generation::Generation;
use super::instance::Instance;
use super::log::cut;
use super::metrics::PluginMetrics;
use super::options::Outcome;
use super::pool::Housed;
use super::program::Program;
use super::work;
use crate::component::Draft;
use crate::pdata::Batch;
use crate::telemetry::{Counter, Metrics, names};
use crate::workers::lane::{Work, polite};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use tailrace_columns::{Decision, Traces, Union, Wants};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Longest text of a guest that goes into a message.
const MESSAGE_BYTES: usize = 1024;

/// Runs a batch in a version of which `inside` is the permission.
pub(super) async fn run(
    generation: &Arc<Generation>,
    inside: Inside,
    metrics: &Arc<PluginMetrics>,
    batch: &Batch,
) -> Result<Outcome, RunError> {
    if work::skips(generation, metrics, batch) {
        return Ok(Outcome::Unchanged);
    }
    let (called, metrics, batch) = (Arc::clone(generation), Arc::clone(metrics), batch.clone());
    call(generation, inside, Box::pin(async move { work::run(&called, &metrics, &batch).await })).await
}

/// The same for a draft. While the call runs, the caller's draft is the batch as it was last written.
pub(super) async fn run_draft(
    generation: &Arc<Generation>,
    inside: Inside,
    metrics: &Arc<PluginMetrics>,
    draft: &mut Draft,
    union: impl FnOnce(&Arc<Wants>) -> Arc<Union>,
) -> Result<Step, RunError> {
    let turn = match chain::prepare(generation, metrics, draft, union)? {
        Prepared::Step(step) => return Ok(step),
        Prepared::Turn(turn) => turn,
    };
    let written = Draft::new(draft.parts().0.clone());
    let mut owned = std::mem::replace(draft, written);
    let (called, metrics) = (Arc::clone(generation), Arc::clone(metrics));
    let taken = async move {
        let ran = chain::take(&called, &metrics, &mut owned, turn).await;
        (owned, ran)
    };
    let (back, ran) = call(generation, inside, Box::pin(taken)).await;
    *draft = back;
    ran
}

/// The same for a question about traces.
pub(super) async fn decide(
    generation: &Arc<Generation>,
    inside: Inside,
    metrics: &Arc<PluginMetrics>,
    traces: &Arc<Traces>,
) -> Result<Vec<Decision>, RunError> {
    let (called, metrics, traces) = (Arc::clone(generation), Arc::clone(metrics), Arc::clone(traces));
    call(generation, inside, Box::pin(async move { work::decide(&called, &metrics, &traces).await })).await
}

/// Everything about a call, off its worker if it takes long.
async fn call<T: Send + 'static>(generation: &Arc<Generation>, inside: Inside, work: Work<T>) -> T {
    let Some(inside) = inside else { return polite(&generation.pool.habit, work).await };
    let generation = Arc::clone(generation);
    to_the_end(inside, async move { polite(&generation.pool.habit, work).await }).await
}

/// What is called in a version that keeps something runs to the end even if the sender goes away in the middle: the
/// instance, with all it knows, would be lost for nothing. A panic of the host is the caller's, as if it had called itself.
async fn to_the_end<T: Send + 'static>(
    inside: OwnedRwLockReadGuard<()>,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let run = tokio::spawn(async move {
        let ran = work.await;
        drop(inside);
        ran
    });
    match run.await {
        Ok(ran) => ran,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and the caller with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Refuses a plugin that would keep the state of some of its instances.
pub(super) fn check(program: &Program, single: bool) -> Result<(), LoadError> {
    if single || program.exports.state.is_none() {
        return Ok(());
    }
    Err(LoadError::new(
        "it exports `state`, but its interest lets it run in several instances, each with a state of its own: it must say \
         `instances: single` (in Rust: `Interest::in_one_instance()`), or not export `state`",
    ))
}

/// How often state was handed on, and what became of it.
#[derive(Clone)]
pub(super) struct StateMetrics {
    restored: Counter,
    refused: Counter,
    failed: Counter,
    too_large: Counter,
}

impl StateMetrics {
    /// Opens the series; `labels` say which plugin and where.
    pub(super) fn open(metrics: &Metrics, labels: &[(&'static str, &str)]) -> Self {
        let result = |value| {
            let labels: Vec<_> = labels.iter().copied().chain([("result", value)]).collect();
            metrics.counter(&names::PLUGIN_STATES, None, &labels)
        };
        Self {
            restored: result("restored"),
            refused: result("refused"),
            failed: result("failed"),
            too_large: result("too_large"),
        }
    }
}

/// The state of a plugin between two instances.
pub(super) struct Kept {
    plugin: Arc<str>,
    /// What was saved and not yet restored. It stays here until an instance has it, also when the batch that waits for
    /// that is given up.
    saved: Mutex<Option<Arc<[u8]>>>,
    limit: usize,
    metrics: StateMetrics,
}

impl Kept {
    /// For the plugin of this name, which may keep so many bytes.
    pub(super) fn new(plugin: &str, limit: usize, metrics: StateMetrics) -> Self {
        Self { plugin: plugin.into(), saved: Mutex::default(), limit, metrics }
    }

    /// Asks an instance that gets no further call what it wants to keep.
    pub(super) async fn save(&self, instance: &mut Instance) {
        let plugin = &*self.plugin;
        let saved = match instance.save(self.limit).await {
            Ok(saved) if saved.len() <= self.limit => Some(Arc::from(saved)),
            Ok(saved) => {
                self.metrics.too_large.add(1);
                let bytes = saved.len();
                tracing::warn!(plugin, bytes, "the plugin starts fresh: its state is larger than state_mib allows");
                None
            }
            Err(failure) if failure.incident == Incident::Output => {
                self.metrics.too_large.add(1);
                tracing::warn!(plugin, "the plugin starts fresh: its state is larger than state_mib allows");
                None
            }
            Err(failure) => {
                self.metrics.failed.add(1);
                tracing::warn!(plugin, "the plugin starts fresh: it could not save its state: {failure}");
                None
            }
        };
        *self.saved() = saved;
    }

    /// Hands an instance that had no batch yet what was saved. False if it must not be used, because it has read some of it.
    pub(super) async fn restore(&self, instance: &mut Instance) -> bool {
        let Some(saved) = self.saved().clone() else { return true };
        let plugin = &*self.plugin;
        let restored = instance.restore(&saved).await;
        *self.saved() = None;
        match restored {
            Ok(Ok(())) => {
                self.metrics.restored.add(1);
                true
            }
            Ok(Err(reason)) => {
                self.metrics.refused.add(1);
                let reason = cut(&reason, MESSAGE_BYTES);
                tracing::warn!(plugin, "the plugin starts fresh: it refuses what it kept: {reason}");
                false
            }
            Err(failure) => {
                self.metrics.failed.add(1);
                tracing::warn!(plugin, "the plugin starts fresh: it could not restore its state: {failure}");
                false
            }
        }
    }

    /// Takes over what another version saved.
    fn inherit(&self, from: &Self) {
        *self.saved() = from.saved().take();
    }

    /// The instance that was to take it could not be made.
    fn forget(&self, failure: &Failure) {
        if self.saved().take().is_some() {
            self.metrics.failed.add(1);
            let plugin = &*self.plugin;
            tracing::warn!(
                plugin,
                "the plugin starts fresh: no instance could be made to restore its state: {failure}"
            );
        }
    }

    fn saved(&self) -> std::sync::MutexGuard<'_, Option<Arc<[u8]>>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version that runs now. Where nothing is kept, this is one atomic pointer.
pub(super) struct Current {
    generation: Arc<ArcSwap<Generation>>,
    /// Held by batches of a version that keeps something, and, alone, by its replacement.
    gate: Arc<RwLock<()>>,
}

/// A batch is under way in a version that keeps something.
pub(super) type Inside = Option<OwnedRwLockReadGuard<()>>;

impl Current {
    pub(super) fn new(first: Generation) -> Self {
        Self::of(Arc::new(first))
    }

    fn of(generation: Arc<Generation>) -> Self {
        Self { generation: Arc::new(ArcSwap::new(generation)), gate: Arc::default() }
    }

    /// The version, to look at.
    pub(super) fn load(&self) -> arc_swap::Guard<Arc<Generation>> {
        self.generation.load()
    }

    /// The version, to look at for longer.
    pub(super) fn load_full(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// The version for a batch, which must be done when the second value is dropped.
    pub(super) async fn enter(&self) -> (Arc<Generation>, Inside) {
        let generation = self.load_full();
        if generation.pool.kept().is_none() {
            return (generation, None);
        }
        let inside = Arc::clone(&self.gate).read_owned().await;
        (self.load_full(), Some(inside))
    }

    /// Puts another version in place, and hands it what the old one kept. Blocks until that is done; not to be called on a
    /// worker.
    pub(super) fn store(&self, next: Arc<Generation>) {
        let (place, new) = (Arc::clone(&self.generation), Arc::clone(&next));
        self.replace(&next, move || place.store(Arc::clone(&new)));
    }

    /// The same for the same plugin with another configuration: it gets a place of its own. What this one still runs starts
    /// fresh.
    pub(super) fn succeed(&self, next: Arc<Generation>) -> Self {
        self.replace(&next, || ());
        Self::of(next)
    }

    fn replace(&self, next: &Arc<Generation>, switch: impl Fn() + Clone + Send + 'static) {
        let old = self.load_full();
        if old.pool.kept().is_none() || next.pool.kept().is_none() {
            return switch();
        }
        // Made before anybody has to wait for it. The first instance, which had the self-test, stays for the case that
        // this one does not take the state.
        let successor = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(next.pool.make()),
            Err(error) => Err(Failure::new(Incident::Start, error)),
        };
        let (gate, to, switched) = (Arc::clone(&self.gate), Arc::clone(next), switch.clone());
        let work = async move {
            let alone = gate.write().await;
            hand_over(&old, &to, successor).await;
            switched();
            drop(alone);
        };
        // From here on batches wait.
        if next.program.engine.foreground.run(work).is_none() {
            tracing::error!(plugin = next.name, "the plugin starts fresh: its state was not handed on");
            switch();
        }
    }
}

/// Hands on what a version keeps to another, while no batch is in either.
async fn hand_over(old: &Generation, next: &Generation, successor: Result<Housed, Failure>) {
    let (Some(from), Some(to)) = (old.pool.kept(), next.pool.kept()) else { return };
    old.pool.retire().await;
    to.inherit(from);
    match successor {
        Ok(mut successor) => {
            if to.restore(&mut successor.instance).await {
                next.pool.use_instead(successor);
            }
        }
        Err(failure) => to.forget(&failure),
    }
}
