//! What the process says about itself: health, metrics, status.

use crate::path::redact;
use std::collections::BTreeSet;
use tailrace::telemetry::State;
use tailrace_tests::backend::{Backend, Mood};
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::http;
use tailrace_tests::ledger::assert_balanced;
use tailrace_tests::spans::Generator;

fn with_health(mut config: String) -> String {
    config = config.replace("service:\n", "service:\n  extensions: [health_check]\n");
    config.push_str("extensions: {health_check: {endpoint: '127.0.0.1:0'}}\n");
    config
}

/// 200 while the pipelines take data; 503 before that and while they drain, although requests are still answered.
#[tokio::test]
async fn health_check_tells_ready_from_draining() {
    let backend = Backend::start().await;
    let config = yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter("timeout: 60s"))]);
    let host = Host::start(&with_health(config)).await;
    let address = host.address("health_check");
    assert_eq!(http::get(address, "/").await.status, 200);
    assert_eq!(http::get(address, "/another").await.status, 404);
    host.telemetry().health().set(State::Starting);
    assert_eq!(http::get(address, "/").await.status, 503, "before the pipelines run");
    host.telemetry().health().set(State::Ready);
    assert_eq!(http::get(address, "/").await.status, 200);

    backend.set_mood(Mood::Hold);
    host.client().await.send(Generator::new(61).request(1)).await.unwrap();
    backend.until("a request that hangs", |backend| backend.calls() > 0).await;
    let mut states = host.telemetry().health().watch();
    let drain = tokio::spawn(host.stop());
    states.wait_for(|state| *state == State::Stopping).await.unwrap();
    let reply = http::get(address, "/").await;
    assert_eq!(reply.status, 503, "while it drains: {reply:?}");
    assert!(!drain.is_finished());
    backend.set_mood(Mood::Accept);
    assert_balanced(&drain.await.unwrap());
    assert_eq!(backend.span_count(), 10);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens after the end");
}

/// The metrics that dashboards use are there under the Collector's names, in text that Prometheus reads.
#[tokio::test]
async fn metrics_have_the_collectors_names() {
    let (_plugins, redact) = redact();
    let backend = Backend::start().await;
    let host = Host::start(&yaml(
        &["traces"],
        &[
            ("memory_limiter", "{check_interval: 1s, limit_mib: 4000}"),
            ("wasm/redact", &redact),
            (
                "tail_sampling",
                "{decision_wait: 1s, policies: [{name: some, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}",
            ),
            ("batch", "{timeout: 20ms}"),
        ],
        &[("otlp_grpc", &backend.exporter(""))],
    ))
    .await;
    host.client().await.send(Generator::new(62).request(50)).await.unwrap();
    host.until("rest", |host| host.totals().sent > 0 && host.totals().held == 0).await;
    let reply = http::get(host.address("metrics"), "/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    let names = check_prometheus_text(reply.text());
    for name in [
        "otelcol_receiver_accepted_spans_total",
        "otelcol_receiver_refused_spans_total",
        "otelcol_processor_incoming_items_total",
        "otelcol_processor_outgoing_items_total",
        "otelcol_processor_memory_limiter_accepted_spans_total",
        "otelcol_processor_memory_limiter_refused_spans_total",
        "otelcol_processor_batch_batch_send_size_bucket",
        "otelcol_processor_batch_timeout_trigger_send_total",
        "otelcol_processor_tail_sampling_count_traces_sampled_total",
        "otelcol_processor_tail_sampling_global_count_traces_sampled_total",
        "otelcol_processor_tail_sampling_new_trace_id_received_total",
        "otelcol_processor_tail_sampling_sampling_traces_on_memory",
        "otelcol_exporter_sent_spans_total",
        "otelcol_exporter_send_failed_spans_total",
        "otelcol_exporter_enqueue_failed_spans_total",
        "otelcol_exporter_queue_size",
        "otelcol_exporter_queue_capacity",
        "otelcol_process_uptime",
        "otelcol_process_cpu_seconds",
        "otelcol_process_memory_rss",
        "tailrace_plugin_generation",
        "tailrace_plugin_calls_total",
        "tailrace_held_items",
    ] {
        assert!(names.contains(name), "{name} is missing:\n{}", reply.text());
    }
    let policy = ["policy=\"some\"", "sampled=\"true\""];
    let sampled = host.metric("otelcol_processor_tail_sampling_count_traces_sampled_total", &policy);
    assert_eq!(sampled * 10.0, host.totals().sent as f64);
    assert_eq!(host.metric("otelcol_processor_tail_sampling_new_trace_id_received_total", &[]), 50.0);
    assert!(host.metric("otelcol_process_memory_rss", &[]) > 1e6);
    assert_eq!(http::get(host.address("metrics"), "/").await.status, 404);
    assert_balanced(&host.stop().await);
}

/// Every line is `name{labels} value` after a HELP and a TYPE of its family; gives the names.
fn check_prometheus_text(text: &str) -> BTreeSet<&str> {
    let (mut names, mut families) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(family), "{family} comes twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(families.contains(family) || families.contains(name), "{line} has no TYPE");
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            assert!(labels.starts_with('{') && labels.ends_with('}') && labels.contains('='), "{line}");
        }
        names.insert(name);
    }
    names
}

/// `GET /status` shows the state, the listeners, the ledger and the plugin.
#[tokio::test]
async fn status_shows_what_runs() {
    let (_plugins, redact) = redact();
    let backend = Backend::start().await;
    let processors = [("wasm/redact", redact.as_str())];
    let host = Host::start(&yaml(&["traces"], &processors, &[("otlp_grpc", &backend.exporter(""))])).await;
    host.client().await.send(Generator::new(63).request(2)).await.unwrap();
    host.until("rest", |host| host.totals().sent == 20).await;
    let status = host.status().await;
    assert_eq!(status["state"], "ready", "{status:#}");
    assert_eq!(status["listening"]["otlp/grpc"], host.grpc().to_string());
    let plugin = &status["components"]["processor:wasm/redact@traces"];
    assert_eq!(plugin["plugin"], "redact", "{status:#}");
    assert_eq!(plugin["interface"], "attributes");
    assert_eq!(plugin["generation"], 1);
    assert_eq!(plugin["values_removed"], 6, "user.email of every fourth span");
    let ledger = status["ledger"].as_array().unwrap();
    let line = ledger.iter().find(|line| line["component"] == "exporter:otlp_grpc").unwrap();
    assert_eq!((&line["accepted"], &line["handed_on"], &line["held"]), (&20.into(), &20.into(), &0.into()));
    assert_eq!(host.get("admin", "/").await.0, 404);
    assert_balanced(&host.stop().await);
}

/// A busy admin port is a warning, not a failure; `none` turns the listener off.
#[tokio::test]
async fn the_admin_listener_is_optional() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().map(|address| (address, taken)).unwrap();
    let backend = Backend::start().await;
    let source = format!("yaml:{}", yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(""))]));
    for admin in [Some(taken.0.to_string()), None] {
        let host = Host::start_with(std::slice::from_ref(&source), &[], admin.as_deref()).await.unwrap();
        assert_eq!(host.telemetry().status().address("admin"), None);
        host.client().await.send(Generator::new(64).request(1)).await.unwrap();
        assert_balanced(&host.stop().await);
    }
}

/// A busy receiver port is a failure that names the component, and leaves nothing behind that listens or holds.
#[tokio::test]
async fn a_busy_receiver_port_is_a_failure() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let backend = Backend::start().await;
    let config = yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(""))]);
    let source = format!("yaml:{}", config.replacen("127.0.0.1:0", &address.to_string(), 1));
    let error = Host::try_start(std::slice::from_ref(&source), &[]).await.err().unwrap();
    assert!(error.contains("otlp") && error.contains(&address.to_string()), "{error}");
    drop(taken);
    assert_balanced(&Host::try_start(&[source], &[]).await.unwrap().stop().await);
}
