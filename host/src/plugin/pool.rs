//! The instances of one generation: as many as run at once, reused, and thrown away after an accident.
//!
//! A batch waits for a free instance; that is backpressure. No lock is held while a guest runs. The pool does not decide
//! whether an accident counts against the plugin: who ran the batch tells it ([`Pool::accident`]).

use super::breaker::Breaker;
use super::error::{Failure, Incident};
use super::guest::Shared;
use super::instance::Instance;
use super::interest::Interest;
use super::limits::Limits;
use super::log::cut;
use super::metrics::PluginMetrics;
use super::program::Program;
use super::rollback::Tally;
use super::state::Kept;
use crate::workers::lane::{Habit, Moment, SLOW, drop_aside};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant as Clock;

/// With so many bytes more after each call a plugin is slow, however long its calls take.
const MUCH_GROWN: i64 = 256 << 10;

/// Makes and keeps instances.
pub(super) struct Pool {
    program: Arc<Program>,
    config: Arc<str>,
    /// What the first instance wants to see.
    interest: Interest,
    limits: Arc<Limits>,
    shared: Arc<Shared>,
    idle: Mutex<Vec<Housed>>,
    turns: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    metrics: PluginMetrics,
    tally: Tally,
    /// Whether its calls take long.
    pub(super) habit: Habit,
    /// From when on a [`Lease`] counts its time.
    born: Instant,
    /// If the plugin keeps something when its instance is replaced.
    kept: Option<Kept>,
}

/// An instance, counted for as long as it lives.
pub(super) struct Housed {
    pub(super) instance: Instance,
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

    /// Counts what it has used since the last time; gives how long its last call computed, and by how much it has grown.
    fn count(&mut self) -> (Duration, i64) {
        let bytes = i64::try_from(self.instance.memory_bytes()).unwrap_or(i64::MAX);
        let grown = bytes - std::mem::replace(&mut self.bytes, bytes);
        self.metrics.memory.add(grown);
        let computed = self.instance.take_computed();
        self.metrics.cpu_nanos.add(u64::try_from(computed.as_nanos()).unwrap_or(u64::MAX));
        (computed, grown)
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
/// in the middle of a call. To give its memory back takes a while; its turn ends with that.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    housed: Option<Housed>,
    turn: Option<OwnedSemaphorePermit>,
    /// Since when it is in use.
    since: Moment,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(housed) = self.housed.take() {
            drop_aside((housed, self.turn.take()));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop_aside(std::mem::take(&mut self.idle));
    }
}

impl Pool {
    /// With one instance that is configured already, and answered with this interest.
    pub(super) fn new(
        program: Arc<Program>,
        config: Arc<str>,
        interest: Interest,
        limits: Arc<Limits>,
        shared: Arc<Shared>,
        first: Instance,
        metrics: PluginMetrics,
    ) -> Self {
        let keeps = program.exports.state.is_some();
        let kept = keeps.then(|| Kept::new(shared.log.plugin(), limits.state_bytes, metrics.states.clone()));
        let instances = if interest.single { 1 } else { limits.instances };
        Self {
            program,
            config,
            interest,
            limits,
            shared,
            idle: Mutex::new(vec![Housed::new(first, &metrics)]),
            turns: Arc::new(Semaphore::new(instances.max(1))),
            breaker: Mutex::default(),
            metrics,
            tally: Tally::default(),
            habit: Habit::default(),
            born: Instant::now(),
            kept,
        }
    }

    /// An instance, as soon as one is free.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Failure> {
        let closed = || Failure::new(Incident::Start, "the plugin is being unloaded");
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| closed())?;
        if let Some(rest) = self.breaker().admit(Clock::now()) {
            let message = format!("it failed several times in a row and rests for another {rest:.1?}");
            return Err(Failure::new(Incident::Resting, message));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lease = Lease { pool: self, housed: idle, turn: Some(turn), since: Moment::default() };
        if let Some(kept) = &self.kept {
            lease.retire_if_spent(kept).await;
        }
        if lease.housed.is_none() {
            lease.fill().await?;
        }
        lease.since = Moment::now(self.born);
        Ok(lease)
    }

    /// Another instance, configured.
    pub(super) async fn make(&self) -> Result<Housed, Failure> {
        let mut instance = Instance::new(&self.program, &self.limits, &self.shared).await?;
        match instance.configure(&self.config).await {
            Ok(Ok(stated)) => {
                if self.interest.agrees_with(stated) {
                    return Ok(Housed::new(instance, &self.metrics));
                }
                let message = "a further instance wants to see something else than the first one: all instances must \
                               give the same answer to the same configuration, fields in the same order";
                Err(Failure::new(Incident::Start, message))
            }
            Ok(Err(answer)) => {
                let answer = cut(&answer, 1024);
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

    /// What is kept between instances, if anything.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Saves what the one instance wants to keep, and ends it. To be called when nobody has it.
    pub(super) async fn retire(&self) {
        let Some(kept) = &self.kept else { return };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut housed) = idle {
            kept.save(&mut housed.instance).await;
        }
    }

    /// This instance serves from now on.
    pub(super) fn use_instead(&self, housed: Housed) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = vec![housed];
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

    /// The call ended by itself, and what it gave has been used: the instance may serve again, unless it is spent.
    pub(super) fn done(mut self) {
        self.pool.tally.answered();
        self.pool.breaker().good();
        let Some(housed) = &mut self.housed else { return };
        let (computed, grown) = housed.count();
        // What the host does with the answer keeps a worker as well: many megabytes take a plugin no time.
        let took = computed.max(Moment::now(self.pool.born).since(self.since));
        if grown >= MUCH_GROWN {
            // The system gives each new page in the middle of the call, which keeps the others of its worker waiting.
            self.pool.habit.did_much();
        } else if took < SLOW {
            self.pool.habit.was_quick();
        }
        // One that keeps something is asked for it when the next batch comes: that takes a call.
        if self.pool.kept.is_some() || !housed.instance.is_spent() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.housed.take());
        }
    }

    /// Ends an instance that has served long enough, and keeps what it wants to.
    async fn retire_if_spent(&mut self, kept: &Kept) {
        if let Some(housed) = self.housed.as_mut().filter(|housed| housed.instance.is_spent()) {
            kept.save(&mut housed.instance).await;
            self.housed = None;
        }
    }

    /// Makes an instance, with what was kept. One that does not take it makes room for one that starts fresh.
    async fn fill(&mut self) -> Result<(), Failure> {
        self.housed = Some(self.pool.make().await?);
        let (Some(kept), Some(housed)) = (&self.pool.kept, &mut self.housed) else { return Ok(()) };
        if !kept.restore(&mut housed.instance).await {
            self.housed = None;
            self.housed = Some(self.pool.make().await?);
        }
        Ok(())
    }

    /// The call ended in an accident: the instance goes.
    pub(super) fn accident(self) {
        drop(self);
    }
}
