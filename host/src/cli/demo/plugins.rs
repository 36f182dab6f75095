//! The plugin directory of the demo, and a second plugin beside it to copy over the first.
//!
//! ```text
//! <temporary>/plugins/redact.wasm    watched, and running
//! <temporary>/redact.wasm            the same file again, for the way back
//! <temporary>/mask-email.wasm        another plugin with the same configuration
//! ```
//! With `--plugins DIR` that directory is watched instead; only a missing `redact.wasm` is put into it. The temporary
//! directory goes away with the demo.

use super::config::MODULE;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The plugin that is put in the place of the first one.
const OTHER: &str = "mask-email";

/// The files of a demo; dropping it removes what it made in the temporary directory.
#[derive(Debug)]
pub(super) struct Plugins {
    temporary: PathBuf,
    watched: PathBuf,
}

impl Plugins {
    /// Lays the files out. `given` is a directory of the user's.
    ///
    /// # Errors
    /// When a file cannot be written, or the user's directory is not there.
    pub(super) fn lay_out(given: Option<&Path>) -> io::Result<Self> {
        let temporary = fresh_directory()?;
        let watched = given.map_or_else(|| temporary.join("plugins"), Path::to_path_buf);
        let plugins = Self { temporary, watched };
        if given.is_none() {
            DirBuilder::new().mode(0o700).create(&plugins.watched)?;
        }
        for name in [MODULE, OTHER] {
            std::fs::write(plugins.spare(name), bundled(name)?)?;
        }
        if !plugins.running().exists() {
            let running = plugins.running();
            std::fs::copy(plugins.spare(MODULE), &running).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot put {MODULE}.wasm into {}: {error}", running.display()))
            })?;
        }
        Ok(plugins)
    }

    /// The directory that the collector watches.
    pub(super) fn watched(&self) -> &Path {
        &self.watched
    }

    /// The file that runs.
    pub(super) fn running(&self) -> PathBuf {
        self.watched.join(format!("{MODULE}.wasm"))
    }

    /// The other plugin.
    pub(super) fn other(&self) -> PathBuf {
        self.spare(OTHER)
    }

    /// The first plugin again.
    pub(super) fn original(&self) -> PathBuf {
        self.spare(MODULE)
    }

    fn spare(&self, name: &str) -> PathBuf {
        self.temporary.join(format!("{name}.wasm"))
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        // Nothing can be done about a file that cannot be removed; it is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

/// A directory that did not exist before and that nobody else may enter.
fn fresh_directory() -> io::Result<PathBuf> {
    let base = std::env::temp_dir();
    loop {
        let path = base.join(format!("tailrace-demo-{:08x}", fastrand::u32(..)));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
}

fn bundled(name: &str) -> io::Result<&'static [u8]> {
    let bundled = crate::plugin::bundled().iter().find(|(bundled, _)| *bundled == name);
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("the plugin {name} is not part of this build"));
    bundled.map(|(_, bytes)| *bytes).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_and_go() {
        let plugins = Plugins::lay_out(None).unwrap();
        let running = plugins.running();
        assert_eq!(std::fs::read(&running).unwrap(), std::fs::read(plugins.original()).unwrap());
        assert_ne!(std::fs::read(&running).unwrap(), std::fs::read(plugins.other()).unwrap());
        drop(plugins);
        assert!(!running.exists());
    }

    /// A directory of the user's is filled up, not overwritten, and stays.
    #[test]
    fn the_users_directory_is_respected() {
        let given = tempfile::tempdir().unwrap();
        let own = given.path().join("redact.wasm");
        drop(Plugins::lay_out(Some(given.path())).unwrap());
        assert!(own.exists());
        std::fs::write(&own, "mine").unwrap();
        drop(Plugins::lay_out(Some(given.path())).unwrap());
        assert_eq!(std::fs::read(&own).unwrap(), b"mine");
        let error = Plugins::lay_out(Some(Path::new("/nowhere/at/all"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
