//! What do several attribute plugins in a row cost per span, one after the other and sharing one scan?
//!
//! The bundled `redact` plugin, once per key, over batches of 1,000 spans with twelve attributes each; everything that
//! the `wasm` processor does around the calls is in the figure. Run with
//! `cargo bench -p tailrace --bench what_does_a_shared_scan_save`; prints the median of many rounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{SPANS, batch};
use tailrace::component::{BoxFuture, ConsumeError, Consumer, Context};
use tailrace::pdata::{Batch, Signal};
use tailrace::plugin::stage::{Member, Stage};
use tailrace::plugin::{Candidate, Limits, Options, Plugin, Role, bundled};
use tailrace::telemetry::Telemetry;
use tailrace::workers::Workers;

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(30);
/// On every span.
const THERE: [&str; 4] = ["url.path", "server.address", "user_agent.original", "thread.name"];
/// On none.
const NOT_THERE: [&str; 4] = ["user.email", "enduser.id", "client.address", "db.query.text"];

/// Takes everything.
struct End;

impl Consumer for End {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        std::hint::black_box(batch);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Takes batches only, so that nothing is shared across it.
struct Wall(Arc<dyn Consumer>);

impl Consumer for Wall {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.consume(batch)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let batch = batch(None);
        println!("{:<52} {:>10} {:>10} {:>10}  (ns per span)", "", "in a row", "shared", "neighbours");
        for (what, keys, action) in [
            ("mask, on every span", THERE, "mask"),
            ("delete, on every span", THERE, "delete"),
            ("mask, on no span", NOT_THERE, "mask"),
            (
                "mask, the first on every span, the others on none",
                [THERE[0], NOT_THERE[0], NOT_THERE[1], NOT_THERE[2]],
                "mask",
            ),
        ] {
            for count in [1, 2, 4] {
                let plugins: Vec<_> = keys[..count].iter().map(|key| plugin(key, action)).collect();
                let row = stages(&plugins, 1, true);
                let shared = stages(&plugins, count, false);
                let neighbours = stages(&plugins, 1, false);
                let figures = measure(&[row, shared, neighbours], &batch).await;
                println!(
                    "{:<52} {:>10.1} {:>10.1} {:>10.1}",
                    format!("{count}: {what}"),
                    figures[0],
                    figures[1],
                    figures[2]
                );
            }
        }
    });
}

/// Stages of so many plugins each.
fn stages(plugins: &[Arc<Plugin>], each: usize, walls: bool) -> Arc<dyn Consumer> {
    let telemetry = Telemetry::new();
    let mut next: Arc<dyn Consumer> = Arc::new(End);
    for group in plugins.chunks(each).rev() {
        let context = Context {
            id: "wasm".parse().unwrap(),
            pipeline: None,
            signal: Some(Signal::Traces),
            telemetry: telemetry.clone(),
            workers: Workers::current(),
            account: telemetry.ledger().open("wasm", Some(Signal::Traces)),
        };
        let members = group.iter().map(|plugin| Member::new("redact", Arc::clone(plugin))).collect();
        let stage = Arc::new(Stage::new(context, members, next));
        next = if walls { Arc::new(Wall(stage)) } else { stage };
    }
    next
}

fn plugin(key: &str, action: &str) -> Arc<Plugin> {
    let (_, bytes) = bundled().iter().find(|(name, _)| *name == "redact").unwrap();
    let options = Options {
        name: "bench".into(),
        role: Role::Batches,
        config: format!(r#"{{"keys": ["{key}"], "action": "{action}"}}"#).into(),
        error_mode: None,
        limits: Limits::default(),
    };
    Arc::new(Plugin::load(&Candidate::new(*bytes), options, Telemetry::new().metrics(), &[]).unwrap())
}

/// The rounds of all take turns, so that a loaded machine slows all of them.
async fn measure(ways: &[Arc<dyn Consumer>], batch: &Batch) -> Vec<f64> {
    let mut rounds = vec![Vec::new(); ways.len()];
    for _ in 0..=ROUNDS {
        for (way, rounds) in ways.iter().zip(&mut rounds) {
            let (start, mut calls) = (Instant::now(), 0_u32);
            while start.elapsed() < ROUND {
                way.consume(batch.clone()).await.unwrap();
                calls += 1;
            }
            rounds.push(start.elapsed().as_nanos() as f64 / f64::from(calls) / SPANS as f64);
        }
    }
    let median = |mut rounds: Vec<f64>| {
        // The first round warms up.
        rounds.remove(0);
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    };
    rounds.into_iter().map(median).collect()
}
