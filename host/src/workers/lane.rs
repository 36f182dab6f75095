//! The slow lane: where work goes on that keeps a worker for too long.
//!
//! A worker serves many pipelines, and the work of one of them may compute: a plugin that loops until its time is over, an
//! interpreter that takes 20 ms for a batch. Such work is [`polite`]: it begins on its worker, and when a poll of it took
//! longer than [`PATIENCE`] it goes on in the lane, while its worker only waits for the result. What was [`SLOW`] lately
//! begins there ([`Habit`]).
//!
//! The lane has as many threads as there are workers. They get the processor time that nobody else wants (`SCHED_IDLE`): on a
//! machine with work for all, what is quick goes first, and what is slow gets what is left, hardly anything but never nothing.
//! Its senders wait meanwhile, which is what slows them down. Outside of workers (in tests with a paused clock, while a
//! plugin is loaded) there is no lane, and work stays where it is.
//!
//! Work must yield to be moved: nothing is interrupted.

use super::lower_priority;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How long a poll may keep a worker before the work is moved.
const PATIENCE: Duration = Duration::from_micros(250);
/// What takes so long at a time is worth a change of threads from the start.
pub(crate) const SLOW: Duration = Duration::from_millis(1);
/// How many times work must be quick to begin on a worker again.
const FORGOTTEN_AFTER: u8 = 20;

/// The number of threads that are not of the lane, but as slow.
const ASIDE: u8 = u8::MAX;

thread_local! {
    /// The lane of the worker that runs on this thread.
    static LANE: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
    /// The number of this thread in the lane, from 1; 0 is a thread of normal priority.
    static NUMBER: Cell<u8> = const { Cell::new(0) };
}

/// The threads beside the workers.
#[derive(Debug)]
pub(super) struct Lane {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Lane {
    /// Starts so many threads, which end when `stopped` says so.
    pub(super) fn start(
        count: usize,
        stopped: &watch::Receiver<bool>,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for number in 1..=u8::try_from(count.max(1)).unwrap_or(ASIDE).min(ASIDE - 1) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            let run = move || {
                lower_priority();
                NUMBER.set(number);
                // An error means that the owner is gone: the same as being told to stop.
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            };
            threads.push(std::thread::Builder::new().name(format!("slow-{}", number - 1)).spawn(run)?);
        }
        Ok((Arc::new(Self { handles, next: AtomicUsize::new(0) }), threads))
    }

    /// Makes this thread a worker that has this lane beside it.
    pub(super) fn stand_beside(self: &Arc<Self>) {
        LANE.set(Some(Arc::clone(self)));
    }

    /// The next thread in turn.
    fn next(&self) -> Option<&Handle> {
        self.handles.get(self.next.fetch_add(1, Relaxed) % self.handles.len().max(1))
    }

    async fn finish<T: Send + 'static>(&self, mut work: Timed<T>) -> (T, Duration) {
        work.exact = true;
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

/// Whether work of one kind was slow lately.
///
/// On a busy machine a thread may lose its processor in the middle of quick work, so that a poll which took long is a
/// suspicion only: the next ones are measured in the processor's time, which costs two system calls, until one was quick. What is
/// new is suspected.
#[derive(Debug)]
pub(crate) struct Habit(AtomicU8);

/// What a [`Habit`] is besides the number of times that work must be quick.
const SUSPECTED: u8 = u8::MAX;
/// The last one was slow without any doubt. Once is no habit: an instance may have been replaced.
const SLOW_ONCE: u8 = SUSPECTED - 1;

impl Default for Habit {
    fn default() -> Self {
        Self(AtomicU8::new(SUSPECTED))
    }
}

impl Habit {
    fn is_slow(&self) -> bool {
        (1..=FORGOTTEN_AFTER).contains(&self.0.load(Relaxed))
    }

    /// Whether only exact times count.
    fn is_suspected(&self) -> bool {
        self.0.load(Relaxed) >= SLOW_ONCE
    }

    fn was_slow(&self) {
        self.change(|now| match now {
            SUSPECTED | 0 => Some(SLOW_ONCE),
            _ => Some(FORGOTTEN_AFTER),
        });
    }

    fn suspect(&self) {
        self.change(|now| (now == 0).then_some(SUSPECTED));
    }

    /// It was done, and took less than [`SLOW`]. Its owner says so: that nothing was to be done is no reason to trust it.
    pub(crate) fn was_quick(&self) {
        if self.0.load(Relaxed) > 0 {
            self.change(|now| match now {
                SUSPECTED | SLOW_ONCE => Some(0),
                now => now.checked_sub(1),
            });
        }
    }

    /// Two at once may both count: it is a habit, no ledger.
    fn change(&self, change: impl FnMut(u8) -> Option<u8>) {
        let _ = self.0.fetch_update(Relaxed, Relaxed, change);
    }
}

/// Work that can be moved from one thread to another.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does `work`, and gives way to others if it takes long. It is given up when this is dropped, as any future is.
pub(crate) async fn polite<T: Send + 'static>(habit: &Habit, work: Work<T>) -> T {
    let Some(lane) = LANE.with_borrow(Clone::clone) else { return work.await };
    let mut work = Timed::new(work, habit.is_suspected());
    if !habit.is_slow() {
        let first = poll_fn(|context| match Pin::new(&mut work).poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if work.longest < PATIENCE => Poll::Pending,
            Poll::Pending if work.exact => {
                // Those that come before its end need not find out themselves.
                if std::mem::take(&mut work.longest) >= SLOW {
                    habit.was_slow();
                }
                Poll::Ready(None)
            }
            Poll::Pending => {
                habit.suspect();
                (work.exact, work.longest) = (true, Duration::ZERO);
                Poll::Pending
            }
        });
        if let Some((done, longest)) = first.await {
            match (longest >= SLOW, work.exact) {
                (true, true) => habit.was_slow(),
                (true, false) => habit.suspect(),
                (false, _) => {}
            }
            return done;
        }
    }
    let (done, longest) = lane.finish(work).await;
    if longest >= SLOW {
        habit.was_slow();
    }
    done
}

/// Does `work` that is known to take long.
pub(crate) async fn aside<T: Send + 'static>(work: Work<T>) -> T {
    match LANE.with_borrow(Clone::clone) {
        Some(lane) => lane.finish(Timed::new(work, true)).await.0,
        None => work.await,
    }
}

/// Drops what takes long to drop, like much memory.
pub(crate) fn drop_aside(value: impl Send + 'static) {
    if let Some(handle) = LANE.with_borrow(|lane| lane.as_ref().and_then(|lane| lane.next().cloned())) {
        handle.spawn(async move { drop(value) });
    }
}

/// Work, and how long it kept its thread at most.
struct Timed<T> {
    work: Work<T>,
    longest: Duration,
    /// Whether that is the processor's time, in which it does not count if the thread had to wait.
    exact: bool,
}

impl<T> Timed<T> {
    fn new(work: Work<T>, exact: bool) -> Self {
        Self { work, longest: Duration::ZERO, exact }
    }
}

impl<T> Future for Timed<T> {
    type Output = (T, Duration);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let took = if self.exact {
            let start = processor_time();
            let polled = self.work.as_mut().poll(context);
            (polled, processor_time().saturating_sub(start))
        } else {
            let start = Instant::now();
            let polled = self.work.as_mut().poll(context);
            (polled, start.elapsed())
        };
        self.longest = self.longest.max(took.1);
        let longest = self.longest;
        took.0.map(|done| (done, longest))
    }
}

/// Makes this thread one of low priority, for work that may take long beside the workers: like a thread of the lane, but its
/// owner gives it its work.
pub(crate) fn step_aside() {
    lower_priority();
    NUMBER.set(ASIDE);
}

/// A moment, to tell how long a thread has computed since.
///
/// On a worker that is the time that passed. A thread of low priority may have to wait for a processor, and that is not the
/// fault of the work: there it is the processor's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment(u64);

/// The number of the thread is in the highest byte: processor times of two threads have nothing to do with each other.
const NUMBER_AT: u32 = 56;

impl Moment {
    /// Now, on this thread, in a life that began at `born`.
    pub(crate) fn now(born: Instant) -> Self {
        let number = NUMBER.get();
        let time = if number == 0 { born.elapsed() } else { processor_time() };
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) & ((1 << NUMBER_AT) - 1);
        Self(nanos | u64::from(number) << NUMBER_AT)
    }

    /// Time that was computed from `earlier` until now; nothing if that was on another thread, since work is moved only
    /// between two looks at the clock.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        if self.0 >> NUMBER_AT != earlier.0 >> NUMBER_AT {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// As one number, for an atomic.
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`Self::to_bits`].
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::Workers;
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

    /// Quick work does not leave its worker; slow work does, and begins in the lane the next time, until it was quick often
    /// enough.
    #[test]
    fn slow_work_gives_way() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = Arc::<Habit>::default();
        let go_as = |habit: &Arc<Habit>, time| {
            let habit = Arc::clone(habit);
            let (tell, told) = std::sync::mpsc::channel();
            workers.spawn(async move { tell.send(polite(&habit, Box::pin(compute(time))).await).unwrap() });
            told.recv().unwrap()
        };
        let go = |time| go_as(&habit, time);
        let (quick, slow) = (Duration::ZERO, 2 * SLOW);
        // A habit of its own: on a busy machine what is quick may take long.
        assert_eq!(go_as(&Arc::default(), quick)[0], "worker-0");
        let moved = go(slow);
        assert_eq!((moved[0].as_str(), moved.last().unwrap().as_str()), ("worker-0", "slow-0"));
        assert!(go(quick).iter().all(|thread| thread == "slow-0"), "what was slow begins in the lane");
        (0..FORGOTTEN_AFTER).for_each(|_| habit.was_quick());
        habit.was_quick();
        assert_eq!(go(quick)[0], "worker-0", "it is trusted again");
        threads.stop();
    }

    /// A thread that waited for its processor did not compute: neither on a worker, nor in the lane, where it waits for all
    /// others, is that a reason to send work into the lane.
    #[test]
    fn waiting_for_a_processor_is_no_habit() {
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = Arc::<Habit>::default();
        let go = || {
            let habit = Arc::clone(&habit);
            let (tell, told) = std::sync::mpsc::channel();
            let waits = async {
                for _ in 0..3 {
                    std::thread::sleep(2 * SLOW);
                    tokio::task::yield_now().await;
                }
                thread()
            };
            workers.spawn(async move { tell.send(polite(&habit, Box::pin(waits)).await).unwrap() });
            told.recv().unwrap()
        };
        habit.was_quick();
        assert!(!habit.is_suspected());
        assert_eq!((go().as_str(), habit.is_suspected(), habit.is_slow()), ("worker-0", true, false));
        assert_eq!((go().as_str(), habit.is_slow()), ("worker-0", false));
        habit.was_quick();
        assert!(!habit.is_suspected());

        habit.was_slow();
        assert_eq!(go().as_str(), "worker-0", "once is no habit");
        (0..2).for_each(|_| habit.was_slow());
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
        struct Gone(std::sync::mpsc::Sender<()>);
        impl Drop for Gone {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (workers, threads) = Workers::start(1).unwrap();
        let habit = Arc::<Habit>::default();
        (0..2).for_each(|_| habit.was_slow());
        let (tell, told) = std::sync::mpsc::channel();
        let (begun, began) = std::sync::mpsc::channel();
        let gone = Gone(tell);
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
        struct Said(std::sync::mpsc::Sender<String>);
        impl Drop for Said {
            fn drop(&mut self) {
                let _ = self.0.send(thread());
            }
        }
        let said = Said(tell.clone());
        workers.spawn(async move { drop_aside(said) });
        assert_eq!(told.recv().unwrap(), "slow-0");
        drop_aside(Said(tell));
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

    /// Times of two threads are not compared.
    #[test]
    fn moments() {
        let born = Instant::now();
        let here = Moment::now(born);
        assert!(Moment::now(born).since(here) < Duration::from_secs(60));
        let elsewhere = Moment::from_bits(here.to_bits() | 1 << NUMBER_AT);
        assert_eq!((here.since(elsewhere), elsewhere.since(here)), (Duration::ZERO, Duration::ZERO));
        NUMBER.set(3);
        let computing = Moment::now(born);
        std::thread::sleep(Duration::from_millis(20));
        assert!(Moment::now(born).since(computing) < Duration::from_millis(20), "a wait is no computing");
    }
}
