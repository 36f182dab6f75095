//! One open file, shared by the signals of an exporter: whole records or none.

use super::backups;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Where to write.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    /// Keep what is in the file.
    pub(super) append: bool,
    pub(super) rotation: Option<Rotation>,
    /// With which permissions to make the directory, if at all.
    pub(super) create_directory: Option<u32>,
}

/// When to begin a new file, and how many old ones to keep; zero is no limit for the latter two.
#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) max_age: Duration,
    pub(super) max_backups: usize,
}

/// The writer and how many use it. Every call blocks.
#[derive(Debug)]
pub(super) struct SharedWriter {
    target: Target,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: usize,
    file: Option<File>,
    /// Where the last whole record ends, if there is a torn one behind it.
    torn_from: Option<u64>,
}

impl SharedWriter {
    pub(super) fn new(target: Target) -> Self {
        Self { target, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file for one more user; the first one empties it unless it is appended to.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.users == 0 {
            state.file = Some(self.target.open(self.target.append).map_err(|error| self.explain(&error))?);
        }
        state.users += 1;
        Ok(())
    }

    /// Closes it when the last user goes.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.users = state.users.saturating_sub(1);
        if state.users == 0 {
            state.file = None;
        }
    }

    /// Writes a record, or nothing.
    pub(super) fn write(&self, record: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if state.users == 0 {
            return Err(io::Error::other("the file is closed"));
        }
        self.try_write(&mut state, record).map_err(|error| self.explain(&error))
    }

    fn try_write(&self, state: &mut State, record: &[u8]) -> io::Result<()> {
        self.mend(state)?;
        let file = match &state.file {
            Some(file) => file,
            // A rotation could rename the file and then not open a new one.
            None => state.file.insert(self.target.open(true)?),
        };
        let metadata = file.metadata()?;
        if let Some(rotation) = &self.target.rotation
            && metadata.is_file()
            && metadata.len() > 0
            && metadata.len() + record.len() as u64 > rotation.max_bytes
        {
            state.file = None;
            self.rotate(rotation)?;
            state.file = Some(self.target.open(true)?);
            return self.try_write(state, record);
        }
        let written = (&*file).write_all(record);
        if written.is_err() && metadata.is_file() {
            state.torn_from = Some(metadata.len());
            // If this fails as well, the next record tries again before it is written.
            let _ = self.mend(state);
        }
        written
    }

    /// Cuts off what was written of a record that failed.
    fn mend(&self, state: &mut State) -> io::Result<()> {
        if let (Some(end), Some(file)) = (state.torn_from, &state.file) {
            file.set_len(end)?;
        }
        state.torn_from = None;
        Ok(())
    }

    /// Renames the file and removes backups that are too old or too many.
    fn rotate(&self, rotation: &Rotation) -> io::Result<()> {
        let path = &self.target.path;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match std::fs::rename(path, backups::free_name(path, now)) {
            // Somebody else has moved it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        // Old files that cannot be removed are no reason to refuse new data.
        match backups::surplus(path, now, rotation.max_age, rotation.max_backups) {
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot look for old files"),
            Ok(surplus) => {
                for old in surplus {
                    if let Err(error) = std::fs::remove_file(&old) {
                        tracing::warn!(path = %old.display(), %error, "cannot remove an old file");
                    }
                }
            }
        }
        Ok(())
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", self.target.path.display()))
    }
}

impl Target {
    fn open(&self, keep: bool) -> io::Result<File> {
        if let Some(mode) = self.create_directory
            && let Some(directory) = self.path.parent()
        {
            make_directory(directory, mode)?;
        }
        if !keep {
            // Opened for appending all the same, so that a cut does not leave a hole.
            OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?;
        }
        OpenOptions::new().append(true).create(true).open(&self.path)
    }
}

#[cfg(unix)]
fn make_directory(path: &std::path::Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

#[cfg(not(unix))]
fn make_directory(path: &std::path::Path, _mode: u32) -> io::Result<()> {
    std::fs::create_dir_all(path)
}
