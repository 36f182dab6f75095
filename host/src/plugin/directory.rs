//! The watched directory: what lies in it is what should run.
//!
//! Events of the file system are hints, never facts: after one the directory is looked at, links followed, a file read once it
//! has stopped changing, and its hash compared with what runs. The same happens every `rescan_interval` without any event, for
//! file systems that send none and for events that got lost. This survives atomic renames, copies that grow slowly,
//! editors, deletion and re-creation, and the `..data` swap of a Kubernetes ConfigMap.
//!
//! One thread per directory looks, for every plugin in it; loading happens beside it, a few plugins at once, so that one that
//! takes its time holds up no other. A file that vanishes, or that does not load, leaves the running version in place. The
//! threads end with the last [`Watch`].

mod folder;
mod loads;
mod look;

#[cfg(test)]
mod tests;

use super::{Candidate, Platform, Plugin};
pub use folder::{Folder, FolderOptions, Found, Loader};
use loads::Loads;
use look::{Fingerprint, Look};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A scan waits until no event has come for this long ...
const QUIET: Duration = Duration::from_millis(60);
/// ... but not longer than this.
const QUIET_MAX: Duration = Duration::from_millis(500);
/// How often a directory that is not there is looked for.
const ABSENT: Duration = Duration::from_secs(1);
/// A file counts as complete if it looked the same this long ago.
const STABLE: Duration = Duration::from_millis(60);

/// Keeps a plugin in step with its file; ends when dropped. Dropping the last one of a directory waits for its thread.
pub struct Watch {
    directory: Arc<Directory>,
    entry: Arc<dyn Follow>,
}

/// Something in a directory that follows it.
trait Follow: Send + Sync {
    /// Brings what runs in step with what is there; gives when to look again if that is soon. What takes long is left to
    /// `loads`, after which this is called again.
    fn follow(self: Arc<Self>, loads: &Loads) -> Option<Duration>;
}

struct Directory {
    entries: Arc<Mutex<Vec<Arc<dyn Follow>>>>,
    hints: Sender<Hint>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Ends after the thread that gives it work.
    loads: Mutex<Option<Arc<Loads>>>,
}

/// A file, and the plugin that follows it.
struct Entry {
    file: PathBuf,
    plugin: Arc<Plugin>,
    bytes_max: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The plugin is being offered what was read; until that is over nothing else is done.
    busy: bool,
    /// What the file looked like when it was last read.
    read: Option<Fingerprint>,
    /// What it looked like a moment ago, if that is not what was read.
    pending: Option<Look>,
}

enum Hint {
    Look,
    /// Something has been loaded, or has not.
    Loaded,
    Stop,
}

/// Follows `file` for `plugin` from now on; a change since the plugin was loaded is noticed at once.
///
/// # Errors
/// If the system has no thread left.
pub fn watch(file: &Path, rescan: Duration, plugin: Arc<Plugin>, bytes_max: usize) -> io::Result<Watch> {
    let path = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entry = Entry { file: file.to_owned(), plugin, bytes_max, seen: Mutex::default() };
    Watch::start(path, rescan, Arc::new(entry))
}

/// Follows the plugins of a directory from now on; a change since it was opened is noticed at once.
///
/// # Errors
/// If the system has no thread left.
pub fn watch_folder(path: &Path, rescan: Duration, folder: Arc<Folder>) -> io::Result<Watch> {
    Watch::start(path, rescan, folder)
}

impl Watch {
    fn start(path: &Path, rescan: Duration, entry: Arc<dyn Follow>) -> io::Result<Self> {
        let directory = Directory::shared(path, rescan)?;
        directory.entries.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&entry));
        let _ = directory.hints.send(Hint::Look);
        Ok(Self { directory, entry })
    }
}

/// Reads a plugin for the first time, as soon as the file has stopped changing. Blocks for a moment.
///
/// # Errors
/// Why the file cannot be read.
pub fn read(file: &Path, bytes_max: usize) -> Result<Candidate, String> {
    look::read_stable(file, bytes_max, STABLE)
}

impl Directory {
    /// The watcher of this directory: the one that runs, or a new one.
    fn shared(path: &Path, rescan: Duration) -> io::Result<Arc<Self>> {
        type Known = HashMap<(PathBuf, Duration), Weak<Directory>>;
        static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        known.retain(|_, directory| directory.strong_count() > 0);
        let key = (path.to_owned(), rescan);
        if let Some(directory) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(directory);
        }
        let directory = Arc::new(Self::start(path.to_owned(), rescan)?);
        known.insert(key, Arc::downgrade(&directory));
        Ok(directory)
    }

    fn start(path: PathBuf, rescan: Duration) -> io::Result<Self> {
        let (hints, heard) = channel();
        let entries = Arc::<Mutex<Vec<Arc<dyn Follow>>>>::default();
        let tell = hints.clone();
        let loaded = move || {
            let _ = tell.send(Hint::Loaded);
        };
        let loads = Arc::new(Loads::new(Platform::of_process().settings().load_concurrency, loaded));
        let follower = Follower {
            path,
            rescan,
            hints: hints.clone(),
            heard,
            entries: Arc::clone(&entries),
            loads: Arc::clone(&loads),
            armed: None,
        };
        let thread = std::thread::Builder::new().name("plugin-directory".to_owned()).spawn(|| follower.run())?;
        Ok(Self { entries, hints, thread: Mutex::new(Some(thread)), loads: Mutex::new(Some(loads)) })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = self.hints.send(Hint::Stop);
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        drop(self.loads.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut entries = self.directory.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| !Arc::ptr_eq(entry, &self.entry));
    }
}

/// The thread of a directory.
struct Follower {
    path: PathBuf,
    rescan: Duration,
    hints: Sender<Hint>,
    heard: Receiver<Hint>,
    entries: Arc<Mutex<Vec<Arc<dyn Follow>>>>,
    loads: Arc<Loads>,
    /// The watcher, and the directory (not the path) that it watches.
    armed: Option<(notify::RecommendedWatcher, Fingerprint)>,
}

impl Follower {
    fn run(mut self) {
        let mut wait = Duration::ZERO;
        loop {
            match self.heard.recv_timeout(wait) {
                Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Hint::Look) => {
                    if !self.settle() {
                        return;
                    }
                }
                Ok(Hint::Loaded) | Err(RecvTimeoutError::Timeout) => {}
            }
            self.arm();
            let there = look::of(&self.path).fingerprint().is_some();
            let rescan = if there { self.rescan } else { self.rescan.min(ABSENT) };
            wait = self.scan().map_or(rescan, |soon| soon.min(rescan));
        }
    }

    /// Waits until the hints stop coming; false if told to stop.
    fn settle(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < QUIET_MAX {
            match self.heard.recv_timeout(QUIET) {
                Ok(Hint::Look | Hint::Loaded) => {}
                Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        true
    }

    /// Asks for events of the directory, again if there is another one at its path by now. Without events the rescan
    /// still works.
    fn arm(&mut self) {
        let there = look::of(&self.path).fingerprint();
        if self.armed.as_ref().map(|(_, armed)| armed.identity()) == there.as_ref().map(Fingerprint::identity) {
            return;
        }
        self.armed = None;
        let Some(there) = there else { return };
        let hints = self.hints.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; to look because of it would never end.
            let ours =
                |kind| matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write));
            if !event.is_ok_and(|event| ours(event.kind)) {
                let _ = hints.send(Hint::Look);
            }
        });
        let armed = watcher.and_then(|mut watcher| {
            watcher.watch(&self.path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match armed {
            Ok(watcher) => self.armed = Some((watcher, there)),
            Err(error) => {
                let (directory, every) = (self.path.display(), self.rescan);
                tracing::warn!(%directory, ?every, "no events from the plugin directory, it is only rescanned: {error}");
            }
        }
    }

    /// Looks at everything; gives when one of them must be looked at again, if that is soon.
    fn scan(&self) -> Option<Duration> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        entries.into_iter().filter_map(|entry| entry.follow(&self.loads)).min()
    }
}

impl Follow for Entry {
    fn follow(self: Arc<Self>, loads: &Loads) -> Option<Duration> {
        (!self.settles(loads)).then_some(STABLE)
    }
}

impl Follow for Folder {
    fn follow(self: Arc<Self>, loads: &Loads) -> Option<Duration> {
        Folder::follow(&self, loads)
    }
}

impl Entry {
    /// Brings the plugin in step with the file; false if the file seems to be changing still.
    fn settles(self: &Arc<Self>, loads: &Loads) -> bool {
        let look = look::of(&self.file);
        let mut seen = self.seen();
        if seen.busy {
            // It is looked at again when that is over.
            return true;
        }
        if look.fingerprint().is_some() && look.fingerprint() == seen.read {
            seen.pending = None;
            return true;
        }
        if seen.pending.as_ref() != Some(&look) {
            // Not seen like this before: wait, and look again.
            seen.pending = Some(look);
            return false;
        }
        let fingerprint = match look {
            Look::File(fingerprint) => fingerprint,
            Look::Missing => {
                seen.read = None;
                self.plugin.missing(&self.file);
                return true;
            }
            Look::Unusable(reason) => {
                seen.read = None;
                self.plugin.refuse(None, &reason);
                return true;
            }
        };
        match look::read(&self.file, self.bytes_max) {
            Ok(_) if look::of(&self.file).fingerprint() != Some(fingerprint) => {
                seen.pending = None;
                false
            }
            Ok(candidate) => {
                seen.read = Some(fingerprint);
                (seen.pending, seen.busy) = (None, true);
                let entry = Arc::clone(self);
                loads.start(move |_| {
                    let _over = Over(&entry);
                    entry.plugin.offer(&candidate);
                });
                true
            }
            Err(reason) => {
                self.plugin.refuse(None, &reason);
                true
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An offer is over when this is dropped, however it ended.
struct Over<'a>(&'a Entry);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.seen().busy = false;
    }
}
