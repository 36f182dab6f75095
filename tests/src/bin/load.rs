//! The load harness: a pre-encoding sender and a counting sink, cheap enough to share one core.
//!
//! ```sh
//! load sink 127.0.0.1:5317 &
//! taskset -c 0 tailrace --config ... --workers 1 &
//! taskset -c 1 load send 127.0.0.1:4317 --rate 50000 --seconds 5 --pid $!
//! ```
//! `send` prints the CPU time of the process `--pid` over the spans that it acknowledged. Requests hold 1,000 spans of
//! about 526 bytes: 12 attributes, 10 resources, 10 spans a trace, an event in every tenth span, `user.email` on every
//! fourth, one trace in twenty with an ERROR and one in twenty of 2 s. Ids are new in every request.

use bytes::{Bytes, BytesMut};
use clap::{Parser, Subcommand};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tailrace_tests::{pulse, sink};
use tokio::net::TcpListener;

const SPANS: usize = 1000;

#[derive(Parser)]
enum Cli {
    #[command(flatten)]
    Do(Do),
}

#[derive(Subcommand)]
enum Do {
    /// Answer every export with success and count bytes
    Sink {
        /// Where to listen
        address: SocketAddr,
        /// Wait so long before each answer, in milliseconds
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
    },
    /// Send at a steady rate and report the cost
    Send {
        /// The collector
        target: SocketAddr,
        /// Spans a second; 0 is as fast as it goes
        #[arg(long, default_value_t = 50_000)]
        rate: u64,
        /// Measured time
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Time before it
        #[arg(long, default_value_t = 3)]
        warm_up: u64,
        /// Requests in flight at most
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
        /// The process to measure
        #[arg(long)]
        pid: Option<u32>,
    },
}

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Cli::Do(work) = Cli::parse();
    match work {
        Do::Sink { address, delay_ms } => {
            let listener = TcpListener::bind(address).await?;
            Ok(sink::serve(listener, Duration::from_millis(delay_ms)).await?)
        }
        Do::Send { target, rate, seconds, warm_up, in_flight, pid } => {
            let times = (Duration::from_secs(warm_up), Duration::from_secs(seconds));
            send(target, rate, times, in_flight, pid).await
        }
    }
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    latency_us: std::sync::Mutex<Vec<u64>>,
}

async fn send(
    target: SocketAddr,
    rate: u64,
    (warm_up, measured): (Duration, Duration),
    in_flight: usize,
    pid: Option<u32>,
) -> Result<(), Failure> {
    let mut template = Template::new();
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(pulse::connect(target).await?);
    }
    let counts = Arc::new(Counts::default());
    let places = Arc::new(tokio::sync::Semaphore::new(in_flight));
    let period = if rate == 0 { Duration::ZERO } else { Duration::from_secs_f64(SPANS as f64 / rate as f64) };
    let begin = Instant::now();
    let (mut next, mut turn) = (begin, 0_usize);
    let mut mark = None;
    while begin.elapsed() < warm_up + measured {
        if mark.is_none() && begin.elapsed() >= warm_up {
            mark = Some(snapshot(&counts, pid));
            counts.latency_us.lock().map_err(|_| "poisoned")?.clear();
        }
        tokio::time::sleep_until(next.into()).await;
        next += period;
        let place = Arc::clone(&places).acquire_owned().await?;
        let body = template.next_request();
        turn += 1;
        let Some(sender) = senders.get(turn % 4) else { break };
        let (mut sender, counts) = (sender.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            let start = Instant::now();
            let accepted = pulse::export(&mut sender, body).await.unwrap_or(false);
            drop(place);
            let side = if accepted { &counts.accepted } else { &counts.refused };
            side.fetch_add(SPANS as u64, Relaxed);
            if let Ok(mut latency) = counts.latency_us.lock() {
                latency.push(start.elapsed().as_micros() as u64);
            }
        });
    }
    let (end, start) = (snapshot(&counts, pid), mark.ok_or("the warm-up never ended")?);
    let accepted = end.accepted - start.accepted;
    let seconds = (end.at - start.at).as_secs_f64();
    let mut latency = counts.latency_us.lock().map_err(|_| "poisoned")?.clone();
    latency.sort_unstable();
    let quantile = |q: f64| latency.get((latency.len() as f64 * q) as usize).map_or(0.0, |us| *us as f64 / 1000.0);
    println!(
        "accepted {:.0}/s refused {:.0}/s p50 {:.1} ms p99 {:.1} ms",
        accepted as f64 / seconds,
        (end.refused - start.refused) as f64 / seconds,
        quantile(0.5),
        quantile(0.99)
    );
    if let (Some(a), Some(b)) = (start.cpu_seconds, end.cpu_seconds) {
        println!("cpu {:.3} core-s per million accepted spans", (b - a) * 1e6 / accepted as f64);
    }
    if let Some(pid) = pid {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        status
            .lines()
            .filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
            .for_each(|line| println!("{line}"));
    }
    Ok(())
}

struct Snapshot {
    at: Instant,
    accepted: u64,
    refused: u64,
    cpu_seconds: Option<f64>,
}

fn snapshot(counts: &Counts, pid: Option<u32>) -> Snapshot {
    Snapshot {
        at: Instant::now(),
        accepted: counts.accepted.load(Relaxed),
        refused: counts.refused.load(Relaxed),
        cpu_seconds: pid.and_then(cpu_seconds),
    }
}

fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

/// One encoded request, and where its ids are.
struct Template {
    frame: BytesMut,
    trace_ids: Vec<usize>,
    span_ids: Vec<usize>,
    next: u64,
}

impl Template {
    fn new() -> Self {
        let frame = BytesMut::from(pulse::framed(&request()));
        // Span: field 1 of 16 bytes, then field 2 of 8; the fill bytes below occur nowhere else.
        let find = |pattern: &[u8]| -> Vec<usize> {
            frame.windows(pattern.len()).enumerate().filter(|(_, w)| *w == pattern).map(|(at, _)| at + 2).collect()
        };
        let trace_ids = find(&[&[0x0a, 16][..], &[0xa7; 16]].concat());
        let span_ids = find(&[&[0x12, 8][..], &[0xb9; 8]].concat());
        assert_eq!((trace_ids.len(), span_ids.len()), (SPANS, SPANS));
        println!("{} bytes a span", frame.len() / SPANS);
        Self { frame, trace_ids, span_ids, next: u64::from(std::process::id()) << 32 }
    }

    fn next_request(&mut self) -> Bytes {
        for (i, (trace, span)) in self.trace_ids.iter().zip(&self.span_ids).enumerate() {
            if i % 10 == 0 {
                self.next += 1;
            }
            let id = mix(self.next);
            if let Some(place) = self.frame.get_mut(*trace..*trace + 16) {
                place[..8].copy_from_slice(&id.to_be_bytes());
                place[8..].copy_from_slice(&mix(id).to_be_bytes());
            }
            if let Some(place) = self.frame.get_mut(*span..*span + 8) {
                place.copy_from_slice(&mix(id ^ (i as u64 + 1)).to_be_bytes());
            }
        }
        Bytes::copy_from_slice(&self.frame)
    }
}

/// SplitMix64's finaliser: ids that look random and never repeat.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn request() -> ExportTraceServiceRequest {
    let resource_spans = (0..10).map(|service| {
        let resource = Resource {
            attributes: vec![
                text("service.name", &format!("service-{service}")),
                text("service.version", "1.14.2"),
                text("k8s.pod.name", &format!("service-{service}-6f7c9d8b5-x2x{service}q")),
                text("deployment.environment.name", "production"),
            ],
            ..Resource::default()
        };
        let spans = (0..100).map(|i| span(service * 100 + i)).collect();
        let scope = InstrumentationScope { name: "load".into(), version: "1.0".into(), ..Default::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
        ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

fn span(i: usize) -> Span {
    let trace = i / 10;
    let start = 1_760_000_000_000_000_000 + i as u64 * 1000;
    let duration = if trace % 20 == 3 { 2_000_000_000 } else { 40_000_000 };
    let mut attributes = vec![
        text("http.request.method", "GET"),
        text("url.path", &format!("/api/v1/carts/{i}/items")),
        text("url.scheme", "https"),
        text("server.address", "shop.example.com"),
        number("server.port", 443),
        number("http.response.status_code", 200),
        text("network.protocol.version", "1.1"),
        text("client.address", "203.0.113.77"),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/143.0"),
        text("http.route", "/api/v1/carts/{id}/items"),
        number("thread.id", 17),
    ];
    attributes.push(match i % 4 {
        0 => text("user.email", "jane.doe@example.com"),
        _ => text("enduser.scope", "read:carts write:carts"),
    });
    let event = Event { time_unix_nano: start, name: "cache.miss".into(), ..Default::default() };
    Span {
        trace_id: vec![0xa7; 16],
        span_id: vec![0xb9; 8],
        parent_span_id: if i.is_multiple_of(10) { vec![] } else { vec![1; 8] },
        name: "GET /api/v1/carts/{id}/items".into(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + duration,
        attributes,
        events: if i % 10 == 5 { vec![event] } else { vec![] },
        status: Some(Status {
            code: if trace % 20 == 7 && i.is_multiple_of(10) { 2 } else { 0 },
            message: String::new(),
        }),
        ..Span::default()
    }
}
