//! What a configuration is read from besides its own text: files and environment variables.

use crate::yaml::BYTES_MAX;
use std::io::Read;

/// Gives files and variables. [`Process`] is the real one; tests bring their own.
pub trait Environment {
    /// The variable `name`, `None` if it is not set.
    ///
    /// # Errors
    /// Why its value cannot be used.
    fn variable(&self, name: &str) -> Result<Option<String>, String>;

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The variables and files of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Result<Option<String>, String> {
        match std::env::var_os(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(format!("environment variable {name} is no UTF-8 text")),
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let file = std::fs::File::open(path).map_err(|error| format!("cannot open {path:?}: {error}"))?;
        let mut bytes = Vec::new();
        // One byte more than allowed, so that a file that is too long is noticed.
        let limit = BYTES_MAX as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| format!("cannot read {path:?}: {error}"))?;
        if bytes.len() > BYTES_MAX {
            return Err(format!("{path:?} is longer than {BYTES_MAX} bytes"));
        }
        String::from_utf8(bytes).map_err(|_| format!("{path:?} is no UTF-8 text"))
    }
}
