//! The Collector's processors that are plugins: `attributes`, `resource` and `redaction`, components inside this binary.
//!
//! ```yaml
//! processors:
//!   attributes:
//!     actions: [{key: user.email, action: hash}, {key: token, action: delete}]
//!   redaction:
//!     allow_all_keys: true
//!     blocked_values: ['4[0-9]{12}(?:[0-9]{3})?']
//! ```
//!
//! The section goes to the plugin as it stands, and what the plugin has against it is shown at its place in the file. A
//! plugin is compiled if a pipeline names it. Whatever goes wrong in a call, the batch is refused: a redaction that fails lets
//! nothing pass.

#[cfg(test)]
mod tests;

use crate::component::{
    BuildError, ComponentInfo, Consumer, Context, Processor, ProcessorConfig, ProcessorFactory, Stability,
};
use crate::pdata::Signal;
use crate::plugin::processor::{Place, Plugins};
use crate::plugin::stage::Stage;
use crate::plugin::{Candidate, ErrorMode, Limits, LoadError, Options, Plugin, PluginConfig, Role, bundled, faults};
use crate::yaml::{Node, Problems, Section, Value};
use std::sync::Arc;
use std::time::Duration;

/// Key under which `attributes` is told the signal of its pipeline, on which it depends what `include` and `exclude` may say.
const SIGNAL: &str = "signal";

macro_rules! factories {
    ($($name:ident = $kind:literal, told_the_signal: $told:literal;)*) => {
        $(
            #[doc = concat!("Makes `", $kind, "` processors.")]
            pub const $name: ProcessorFactory = ProcessorFactory {
                info: ComponentInfo { kind: $kind, deprecated: &[], signals: &Signal::ALL, stability: Stability::Alpha },
                parse: |section, problems| Some(Config::parse($kind, $told, section, problems)? as _),
            };
        )*
    };
}

factories! {
    ATTRIBUTES = "attributes", told_the_signal: true;
    RESOURCE = "resource", told_the_signal: false;
    REDACTION = "redaction", told_the_signal: false;
}

/// A section, kept until the plugin can be asked about it.
struct Config {
    kind: &'static str,
    told_the_signal: bool,
    path: String,
    node: Node,
}

impl Config {
    fn parse(
        kind: &'static str,
        told_the_signal: bool,
        section: &Section<'_>,
        problems: &mut Problems,
    ) -> Option<Box<Self>> {
        if !matches!(section.node.value, Value::Map(_) | Value::Null) {
            section.fault("", format!("expected a map, found {}", section.node.describe()), problems);
            return None;
        }
        if told_the_signal && section.node.get(SIGNAL).is_some() {
            section.fault(SIGNAL, "unknown key", problems);
            return None;
        }
        Some(Box::new(Self { kind, told_the_signal, path: section.path.to_owned(), node: section.node.clone() }))
    }

    /// What the plugin gets.
    fn plugin_config(&self, signal: Option<Signal>) -> PluginConfig {
        PluginConfig::with(Some(&self.node), |settings| {
            if let (true, Some(signal)) = (self.told_the_signal, signal) {
                settings.insert(SIGNAL.to_owned(), signal.as_str().into());
            }
        })
    }
}

/// What the plugins may use: more than one that somebody else wrote, since a batch that does not get through is refused for
/// ever. The largest request that a receiver takes by default needs a tenth of the time and a third of the memory.
fn limits(workers: usize) -> Limits {
    let defaults = Limits::default();
    Limits {
        timeout: Duration::from_secs(5),
        memory_bytes: 512 << 20,
        output_bytes: 128 << 20,
        recycle_memory_bytes: 64 << 20,
        instances: workers.max(defaults.instances),
        ..defaults
    }
}

impl ProcessorConfig for Config {
    /// Compiles the plugin, or takes it from where it was compiled before, and asks it about its settings.
    fn build(&self, context: Context, next: Arc<dyn Consumer>) -> Result<Arc<dyn Processor>, BuildError> {
        let component = bundled().iter().find(|(name, _)| *name == self.kind).map(|(_, bytes)| *bytes);
        let component = component.ok_or_else(|| context.error("this build comes without the plugin"))?;
        let place = Place::of(&context);
        let options = Options {
            name: context.place(),
            role: Role::Batches,
            config: self.plugin_config(context.signal),
            error_mode: Some(ErrorMode::Propagate),
            limits: limits(context.workers.count()),
        };
        let labels = place.labels(self.kind);
        let plugin = Plugin::load(&Candidate::new(component), options, context.telemetry.metrics(), &labels);
        let plugin = Arc::new(plugin.map_err(|error: LoadError| match error.about_configuration() {
            Some(answer) => context.faults(&faults(&Section { path: &self.path, node: &self.node }, answer, "")),
            None => context.error(format_args!("the plugin inside this binary does not run: {error}")),
        })?);
        let shown = Arc::clone(&plugin);
        context.show(move || shown.status());
        let stage = Arc::new(Stage::single(context.clone(), plugin, next));
        Ok(Arc::new(Plugins::fixed(context, stage)))
    }
}
