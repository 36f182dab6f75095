//! A mad plugin in the whole collector: what its batch got by `error_mode`, what was counted, and what its neighbours
//! noticed. Each scene has four pipelines: the mad plugin with each `error_mode`, a good plugin behind it, and a pipeline
//! without it.

use crate::reload::settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tailrace_tests::backend::Backend;
use tailrace_tests::client::{Client, Load};
use tailrace_tests::crafted;
use tailrace_tests::guests::{CORE_MODULE, behaving};
use tailrace_tests::host::Host;
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::plugins::{PluginDirectory, stamp};
use tailrace_tests::spans::{Generator, attribute, text};

const MODES: [&str; 3] = ["propagate", "ignore", "drop"];

/// One row: a plugin, and the reason under which its failure is counted; none if it is no failure.
async fn row(name: &str, wasm: &[u8], reason: Option<&str>) {
    let plugins = PluginDirectory::with("mad", wasm);
    let good = PluginDirectory::with("stamp", &stamp("good"));
    let stamps = settings(good.path());
    let (mut receivers, mut processors, mut exporters, mut pipelines) =
        (String::new(), format!("  wasm/good: {stamps}\n"), String::new(), String::new());
    let mut backends = Vec::new();
    let timeout = if reason == Some("timeout") { "300ms" } else { "5s" };
    for mode in MODES.iter().chain(&["neighbour"]) {
        let backend = Backend::start().await;
        receivers += &format!("  otlp/{mode}: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}\n");
        exporters += &format!("  otlp_grpc/{mode}: {}\n", backend.exporter("compression: none"));
        let mut through = "wasm/good".to_owned();
        if *mode != "neighbour" {
            processors += &format!(
                "  wasm/{mode}: {{directory: '{}', module: mad, error_mode: {mode}, \
                 limits: {{timeout: {timeout}, memory_mib: 48, output_mib: 4}}}}\n",
                plugins.path().display()
            );
            through = format!("wasm/{mode}, wasm/good");
        }
        pipelines += &format!(
            "    traces/{mode}: {{receivers: [otlp/{mode}], processors: [{through}], exporters: [otlp_grpc/{mode}]}}\n"
        );
        backends.push((*mode, backend));
    }
    let yaml = format!(
        "receivers:\n{receivers}processors:\n{processors}exporters:\n{exporters}service:\n  pipelines:\n{pipelines}"
    );
    let host = Host::start(&yaml).await;
    let mut request = Generator::new(90).request(1);
    for span in &mut request.resource_spans[0].scope_spans[0].spans {
        span.attributes.push(attribute("victim", "poison"));
    }
    let items = request.resource_spans[0].scope_spans[0].spans.len();
    for (mode, backend) in &backends {
        let client = Client::connect(host.address(&format!("otlp/{mode}/grpc"))).await;
        let answer = client.send(request.clone()).await;
        // What the sender heard ...
        let refused = reason.is_some() && *mode == "propagate";
        assert_eq!(answer.is_err(), refused, "{name}, {mode}: {answer:?}");
        if let Err(status) = &answer {
            assert_eq!(status.code(), tonic::Code::Unavailable, "{name}: {status:?}");
        }
        // ... what was counted ...
        let processor = format!("processor=\"wasm/{mode}\"");
        let failures = host.metric("tailrace_plugin_failures_total", &[&processor]);
        let of_reason = reason.map_or(0.0, |reason| {
            host.metric("tailrace_plugin_failures_total", &[&processor, &format!("reason=\"{reason}\"")])
        });
        let expected = if reason.is_some() && *mode != "neighbour" { 1.0 } else { 0.0 };
        assert_eq!((failures, of_reason), (expected, expected), "{name}, {mode}");
        let lines = host.telemetry().ledger().lines();
        let dropped = lines.iter().find(|line| line.component.starts_with(&format!("processor:wasm/{mode}@")));
        let dropped = dropped.and_then(|line| line.dropped.get("plugin_error").copied()).unwrap_or_default();
        let expected = if reason.is_some() && *mode == "drop" { items as u64 } else { 0 };
        assert_eq!(dropped, expected, "{name}, {mode}");
        // ... and what arrived, by way of the good plugin behind the mad one.
        let arrives = reason.is_none() || matches!(*mode, "ignore" | "neighbour");
        if arrives {
            backend.until(&format!("the batch of {name}, {mode}"), |backend| backend.span_count() > 0).await;
            assert_eq!(backend.span_count(), items, "{name}, {mode}");
            let stamped = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
                text(&span.attributes, "url.path") == Some("good") && text(&span.attributes, "victim") == Some("poison")
            };
            assert!(backend.spans().iter().all(stamped), "{name}, {mode}");
        }
    }
    assert_balanced(&host.stop().await);
    for (mode, backend) in &backends {
        let nothing = reason.is_some() && matches!(*mode, "propagate" | "drop");
        assert_eq!(backend.span_count() == 0, nothing, "{name}, {mode}");
    }
}

#[tokio::test]
async fn what_becomes_of_a_batch() {
    for (what, reason) in [
        ("trap on poison", Some("trap")),
        ("exit", Some("trap")),
        ("loop", Some("timeout")),
        ("grow", Some("memory")),
        ("giant", Some("output")),
        ("twice", Some("malformed")),
        ("multiply", Some("malformed")),
        ("shout", None),
    ] {
        row(what, &behaving("mad-attributes", what), reason).await;
    }
    for (what, reason) in [
        ("hand back rubbish", Some("malformed")),
        ("hand back twice as much", Some("malformed")),
        ("hand back ten times what it may", Some("output")),
    ] {
        row(what, &behaving("mad-processor", what), reason).await;
    }
    for (what, reason) in [
        ("loop in realloc", Some("timeout")),
        ("loop after the call", Some("timeout")),
        ("recursion without end", Some("trap")),
        ("tables", Some("trap")),
        ("answer beyond memory", Some("trap")),
        ("good", None),
    ] {
        row(what, &crafted::guest(what), reason).await;
    }
}

/// A plugin that redacts, under everything that can happen to it: whatever version lies there, whatever it does, however
/// busy it is, no value leaves the collector that it should have replaced, unless the operator chose `ignore`.
#[tokio::test]
async fn nothing_passes_a_redaction_that_fails() {
    let seed = std::env::var("TAILRACE_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("TAILRACE_CHAOS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for mode in ["", "error_mode: propagate, ", "error_mode: drop, "] {
        let plugins = PluginDirectory::with("stamp", &stamp("redacted v0"));
        let backend = Backend::start().await;
        // Little time and one instance: calls wait for each other and time out.
        let plugin = format!(
            "{{directory: '{}', module: stamp, {mode}limits: {{timeout: 20ms, instances: 1, memory_mib: 16}}}}",
            plugins.path().display()
        );
        let exporter = backend.exporter("compression: none");
        let host = Host::start(&tailrace_tests::host::yaml(
            &["traces"],
            &[("wasm/stamp", &plugin)],
            &[("otlp_grpc", &exporter)],
        ))
        .await;
        let load = Load::start(host.grpc(), 4, 2, Duration::from_millis(2), seed).await;
        let leaked = Arc::new(AtomicBool::new(false));
        let (mut looked_at, end) = (0, Instant::now() + Duration::from_secs(6));
        let mut version = 0;
        let mut look = |backend: &Backend| {
            looked_at = backend.look_at_traces(looked_at, |request| {
                let secret = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
                    text(&span.attributes, "url.path").is_none_or(|path| !path.starts_with("redacted"))
                };
                leaked.fetch_or(tailrace_tests::spans::spans_of(request).any(secret), Relaxed);
            });
        };
        while Instant::now() < end {
            version += 1;
            match random.u8(..9) {
                0..=2 => plugins.replace("stamp", &stamp(&format!("redacted v{version}"))),
                3 => plugins.replace("stamp", &stamp("trap")),
                4 => plugins.replace("stamp", &stamp("loop")),
                5 => plugins.replace("stamp", &stamp("grow")),
                6 => plugins.replace("stamp", &stamp(if random.bool() { "later" } else { "never" })),
                7 => plugins.replace("stamp", CORE_MODULE),
                _ => {
                    let _ = std::fs::remove_file(plugins.file("stamp"));
                }
            }
            // The pace of the script.
            tokio::time::sleep(Duration::from_millis(random.u64(20..400))).await;
            look(&backend);
            assert!(!leaked.load(Relaxed), "{mode}: an unredacted value passed");
        }
        plugins.replace("stamp", &stamp("redacted at the end"));
        let at_the_end = |backend: &Backend| {
            let mut found = false;
            backend.look_at_traces(0, |request| {
                found |= tailrace_tests::spans::spans_of(request)
                    .any(|span| text(&span.attributes, "url.path") == Some("redacted at the end"));
            });
            found
        };
        backend.until("a good version again", at_the_end).await;
        let books = load.stop().await;
        assert!(books.unanswered.is_empty());
        let ledger = host.stop().await;
        assert_balanced(&ledger);
        look(&backend);
        assert!(!leaked.load(Relaxed), "{mode}: an unredacted value passed");
        println!(
            "{mode:25} {} accepted, {} refused, {} arrived",
            books.accepted.len(),
            books.refused.len(),
            backend.span_count()
        );
        assert!(!books.refused.is_empty() || mode.contains("drop"), "nothing went wrong: that proves nothing");
    }
}
