//! The world of plugins that decide about traces.

/// Made from `wit/`: this export alone; the lifecycle comes with its own bindings.
#[allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
#[path = "bindings/sampler.rs"]
pub mod bindings;

pub use super::lifecycle::Failure;
use super::lifecycle::{columns, failure};
pub use bindings::exports::tailrace::plugin::sampler::{Decision, Guest, Traces};

/// What the macro writes between the lifecycle and the export.
#[doc(hidden)]
#[macro_export]
macro_rules! __sampler_body {
    ($component:ident, $plugin:ty, $slot:ident) => {
        impl $crate::guest::sampler::Guest for $component {
            fn wants_spans() -> bool {
                <$plugin as $crate::Sampler>::WANTS_SPANS
            }

            fn sample(
                traces: $crate::guest::sampler::Traces,
            ) -> ::core::result::Result<
                ::std::vec::Vec<$crate::guest::sampler::Decision>,
                $crate::guest::sampler::Failure,
            > {
                $slot.with(|slot| $crate::guest::sampler::sample(slot, traces))
            }
        }
    };
}
pub use __sampler_body as body;

/// Asks the plugin about traces.
///
/// # Errors
/// The plugin's own answer.
pub fn sample<P: crate::Sampler>(slot: &super::Slot<P>, traces: Traces) -> Result<Vec<Decision>, Failure> {
    let traces = tailrace_columns::Traces {
        ids: traces.ids,
        span_counts: traces.span_counts,
        error_counts: traces.error_counts,
        starts: traces.starts,
        durations: traces.durations,
        sizes: traces.sizes,
        last_calls: traces.last_calls,
        values: columns(traces.values),
        item_ends: traces.item_ends,
        span_ends: traces.span_ends,
        spans: traces.spans,
    };
    slot.with(|configured| {
        let done = crate::sampler::sample(&mut configured.plugin, &configured.asked.intrinsics, &traces);
        let decision = |decision| match decision {
            crate::Decision::Sample(threshold) => Decision::Sample(threshold),
            crate::Decision::NotSampled => Decision::NotSampled,
            crate::Decision::Drop => Decision::Drop,
            crate::Decision::Undecided => Decision::Undecided,
        };
        Ok(done.map_err(failure)?.into_iter().map(decision).collect())
    })
}
