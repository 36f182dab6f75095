//! How much memory does `tail_sampling` take for each byte of spans that it holds?
//!
//! Each case runs in a process of its own, single-threaded, with a paused clock, one shard, three policies. *Pending*: so many
//! traces are put in and none is decided; printed are the resident bytes that came on top, and the bytes that the processor
//! counts against `max_memory_mib`, both per encoded byte of span held (with tag and length, without resources and scopes),
//! and what is resident once everything was decided. *Steady*: a wait of 5 seconds, requests all the time, nine of ten traces
//! dropped; the mean over the last half, with a decision cache of 100,000 ids and a history of 10,000 decisions, 2 MiB. Spans have 583 bytes as those of a usual service, or 130 as those
//! of a generator.
//!
//! - *single*: one span a trace. *adjacent*: the spans of a trace side by side. *apart*: each in another request.
//! - *resources*: 200 resources of a kilobyte each, as many as a gateway of a cluster sees. *giant*: one of 256 KiB.
//!
//! `cargo bench --workspace --bench how_much_memory_does_a_held_byte_take [-- CASE...]`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "support/flow.rs"]
mod flow;
#[path = "support/tail.rs"]
mod tail;

use flow::{Flow, Generator, SPANS};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tail::{Sink, Stage, resident};

/// Requests a second of virtual time.
const RATE: u64 = 60;

struct Case {
    name: &'static str,
    flow: Flow,
    /// Bytes of spans that are put in, or `None` for a steady flow.
    fill: Option<usize>,
}

const fn case(name: &'static str, span_bytes: usize, spans_per_trace: u64, apart: u64, fill: Option<usize>) -> Case {
    Case { name, flow: Flow::new(span_bytes, spans_per_trace, apart), fill }
}

/// The same with other resources.
const fn with(case: Case, resources: u64, resource_bytes: usize) -> Case {
    Case { flow: Flow { resources, resource_bytes, ..case.flow }, ..case }
}

const CASES: &[Case] = &[
    case("pending-single", 583, 1, 0, Some(583_000_000)),
    case("pending-adjacent", 583, 10, 0, Some(583_000_000)),
    case("pending-apart", 583, 10, 9, Some(583_000_000)),
    with(case("pending-resources", 583, 10, 9, Some(583_000_000)), 200, 1000),
    case("pending-tiny", 130, 2, 0, Some(260_000_000)),
    case("pending-tiny-apart", 130, 2, 9, Some(260_000_000)),
    case("pending-tiny-single", 130, 1, 0, Some(130_000_000)),
    case("pending-tiny-8-apart", 130, 8, 9, Some(260_000_000)),
    with(case("pending-giant", 583, 1, 0, Some(58_300_000)), 1, 256 << 10),
    case("steady-adjacent", 583, 10, 0, None),
    case("steady-apart", 583, 10, 18, None),
    with(case("steady-resources", 583, 10, 18, None), 200, 1000),
    case("steady-tiny", 130, 2, 0, None),
    case("steady-tiny-single", 130, 1, 0, None),
    case("steady-tiny-apart", 130, 2, 80, None),
    case("steady-tiny-8-apart", 130, 8, 20, None),
];

fn run(case: &'static Case) {
    tail::under_a_paused_clock(async {
        let wait = if case.fill.is_some() { 3600 } else { 5 };
        let section = format!(
            "{{decision_wait: {wait}s, num_traces: 4000000, num_shards: 1, max_memory_mib: 4096,
              decision_cache: {{sampled_cache_size: 50000, non_sampled_cache_size: 50000}}, policies: [
              {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}},
              {{name: slow, type: latency, latency: {{threshold_ms: 1000}}}},
              {{name: some, type: probabilistic, probabilistic: {{sampling_percentage: 10}}}}]}}"
        );
        let stage = Stage::start(&section, Arc::new(Sink::default())).await;
        let generator = Generator::new(case.flow);
        let start = resident();
        let taken = || resident().saturating_sub(start) as f64;
        let held = || stage.held() as f64 * case.flow.span_bytes as f64;
        let put = async |number: u64| {
            stage.put(generator.request(number)).await.expect("there is room");
            tokio::time::sleep(Duration::from_micros(1_000_000 / RATE)).await;
        };
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        if let Some(bytes) = case.fill {
            for number in 0..(bytes / case.flow.span_bytes) as u64 / SPANS {
                put(number).await;
            }
            let (held, counted, traces, then) = (held(), stage.counted() as f64, stage.traces(), taken());
            tokio::time::sleep(Duration::from_secs(4000)).await;
            println!(
                "{:20} {:4.0} MiB in {traces:7} traces: per byte {:.3} resident, {:.3} counted; afterwards {:.0} of {:.0} MiB",
                case.name,
                mib(held),
                then / held,
                counted / held,
                mib(taken()),
                mib(then),
            );
        } else {
            let (mut shares, mut held_bytes, mut peak) = ([0.0, 0.0], 0.0, 0.0_f64);
            let (warm, measured) = (RATE * 15, RATE * 15);
            for number in 0..warm + measured {
                put(number).await;
                if number >= warm {
                    shares[0] += taken() / held() / measured as f64;
                    shares[1] += stage.counted() as f64 / held() / measured as f64;
                    held_bytes += held() / measured as f64;
                    peak = peak.max(taken());
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
        stage.shutdown(Duration::from_secs(60)).await;
    });
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let [only] = wanted.as_slice()
        && std::env::var_os("CASE_IS_HERE").is_some()
    {
        return run(CASES.iter().find(|case| case.name == only).expect("one of the cases"));
    }
    if !tail::measures() {
        return;
    }
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.name)) {
        let itself = std::env::current_exe().unwrap();
        let status = Command::new(itself).arg(case.name).env("CASE_IS_HERE", "1").status().unwrap();
        assert!(status.success(), "{}", case.name);
    }
}
