//! Policies: what a trace must be like to be kept.
//!
//! A policy votes on the [`Facts`] of a trace, which were folded span by span on arrival; no span is looked at twice.
//! What it wants to know of spans beyond the common facts it states as [`SpanFilter`]s: each gets a bit of the trace's
//! state that is set once any span meets it. A filter runs when the span arrives, outside of every lock; a vote runs in
//! a decision slice, inside the shard's lock, and must be quick. What is not, a plugin, is asked before the slice, about all
//! of its traces at once, and the vote reads the answer.
//!
//! A new policy type is its own file with a `Config: PolicyConfig`, and one line in `policy_types` below. (`cargo fmt` does not find such
//! files; `make fmt` and CI hand them to it.)

/// The policy types, for a macro that makes something of each of them. A new one is its file and its line here.
macro_rules! policy_types {
    ($make:ident) => {
        $make! {
            always_sample,
            and,
            boolean_attribute,
            bytes_limiting,
            composite,
            drop,
            latency,
            not,
            numeric_attribute,
            ottl_condition,
            probabilistic,
            rate_limiting,
            span_count,
            status_code,
            string_attribute,
            trace_flags,
            trace_state,
            wasm,
        }
    };
}

/// A module for each.
macro_rules! modules {
    ($($kind:ident),+ $(,)?) => {
        $(pub mod $kind;)+
    };
}

policy_types!(modules);

pub mod attribute;
mod bucket;
mod budget;
mod facts;
mod kept;
pub mod layout;
mod matched;
mod per_shard;
pub mod settings;
#[cfg(test)]
pub mod testing;

pub use facts::{Facts, Matches};
pub use kept::Kept;
pub use layout::{Bit, Layout, Slot};
pub use matched::Matched;

use super::ot::Threshold;
use crate::yaml::{Check, Section};
use std::sync::Arc;
use tailrace_columns::Decision;
use tailrace_otlp::{ResourceView, ScopeView, SpanView, StatusCode};

/// A policy's opinion of one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// Keep it.
    Sampled,
    /// No reason to keep it.
    NotSampled,
    /// Do not keep it, whatever the others say.
    Dropped,
    /// The policy failed; it is counted and has no vote on this trace.
    Error,
}

impl Vote {
    /// `Sampled` or `NotSampled`.
    pub fn sampled_if(keep: bool) -> Self {
        if keep { Self::Sampled } else { Self::NotSampled }
    }
}

/// What a filter sees of a span.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// Start, in nanoseconds since 1970.
    pub start_ns: u64,
    /// End, in nanoseconds since 1970.
    pub end_ns: u64,
    /// Status code.
    pub status: StatusCode,
    /// Whether it has no parent.
    pub root: bool,
    /// Encoded size in bytes, with tag and length.
    pub bytes: u64,
    /// Everything else of it.
    pub view: SpanView<'a>,
    /// Its resource.
    pub resource: ResourceView<'a>,
    /// Its scope.
    pub scope: ScopeView<'a>,
    /// When it arrived, in nanoseconds since 1970.
    pub now_ns: u64,
}

/// What a plugin says of a trace; `None` if it could not be asked, or failed.
pub type Answer = Option<Decision>;

/// A trace at the moment of its decision.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// Its id.
    pub id: &'a [u8; 16],
    /// What is known of its spans.
    pub facts: &'a Facts,
    /// What the plugins say of it, by [`Slot`].
    pub answers: &'a [Answer],
    /// The time of the decision, in milliseconds of the processor's clock.
    pub now_ms: u64,
    /// Number of the shard that asks.
    pub shard: usize,
    /// It was among those that [`Planner`]s have heard of.
    pub planned: bool,
}

impl<'a> Trace<'a> {
    /// In the first shard, unplanned, and with no answers.
    pub fn new(id: &'a [u8; 16], facts: &'a Facts, now_ms: u64) -> Self {
        Self { id, facts, answers: &[], now_ms, shard: 0, planned: false }
    }

    /// What samplers before this one say is its randomness, if that was read; else that of its id.
    pub fn randomness(&self) -> u64 {
        self.facts.upstream.randomness(self.id)
    }

    /// Whether any span met the filter.
    pub fn matched(&self, bit: Bit) -> bool {
        bit.is_in(self.facts.matches)
    }

    /// What the plugin of this slot says of it.
    pub fn answer(&self, slot: Slot) -> Answer {
        self.answers.get(slot.number()).copied().flatten()
    }
}

/// A question about one span that a policy wants answered on arrival.
pub trait SpanFilter: Send + Sync {
    /// Whether the span meets it.
    fn matches(&self, span: &Span<'_>) -> bool;
}

/// Votes on traces.
pub trait Policy: Send + Sync {
    /// Its opinion of `trace`.
    fn vote(&self, trace: &Trace<'_>) -> Vote;

    /// Whether it can say [`Vote::Dropped`]: such policies vote before the others.
    fn vetoes(&self) -> bool {
        false
    }

    /// With `use_tracestate`: which threshold it sampled `trace` with. Asked after it voted to keep the trace, if at all.
    fn threshold(&self, trace: &Trace<'_>) -> Threshold {
        let _ = trace;
        Threshold::ALWAYS
    }

    /// Which of its parts wanted the last trace that it voted to keep in `shard`, for a policy that has names for them.
    fn kept_by(&self, shard: usize) -> Option<&Arc<str>> {
        let _ = shard;
        None
    }

    /// What wants to hear of all traces of a tick before they are voted on.
    fn planner(&self) -> Option<&dyn Planner> {
        None
    }

    /// Whether its vote follows from the facts alone, and asking changes nothing: then it can be asked beforehand.
    fn is_pure(&self) -> bool {
        true
    }
}

/// A policy that wants to see all the traces that a shard decides in one tick before it votes on any of them.
pub trait Planner: Send + Sync {
    /// Hears of some of those traces. No policy drops them, as far as that can be known beforehand.
    fn hear(&self, shard: usize, group: &[&Trace<'_>]);

    /// Has heard of all of them.
    fn plan(&self, shard: usize, now_ms: u64);
}

/// The settings of a policy type.
pub trait PolicyConfig {
    /// Faults that the type cannot express.
    fn check(&self, fault: &mut Fault<'_, '_>) {
        let _ = fault;
    }

    /// Records what of it keeps it from voting on spans as they arrive (`sampling_strategy: span-ingest`): its vote to keep a
    /// trace must be one that no later span can take back, and must not depend on other traces.
    fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        let _ = fault;
    }

    /// It was read from this block. For what can only be found wrong later, when plugins are loaded.
    fn place(&mut self, section: &Section<'_>) {
        let _ = section;
    }

    /// Makes the policy; its filters go to `layout`.
    fn build(&self, layout: &mut Layout) -> Box<dyn Policy>;

    /// Why it cannot be part of another policy, if it cannot.
    fn must_stand_alone(&self) -> Option<&'static str> {
        None
    }
}

/// Records faults of one policy's settings.
pub struct Fault<'a, 'b> {
    path: String,
    check: &'a mut Check<'b>,
}

impl<'a, 'b> Fault<'a, 'b> {
    /// For settings at `path`.
    pub fn new(path: String, check: &'a mut Check<'b>) -> Self {
        Self { path, check }
    }

    /// Records faults of what stands under `key` of the policy's block.
    pub fn inside(&mut self, key: &str) -> Fault<'_, 'b> {
        Fault { path: format!("{}.{key}", self.path), check: self.check }
    }

    /// A fault of the block itself.
    pub fn here(&mut self, message: impl Into<String>) {
        self.check.error(&self.path, message);
    }

    /// Something at `key` of the policy's block that works and is hardly meant so.
    pub fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.check.warning(&format!("{}.{key}", self.path), message);
    }

    /// A fault at `key` of the policy's block.
    pub fn at(&mut self, key: &str, message: impl Into<String>) {
        self.check.error(&format!("{}.{key}", self.path), message);
    }
}
