//! `tail_sampling`: holds the spans of a trace together until it can be said whether the trace is worth keeping.
//!
//! ```yaml
//! tail_sampling:
//!   decision_wait: 30s
//!   num_traces: 50000
//!   policies:
//!   - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
//!   - {name: slow, type: latency, latency: {threshold_ms: 1000}}
//!   - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
//! ```
//! **It says `Ok` when it has stored the spans**, and holds them in memory until the decision and, if the trace is kept, until
//! the next stage has taken them. A crash loses what it holds; a shutdown decides it (or drops and counts it, with
//! `drop_pending_traces_on_shutdown`). What the next stage refuses is offered again or counted
//! ([`handover`](crate::component::handover)).
//!
//! **Bounds.** `num_traces`, `max_memory_mib`, `maximum_trace_size_bytes`, and [`BACKLOG_BYTES_MAX`] of released spans. At the first
//! two the oldest traces are decided at once on what has arrived (counted as `decided_early`), or senders wait if
//! `block_on_overflow` says so; at the last senders wait and are then told to come again.
//!
//! **Time.** A trace is due `decision_wait` after its first span (or `decision_wait_after_root_received` after its root). Due traces
//! are decided at the next tick; ticks come every twentieth of the shorter wait, between 10 and 500 milliseconds.
//! Unlike in the Collector, waits shorter than a second and fractions of one work.
//!
//! **Late spans** follow the first decision for as long as the decision cache remembers it. It is on by default.
//!
//! **Spans without a trace id** (absent, or all zero) are decided at once, each by itself.
//!
//! The way of a span: [`intake`] cuts a batch into runs outside of any lock, a [`shard`] appends them to its [`store`] and
//! its [`table`], the votes of its [`policies`] are read from what was folded on arrival, [`regroup`] makes full batches.

pub mod cache;
mod config;
pub mod contexts;
pub mod intake;
pub mod policies;
pub mod policy;
pub mod regroup;
pub mod segment;
pub mod shard;
pub mod store;
pub mod table;
pub mod tally;

use crate::component::handover::{Bound, Handover};
use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, ConsumeError, Consumer, Context, Processor, ProcessorConfig,
    ProcessorFactory, Stability, parse,
};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use config::Config;
use intake::{Keyed, Runs};
use policies::Policies;
use shard::{Rules, Shard};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tally::Metrics;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// Released spans that wait for the next stage, in bytes, before senders are made to wait.
pub const BACKLOG_BYTES_MAX: usize = 32 << 20;
/// Shortest and longest time between two ticks.
const TICK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Makes `tail_sampling` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo {
        kind: "tail_sampling",
        deprecated: &[],
        signals: &[Signal::Traces],
        stability: Stability::Beta,
    },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

impl ProcessorConfig for Config {
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        Ok(Arc::new(TailSampling::new(self, context, next)))
    }
}

/// The processor.
struct TailSampling {
    inner: Arc<Inner>,
    context: Context,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

struct Inner {
    shards: Box<[Mutex<Shard>]>,
    policies: Arc<Policies>,
    keyed: Keyed,
    metrics: Arc<Metrics>,
    handover: Handover,
    context: Context,
    epoch: Instant,
    tick: Duration,
    block_on_overflow: bool,
    drop_pending_traces_on_shutdown: bool,
    /// Traces were decided: there may be room for others.
    decided: Notify,
    closed: AtomicBool,
    /// Callers that are between looking at `closed` and having stored their spans.
    storing: AtomicUsize,
}

impl TailSampling {
    fn new(config: &Config, context: Context, next: Arc<dyn Consumer>) -> Self {
        let (policies, layout) = config.policies();
        let policies = Arc::new(Policies::new(policies, layout, config.sample_on_first_match));
        let keyed = Keyed::random();
        // At least a mebibyte each.
        let count = config.num_shards.unwrap_or(context.workers.count()).clamp(1, config.max_memory_mib.max(1));
        let (sampled, not_sampled) = config.cache_sizes();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let after_root = config.decision_wait_after_root_received.0;
        let wait = config.decision_wait.0;
        let rules = Rules {
            policies: Arc::clone(&policies),
            keyed,
            wait_ms: millis(wait),
            wait_after_root_ms: (!after_root.is_zero()).then(|| millis(after_root)),
            traces_max: config.num_traces.div_ceil(count),
            bytes_max: (config.max_memory_mib << 20) / count,
            trace_bytes_max: if config.maximum_trace_size_bytes == 0 {
                u64::MAX
            } else {
                config.maximum_trace_size_bytes
            },
            traces_expected: config.expected_traces().div_ceil(count),
            cache: (sampled.div_ceil(count), not_sampled.div_ceil(count)),
        };
        let shorter = if after_root.is_zero() { wait } else { wait.min(after_root) };
        let backlog = Bound { batches: usize::MAX, bytes: BACKLOG_BYTES_MAX };
        let metrics = Arc::new(Metrics::new(&context, &policies));
        // The counts outlive the processor: what it decided while it drained can still be read.
        let shown = Arc::clone(&metrics);
        let inner = Arc::new(Inner {
            shards: (0..count).map(|_| Mutex::new(Shard::new(rules.clone()))).collect(),
            metrics,
            handover: Handover::new(&context, next, backlog),
            policies,
            keyed,
            context: context.clone(),
            epoch: Instant::now(),
            tick: (shorter / 20).clamp(TICK.0, TICK.1),
            block_on_overflow: config.block_on_overflow,
            drop_pending_traces_on_shutdown: config.drop_pending_traces_on_shutdown,
            decided: Notify::new(),
            closed: AtomicBool::new(false),
            storing: AtomicUsize::new(0),
        });
        let pipeline = context.pipeline.as_ref().map(|id| format!("@{id}")).unwrap_or_default();
        context.telemetry.status().publish(&format!("processor:{}{pipeline}", context.id), move || shown.view());
        Self { inner, context, tasks: Mutex::default() }
    }
}

/// A caller that is storing spans.
struct Storing<'a>(&'a AtomicUsize);

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    async fn consume(&self, batch: Batch) -> Result<(), ConsumeError> {
        self.handover.room().await?;
        let runs = Runs::new(&batch, &self.policies, &self.keyed);
        let parts = self.deal(&runs);
        if self.block_on_overflow {
            self.wait_for_room(&runs, &parts).await;
        }
        // From here to the end nothing is awaited: the batch is taken whole or, if the caller gives up before, not at all.
        let storing = Storing(&self.storing);
        self.storing.fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            return Err(ConsumeError::retryable(format!("{}: shutting down", self.context.id)));
        }
        self.context.account.held().add(runs.spans() as i64);
        let now_ms = self.now_ms();
        for (shard, numbers) in self.shards.iter().zip(&parts) {
            if !numbers.is_empty() {
                self.with(shard, |shard| shard.append(&runs, numbers, now_ms));
            }
        }
        drop(storing);
        Ok(())
    }

    /// The numbers of the runs for each shard.
    fn deal(&self, runs: &Runs<'_>) -> Vec<Vec<u32>> {
        let mut parts = vec![Vec::new(); self.shards.len()];
        for (number, run) in runs.iter().enumerate() {
            // Bits of the hash that the tables inside do not look at.
            let shard = ((run.hash >> 24 & 0xffff) as usize * self.shards.len()) >> 16;
            if let Some(part) = parts.get_mut(shard) {
                part.push(number as u32);
            }
        }
        parts
    }

    /// Waits until all of them can be stored without deciding anything early. Several callers can see the same room, so the limit
    /// can be passed by as many batches as are under way.
    async fn wait_for_room(&self, runs: &Runs<'_>, parts: &[Vec<u32>]) {
        loop {
            let decided = self.decided.notified();
            tokio::pin!(decided);
            decided.as_mut().enable();
            let mut shards = self.shards.iter().zip(parts);
            if shards.all(|(shard, numbers)| lock(shard).has_room(runs, numbers)) {
                return;
            }
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            decided.await;
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Does something in a shard's lock; what came of it is reported and handed on behind it.
    fn with<R>(&self, shard: &Mutex<Shard>, act: impl FnOnce(&mut Shard) -> R) -> R {
        let mut locked = lock(shard);
        let before = (locked.traces() as i64, locked.bytes() as i64);
        let result = act(&mut locked);
        let change = (locked.traces() as i64 - before.0, locked.bytes() as i64 - before.1);
        let harvest = locked.harvest();
        drop(locked);
        self.metrics.on_memory.add(change.0);
        self.metrics.bytes.add(change.1);
        self.metrics.report(harvest.tally);
        for batch in harvest.ready {
            self.handover.push(batch);
        }
        if change.0 < 0 {
            self.decided.notify_waiters();
        }
        result
    }

    /// Decides what is due in one shard, tick by tick.
    async fn keep_time(&self, shard: &Mutex<Shard>) {
        let mut ticks = tokio::time::interval(self.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let started = std::time::Instant::now();
            let now_ms = self.now_ms();
            loop {
                // While the next stage is behind, traces wait here, undecided.
                self.handover.any_room().await;
                if !self.with(shard, |shard| shard.decide_due(now_ms)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
            while self.with(shard, |shard| shard.compact(now_ms)) {
                tokio::task::yield_now().await;
            }
            self.with(shard, Shard::flush);
            self.metrics.ticks.record(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Decides everything that is undecided, as fast as the next stage takes it.
    async fn decide_all(&self) {
        let now_ms = self.now_ms();
        for shard in &self.shards {
            loop {
                self.handover.any_room().await;
                if !self.with(shard, |shard| shard.decide_any(now_ms)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    async fn close(&self, deadline: Deadline) {
        self.closed.store(true, Ordering::SeqCst);
        self.decided.notify_waiters();
        while self.storing.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
        if !self.drop_pending_traces_on_shutdown {
            // What could not be decided in time is dropped below.
            let _ = deadline.bound(self.decide_all()).await;
        }
        for shard in &self.shards {
            while self.with(shard, Shard::drop_any) {}
            self.with(shard, Shard::flush);
        }
        self.handover.shutdown(deadline).await;
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Consumer for TailSampling {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(self.inner.consume(batch))
    }
}

impl Component for TailSampling {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        self.inner.handover.start(self.context.workers.count());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..self.inner.shards.len() {
            let inner = Arc::clone(&self.inner);
            tasks.push(self.context.workers.spawn(async move {
                if let Some(shard) = inner.shards.get(number) {
                    inner.keep_time(shard).await;
                }
            }));
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            for task in tasks {
                // It ends between two slices; an error is what we asked for.
                task.abort();
                let _ = task.await;
            }
            self.inner.close(deadline).await;
        })
    }
}

impl Processor for TailSampling {}

#[cfg(test)]
mod tests;
