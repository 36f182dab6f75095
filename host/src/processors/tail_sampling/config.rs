//! Settings of `tail_sampling`.

use super::leave::Labels;
use super::policies::NamedPolicy;
use super::policy::settings::{PolicySettings, place_parts};
use super::policy::{Fault, Layout};
use crate::yaml::{Check, GoDuration, Section, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::time::Duration;

/// The most of `num_shards`, as in the Collector.
const SHARDS_MAX: usize = 256;
/// Most decisions that can be explained: about 90 MB.
const HISTORY_MAX: usize = 1_000_000;
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
    /// A trace with so many spans is decided at once on what has arrived; 0 is no bound. Not a key of the Collector.
    pub(super) maximum_trace_spans: u32,
    /// How many decisions are remembered for late spans.
    pub(super) decision_cache: CacheSettings,
    /// How many decisions can be explained. Not a key of the Collector.
    pub(super) decision_history: HistorySettings,
    /// Policies that decide nothing and are only counted, beside the others. Not a key of the Collector.
    pub(super) shadow_policies: Vec<PolicySettings>,
    /// When policies vote: on the whole trace, or on spans as they arrive.
    pub(super) sampling_strategy: SamplingStrategy,
    /// Parts that work side by side; as many as there are workers if not set, or 0.
    pub(super) num_shards: Option<usize>,
    /// Sample consistently with samplers before and behind, by what tracestates say: the Collector's feature gate of that name.
    pub(super) use_tracestate: bool,
    /// Write on the scope of kept spans which policy kept them: the Collector's feature gate `recordpolicy`.
    pub(super) record_policy: bool,
    /// Attributes of kept spans. Not a key of the Collector.
    pub(super) span_attributes: SpanAttributes,
    /// Not supported.
    pub(super) tail_storage: Option<IgnoredAny>,
    /// Memory for the spans of undecided traces, in MiB; beyond that the oldest are decided early. Not a key of the Collector.
    pub(super) max_memory_mib: usize,
    /// Spans of one trace that plugins are shown at most. Not a key of the Collector.
    pub(super) wasm_max_spans_per_trace: usize,
}

/// When policies vote.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SamplingStrategy {
    /// On all spans that have arrived when the trace is due.
    #[default]
    TraceComplete,
    /// On spans as they arrive; a trace that is due without a decision is not kept.
    SpanIngest,
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

/// Under which keys something is written on kept spans; nothing if they are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SpanAttributes {
    /// The policy that kept the trace.
    pub(super) policy: String,
    /// The share of such traces that is kept, above 0 and up to 1.
    pub(super) probability: String,
}

/// What is remembered of decisions for those who ask why.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HistorySettings {
    /// The last so many; 0 remembers none.
    pub(super) size: usize,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { size: 10_000 }
    }
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
            maximum_trace_spans: 100_000,
            decision_cache: CacheSettings::default(),
            decision_history: HistorySettings::default(),
            shadow_policies: Vec::new(),
            sampling_strategy: SamplingStrategy::default(),
            num_shards: None,
            use_tracestate: false,
            record_policy: false,
            span_attributes: SpanAttributes::default(),
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
        check_policies("policies", &self.policies, check);
        check_policies("shadow_policies", &self.shadow_policies, check);
        let most = Layout::FILTERS_MAX;
        let mut layout = Layout::default();
        build(&self.policies, &mut layout);
        let overflowed = layout.overflows();
        build(&self.shadow_policies, &mut layout);
        if overflowed {
            check.error("policies", format!("more than {most} conditions on spans; split them over two processors"));
        } else if layout.overflows() {
            let message = format!("more than {most} conditions on spans, together with those of policies; take fewer");
            check.error("shadow_policies", message);
        }
        if self.decision_history.size > HISTORY_MAX {
            check.error("decision_history.size", format!("must be {HISTORY_MAX} at most"));
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
        if self.sampling_strategy == SamplingStrategy::SpanIngest {
            self.check_on_ingest(check);
        }
        if self.use_tracestate && self.sample_on_first_match {
            let why = "does not work with use_tracestate: the policies that are not asked may have kept the trace less strictly";
            check.error("sample_on_first_match", why);
        }
        if !self.use_tracestate && !self.span_attributes.probability.is_empty() {
            let why = "needs use_tracestate: true, it is the probability that the tracestate says";
            check.error("span_attributes.probability", why);
        }
        let SpanAttributes { policy, probability } = &self.span_attributes;
        if !policy.is_empty() && policy == probability {
            check.error("span_attributes.probability", "must be another key than policy");
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
    fn check_on_ingest(&self, check: &mut Check<'_>) {
        for (i, policy) in self.policies.iter().enumerate() {
            policy.check_on_ingest(&mut Fault::new(format!("policies[{i}]"), check));
        }
        if self.policies(1, None).0.iter().any(|(_, policy)| policy.vetoes()) {
            let why =
                "beside a policy of type drop, span-ingest keeps no trace: later spans could always make it match";
            check.warning("sampling_strategy", why);
        }
    }

    /// It was read from this section.
    pub(super) fn place(&mut self, section: &Section<'_>) {
        place_parts(&mut self.policies, "policies", section);
        place_parts(&mut self.shadow_policies, "shadow_policies", section);
    }

    /// Names and policies in the order of the configuration, shadow policies, and what all of them want to know. They follow on
    /// policies whose layout is `old`.
    pub(super) fn policies(&self, shards: usize, old: Option<&Layout>) -> (Vec<NamedPolicy>, Vec<NamedPolicy>, Layout) {
        let mut layout = Layout::new(shards, self.use_tracestate);
        if let Some(old) = old {
            layout = layout.after(old);
        }
        let policies = build(&self.policies, &mut layout);
        let shadow = layout.within("shadow_policies", |layout| build(&self.shadow_policies, layout));
        if self.maximum_trace_size_bytes > 0 {
            layout.want_sizes();
        }
        (policies, shadow, layout)
    }

    /// How many shards there are beside so many workers: each has at least a mebibyte.
    pub(super) fn shards(&self, workers: usize) -> usize {
        self.num_shards.filter(|shards| *shards > 0).unwrap_or(workers).clamp(1, self.max_memory_mib.max(1))
    }

    /// What is written on spans that leave.
    pub(super) fn labels(&self) -> Labels {
        let key = |key: &str| (!key.is_empty()).then(|| key.into());
        Labels {
            record_policy: self.record_policy,
            policy_key: key(&self.span_attributes.policy),
            share_key: key(&self.span_attributes.probability),
        }
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

/// Records what is wrong with the policies under `key`.
fn check_policies(key: &str, policies: &[PolicySettings], check: &mut Check<'_>) {
    let mut names = BTreeSet::new();
    for (i, policy) in policies.iter().enumerate() {
        policy.check(&mut Fault::new(format!("{key}[{i}]"), check));
        if !policy.name.is_empty() && !names.insert(&policy.name) {
            check.error(&format!("{key}[{i}].name"), format!("duplicate policy name {:?}", policy.name));
        }
    }
}

/// Names and policies in the order of the configuration; their filters and plugins go to `layout`.
fn build(policies: &[PolicySettings], layout: &mut Layout) -> Vec<NamedPolicy> {
    policies.iter().filter_map(|policy| Some((policy.name.clone(), policy.build(layout)?))).collect()
}

#[cfg(test)]
mod tests;
