//! The lanes beside the workers: where work goes on that keeps a worker for too long.
//!
//! A worker serves many pipelines, and the work of one of them may compute: a plugin that loops until its time is over, an
//! interpreter that takes 20 ms for a batch. Such work is [`polite`]: it begins on its worker, and when a poll of it took
//! longer than [`PATIENCE`] it goes on in a lane, while its worker only waits for the result. What was [`SLOW`] lately, or is
//! new, begins there ([`Habit`]).
//!
//! Two lanes are for what computes ([`Priority`]). The *slow* one has as many threads as there are workers. What computes for longer than
//! [`ENDLESS`] goes on in the *idle* lane, which has fewer: a quarter of the processors, one at least if there are two, is left alone, since a
//! kernel that sees all of them busy does not look for the one where a thread that wakes up need not wait. Senders wait meanwhile,
//! which is what slows them down. A third one, the *bulk* lane, has the priority of any process: there the system copies long
//! messages to a socket ([`bulk`]), which it does in one piece. Outside of workers (in tests with a paused clock, while a plugin is loaded) there is no
//! lane, and work stays where it is.
//!
//! Work must yield to be moved: nothing is interrupted.

mod habit;
mod moment;

pub(crate) use habit::Habit;
pub(crate) use moment::{Moment, step_aside};

use super::{Priority, take_place};
use moment::{ASIDE, processor_time, take_number};
use std::cell::RefCell;
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
        let bulk = lane("bulk", Priority::Normal, count)?;
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
        let first = poll_fn(|context| match Pin::new(&mut work).poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
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

/// Does `work` that is known to take long.
pub(crate) async fn aside<T: Send + 'static>(work: Work<T>) -> T {
    match LANES.with_borrow(Clone::clone) {
        Some(lanes) => lanes.finish(Timed::new(work, true), false).await.value,
        None => work.await,
    }
}

/// A runtime beside this worker for connections on which long messages go; the own one where there is none.
pub(crate) fn bulk() -> Handle {
    let handle = LANES.with_borrow(|lanes| lanes.as_ref().and_then(|lanes| lanes.bulk.next().cloned()));
    handle.unwrap_or_else(Handle::current)
}

/// Drops what takes long to drop, like much memory.
pub(crate) fn drop_aside(value: impl Send + 'static) {
    if let Some(handle) = LANES.with_borrow(|lanes| lanes.as_ref().and_then(|lanes| lanes.slow.next().cloned())) {
        handle.spawn(async move { drop(value) });
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

#[cfg(test)]
mod tests {
    use super::super::Workers;
    use super::habit::FORGOTTEN_AFTER;
    use super::*;

    fn thread() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// Computes for a while, yields, and says on which threads it was.
    async fn compute(time: Duration) -> Vec<String> {
        let mut seen = vec![thread()];
        for _ in 0..3 {
            let start = processor_time();
            while processor_time() - start < time {}
            tokio::task::yield_now().await;
            seen.push(thread());
        }
        seen
    }

    /// Does the work politely on a worker, and waits for it.
    fn go<T: Send + 'static>(
        workers: &Workers,
        habit: &Arc<Habit>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let habit = Arc::clone(habit);
        let (tell, told) = std::sync::mpsc::channel();
        workers.spawn(async move { tell.send(polite(&habit, Box::pin(work)).await) });
        told.recv().unwrap()
    }

    fn trusted() -> Arc<Habit> {
        Arc::new(Habit::trusted())
    }

    /// Says on which thread it was dropped.
    struct Dropped(std::sync::mpsc::Sender<String>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send(thread());
        }
    }

    /// Quick work does not leave its worker; slow work does, and begins in the lane the next time, until it was quick often
    /// enough.
    #[test]
    fn slow_work_gives_way() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = trusted();
        let go_as = |habit: &Arc<Habit>, time| go(&workers, habit, compute(time));
        let go = |time| go_as(&habit, time);
        let (quick, slow) = (Duration::ZERO, 2 * SLOW);
        // A habit of its own: on a busy machine what is quick may take long.
        assert_eq!(go_as(&trusted(), quick)[0], "worker-0");
        let moved = go(slow);
        assert_eq!((moved[0].as_str(), moved.last().unwrap().as_str()), ("worker-0", "slow-0"));
        assert!(go(quick).iter().all(|thread| thread == "slow-0"), "what was slow begins in the lane");
        (0..FORGOTTEN_AFTER).for_each(|_| habit.was_quick());
        habit.was_quick();
        assert_eq!(go(quick)[0], "worker-0", "it is trusted again");
        threads.stop();
    }

    /// What does not end goes on in the idle lane, and begins there the next time; also if that one is only slow.
    #[test]
    fn endless_work_is_idle() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = trusted();
        habit.suspect();
        let go = |time| go(&workers, &habit, compute(time));
        assert_eq!(go(ENDLESS / 2), ["worker-0", "slow-0", "idle-0", "idle-0"]);
        assert_eq!(go(2 * SLOW), ["idle-0"; 4]);
        (0..FORGOTTEN_AFTER).for_each(|_| habit.was_quick());
        assert_eq!(go(2 * SLOW), ["slow-0"; 4]);
        threads.stop();
    }

    /// A thread that waited for its processor did not compute: neither on a worker, nor in the lane, where it waits for all
    /// others, is that a reason to send work into the lane.
    #[test]
    fn waiting_for_a_processor_is_no_habit() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = trusted();
        let waits = || async {
            for _ in 0..3 {
                std::thread::sleep(2 * SLOW);
                tokio::task::yield_now().await;
            }
            thread()
        };
        let go = || go(&workers, &habit, waits());
        assert!(!habit.is_suspected());
        assert_eq!((go().as_str(), habit.is_suspected(), habit.is_slow()), ("worker-0", true, false));
        assert_eq!((go().as_str(), habit.is_slow()), ("worker-0", false));
        habit.was_quick();
        assert!(!habit.is_suspected());

        habit.did_much();
        assert_eq!(go().as_str(), "worker-0", "once is no habit");
        (0..2).for_each(|_| habit.did_much());
        assert_eq!(go(), "slow-0");
        (0..FORGOTTEN_AFTER - 1).for_each(|_| habit.was_quick());
        assert_eq!(go(), "slow-0");
        habit.was_quick();
        assert_eq!(go(), "worker-0", "it did not begin anew in the lane");
        threads.stop();
    }

    /// Work whose owner is gone is given up, wherever it is; a panic is its owner's.
    #[test]
    fn owners() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = Arc::<Habit>::default();
        (0..2).for_each(|_| habit.did_much());
        let (tell, told) = std::sync::mpsc::channel();
        let (begun, began) = std::sync::mpsc::channel();
        let gone = Dropped(tell);
        let for_ever = async move {
            let _gone = gone;
            begun.send(thread()).unwrap();
            std::future::pending::<()>().await;
        };
        let shared = Arc::clone(&habit);
        let owner = workers.spawn(async move { polite(&shared, Box::pin(for_ever)).await });
        assert_eq!(began.recv().unwrap(), "slow-0");
        owner.abort();
        told.recv().unwrap();

        let (tell, told) = std::sync::mpsc::channel();
        let dropped = Dropped(tell.clone());
        workers.spawn(async move { drop_aside(dropped) });
        assert_eq!(told.recv().unwrap(), "slow-0");
        drop_aside(Dropped(tell));
        assert_eq!(told.recv().unwrap(), thread(), "where there is no lane");

        let (tell, told) = std::sync::mpsc::channel();
        let panics = workers.spawn(async move { polite(&habit, Box::pin(async { panic!("as it was told") })).await });
        workers.spawn(async move { tell.send(panics.await.unwrap_err().is_panic()) });
        assert!(told.recv().unwrap());
        threads.stop();
    }

    /// Where there is no worker nothing is moved.
    #[tokio::test(start_paused = true)]
    async fn no_lane_without_workers() {
        let habit = Arc::<Habit>::default();
        let seen = polite(&habit, Box::pin(compute(2 * SLOW))).await;
        assert!(seen.iter().all(|name| *name == thread()), "{seen:?}");
    }
}
