//! From `--config` and `--set` to a checked configuration, or to every fault of it at once.
//!
//! ```text
//! sources --read, merge--> one tree --expand ${...}--> values --each section to its factory--> Config
//! ```
//! Keys, expansion and merging are the Collector's (`CONFIG.md` tells users how they work). This module knows component
//! ids and references between them; what is inside a component's section only its factory knows. It reads files and the
//! environment, blocks while it does, opens nothing and starts nothing.

mod environment;
mod expand;
mod merge;
mod pipelines;
mod presets;
mod sections;
mod service;
mod source;
mod telemetry;

pub use environment::{Environment, Process};
pub use presets::Preset;
pub use telemetry::{Logs, Telemetry};

/// A YAML text that stands beside the configuration, such as the sidecar of a plugin: parsed, and every `${...}` expanded.
/// `None` if it cannot be parsed; nothing in it is the same as null.
pub fn read_beside(name: &str, text: &str, environment: &dyn Environment, problems: &mut Problems) -> Option<Node> {
    Some(expand::expand(parse(name, text, problems)?, environment, problems))
}

use crate::component::{ComponentId, ExporterConfig, ExtensionConfig, Factories, ProcessorConfig, ReceiverConfig};
use crate::pdata::Signal;
use crate::yaml::{Node, Problems, parse};
use std::collections::BTreeMap;

/// A checked configuration: what is in here can be built, as far as can be told without trying.
pub struct Config {
    /// Every receiver that is configured, used or not.
    pub receivers: BTreeMap<ComponentId, Box<dyn ReceiverConfig>>,
    /// Every processor that is configured, used or not.
    pub processors: BTreeMap<ComponentId, Box<dyn ProcessorConfig>>,
    /// Every exporter that is configured, used or not.
    pub exporters: BTreeMap<ComponentId, Box<dyn ExporterConfig>>,
    /// Every extension that is configured, used or not.
    pub extensions: BTreeMap<ComponentId, Box<dyn ExtensionConfig>>,
    /// At least one; their ids differ and every component they name is configured and supports the signal.
    pub pipelines: Vec<Pipeline>,
    /// The rest of the section `service`.
    pub service: Service,
    /// What works but should be changed.
    pub warnings: Problems,
}

/// What flows from where through what to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its id, as in `traces` or `traces/2`.
    pub id: ComponentId,
    /// What flows.
    pub signal: Signal,
    /// At least one, none twice.
    pub receivers: Vec<ComponentId>,
    /// In the order in which they are passed, none twice.
    pub processors: Vec<ComponentId>,
    /// At least one, none twice.
    pub exporters: Vec<ComponentId>,
}

/// The process around the pipelines.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Extensions to run, in this order.
    pub extensions: Vec<ComponentId>,
    /// Its own logs and metrics.
    pub telemetry: Telemetry,
}

/// Reads, merges, expands and checks the configuration in `sources` (URIs or paths, the later one wins) and `sets`
/// (`a.b=value`, which win over all sources), with the files and environment variables of this process.
///
/// # Errors
/// Every fault of the configuration, and the warnings.
pub fn load(sources: &[String], sets: &[String], factories: &Factories) -> Result<Config, Problems> {
    load_from(&Process, sources, sets, &[], factories)
}

/// [`load`] with files and variables from elsewhere, and with presets.
///
/// # Errors
/// Every fault of the configuration, and the warnings.
pub fn load_from(
    environment: &dyn Environment,
    sources: &[String],
    sets: &[String],
    presets: &[Preset],
    factories: &Factories,
) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let tree = source::read_all(environment, sources, sets, &mut problems);
    let config = tree.and_then(|tree| {
        let mut tree = expand::expand(tree, environment, &mut problems);
        presets::apply(&mut tree, presets);
        sections::check(&tree, factories, &mut problems)
    });
    problems.sort();
    match config {
        Some(config) if !problems.has_errors() => Ok(Config { warnings: problems, ..config }),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests;
