//! Requests for the benches of `tail_sampling`: many alike, with new ids each.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use crate::tail::field;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Spans of a request.
pub const SPANS: u64 = 1_000;

/// What they are like.
#[derive(Clone, Copy)]
pub struct Flow {
    /// Of a span with tag and length.
    pub span_bytes: usize,
    pub spans_per_trace: u64,
    /// Requests between two spans of a trace; 0 is side by side in one request.
    pub apart: u64,
    pub resources: u64,
    pub resource_bytes: usize,
}

impl Flow {
    pub const fn new(span_bytes: usize, spans_per_trace: u64, apart: u64) -> Self {
        Self { span_bytes, spans_per_trace, apart, resources: 10, resource_bytes: 400 }
    }
}

fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Makes requests out of one encoded span, by putting in ids.
pub struct Generator {
    flow: Flow,
    span: Vec<u8>,
    trace_id_at: usize,
    resources: Vec<Vec<u8>>,
    scope: Vec<u8>,
}

impl Generator {
    pub fn new(flow: Flow) -> Self {
        let span = |ballast: usize| Span {
            trace_id: vec![0xa7; 16],
            span_id: vec![0xb9; 8],
            parent_span_id: vec![1; 8],
            name: "lets-go".to_owned(),
            kind: 3,
            start_time_unix_nano: 1_700_000_000_000_000_000,
            end_time_unix_nano: 1_700_000_000_020_000_000,
            attributes: vec![text("peer.service", "x".repeat(ballast))],
            ..Span::default()
        };
        let mut ballast = flow.span_bytes;
        while record_len(&span(ballast)) > flow.span_bytes {
            ballast -= 1;
        }
        let span = span(ballast).encode_to_vec();
        let resource = |number: u64| {
            let name = text("service.name", format!("service-{number:03}"));
            let ballast = text("k8s.pod.labels", "x".repeat(flow.resource_bytes - 40));
            let mut fields = Vec::new();
            let resource = Resource { attributes: vec![name, ballast], ..Resource::default() };
            field(&mut fields, 0x0a, &resource.encode_to_vec());
            fields
        };
        let scope = InstrumentationScope { name: "io.opentelemetry.http".into(), ..Default::default() };
        let mut fields = Vec::new();
        field(&mut fields, 0x0a, &scope.encode_to_vec());
        let trace_id_at = span.windows(16).position(|window| window == [0xa7; 16]).unwrap();
        Self { flow, span, trace_id_at, resources: (0..flow.resources).map(resource).collect(), scope: fields }
    }

    /// Trace and number of span `at` of a request.
    fn which(&self, request: u64, at: u64) -> (u64, u64) {
        let Flow { spans_per_trace: each, apart, .. } = self.flow;
        if apart == 0 {
            return (request * (SPANS / each) + at / each, at % each);
        }
        // Each request has one span of traces that began `apart` requests before those of the next number.
        let (number, trace) = (at % each, at / each);
        ((request + (each - number) * apart) * (SPANS / each) + trace, number)
    }

    pub fn request(&self, request: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let resources = self.flow.resources.min(SPANS / self.flow.spans_per_trace);
        let per_resource = SPANS / resources;
        let mut span = self.span.clone();
        for group in 0..resources {
            let resource = &self.resources[((request * resources + group) % self.flow.resources) as usize];
            let mut scope = self.scope.clone();
            for at in group * per_resource..(group + 1) * per_resource {
                let (trace, number) = self.which(request, at);
                let id = mix(trace + 1);
                span[self.trace_id_at..self.trace_id_at + 8].copy_from_slice(&id.to_le_bytes());
                span[self.trace_id_at + 8..self.trace_id_at + 16].copy_from_slice(&mix(id).to_le_bytes());
                span[self.trace_id_at + 18..self.trace_id_at + 26].copy_from_slice(&(id ^ (number + 1)).to_le_bytes());
                field(&mut scope, 0x12, &span);
            }
            let mut fields = resource.clone();
            field(&mut fields, 0x12, &scope);
            field(&mut out, 0x0a, &fields);
        }
        out
    }
}

/// Length of a span with tag and length.
fn record_len(span: &Span) -> usize {
    let len = span.encoded_len();
    1 + prost::encoding::encoded_len_varint(len as u64) + len
}
