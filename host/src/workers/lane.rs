//! The lanes beside the workers: where work goes on that keeps a worker for too long.
//!
//! A worker serves many pipelines, and the work of one of them may compute: a plugin that loops until its time is over, an
//! interpreter that takes 20 ms for a batch. Such work is [`polite`]: it begins on its worker, and when a poll of it took
//! longer than [`PATIENCE`] it goes on in a lane, while its worker only waits for the result. What was [`SLOW`] lately, or is
//! new, begins there ([`Habit`]).
//!
//! Two lanes are for what computes ([`Priority`]). The *slow* one has as many threads as there are workers. What computes for
//! longer than [`ENDLESS`] goes on in the *idle* lane, which has fewer: a quarter of the processors, one at least if there are
//! two, is left alone, since a kernel that sees all of them busy does not look for the one where a thread that wakes up need not
//! wait. Senders wait meanwhile, which is what slows them down. A third one, the *bulk* lane, has a smaller share than the
//! workers: there the system copies long messages to a socket ([`bulk`]), and takes back large blocks of memory (`super::large`).
//!
//! Outside of workers (in tests with a paused clock, while a plugin is loaded) there is no lane, and work stays where it is.
//!
//! Work must yield to be moved: nothing is interrupted. What is going to compute for long without a yield says so
//! ([`leave_worker`]) and is moved before it begins.

mod habit;
mod moment;
#[cfg(test)]
mod tests;

pub(crate) use habit::Habit;
pub(crate) use moment::{Moment, step_aside};

use super::{Priority, take_place};
use moment::{ASIDE, processor_time, take_number};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How long a poll may keep a worker before the work is moved.
const PATIENCE: Duration = Duration::from_micros(250);
/// What takes so long at a time is worth a change of threads from the start.
pub(crate) const SLOW: Duration = Duration::from_millis(1);
/// What computes for so long, in many polls, may go on for ever: longer than an interpreter takes for a batch.
const ENDLESS: Duration = Duration::from_millis(50);

thread_local! {
    /// The lanes of the worker that runs on this thread.
    static LANES: RefCell<Option<Arc<Lanes>>> = const { RefCell::new(None) };
    /// What was polled last on this worker wants to leave it.
    static LEAVES: Cell<bool> = const { Cell::new(false) };
}

/// The threads beside the workers.
#[derive(Debug)]
pub(super) struct Lanes {
    slow: Lane,
    idle: Lane,
    bulk: Lane,
}

/// Some threads of one priority.
#[derive(Debug, Default)]
struct Lane {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Lanes {
    /// Starts the threads beside so many workers, which end when `stopped` says so.
    pub(super) fn start(
        count: usize,
        stopped: &watch::Receiver<bool>,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let mut threads = Vec::new();
        let mut numbers = 1..ASIDE;
        let count = count.clamp(1, numbers.len() / 3);
        let mut lane = |name, priority, count| {
            let mut lane = Lane::default();
            for (at, number) in numbers.by_ref().take(count).enumerate() {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                lane.handles.push(runtime.handle().clone());
                let mut stopped = stopped.clone();
                let run = move || {
                    take_place(priority);
                    take_number(number);
                    // An error means that the owner is gone: the same as being told to stop.
                    let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
                };
                threads.push(std::thread::Builder::new().name(format!("{name}-{at}")).spawn(run)?);
            }
            std::io::Result::Ok(lane)
        };
        let idle = (count - count.div_ceil(4)).max(1);
        let (slow, idle) = (lane("slow", Priority::Low, count)?, lane("idle", Priority::Idle, idle)?);
        let bulk = lane("bulk", Priority::Less, count)?;
        Ok((Arc::new(Self { slow, idle, bulk }), threads))
    }

    /// Makes this thread a worker that has these lanes beside it.
    pub(super) fn stand_beside(self: &Arc<Self>) {
        LANES.set(Some(Arc::clone(self)));
    }

    /// Does the work, or the rest of it, beside the worker.
    async fn finish<T: Send + 'static>(&self, mut work: Timed<T>, is_endless: bool) -> Done<T> {
        work.exact = true;
        if !is_endless {
            work = match self.slow.run(UntilEndless(Some(work))).await {
                Ok(done) => return done,
                Err(endless) => endless,
            };
        }
        self.idle.run(work).await
    }
}

impl Lane {
    /// The next thread in turn.
    fn next(&self) -> Option<&Handle> {
        self.handles.get(self.next.fetch_add(1, Relaxed) % self.handles.len().max(1))
    }

    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let Some(handle) = self.next() else { return work.await };
        let mut task = Ended(handle.spawn(work));
        match (&mut task.0).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                // As if the caller had done it itself.
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends, and the caller with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// A task that is not wanted any more once its owner is gone.
struct Ended<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Work that can be moved from one thread to another.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does `work`, and gives way to others if it takes long. It is given up when this is dropped, as any future is.
pub(crate) async fn polite<T: Send + 'static>(habit: &Habit, work: Work<T>) -> T {
    let Some(lanes) = LANES.with_borrow(Clone::clone) else { return work.await };
    let mut work = Timed::new(work, habit.is_suspected());
    if !habit.is_slow() {
        let first = poll_fn(|context| {
            LEAVES.set(false);
            match Pin::new(&mut work).poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if LEAVES.take() => {
                    work.longest = Duration::ZERO;
                    Poll::Ready(None)
                }
                Poll::Pending if work.longest < PATIENCE => Poll::Pending,
                Poll::Pending if work.exact => {
                    // Those that come before its end need not find out themselves.
                    let took = std::mem::take(&mut work.longest);
                    if took >= SLOW {
                        habit.was_slow(took);
                    }
                    Poll::Ready(None)
                }
                Poll::Pending => {
                    habit.suspect();
                    (work.exact, work.longest) = (true, Duration::ZERO);
                    Poll::Pending
                }
            }
        });
        if let Some(done) = first.await {
            match (done.longest >= SLOW, work.exact) {
                (true, true) => habit.was_slow(done.longest),
                (true, false) => habit.suspect(),
                (false, _) => {}
            }
            return done.value;
        }
    }
    let done = lanes.finish(work, habit.is_endless()).await;
    if done.in_all >= ENDLESS {
        habit.was_endless();
    } else if done.longest >= SLOW {
        habit.was_slow(done.longest);
    }
    done.value
}

/// To be awaited in [`polite`] work, before it computes for long without a yield: it goes on in a lane, if there is one.
pub(crate) async fn leave_worker() {
    if LANES.with_borrow(Option::is_some) {
        LEAVES.set(true);
        tokio::task::yield_now().await;
    }
}

/// Does `work` that is known to take long.
pub(crate) async fn aside<T: Send + 'static>(work: Work<T>) -> T {
    match LANES.with_borrow(Clone::clone) {
        Some(lanes) => lanes.finish(Timed::new(work, true), false).await.value,
        None => work.await,
    }
}

/// The next thread in turn of that lane beside this worker; none on other threads, and on one that ends.
fn beside(lane: impl FnOnce(&Lanes) -> &Lane) -> Option<Handle> {
    LANES.try_with(|lanes| lane(lanes.borrow().as_deref()?).next().cloned()).ok()?
}

/// A runtime beside this worker for connections on which long messages go; the own one where there is none.
pub(crate) fn bulk() -> Handle {
    beside(|lanes| &lanes.bulk).unwrap_or_else(Handle::current)
}

/// Drops what takes long to drop.
pub(crate) fn drop_aside(value: impl Send + 'static) {
    drop_on(beside(|lanes| &lanes.slow), value);
}

/// The same for much memory that often comes: at the lower priority it might pile up.
pub(super) fn drop_in_bulk(value: impl Send + 'static) {
    drop_on(beside(|lanes| &lanes.bulk), value);
}

fn drop_on(thread: Option<Handle>, value: impl Send + 'static) {
    if let Some(thread) = thread {
        thread.spawn(async move { drop(value) });
    }
}

/// Work, and how long it has kept its thread.
struct Timed<T> {
    work: Work<T>,
    /// In one poll, at most.
    longest: Duration,
    in_all: Duration,
    /// Whether that is the processor's time, in which it does not count if the thread had to wait.
    exact: bool,
}

/// What came of it.
struct Done<T> {
    value: T,
    longest: Duration,
    in_all: Duration,
}

impl<T> Timed<T> {
    fn new(work: Work<T>, exact: bool) -> Self {
        Self { work, longest: Duration::ZERO, in_all: Duration::ZERO, exact }
    }
}

impl<T> Future for Timed<T> {
    type Output = Done<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done<T>> {
        let (polled, took) = if self.exact {
            let start = processor_time();
            let polled = self.work.as_mut().poll(context);
            (polled, processor_time().saturating_sub(start))
        } else {
            let start = Instant::now();
            let polled = self.work.as_mut().poll(context);
            (polled, start.elapsed())
        };
        self.longest = self.longest.max(took);
        self.in_all += took;
        let (longest, in_all) = (self.longest, self.in_all);
        polled.map(|value| Done { value, longest, in_all })
    }
}

/// Work until it is done, or has proved to be [`ENDLESS`] and is handed back.
struct UntilEndless<T>(Option<Timed<T>>);

impl<T> Future for UntilEndless<T> {
    type Output = Result<Done<T>, Timed<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        match Pin::new(work).poll(context) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => match self.0.take_if(|work| work.in_all >= ENDLESS) {
                Some(endless) => Poll::Ready(Err(endless)),
                None => Poll::Pending,
            },
        }
    }
}
