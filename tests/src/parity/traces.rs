//! Random traces, split over random requests.

use super::encode::mangle;
use super::values::{NAMES, attributes, int, one, rarely, state};
use bytes::Bytes;
use fastrand::Rng;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::collections::BTreeSet;

/// The attribute that tells spans apart.
pub const UID: &str = "parity.uid";
/// When everything happened, in nanoseconds since 1970.
const BASE_NS: u64 = 1_700_000_000_000_000_000;

/// Number of the first span of a pool of equal traces: others are never so many.
pub const EQUAL: i64 = 1_000_000;

/// When spans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before any decision.
    Early,
    /// When traces with a root are decided, if there is a wait for that, and no others.
    Between,
    /// Behind all decisions.
    Late,
}

/// A span in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its number.
    pub uid: i64,
    /// Its resource.
    pub resource: Resource,
    /// Its scope.
    pub scope: InstrumentationScope,
    /// Itself.
    pub span: Span,
    /// Schema URLs of resource and scope.
    pub schemas: (String, String),
    /// Number of the request that it comes in; they are numbered in the order in which they are sent.
    pub request: usize,
    /// When that is sent.
    pub when: When,
    /// Whether that request is written unusually.
    pub unusual: bool,
}

/// Spans, and the requests that they are sent in.
#[derive(Default)]
pub struct Pool {
    /// All spans by number.
    pub spans: Vec<Placed>,
    /// What is sent, in that order.
    pub requests: Vec<(When, Bytes)>,
}

impl Pool {
    /// The same, all of it sent before any decision.
    pub fn at_once(mut self) -> Self {
        self.spans.iter_mut().for_each(|placed| placed.when = When::Early);
        self.requests.iter_mut().for_each(|(when, _)| *when = When::Early);
        self
    }
}

/// A place for spans.
type Place = (Resource, String, InstrumentationScope, String);

fn places(random: &mut Rng) -> Vec<Place> {
    let url = |random: &mut Rng| if random.bool() { String::new() } else { format!("schema-{}", random.u8(..3)) };
    let mut places = Vec::new();
    for _ in 0..8 {
        let entity = EntityRef { r#type: "host".to_owned(), id_keys: vec!["k".to_owned()], ..EntityRef::default() };
        let resource = Resource {
            attributes: attributes(random, 2, 2),
            dropped_attributes_count: random.u32(..2),
            entity_refs: if rarely(random, 4) { vec![entity] } else { Vec::new() },
        };
        let resource_url = url(random);
        for _ in 0..2 {
            let scope = InstrumentationScope {
                name: (*one(random, NAMES)).to_owned(),
                version: ["", "1", "2"][random.usize(..3)].to_owned(),
                attributes: attributes(random, 1, 1),
                dropped_attributes_count: random.u32(..2),
            };
            places.push((resource.clone(), resource_url.clone(), scope, url(random)));
        }
    }
    places
}

fn span(random: &mut Rng, trace: &[u8]) -> Span {
    let zeros = |random: &mut Rng, len: usize| if random.bool() { vec![0; len] } else { Vec::new() };
    let start = if rarely(random, 25) { 0 } else { BASE_NS + random.u64(..2_000) * 1_000_000 };
    let took = *one(random, &[0, 1, 999_999, 10_000_000, 100_000_000, 1_000_000_000, 5_000_000_000]);
    let end = match random.u32(..80) {
        0..=1 => 0,
        2..=3 => BASE_NS - took,
        // Beyond 2262, where times are negative for some.
        4 => u64::MAX,
        5 => 1 << 63,
        _ => start.max(BASE_NS) + took,
    };
    let span_id = random.u64(1..).to_be_bytes().to_vec();
    let mut span = Span {
        trace_id: trace.to_vec(),
        span_id: if rarely(random, 60) { zeros(random, 8) } else { span_id },
        parent_span_id: if rarely(random, 4) { zeros(random, 8) } else { vec![random.u8(1..); 8] },
        trace_state: state(random),
        name: (*one(random, NAMES)).to_owned(),
        kind: if rarely(random, 40) { *one(random, &[9, -1]) } else { random.i32(0..6) },
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        flags: *one(random, &[0, 0, 0, 1, 2, 3, 0x100, 0x301, 0xffff_ff00, u32::MAX]),
        attributes: attributes(random, 3, 2),
        dropped_attributes_count: if rarely(random, 40) { u32::MAX } else { random.u32(..2) },
        dropped_events_count: random.u32(..2),
        dropped_links_count: random.u32(..2),
        ..Span::default()
    };
    for _ in 0..random.usize(..3) {
        span.events.push(Event {
            time_unix_nano: if rarely(random, 10) { 0 } else { BASE_NS + random.u64(..1_000) },
            name: (*one(random, NAMES)).to_owned(),
            attributes: attributes(random, 2, 1),
            dropped_attributes_count: random.u32(..2),
        });
    }
    if rarely(random, 4) {
        span.links.push(Link {
            trace_id: vec![7; 16],
            span_id: vec![7; 8],
            trace_state: state(random),
            attributes: attributes(random, 2, 1),
            dropped_attributes_count: random.u32(..2),
            flags: random.u32(..2),
        });
    }
    if !rarely(random, 3) {
        let message = (*one(random, NAMES)).to_owned();
        let code = if rarely(random, 20) { *one(random, &[7, -1]) } else { random.i32(0..3) };
        span.status = Some(Status { message, code });
    }
    span
}

/// An id for another trace: often unlike all before, sometimes like the last one but for a bit, or with many zeros.
fn trace_id(random: &mut Rng, last: u128) -> u128 {
    let id = match random.u32(..10) {
        0 => last ^ 1 << random.u32(..128),
        1 => u128::from(random.u64(..)),
        2 => u128::from(random.u64(..)) << 64,
        _ => random.u128(..),
    };
    id.max(1)
}

/// Spans of a trace. Some have the same id, as those of a client and a server that share it.
fn trace(random: &mut Rng, id: &[u8], count: usize, places: &[Place]) -> Vec<(Place, Span)> {
    let mut spans: Vec<(Place, Span)> = Vec::new();
    for _ in 0..count {
        let mut span = span(random, id);
        if let Some((_, before)) = spans.last()
            && rarely(random, 10)
        {
            span.span_id = before.span_id.clone();
        }
        spans.push((one(random, places).clone(), span));
    }
    spans
}

/// So many traces of up to six spans, rarely many more, in any order and over random requests; some spans of them come late. One span
/// has no trace id.
pub fn random(random: &mut Rng, traces: usize) -> Pool {
    let places = places(random);
    let mut spans = Vec::new();
    let (mut id, mut ids) = (0, BTreeSet::new());
    while ids.len() < traces {
        id = trace_id(random, id);
        if ids.insert(id) {
            let count = if rarely(random, 100) { 70 } else { *one(random, &[1, 1, 1, 2, 2, 3, 4, 6]) };
            spans.extend(trace(random, &id.to_be_bytes(), count, &places));
        }
    }
    // Of several the Collector makes a trace.
    let none = vec![0; *one(random, &[0, 16])];
    spans.extend(trace(random, &none, 1, &places));
    random.shuffle(&mut spans);
    let mut pool = Pool::default();
    let tenth = spans.len() / 10;
    let late = spans.split_off(spans.len() - tenth);
    let between = spans.split_off(spans.len() - tenth);
    for (when, spans) in [(When::Early, spans), (When::Between, between), (When::Late, late)] {
        for spans in chunks(random, spans) {
            request(random, &mut pool, when, spans);
        }
    }
    pool
}

/// So many traces of up to six spans, each of which comes whole in one request, with up to `most - 1` others.
pub fn whole(random: &mut Rng, traces: usize, most: usize) -> Pool {
    let places = places(random);
    let mut pool = Pool::default();
    let mut left = traces;
    while left > 0 {
        let count = random.usize(1..=most).min(left);
        left -= count;
        let mut spans = Vec::new();
        for _ in 0..count {
            let (id, count) = (random.u128(1..).to_be_bytes(), *one(random, &[1, 1, 2, 3, 6]));
            spans.extend(trace(random, &id, count, &places));
        }
        random.shuffle(&mut spans);
        request(random, &mut pool, When::Early, spans);
    }
    pool
}

/// One request with `traces` traces of `spans` spans, all of the same size.
pub fn equal(random: &mut Rng, traces: usize, spans: usize) -> Pool {
    let mut pool = Pool::default();
    let place: Place = Default::default();
    let mut all = Vec::new();
    for _ in 0..traces {
        let trace_id = random.u128(1..).to_be_bytes().to_vec();
        for _ in 0..spans {
            let span_id = random.u64(1..).to_be_bytes().to_vec();
            let (start, end) = (BASE_NS, BASE_NS + 7_000_000);
            let span = Span {
                trace_id: trace_id.clone(),
                span_id,
                name: "equal".to_owned(),
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                ..Span::default()
            };
            all.push((place.clone(), span));
        }
    }
    let request;
    (request, pool.spans) = message(random, (0, When::Early), all, EQUAL);
    pool.requests.push((When::Early, request.encode_to_vec().into()));
    pool
}

fn chunks(random: &mut Rng, mut spans: Vec<(Place, Span)>) -> Vec<Vec<(Place, Span)>> {
    let mut chunks = Vec::new();
    while !spans.is_empty() {
        let rest = spans.split_off(spans.len().min(random.usize(1..200)));
        chunks.push(std::mem::replace(&mut spans, rest));
    }
    chunks
}

fn request(random: &mut Rng, pool: &mut Pool, when: When, mut spans: Vec<(Place, Span)>) {
    if random.bool() {
        // Sorted into their places, as SDKs do it; else as they come.
        spans.sort_by_cached_key(|(place, _)| format!("{place:?}"));
    }
    let first = pool.spans.len() as i64;
    let number = pool.requests.len();
    let (request, mut placed) = message(random, (number, when), spans, first);
    let mut bytes = request.encode_to_vec();
    if random.bool() {
        bytes = mangle(&bytes, random);
        placed.iter_mut().for_each(|placed| placed.unusual = true);
    }
    pool.spans.extend(placed);
    pool.requests.push((when, bytes.into()));
}

fn message(
    random: &mut Rng,
    (number, when): (usize, When),
    spans: Vec<(Place, Span)>,
    first: i64,
) -> (ExportTraceServiceRequest, Vec<Placed>) {
    let mut request = ExportTraceServiceRequest::default();
    let mut placed = Vec::new();
    let mut last: Option<Place> = None;
    for ((resource, resource_url, scope, scope_url), mut span) in spans {
        let uid = first + placed.len() as i64;
        span.attributes.push(int(UID, uid));
        let place = (resource.clone(), resource_url.clone(), scope.clone(), scope_url.clone());
        placed.push(Placed {
            uid,
            resource: resource.clone(),
            scope: scope.clone(),
            span: span.clone(),
            schemas: (resource_url.clone(), scope_url.clone()),
            request: number,
            when,
            unusual: false,
        });
        let same_resource = last.as_ref().is_some_and(|last| (&last.0, &last.1) == (&place.0, &place.1));
        let same_scope = same_resource && last.as_ref() == Some(&place);
        if !same_resource || rarely(random, 30) {
            let resource = Some(resource).filter(|resource| *resource != Resource::default() || random.bool());
            let new = ResourceSpans { resource, schema_url: resource_url, ..ResourceSpans::default() };
            request.resource_spans.push(new);
        }
        let scopes = &mut request.resource_spans.last_mut().expect("it was just added").scope_spans;
        if scopes.is_empty() || !same_scope || rarely(random, 30) {
            let scope = Some(scope).filter(|scope| *scope != InstrumentationScope::default() || random.bool());
            scopes.push(ScopeSpans { scope, schema_url: scope_url, ..ScopeSpans::default() });
        }
        scopes.last_mut().expect("it was just added").spans.push(span);
        last = Some(place);
    }
    (request, placed)
}
