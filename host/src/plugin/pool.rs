//! The instances of one generation: as many as run at once, reused, and thrown away after an accident.
//!
//! A batch waits for a free instance; that is backpressure. No lock is held while a guest runs.

use super::breaker::Breaker;
use super::error::{Failure, Incident};
use super::instance::Instance;
use super::limits::Limits;
use super::log::{PluginLog, cut};
use super::program::Program;
use crate::telemetry::Gauge;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant as Clock;

/// Makes and keeps instances.
pub(super) struct Pool {
    program: Arc<Program>,
    config: Arc<str>,
    limits: Arc<Limits>,
    log: Arc<PluginLog>,
    idle: Mutex<Vec<Instance>>,
    turns: Semaphore,
    breaker: Mutex<Breaker>,
    alive: Gauge,
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
        log: Arc<PluginLog>,
        instances: usize,
        first: Instance,
        alive: Gauge,
    ) -> Self {
        alive.add(1);
        Self {
            program,
            config,
            limits,
            log,
            idle: Mutex::new(vec![first]),
            turns: Semaphore::new(instances.max(1)),
            breaker: Mutex::default(),
            alive,
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
        let instance = match idle {
            Some(instance) => instance,
            None => match self.make().await {
                Ok(instance) => instance,
                Err(failure) => {
                    self.accident();
                    return Err(failure);
                }
            },
        };
        Ok(Lease { pool: self, instance: Some(instance), _turn: turn })
    }

    async fn make(&self) -> Result<Instance, Failure> {
        let mut instance = Instance::new(&self.program, &self.limits, &self.log).await?;
        match instance.configure(&self.config).await {
            Ok(Ok(_)) => {
                self.alive.add(1);
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
        self.alive.add(-(idle as i64));
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
        if let Some(instance) = self.instance.take_if(|instance| !instance.is_spent()) {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }

    /// The call ended in an accident: the instance goes.
    pub(super) fn accident(self) {
        self.pool.accident();
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.instance.is_some() {
            self.pool.alive.add(-1);
        }
    }
}
