//! Does it stop anybody when a million traces are due at once?
//!
//! A wait of 300 seconds, one shard, three policies, the tiny spans of a generator, eight a trace, each in another request. A
//! million traces come within two minutes of a paused clock and wait; then time jumps to when the last of them is due, as it
//! does where a machine was suspended, and one tick decides all of them, slice by slice, on one thread with a sender that goes on sending.
//! Printed are the resident and counted bytes per byte of span while they wait, how long the sender waited for each of its requests
//! meanwhile (its own work included), how long the shard was locked at a time, and what is resident afterwards. Nothing may
//! be refused or dropped for another reason than that no policy wanted it.
//!
//! `cargo bench --workspace --bench does_a_million_due_traces_stop_anybody [-- TRACES]`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "support/flow.rs"]
mod flow;
#[path = "support/tail.rs"]
mod tail;

use flow::{Flow, Generator, SPANS};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tail::{Sink, Stage, resident};

const WAIT: Duration = Duration::from_secs(300);
/// Within which all of them come.
const FILL: Duration = Duration::from_secs(120);
const FLOW: Flow = Flow::new(130, 8, 9);
const SECTION: &str = "
decision_wait: 300s
num_traces: 4000000
num_shards: 1
max_memory_mib: 8192
decision_cache: {sampled_cache_size: 1000000, non_sampled_cache_size: 1000000}
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: slow, type: latency, latency: {threshold_ms: 1000}}
- {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
";

async fn run(traces: u64) {
    let sink = Arc::new(Sink::default());
    let stage = Stage::start(SECTION, sink.clone()).await;
    let generator = Generator::new(FLOW);
    let start = resident();
    let requests = traces * FLOW.spans_per_trace / SPANS;
    for number in 0..requests {
        stage.put(generator.request(number)).await.expect("there is room");
        tokio::time::sleep(FILL / requests as u32).await;
    }
    let mib = |bytes: u64| bytes >> 20;
    let (pending, held, counted) = (stage.traces(), stage.held(), stage.counted());
    let bytes = held * FLOW.span_bytes as u64;
    let taken = resident() - start;
    let per_byte = |of: u64| of as f64 / bytes as f64;
    println!(
        "{pending} traces, {held} spans, {} MiB of spans: per byte {:.3} resident, {:.3} counted",
        mib(bytes),
        per_byte(taken),
        per_byte(counted)
    );
    let before = stage.locked();
    tokio::time::advance(WAIT).await;
    let (began, mut waits, mut number) = (Instant::now(), Vec::new(), requests);
    // Each request has the first spans of some new traces.
    while stage.traces() > (number - requests) * SPANS / FLOW.spans_per_trace {
        let batch = tail::validated(generator.request(number));
        let asked = Instant::now();
        // The decider has its turn, then it is the sender's.
        tokio::task::yield_now().await;
        stage.take(batch).await.expect("there is room");
        waits.push(asked.elapsed());
        number += 1;
    }
    let took = began.elapsed();
    waits.sort_unstable();
    let quantile = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "decided in {took:.1?} beside {} requests: the sender waited p50 {:.1?}, p99 {:.1?}, at most {:.1?}",
        waits.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
    println!("locks by length: {}", stage.locked_since(&before));
    tokio::time::sleep(WAIT * 2).await;
    let put = number * SPANS;
    let (sampled, not) = (sink.taken(), stage.metric("tailrace_dropped_items_total"));
    let early = stage.metric("tailrace_tail_sampling_decided_early_total");
    assert_eq!((put, early, stage.held()), (sampled + not, 0, 0));
    println!(
        "{put} spans: {sampled} kept, {not} not; {} of {} MiB resident afterwards",
        mib(resident() - start),
        mib(taken)
    );
    stage.shutdown(Duration::from_secs(60)).await;
}

fn main() {
    if !tail::measures() {
        return;
    }
    let traces = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    tail::under_a_paused_clock(run(traces));
}
