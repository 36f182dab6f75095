//! Traces for the tests of policies: as few bytes as a policy looks at.

use super::{Facts, Layout, PolicyConfig, Span, Trace, Vote};
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::wire::{put_len_field, put_varint_field};
use tailrace_otlp::{ResourceView, ScopeView, SpanView, StatusCode, Value};

/// A trace: its encoded spans, all of one resource.
#[derive(Clone, Default)]
pub struct Sample {
    resource: Vec<u8>,
    spans: Vec<Vec<u8>>,
}

impl Sample {
    /// So many empty spans.
    pub fn of(spans: usize) -> Self {
        Self { resource: Vec::new(), spans: vec![Vec::new(); spans] }
    }

    /// One span with an attribute.
    pub fn with(key: &str, value: Value<'_>) -> Self {
        Self::of(1).attribute(0, key, value)
    }

    /// Adds an attribute to a span.
    pub fn attribute(mut self, span: usize, key: &str, value: Value<'_>) -> Self {
        put_attribute(&mut self.spans[span], 9, key.into(), &value);
        self
    }

    /// Adds an attribute to the resource.
    pub fn resource(mut self, key: &str, value: Value<'_>) -> Self {
        let mut resource = Vec::new();
        put_attribute(&mut resource, 1, key.into(), &value);
        put_len_field(&mut self.resource, 1, &resource);
        self
    }

    /// Gives all spans a `tracestate`.
    pub fn trace_state(mut self, state: &str) -> Self {
        self.spans.iter_mut().for_each(|span| put_len_field(span, 3, state.as_bytes()));
        self
    }

    /// Gives all spans flags.
    pub fn flags(mut self, flags: u32) -> Self {
        for span in &mut self.spans {
            // Field 16 is fixed32.
            span.extend_from_slice(&[0x85, 0x01]);
            span.extend_from_slice(&flags.to_le_bytes());
        }
        self
    }

    /// Gives a span a status.
    pub fn status(mut self, span: usize, code: u64) -> Self {
        let mut status = Vec::new();
        put_varint_field(&mut status, 3, code);
        put_len_field(&mut self.spans[span], 15, &status);
        self
    }

    /// Its spans as filters see them.
    pub fn spans(&self) -> Vec<Span<'_>> {
        let spans = self.spans.iter().map(|bytes| {
            let view = SpanView::new(bytes);
            Span {
                start_ns: view.start_time_unix_nano(),
                end_ns: view.end_time_unix_nano(),
                status: view.status_code(),
                root: view.parent_span_id().is_none(),
                bytes: bytes.len() as u64 + 2,
                view,
                resource: ResourceView::new(&self.resource),
                scope: ScopeView::new(&[]),
                now_ns: 0,
            }
        });
        spans.collect()
    }

    /// What its spans count for a policy that limits bytes.
    pub fn bytes(&self) -> u64 {
        self.spans().iter().map(|span| span.bytes).sum()
    }

    fn facts(&self, layout: &Layout) -> Facts {
        let mut facts = Facts::default();
        self.spans().iter().for_each(|span| facts.fold(&layout.facts_of(span)));
        facts
    }
}

impl Layout {
    /// The facts of one span and its resource.
    pub fn facts_of(&self, span: &Span<'_>) -> Facts {
        self.facts(span, self.of_resource(span.resource))
    }
}

/// A span of which only the status is known.
pub fn span_of_status(status: StatusCode) -> Span<'static> {
    let (view, resource, scope) = (SpanView::new(&[]), ResourceView::new(&[]), ScopeView::new(&[]));
    Span { start_ns: 0, end_ns: 0, status, root: true, bytes: 2, view, resource, scope, now_ns: 0 }
}

/// What a new policy says about traces at these times, in milliseconds.
pub fn all_votes_at(config: &dyn PolicyConfig, samples: &[(&Sample, u64)]) -> Vec<Vote> {
    let mut layout = Layout::default();
    let policy = config.build(&mut layout);
    let vote = |(sample, now_ms): &(&Sample, u64)| policy.vote(&Trace::new(&[1; 16], &sample.facts(&layout), *now_ms));
    samples.iter().map(vote).collect()
}

/// Whether a new policy keeps traces at these times.
pub fn votes_at(config: &dyn PolicyConfig, samples: &[(&Sample, u64)]) -> Vec<bool> {
    all_votes_at(config, samples).into_iter().map(|vote| vote == Vote::Sampled).collect()
}

/// Whether a new policy keeps a trace.
pub fn vote(config: &dyn PolicyConfig, sample: &Sample) -> bool {
    votes_at(config, &[(sample, 0)]) == [true]
}
