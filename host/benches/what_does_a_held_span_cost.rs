//! What does a span cost in `tail_sampling`, in time and in memory?
//!
//! Requests of 1,000 spans of about 526 bytes from 10 resources, ten spans a trace, new ids each time, one shard, one thread; a paused
//! clock at 30 requests a second; the article's three policies, a wait of 5 seconds. *Adjacent*: a trace's spans side by
//! side. *Interleaved*: one span in each of ten resources, spread over 2.7 seconds. Printed are nanoseconds per span for taking
//! (`consume`) and for everything that ticks do (decisions, releases, compaction), and resident bytes per byte of
//! spans held at the end of the run.
//!
//! `cargo bench -p tailrace --bench what_does_a_held_span_cost`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tailrace::component::{BoxFuture, ComponentId, ConsumeError, Consumer, Context, Processor};
use tailrace::pdata::{Batch, Limits, Signal};
use tailrace::processors::tail_sampling::FACTORY;
use tailrace::telemetry::Telemetry;
use tailrace::workers::Workers;
use tailrace::yaml::{Problems, Section, parse};

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

#[derive(Default)]
struct Sink(AtomicU64);

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.fetch_add(batch.items() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }
}

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

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn run(name: &str, make: fn(u64) -> Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let telemetry = Telemetry::new();
        let context = Context {
            id: ComponentId::of_kind("tail_sampling"),
            pipeline: None,
            signal: Some(Signal::Traces),
            account: telemetry.ledger().open("processor:tail_sampling", Some(Signal::Traces)),
            telemetry: telemetry.clone(),
            workers: Workers::current(),
        };
        let mut problems = Problems::default();
        let node = parse("bench", SECTION, &mut problems).unwrap();
        let config = (FACTORY.parse)(&Section { path: "", node: &node }, &mut problems).expect("the section is right");
        let sink = Arc::new(Sink::default());
        let stage: Arc<dyn Processor> = config.build(context.clone(), sink.clone()).unwrap();
        stage.start().await.unwrap();
        let start = resident();
        let warm = RATE * WAIT_SECONDS * 2;
        let measured = 300;
        let (mut taking, mut ticking) = (Duration::ZERO, Duration::ZERO);
        let (mut ratio_sum, mut ratios) = (0.0, 0);
        let mut size = 0;
        for number in 0..warm + measured {
            let data = make(number);
            size = data.len() / SPANS;
            let batch = Batch::validate(Signal::Traces, data.into(), &Limits::default()).unwrap();
            let clock = Instant::now();
            stage.consume(batch).await.unwrap();
            let took = clock.elapsed();
            let clock = Instant::now();
            tokio::time::sleep(Duration::from_micros(1_000_000 / RATE)).await;
            let ticked = clock.elapsed();
            if number >= warm {
                taking += took;
                ticking += ticked;
                let held = context.account.held().get() as f64 * size as f64;
                ratio_sum += (resident().saturating_sub(start)) as f64 / held;
                ratios += 1;
            }
        }
        let spans = measured as f64 * SPANS as f64;
        let nanos = |time: Duration| time.as_nanos() as f64 / spans;
        println!(
            "{name:12} {size} B a span: take {:5.0} ns, ticks {:5.0} ns, together {:5.0} ns; resident per byte held {:.2}; {:.0} % kept",
            nanos(taking),
            nanos(ticking),
            nanos(taking + ticking),
            ratio_sum / f64::from(ratios),
            sink.0.load(Ordering::Relaxed) as f64 * 100.0 / ((warm + measured - RATE * WAIT_SECONDS) as f64 * SPANS as f64),
        );
        stage.shutdown(tailrace::shutdown::Deadline::after(Duration::from_secs(60))).await;
    });
}

fn main() {
    // Under `cargo test` there is nothing to measure.
    if std::env::args().any(|arg| arg == "--test") {
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
