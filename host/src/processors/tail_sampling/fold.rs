//! What is remembered of spans: from encoded spans to [`Facts`].
//!
//! Spans are folded once, when they arrive. When the policies change, those that are held already are folded again, trace by
//! trace, before a trace is decided: the bytes are still there.

use super::contexts::Context;
use super::policies::Policies;
use super::policy::{Facts, Matches, Span};
use std::time::{SystemTime, UNIX_EPOCH};
use tailrace_otlp::{ResourceView, ScopeView, SpanView, wire};

/// Fields of a span.
const ID: u32 = 2;
const PARENT: u32 = 4;
const STATUS: u32 = 15;
/// Tag and length of an empty field.
const EMPTY: usize = 2;

/// Where spans are, and when they are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The fields of the `ResourceSpans` other than its scopes.
    pub resource: &'a [u8],
    /// The fields of the `ScopeSpans` other than its spans.
    pub scope: &'a [u8],
    /// What all spans of the resource have in common.
    pub matches: Matches,
    /// Nanoseconds since 1970.
    pub now_ns: u64,
}

/// The facts of one span, without tag and length.
pub fn span(message: &[u8], place: Place<'_>, policies: &Policies) -> Facts {
    let view = SpanView::new(message);
    let summary = view.summary();
    let span = Span {
        start_ns: summary.start_time_unix_nano,
        end_ns: summary.end_time_unix_nano,
        status: summary.status_code,
        root: summary.is_root,
        bytes: wire::len_field_len(size(message, policies.wants_sizes())) as u64,
        view,
        resource: ResourceView::new(place.resource),
        scope: ScopeView::new(place.scope),
        now_ns: place.now_ns,
    };
    policies.facts(&span, place.matches)
}

/// The facts of a run of spans, each with tag and length.
pub fn run(context: &Context<'_>, records: &[u8], policies: &Policies) -> Facts {
    let Context { resource, scope, .. } = *context;
    let matches = policies.of_resource(ResourceView::new(resource));
    let place = Place { resource, scope, matches, now_ns: now_ns() };
    let mut facts = Facts::default();
    for message in wire::Fields::new(records).filter_map(|field| field.bytes()) {
        facts.fold(&span(message, place, policies));
    }
    facts
}

/// Size of a span. If it `matters`, that with which the Collector writes it: with an id of the span, one of its parent and a status
/// even if there is none, as empty fields, and with ids of zeros empty. What libraries write differs in nothing else.
fn size(message: &[u8], matters: bool) -> usize {
    if !matters {
        return message.len();
    }
    let (mut id, mut parent, mut status, mut zeros) = (false, false, false, 0);
    for field in wire::Fields::new(message) {
        let Some(payload) = field.bytes() else { continue };
        match field.number {
            ID => id = true,
            PARENT => parent = true,
            STATUS => status = true,
            _ => continue,
        }
        if field.number != STATUS && payload.iter().all(|byte| *byte == 0) {
            zeros += payload.len();
        }
    }
    let missing = [id, parent, status].into_iter().filter(|there| !there).count();
    message.len() - zeros + missing * EMPTY
}

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::{Span, Status};
    use prost::Message;

    /// The sizes that `ptrace.ProtoMarshaler.SpanSize` gives.
    #[test]
    fn sizes_are_those_of_the_collector() {
        let full = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            parent_span_id: vec![3; 8],
            name: "GET /".to_owned(),
            status: Some(Status { message: String::new(), code: 2 }),
            ..Span::default()
        };
        let cases = [
            (full.clone(), 18 + 10 + 10 + 7 + 4),
            (Span { parent_span_id: Vec::new(), ..full.clone() }, 18 + 10 + 2 + 7 + 4),
            (Span { parent_span_id: vec![0; 8], ..full.clone() }, 18 + 10 + 2 + 7 + 4),
            (Span { span_id: Vec::new(), ..full.clone() }, 18 + 2 + 10 + 7 + 4),
            (Span { span_id: vec![0; 8], parent_span_id: vec![0; 8], ..full.clone() }, 18 + 2 + 2 + 7 + 4),
            (Span { status: None, ..full.clone() }, 18 + 10 + 10 + 7 + 2),
            (Span { status: Some(Status::default()), ..full.clone() }, 18 + 10 + 10 + 7 + 2),
        ];
        for (span, expected) in cases {
            let message = span.encode_to_vec();
            assert_eq!((size(&message, true), size(&message, false)), (expected, message.len()), "{span:?}");
        }
    }
}
