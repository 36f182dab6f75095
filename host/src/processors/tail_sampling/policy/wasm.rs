//! `wasm`: a plugin decides, a WebAssembly component that exports `sampler`, and that can be swapped while traces wait.
//!
//! ```yaml
//! - name: orders
//!   type: wasm
//!   wasm:
//!     directory: /etc/tailrace/plugins   # watched
//!     module: keep-orders                # keep-orders.wasm in it, or a path
//!     config: {min_amount: 100}          # handed to the plugin
//!     error_mode: ignore                 # ignore: no vote | sample: keep the trace | drop: do not keep it
//!     limits: {timeout: 100ms, memory_mib: 64}
//! ```
//! The plugin is asked about all traces of a decision slice in one call, before the policies vote
//! ([`samplers`](super::super::samplers)); the vote is its answer. What it answers with `undecided` is not sampled, since
//! a trace is shown when its time has come. Since it can veto, a policy of this type votes before those that cannot.

use super::{Fault, Layout, Policy, PolicyConfig, Slot, Trace, Vote};
use crate::plugin::{LimitsConfig, Written, usual_directory};
use crate::processors::tail_sampling::ot::Threshold;
use crate::yaml::{GoDuration, Section};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use tailrace_columns::Decision;

/// Which plugin, and how it runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds the plugin; it is watched.
    pub directory: PathBuf,
    /// The plugin: `keep-orders` is `keep-orders.wasm` in the directory; anything with a slash, or that ends in `.wasm`, is a path.
    pub module: String,
    /// What the plugin's `configure` gets, as JSON.
    pub config: serde_json::Value,
    /// Its vote on traces for which it fails; if not set, `drop` if that is the plugin's wish, else `ignore`.
    pub error_mode: Option<ErrorMode>,
    /// What the plugin may use.
    pub limits: LimitsConfig,
    /// How often the directory is looked at without any event.
    pub rescan_interval: GoDuration,
    /// Where all of it is written.
    #[serde(skip)]
    pub written: Written,
}

/// The vote of a plugin that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMode {
    /// None: counted as an error of the policy, as the Collector does with a policy that fails.
    Ignore,
    /// Keep the trace.
    Sample,
    /// Do not keep it, whatever the others say.
    Drop,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: usual_directory(),
            module: String::new(),
            config: serde_json::Value::Null,
            error_mode: None,
            limits: LimitsConfig::default(),
            rescan_interval: GoDuration::from_secs(30),
            written: Written::default(),
        }
    }
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.module.is_empty() {
            fault.at("module", "must be set: `keep-orders` for keep-orders.wasm in the directory, or a path");
        }
        if !(self.config.is_null() || self.config.is_object()) {
            fault.at("config", "must be a map; the plugin gets it as a JSON object");
        }
        if self.rescan_interval.get() < Duration::from_secs(1) {
            fault.at("rescan_interval", "must be at least 1s");
        }
        self.limits.faults(|key, message| fault.inside("limits").at(key, message));
    }

    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        fault.here("does not work with sampling_strategy: span-ingest: plugins are asked about traces, not about spans as they arrive");
    }

    fn place(&mut self, section: &Section<'_>) {
        self.written = Written::at(section);
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        Box::new(Wasm(layout.sampler(self)))
    }
}

struct Wasm(Slot);

impl Policy for Wasm {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        match trace.answer(self.0) {
            Some(Decision::Sample(_)) => Vote::Sampled,
            Some(Decision::NotSampled | Decision::Undecided) => Vote::NotSampled,
            Some(Decision::Drop) => Vote::Dropped,
            None => Vote::Error,
        }
    }

    fn vetoes(&self) -> bool {
        true
    }

    fn threshold(&self, trace: &Trace<'_>) -> Threshold {
        match trace.answer(self.0) {
            Some(Decision::Sample(Some(rejected))) => Threshold::new(rejected),
            _ => Threshold::ALWAYS,
        }
    }

    /// The answers come after the plans are made.
    fn is_pure(&self) -> bool {
        false
    }
}
