//! What the processor goes by, made of its configuration. All of it is exchanged at once when that changes.

use super::config::{Config, SamplingStrategy};
use super::intake::Keyed;
use super::policies::Policies;
use super::policy::Layout;
use super::samplers::Sampler;
use super::shadow::Shadow;
use super::shard::Rules;
use super::table::Waits;
use super::tally::Metrics;
use crate::component::{BuildError, Context};
use std::sync::Arc;
use std::time::Duration;

/// Shortest and longest time between two ticks.
const TICK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What can be changed while it runs.
pub(super) struct Settings {
    /// What the shards do and hold.
    pub(super) rules: Rules,
    /// Time between two looks at what is due.
    pub(super) tick: Duration,
    /// Senders wait where there is no room.
    pub(super) block_on_overflow: bool,
    /// At the end undecided traces are dropped.
    pub(super) drop_pending_traces_on_shutdown: bool,
}

impl Settings {
    /// From a configuration, as the successor of `old`. Loads plugins; blocks.
    ///
    /// # Errors
    /// What is wrong with a plugin.
    pub(super) fn new(
        config: &Config,
        context: &Context,
        metrics: &Metrics,
        shards: usize,
        keyed: Keyed,
        old: Option<&Policies>,
    ) -> Result<Self, BuildError> {
        let (policies, shadow, layout) = config.policies(shards, old.map(Policies::layout));
        let samplers = Sampler::load_all(context, layout.wishes(), old.map_or(&[], Policies::samplers))?;
        let generation = old.map_or(0, |old| old.generation().wrapping_add(1));
        let first_match = config.sample_on_first_match;
        let in_shadow = |shadow| Shadow::new(context, Policies::new(shadow, Layout::default(), first_match));
        let policies = Policies::new(policies, layout, first_match)
            .in_service(generation, samplers, |name| metrics.of_policy(name))
            .with_shadow(Some(shadow).filter(|shadow| !shadow.is_empty()).map(in_shadow))
            .enrolled(old);
        let (sampled, not_sampled) = config.cache_sizes();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let after_root = config.decision_wait_after_root_received.0;
        let wait = config.decision_wait.0;
        let rules = Rules {
            policies: Arc::new(policies),
            keyed,
            waits: Waits { full_ms: millis(wait), after_root_ms: (!after_root.is_zero()).then(|| millis(after_root)) },
            traces_max: config.num_traces.div_ceil(shards),
            bytes_max: (config.max_memory_mib << 20) / shards,
            trace_bytes_max: match config.maximum_trace_size_bytes {
                0 => u64::MAX,
                bytes => bytes,
            },
            trace_spans_max: match config.maximum_trace_spans {
                0 => u32::MAX,
                spans => spans,
            },
            traces_expected: config.expected_traces().div_ceil(shards),
            cache: (sampled.div_ceil(shards), not_sampled.div_ceil(shards)),
            history: config.decision_history.size.div_ceil(shards),
            spans_shown_max: config.wasm_max_spans_per_trace,
            on_ingest: config.sampling_strategy == SamplingStrategy::SpanIngest,
            labels: config.labels(),
        };
        let shorter = if after_root.is_zero() { wait } else { wait.min(after_root) };
        Ok(Self {
            rules,
            tick: (shorter / 20).clamp(TICK.0, TICK.1),
            block_on_overflow: config.block_on_overflow,
            drop_pending_traces_on_shutdown: config.drop_pending_traces_on_shutdown,
        })
    }
}
