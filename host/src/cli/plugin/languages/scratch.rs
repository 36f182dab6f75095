//! A folder for what a compiler writes on the way to a component. It goes when it is dropped.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A folder of our own.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one, with the name of the plugin in its own.
    pub(super) fn new(plugin: &str) -> std::io::Result<Self> {
        let base = std::env::temp_dir();
        loop {
            let dir = base.join(format!("tailrace-{plugin}-{:08x}", fastrand::u32(..)));
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A file in it.
    pub(super) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed from a temporary folder is somebody else's to remove.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
