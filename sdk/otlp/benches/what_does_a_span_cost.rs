//! What does a span cost: to validate, to search, to edit, to copy?
//!
//! 1,000 spans of about 526 bytes with 12 attributes in 10 resources, all of one shape (`usual`) or with a random subset and
//! order of attributes of random lengths (`mixed`). Best and median of many rounds, hot, in ns per span.
//! `cargo bench -p tailrace-otlp`

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and stops if it is wrong"
)]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::hint::black_box;
use std::time::Instant;
use tailrace_otlp::{
    Bound, Edits, Index, KeySet, Limits, Signal, SpanSummary, contains_any, find, merge, select, split, validate,
    validate_by_walk, validate_into,
};

const SPANS: usize = 1_000;
const ROUNDS: usize = 200;

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.into()))
}

fn batch(mixed: bool) -> Vec<u8> {
    let mut random = Random(7);
    let span = |i: usize, random: &mut Random| {
        let mut attributes = vec![
            text("http.request.method", "GET"),
            text("url.path", "/api/products/0PUK6V6EV0/reviews"),
            text("url.scheme", "http"),
            text("server.address", "frontend.shop.svc"),
            attribute("server.port", Any::IntValue(8_080)),
            attribute("http.response.status_code", Any::IntValue(200)),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            attribute("retry", Any::BoolValue(false)),
            text("thread.name", "worker-17"),
            attribute("thread.id", Any::IntValue(17)),
            text("peer.service", "catalogue"),
        ];
        if mixed {
            for i in (1..attributes.len()).rev() {
                attributes.swap(i, random.below(i as u64 + 1) as usize);
            }
            attributes.truncate(9 + random.below(4) as usize);
            for key in ["db.statement", "enduser.id", "message.id"] {
                attributes.push(text(key, &"x".repeat(random.below(60) as usize)));
            }
        }
        if i.is_multiple_of(4) {
            attributes[3] = text("user.email", "someone@example.com");
        }
        Span {
            trace_id: (0..16).map(|_| random.below(256) as u8).collect(),
            span_id: (0..8).map(|_| random.below(256) as u8).collect(),
            parent_span_id: (0..8).map(|_| random.below(256) as u8).collect(),
            name: "GET /api/products/{id}".into(),
            kind: 2,
            start_time_unix_nano: 1_795_389_315_394_272_513,
            end_time_unix_nano: 1_795_389_315_394_972_513,
            attributes,
            status: i.is_multiple_of(10).then(|| Status { message: String::new(), code: 2 }),
            flags: 257,
            ..Span::default()
        }
    };
    let resource = |r: usize, random: &mut Random| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", &format!("service-{r}")), text("host.name", "node-1")],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope { name: "shop".into(), ..InstrumentationScope::default() }),
            spans: (0..SPANS / 10).map(|i| span(i, random)).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest { resource_spans: (0..10).map(|r| resource(r, &mut random)).collect() }.encode_to_vec()
}

fn row(name: &str, mut run: impl FnMut()) {
    let mut times: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..5 {
            run();
        }
        times.push(start.elapsed().as_nanos() as f64 / (5 * SPANS) as f64);
    }
    times.sort_by(f64::total_cmp);
    println!("{name:<34} {:>7.1} | {:>7.1}", times[0], times[ROUNDS / 2]);
}

fn main() {
    for mixed in [false, true] {
        let data = batch(mixed);
        let limits = Limits::default();
        let index = validate(Signal::Traces, &data, &limits).expect("a valid batch");
        let mut reused = Index::default();
        let name = if mixed { "mixed" } else { "usual" };
        println!("{name}: {} bytes a span; ns per span, best | median", data.len() / SPANS);
        row("validate", || {
            validate_into(Signal::Traces, black_box(&data), &limits, &mut reused).expect("valid");
        });
        row("validate, general walker alone", || {
            validate_by_walk(Signal::Traces, black_box(&data), &limits, &mut reused).expect("valid");
        });
        row("prost decode and drop", || {
            black_box(ExportTraceServiceRequest::decode(black_box(&data[..])).expect("valid"));
        });
        row("summary of every span", || {
            for item in &index.items {
                black_box(SpanSummary::new(&black_box(&data)[item.range()]));
            }
        });
        let one = KeySet::exact(["user.email"]);
        let absent = KeySet::exact(["user.phone"]);
        let eight = KeySet::exact(["a.a", "b.bb", "user.phone", "d.dddd", "e.eeeee", "f.ffffff", "g.ggggggg", "h"]);
        row("contains_any, one absent key", || {
            assert!(!contains_any(Signal::Traces, black_box(&data), &index, &absent));
        });
        row("contains_any, eight absent keys", || {
            assert!(!contains_any(Signal::Traces, black_box(&data), &index, &eight));
        });
        row("find one key, 25 %", || {
            let mut count = 0;
            find(Signal::Traces, black_box(&data), &index, &one, |_| count += 1);
            black_box(count);
        });
        row("find and remove, 25 %", || {
            let mut edits = Edits::new();
            find(Signal::Traces, black_box(&data), &index, &one, |found| {
                edits.remove_found(found.target, found.record);
            });
            black_box(edits.apply(Signal::Traces, &data, &index).expect("small"));
        });
        row("set one attribute of every span", || {
            let mut edits = Edits::new();
            for item in 0..index.items.len() {
                edits.set(tailrace_otlp::Target::Item(item as u32), "retry", true);
            }
            black_box(edits.apply(Signal::Traces, black_box(&data), &index).expect("small"));
        });
        row("copy", || {
            black_box(black_box(&data).clone());
        });
        row("merge of two", || {
            black_box(merge([(&data[..], &index), (&data[..], &index)]).expect("small"));
        });
        row("split by 128 items", || {
            split(Signal::Traces, black_box(&data), &index, Bound::Items(128)).for_each(|part| {
                black_box(part);
            });
        });
        row("split by 64 KiB", || {
            split(Signal::Traces, black_box(&data), &index, Bound::Bytes(64 << 10)).for_each(|part| {
                black_box(part);
            });
        });
        row("select every second", || {
            black_box(select(Signal::Traces, black_box(&data), &index, |item| item % 2 == 0).expect("small"));
        });
    }
}
