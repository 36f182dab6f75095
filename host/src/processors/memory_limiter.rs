//! `memory_limiter`: refuses batches while the process uses too much memory.
//!
//! Above the soft limit (the limit minus the spike) every batch is refused as retryable, before any work is spent on it: the
//! sender keeps it and comes again. It holds nothing and loses nothing. Put it first in every pipeline.
//!
//! ```yaml
//! memory_limiter:
//!   check_interval: 1s       # required
//!   limit_mib: 512           # or limit_percentage of the container's or machine's memory
//!   spike_limit_mib: 100     # a fifth of the limit if not set; or spike_limit_percentage
//! ```
//! What is compared is the resident memory of the process. It is read every `check_interval`, and between two readings after
//! as many bytes were let in as half of what the last reading left free below the limit: a burst cannot outrun the checks.
//!
//! There is no garbage collector here to be forced; the four `*_gc_interval_when_*_limited` keys of the Collector are
//! accepted with their defaults and rejected with anything else.

mod config;
mod gate;
mod memory;

use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, ConsumeError, Consumer, Context, Processor, ProcessorConfig,
    ProcessorFactory, Stability, parse,
};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::{Counter, names};
use config::Config;
use gate::Gate;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Makes `memory_limiter` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo { kind: "memory_limiter", deprecated: &[], signals: &Signal::ALL, stability: Stability::Beta },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

impl ProcessorConfig for Config {
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        let limits = self.limits(memory::total).ok_or_else(|| {
            context.error("limit_percentage: cannot tell how much memory there is; set limit_mib instead")
        })?;
        let resident = memory::Resident::new();
        if resident.read().is_none() {
            return Err(context.error("cannot read the memory of this process from /proc/self/statm"));
        }
        let gate = Gate::new(limits, move || resident.read());
        Ok(MemoryLimiter::new(context, next, gate, self.check_interval.0))
    }
}

/// The processor.
struct MemoryLimiter {
    next: Arc<dyn Consumer>,
    gate: Arc<Gate>,
    context: Context,
    check_interval: Duration,
    accepted: Counter,
    refused: Counter,
    checks: Mutex<Option<JoinHandle<()>>>,
}

impl MemoryLimiter {
    fn new(context: Context, next: Arc<dyn Consumer>, gate: Gate, check_interval: Duration) -> Arc<Self> {
        let id = context.id.to_string();
        let gate = Arc::new(gate);
        let metrics = context.telemetry.metrics();
        let counter = |desc| metrics.counter(desc, context.signal, &[("processor", &id)]);
        let (accepted, refused) = (counter(&names::MEMORY_LIMITER_ACCEPTED), counter(&names::MEMORY_LIMITER_REFUSED));
        let shown = Arc::clone(&gate);
        context.show(move || {
            let (limits, used) = (shown.limits(), shown.last_reading());
            json!({
                "refusing": shown.refuses(), "used_bytes": used,
                "soft_limit_bytes": limits.soft, "limit_bytes": limits.hard,
            })
        });
        Arc::new(Self { next, gate, context, check_interval, accepted, refused, checks: Mutex::default() })
    }
}

impl Consumer for MemoryLimiter {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        let items = batch.items() as u64;
        if self.gate.admit(batch.bytes()) {
            self.accepted.add(items);
            return self.next.consume(batch);
        }
        self.refused.add(items);
        let after = Some(self.check_interval);
        let message = "data refused due to high memory usage".to_owned();
        Box::pin(std::future::ready(Err(ConsumeError::Retryable { after, message })))
    }
}

impl Component for MemoryLimiter {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        let (gate, name, every) = (Arc::clone(&self.gate), self.context.id.to_string(), self.check_interval);
        let task = self.context.workers.spawn(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut refused = false;
            loop {
                ticks.tick().await;
                gate.check();
                if gate.refuses() != refused {
                    refused = !refused;
                    let (used, limits) = (gate.last_reading(), gate.limits());
                    if refused {
                        tracing::warn!(
                            component = name,
                            used,
                            soft_limit = limits.soft,
                            "memory is scarce, refusing data"
                        );
                    } else {
                        tracing::info!(component = name, used, "memory is back to normal, taking data again");
                    }
                }
            }
        });
        *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Box::pin(std::future::ready(Ok(())))
    }

    fn shutdown(&self, _: Deadline) -> BoxFuture<'_, ()> {
        let task = self.checks.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(task) = task {
                task.abort();
                // It was told to end: an error is what we asked for.
                let _ = task.await;
            }
        })
    }
}

impl Processor for MemoryLimiter {}

#[cfg(test)]
mod tests;
