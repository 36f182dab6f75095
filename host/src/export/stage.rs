//! The exporter around a sender: takes batches, runs the tasks that send them, drains at shutdown.

use super::gather::Gatherer;
use super::lane::Lane;
use super::outcome::Outcome;
use super::parcel::Parcel;
use super::phase::{Phase, PhaseControl, PhaseWatch};
use super::queue::{Queue, shutting_down};
use super::retry::{GaveUp, Retrying};
use super::sender::Sender;
use super::settings::{QueueSettings, SendSettings};
use crate::component::{BoxFuture, BuildError, Component, ConsumeError, Consumer, Context, Exporter};
use crate::pdata::{Batch, Signal};
use crate::shutdown::Deadline;
use crate::telemetry::names;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Time that tasks get to end once they were told that it is over; they only drop what they hold.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Puts queue, retry and timeout around `sender`.
pub fn exporter<S: Sender>(context: Context, settings: &SendSettings, sender: S) -> Arc<dyn Exporter> {
    let outcome = Arc::new(Outcome::new(&context));
    let queue = settings.queue.clone().filter(|queue| queue.enabled);
    Arc::new(Stage {
        retrying: Arc::new(Retrying::new(sender, settings, Arc::clone(&outcome))),
        queue: queue.map(|settings| Queued { queue: Arc::new(Queue::new(&settings)), settings }),
        phase: PhaseControl::new(),
        tasks: Mutex::default(),
        outcome,
        context,
    })
}

struct Stage<S> {
    context: Context,
    retrying: Arc<Retrying<S>>,
    queue: Option<Queued>,
    outcome: Arc<Outcome>,
    phase: PhaseControl,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

struct Queued {
    settings: QueueSettings,
    queue: Arc<Queue>,
}

impl<S: Sender> Exporter for Stage<S> {}

impl<S: Sender> Consumer for Stage<S> {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            if self.phase.now() != Phase::Running {
                return Err(shutting_down());
            }
            match &self.queue {
                _ if batch.is_empty() => Ok(()),
                None => self.send_now(batch).await,
                Some(queued) => self.enqueue(queued, batch).await,
            }
        })
    }
}

impl<S: Sender> Stage<S> {
    /// Without a queue: the caller waits for the destination.
    async fn send_now(&self, batch: Batch) -> Result<(), ConsumeError> {
        let _held = self.outcome.account().hold(batch.items());
        let delivery = self.retrying.send(&batch, &mut self.phase.watch()).await;
        self.answer(batch.items(), delivery)
    }

    /// Into the queue: taken when this returns `Ok`, which happens in the very poll that puts it there.
    async fn enqueue(&self, queued: &Queued, batch: Batch) -> Result<(), ConsumeError> {
        let items = batch.items();
        let room = queued.queue.room(&batch).await.inspect_err(|_| self.outcome.not_queued(items))?;
        if queued.settings.wait_for_result {
            return self.enqueue_and_wait(queued, batch, room).await;
        }
        let parcel = Parcel::ours(batch, room, Arc::clone(&self.outcome));
        queued.queue.push(parcel).map_err(|parcel| {
            parcel.hand_back();
            self.outcome.not_queued(items);
            shutting_down()
        })
    }

    /// Accounting is done here, in the poll that returns, so that a caller who goes away leaves nothing half counted.
    async fn enqueue_and_wait(
        &self,
        queued: &Queued,
        batch: Batch,
        room: super::queue::Room,
    ) -> Result<(), ConsumeError> {
        let items = batch.items();
        let _held = self.outcome.account().hold(items);
        let (parcel, delivery) = Parcel::for_caller(batch, room, Arc::clone(&self.outcome));
        if queued.queue.push(parcel).is_err() {
            self.outcome.not_queued(items);
            return Err(shutting_down());
        }
        let delivery = delivery.await.unwrap_or_else(|_| Err(GaveUp { error: shutting_down(), reason: "shutdown" }));
        self.answer(items, delivery)
    }

    fn answer(&self, items: usize, delivery: super::parcel::Delivery) -> Result<(), ConsumeError> {
        match delivery {
            Ok(sent) => {
                self.outcome.sent(items, &sent);
                Ok(())
            }
            Err(failure) => {
                self.outcome.failed(items, &failure);
                Err(failure.error)
            }
        }
    }

    fn show_queue(&self, queued: &Queued) {
        let id = self.context.id.to_string();
        let labels = [("exporter", id.as_str()), ("data_type", self.context.signal.map_or("", Signal::as_str))];
        let metrics = self.context.telemetry.metrics();
        metrics.observe(&names::EXPORTER_QUEUE_SIZE, &labels, queued.queue.size_reader());
        metrics.gauge(&names::EXPORTER_QUEUE_CAPACITY, &labels).set(queued.settings.queue_size as i64);
    }

    /// The tasks of the queue: its consumers and, with `batch`, the one who fills their line.
    fn spawn_consumers(&self, queued: &Queued) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = queued.settings.batch.as_ref().map(|settings| {
            let line = Arc::new(Lane::new());
            let sizer = settings.sizer(queued.settings.sizer);
            let consumers = queued.settings.num_consumers;
            let gatherer = Gatherer::new(settings, sizer, consumers, Arc::clone(&line), Arc::clone(&self.outcome));
            tasks.push(self.context.workers.spawn(gatherer.run(Arc::clone(&queued.queue), self.phase.watch())));
            line
        });
        for _ in 0..queued.settings.num_consumers {
            let source = match &gathered {
                Some(line) => Source::Gathered(Arc::clone(line)),
                None => Source::Queue(Arc::clone(&queued.queue)),
            };
            let consumer = QueueConsumer { source, retrying: Arc::clone(&self.retrying), phase: self.phase.watch() };
            tasks.push(self.context.workers.spawn(consumer.keep_running(self.context.clone())));
        }
    }
}

impl<S: Sender> Component for Stage<S> {
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        Box::pin(async move {
            let started = self.retrying.sender().start().await;
            started.map_err(|message| self.context.error(message))?;
            if let Some(queued) = &self.queue {
                self.show_queue(queued);
                self.spawn_consumers(queued);
            }
            Ok(())
        })
    }

    /// Running -> Draining: nothing is taken, waits end, what is queued gets an attempt each. Draining -> Over at the
    /// deadline: what is left is dropped and counted.
    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.phase.advance(Phase::Draining);
            if let Some(queued) = &self.queue {
                queued.queue.close();
            }
            let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            let drained = deadline.bound(join(&mut tasks)).await;
            self.phase.advance(Phase::Over);
            if drained.is_none() && Deadline::after(LAST_WORDS).bound(join(&mut tasks)).await.is_none() {
                tracing::error!(exporter = %self.context.id, "tasks of the sending queue do not end");
            }
            if let Some(queued) = &self.queue {
                queued.queue.clear();
            }
            Deadline::after(deadline.remaining().max(LAST_WORDS)).bound(self.retrying.sender().stop()).await;
        })
    }
}

/// Waits for every task; those that have ended are taken out. Safe to drop and to call again.
async fn join(tasks: &mut Vec<JoinHandle<()>>) {
    while let Some(task) = tasks.last_mut() {
        // An error is a panic of the task; what it held has accounted for itself.
        let _ = task.await;
        tasks.pop();
    }
}

/// Where a consumer gets its parcels.
enum Source {
    Queue(Arc<Queue>),
    Gathered(Arc<Lane<Parcel>>),
}

/// One of `num_consumers`.
struct QueueConsumer<S> {
    source: Source,
    retrying: Arc<Retrying<S>>,
    phase: PhaseWatch,
}

impl<S: Sender> QueueConsumer<S> {
    /// Runs in a task of its own and is started again if it panics: a bug costs a batch, not a consumer.
    async fn keep_running(self, context: Context) {
        let this = Arc::new(self);
        while let Err(error) = context.workers.spawn(Arc::clone(&this).run()).await {
            if !error.is_panic() {
                return;
            }
            tracing::error!(exporter = %context.id, %error, "sending a batch panicked");
        }
    }

    async fn run(self: Arc<Self>) {
        let mut phase = self.phase.clone();
        let mut over = self.phase.clone();
        loop {
            let parcel = tokio::select! {
                biased;
                () = over.reached(Phase::Over) => return,
                parcel = self.source.take() => parcel,
            };
            let Some(parcel) = parcel else { return };
            parcel.deliver(&self.retrying, &mut phase).await;
        }
    }
}

impl Source {
    async fn take(&self) -> Option<Parcel> {
        match self {
            Self::Queue(queue) => queue.take().await,
            Self::Gathered(line) => line.take().await,
        }
    }
}
