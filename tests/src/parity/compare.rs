//! What came out of both, span by span.

use super::peers::Kind;
use super::traces::{Placed, Pool, UID, When};
use crate::wire::Arrival;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// A span that came out: how often, and everything about it.
#[derive(Clone, Debug)]
pub struct Out {
    /// How often it came.
    pub times: u32,
    /// It, its resource and its scope.
    pub content: (Resource, InstrumentationScope, Span),
    /// Schema URLs of resource and scope.
    pub schemas: (String, String),
}

/// What came out of a pipeline, by number.
pub type Outs = BTreeMap<i64, Out>;

/// Sorts what arrived by collector and case.
pub fn outs(arrivals: &[Arrival], kind: Kind) -> BTreeMap<usize, Outs> {
    let prefix = format!("/{}/c", kind.name());
    let mut all: BTreeMap<usize, Outs> = BTreeMap::new();
    for arrival in arrivals {
        let Some(case) = arrival.path.strip_prefix(&prefix) else { continue };
        let outs = all.entry(case.parse().expect("the number of a case")).or_default();
        let request = ExportTraceServiceRequest::decode(arrival.message.clone()).expect("OTLP came out");
        for resource in request.resource_spans {
            for scope in resource.scope_spans {
                for span in scope.spans {
                    let content =
                        (resource.resource.clone().unwrap_or_default(), scope.scope.clone().unwrap_or_default(), span);
                    let schemas = (resource.schema_url.clone(), scope.schema_url.clone());
                    let uid = uid(&content.2).expect("only what was sent comes out");
                    outs.entry(uid).or_insert(Out { times: 0, content, schemas }).times += 1;
                }
            }
        }
    }
    all
}

fn uid(span: &Span) -> Option<i64> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == UID)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// The same message with what is no difference taken out: absent and empty, and ids of zeros.
fn usual(content: &(Resource, InstrumentationScope, Span)) -> Vec<u8> {
    let (resource, mut scope, mut span) = content.clone();
    // Both write on the scope, in another order.
    scope.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    let zeros = |id: &mut Vec<u8>| {
        if id.iter().all(|byte| *byte == 0) {
            id.clear();
        }
    };
    zeros(&mut span.trace_id);
    zeros(&mut span.span_id);
    zeros(&mut span.parent_span_id);
    span.status = Some(span.status.take().unwrap_or_default());
    let mut bytes = resource.encode_length_delimited_to_vec();
    bytes.extend(scope.encode_length_delimited_to_vec());
    bytes.extend(span.encode_to_vec());
    bytes
}

/// What came out, without marks if those are not compared.
fn written(out: &Out, compared: Scope) -> Vec<u8> {
    let (resource, mut scope, mut span) = out.content.clone();
    if !compared.marks {
        span.trace_state.clear();
    }
    scope.attributes.retain(|attribute| compared.marks || !attribute.key.starts_with("tailsampling."));
    usual(&(resource, scope, span))
}

/// How the two differ about a case.
#[derive(Debug, Default)]
pub struct Difference {
    /// Traces that only the Collector kept, by their ids.
    pub only_otelcol: BTreeSet<Vec<u8>>,
    /// Traces that only Tailrace kept.
    pub only_tailrace: BTreeSet<Vec<u8>>,
    /// Spans that came out more than once, or otherwise than they went in: their traces, and what is wrong.
    pub spoiled: Vec<(Vec<u8>, String)>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.only_otelcol.is_empty() && self.only_tailrace.is_empty() && self.spoiled.is_empty()
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Spans come out as they went in; else both write the same on them.
    pub unchanged: bool,
    /// Spans that came no later than that.
    pub until: When,
    /// Also what says which policy kept them, and with which probability.
    pub marks: bool,
}

/// Compares what came out of a case.
pub fn compare(pool: &Pool, otelcol: &Outs, tailrace: &Outs, scope: Scope) -> Difference {
    let mut difference = Difference::default();
    for placed in pool.spans.iter().filter(|placed| placed.when <= scope.until) {
        let (theirs, ours) = (otelcol.get(&placed.uid), tailrace.get(&placed.uid));
        match (theirs, ours) {
            (Some(_), None) => _ = difference.only_otelcol.insert(placed.span.trace_id.clone()),
            (None, Some(_)) => _ = difference.only_tailrace.insert(placed.span.trace_id.clone()),
            _ => {}
        }
        let mut spoil = |what| difference.spoiled.push((placed.span.trace_id.clone(), what));
        let went_in = usual(&(placed.resource.clone(), placed.scope.clone(), placed.span.clone()));
        for (name, out) in [("otelcol", theirs), ("tailrace", ours)] {
            let Some(out) = out else { continue };
            if out.times != 1 {
                spoil(format!("span {} came {} times out of {name}", placed.uid, out.times));
            }
            if scope.unchanged && usual(&out.content) != went_in {
                spoil(format!("{name} changed {:#?}\nto {:#?}", placed.span, out.content));
            }
        }
        if let (false, Some(theirs), Some(ours)) = (scope.unchanged, theirs, ours)
            && written(theirs, scope) != written(ours, scope)
        {
            let text =
                |out: &Out| short(&format!("{:?} {:?} {:?}", out.content.2.trace_state, out.content.1, out.content.2));
            spoil(format!("otelcol made it {}\ntailrace        {}", text(theirs), text(ours)));
        }
        // The Collector forgets the schema URLs.
        if let Some(out) = ours
            && out.schemas != placed.schemas
        {
            spoil(format!("tailrace changed schemas {:?} to {:?}", placed.schemas, out.schemas));
        }
    }
    difference
}

/// Counts of equal traces that came out.
pub fn count(outs: &Outs) -> (usize, usize) {
    let traces: BTreeSet<_> = outs.values().map(|out| &out.content.2.trace_id).collect();
    (traces.len(), outs.len())
}

/// The smallest of some traces, in words.
pub fn smallest(pool: &Pool, traces: &BTreeSet<Vec<u8>>) -> String {
    let size =
        |placed: &&Placed| placed.span.encoded_len() + placed.resource.encoded_len() + placed.scope.encoded_len();
    let of = |id: &Vec<u8>| pool.spans.iter().filter(|placed| placed.span.trace_id == *id).collect::<Vec<_>>();
    let smallest = traces.iter().map(of).min_by_key(|spans| spans.iter().map(size).sum::<usize>());
    let mut text = String::new();
    for placed in smallest.unwrap_or_default() {
        let Placed { resource, scope, span, request, schemas, uid, .. } = placed;
        text += &format!("  in request {request}, span {uid}: {}\n", short(&format!("{span:?}")));
        text += &format!("    resource {} {:?}\n", short(&format!("{resource:?}")), schemas.0);
        text += &format!("    scope {} {:?}\n", short(&format!("{scope:?}")), schemas.1);
    }
    text
}

/// Without the words that say nothing.
pub fn short(debug: &str) -> String {
    let mut text = debug.to_owned();
    for word in [
        "Some(AnyValue { value: Some(",
        "KeyValue ",
        "value: ",
        ", key_strindex: 0",
        "_unix_nano",
        "StringValue",
        ", entity_refs: []",
    ] {
        text = text.replace(word, "");
    }
    text
}
