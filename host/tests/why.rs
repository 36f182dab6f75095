//! `tailrace why` and `GET /tailsampling/why`, as somebody on call meets them: a collector in a process of its own, OTLP in, the
//! endpoint and the command beside it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tailrace_tests::backend::Backend;
use tailrace_tests::client::Client;
use tailrace_tests::host::yaml;
use tailrace_tests::http;
use tailrace_tests::process::Process;
use tailrace_tests::spans::{Generator, spans_of};

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

const SAMPLER: &str = "{
    decision_wait: 300ms, decision_history: {size: 50}, num_shards: 2,
    policies: [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
        {name: slow, type: latency, latency: {threshold_ms: 1000}}],
    shadow_policies: [{name: slower, type: latency, latency: {threshold_ms: 5000}}]}";

/// `tailrace why` with these arguments: exit code, standard output, standard error.
fn why(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command.arg("why").args(arguments).stdin(Stdio::null());
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Traces all of one kind, and their ids.
fn traces(seed: u64, errors_percent: u32, slow_percent: u32, count: usize) -> (ExportTraceServiceRequest, Vec<String>) {
    let mut generator = Generator::new(seed);
    (generator.errors_percent, generator.slow_percent) = (errors_percent, slow_percent);
    let request = generator.request(count);
    let mut ids: Vec<String> = spans_of(&request).map(|span| hex(&span.trace_id)).collect();
    ids.dedup();
    (request, ids)
}

/// Asks until the answer is as it is to be.
async fn until(admin: SocketAddr, query: &str, enough: impl Fn(u16, &Value) -> bool) -> Value {
    let ask = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let reply = http::get(admin, &format!("/tailsampling/why{query}")).await;
            let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
            if enough(reply.status, &body) {
                return body;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.expect("an answer in time")
}

#[tokio::test]
async fn on_call() {
    let backend = Backend::start().await;
    let config =
        yaml(&["traces"], &[("tail_sampling/shop", SAMPLER)], &[("otlp_grpc", &backend.exporter("compression: none"))]);
    let process = Process::start(Path::new(env!("CARGO_BIN_EXE_tailrace")), &config).await;
    let (admin, grpc) = (process.address("admin").await, process.address("otlp/grpc").await);
    let client = Client::connect(grpc).await;
    let url = format!("http://{admin}");
    let (errors, error_ids) = traces(71, 100, 0, 1);
    let (slow, slow_ids) = traces(72, 0, 100, 1);
    let (others, other_ids) = traces(73, 0, 0, 1);
    for request in [&errors, &slow, &others] {
        client.send(request.clone()).await.unwrap();
    }
    let decided =
        |status, body: &Value| status == 200 && body["decisions"].as_array().is_some_and(|all| all.len() == 3);
    until(admin, "", decided).await;

    // The endpoint.
    let body = until(admin, &format!("?trace_id={}", slow_ids[0]), |status, _| status == 200).await;
    let decision = &body["decisions"][0];
    assert_eq!(decision["outcome"], "sampled", "{body:#}");
    assert_eq!(
        (&decision["decided_by"], &decision["processor"]),
        (&"slow".into(), &"tail_sampling/shop@traces".into())
    );
    assert_eq!((&decision["spans"], &decision["duration_seconds"]), (&10.into(), &2.0.into()));
    assert_eq!((&decision["shadow"]["agrees"], &decision["shadow"]["outcome"]), (&false.into(), &"not_sampled".into()));
    for (path, status, words) in [
        ("/tailsampling/why?trace_id=4bf9", 400, "32 hexadecimal digits"),
        ("/tailsampling/why?tarce_id=4bf9", 400, "did you mean trace_id?"),
        ("/tailsampling/why?trace_id=4bf92f3577b34da6a3ce929d0e0e4736", 404, "remembers all decisions since 20"),
    ] {
        let reply = http::get(admin, path).await;
        assert!(reply.status == status && reply.text().contains(words), "{path}: {} {}", reply.status, reply.text());
    }
    let reply = http::post(admin, "/tailsampling/why", "text/plain", "").await;
    assert_eq!(reply.status, 405);

    // The command.
    let (code, out, err) = why(&[&error_ids[0], "--admin", &url]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for words in [
        "kept by policy errors, in tail_sampling/shop@traces",
        "10 spans, 1 error, 50 ms long",
        "decision_wait was over",
        "    errors  sampled  <- decided",
        "shadow policies would not have kept it: they disagree",
    ] {
        assert!(out.contains(words), "{words:?} is not in\n{out}");
    }
    let (code, out, _) = why(&[&other_ids[0].to_uppercase(), "--url", &url, "--json"]);
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &answer["decisions"][0]["outcome"]), (Some(0), &"not_sampled".into()));
    let (code, out, _) = why(&["4bf92f3577b34da6a3ce929d0e0e4736", "--url", &url]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("nothing is known of this trace: tail_sampling/shop@traces remembers all"), "{out}");
    let (code, _, err) = why(&["4bf9", "--url", &url]);
    assert!(code == Some(2) && err.contains("has 4 characters"), "{code:?} {err}");
    let (code, _, err) = why(&["4bf92f3577b34da6a3ce929d0e0e4736", "--url", "http://127.0.0.1:1"]);
    assert!(code == Some(2) && err.contains("does a collector run there?"), "{code:?} {err}");
    let (code, out, _) = why(&["--disagree", "--url", &url]);
    assert!(code == Some(0) && out.lines().count() == 3 && !out.contains(&other_ids[0]), "{out}");
    let (code, out, _) = why(&["--outcome", "dropped", "--url", &url]);
    assert_eq!((code, out.as_str()), (Some(0), "no such decision among the 3 that are remembered\n"));

    // Late spans follow, and are counted where the decision stands.
    let mut late = errors.clone();
    late.resource_spans[0].scope_spans[0].spans.truncate(4);
    for (i, span) in late.resource_spans[0].scope_spans[0].spans.iter_mut().enumerate() {
        span.span_id = vec![9, 9, 9, 9, 9, 9, 9, i as u8 + 1];
    }
    client.send(late).await.unwrap();
    let counted = |_, body: &Value| body["decisions"][0]["late_spans"] == 4;
    until(admin, &format!("?trace_id={}", error_ids[0]), counted).await;
    let (_, out, _) = why(&[&error_ids[0], "--url", &url]);
    assert!(out.contains("4 late spans, the last") && out.contains("after the decision; kept as well"), "{out}");
    backend.until("the kept spans", |backend| backend.span_count() == 24).await;

    // The oldest is forgotten when there are too many.
    let (many, _) = traces(74, 0, 0, 200);
    client.send(many).await.unwrap();
    let all = "?limit=1000";
    until(admin, all, |_, body| body["decisions"].as_array().is_some_and(|all| all.len() == 50)).await;
    let body =
        until(admin, &format!("?trace_id={}", error_ids[0]), |_, body| body["decisions"] == Value::Array(vec![])).await;
    assert_eq!(body["processors"][0]["decided_before"], "sampled", "{body:#}");
    let (code, out, _) = why(&[&error_ids[0], "--url", &url]);
    assert!(code == Some(0) && out.starts_with("kept by tail_sampling/shop@traces, longer ago than"), "{out}");
}
