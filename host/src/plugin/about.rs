//! What a plugin says about itself, for tools: it is compiled and instantiated under its limits, as in a pipeline, but what it has
//! against a configuration keeps nobody from hearing the rest.

use super::bindings::lifecycle::{AttributeSelector, ErrorMode as StatedMode, Instances, Interest as Stated, Level};
use super::bindings::types;
use super::compile::Urgency;
use super::contract::Role;
use super::error::LoadError;
use super::guest::Shared;
use super::instance::Instance;
use super::interest::Interest;
use super::limits::Limits;
use super::log::{self, PluginLog, tidy};
use super::metrics::PluginMetrics;
use super::options::ErrorMode;
use super::platform::Platform;
use super::program::{Candidate, Loader, Program};
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What a plugin says about itself.
#[derive(Clone, Debug)]
pub struct About {
    /// As its author calls it.
    pub name: String,
    /// As its author counts.
    pub version: String,
    /// JSON Schema of its configuration, as text.
    pub config_schema: Option<String>,
    /// What it wishes for when a call fails.
    pub error_mode: Option<ErrorMode>,
    /// What it wants to see with this configuration; the error is what it, or the host, has against that.
    pub interest: Result<Wish, String>,
    /// Time to compile it, or to find it compiled.
    pub compiled_in: Duration,
    /// Time for one instance, ready to be configured.
    pub instantiated_in: Duration,
    /// Memory of an instance that has done nothing yet but be configured.
    pub memory_bytes: usize,
}

/// What a plugin wants to see, in the words of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Signals; empty means all.
    pub signals: Vec<&'static str>,
    /// Keys of attributes; one that ends in `*` is a prefix, `*` alone is all.
    pub attributes: Vec<String>,
    /// Levels; empty means all.
    pub levels: Vec<&'static str>,
    /// Fields.
    pub intrinsics: Vec<String>,
    /// Whether it is called also when none of these occurs.
    pub always: bool,
    /// Whether it runs in one instance only.
    pub single: bool,
}

impl About {
    /// Compiles `candidate`, instantiates it in `role` and asks. Blocks; may be called inside and outside of a runtime.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub fn ask(candidate: &Candidate, config: &str, role: Role, limits: &Limits) -> Result<Self, LoadError> {
        let start = Instant::now();
        let program = compile(candidate)?;
        let compiled_in = start.elapsed();
        super::blocking(|| Self::ask_instance(program, config, role, limits.clone(), compiled_in))?
            .map_err(LoadError::tidy)
    }

    async fn ask_instance(
        program: Arc<Program>,
        config: &str,
        role: Role,
        limits: Limits,
        compiled_in: Duration,
    ) -> Result<Self, LoadError> {
        let kind = program.interfaces.kind(role)?;
        let shared = shared("inspect", &limits);
        let start = Instant::now();
        let instance = Instance::new(&program, &Arc::new(limits), &shared).await;
        let mut instance = instance.map_err(|failure| LoadError(failure.message))?;
        let instantiated_in = start.elapsed();
        let info = instance.describe().await.map_err(|failure| LoadError(format!("in describe: {failure}")))?;
        let interest = match instance.configure(config).await {
            Ok(Ok(stated)) => {
                let wish = Wish::of(&stated);
                Interest::check(stated, kind).map(|_| wish).map_err(|error| error.to_string())
            }
            Ok(Err(answer)) => Err(tidy(&answer)),
            Err(failure) => Err(tidy(&format!("in configure: {failure}"))),
        };
        Ok(Self {
            name: log::name(&info.name),
            version: log::name(&info.version),
            config_schema: info.config_schema,
            error_mode: info.error_mode.map(|mode| match mode {
                StatedMode::Propagate => ErrorMode::Propagate,
                StatedMode::Ignore => ErrorMode::Ignore,
                StatedMode::Drop => ErrorMode::Drop,
            }),
            interest,
            compiled_in,
            instantiated_in,
            memory_bytes: instance.memory_bytes(),
        })
    }
}

impl Wish {
    fn of(stated: &Stated) -> Self {
        let signal = |signal: &types::Signal| match signal {
            types::Signal::Traces => "traces",
            types::Signal::Metrics => "metrics",
            types::Signal::Logs => "logs",
        };
        let attribute = |selector: &AttributeSelector| match selector {
            AttributeSelector::Exact(key) => key.clone(),
            AttributeSelector::Prefix(prefix) => format!("{prefix}*"),
            AttributeSelector::All => "*".to_owned(),
        };
        let level = |level: &Level| match level {
            Level::Resource => "resource",
            Level::Scope => "scope",
            Level::Item => "item",
            Level::Event => "event",
            Level::Link => "link",
            Level::Exemplar => "exemplar",
            Level::Metric => "metric",
        };
        Self {
            signals: stated.signals.iter().map(signal).collect(),
            attributes: stated.attributes.iter().map(attribute).collect(),
            levels: stated.levels.iter().map(level).collect(),
            intrinsics: stated.intrinsics.clone(),
            always: stated.always,
            single: matches!(stated.instances, Instances::Single),
        }
    }
}

/// A component that is compiled: as long as this is held, it is not compiled again in this process.
pub struct Compiled {
    _program: Arc<Program>,
    /// How long it took to compile it, or to find it compiled.
    pub took: Duration,
}

impl Compiled {
    /// Compiles it. Blocks.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of(candidate: &Candidate) -> Result<Self, LoadError> {
        let start = Instant::now();
        let program = compile(candidate)?;
        Ok(Self { _program: program, took: start.elapsed() })
    }
}

/// What instances share that serve no pipeline: a log, and metrics that nobody reads.
pub(super) fn shared(name: &str, limits: &Limits) -> Shared {
    let metrics = PluginMetrics::open(&Metrics::default(), &[]);
    let log = PluginLog::new(name, limits.log_lines_per_second, metrics.log_suppressed.clone());
    Shared { log: Arc::new(log), series: metrics.series }
}

/// The one place where tools compile.
pub(super) fn compile(candidate: &Candidate) -> Result<Arc<Program>, LoadError> {
    compile_and(true, candidate)
}

/// Compiles what nobody will ask for again: it is not kept on disk.
pub(super) fn compile_for_now(candidate: &Candidate) -> Result<Arc<Program>, LoadError> {
    compile_and(false, candidate)
}

fn compile_and(keep: bool, candidate: &Candidate) -> Result<Arc<Program>, LoadError> {
    let (platform, cancelled) = (Platform::of_process(), AtomicBool::new(false));
    Program::compile(candidate, Loader { platform: &platform, urgency: Urgency::Start, keep, cancelled: &cancelled })
}
