//! Settings of `tail_sampling`.

use super::policies::NamedPolicy;
use super::policy::settings::PolicySettings;
use super::policy::{Fault, Layout};
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::time::Duration;

/// The Collector's default and most of `num_shards`.
const SHARDS_MAX: usize = 256;
/// How many ids of each kind the decision cache remembers if nothing is said: ten times `num_traces`, up to this.
const CACHE_DEFAULT_MAX: usize = 1_000_000;

/// The keys of the Collector, and `max_memory_mib`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    /// What makes a trace worth keeping; at least one.
    pub(super) policies: Vec<PolicySettings>,
    /// Time from the first span of a trace to its decision.
    pub(super) decision_wait: GoDuration,
    /// Time from the root span of a trace to its decision, if that comes earlier; 0 is off.
    pub(super) decision_wait_after_root_received: GoDuration,
    /// Undecided traces in memory at most; beyond that the oldest are decided early.
    pub(super) num_traces: usize,
    /// Memory for so many traces per second of `decision_wait` is set aside at the start.
    pub(super) expected_new_traces_per_sec: usize,
    /// Ask no further policy once one has voted to keep the trace.
    pub(super) sample_on_first_match: bool,
    /// At `num_traces` or `max_memory_mib` make senders wait instead of deciding the oldest traces early.
    pub(super) block_on_overflow: bool,
    /// At shutdown drop undecided traces instead of deciding them on what has arrived.
    pub(super) drop_pending_traces_on_shutdown: bool,
    /// A trace that takes more bytes than this is dropped at once, resources and scopes included; 0 is no bound.
    pub(super) maximum_trace_size_bytes: u64,
    /// How many decisions are remembered for late spans.
    pub(super) decision_cache: CacheSettings,
    /// Only `trace-complete`.
    pub(super) sampling_strategy: String,
    /// Parts that work side by side; as many as there are workers if not set, or 0.
    pub(super) num_shards: Option<usize>,
    /// Not supported.
    pub(super) tail_storage: Option<IgnoredAny>,
    /// Memory for the spans of undecided traces, in MiB; beyond that the oldest are decided early. Not a key of the Collector.
    pub(super) max_memory_mib: usize,
    /// Spans of one trace that plugins are shown at most. Not a key of the Collector.
    pub(super) wasm_max_spans_per_trace: usize,
}

/// How many decisions are remembered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CacheSettings {
    /// Kept traces; 0 and less are `num_traces`.
    pub(super) sampled_cache_size: Option<i64>,
    /// Traces that were not kept; 0 and less are `num_traces`.
    pub(super) non_sampled_cache_size: Option<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            decision_wait: GoDuration(Duration::from_secs(30)),
            decision_wait_after_root_received: GoDuration::default(),
            num_traces: 50_000,
            expected_new_traces_per_sec: 0,
            sample_on_first_match: false,
            block_on_overflow: false,
            drop_pending_traces_on_shutdown: false,
            maximum_trace_size_bytes: 0,
            decision_cache: CacheSettings::default(),
            sampling_strategy: "trace-complete".to_owned(),
            num_shards: None,
            tail_storage: None,
            max_memory_mib: 1024,
            wasm_max_spans_per_trace: 1_000,
        }
    }
}

impl Settings for Config {
    fn check(&self, check: &mut Check<'_>) {
        if self.policies.is_empty() {
            check.error("policies", "must have at least one policy");
        }
        let mut names = BTreeSet::new();
        for (i, policy) in self.policies.iter().enumerate() {
            policy.check(&mut Fault::new(format!("policies[{i}]"), check));
            if !policy.name.is_empty() && !names.insert(&policy.name) {
                check.error(&format!("policies[{i}].name"), format!("duplicate policy name {:?}", policy.name));
            }
        }
        if self.policies().1.overflows() {
            let most = Layout::FILTERS_MAX;
            check.error("policies", format!("more than {most} conditions on spans; split them over two processors"));
        }
        if self.num_traces == 0 {
            check.error("num_traces", "must be greater than zero");
        }
        if self.max_memory_mib == 0 {
            check.error("max_memory_mib", "must be greater than zero");
        }
        if self.wasm_max_spans_per_trace == 0 {
            check.error("wasm_max_spans_per_trace", "must be greater than zero");
        }
        if self.sampling_strategy != "trace-complete" {
            check.error("sampling_strategy", "only \"trace-complete\" is supported");
        }
        if self.tail_storage.is_some() {
            check.error("tail_storage", "is not supported: undecided traces are kept in memory");
        }
        if self.num_shards.is_some_and(|shards| shards > SHARDS_MAX) {
            check.error("num_shards", format!("must not exceed {SHARDS_MAX}"));
        }
    }
}

impl Config {
    /// Names and policies in the order of the configuration, and their filters.
    pub(super) fn policies(&self) -> (Vec<NamedPolicy>, Layout) {
        let mut layout = Layout::default();
        let build = |policy: &PolicySettings| Some((policy.name.clone(), policy.build(&mut layout)?));
        let policies = self.policies.iter().filter_map(build).collect();
        if self.maximum_trace_size_bytes > 0 {
            layout.want_sizes();
        }
        (policies, layout)
    }

    /// How many shards there are beside so many workers: each has at least a mebibyte.
    pub(super) fn shards(&self, workers: usize) -> usize {
        self.num_shards.filter(|shards| *shards > 0).unwrap_or(workers).clamp(1, self.max_memory_mib.max(1))
    }

    /// How many decisions are remembered: kept traces and others.
    pub(super) fn cache_sizes(&self) -> (usize, usize) {
        let usual = self.num_traces.saturating_mul(10).min(CACHE_DEFAULT_MAX);
        let cache = &self.decision_cache;
        // Without a cache the Collector remembers a decision for as long as the trace is among its `num_traces` newest.
        let size = |size: Option<i64>| {
            size.map_or(usual, |size| usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(self.num_traces))
        };
        (size(cache.sampled_cache_size), size(cache.non_sampled_cache_size))
    }

    /// How many undecided traces to set memory aside for.
    pub(super) fn expected_traces(&self) -> usize {
        let waiting = self.expected_new_traces_per_sec as f64 * self.decision_wait.0.as_secs_f64();
        (waiting as usize).min(self.num_traces)
    }
}

#[cfg(test)]
mod tests;
