//! What a plugin asks of the host, from a component compiled from source.

use super::super::tests::{batch, guests, incident, options, replaced, texts};
use crate::plugin::{Candidate, Incident, Limits, Options, Plugin};
use crate::telemetry::Metrics;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn load(config: &Value, limits: Limits, metrics: &Metrics) -> Plugin {
    let options = Options { limits, ..options(&config.to_string()) };
    let labels = [("processor", "wasm/imports"), ("pipeline", "traces"), ("plugin", "imports")];
    Plugin::load(&Candidate::new(guests::guest("imports")), options, metrics, &labels).unwrap()
}

/// What the guest answers to each question.
async fn ask(config: Value, questions: &[&str]) -> Vec<String> {
    let plugin = load(&config, options("").limits, &Metrics::default());
    let mut answers = Vec::new();
    for question in questions {
        answers.push(answer(&plugin, question).await);
    }
    answers
}

async fn answer(plugin: &Plugin, question: &str) -> String {
    texts(&replaced(plugin.run(&batch(&[&[("victim", question)]])).await)).remove(0)
}

/// Counted values are among the host's metrics, with labels that say whose they are.
#[tokio::test]
async fn series_are_the_hosts() {
    let metrics = Metrics::default();
    let plugin = load(&json!({"do": "count"}), Limits::default(), &metrics);
    for _ in 0..3 {
        assert_eq!(answer(&plugin, "0123456789").await, "counted");
    }
    let text = metrics.render();
    let labels = r#"processor="wasm/imports",pipeline="traces",plugin="imports""#;
    // Each batch has the attribute twice, once in an event.
    for line in [
        format!("# TYPE plugin_imports_seen counter\nplugin_imports_seen{{{labels}}} 6\n"),
        format!("# TYPE plugin_imports_last_length gauge\nplugin_imports_last_length{{{labels},unit=\"bytes\"}} 10\n"),
        format!("plugin_imports_lengths_bucket{{{labels},le=\"10\"}} 6\n"),
        format!("plugin_imports_lengths_sum{{{labels}}} 60\n"),
    ] {
        assert!(text.contains(&line), "{line}is not in\n{text}");
    }
    drop(plugin);
    assert!(!metrics.render().contains("plugin_imports"), "what is gone has no series");
}

/// A plugin that makes names of telemetry gets as many series as it may have, over all its instances; it works on.
#[tokio::test]
async fn series_have_an_end() {
    let metrics = Metrics::default();
    let limits = Limits { metric_series: 20, timeout: Duration::from_secs(5), ..Limits::default() };
    let plugin = load(&json!({"do": "flood", "size": 500}), limits, &metrics);
    let batches: Vec<_> = (0..8).map(|number| batch(&[&[("victim", format!("x{number}").as_str())]])).collect();
    let runs = batches.iter().map(|batch| plugin.run(batch)).collect();
    for ran in super::super::tests::futures_join(runs).await {
        assert_eq!(texts(&replaced(ran))[0], "flooded");
    }
    let series = metrics.render().lines().filter(|line| line.starts_with("plugin_flood_")).count();
    // Three were opened when it was made.
    assert_eq!(series, 17);
    let refused = metrics.total("tailrace_plugin_refused_series_total", &[]);
    assert!((7000.0..8000.0).contains(&refused), "{refused}");
}

#[tokio::test]
async fn hashes_are_those_of_everyone() {
    let answers = ask(
        json!({"do": "hash"}),
        &["md5  abc", "sha1 salt abc", "sha3-256  abc", "hmac-sha512 salt abc", "hmac-sha256  abc", "crc32  abc"],
    )
    .await;
    for (answer, expected) in answers.iter().zip([
        "900150983cd24fb0d6963f7d28e17f72",
        "f9ea891322cb966530ff146dcc6ab089f670c9eb",
        "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        "25635da551d8ad180bab2708fca1f04d3a776d145a7f1910c477c4666a21de2ce3116689a78bf66c6b2cab200eb790663698e2d34fdb641b92",
        "error: hmac-sha256 needs a key",
        "error: \"crc32\" is no hash algorithm",
    ]) {
        assert!(answer.starts_with(expected), "{answer}");
    }
    use sha2::{Digest as _, Sha256, Sha512};
    let answers = ask(json!({"do": "hash"}), &["sha256 k text", "sha512 k text"]).await;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(answers, [hex(&Sha256::digest("ktext")), hex(&Sha512::digest("ktext"))]);
}

#[tokio::test]
async fn patterns_match_find_capture_and_replace() {
    let with = |what: &str| json!({"do": what, "patterns": ["(?P<word>[a-z]+)=(?P<number>[0-9]+)?", "[0-9]{2,}"]});
    assert_eq!(ask(with("match"), &["a=1", "12", "", "b=22"]).await, ["[0]", "[1]", "[]", "[0, 1]"]);
    assert_eq!(ask(with("find"), &["a=1 bc=22"]).await, ["0:0..3 0:4..9 1:7..9"]);
    assert_eq!(ask(with("capture"), &["x a=1", "bc=", "12"]).await, ["word=a number=1 ", "word=bc ", "none"]);
    assert_eq!(ask(with("replace"), &["é a=1 333 b=4"]).await, ["é **** **** ****"]);
    let answers = ask(json!({"do": "compile more"}), &["again"]).await;
    assert!(answers[0].starts_with("63: this instance has 64 sets"), "{answers:?}");
}

/// A call into the host ends with the call into the guest, and hands back no more than that may.
#[tokio::test]
async fn calls_into_the_host_have_an_end() {
    let stubborn = ["[ab]*a[ab]{900}c"];
    for (config, kind, words) in [
        (json!({"do": "match in long", "patterns": stubborn, "size": 1_000_000}), Incident::Timeout, "computed"),
        (json!({"do": "find in long", "patterns": stubborn, "size": 1_000_000}), Incident::Timeout, "computed"),
        (json!({"do": "hash long", "size": 1_000_000}), Incident::Timeout, "computed"),
        (json!({"do": "find in long", "patterns": ["a"], "size": 500_000}), Incident::Output, "output_mib"),
        (json!({"do": "hash many", "size": 100_000}), Incident::Output, "output_mib"),
    ] {
        let timeout = if kind == Incident::Output { 20_000 } else { 20 };
        let limits = Limits { timeout: Duration::from_millis(timeout), output_bytes: 4 << 20, ..Limits::default() };
        let plugin = load(&config, limits, &Metrics::default());
        let start = Instant::now();
        let (incident, message) = incident(plugin.run(&batch(&[&[("victim", "ab")]])).await);
        assert_eq!(incident, kind, "{config}: {message}");
        assert!(message.contains(words), "{config}: {message}");
        assert!(kind == Incident::Output || start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    }
}

/// What is wrong with an expression is the operator's to read, when the plugin compiles it in `configure`.
#[tokio::test]
async fn bad_expressions_are_named() {
    let config = json!({"do": "match", "patterns": ["fine", "(oops"]}).to_string();
    let candidate = Candidate::new(guests::guest("imports"));
    let error = Plugin::load(&candidate, options(&config), &Metrics::default(), &[]).map(drop).unwrap_err();
    assert!(error.0.contains("expression 1, \"(oops\""), "{error}");
}

/// Not a test of anything, but the figures of the guide: `cargo test --release ... -- --ignored --nocapture what_do`.
#[tokio::test]
#[ignore = "a measurement"]
async fn what_do_calls_into_the_host_cost() {
    let limits = Limits { timeout: Duration::from_secs(60), ..Limits::default() };
    let plugin = load(&json!({"do": "record", "size": 1_000_000}), limits.clone(), &Metrics::default());
    println!("recording a value: {} ns", answer(&plugin, "x").await.parse::<f64>().unwrap() / 1e6);
    let patterns: Vec<_> = (0..20).map(|number| format!("[a-z]{{3}}-{number}[0-9]{{4}}\\b")).collect();
    let config = json!({"do": "match often", "size": 1000, "patterns": patterns});
    let plugin = load(&config, limits, &Metrics::default());
    let nanos: f64 = answer(&plugin, "GET /api/orders/12345678/items?sort=asc").await.parse().unwrap();
    println!("20 expressions in a text of 40 bytes, 1000 of them in a call: {} ns a text", nanos / 1000.0);
}
