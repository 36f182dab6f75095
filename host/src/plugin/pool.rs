//! The instances of one generation: as many as run at once, reused, and thrown away after an accident.
//!
//! A batch waits for a free instance; that is backpressure. No lock is held while a guest runs.

use super::breaker::Breaker;
use super::error::{Failure, Incident};
use super::guest::Shared;
use super::instance::Instance;
use super::limits::Limits;
use super::log::cut;
use super::metrics::PluginMetrics;
use super::program::Program;
use super::state::Kept;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant as Clock;

/// Makes and keeps instances.
pub(super) struct Pool {
    program: Arc<Program>,
    config: Arc<str>,
    limits: Arc<Limits>,
    shared: Arc<Shared>,
    idle: Mutex<Vec<Instance>>,
    turns: Semaphore,
    breaker: Mutex<Breaker>,
    metrics: PluginMetrics,
    /// If the plugin keeps something when its instance is replaced.
    kept: Option<Kept>,
}

/// An instance in use. Unless [`Lease::done`] is called it is thrown away: after an accident, and when the caller is gone
/// in the middle of a call.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    instance: Option<Instance>,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    /// With one instance that is configured already; at most `instances` at once.
    pub(super) fn new(
        program: Arc<Program>,
        config: Arc<str>,
        limits: Arc<Limits>,
        shared: Arc<Shared>,
        instances: usize,
        first: Instance,
        metrics: PluginMetrics,
    ) -> Self {
        metrics.instances.add(1);
        let keeps = program.exports.state.is_some();
        let kept = keeps.then(|| Kept::new(shared.log.plugin(), limits.state_bytes, metrics.states.clone()));
        Self {
            program,
            config,
            limits,
            shared,
            idle: Mutex::new(vec![first]),
            turns: Semaphore::new(instances.max(1)),
            breaker: Mutex::default(),
            metrics,
            kept,
        }
    }

    /// An instance, as soon as one is free.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Failure> {
        let closed = || Failure::new(Incident::Start, "the plugin is being unloaded");
        let turn = self.turns.acquire().await.map_err(|_| closed())?;
        let resting = self.breaker.lock().unwrap_or_else(PoisonError::into_inner).resting(Clock::now());
        if let Some(rest) = resting {
            let message = format!("it failed several times in a row and rests for another {rest:.1?}");
            return Err(Failure::new(Incident::Resting, message));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lease = Lease { pool: self, instance: idle, _turn: turn };
        if let Some(kept) = &self.kept {
            lease.retire_if_spent(kept).await;
        }
        if lease.instance.is_none() {
            lease.fill().await.inspect_err(|_| self.accident())?;
        }
        Ok(lease)
    }

    /// Another instance, configured.
    pub(super) async fn make(&self) -> Result<Instance, Failure> {
        let mut instance = Instance::new(&self.program, &self.limits, &self.shared).await?;
        match instance.configure(&self.config).await {
            Ok(Ok(_)) => {
                self.metrics.instances.add(1);
                Ok(instance)
            }
            Ok(Err(answer)) => {
                let answer = cut(&answer, 1024);
                let message = format!("a further instance refused the configuration that the first one took: {answer}");
                Err(Failure::new(Incident::Start, message))
            }
            Err(failure) => Err(Failure::new(failure.incident, format!("in configure: {failure}"))),
        }
    }

    /// What is kept between instances, if anything.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Saves what the one instance wants to keep, and ends it. To be called when nobody has it.
    pub(super) async fn retire(&self) {
        let Some(kept) = &self.kept else { return };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut instance) = idle {
            kept.save(&mut instance).await;
            self.dismiss(instance);
        }
    }

    /// This instance serves from now on.
    pub(super) fn use_instead(&self, instance: Instance) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *idle, vec![instance]);
        drop(idle);
        before.into_iter().for_each(|instance| self.dismiss(instance));
    }

    /// This instance is not needed any more.
    pub(super) fn dismiss(&self, instance: Instance) {
        self.metrics.instances.add(-1);
        drop(instance);
    }

    fn accident(&self) {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).accident(Clock::now());
    }

    /// Bytes of the memories of instances that are not in use.
    pub(super) fn idle_memory_bytes(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Instance::memory_bytes).sum()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let idle = self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).len();
        self.metrics.instances.add(-(idle as i64));
    }
}

impl Lease<'_> {
    /// The instance; there is one until the lease ends.
    pub(super) fn instance(&mut self) -> Result<&mut Instance, Failure> {
        self.instance.as_mut().ok_or_else(|| Failure::new(Incident::Start, "there is no instance"))
    }

    /// The call ended without an accident: the instance may serve again, unless it is spent.
    pub(super) fn done(mut self) {
        self.pool.breaker.lock().unwrap_or_else(PoisonError::into_inner).good();
        // One that keeps something is asked for it when the next batch comes: that takes a call.
        let stays = |instance: &mut Instance| self.pool.kept.is_some() || !instance.is_spent();
        if let Some(instance) = self.instance.take_if(stays) {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }

    /// Ends an instance that has served long enough, and keeps what it wants to.
    async fn retire_if_spent(&mut self, kept: &Kept) {
        if let Some(instance) = self.instance.as_mut().filter(|instance| instance.is_spent()) {
            kept.save(instance).await;
            self.empty();
        }
    }

    /// Makes an instance, with what was kept. One that does not take it makes room for one that starts fresh.
    async fn fill(&mut self) -> Result<(), Failure> {
        self.instance = Some(self.pool.make().await?);
        let (Some(kept), Some(instance)) = (&self.pool.kept, &mut self.instance) else { return Ok(()) };
        if !kept.restore(instance).await {
            self.empty();
            self.instance = Some(self.pool.make().await?);
        }
        Ok(())
    }

    fn empty(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.pool.dismiss(instance);
        }
    }

    /// The call ended in an accident: the instance goes.
    pub(super) fn accident(self) {
        self.pool.accident();
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.empty();
    }
}
