//! What does one redaction cost per span? And a key that is not there?
//!
//! The bundled `redact` plugin over batches of 1,000 spans with twelve attributes, `user.email` on every fourth span, on all or
//! on none; everything that the `wasm` processor does around the call is in the figure. Run with
//! `cargo bench -p tailrace --bench what_does_one_redaction_cost_per_span`; prints the median and the best of many rounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::time::{Duration, Instant};
use tailrace::pdata::{Batch, Limits as Validation, Signal};
use tailrace::plugin::{Candidate, Limits, Options, Plugin, Role, bundled};
use tailrace::telemetry::Metrics;
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::wire::{put_fixed64_field, put_len_field, put_varint_field};
use tailrace_otlp::{RequestWriter, Value};

const SPANS: usize = 1000;
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

/// 1,000 spans of ten services, `user.email` on every n-th of them.
fn batch(every: Option<usize>) -> Batch {
    let mut writer = RequestWriter::new(Signal::Traces);
    for number in 0..SPANS {
        if number % 100 == 0 {
            let (mut resource, mut context) = (Vec::new(), Vec::new());
            put_attribute(&mut resource, 1, "service.name".into(), &Value::from("checkout"));
            put_len_field(&mut context, 1, &resource);
            writer.open_resource(&context);
            writer.open_scope(&[]);
        }
        let mut span = Vec::new();
        put_len_field(&mut span, 1, &[7; 16]);
        put_len_field(&mut span, 2, &(number as u64 + 1).to_be_bytes());
        put_len_field(&mut span, 5, b"GET /api/v1/orders/{id}");
        put_varint_field(&mut span, 6, 2);
        put_fixed64_field(&mut span, 7, 1_700_000_000_000_000_000);
        put_fixed64_field(&mut span, 8, 1_700_000_000_012_345_678);
        for (key, value) in [
            ("http.request.method", Value::from("GET")),
            ("url.path", Value::from("/api/v1/orders/8a7b3c")),
            ("url.scheme", Value::from("https")),
            ("server.address", Value::from("orders.shop.example.com")),
            ("http.response.status_code", Value::Int(200)),
            ("server.port", Value::Int(443)),
            ("network.protocol.version", Value::from("1.1")),
            ("user_agent.original", Value::from("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")),
            ("thread.id", Value::Int(42)),
            ("thread.name", Value::from("worker-7")),
            ("cache.hit", Value::Bool(true)),
        ] {
            put_attribute(&mut span, 9, key.into(), &value);
        }
        match every {
            Some(every) if number % every == 0 => {
                put_attribute(&mut span, 9, "user.email".into(), &Value::from("ann.example@example.com"));
            }
            _ => put_attribute(&mut span, 9, "order.note".into(), &Value::from("please ring the bell!")),
        }
        writer.item(&span, 2);
    }
    let (data, _) = writer.finish().unwrap();
    Batch::validate(Signal::Traces, data.into(), &Validation::default()).unwrap()
}
