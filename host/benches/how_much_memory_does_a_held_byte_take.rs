//! How much memory does `tail_sampling` take for each byte of spans that it holds?
//!
//! Each case runs in a process of its own, single-threaded, with a paused clock, one shard, three policies. *Pending*: so many
//! traces are put in and none is decided; printed are the resident bytes that came on top, and the bytes that the processor
//! counts against `max_memory_mib`, both per encoded byte of span held (with tag and length, without resources and scopes),
//! and what is resident once everything was decided. *Steady*: a wait of 5 seconds, requests all the time, nine of ten traces
//! dropped; the mean over the last half, with a decision cache of 100,000 ids, 2 MiB. Spans have 583 bytes as those of a usual service, or 130 as those
//! of a generator.
//!
//! - *single*: one span a trace. *adjacent*: the spans of a trace side by side. *apart*: each in another request.
//! - *resources*: 200 resources of a kilobyte each, as many as a gateway of a cluster sees. *giant*: one of 256 KiB.
//!
//! `cargo bench --workspace --bench how_much_memory_does_a_held_byte_take [-- CASE...]`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tailrace::component::{BoxFuture, ComponentId, ConsumeError, Consumer, Context, Processor};
use tailrace::pdata::{Batch, Limits, Signal};
use tailrace::processors::tail_sampling::FACTORY;
use tailrace::telemetry::Telemetry;
use tailrace::workers::Workers;
use tailrace::yaml::{Problems, Section, parse};

/// Spans of a request.
const SPANS: u64 = 1_000;
/// Requests a second of virtual time.
const RATE: u64 = 60;

struct Case {
    name: &'static str,
    span_bytes: usize,
    spans_per_trace: u64,
    /// Requests between two spans of a trace; 0 is side by side in one request.
    apart: u64,
    resources: u64,
    resource_bytes: usize,
    /// Bytes of spans that are put in, or `None` for a steady flow.
    fill: Option<usize>,
}

const fn case(name: &'static str, span_bytes: usize, spans_per_trace: u64, apart: u64, fill: Option<usize>) -> Case {
    Case { name, span_bytes, spans_per_trace, apart, resources: 10, resource_bytes: 400, fill }
}

const CASES: &[Case] = &[
    case("pending-single", 583, 1, 0, Some(583_000_000)),
    case("pending-adjacent", 583, 10, 0, Some(583_000_000)),
    case("pending-apart", 583, 10, 9, Some(583_000_000)),
    Case { resources: 200, resource_bytes: 1000, ..case("pending-resources", 583, 10, 9, Some(583_000_000)) },
    case("pending-tiny", 130, 2, 0, Some(260_000_000)),
    case("pending-tiny-apart", 130, 2, 9, Some(260_000_000)),
    Case { resources: 1, resource_bytes: 256 << 10, ..case("pending-giant", 583, 1, 0, Some(58_300_000)) },
    case("steady-adjacent", 583, 10, 0, None),
    case("steady-apart", 583, 10, 18, None),
    Case { resources: 200, resource_bytes: 1000, ..case("steady-resources", 583, 10, 18, None) },
    case("steady-tiny", 130, 2, 0, None),
    case("steady-tiny-apart", 130, 2, 80, None),
];

struct Sink;

impl Consumer for Sink {
    fn consume(&self, _: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(std::future::ready(Ok(())))
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

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Makes requests out of one encoded span, by putting in ids.
struct Generator {
    case: &'static Case,
    span: Vec<u8>,
    trace_id_at: usize,
    resources: Vec<Vec<u8>>,
    scope: Vec<u8>,
}

impl Generator {
    fn new(case: &'static Case) -> Self {
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
        let mut ballast = case.span_bytes;
        while record_len(&span(ballast)) > case.span_bytes {
            ballast -= 1;
        }
        let span = span(ballast).encode_to_vec();
        let resource = |number: u64| {
            let name = text("service.name", format!("service-{number:03}"));
            let ballast = text("k8s.pod.labels", "x".repeat(case.resource_bytes - 40));
            let mut fields = Vec::new();
            let resource = Resource { attributes: vec![name, ballast], ..Resource::default() };
            field(&mut fields, 0x0a, &resource.encode_to_vec());
            fields
        };
        let scope = InstrumentationScope { name: "io.opentelemetry.http".into(), ..Default::default() };
        let mut fields = Vec::new();
        field(&mut fields, 0x0a, &scope.encode_to_vec());
        let trace_id_at = span.windows(16).position(|window| window == [0xa7; 16]).unwrap();
        Self { case, span, trace_id_at, resources: (0..case.resources).map(resource).collect(), scope: fields }
    }

    /// Trace and number of span `at` of a request.
    fn which(&self, request: u64, at: u64) -> (u64, u64) {
        let Case { spans_per_trace: each, apart, .. } = *self.case;
        if apart == 0 {
            return (request * (SPANS / each) + at / each, at % each);
        }
        // Each request has one span of traces that began `apart` requests before those of the next number.
        let (number, trace) = (at % each, at / each);
        ((request + (each - number) * apart) * (SPANS / each) + trace, number)
    }

    fn request(&self, request: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let resources = self.case.resources.min(SPANS / self.case.spans_per_trace);
        let per_resource = SPANS / resources;
        let mut span = self.span.clone();
        for group in 0..resources {
            let resource = &self.resources[((request * resources + group) % self.case.resources) as usize];
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

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

fn run(case: &'static Case) {
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
        let wait = if case.fill.is_some() { 3600 } else { 5 };
        let section = format!(
            "{{decision_wait: {wait}s, num_traces: 4000000, num_shards: 1, max_memory_mib: 4096,
              decision_cache: {{sampled_cache_size: 50000, non_sampled_cache_size: 50000}}, policies: [
              {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}},
              {{name: slow, type: latency, latency: {{threshold_ms: 1000}}}},
              {{name: some, type: probabilistic, probabilistic: {{sampling_percentage: 10}}}}]}}"
        );
        let mut problems = Problems::default();
        let node = parse("bench", &section, &mut problems).unwrap();
        let config = (FACTORY.parse)(&Section { path: "", node: &node }, &mut problems).expect("the section is right");
        let stage: Arc<dyn Processor> = config.build(context.clone(), Arc::new(Sink)).unwrap();
        stage.start().await.unwrap();
        let generator = Generator::new(case);
        let start = resident();
        let held = || context.account.held().get() as f64 * case.span_bytes as f64;
        let counted = || telemetry.metrics().total("tailrace_tail_sampling_segment_bytes", &[]);
        let put = async |number: u64| {
            let batch = Batch::validate(Signal::Traces, generator.request(number).into(), &Limits::default()).unwrap();
            stage.consume(batch).await.unwrap();
            tokio::time::sleep(Duration::from_micros(1_000_000 / RATE)).await;
        };
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        if let Some(bytes) = case.fill {
            for number in 0..(bytes / case.span_bytes) as u64 / SPANS {
                put(number).await;
            }
            let (held, counted, resident_then) = (held(), counted(), resident() - start);
            let traces = telemetry.metrics().total("otelcol_processor_tail_sampling_sampling_traces_on_memory", &[]);
            tokio::time::sleep(Duration::from_secs(4000)).await;
            println!(
                "{:20} {:4.0} MiB in {:7} traces: per byte {:.3} resident, {:.3} counted; afterwards {:.0} of {:.0} MiB",
                case.name,
                mib(held),
                traces,
                resident_then / held,
                counted / held,
                mib(resident() - start),
                mib(resident_then),
            );
        } else {
            let (mut shares, mut held_bytes, mut peak) = ([0.0, 0.0], 0.0, 0.0_f64);
            let (warm, measured) = (RATE * 15, RATE * 15);
            for number in 0..warm + measured {
                put(number).await;
                if number >= warm {
                    shares[0] += (resident() - start) / held() / measured as f64;
                    shares[1] += counted() / held() / measured as f64;
                    held_bytes += held() / measured as f64;
                    peak = peak.max(resident() - start);
                }
            }
            println!(
                "{:20} {:4.0} MiB: per byte {:.3} resident (at most {:.3} of the mean), {:.3} counted",
                case.name,
                mib(held_bytes),
                shares[0],
                peak / held_bytes,
                shares[1],
            );
        }
        stage.shutdown(tailrace::shutdown::Deadline::after(Duration::from_secs(60))).await;
    });
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let [only] = wanted.as_slice()
        && std::env::var_os("CASE_IS_HERE").is_some()
    {
        return run(CASES.iter().find(|case| case.name == only).expect("one of the cases"));
    }
    // Under `cargo test` there is nothing to measure.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.name)) {
        let itself = std::env::current_exe().unwrap();
        let status = Command::new(itself).arg(case.name).env("CASE_IS_HERE", "1").status().unwrap();
        assert!(status.success(), "{}", case.name);
    }
}
