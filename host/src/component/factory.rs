//! How components are made: a factory per type, which parses its own section and builds what it describes.
//!
//! Parsing finds every fault of a section at once and touches nothing. Building may load plugins but opens no port and
//! spawns no task, so that `tailrace validate` can take the very path of start-up. [`Component::start`] does the rest.

use super::{BoxFuture, ComponentId, Consumer};
use crate::pdata::Signal;
use crate::shutdown::Deadline;
use crate::telemetry::{Account, Telemetry};
use crate::workers::Workers;
use crate::yaml::{Problem, Problems, Section, Settings};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Anything with a life: started once its downstream lives, shut down once its upstream is silent.
pub trait Component: Send + Sync + 'static {
    /// Opens ports and spawns tasks. Called once.
    fn start(&self) -> BoxFuture<'_, Result<(), BuildError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Stops taking, hands on what it holds, stops its tasks and waits for them. What is left at the deadline is
    /// dropped and counted with reason `shutdown`.
    fn shutdown(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        let _ = deadline;
        Box::pin(std::future::ready(()))
    }
}

/// Takes telemetry from outside and awaits the pipeline's answer.
pub trait Receiver: Component {}

/// Takes batches and hands batches on.
pub trait Processor: Component + Consumer {
    /// Goes by other settings from now on, and keeps what it holds. Called while batches flow. `None` if it holds nothing that
    /// a new one would miss.
    ///
    /// # Errors
    /// Why that cannot be; everything is as it was then.
    fn reconfigure(&self, config: Arc<dyn ProcessorConfig>) -> Option<BoxFuture<'_, Result<(), BuildError>>> {
        drop(config);
        None
    }
}

/// Takes batches and sends them out.
pub trait Exporter: Component + Consumer {}

/// Lives beside the pipelines.
pub trait Extension: Component {}

/// Why a component could not be built or started. Names the component and the value.
#[derive(Debug, thiserror::Error)]
pub struct BuildError {
    /// Which component.
    pub id: ComponentId,
    /// What is wrong.
    pub message: String,
    /// Whether the message names the place by itself, as a fault of the configuration does.
    placed: bool,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.placed {
            write!(f, "{}: ", self.id)?;
        }
        f.write_str(&self.message)
    }
}

/// How far a component can be trusted, in the Collector's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// May change without notice.
    Development,
    /// Works, may change.
    Alpha,
    /// Used, rarely changes.
    Beta,
    /// Will not change.
    Stable,
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "Development",
            Self::Alpha => "Alpha",
            Self::Beta => "Beta",
            Self::Stable => "Stable",
        })
    }
}

/// What a type of component is called and can do.
#[derive(Clone, Copy, Debug)]
pub struct ComponentInfo {
    /// The type, as written before the slash.
    pub kind: &'static str,
    /// Older spellings that still work, with a warning.
    pub deprecated: &'static [&'static str],
    /// What flows through it; empty for extensions.
    pub signals: &'static [Signal],
    /// How far it can be trusted.
    pub stability: Stability,
}

/// What a component is given besides its settings.
#[derive(Clone)]
pub struct Context {
    /// Its id in the configuration.
    pub id: ComponentId,
    /// The pipeline it belongs to; processors are built once per pipeline.
    pub pipeline: Option<ComponentId>,
    /// The signal it is built for; exporters are built once per signal. `None` for receivers and extensions.
    pub signal: Option<Signal>,
    /// Metrics, health and status of the process.
    pub telemetry: Telemetry,
    /// The runtimes that move data.
    pub workers: Workers,
    /// Its column in the ledger.
    pub account: Account,
}

impl Context {
    /// Which of all processors it is: `wasm/redact@traces`.
    pub fn place(&self) -> String {
        let pipeline = self.pipeline.as_ref().map(|id| format!("@{id}")).unwrap_or_default();
        format!("{}{pipeline}", self.id)
    }

    /// Shows a processor in `GET /status`.
    pub fn show(&self, view: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        self.telemetry.status().publish(&format!("processor:{}", self.place()), view);
    }

    /// An error of this component.
    pub fn error(&self, message: impl fmt::Display) -> BuildError {
        BuildError { id: self.id.clone(), message: message.to_string(), placed: false }
    }

    /// Faults of this component's section that could only be found by building it, with their places.
    pub fn faults(&self, problems: &Problems) -> BuildError {
        let lines: Vec<_> = problems.iter().map(Problem::without_severity).chain(problems.left_out()).collect();
        BuildError { id: self.id.clone(), message: lines.join("\n"), placed: true }
    }
}

/// Where a receiver sends each signal; `None` where no pipeline wants it.
#[derive(Clone, Default)]
pub struct Outputs {
    /// For traces.
    pub traces: Option<Arc<dyn Consumer>>,
    /// For metrics.
    pub metrics: Option<Arc<dyn Consumer>>,
    /// For logs.
    pub logs: Option<Arc<dyn Consumer>>,
}

impl Outputs {
    /// Where batches of `signal` go.
    pub fn of(&self, signal: Signal) -> Option<&Arc<dyn Consumer>> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }
}

/// Checked settings that can become a receiver: one instance for all pipelines that name it.
pub trait ReceiverConfig: Send + Sync {
    /// Makes it; see the module for what is allowed here.
    ///
    /// # Errors
    /// What makes the settings unusable on this machine.
    fn build(&self, context: Context, outputs: Outputs) -> Result<Arc<dyn Receiver>, BuildError>;
}

/// Checked settings that can become a processor: one instance per pipeline.
pub trait ProcessorConfig: Any + Send + Sync {
    /// Makes it; see the module for what is allowed here.
    ///
    /// # Errors
    /// What makes the settings unusable on this machine.
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError>;
}

/// Checked settings that can become an exporter: one instance per signal.
pub trait ExporterConfig: Send + Sync {
    /// Makes it; see the module for what is allowed here.
    ///
    /// # Errors
    /// What makes the settings unusable on this machine.
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError>;
}

/// Checked settings that can become an extension.
pub trait ExtensionConfig: Send + Sync {
    /// Sets up what other components share. Called for each extension that runs, before anything is built.
    fn prepare(&self) {}

    /// Makes it; see the module for what is allowed here.
    ///
    /// # Errors
    /// What makes the settings unusable on this machine.
    fn build(&self, context: Context) -> Result<Arc<dyn Extension>, BuildError>;
}

/// Parses a section into checked settings, or records every fault and gives nothing.
pub type Parsed<C> = fn(&Section<'_>, &mut Problems) -> Option<Box<C>>;

/// Makes receivers of one type.
#[derive(Clone, Copy)]
pub struct ReceiverFactory {
    /// Its name and abilities.
    pub info: ComponentInfo,
    /// Reads its section.
    pub parse: Parsed<dyn ReceiverConfig>,
}

/// Makes processors of one type.
#[derive(Clone, Copy)]
pub struct ProcessorFactory {
    /// Its name and abilities.
    pub info: ComponentInfo,
    /// Reads its section.
    pub parse: Parsed<dyn ProcessorConfig>,
}

/// Makes exporters of one type.
#[derive(Clone, Copy)]
pub struct ExporterFactory {
    /// Its name and abilities.
    pub info: ComponentInfo,
    /// Reads its section.
    pub parse: Parsed<dyn ExporterConfig>,
}

/// Makes extensions of one type.
#[derive(Clone, Copy)]
pub struct ExtensionFactory {
    /// Its name and abilities.
    pub info: ComponentInfo,
    /// Reads its section.
    pub parse: Parsed<dyn ExtensionConfig>,
}

/// The exporters of a pipeline.
pub type Exporters = Vec<Arc<dyn Exporter>>;

/// Everything that is built in; `components.rs` fills it.
#[derive(Clone, Copy)]
pub struct Factories {
    /// Receivers by type.
    pub receivers: &'static [ReceiverFactory],
    /// Processors by type.
    pub processors: &'static [ProcessorFactory],
    /// Exporters by type.
    pub exporters: &'static [ExporterFactory],
    /// Extensions by type.
    pub extensions: &'static [ExtensionFactory],
}

/// The usual `parse` of a factory: settings `C`, checked.
///
/// ```ignore
/// pub const FACTORY: ExporterFactory = ExporterFactory {
///     info: ComponentInfo { kind: "nop", deprecated: &[], signals: &Signal::ALL, stability: Stability::Beta },
///     parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
/// };
/// ```
pub fn parse<C: Settings>(section: &Section<'_>, problems: &mut Problems) -> Option<Box<C>> {
    section.settings::<C>(problems).map(Box::new)
}
