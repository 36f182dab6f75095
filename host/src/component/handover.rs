//! Handing over asynchronously: for a stage that says `Ok` before the next one did.
//!
//! A [`Handover`] holds batches that its stage has taken responsibility for, until the next stage takes them. It holds them in
//! memory; a crash loses them. What the next stage refuses for now is offered again, after the delay it asked for or a
//! growing one; what it refuses for good is dropped and counted with reason `refused`, what it has refused for
//! [`RETRY_MAX`] with reason `retries_exhausted`, and what is left at the deadline of a shutdown with reason `shutdown`.
//!
//! It is bounded: a stage asks for [`Handover::room`] before it takes more, and that wait is the backpressure. What it puts in
//! without asking (because the decision was made already) goes above the bound.

use super::{BoxFuture, ConsumeError, Consumer, Context};
use crate::pdata::Batch;
use crate::shutdown::Deadline;
use crate::telemetry::Account;
use crate::workers::Workers;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a batch is offered before it is given up: the Collector's `max_elapsed_time`.
pub const RETRY_MAX: Duration = Duration::from_secs(300);
/// How long [`Handover::room`] makes a sender wait before it is told to come again: less than the usual timeout of a client.
pub const WAIT_MAX: Duration = Duration::from_secs(5);
/// First and longest delay between two offers, where the next stage has no wish.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What a handover may hold before it has no room.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Batches that wait.
    pub batches: usize,
    /// Bytes of the batches that wait.
    pub bytes: usize,
}

/// Batches on their way to the next stage, and the tasks that offer them. Cloning shares it.
#[derive(Clone)]
pub struct Handover(Arc<Shared>);

struct Shared {
    next: Arc<dyn Consumer>,
    account: Account,
    workers: Workers,
    /// For the log.
    name: String,
    bound: Bound,
    queue: Mutex<Queue>,
    /// Something came in, or nothing will any more.
    arrived: Notify,
    /// Something went out.
    left: Notify,
    deadline: watch::Sender<Option<Deadline>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    bytes: usize,
    closed: bool,
}

impl Handover {
    /// For the component of `context`. Nothing moves before [`Self::start`].
    pub fn new(context: &Context, next: Arc<dyn Consumer>, bound: Bound) -> Self {
        Self(Arc::new(Shared {
            next,
            account: context.account.clone(),
            workers: context.workers.clone(),
            name: context.id.to_string(),
            bound,
            queue: Mutex::default(),
            arrived: Notify::new(),
            left: Notify::new(),
            deadline: watch::Sender::new(None),
            tasks: Mutex::default(),
        }))
    }

    /// Starts the tasks that offer batches to the next stage, `senders` at a time.
    pub fn start(&self, senders: usize) {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..senders.max(1) {
            let shared = Arc::clone(&self.0);
            tasks.push(self.0.workers.spawn(async move { shared.send_all().await }));
        }
    }

    /// Whether more may be taken now.
    pub fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// Waits until more may be taken.
    ///
    /// # Errors
    /// Retryable, when that takes longer than [`WAIT_MAX`] or the component is shutting down.
    pub async fn room(&self) -> Result<(), ConsumeError> {
        if self.has_room() {
            return Ok(());
        }
        tokio::time::timeout(WAIT_MAX, self.any_room()).await.map_err(|_| ConsumeError::Retryable {
            after: Some(Duration::from_secs(1)),
            message: format!("{}: the next stage is slow and everything is full", self.0.name),
        })
    }

    /// Waits until more may be taken, however long that takes.
    pub async fn any_room(&self) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.has_room() {
                return;
            }
            left.await;
        }
    }

    /// Puts in a batch whose items the component's account holds.
    pub fn push(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut queue = self.0.queue();
        queue.bytes += batch.bytes();
        queue.batches.push_back(batch);
        drop(queue);
        self.0.arrived.notify_one();
    }

    /// Bytes that wait to be offered.
    pub fn bytes(&self) -> usize {
        self.0.queue().bytes
    }

    /// Hands on what is there until the deadline, and ends the tasks. Nothing may be put in afterwards.
    pub async fn shutdown(&self, deadline: Deadline) {
        self.0.queue().closed = true;
        self.0.deadline.send_replace(Some(deadline));
        self.0.arrived.notify_waiters();
        self.0.arrived.notify_one();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // An error means that the runtime is gone; what is left is counted below.
            let _ = task.await;
        }
        while let Some(batch) = self.0.take() {
            self.0.let_go(&batch, Some("shutdown"));
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        let queue = self.queue();
        queue.batches.len() < self.bound.batches && queue.bytes < self.bound.bytes
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.queue();
        let batch = queue.batches.pop_front()?;
        queue.bytes -= batch.bytes();
        let more = !queue.batches.is_empty();
        drop(queue);
        if more {
            // A notification wakes one sender; the next one is woken by whoever was quicker.
            self.arrived.notify_one();
        }
        self.left.notify_waiters();
        Some(batch)
    }

    /// The next batch; `None` when there will be none.
    async fn next_batch(&self) -> Option<Batch> {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if let Some(batch) = self.take() {
                return Some(batch);
            }
            if self.queue().closed {
                self.arrived.notify_one();
                return None;
            }
            arrived.await;
        }
    }

    async fn send_all(&self) {
        while let Some(batch) = self.next_batch().await {
            let dropped = tokio::select! {
                biased;
                () = self.expired() => Some("shutdown"),
                dropped = self.offer(&batch) => dropped,
            };
            self.let_go(&batch, dropped);
        }
    }

    /// Offers a batch until it is taken or given up. Returns why it was dropped, if it was.
    async fn offer(&self, batch: &Batch) -> Option<&'static str> {
        let mut delay = BACKOFF.0;
        let mut first_refusal = None;
        loop {
            let after = match self.consume(batch.clone()).await {
                Ok(()) => {
                    if first_refusal.is_some() {
                        tracing::info!(component = self.name, "the next stage takes batches again");
                    }
                    return None;
                }
                Err(ConsumeError::Permanent { message, .. }) => {
                    let items = batch.items();
                    tracing::warn!(component = self.name, items, message, "refused for good, dropped");
                    return Some("refused");
                }
                Err(ConsumeError::Retryable { after, message }) => {
                    if first_refusal.is_none() {
                        tracing::warn!(component = self.name, message, "refused for now, retrying");
                    }
                    after
                }
            };
            let since = *first_refusal.get_or_insert_with(Instant::now);
            let left = RETRY_MAX.saturating_sub(since.elapsed());
            if left.is_zero() {
                let items = batch.items();
                tracing::warn!(component = self.name, items, "refused for too long, dropped");
                return Some("retries_exhausted");
            }
            // Between half and all of the delay, so that stages do not retry in step.
            let pause = after.unwrap_or_default().max(delay.mul_f64(0.5 + fastrand::f64() / 2.0));
            tokio::time::sleep(pause.min(left)).await;
            delay = (delay * 2).min(BACKOFF.1);
        }
    }

    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.next.consume(batch)
    }

    /// Done once a shutdown's deadline has passed.
    async fn expired(&self) {
        let mut deadline = self.deadline.subscribe();
        let instant = match deadline.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.map(Deadline::instant),
            Err(_) => None,
        };
        if let Some(instant) = instant {
            tokio::time::sleep_until(instant).await;
        }
    }

    /// The batch is no longer held: it was taken, or `dropped` for a reason.
    fn let_go(&self, batch: &Batch, dropped: Option<&'static str>) {
        if let Some(reason) = dropped {
            self.account.dropped(reason, batch.items());
        }
        self.account.held().add(-(batch.items() as i64));
    }
}

#[cfg(test)]
mod tests;
