//! What a plugin says: lines in the host's log under its name, cut, and limited in rate.

use super::bindings::host::LogLevel;
use crate::telemetry::Counter;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line; what is longer is cut.
const LINE_BYTES: usize = 4 << 10;
/// What a guest may write to stdout or stderr at once.
const WRITE_BYTES: usize = 64 << 10;

/// The log of one plugin, shared by its instances.
pub(super) struct PluginLog {
    plugin: String,
    lines_per_second: f64,
    suppressed: Counter,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
    /// Lines dropped since the last one that was written.
    missing: u64,
}

impl PluginLog {
    /// The log of `plugin`; what exceeds the rate is counted in `suppressed`.
    pub(super) fn new(plugin: &str, lines_per_second: u32, suppressed: Counter) -> Self {
        let lines_per_second = f64::from(lines_per_second);
        let bucket = Bucket { tokens: lines_per_second, filled: Instant::now(), missing: 0 };
        Self { plugin: plugin.to_owned(), lines_per_second, suppressed, bucket: Mutex::new(bucket) }
    }

    /// Whose log it is.
    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Writes a line, if there is room for it.
    pub(super) fn line(&self, level: LogLevel, text: &str) {
        let Some(missing) = self.admit() else { return };
        let (plugin, text) = (self.plugin.as_str(), one_line(cut(text, LINE_BYTES)));
        if missing > 0 {
            tracing::warn!(plugin, missing, "lines of this plugin exceeded log_lines_per_second and are missing");
        }
        match level {
            LogLevel::Trace => tracing::trace!(plugin, "{text}"),
            LogLevel::Debug => tracing::debug!(plugin, "{text}"),
            LogLevel::Info => tracing::info!(plugin, "{text}"),
            LogLevel::Warn => tracing::warn!(plugin, "{text}"),
            LogLevel::Error => tracing::error!(plugin, "{text}"),
        }
    }

    /// Whether a line may be written now, and how many before it may not.
    fn admit(&self) -> Option<u64> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earned = now.duration_since(bucket.filled).as_secs_f64() * self.lines_per_second;
        bucket.tokens = (bucket.tokens + earned).min(self.lines_per_second);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            bucket.missing += 1;
            self.suppressed.add(1);
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.missing))
    }
}

/// The longest beginning of `text` that has at most `bytes`.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Longest name and version of a plugin.
const NAME_BYTES: usize = 100;
/// Longest text about a file.
const WORDS_BYTES: usize = 2048;

/// `text` without a character that ends a line or that a terminal obeys: no guest can make a line look like one of the
/// host. They are written as escapes.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if is_one_line(text) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if breaks_a_line(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    Cow::Owned(line)
}

/// A name that a guest gives itself, fit to be shown.
pub(super) fn name(text: &str) -> String {
    cut(&one_line(cut(text, NAME_BYTES)), NAME_BYTES).to_owned()
}

/// Whether there is no such character in it.
pub(super) fn is_one_line(text: &str) -> bool {
    !text.contains(breaks_a_line)
}

fn breaks_a_line(c: char) -> bool {
    c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
}

/// Words about a file that may hold words of the file itself (the name of an import, what a guest answers), made fit to be
/// read: each line as [`one_line`] has it, and all of it of a sensible length.
pub(super) fn tidy(text: &str) -> String {
    let lines: Vec<_> = cut(text, WORDS_BYTES).lines().map(one_line).collect();
    lines.join("\n")
}

/// The last words of an instance in this call: what it said before it trapped belongs into the message about the trap.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    /// Lines that are remembered, and how much of each.
    const LINES: usize = 3;
    const BYTES: usize = 300;

    /// Remembers a line. Rust's advice to ask for a backtrace helps nobody here.
    pub(super) fn heard(&self, text: &str) {
        if text.starts_with("note: run with `RUST_BACKTRACE=") {
            return;
        }
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == Self::LINES {
            words.pop_front();
        }
        words.push_back(one_line(cut(text, Self::BYTES).trim_end()).into_owned());
    }

    /// Takes what was remembered, as one line.
    pub(super) fn take(&self) -> String {
        let words = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        words.into_iter().collect::<Vec<_>>().join(" ")
    }
}

/// Standard output or error of one instance: lines go to the log.
#[derive(Clone)]
pub(super) struct Printed {
    log: Arc<PluginLog>,
    level: LogLevel,
    words: LastWords,
    line: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    /// A stream whose lines are logged at `level`.
    pub(super) fn new(log: Arc<PluginLog>, level: LogLevel, words: LastWords) -> Self {
        Self { log, level, words, line: Arc::default() }
    }

    fn write_lines(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            if piece.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end();
                if !text.is_empty() {
                    self.words.heard(text);
                    self.log.line(self.level, text);
                }
                line.clear();
            }
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_lines(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin that writes without end costs no more than its rate; what is missing is counted.
    #[test]
    fn the_rate_is_limited_and_the_rest_counted() {
        let suppressed = Counter::default();
        let log = PluginLog::new("mad", 5, suppressed.clone());
        for _ in 0..1000 {
            log.line(LogLevel::Info, "again");
        }
        assert!((980..=995).contains(&suppressed.get()), "{}", suppressed.get());
    }

    /// A line without end does not grow the host, and what follows it is read again.
    #[test]
    fn endless_lines_are_cut() {
        let words = LastWords::default();
        let log = Arc::new(PluginLog::new("mad", 5, Counter::default()));
        let printed = Printed::new(log, LogLevel::Info, words.clone());
        for _ in 0..100 {
            printed.write_lines(&[b'x'; 1000]);
        }
        assert_eq!(printed.line.lock().unwrap().len(), LINE_BYTES);
        printed.write_lines(b"\nshort \xff\nopen");
        let words = words.take();
        assert!(words.len() < 2 * LastWords::BYTES && words.ends_with("x short \u{fffd}"), "{words}");
    }

    /// What a guest says stays on its line and cannot steer a terminal.
    #[test]
    fn nobody_forges_a_line() {
        assert!(matches!(one_line("as it is,\tin one line: größer"), Cow::Borrowed(_)));
        let forged = one_line("so\n2026 ERROR \u{1b}[2J\r\u{85}\u{2028}\u{202e}end");
        assert_eq!(forged, r"so\n2026 ERROR \u{1b}[2J\r\u{85}\u{2028}\u{202e}end");
        let words = LastWords::default();
        words.heard("first\nsecond\n");
        assert_eq!(words.take(), r"first\nsecond");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
    }
}
