//! Loading, a few plugins at once: a guest may sleep in `configure`, and one that does holds up no other plugin of its directory.
//!
//! As many threads as `load.concurrency` of the extension `plugins` says, each as long as there is something to load. Jobs
//! beyond wait in their order. Dropping [`Loads`] forgets those, tells the rest that nobody wants them any more, and waits for them.

use crate::workers::lane::step_aside;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Given what is set when nobody waits for it any more.
type Job = Box<dyn FnOnce(&AtomicBool) + Send>;

/// What is being loaded.
pub(super) struct Loads {
    shared: Arc<Shared>,
}

struct Shared {
    at_once: usize,
    /// Called after each job.
    done: Box<dyn Fn() + Send + Sync>,
    ending: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    running: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Loads {
    /// At most so many at once; `done` is called after each, on its thread.
    pub(super) fn new(at_once: usize, done: impl Fn() + Send + Sync + 'static) -> Self {
        let (done, ending, state) = (Box::new(done), AtomicBool::new(false), Mutex::default());
        let shared = Shared { at_once: at_once.max(1), done, ending, state };
        Self { shared: Arc::new(shared) }
    }

    /// Does this as soon as there is a thread for it.
    pub(super) fn start(&self, job: impl FnOnce(&AtomicBool) + Send + 'static) {
        let mut state = self.shared.state();
        state.threads.retain(|thread| !thread.is_finished());
        state.waiting.push_back(Box::new(job));
        if state.running >= self.shared.at_once {
            return;
        }
        let shared = Arc::clone(&self.shared);
        match std::thread::Builder::new().name("plugin-load".to_owned()).spawn(move || shared.run()) {
            Ok(thread) => {
                state.running += 1;
                state.threads.push(thread);
            }
            // Those that run take it over; if there are none, the next one that is started does.
            Err(error) => tracing::warn!(%error, "no further thread to load plugins"),
        }
    }

    /// Waits until nothing is being loaded.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        let threads = std::mem::take(&mut self.shared.state().threads);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        self.shared.ending.store(true, Relaxed);
        let mut state = self.shared.state();
        let (waiting, threads) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.threads));
        drop(state);
        drop(waiting);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        // Batches flow meanwhile, and a guest that starts may compute.
        step_aside();
        loop {
            let mut state = self.state();
            let Some(job) = state.waiting.pop_front() else {
                state.running -= 1;
                return;
            };
            drop(state);
            // A panic of the host is the fault of one job; the others go on.
            let _ = catch_unwind(AssertUnwindSafe(|| job(&self.ending)));
            (self.done)();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the same to all of these, a few at once, and gives what came of them in their order.
pub(super) fn all<T: Sync, R: Send>(at_once: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let next = AtomicUsize::new(0);
    let run = || {
        loop {
            let at = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..at_once.min(items.len()) {
            // Without a further thread this one does it all.
            let _ = std::thread::Builder::new().name("plugin-load".to_owned()).spawn_scoped(scope, run);
        }
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// One job that does not end holds up no other, as long as there is a thread left; what panics neither.
    #[test]
    fn one_that_sleeps_holds_up_nobody() {
        let (tell, told) = channel();
        let loads = Loads::new(2, move || tell.send("done").unwrap());
        let (wake, woken) = channel();
        let (begun, began) = channel();
        loads.start(move |_| {
            begun.send(()).unwrap();
            woken.recv().unwrap();
        });
        began.recv().unwrap();
        loads.start(|_| panic!("as it was told"));
        loads.start(|_| ());
        assert_eq!((told.recv(), told.recv()), (Ok("done"), Ok("done")));
        assert!(told.try_recv().is_err());
        wake.send(()).unwrap();
        loads.wait();
        assert_eq!(told.recv(), Ok("done"));
    }

    /// The end waits for what runs, and forgets what waits.
    #[test]
    fn the_end() {
        let (begun, began) = channel();
        let loads = Loads::new(1, || ());
        loads.start(move |ending| {
            begun.send("first").unwrap();
            while !ending.load(Relaxed) {
                std::thread::yield_now();
            }
        });
        assert_eq!(began.recv(), Ok("first"));
        let (second, never) = channel::<()>();
        loads.start(move |_| second.send(()).unwrap());
        drop(loads);
        assert!(never.recv().is_err());
    }

    #[test]
    fn all_in_their_order() {
        let numbers: Vec<u32> = (0..100).collect();
        for at_once in [1, 3, 1000] {
            assert_eq!(all(at_once, &numbers, |number| number * 2), (0..100).map(|n| n * 2).collect::<Vec<_>>());
        }
        assert_eq!(all(4, &[] as &[u8], |_| ()), []);
    }
}
