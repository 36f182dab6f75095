//! Where the text goes.

use crate::export::calendar::Utc;
use crate::pdata::{Batch, Signal};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// The log, or some paths.
#[derive(Debug)]
pub(super) enum Output {
    /// The collector's own log, on behalf of this exporter.
    Logger { exporter: String },
    /// `stdout`, `stderr` and files.
    Paths { paths: Vec<String>, sinks: Mutex<Vec<Sink>> },
}

#[derive(Debug)]
pub(super) enum Sink {
    Stdout,
    Stderr,
    File(File),
}

impl Output {
    pub(super) fn logger(exporter: String) -> Self {
        Self::Logger { exporter }
    }

    pub(super) fn paths(paths: Vec<String>) -> Self {
        Self::Paths { paths, sinks: Mutex::default() }
    }

    /// Opens the files; text is appended.
    pub(super) fn open(&self) -> Result<(), String> {
        let Self::Paths { paths, sinks } = self else { return Ok(()) };
        let open = |path: &String| match path.as_str() {
            "stdout" => Ok(Sink::Stdout),
            "stderr" => Ok(Sink::Stderr),
            path => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                file.map(Sink::File).map_err(|error| format!("cannot open output_paths {path:?}: {error}"))
            }
        };
        let opened: Result<Vec<Sink>, String> = paths.iter().map(open).collect();
        *sinks.lock().unwrap_or_else(PoisonError::into_inner) = opened?;
        Ok(())
    }

    /// One line of counts.
    pub(super) fn summary(&self, batch: &Batch) -> io::Result<()> {
        let index = batch.index();
        let (resources, metrics, items) = (index.resources.len(), index.metrics.len(), batch.items());
        match (self, batch.signal()) {
            (Self::Logger { exporter }, Signal::Traces) => {
                tracing::info!(%exporter, "resource spans" = resources, spans = items, "Traces");
            }
            (Self::Logger { exporter }, Signal::Metrics) => {
                tracing::info!(%exporter, "resource metrics" = resources, metrics, "data points" = items, "Metrics");
            }
            (Self::Logger { exporter }, Signal::Logs) => {
                tracing::info!(%exporter, "resource logs" = resources, "log records" = items, "Logs");
            }
            (Self::Paths { .. }, signal) => {
                let line = match signal {
                    Signal::Traces => format!("Traces\t{{\"resource spans\": {resources}, \"spans\": {items}}}"),
                    Signal::Metrics => format!(
                        "Metrics\t{{\"resource metrics\": {resources}, \"metrics\": {metrics}, \"data points\": {items}}}"
                    ),
                    Signal::Logs => format!("Logs\t{{\"resource logs\": {resources}, \"log records\": {items}}}"),
                };
                return self.write(&format!("{}\tinfo\t{line}\n", Utc::now()));
            }
        }
        Ok(())
    }

    /// Many lines.
    pub(super) fn text(&self, text: &str) -> io::Result<()> {
        match self {
            Self::Logger { exporter } => {
                tracing::info!(%exporter, "{}", text.trim_end());
                Ok(())
            }
            Self::Paths { .. } => self.write(text),
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let Self::Paths { sinks, .. } = self else { return Ok(()) };
        // Every sink gets it, whatever becomes of the others.
        let mut result = Ok(());
        for sink in &mut *sinks.lock().unwrap_or_else(PoisonError::into_inner) {
            let written = match sink {
                Sink::Stdout => io::stdout().lock().write_all(text.as_bytes()),
                Sink::Stderr => io::stderr().lock().write_all(text.as_bytes()),
                Sink::File(file) => file.write_all(text.as_bytes()),
            };
            result = result.and(written);
        }
        result
    }
}
