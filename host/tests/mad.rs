//! One real process, and a plugin in it that goes through every kind of madness while traffic flows: the process lives, its
//! neighbours lose nothing, its memory stays bounded, and it ends in good order.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failure here is a failed test"
)]

use std::path::Path;
use std::time::Duration;
use tailrace_tests::backend::Backend;
use tailrace_tests::neighbours::{Scene, mad_plugins, quantile, small_bombs};
use tailrace_tests::plugins::stamp;

/// Four instances of 32 MiB, of the version that runs and of one that is being replaced, what they hand back, batches, the
/// compiler, and the collector itself.
const MEMORY_MIB: u64 = 700;
/// Left to the tests of the single calls, since they are much like others and each takes seconds to compile here.
const ALIKE: [&str; 10] = [
    "trap on poison",
    "poll the clock",
    "recurse",
    "add without end",
    "drop everything again and again",
    "not UTF-8",
    "twice",
    "panic in configure",
    "hand back twice as much",
    "never",
];
const SETTINGS: &str = "error_mode: propagate, limits: {timeout: 50ms, memory_mib: 32, output_mib: 4, instances: 4}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_madness_in_turn() {
    let (mad_backend, neighbour_backend) = (Backend::start().await, Backend::start().await);
    let backends = [mad_backend.address(), neighbour_backend.address()];
    let mut scene = Scene::start(Path::new(env!("CARGO_BIN_EXE_tailrace")), SETTINGS, "", backends).await;
    let mad = scene.pump(true, Duration::from_millis(40), 2, 41).await;
    let neighbour = scene.pump(false, Duration::from_millis(40), 2, 42).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let calm = neighbour.take_micros();
    println!("calm: p50 {:.2} ms, p99 {:.2} ms", quantile(&calm, 0.5), quantile(&calm, 0.99));
    let mut worst: f64 = 0.0;
    let plugins = mad_plugins().into_iter().filter(|(name, _)| !ALIKE.contains(&name.as_str()));
    for (name, wasm) in plugins.chain(small_bombs()) {
        neighbour.take_micros();
        scene.swap(&name, &wasm).await;
        // Until the neighbour has had enough answers to say something.
        let before = neighbour.answers();
        let enough = async {
            while neighbour.answers() < before + 10 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), enough).await.unwrap_or_else(|_| panic!("{name}: no answers"));
        let micros = neighbour.take_micros();
        let (now, most) = scene.process.memory_mib();
        let p99 = quantile(&micros, 0.99);
        worst = worst.max(p99);
        println!("{name:40} p50 {:8.2} ms p99 {p99:8.2} ms memory {now} MiB, at most {most}", quantile(&micros, 0.5));
        assert!(scene.process.lives(), "{name}: the process is gone\n{}", scene.process.log());
        assert!(most < MEMORY_MIB, "{name}: {most} MiB");
    }
    // Whatever was there before, a good version is taken, and its pipeline works again.
    scene.swap("good again", &stamp("good again")).await;
    let back = mad_backend.span_count();
    mad_backend.until("spans through the good version", |backend| backend.span_count() > back + 100).await;
    let (mad, neighbour) = (mad.stop().await, neighbour.stop().await);
    assert!(neighbour.refused.is_empty() && neighbour.unanswered.is_empty(), "{} refused", neighbour.refused.len());
    assert!(mad.unanswered.is_empty(), "{} without an answer", mad.unanswered.len());
    let enough = neighbour.accepted.len();
    neighbour_backend.until("everything", |backend| backend.span_count() == enough).await;
    neighbour.assert_exactly_once(&neighbour_backend.span_ids());
    // The mad pipeline: nothing that was refused arrived, nothing arrived twice, and what is missing was dropped by the
    // plugin, which the ledger knows.
    let arrived = mad_backend.span_ids();
    assert!(arrived.iter().all(|(id, times)| *times == 1 && mad.accepted.contains(id)), "doubled or invented");
    let status = scene.process.status().await;
    for line in status["ledger"].as_array().unwrap() {
        let number = |name: &str| line[name].as_u64().unwrap_or_default();
        let dropped: u64 = line["dropped"].as_object().unwrap().values().filter_map(|count| count.as_u64()).sum();
        let kept = number("accepted") + number("added");
        assert_eq!(kept, number("handed_on") + dropped + number("held"), "{line}");
    }
    let by_plugin =
        status["ledger"].as_array().unwrap().iter().find(|line| line["component"] == "processor:wasm/mad@traces/mad");
    let by_plugin: u64 =
        by_plugin.unwrap()["dropped"].as_object().unwrap().values().filter_map(|count| count.as_u64()).sum();
    assert_eq!(mad.accepted.len() as u64, arrived.len() as u64 + by_plugin);
    // Generous: the machine is shared, and the build is not optimised. `mad neighbours` measures.
    assert!(worst < 10_000.0, "a neighbour waited for {worst} ms");
    let logged = scene.process.log().len();
    println!("{} spans of the neighbour, {logged} bytes of log, worst p99 {worst:.1} ms", enough);
    assert!(logged < 5 << 20, "{logged} bytes of log");
    assert!(
        scene.process.stop(Duration::from_secs(30)).await,
        "it does not end in good order\n{}",
        scene.process.log()
    );
}
