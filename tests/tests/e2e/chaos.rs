//! Random traffic and a random backend while a plugin is replaced, half-written, broken and deleted: a seeded script of
//! some seconds, and then the books must be right.

use crate::reload::{settings, version_of};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};
use tailrace_tests::backend::{Backend, Mood};
use tailrace_tests::client::Load;
use tailrace_tests::guests::CORE_MODULE;
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::http;
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tonic::Status;

/// How long the script goes on.
const LENGTH: Duration = Duration::from_secs(20);

#[tokio::test]
async fn random_traffic_while_everything_changes() {
    let seed = std::env::var("TAILRACE_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("TAILRACE_CHAOS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let plugins = PluginDirectory::with("stamp", &stamp("v0"));
    let backend = Backend::start().await;
    let retry = "retry_on_failure: {initial_interval: 10ms, max_interval: 100ms, max_elapsed_time: 0}, \
        sending_queue: {queue_size: 50}, compression: none";
    let plugin = settings(plugins.path());
    let processors = [("wasm/stamp", plugin.as_str())];
    let host = Host::start(&yaml(&["traces"], &processors, &[("otlp_grpc", &backend.exporter(retry))])).await;
    // Four senders of one to four traces, and ten consumers of the queue.
    let watch = host.watch(4 * 40 + 10 * 40);
    let mut loads = Vec::new();
    for sender in 0..4 {
        let pause = Duration::from_millis(random.u64(2..15));
        loads.push(Load::start(host.grpc(), 1, sender + 1, pause, seed + sender as u64).await);
    }
    let end = Instant::now() + LENGTH;
    let mut version = 0;
    while Instant::now() < end {
        version += 1;
        let wasm = stamp(&format!("v{version}"));
        match random.u8(..12) {
            0..=2 => plugins.replace("stamp", &wasm),
            3 => plugins.overwrite("stamp", &wasm),
            4 => plugins.truncate("stamp").write_all(&wasm[..random.usize(..wasm.len())]).unwrap(),
            5 => plugins.replace("stamp", CORE_MODULE),
            6 => plugins.replace("stamp", &stamp("trap-in-configure")),
            7 => {
                let _ = std::fs::remove_file(plugins.file("stamp"));
            }
            8 => backend.set_mood(Mood::Refuse(Status::unavailable("a bad moment"))),
            9 => backend.set_mood(Mood::Slow(Duration::from_millis(random.u64(..50)))),
            10 => backend.set_mood(Mood::Accept),
            _ => {
                // Garbage at the door.
                let length = random.usize(1..2000);
                let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
                let content_type = if random.bool() { "application/x-protobuf" } else { "application/json" };
                let reply = http::post(host.http(), "/v1/traces", content_type, garbage).await;
                assert!((200..500).contains(&reply.status), "{reply:?}");
            }
        }
        // The pace of the script; nothing waits for it.
        tokio::time::sleep(Duration::from_millis(random.u64(..200))).await;
    }
    backend.set_mood(Mood::Accept);
    plugins.replace("stamp", &stamp("the-end"));
    let mut looked_at = 0;
    let mut is_back = false;
    backend
        .until("the last version", |backend| {
            looked_at = backend.look_at_traces(looked_at, |request| is_back |= version_of(request) == "the-end");
            is_back
        })
        .await;
    watch.stop();
    let generations = host.metric("tailrace_plugin_generation", &[]);
    let failed = host.metric("tailrace_plugin_reloads_total", &["result=\"failed\""]);
    let mut refused = 0;
    let mut all = tailrace_tests::client::Books::default();
    for load in loads {
        let books = load.stop().await;
        assert!(books.unanswered.is_empty(), "the collector went away");
        refused += books.refused.len();
        all.accepted.extend(books.accepted);
    }
    assert_balanced(&host.stop().await);
    all.assert_exactly_once(&backend.span_ids());
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    backend.look_at_traces(0, |request| *versions.entry(version_of(request)).or_default() += 1);
    println!(
        "{} spans accepted, {refused} refused, {generations} generations, {failed} failed reloads, batches by version: {versions:?}",
        all.accepted.len()
    );
    assert!(generations > 2.0 && failed > 0.0, "{generations} generations and {failed} failures are no chaos");
}
