//! The plugin as its users hold it: the version that runs now, and a batch through it.
//!
//! The switch is one atomic pointer: a batch takes the generation once and is processed by exactly that one; batches that
//! are under way finish on the old. Only a plugin that keeps state lets batches wait for the switch ([`super::state`]). How
//! another version takes its place, and how it is taken back, is in [`super::swap`]; what the plugin says about itself in
//! [`super::view`].

use super::chain::{self, Ahead, Step};
use super::compile::Urgency;
use super::error::LoadError;
use super::inner::{Inner, Trouble};
use super::metrics::PluginMetrics;
use super::options::{Failed, Options, Outcome};
use super::platform::{Platform, enlist};
use super::program::{Candidate, Hash, Loader};
use super::quarantine::Input;
use super::state::{self, Current};
use super::swap::{Offer, Swaps};
use crate::component::Draft;
use crate::pdata::{Batch, Signal};
use crate::telemetry::Metrics;
use crate::workers::lane::step_aside;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tailrace_columns::{Decision, Traces, Union, Wanted, Wants};

/// A plugin that runs and can be swapped.
pub struct Plugin {
    pub(super) inner: Arc<Inner>,
}

/// Where a plugin counts: the registry, and the labels of this place in the configuration.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) labels: &'a [(&'static str, &'a str)],
}

impl Plugin {
    /// Loads a plugin that follows no file. Blocks; may be called inside and outside of a runtime.
    ///
    /// # Errors
    /// What is wrong with the file, or what the plugin has against its configuration.
    pub fn load(
        candidate: &Candidate,
        options: Options,
        metrics: &Metrics,
        labels: &[(&'static str, &str)],
    ) -> Result<Self, LoadError> {
        Self::load_in(&Platform::of_process(), None, candidate, options, Counted { metrics, labels })
    }

    /// Loads the first version of a plugin that follows `file`, of which `candidate` was read. If that does not load, and the
    /// platform allows it, the last good version of this place is loaded instead, with a loud warning.
    ///
    /// # Errors
    /// As [`Plugin::load`].
    pub fn load_file(
        file: &Path,
        candidate: &Candidate,
        options: Options,
        metrics: &Metrics,
        labels: &[(&'static str, &str)],
    ) -> Result<Self, LoadError> {
        Self::load_in(&Platform::of_process(), Some(file), candidate, options, Counted { metrics, labels })
    }

    /// As [`Plugin::load_file`], while batches flow: compiling takes its time and leaves the processors to them. Given up once
    /// `ending` is set.
    ///
    /// # Errors
    /// As [`Plugin::load`].
    pub fn load_late(
        file: &Path,
        candidate: &Candidate,
        options: Options,
        metrics: &Metrics,
        labels: &[(&'static str, &str)],
        ending: &AtomicBool,
    ) -> Result<Self, LoadError> {
        let (platform, counted) = (Platform::of_process(), Counted { metrics, labels });
        let how = (Urgency::Reload, ending);
        Self::load_at(&platform, how, Some(file), candidate, options, counted)
    }

    /// Loads a plugin into this platform.
    pub(super) fn load_in(
        platform: &Arc<Platform>,
        file: Option<&Path>,
        candidate: &Candidate,
        options: Options,
        counted: Counted<'_>,
    ) -> Result<Self, LoadError> {
        let how = (Urgency::Start, &AtomicBool::new(false));
        Self::load_at(platform, how, file, candidate, options, counted)
    }

    fn load_at(
        platform: &Arc<Platform>,
        (urgency, cancelled): (Urgency, &AtomicBool),
        file: Option<&Path>,
        candidate: &Candidate,
        options: Options,
        counted: Counted<'_>,
    ) -> Result<Self, LoadError> {
        let room = platform.take_room()?;
        let options = Arc::new(options);
        let metrics = Arc::new(PluginMetrics::open(counted.metrics, counted.labels));
        let swaps = Swaps::new(platform, &options.name, file);
        // A thread of its own, since a runtime cannot be started inside a runtime.
        let loader = Loader { platform, urgency, keep: true, cancelled };
        let load = || {
            if urgency == Urgency::Reload {
                step_aside();
            }
            swaps.first(loader, candidate, &options, &metrics)
        };
        let died = |_| Err(LoadError::new("loading it ended in a panic of the host"));
        let (first, instead_of) = std::thread::scope(|scope| scope.spawn(load).join().unwrap_or_else(died))?;
        metrics.generation.set(1);
        let trouble = Trouble { load: instead_of, ..Trouble::default() };
        let inner = Inner {
            options,
            platform: Arc::clone(platform),
            file: file.map(Path::to_owned),
            current: Current::new(first),
            metrics,
            registry: counted.metrics.clone(),
            swaps,
            trouble: Mutex::new(trouble),
        };
        let inner = Arc::new(inner);
        enlist(&inner);
        drop(room);
        inner.show_quarantine(counted.labels);
        Ok(Self { inner })
    }

    /// Runs a batch through the version that is current now.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn run(&self, batch: &Batch) -> Result<Outcome, Failed> {
        let (generation, inside) = self.inner.current.enter().await;
        let input = Input::Batch(batch);
        let result = match self.inner.admit(&generation, input) {
            Ok(()) => state::run(&generation, inside, &self.inner.metrics, batch).await,
            Err(failure) => Err(failure.into()),
        };
        let outcome = self.inner.settle(&generation, input, result)?;
        if let Outcome::Dropped { reason: Some(reason) } = &outcome {
            self.inner.dropped(reason, batch.items());
        }
        Ok(outcome)
    }

    /// Runs a draft through the version that is current now. `union` tells what a scan is to look for, given what this
    /// version wants.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no"; the draft is as it was before.
    pub(super) async fn run_draft(
        &self,
        draft: &mut Draft,
        union: impl FnOnce(&Arc<Wants>) -> Arc<Union>,
    ) -> Result<Step, Failed> {
        let (generation, inside) = self.inner.current.enter().await;
        // As it was last written: the same whenever a sender tries again.
        let (batch, items) = (draft.parts().0.clone(), draft.items());
        let input = Input::Batch(&batch);
        let result = match self.inner.admit(&generation, input) {
            Ok(()) => state::run_draft(&generation, inside, &self.inner.metrics, draft, union).await,
            Err(failure) => Err(failure.into()),
        };
        let step = self.inner.settle(&generation, input, result)?;
        if let Step::Dropped { reason: Some(reason) } = &step {
            self.inner.dropped(reason, items);
        }
        Ok(step)
    }

    /// What the version that is current now will want of a batch of this signal.
    pub(super) fn ahead(&self, signal: Signal) -> Ahead {
        chain::ahead(&self.inner.current.load(), signal)
    }

    /// Counts time that was spent for it outside of a call.
    pub(super) fn spent(&self, time: Duration) {
        self.inner.metrics.nanos.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The same plugin with other options, as the next generation: it counts on in the same series. Blocks like
    /// [`Self::offer`]; a program that is compiled already is not compiled again. This one is as it was, and may go on
    /// running; who asks notes why it does, with [`Self::refuse`].
    ///
    /// # Errors
    /// What the plugin has against its options, or what is wrong with the file.
    pub fn reconfigured(
        &self,
        candidate: &Candidate,
        options: Options,
        labels: &[(&'static str, &str)],
    ) -> Result<Self, LoadError> {
        let inner = self.inner.reconfigured(candidate, options)?;
        inner.show_quarantine(labels);
        Ok(Self { inner })
    }

    /// Notes that what lies in the directory is what runs.
    pub fn no_trouble(&self) {
        self.inner.trouble().load = None;
    }

    /// It left its pipeline: there is no generation of it any more.
    pub fn retired(&self) {
        self.inner.metrics.generation.set(0);
    }

    /// Counts a plugin that could not be loaded where none was before.
    pub fn count_refused(metrics: &Metrics, labels: &[(&'static str, &str)]) {
        PluginMetrics::open(metrics, labels).reload_failures.add(1);
    }

    /// Whether it wants to see anything of the spans of traces, beside their counts and times.
    pub fn sees_spans(&self) -> bool {
        let generation = self.inner.current.load();
        let wanted = generation.interest.wanted();
        generation.wants_spans || !wanted.keys.is_empty() || !wanted.intrinsics.is_empty()
    }

    /// Asks the version that is current now about traces; `show` makes the record of them, given which values that version
    /// wants and whether it wants whole spans. One decision for each, in their order.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn ask(&self, show: impl FnOnce(Wanted<'_>, bool) -> Traces) -> Result<Vec<Decision>, Failed> {
        let (generation, inside) = self.inner.current.enter().await;
        let traces = Arc::new(show(generation.interest.wanted(), generation.wants_spans));
        let input = Input::Traces(&traces);
        let result = match self.inner.admit(&generation, input) {
            Ok(()) => state::decide(&generation, inside, &self.inner.metrics, &traces).await,
            Err(failure) => Err(failure.into()),
        };
        self.inner.settle(&generation, input, result)
    }

    /// Asks about each trace in a batch, as if nothing more of it would come: for trying out a sampler.
    ///
    /// # Errors
    /// An accident, or the plugin's own "no".
    pub async fn decide_batch(&self, batch: &Batch) -> Result<Vec<([u8; 16], Decision)>, Failed> {
        let mut ids = Vec::new();
        let gather = |wanted: Wanted<'_>, wants_spans| {
            let traces = Traces::gather(batch.data(), batch.index(), wanted, wants_spans).unwrap_or_default();
            ids.extend((0..traces.len()).filter_map(|at| traces.id(at)));
            traces
        };
        let decisions = self.ask(gather).await?;
        Ok(ids.into_iter().zip(decisions).collect())
    }

    /// Puts another version in its place, if it loads. Blocks for as long as that takes; batches flow on meanwhile. Not to
    /// be called on a worker.
    pub fn offer(&self, candidate: &Candidate) -> Offer {
        self.inner.offer(candidate)
    }

    /// Notes why the file in the directory cannot be used; the running version goes on.
    pub fn refuse(&self, hash: Option<Hash>, reason: &str) {
        self.inner.refuse(hash, reason);
    }

    /// Notes that the file is gone; the running version goes on.
    pub fn missing(&self, file: &Path) {
        self.inner.note(None, &format!("{} is missing", file.display()), None);
    }

    /// From now on no other version is wanted: one that is being compiled is given up, so that nobody waits for it.
    pub fn close(&self) {
        self.inner.swaps.cancel();
    }

    /// The hash of what runs.
    pub fn hash(&self) -> Hash {
        self.inner.current.load().hash()
    }

    /// The number of the version that runs; the first is 1.
    pub fn generation(&self) -> u64 {
        self.inner.current.load().number
    }

    /// What it says about itself, for `GET /status` and `GET /plugins`.
    pub fn status(&self) -> Value {
        self.inner.view()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.inner.swaps.end();
    }
}
