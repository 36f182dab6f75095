//! What the benches of `tail_sampling` have in common: a stage, what it holds, and what the process takes.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tailrace::component::{BoxFuture, ComponentId, ConsumeError, Consumer, Context, Processor};
use tailrace::pdata::{Batch, Limits, Signal};
use tailrace::processors::tail_sampling::FACTORY;
use tailrace::telemetry::Telemetry;
use tailrace::workers::Workers;
use tailrace::yaml::{Problems, Section, parse};

/// Resident bytes of the process.
pub fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Processor time of this thread: what others do on the machine does not count.
pub fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Runs `work` on one thread under a paused clock.
pub fn under_a_paused_clock<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// Whether there is something to measure: under `cargo test` there is not.
pub fn measures() -> bool {
    !std::env::args().any(|arg| arg == "--test")
}

/// Takes everything and counts spans.
#[derive(Default)]
pub struct Sink(AtomicU64);

impl Sink {
    /// How many spans came.
    pub fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.fetch_add(batch.items() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A `tail_sampling` processor at work.
pub struct Stage {
    telemetry: Telemetry,
    context: Context,
    processor: Arc<dyn Processor>,
}

impl Stage {
    /// From the YAML of its configuration, in front of `next`.
    pub async fn start(section: &str, next: Arc<dyn Consumer>) -> Self {
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
        let node = parse("bench", section, &mut problems).unwrap();
        let config = (FACTORY.parse)(&Section { path: "", node: &node }, &mut problems).expect("the section is right");
        let processor = config.build(context.clone(), next).unwrap();
        processor.start().await.unwrap();
        Self { telemetry, context, processor }
    }

    /// Puts in an encoded request. Returns how many spans it had, or none if it was refused.
    pub async fn put(&self, request: Vec<u8>) -> Option<u64> {
        self.take(validated(request)).await
    }

    /// Puts in a batch. Returns how many spans it had, or none if it was refused.
    pub async fn take(&self, batch: Batch) -> Option<u64> {
        let spans = batch.items() as u64;
        self.processor.consume(batch).await.ok().map(|()| spans)
    }

    /// Spans that it holds.
    pub fn held(&self) -> u64 {
        self.context.account.held().get().cast_unsigned()
    }

    /// The sum of a metric.
    pub fn metric(&self, name: &str) -> u64 {
        self.telemetry.metrics().total(name, &[]) as u64
    }

    /// Bytes that it counts against `max_memory_mib`.
    pub fn counted(&self) -> u64 {
        self.metric("tailrace_tail_sampling_segment_bytes")
    }

    /// Traces that it holds.
    pub fn traces(&self) -> u64 {
        self.metric("otelcol_processor_tail_sampling_sampling_traces_on_memory")
    }

    /// How often a shard was locked up to how long, in seconds, from the shortest to the longest.
    pub fn locked(&self) -> Vec<(String, u64)> {
        let text = self.telemetry.metrics().render();
        let buckets =
            text.lines().filter_map(|line| line.strip_prefix("tailrace_tail_sampling_locked_seconds_bucket{"));
        let bucket = |line: &str| {
            let (_, le) = line.split_once("le=\"")?;
            let (le, count) = le.split_once("\"} ")?;
            Some((le.to_owned(), count.parse().ok()?))
        };
        buckets.filter_map(bucket).collect()
    }

    /// The same since then, as text.
    pub fn locked_since(&self, before: &[(String, u64)]) -> String {
        let mut shorter = 0;
        let mut out = Vec::new();
        for ((le, now), (_, before)) in self.locked().iter().zip(before) {
            let count = now - before;
            out.push(format!("{} to {le} s", count - shorter));
            shorter = count;
        }
        out.retain(|bucket| !bucket.starts_with("0 "));
        out.join(", ")
    }

    pub async fn shutdown(&self, within: Duration) {
        self.processor.shutdown(tailrace::shutdown::Deadline::after(within)).await;
    }
}

/// A request as a receiver hands it on.
pub fn validated(request: Vec<u8>) -> Batch {
    Batch::validate(Signal::Traces, request.into(), &Limits::default()).unwrap()
}

/// Writes a field of bytes.
pub fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
