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
//! **Plugins** of policies of type `wasm` are asked about a slice of traces at a time, outside of every lock
//! ([`samplers`]). Where there are any, senders wait until early decisions have made room.
//!
//! **A change of its configuration** (`Processor::reconfigure`) keeps the traces that wait and the decisions that it
//! remembers: what is known of the former is folded again for the new policies before each is decided. Limiters whose name and
//! settings are the same go on with the tokens that they have left.
//!
//! The way of a span: [`intake`] cuts a batch into runs outside of any lock, a [`shard`] appends them to its [`store`] and
//! its [`table`], the votes of its [`policies`] are read from what was folded on arrival, [`leave`] writes on what is kept what it was
//! kept for, if that is wanted, and [`regroup`] makes full batches.

pub mod ballot;
pub mod cache;
mod config;
pub mod contexts;
pub mod credits;
pub mod fold;
pub mod history;
mod inner;
pub mod intake;
pub mod leave;
pub mod mark;
mod memory;
pub mod ot;
pub mod packed;
pub mod policies;
pub mod policy;
mod record;
pub mod regroup;
pub mod rewrite;
pub mod roster;
pub mod samplers;
pub mod segment;
mod settings;
pub mod shadow;
pub mod shard;
pub mod shown;
mod slots;
pub mod store;
mod sub_tables;
pub mod table;
pub mod tally;
mod why;

use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, ConsumeError, Consumer, Context, Processor, ProcessorConfig,
    ProcessorFactory, Stability, parse,
};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::decisions::Question;
use config::Config;
use inner::Inner;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Released spans that wait for the next stage, in bytes, before senders are made to wait.
pub const BACKLOG_BYTES_MAX: usize = 32 << 20;
/// How long a change of the configuration waits for a plugin that is no longer asked and is being compiled just now.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Makes `tail_sampling` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo {
        kind: "tail_sampling",
        deprecated: &[],
        signals: &[Signal::Traces],
        stability: Stability::Beta,
    },
    parse: |section, problems| {
        let mut config = parse::<Config>(section, problems)?;
        config.place(section);
        Some(config as _)
    },
};

impl ProcessorConfig for Config {
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        Ok(Arc::new(TailSampling::new(self, context, next)?))
    }
}

/// The processor.
struct TailSampling {
    inner: Arc<Inner>,
    context: Context,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl TailSampling {
    fn new(config: &Config, context: Context, next: Arc<dyn Consumer>) -> Result<Self, BuildError> {
        let inner = Arc::new(Inner::new(config, &context, next)?);
        // The counts outlive the processor: what it decided while it drained can still be read.
        let shown = Arc::clone(&inner);
        let view = move || shown.metrics.view(&shown.settings.load().rules.policies);
        context.show(view);
        let asked = Arc::downgrade(&inner);
        let answer = move |question: &Question| Some(why::answer(&*asked.upgrade()?, question));
        context.telemetry.decisions().answer_with(&context.place(), answer);
        Ok(Self { inner, context, tasks: Mutex::default() })
    }
}

impl Consumer for TailSampling {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(self.inner.consume(batch))
    }
}

impl Component for TailSampling {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let settings = self.inner.settings.load();
        let mut samplers = settings.rules.policies.samplers().iter();
        let watching = samplers.try_for_each(|sampler| sampler.start(&self.context));
        self.inner.handover.start(self.context.workers.count());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..self.inner.seats.len() {
            let inner = Arc::clone(&self.inner);
            tasks.push(self.context.workers.spawn(async move {
                if let Some(seat) = inner.seats.get(number) {
                    inner.keep(seat).await;
                }
            }));
        }
        Box::pin(std::future::ready(watching))
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
            let settings = self.inner.settings.load_full();
            for sampler in settings.rules.policies.samplers() {
                sampler.stop(deadline).await;
            }
        })
    }
}

impl Processor for TailSampling {
    fn reconfigure(&self, config: Arc<dyn ProcessorConfig>) -> Option<BoxFuture<'_, Result<(), BuildError>>> {
        Some(Box::pin(async move {
            let inner = Arc::clone(&self.inner);
            let id = self.context.clone();
            let change = tokio::task::spawn_blocking(move || {
                let config: &dyn Any = &*config;
                match config.downcast_ref::<Config>() {
                    Some(config) => inner.reconfigure(config),
                    None => Err(id.error("these are not the settings of a tail_sampling processor")),
                }
            });
            let ended = |error| Err(self.context.error(format_args!("the change was given up: {error}")));
            let gone = change.await.unwrap_or_else(ended)?;
            for sampler in gone {
                sampler.stop(Deadline::after(STOP_WAIT)).await;
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests;
