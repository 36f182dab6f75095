//! What does one redaction cost per span? And a key that is not there?
//!
//! The bundled `redact` plugin over batches of 1,000 spans with twelve attributes, `user.email` on every fourth span, on all or
//! on none; everything that the `wasm` processor does around the call is in the figure. Run with
//! `cargo bench -p tailrace --bench what_does_one_redaction_cost_per_span`; prints the median and the best of many rounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};
use support::{SPANS, batch};
use tailrace::pdata::Batch;
use tailrace::plugin::{Candidate, Limits, Options, Plugin, Role, bundled};
use tailrace::telemetry::Metrics;

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(30);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{:<44} {:>10} {:>10}  (ns per span)", "", "median", "best");
        for (what, every) in [("one span in four", Some(4)), ("every span", Some(1)), ("no span", None)] {
            for (how, config) in [
                ("delete", r#"{"keys": ["user.email"]}"#),
                ("mask", r#"{"keys": ["user.email"], "action": "mask"}"#),
                ("hash", r#"{"keys": ["user.email"], "action": "hash", "hash_key": "0123456789abcdef"}"#),
                ("delete, 8 keys of which one is there", EIGHT),
            ] {
                if every.is_none() && (how == "mask" || how == "hash") {
                    continue;
                }
                let batch = batch(every);
                let plugin = plugin(config);
                let (median, best) = measure(&plugin, &batch).await;
                println!("{:<44} {median:>10.1} {best:>10.1}", format!("{what}: {how}"));
            }
        }
    });
}

const EIGHT: &str = r#"{"keys": ["user.email", "user.name", "user.full_name", "enduser.id", "client.address",
    "http.request.header.authorization", "http.request.header.cookie", "db.query.parameter.email"]}"#;

fn plugin(config: &str) -> Plugin {
    let (_, bytes) = bundled()[0];
    let options = Options {
        name: "bench".into(),
        role: Role::Batches,
        config: config.into(),
        error_mode: None,
        limits: Limits::default(),
    };
    Plugin::load(&Candidate::new(bytes), options, &Metrics::default(), &[]).unwrap()
}

async fn measure(plugin: &Plugin, batch: &Batch) -> (f64, f64) {
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let (start, mut calls) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            std::hint::black_box(plugin.run(batch).await.unwrap());
            calls += 1;
        }
        rounds.push(start.elapsed().as_nanos() as f64 / f64::from(calls) / SPANS as f64);
    }
    // The first round warms up.
    rounds.remove(0);
    rounds.sort_by(f64::total_cmp);
    (rounds[rounds.len() / 2], rounds[0])
}
