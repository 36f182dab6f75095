//! The instances of one generation: as many as run at once, reused, and thrown away after an accident.
//!
//! A batch waits for a free instance; that is backpressure. No lock is held while a guest runs. The pool does not decide
//! whether an accident counts against the plugin: who ran the batch tells it ([`Pool::accident`]).

use super::breaker::Breaker;
use super::error::{Failure, Incident};
use super::instance::Instance;
use super::limits::Limits;
use super::log::PluginLog;
use super::metrics::PluginMetrics;
use super::program::Program;
use super::rollback::Tally;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant as Clock;

/// Makes and keeps instances.
pub(super) struct Pool {
    program: Arc<Program>,
    config: Arc<str>,
    limits: Arc<Limits>,
    log: Arc<PluginLog>,
    idle: Mutex<Vec<Housed>>,
    turns: Semaphore,
    breaker: Mutex<Breaker>,
    metrics: PluginMetrics,
    tally: Tally,
}

/// An instance, counted for as long as it lives.
struct Housed {
    instance: Instance,
    /// The memory that has been counted for it.
    bytes: i64,
    metrics: PluginMetrics,
}

impl Housed {
    fn new(instance: Instance, metrics: &PluginMetrics) -> Self {
        metrics.instances.add(1);
        let mut housed = Self { instance, bytes: 0, metrics: metrics.clone() };
        housed.count();
        housed
    }

    /// Counts what it has used since the last time.
    fn count(&mut self) {
        let bytes = i64::try_from(self.instance.memory_bytes()).unwrap_or(i64::MAX);
        self.metrics.memory.add(bytes - std::mem::replace(&mut self.bytes, bytes));
        let nanos = u64::try_from(self.instance.take_computed().as_nanos()).unwrap_or(u64::MAX);
        self.metrics.cpu_nanos.add(nanos);
    }
}

impl Drop for Housed {
    fn drop(&mut self) {
        self.count();
        self.metrics.instances.add(-1);
        self.metrics.memory.add(-self.bytes);
    }
}

/// An instance in use. Unless [`Lease::done`] is called it is thrown away: after an accident, and when the caller is gone
/// in the middle of a call.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    housed: Option<Housed>,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    /// With one instance that is configured already; at most `instances` at once.
    pub(super) fn new(
        program: Arc<Program>,
        config: Arc<str>,
        limits: Arc<Limits>,
        log: Arc<PluginLog>,
        instances: usize,
        first: Instance,
        metrics: PluginMetrics,
    ) -> Self {
        Self {
            program,
            config,
            limits,
            log,
            idle: Mutex::new(vec![Housed::new(first, &metrics)]),
            turns: Semaphore::new(instances.max(1)),
            breaker: Mutex::default(),
            metrics,
            tally: Tally::default(),
        }
    }

    /// An instance, as soon as one is free.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Failure> {
        let closed = || Failure::new(Incident::Start, "the plugin is being unloaded");
        let turn = self.turns.acquire().await.map_err(|_| closed())?;
        if let Some(rest) = self.resting() {
            let message = format!("it failed several times in a row and rests for another {rest:.1?}");
            return Err(Failure::new(Incident::Resting, message));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let housed = match idle {
            Some(housed) => housed,
            None => self.make().await?,
        };
        Ok(Lease { pool: self, housed: Some(housed), _turn: turn })
    }

    async fn make(&self) -> Result<Housed, Failure> {
        let mut instance = Instance::new(&self.program, &self.limits, &self.log).await?;
        match instance.configure(&self.config).await {
            Ok(Ok(_)) => Ok(Housed::new(instance, &self.metrics)),
            Ok(Err(answer)) => {
                let message = format!("a further instance refused the configuration that the first one took: {answer}");
                Err(Failure::new(Incident::Start, message))
            }
            Err(failure) => Err(Failure::new(failure.incident, format!("in configure: {failure}"))),
        }
    }

    /// A batch ended in an accident that counts against the plugin.
    pub(super) fn accident(&self) {
        self.breaker().accident(Clock::now());
    }

    /// How long it still rests.
    pub(super) fn resting(&self) -> Option<Duration> {
        self.breaker().resting(Clock::now())
    }

    /// Its calls and how they ended.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Bytes of the memories of instances that are not in use.
    pub(super) fn idle_memory_bytes(&self) -> usize {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().map(|housed| housed.instance.memory_bytes()).sum()
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    /// The instance; there is one until the lease ends.
    pub(super) fn instance(&mut self) -> Result<&mut Instance, Failure> {
        let housed = self.housed.as_mut().ok_or_else(|| Failure::new(Incident::Start, "there is no instance"))?;
        Ok(&mut housed.instance)
    }

    /// The call ended by itself: the instance may serve again, unless it is spent.
    pub(super) fn done(mut self) {
        self.pool.tally.answered();
        self.pool.breaker().good();
        let Some(mut housed) = self.housed.take() else { return };
        housed.count();
        if !housed.instance.is_spent() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(housed);
        }
    }

    /// The call ended in an accident: the instance goes.
    pub(super) fn accident(self) {
        drop(self);
    }
}
