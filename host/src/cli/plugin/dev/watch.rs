//! Waits for the author to save something.
//!
//! Events are hints: after one, the sources are listed with their sizes and times, and compared. Hidden folders and those of builds
//! are left out, so that a build does not wake itself.

use notify::{RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

/// A save is over when nothing has changed for this long: editors write in several steps.
const QUIET: Duration = Duration::from_millis(40);
/// How often the sources are looked at without any event.
const RESCAN: Duration = Duration::from_secs(2);
/// Folders in which nobody writes sources.
const BUILD_FOLDERS: [&str; 7] = ["target", "dist", "node_modules", "__pycache__", "build", "vendor", "venv"];

/// Watches a project.
pub(super) struct Watch {
    dir: PathBuf,
    endings: Vec<String>,
    known: BTreeMap<PathBuf, Look>,
    hints: Receiver<()>,
    _watcher: Option<notify::RecommendedWatcher>,
}

/// What a file looks like from outside.
type Look = (u64, Option<SystemTime>);

impl Watch {
    /// Of the files below `dir` that end so, and everything in `cases/`.
    pub(super) fn new(dir: &Path, endings: &[&str]) -> Self {
        let (hint, hints) = channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // Nobody listens any more at the very end.
                let _ = hint.send(());
            }
        });
        // Without events there is still the rescan.
        let watcher = watcher.ok().and_then(|mut watcher| {
            let folders = std::fs::read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
            watcher.watch(dir, RecursiveMode::NonRecursive).ok()?;
            for folder in folders.filter(|path| path.is_dir() && !left_out(path)) {
                watcher.watch(&folder, RecursiveMode::Recursive).ok()?;
            }
            Some(watcher)
        });
        let endings =
            endings.iter().map(|ending| (*ending).to_owned()).chain([super::super::project::MANIFEST.to_owned()]);
        let mut watch =
            Self { dir: dir.to_owned(), endings: endings.collect(), known: BTreeMap::new(), hints, _watcher: watcher };
        watch.known = watch.look();
        watch
    }

    /// The files that changed since the last call of this; waits for one until `patience` is over.
    pub(super) fn changed(&mut self, patience: Duration) -> Vec<PathBuf> {
        let changed = self.compare();
        if !changed.is_empty() {
            return changed;
        }
        match self.hints.recv_timeout(patience.min(RESCAN)) {
            Ok(()) => while self.hints.recv_timeout(QUIET).is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
            // No watcher: the rescan is all there is.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(patience.min(RESCAN)),
        }
        self.compare()
    }

    fn compare(&mut self) -> Vec<PathBuf> {
        let now = self.look();
        let different = |path: &&PathBuf| now.get(*path) != self.known.get(*path);
        let mut changed: Vec<PathBuf> = now.keys().chain(self.known.keys()).filter(different).cloned().collect();
        changed.sort();
        changed.dedup();
        self.known = now;
        changed
    }

    fn look(&self) -> BTreeMap<PathBuf, Look> {
        let mut found = BTreeMap::new();
        self.collect(&self.dir, false, &mut found);
        found
    }

    fn collect(&self, folder: &Path, in_cases: bool, found: &mut BTreeMap<PathBuf, Look>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if left_out(&path) {
                continue;
            }
            // Not through links, which may lead back.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let in_cases = in_cases || path == self.dir.join("cases");
                self.collect(&path, in_cases, found);
                continue;
            }
            let name = path.to_string_lossy();
            let wanted = in_cases || self.endings.iter().any(|ending| name.ends_with(ending.as_str()));
            if let Some(metadata) = entry.metadata().ok().filter(|_| wanted) {
                found.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        }
    }
}

/// Hidden, or of a build.
fn left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || (path.is_dir() && BUILD_FOLDERS.contains(&&*name)) || name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A save of a source or a case is seen, what a build writes is not.
    #[test]
    fn saves_are_seen_and_builds_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "a");
        write("cases/one/input.json", "{}");
        let mut watch = Watch::new(dir.path(), &[".rs"]);
        write("target/release/x.rs", "no");
        write("dist/tidy.wasm", "no");
        write("notes.txt", "no");
        assert_eq!(watch.changed(Duration::from_millis(100)), [""; 0].map(PathBuf::from));
        write("src/lib.rs", "ab");
        assert_eq!(watch.changed(Duration::from_secs(10)), [dir.path().join("src/lib.rs")]);
        write("cases/one/input.json", "{ }");
        assert_eq!(watch.changed(Duration::from_secs(10)), [dir.path().join("cases/one/input.json")]);
        write("src/new/deep.rs", "c");
        assert_eq!(watch.changed(Duration::from_secs(10)), [dir.path().join("src/new/deep.rs")]);
    }
}
