//! A soak: does the memory of `tail_sampling` stay flat, and is every span accounted for, whatever comes?
//!
//! For some minutes (2, or as many seconds as the argument says) random traces under a paused clock, as fast as one thread makes
//! them: of one span and of thousands, side by side and spread over the wait, with late spans, giants that never end,
//! resources of 200 KiB and ids that are gone; in phases of quiet, of the usual load and of five times what the memory is
//! for, against a next stage that is at times slow and refuses. Every second of the virtual clock:
//!
//! - spans put in = spans that the next stage took + spans dropped by reason + spans held, to the span;
//! - what is counted against `max_memory_mib` is below it;
//! - resident is at most `max_memory_mib` + the overhead that `host/CONFIG.md` states, beside what the process began with.
//!
//! At the end the highest resident memory of the last third may not be above that of the second. The seed is printed.
//!
//! `cargo bench --workspace --bench does_tail_sampling_stay_flat [-- SECONDS [SEED]]`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "support/tail.rs"]
mod tail;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tail::{Stage, field, resident};
use tailrace::component::{BoxFuture, ConsumeError, Consumer};
use tailrace::pdata::Batch;

const MEMORY_MIB: u64 = 96;
/// Released spans that wait (32 MiB, and what was released before senders were told), the decision cache of 200,000 ids (4 MiB),
/// segments kept for reuse (2 shards, 8 MiB), batches under way, and what the allocator keeps of all that: a fifth.
const OVERHEAD_MIB: u64 = 80;
const SECTION: &str = "
decision_wait: 10s
decision_wait_after_root_received: 3s
num_traces: 150000
num_shards: 2
max_memory_mib: 96
maximum_trace_spans: 20000
maximum_trace_size_bytes: 8000000
decision_cache: {sampled_cache_size: 100000, non_sampled_cache_size: 100000}
decision_history: {size: 0}
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: slow, type: latency, latency: {threshold_ms: 1000}}
- {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
- {name: few, type: rate_limiting, rate_limiting: {spans_per_second: 500}}
";

#[derive(Default)]
struct Sink {
    taken: AtomicU64,
    refuses: AtomicBool,
}

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.refuses.load(Ordering::Relaxed) {
                return Err(ConsumeError::retryable("later"));
            }
            self.taken.fetch_add(batch.items() as u64, Ordering::Relaxed);
            Ok(())
        })
    }
}

/// Makes random requests.
struct Load {
    random: fastrand::Rng,
    next_trace: u64,
    /// Traces that still get spans.
    open: VecDeque<u64>,
    /// Two that never end.
    giants: [u64; 2],
}

impl Load {
    fn span(&mut self, trace: u64) -> Vec<u8> {
        let id = u128::from(trace).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) | 1;
        let mut span = Vec::new();
        field(&mut span, 0x0a, &id.to_le_bytes());
        field(&mut span, 0x12, &self.random.u64(1..).to_le_bytes());
        if self.random.u8(..20) > 0 {
            field(&mut span, 0x22, &[1; 8]);
        }
        let start = 1_700_000_000_000_000_000_u64 + trace * 1_000;
        span.push(0x39);
        span.extend_from_slice(&start.to_le_bytes());
        span.push(0x41);
        let took = if self.random.u16(..500) == 0 { 2_000_000_000 } else { 20_000_000 };
        span.extend_from_slice(&(start + took).to_le_bytes());
        let ballast =
            if self.random.u16(..2_000) == 0 { self.random.usize(..200_000) } else { self.random.usize(..900) };
        field(&mut span, 0x2a, "x".repeat(ballast).as_bytes());
        if self.random.u16(..500) == 0 {
            field(&mut span, 0x7a, &[0x18, 2]);
        }
        span
    }

    fn request(&mut self, spans: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut left = spans;
        while left > 0 {
            let resource = match self.random.u16(..400) {
                0 => "y".repeat(200 << 10),
                number => format!("service-{number:0300}"),
            };
            let mut attribute = Vec::new();
            field(&mut attribute, 0x0a, b"service.name");
            let mut value = Vec::new();
            field(&mut value, 0x0a, resource.as_bytes());
            field(&mut attribute, 0x12, &value);
            let (mut attributes, mut group) = (Vec::new(), Vec::new());
            field(&mut attributes, 0x0a, &attribute);
            field(&mut group, 0x0a, &attributes);
            let mut scope = Vec::new();
            for _ in 0..self.random.usize(1..100).min(left) {
                let trace = match self.random.u8(..100) {
                    0..=3 => self.giants[self.random.usize(..2)],
                    4..=49 => {
                        self.next_trace += 1;
                        self.open.push_back(self.next_trace);
                        self.next_trace
                    }
                    // Also long after their decisions.
                    50 => self.random.u64(1..self.next_trace + 2),
                    _ if self.open.is_empty() => 1,
                    _ => self.open[self.random.usize(..self.open.len())],
                };
                for _ in 0..if self.random.u8(..10) == 0 { self.random.usize(1..50).min(left) } else { 1 } {
                    let span = self.span(trace);
                    field(&mut scope, 0x12, &span);
                    left = left.saturating_sub(1);
                }
                if left == 0 {
                    break;
                }
            }
            field(&mut group, 0x12, &scope);
            field(&mut out, 0x0a, &group);
        }
        while self.open.len() > 20_000 {
            self.open.pop_front();
        }
        if self.random.u16(..300) == 0 {
            self.next_trace += 1;
            self.giants[self.random.usize(..2)] = self.next_trace;
        }
        out
    }
}

async fn soak(time: Duration, seed: u64) {
    let sink = Arc::new(Sink::default());
    let stage = Stage::start(SECTION, sink.clone()).await;
    let metric = |name: &str| stage.metric(name);
    let mut load =
        Load { random: fastrand::Rng::with_seed(seed), next_trace: 2, open: VecDeque::new(), giants: [1, 2] };
    let (start, began) = (resident(), Instant::now());
    let (mut put, mut refused, mut second) = (0_u64, 0_u64, 0_u64);
    // Highest resident and counted memory of each third.
    let mut highest = [[0_u64; 2]; 3];
    let check = |put: u64, when: &str| {
        let held = stage.held();
        let (taken, dropped) = (sink.taken.load(Ordering::Relaxed), metric("tailrace_dropped_items_total"));
        assert_eq!(put, taken + dropped + held, "{when}: {taken} taken, {dropped} dropped, {held} held");
        held
    };
    while began.elapsed() < time {
        // The phases: 10 s each. Usual is about 40 MiB in a wait.
        let requests = [4, 8, 40, 8, 1, 8][(second / 10 % 6) as usize];
        sink.refuses.store(second % 47 < 6, Ordering::Relaxed);
        for _ in 0..requests {
            let batch = tail::validated(load.request(1_000));
            let spans = batch.items() as u64;
            match stage.take(batch).await {
                Some(_) => put += spans,
                None => refused += spans,
            }
            tokio::time::sleep(Duration::from_millis(1_000 / requests)).await;
        }
        second += 1;
        let held = check(put, &format!("second {second}"));
        let counted = stage.counted();
        assert!(counted <= MEMORY_MIB << 20, "{counted} bytes counted");
        let resident = resident().saturating_sub(start);
        assert!(
            resident <= (MEMORY_MIB + OVERHEAD_MIB) << 20,
            "second {second}: {} MiB resident, {} MiB counted, {held} spans held",
            resident >> 20,
            counted >> 20
        );
        let third = (began.elapsed().as_secs_f64() / time.as_secs_f64() * 3.0) as usize;
        for (highest, now) in highest[third.min(2)].iter_mut().zip([resident, counted]) {
            *highest = (*highest).max(now);
        }
        if second.is_multiple_of(60) {
            println!(
                "{:5} s: {:9} spans put in, {:8} refused, {:7} held; {:3} MiB resident, {:3} MiB counted",
                second,
                put,
                refused,
                held,
                resident >> 20,
                counted >> 20
            );
        }
    }
    sink.refuses.store(false, Ordering::Relaxed);
    stage.shutdown(Duration::from_secs(600)).await;
    assert_eq!(check(put, "the end"), 0);
    println!(
        "highest resident | counted MiB by third: {:?}; decided early {}, too large {}, late {}; {} MiB resident at the end",
        highest.map(|pair| pair.map(|bytes| bytes >> 20)),
        metric("tailrace_tail_sampling_decided_early_total"),
        metric("otelcol_processor_tail_sampling_traces_dropped_too_large_total"),
        metric("otelcol_processor_tail_sampling_early_releases_from_cache_decision_total"),
        resident().saturating_sub(start) >> 20,
    );
    assert!(highest[2][0] <= highest[1][0].max(highest[0][0]) * 21 / 20 + (4 << 20), "memory grows");
}

fn main() {
    if !tail::measures() {
        return;
    }
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(120));
    let seed = numbers.next().unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    tail::under_a_paused_clock(soak(time, seed));
}
