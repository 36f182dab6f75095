//! Other processes of this machine that compute in bursts, like an agent that looks at everything once a second: what an
//! answer takes while one of them has a processor for milliseconds says nothing about the collector.
//!
//! Who does that is found out before anything is measured, from the kernel's books of each thread. These few are then
//! watched.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the machine is looked at in the beginning.
const LOOK: Duration = Duration::from_secs(3);
/// Who computes for so long meanwhile is watched.
const BUSY: Duration = Duration::from_millis(3);
/// Between two looks at those.
const PERIOD: Duration = Duration::from_millis(1);
/// What is computed between two looks and counts as a burst.
const BURST: Duration = Duration::from_micros(500);
/// What has waited for the end of a burst takes so long to be done.
const AFTERMATH: Duration = Duration::from_millis(2);
/// Niceness of who watches: it is to see the end of a burst at once.
const FIRST: i32 = -10;

/// A watch of them.
pub struct Bystanders {
    bursts: Arc<Mutex<Vec<(Instant, Instant)>>>,
    names: Vec<String>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bystanders {
    /// Looks for them, for three seconds in which nothing that is to be measured runs, and begins to watch.
    pub fn watch() -> Self {
        let mut threads: Vec<_> = threads().into_iter().filter_map(Thread::open).collect();
        std::thread::sleep(LOOK);
        threads.retain_mut(|thread| thread.computed() >= BUSY);
        let names = threads.iter().map(|thread| thread.name.clone()).collect();
        let (stop, bursts) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&bursts));
        let run = move || {
            let _ = rustix::process::setpriority_process(None, FIRST);
            while !stopped.load(Relaxed) {
                std::thread::sleep(PERIOD);
                let now = Instant::now();
                let computed = threads.iter_mut().map(Thread::computed).filter(|computed| *computed >= BURST);
                let burst = |computed| (now - computed - PERIOD, now + AFTERMATH);
                shared.lock().expect("no panic").extend(computed.map(burst));
            }
        };
        let thread = std::thread::Builder::new().name("bystanders".to_owned()).spawn(run).expect("a thread");
        Self { bursts, names, stop, thread: Some(thread) }
    }

    /// Who is watched.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The bursts since this was last asked for.
    pub fn take(&self) -> Bursts {
        Bursts(std::mem::take(&mut self.bursts.lock().expect("no panic")))
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Times at which others computed.
#[derive(Debug, Default)]
pub struct Bursts(Vec<(Instant, Instant)>);

impl Bursts {
    /// Whether one of them may have held up what began and ended then.
    pub fn touch(&self, begin: Instant, end: Instant) -> bool {
        self.0.iter().any(|(from, to)| begin < *to && *from < end)
    }
}

/// A thread of another process.
struct Thread {
    name: String,
    /// Its `schedstat`, which begins with the nanoseconds that it has computed.
    books: File,
    before: Duration,
}

impl Thread {
    /// `None` if it is gone, or the kernel keeps no books.
    fn open(path: PathBuf) -> Option<Self> {
        let name = std::fs::read_to_string(path.join("comm")).ok()?.trim().to_owned();
        let mut thread = Self { name, books: File::open(path.join("schedstat")).ok()?, before: Duration::ZERO };
        thread.computed();
        Some(thread)
    }

    /// How long it has computed since the last call.
    fn computed(&mut self) -> Duration {
        let mut line = [0; 64];
        let read = self.books.read_at(&mut line, 0).unwrap_or_default();
        let line = String::from_utf8_lossy(line.get(..read).unwrap_or_default()).into_owned();
        let nanos = line.split_ascii_whitespace().next().and_then(|nanos| nanos.parse().ok());
        let now = nanos.map_or(self.before, Duration::from_nanos);
        now.saturating_sub(std::mem::replace(&mut self.before, now))
    }
}

/// All threads of all other processes.
fn threads() -> Vec<PathBuf> {
    let list = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
    let own = std::process::id().to_string();
    let processes = list("/proc".into()).filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name != own && name.bytes().all(|byte| byte.is_ascii_digit())
    });
    processes.flat_map(|process| list(process.path().join("task"))).map(|task| task.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A burst touches what overlaps with it.
    #[test]
    fn bursts() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let bursts = Bursts(vec![(at(10), at(20)), (at(50), at(60))]);
        for (from, to, expected) in [(0, 9, false), (0, 11, true), (12, 13, true), (19, 40, true), (21, 49, false)] {
            assert_eq!(bursts.touch(at(from), at(to)), expected, "{from} to {to}");
        }
    }

    /// What a process computes is seen, where the kernel keeps books.
    #[test]
    fn books() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let id = child.id();
        let mut thread = Thread::open(format!("/proc/{id}/task/{id}").into());
        let end = Instant::now() + Duration::from_secs(60);
        let mut computed = Duration::ZERO;
        while let Some(thread) = thread.as_mut().filter(|_| computed < BUSY) {
            assert!(Instant::now() < end, "it does not compute");
            std::thread::sleep(PERIOD);
            computed += thread.computed();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
