//! The `debug` exporter: shows what arrives.
//!
//! ```yaml
//! exporters:
//!   debug:
//!     verbosity: normal         # basic: a line per batch | normal: a line per item | detailed: everything
//!     sampling_initial: 2       # show this many batches each second,
//!     sampling_thereafter: 500  # and then one of this many; 1 is all, 0 none
//!     use_internal_logger: false
//!     output_paths: [stdout]    # stdout, stderr or files, if not the logger
//! ```
//!
//! **Promise.** It takes every batch; an output that cannot be written is a permanent error of the batch. It shows the
//! text of others: control characters are escaped. Of histograms and summaries it shows count and sum, not the buckets.

mod detailed;
mod normal;
mod output;
mod sampler;
mod text;

#[cfg(test)]
mod tests;

use crate::component::{
    BuildError, ComponentInfo, ConsumeError, Context, Exporter, ExporterConfig, ExporterFactory, Stability, parse,
};
use crate::export::{SendSettings, Sender, Sent, exporter};
use crate::pdata::{Batch, Signal};
use crate::yaml::{Check, Settings};
use output::Output;
use sampler::Sampler;
use serde::Deserialize;
use std::sync::Arc;

/// The line for `components.rs`.
pub const FACTORY: ExporterFactory = ExporterFactory {
    info: ComponentInfo { kind: "debug", deprecated: &[], signals: &Signal::ALL, stability: Stability::Alpha },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

/// The section of a `debug` exporter.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// How much is shown of a batch.
    verbosity: Verbosity,
    /// Batches shown each second.
    sampling_initial: u64,
    /// After those, one of so many is shown; 0 shows none.
    sampling_thereafter: u64,
    /// Write to the collector's log.
    use_internal_logger: bool,
    /// Where else to write: `stdout`, `stderr` or paths of files.
    output_paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verbosity {
    Basic,
    Normal,
    Detailed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verbosity: Verbosity::Basic,
            sampling_initial: 2,
            sampling_thereafter: 1,
            use_internal_logger: true,
            output_paths: vec!["stdout".to_owned()],
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.output_paths.iter().any(String::is_empty) {
            check.error("output_paths", "must not have an empty path");
        }
        if self.use_internal_logger && check.is_set("output_paths") && self.output_paths != ["stdout"] {
            check.error("output_paths", "needs `use_internal_logger: false`");
        }
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError> {
        let output = if self.use_internal_logger {
            Output::logger(context.id.to_string())
        } else {
            Output::paths(self.output_paths.clone())
        };
        let debug = Debug {
            verbosity: self.verbosity,
            sampler: Sampler::new(self.sampling_initial, self.sampling_thereafter),
            output: Arc::new(output),
        };
        Ok(exporter(context, &SendSettings::default(), debug))
    }
}

struct Debug {
    verbosity: Verbosity,
    sampler: Sampler,
    output: Arc<Output>,
}

impl Sender for Debug {
    async fn send(&self, batch: Batch) -> Result<Sent, ConsumeError> {
        if !self.sampler.pass() {
            return Ok(Sent::all());
        }
        let (verbosity, output) = (self.verbosity, Arc::clone(&self.output));
        // The terminal, or whoever reads our output, may be slow.
        let shown = tokio::task::spawn_blocking(move || show(&batch, verbosity, &output)).await;
        match shown {
            Ok(Ok(())) => Ok(Sent::all()),
            Ok(Err(error)) => Err(ConsumeError::permanent(format!("cannot write: {error}"))),
            Err(error) => Err(ConsumeError::permanent(error.to_string())),
        }
    }

    async fn start(&self) -> Result<(), String> {
        self.output.open()
    }
}

fn show(batch: &Batch, verbosity: Verbosity, output: &Output) -> std::io::Result<()> {
    output.summary(batch)?;
    match verbosity {
        Verbosity::Basic => Ok(()),
        Verbosity::Normal => output.text(&normal::text(batch)),
        Verbosity::Detailed => output.text(&detailed::text(batch)),
    }
}
