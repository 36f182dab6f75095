//! What does a span cost in `tail_sampling`, in time and in memory?
//!
//! Requests of 1,000 spans of about 526 bytes from 10 resources, ten spans a trace, new ids each time, one shard, one thread; a paused
//! clock at 30 requests a second; the article's three policies, a wait of 5 seconds. *Adjacent*: a trace's spans side by
//! side. *Interleaved*: one span in each of ten resources, spread over 2.7 seconds. Printed are nanoseconds of processor time per span for taking
//! (`consume`) and for everything that ticks do (decisions, releases, compaction), and per byte of spans held the
//! resident bytes (the decision cache and what the generator needs included) and the bytes of segments.
//!
//! `cargo bench -p tailrace --bench what_does_a_held_span_cost`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "support/tail.rs"]
mod tail;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tail::{Sink, Stage, cpu, resident};

const SPANS: usize = 1_000;
const RESOURCES: usize = 10;
/// Requests a second of virtual time.
const RATE: u64 = 30;
const WAIT_SECONDS: u64 = 5;
/// Over how many requests an interleaved trace is spread: 2.7 seconds.
const SPREAD: u64 = 81;
const SECTION: &str = "
decision_wait: 5s
num_traces: 1000000
num_shards: 1
max_memory_mib: 4096
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: slow, type: latency, latency: {threshold_ms: 1000}}
- {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
";

fn text(key: &str, value: String) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
        ..KeyValue::default()
    }
}

fn trace_id(trace: u64) -> Vec<u8> {
    let mix = |x: u64| (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (x >> 7);
    [mix(trace.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes(), mix(trace + 7).to_le_bytes()].concat()
}

fn span(trace: u64, number: u64) -> Span {
    let start = 1_700_000_000_000_000_000 + trace * 1_000_000;
    let slow = trace.is_multiple_of(20) && number == 0;
    let error = trace % 20 == 7 && number == 3;
    Span {
        trace_id: trace_id(trace),
        span_id: (trace * 100 + number + 1).to_le_bytes().to_vec(),
        parent_span_id: if number == 0 { Vec::new() } else { (trace * 100 + 1).to_le_bytes().to_vec() },
        name: "GET /api/v1/orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + if slow { 1_500_000_000 } else { 20_000_000 },
        attributes: (0..9)
            .map(|i| text(&format!("http.request.attr{i}"), format!("a value of usual size {}", trace % 97 + i)))
            .collect(),
        status: error.then(|| Status { code: 2, ..Status::default() }),
        ..Span::default()
    }
}

fn request(spans: impl Fn(usize, usize) -> Span) -> Vec<u8> {
    let resource = |r: usize| ResourceSpans {
        resource: Some(Resource {
            attributes: (0..8)
                .map(|i| text(&format!("k8s.resource.attribute{i}"), format!("service-{r}-{i}")))
                .collect(),
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "io.opentelemetry.http".into(),
                version: "1.2.3".into(),
                ..Default::default()
            }),
            spans: (0..SPANS / RESOURCES).map(|i| spans(r, i)).collect(),
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    TracesData { resource_spans: (0..RESOURCES).map(resource).collect() }.encode_to_vec()
}

fn adjacent(number: u64) -> Vec<u8> {
    let traces = (SPANS / 10) as u64;
    request(|r, i| span(number * traces + (r * SPANS / RESOURCES / 10 + i / 10) as u64, (i % 10) as u64))
}

/// Request `number` holds, in resource `r`, span `r` of traces that began `r * SPREAD / 10` requests ago.
fn interleaved(number: u64) -> Vec<u8> {
    let traces = (SPANS / 10) as u64;
    request(|r, i| span((number + SPREAD - r as u64 * SPREAD / 10) * traces + i as u64, r as u64))
}

fn run(name: &str, make: fn(u64) -> Vec<u8>) {
    tail::under_a_paused_clock(async {
        let sink = Arc::new(Sink::default());
        let stage = Stage::start(SECTION, sink.clone()).await;
        let start = resident();
        let warm = RATE * WAIT_SECONDS * 2;
        let measured = 300;
        let (mut taking, mut ticking) = (Duration::ZERO, Duration::ZERO);
        let (mut resident_ratio, mut segment_ratio) = (0.0, 0.0);
        let mut size = 0;
        for number in 0..warm + measured {
            let data = make(number);
            size = data.len() / SPANS;
            let batch = tail::validated(data);
            let clock = cpu();
            stage.take(batch).await.expect("there is room");
            let took = cpu() - clock;
            let clock = cpu();
            tokio::time::sleep(Duration::from_micros(1_000_000 / RATE)).await;
            let ticked = cpu() - clock;
            if number >= warm {
                taking += took;
                ticking += ticked;
                let held = stage.held() as f64 * size as f64;
                resident_ratio += resident().saturating_sub(start) as f64 / held / measured as f64;
                segment_ratio += stage.counted() as f64 / held / measured as f64;
            }
        }
        let spans = measured as f64 * SPANS as f64;
        let nanos = |time: Duration| time.as_nanos() as f64 / spans;
        println!(
            "{name:12} {size} B a span: take {:5.0} ns, ticks {:5.0} ns, together {:5.0} ns; per byte held {resident_ratio:.2} resident, {segment_ratio:.2} in segments; {:.0} % kept",
            nanos(taking),
            nanos(ticking),
            nanos(taking + ticking),
            sink.taken() as f64 * 100.0 / ((warm + measured - RATE * WAIT_SECONDS) as f64 * SPANS as f64),
        );
        stage.shutdown(Duration::from_secs(60)).await;
    });
}

fn main() {
    if !tail::measures() {
        return;
    }
    match std::env::args().nth(1).as_deref() {
        Some("adjacent") => run("adjacent", adjacent),
        Some("interleaved") => run("interleaved", interleaved),
        _ => {
            run("adjacent", adjacent);
            run("interleaved", interleaved);
        }
    }
}
