//! Policies: what a trace must be like to be kept.
//!
//! A policy votes on the [`Facts`] of a trace, which were folded span by span on arrival; no span is looked at twice.
//! What it wants to know of spans beyond the common facts it states as [`SpanFilter`]s: each gets a bit of the trace's
//! state that is set once any span meets it. A filter runs when the span arrives, outside of every lock; a vote runs in
//! a decision slice, inside the shard's lock, and must be quick (what is not, such as a plugin, is asked before the
//! slice and leaves its answer with the facts).
//!
//! A new policy type is its own file with a `Config: PolicyConfig`, and one line in [`config`](super::config).

pub mod always_sample;
mod facts;
pub mod latency;
pub mod probabilistic;
pub mod status_code;

pub use facts::{Facts, Matches};

use crate::yaml::Check;
use tailrace_otlp::StatusCode;

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
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
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
}

/// A trace at the moment of its decision.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// Its id.
    pub id: &'a [u8; 16],
    /// What is known of its spans.
    pub facts: &'a Facts,
}

impl Trace<'_> {
    /// Whether any span met the filter.
    pub fn matched(&self, bit: Bit) -> bool {
        self.facts.matches >> bit.0 & 1 == 1
    }
}

/// Which bit of the state belongs to a filter.
#[derive(Clone, Copy, Debug)]
pub struct Bit(u32);

/// A question about one span that a policy wants answered on arrival.
pub trait SpanFilter: Send + Sync {
    /// Whether the span meets it.
    fn matches(&self, span: &Span) -> bool;
}

/// Votes on traces.
pub trait Policy: Send + Sync {
    /// Its opinion of `trace`.
    fn vote(&self, trace: &Trace<'_>) -> Vote;

    /// Whether it can say [`Vote::Dropped`]: such policies vote before the others.
    fn vetoes(&self) -> bool {
        false
    }
}

/// The settings of a policy type.
pub trait PolicyConfig {
    /// Faults that the type cannot express.
    fn check(&self, fault: &mut Fault<'_, '_>) {
        let _ = fault;
    }

    /// Makes the policy; its filters go to `layout`.
    fn build(&self, layout: &mut Layout) -> Box<dyn Policy>;
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

    /// A fault at `key` of the policy's block.
    pub fn at(&mut self, key: &str, message: impl Into<String>) {
        self.check.error(&format!("{}.{key}", self.path), message);
    }
}

/// The filters of all policies, and which bit belongs to which.
#[derive(Default)]
pub struct Layout {
    filters: Vec<Box<dyn SpanFilter>>,
}

impl Layout {
    /// How many filters the state of a trace has room for.
    pub const FILTERS_MAX: usize = Matches::BITS as usize;

    /// Registers a filter.
    pub fn filter(&mut self, filter: impl SpanFilter + 'static) -> Bit {
        self.filters.push(Box::new(filter));
        Bit(self.filters.len() as u32 - 1)
    }

    /// Whether more filters were registered than there is room for; such a layout must not be used.
    pub fn overflows(&self) -> bool {
        self.filters.len() > Self::FILTERS_MAX
    }

    /// What is to be remembered of `span`.
    pub fn facts(&self, span: &Span) -> Facts {
        let filters = self.filters.iter().map(AsRef::as_ref).enumerate();
        let met = |(i, filter): (usize, &dyn SpanFilter)| Matches::from(filter.matches(span)) << i;
        Facts {
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            bytes: span.bytes,
            spans: 1,
            root: span.root,
            matches: filters.map(met).fold(0, |all, bit| all | bit),
        }
    }
}
