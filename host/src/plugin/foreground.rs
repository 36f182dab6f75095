//! A thread of normal priority, for what batches wait for while a plugin is replaced.
//!
//! Plugins are loaded on threads of low priority, which on a machine with work for all may stand still for seconds; and a
//! thread that such a thread starts is one of them. What is short and holds up a pipeline (the hand-over of state) is done
//! here, one after the other.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The thread. It has the priority of the one that starts it, and lives as long as the process.
pub(super) struct Foreground(Sender<Job>);

impl Foreground {
    pub(super) fn start() -> std::io::Result<Self> {
        let (jobs, given) = channel::<Job>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let work = move || {
            for job in given {
                // A panic is the fault of one job; the others go on.
                let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(job)));
            }
        };
        std::thread::Builder::new().name("plugin-handover".to_owned()).spawn(work)?;
        Ok(Self(jobs))
    }

    /// Does this and waits for it; `None` if it ended in a panic. Blocks: not to be called on a worker.
    pub(super) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = channel();
        let job = Box::pin(async move {
            // Who asked waits for it.
            let _ = tell.send(work.await);
        });
        self.0.send(job).ok()?;
        told.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::lane::step_aside;

    /// The niceness of this thread, as in proc(5).
    #[cfg(target_os = "linux")]
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(16).unwrap().parse().unwrap()
    }

    /// Whoever asks, it is done at the priority that the thread was started with; a panic ends nothing but itself.
    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_waits_behind_a_slow_thread() {
        let foreground = Foreground::start().unwrap();
        let normal = niceness();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                step_aside();
                // What it starts itself is as slow as it is.
                let started = std::thread::spawn(niceness).join().unwrap();
                assert_eq!((niceness(), started, foreground.run(async { niceness() })), (19, 19, Some(normal)));
                assert_eq!(foreground.run(async { assert!(niceness() > 19, "a panic") }), None);
                assert_eq!(foreground.run(async { 7 }), Some(7));
            });
        });
    }
}
