//! `batch`: gathers small batches into larger ones, and cuts those that are too large.
//!
//! ```yaml
//! batch:
//!   send_batch_size: 8192      # sent once so many items are there,
//!   timeout: 200ms             # or so long after the first of them came; 0 sends at once
//!   send_batch_max_size: 0     # larger ones are split; 0 is no bound
//! ```
//! It says `Ok` when an item has been gathered, before the next stage has it, and holds it in memory until then: at most the
//! batch that is being gathered and [`WAITING_BATCHES_MAX`] per sender behind it; a crash loses those. When that is full,
//! taking more waits, which is the backpressure. What the next stage refuses is offered again or counted, never
//! forgotten ([`handover`](crate::component::handover) says how).
//!
//! Gathering is concatenation of bytes; nothing is decoded.

mod config;

use crate::component::handover::{Bound, Handover};
use crate::component::{
    BoxFuture, BuildError, Component, ComponentInfo, ConsumeError, Consumer, Context, Processor, ProcessorConfig,
    ProcessorFactory, Stability, parse,
};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::{Account, Counter, Histogram, names};
use config::Config;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Batches that may wait behind each that is being offered.
pub const WAITING_BATCHES_MAX: usize = 1;
/// A batch is also sent once it has so many bytes, however few items those are.
pub const BYTES_MAX: usize = 64 << 20;

/// Makes `batch` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    info: ComponentInfo { kind: "batch", deprecated: &[], signals: &Signal::ALL, stability: Stability::Beta },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

impl ProcessorConfig for Config {
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        Ok(Arc::new(Batching::new(self, context, next)))
    }
}

/// The processor.
struct Batching {
    inner: Arc<Inner>,
    context: Context,
    timer: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    signal: Signal,
    size: usize,
    max_size: usize,
    /// `None` sends at once.
    timeout: Option<Duration>,
    gathered: Mutex<Gathered>,
    /// A batch has begun: the timer must be set.
    begun: Notify,
    handover: Handover,
    account: Account,
    sizes: Histogram,
    sizes_bytes: Histogram,
    by_size: Counter,
    by_timeout: Counter,
}

/// The batch that is being gathered.
#[derive(Default)]
struct Gathered {
    parts: Vec<Batch>,
    items: usize,
    bytes: usize,
    /// When its first item came.
    since: Option<Instant>,
}

impl Batching {
    fn new(config: &Config, context: Context, next: Arc<dyn Consumer>) -> Self {
        let id = context.id.to_string();
        let labels: &[_] = &[("processor", id.as_str())];
        let metrics = context.telemetry.metrics();
        let waiting = Bound { batches: WAITING_BATCHES_MAX * context.workers.count(), bytes: usize::MAX };
        let at_once = config.timeout.0.is_zero() || config.send_batch_size == 0;
        let inner = Inner {
            signal: context.signal.unwrap_or(Signal::Traces),
            size: config.send_batch_size,
            max_size: config.send_batch_max_size,
            timeout: (!at_once).then_some(config.timeout.0),
            gathered: Mutex::default(),
            begun: Notify::new(),
            handover: Handover::new(&context, next, waiting),
            account: context.account.clone(),
            sizes: metrics.histogram(&names::BATCH_SEND_SIZE, labels),
            sizes_bytes: metrics.histogram(&names::BATCH_SEND_SIZE_BYTES, labels),
            by_size: metrics.counter(&names::BATCH_SIZE_TRIGGER, None, labels),
            by_timeout: metrics.counter(&names::BATCH_TIMEOUT_TRIGGER, None, labels),
        };
        Self { inner: Arc::new(inner), context, timer: Mutex::default() }
    }
}

impl Inner {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn consume(&self, batch: Batch) -> Result<(), ConsumeError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.handover.room().await?;
        // From here to the end nothing is awaited: the batch is taken whole or, if the caller gives up before, not at all.
        self.account.held().add(batch.items() as i64);
        if let Some(full) = self.gather(batch) {
            self.send(full, &self.by_size, self.timeout.is_some());
        }
        Ok(())
    }

    /// Adds a batch to what is gathered; gives all of it if that is enough.
    fn gather(&self, batch: Batch) -> Option<Gathered> {
        let mut gathered = self.gathered();
        gathered.items += batch.items();
        gathered.bytes += batch.bytes();
        gathered.parts.push(batch);
        if self.timeout.is_none() || gathered.items >= self.size || gathered.bytes >= BYTES_MAX {
            return Some(std::mem::take(&mut *gathered));
        }
        if gathered.since.is_none() {
            gathered.since = Some(Instant::now());
            self.begun.notify_one();
        }
        None
    }

    /// Merges, splits and hands over what was gathered. With `keep_rest`, a remainder that is no full batch waits for more.
    fn send(&self, gathered: Gathered, trigger: &Counter, keep_rest: bool) {
        for batch in self.merged(gathered.parts) {
            let mut parts = self.parts(batch);
            let rest = if keep_rest && parts.len() > 1 { parts.pop_if(|last| last.items() < self.size) } else { None };
            for part in parts {
                trigger.add(1);
                self.sizes.record(part.items() as u64);
                self.sizes_bytes.record(part.bytes() as u64);
                self.handover.push(part);
            }
            // Others may have gathered enough meanwhile.
            if let Some(full) = rest.and_then(|rest| self.gather(rest)) {
                self.send(full, trigger, keep_rest);
            }
        }
    }

    /// The batch in parts of `send_batch_max_size`.
    fn parts(&self, batch: Batch) -> Vec<Batch> {
        if self.max_size == 0 || batch.items() <= self.max_size {
            return vec![batch];
        }
        let bound = tailrace_otlp::Bound::Items(self.max_size);
        let parts = tailrace_otlp::split(self.signal, batch.data(), batch.index(), bound);
        parts.map(|(data, index)| Batch::from_parts(self.signal, data, index)).collect()
    }

    /// One batch from many; as many as there were if together they are longer than a batch can be.
    fn merged(&self, mut parts: Vec<Batch>) -> Vec<Batch> {
        if parts.len() < 2 {
            return parts;
        }
        match tailrace_otlp::merge(parts.iter().map(|part| (part.data().as_ref(), part.index().as_ref()))) {
            Ok((data, index)) => {
                parts.clear();
                parts.push(Batch::from_parts(self.signal, data, index));
                parts
            }
            Err(_) => parts,
        }
    }

    /// Sends what has waited for the timeout.
    async fn keep_time(&self, timeout: Duration) {
        loop {
            let begun = self.begun.notified();
            let since = self.gathered().since;
            let Some(since) = since else {
                begun.await;
                continue;
            };
            tokio::time::sleep_until(since + timeout).await;
            // While the next stage is behind, more is gathered instead of more batches put behind it.
            self.handover.any_room().await;
            let due = {
                let mut gathered = self.gathered();
                let due = gathered.since.is_some_and(|since| since.elapsed() >= timeout);
                due.then(|| std::mem::take(&mut *gathered))
            };
            if let Some(due) = due {
                self.send(due, &self.by_timeout, false);
            }
        }
    }
}

impl Consumer for Batching {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(self.inner.consume(batch))
    }
}

impl Component for Batching {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        self.inner.handover.start(self.context.workers.count());
        if let Some(timeout) = self.inner.timeout {
            let inner = Arc::clone(&self.inner);
            let task = self.context.workers.spawn(async move { inner.keep_time(timeout).await });
            *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(timer) = timer {
                timer.abort();
                // It was told to end: an error is what we asked for.
                let _ = timer.await;
            }
            let rest = std::mem::take(&mut *self.inner.gathered());
            self.inner.send(rest, &self.inner.by_timeout, false);
            self.inner.handover.shutdown(deadline).await;
        })
    }
}

impl Processor for Batching {}

#[cfg(test)]
mod tests;
