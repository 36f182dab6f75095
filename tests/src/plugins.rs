//! A plugin directory of a test, and plugins of many versions to put into it.

use crate::guests::guest;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The guest `stamp` with a text: the value that every `url.path` gets, or a way to misbehave (`tests/guests/stamp`).
///
/// # Panics
/// When it does not build, or the text is too long.
pub fn stamp(text: &str) -> Vec<u8> {
    const MARK: &[u8] = b"TAILRACE-STAMP->";
    const ROOM: usize = 32;
    let mut wasm = guest("stamp").to_vec();
    let at = wasm.windows(MARK.len()).position(|window| window == MARK).expect("the guest has its mark") + MARK.len();
    assert!(text.len() <= ROOM, "{text:?} is too long");
    wasm[at..at + ROOM].fill(b' ');
    wasm[at..at + text.len()].copy_from_slice(text.as_bytes());
    wasm
}

/// The root of this repository.
pub fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository");
    root.to_owned()
}

/// A directory of plugins that goes away with the test.
pub struct PluginDirectory(tempfile::TempDir);

impl Default for PluginDirectory {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
}

impl PluginDirectory {
    /// One that holds a plugin.
    pub fn with(name: &str, wasm: &[u8]) -> Self {
        let directory = Self::default();
        directory.replace(name, wasm);
        directory
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file of a plugin.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.wasm"))
    }

    /// Puts a plugin in place at once: a temporary file, then a rename.
    pub fn replace(&self, name: &str, wasm: &[u8]) {
        let temporary = self.path().join(format!(".{name}.tmp"));
        std::fs::write(&temporary, wasm).expect("writable");
        std::fs::rename(&temporary, self.file(name)).expect("renamed");
    }

    /// Opens the file of a plugin as `cp` does, truncated, to be written piece by piece.
    pub fn truncate(&self, name: &str) -> std::fs::File {
        std::fs::File::create(self.file(name)).expect("writable")
    }

    /// Writes over the file of a plugin in place, all at once.
    pub fn overwrite(&self, name: &str, wasm: &[u8]) {
        self.truncate(name).write_all(wasm).expect("writable");
    }

    /// Deletes a plugin.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(name)).expect("it was there");
    }
}

/// A directory as Kubernetes mounts a ConfigMap: `<name>.wasm -> ..data/<name>.wasm`, `..data -> ..<generation>`.
pub struct ConfigMap {
    directory: tempfile::TempDir,
    generation: usize,
}

impl ConfigMap {
    /// One with a plugin.
    pub fn with(name: &str, wasm: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut map = Self { directory, generation: 0 };
        map.swap(name, wasm);
        let link = map.path().join(format!("{name}.wasm"));
        std::os::unix::fs::symlink(format!("..data/{name}.wasm"), link).expect("a link");
        map
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What the kubelet does when the ConfigMap changes: a new directory, then `..data` is moved to it by a rename,
    /// then the old directory is deleted.
    pub fn swap(&mut self, name: &str, wasm: &[u8]) {
        let old = self.path().join(format!("..generation_{}", self.generation));
        self.generation += 1;
        let new = format!("..generation_{}", self.generation);
        std::fs::create_dir(self.path().join(&new)).expect("a directory");
        std::fs::write(self.path().join(&new).join(format!("{name}.wasm")), wasm).expect("writable");
        let temporary = self.path().join("..data_tmp");
        std::os::unix::fs::symlink(&new, &temporary).expect("a link");
        std::fs::rename(&temporary, self.path().join("..data")).expect("renamed");
        if old.exists() {
            std::fs::remove_dir_all(old).expect("deleted");
        }
    }
}
