//! One current-thread runtime per core.
//!
//! Connections and the tasks of a component are dealt to the workers round robin and stay there: no work stealing
//! (it cost 1.6 times the CPU in the prototype). Everything they share is `Send + Sync`. Nothing here blocks; work that
//! would (compilation, large bodies) goes to [`tokio::task::spawn_blocking`], and what computes for long beside the workers
//! ([`lane`]). Where there is work for more threads than processors, a worker that wakes up goes first ([`Priority`]).

#[cfg(target_os = "linux")]
mod allocator;
pub(crate) mod lane;
pub(crate) mod large;
mod priority;

#[cfg(target_os = "linux")]
pub use allocator::Allocator;
pub(crate) use priority::{Priority, take_place};

use lane::Lanes;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The runtimes that move data.
#[derive(Clone, Debug)]
pub struct Workers {
    handles: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

/// Owns the threads of the workers; dropping or [`WorkerThreads::stop`] ends them.
#[derive(Debug)]
pub struct WorkerThreads {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    /// Of the lane: they end after the workers, which wait for them.
    stop_lane: watch::Sender<bool>,
    lane: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Everything on the runtime that calls: for tests with a paused clock.
    pub fn current() -> Self {
        Self::from_handles(vec![Handle::current()])
    }

    /// Starts `cores` threads, each with a runtime of its own, and as many beside them for what is slow.
    ///
    /// # Errors
    /// When the system refuses a thread or a runtime.
    pub fn start(cores: usize) -> std::io::Result<(Self, WorkerThreads)> {
        let (stop_lane, lane_stopped) = watch::channel(false);
        let (lane, lane_threads) = Lanes::start(cores, &lane_stopped)?;
        let (stop, stopped) = watch::channel(false);
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for core in 0..cores.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let (mut stopped, lane) = (stopped.clone(), Arc::clone(&lane));
            let thread = std::thread::Builder::new().name(format!("worker-{core}"));
            threads.push(thread.spawn(move || {
                take_place(Priority::Short);
                lane.stand_beside();
                // An error means that the owner is gone: the same as being told to stop.
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            })?);
        }
        Ok((Self::from_handles(handles), WorkerThreads { stop, threads, stop_lane, lane: lane_threads }))
    }

    fn from_handles(handles: Vec<Handle>) -> Self {
        Self { handles: handles.into(), next: Arc::default() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// The next worker in turn.
    pub fn next(&self) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len().max(1);
        self.handles.get(turn).cloned().unwrap_or_else(Handle::current)
    }

    /// Runs `task` on the next worker in turn.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.next().spawn(task)
    }
}

impl WorkerThreads {
    /// Ends the runtimes and waits for their threads. Tasks that still run are dropped at their next await.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let _ = self.stop_lane.send(true);
        for thread in self.lane.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for WorkerThreads {
    fn drop(&mut self) {
        self.join();
    }
}
