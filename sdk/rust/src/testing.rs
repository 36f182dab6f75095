//! Runs a plugin under `cargo test`, natively, with the code that the host uses around it.
//!
//! ```
//! # use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Plugin};
//! # #[derive(serde::Deserialize)] struct Redact { keys: Vec<String> }
//! # impl Plugin for Redact {
//! #     type Config = Self;
//! #     fn new(config: Self) -> Result<Self, String> { Ok(config) }
//! #     fn interest(&self) -> Interest { Interest::in_attributes(&self.keys) }
//! # }
//! # impl Attributes for Redact {
//! #     fn attribute(&mut self, _: &Attribute<'_>) -> Edit { Edit::set("[redacted]") }
//! # }
//! use tailrace_sdk::{Signal, testing::{self, Spans}};
//!
//! let mut plugin = testing::attributes::<Redact>(r#"{"keys": ["user.email"]}"#).unwrap();
//! let span = |email: &str| Spans::new().span("GET /", &[("user.email", email.into())]).request();
//! assert_eq!(plugin.run(Signal::Traces, &span("ann@example.com")).unwrap(), span("[redacted]"));
//! ```
//!
//! [`Spans`] makes requests up; for log records and metrics there is [`crate::otlp::RequestWriter`], and `cases/`.

mod spans;

pub use spans::Spans;

use crate::interest::Selector;
use crate::otlp::{KeySet, Limits, contains_any, validate};
use crate::{Attributes, Batch, Decision, Failure, Interest, Outcome, Processor, Sampler, Signal};
use tailrace_columns::{Limits as EditLimits, Traces, Wanted, project, splice};

/// What edits may hold in a test: as much as the host allows by default.
const EDITS: EditLimits = EditLimits { value_bytes: 32 << 20, data_bytes: 32 << 20 };

/// A plugin under test, configured.
#[derive(Debug)]
pub struct Harness<P> {
    plugin: P,
    interest: Interest,
    keys: KeySet,
}

/// Configures an [`Attributes`] plugin with a JSON text.
///
/// # Errors
/// What the plugin, or serde, has against the configuration.
pub fn attributes<P: Attributes>(config: &str) -> Result<AttributesHarness<P>, String> {
    harness(config).map(AttributesHarness)
}

/// Configures a [`Processor`] plugin with a JSON text.
///
/// # Errors
/// What the plugin, or serde, has against the configuration.
pub fn processor<P: Processor>(config: &str) -> Result<ProcessorHarness<P>, String> {
    harness(config).map(ProcessorHarness)
}

fn harness<P: crate::Plugin>(config: &str) -> Result<Harness<P>, String> {
    let plugin: P = crate::plugin::make(config)?;
    let interest = plugin.interest();
    let mut keys = KeySet::new();
    for selector in &interest.attributes {
        match selector {
            Selector::Exact(key) => keys.add(key),
            Selector::Prefix(prefix) => keys.add_prefix(prefix),
            Selector::All => keys.add_all(),
        };
    }
    Ok(Harness { plugin, interest, keys })
}

impl<P> Harness<P> {
    fn wants(&self, signal: Signal) -> bool {
        self.interest.signals.is_empty() || self.interest.signals.contains(&signal)
    }
}

/// An [`Attributes`] plugin under test.
#[derive(Debug)]
pub struct AttributesHarness<P>(Harness<P>);

impl<P: Attributes> AttributesHarness<P> {
    /// Runs a request through the plugin, as the host would; returns what goes on.
    ///
    /// # Errors
    /// The plugin's own "no", and, as [`Failure::Permanent`], everything that the host would refuse.
    pub fn run(&mut self, signal: Signal, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Permanent(error.to_string());
        let index = validate(signal, request, &Limits::default()).map_err(|error| broken(&error))?;
        let Harness { plugin, interest, keys } = &mut self.0;
        let asked = interest.asked();
        let wanted = Wanted { keys, levels: &interest.levels, intrinsics: &asked.intrinsics };
        let projection = project(signal, request, &index, wanted);
        let nothing = projection.columns.is_empty() && asked.every.is_empty();
        if nothing || !(interest.signals.is_empty() || interest.signals.contains(&signal)) {
            return Ok(request.to_vec());
        }
        let edits = crate::attributes::apply(plugin, &asked, signal, &projection.columns)?;
        let spliced = splice(signal, request, &index, &projection, edits, &EDITS).map_err(|error| broken(&error))?;
        Ok(spliced.request.map_or_else(|| request.to_vec(), |(bytes, _)| bytes))
    }

    /// The plugin itself.
    pub fn plugin(&mut self) -> &mut P {
        &mut self.0.plugin
    }
}

/// Configures a [`Sampler`] plugin with a JSON text.
///
/// # Errors
/// What the plugin, or serde, has against the configuration.
pub fn sampler<P: Sampler>(config: &str) -> Result<SamplerHarness<P>, String> {
    harness(config).map(SamplerHarness)
}

/// A [`Sampler`] plugin under test.
#[derive(Debug)]
pub struct SamplerHarness<P>(Harness<P>);

impl<P: Sampler> SamplerHarness<P> {
    /// Asks about every trace in a request; the answers are in the order in which the traces begin in it.
    ///
    /// # Errors
    /// The plugin's own "no".
    pub fn run(&mut self, request: &[u8]) -> Result<Vec<([u8; 16], Decision)>, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Permanent(error.to_string());
        let index = validate(Signal::Traces, request, &Limits::default()).map_err(|error| broken(&error))?;
        let Harness { plugin, interest, keys } = &mut self.0;
        let wanted = Wanted { keys, levels: &interest.levels, intrinsics: &interest.intrinsics };
        let traces = Traces::gather(request, &index, wanted, P::WANTS_SPANS).map_err(|error| broken(&error))?;
        let decisions = crate::sampler::sample(plugin, &interest.intrinsics, &traces)?;
        Ok((0..traces.len()).filter_map(|at| traces.id(at)).zip(decisions).collect())
    }

    /// The plugin itself.
    pub fn plugin(&mut self) -> &mut P {
        &mut self.0.plugin
    }
}

/// A [`Processor`] plugin under test.
#[derive(Debug)]
pub struct ProcessorHarness<P>(Harness<P>);

impl<P: Processor> ProcessorHarness<P> {
    /// Runs a request through the plugin, as the host would; returns what goes on, which is empty if all is dropped.
    ///
    /// # Errors
    /// The plugin's own "no", and, as [`Failure::Permanent`], everything that the host would refuse.
    pub fn run(&mut self, signal: Signal, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Permanent(error.to_string());
        let index = validate(signal, request, &Limits::default()).map_err(|error| broken(&error))?;
        let harness = &mut self.0;
        let matters = harness.keys.is_empty() || contains_any(signal, request, &index, &harness.keys);
        if !harness.wants(signal) || !matters {
            return Ok(request.to_vec());
        }
        match harness.plugin.process(&Batch::new(signal, request))? {
            Outcome::Unchanged => Ok(request.to_vec()),
            Outcome::Drop(_) => Ok(Vec::new()),
            Outcome::Replaced(bytes) => {
                let new = validate(signal, &bytes, &Limits::default()).map_err(|error| broken(&error))?;
                if new.len() > index.len() {
                    return Err(Failure::Permanent("a plugin cannot add items".to_owned()));
                }
                Ok(bytes)
            }
        }
    }

    /// The plugin itself.
    pub fn plugin(&mut self) -> &mut P {
        &mut self.0.plugin
    }
}
