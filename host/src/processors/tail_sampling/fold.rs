//! What is remembered of spans: from encoded spans to [`Facts`].
//!
//! Spans are folded once, when they arrive. When the policies change, those that are held already are folded again, trace by
//! trace, when a trace is touched next: the bytes are still there.

use super::contexts::Context;
use super::policies::Policies;
use super::policy::{Facts, Matches, Span};
use std::time::{SystemTime, UNIX_EPOCH};
use tailrace_otlp::{ResourceView, ScopeView, SpanView, wire};

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
        bytes: wire::len_field_len(message.len()) as u64,
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

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
