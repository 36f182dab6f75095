//! What goes on while the user waits: one line on standard error that is redrawn, on a terminal only.

use super::paint::Paint;
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two notes that are shown.
const EVERY: Duration = Duration::from_millis(50);

/// The line; gone when it is dropped.
pub(in crate::cli::plugin) struct Progress {
    what: String,
    since: Instant,
    shown: Cell<Option<Instant>>,
    terminal: bool,
}

impl Progress {
    /// Something has begun.
    pub(in crate::cli::plugin) fn start(what: &str) -> Self {
        let terminal = std::io::stderr().is_terminal() && Paint::stderr().is_on();
        let progress = Self { what: what.to_owned(), since: Instant::now(), shown: Cell::new(None), terminal };
        progress.note("");
        progress
    }

    /// What it does now.
    pub(in crate::cli::plugin) fn note(&self, text: &str) {
        let now = Instant::now();
        if !self.terminal || self.shown.get().is_some_and(|shown| now - shown < EVERY) {
            return;
        }
        self.shown.set(Some(now));
        let text: String = text.trim().chars().take(60).collect();
        let seconds = self.since.elapsed().as_secs();
        // A progress line that cannot be written is no loss.
        let _ = write!(std::io::stderr(), "\r\x1b[K\x1b[2m{} {seconds} s  {text}\x1b[0m", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
