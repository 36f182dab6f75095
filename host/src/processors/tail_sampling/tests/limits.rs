//! Traces that grow without end, what is counted of spans, and memory under overload.

use super::*;
use crate::pdata::Limits;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;

/// A trace that reaches `maximum_trace_spans` is decided at once on what has arrived, and counted; what comes later follows.
#[tokio::test(start_paused = true)]
async fn a_trace_with_all_the_spans_it_may_have() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 30s, maximum_trace_spans: 4}}")).await;
    stage.put(&[span(1, "a"), error(1, "b"), span(2, "x")]).await.unwrap();
    stage.put(&[span(1, "c"), span(2, "y"), span(2, "z")]).await.unwrap();
    pass(600).await;
    assert_eq!((stage.next.sizes().len(), line(&stage.context).held), (0, 6));
    // The last of them, one that is as good as late, and the whole of another that is not kept.
    stage.put(&[span(1, "d"), span(2, "zz"), span(1, "e"), error(2, "late")]).await.unwrap();
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b", "c", "d", "e"]);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (5, 0));
    pass(30_000).await;
    stage.put(&[span(1, "f"), error(2, "later")]).await.unwrap();
    pass(600).await;
    assert_eq!(stage.next.spans().len(), 6);
    let early = stage.context.telemetry.metrics();
    let of =
        |reason: &str| early.total("tailrace_tail_sampling_decided_early_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!((of("maximum_trace_spans"), of("num_traces"), of("max_memory_mib")), (2.0, 0.0, 0.0));
    assert_eq!(stage.metric("sampling_trace_dropped_too_early_total", ""), 2.0);
    assert_eq!(stage.metric("new_trace_id_received_total", ""), 2.0);
    assert_eq!(stage.metric("sampling_traces_on_memory", ""), 0.0);
}

/// Those that have waited longest make room. A trace whose root has just come is due sooner than they are, and yet waits for its spans.
#[tokio::test(start_paused = true)]
async fn a_root_that_has_just_come_does_not_make_room() {
    let waits = "decision_wait: 60s, decision_wait_after_root_received: 5s";
    for limit in ["num_traces: 4", "num_traces: 4, shadow_policies: [{name: s, type: always_sample}]"] {
        let stage = Stage::start(&format!("{{{ERRORS}, {waits}, num_shards: 1, {limit}}}")).await;
        stage.put(&[error(1, "1a"), span(2, "2a"), error(3, "3a")]).await.unwrap();
        pass(100).await;
        stage.put(&[TestSpan { root: true, ..span(4, "4a") }]).await.unwrap();
        pass(100).await;
        stage.put(&[span(5, "5a"), span(6, "6a"), error(4, "4b")]).await.unwrap();
        pass(600).await;
        assert_eq!(names(&stage.next.spans()), ["1a"], "the two oldest");
        assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (1, 5));
        pass(5_000).await;
        assert_eq!(names(&stage.next.spans()), ["1a", "4a", "4b"], "decided on all of it");
    }
}

/// How late late spans are, in seconds since the decision.
#[tokio::test(start_paused = true)]
async fn late_span_age() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s}}")).await;
    stage.put(&[error(1, "a"), span(2, "b")]).await.unwrap();
    pass(1_050).await;
    assert_eq!(stage.metric("sampling_late_span_age", ""), 0.0);
    pass(60_000).await;
    stage.put(&[span(1, "c")]).await.unwrap();
    pass(140_000).await;
    stage.put(&[span(2, "d"), span(3, "in time")]).await.unwrap();
    let text = stage.context.telemetry.metrics().render();
    let shown = |suffix: &str| {
        let lines = text.lines().filter(|line| line.contains(&format!("sampling_late_span_age{suffix}")));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((shown("_count"), shown("_sum")), (vec![2], vec![60 + 200]));
}

/// Spans and bytes are counted by policy and vote, those of a trace once it is decided.
#[tokio::test(start_paused = true)]
async fn spans_and_bytes_by_vote() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s}}")).await;
    let spans = [error(1, "a"), span(1, "b"), span(1, "c"), span(2, "d")];
    stage.put(&spans).await.unwrap();
    pass(1_100).await;
    let count = |what: &str, decision: &str| {
        stage.metric(&format!("count_{what}_sampled_total"), &format!("policy=\"errors\",decision=\"{decision}\""))
    };
    assert_eq!((count("traces", "sampled"), count("spans", "sampled")), (1.0, 3.0));
    assert_eq!((count("traces", "not_sampled"), count("spans", "not_sampled")), (1.0, 1.0));
    assert_eq!(count("spans", "dropped"), 0.0);
    let record = |span: &TestSpan| batch(std::slice::from_ref(span)).index().items[0].len as f64 + 2.0;
    assert_eq!(count("bytes", "not_sampled"), record(&spans[3]));
    assert_eq!(count("bytes", "sampled"), spans[..3].iter().map(record).sum::<f64>());
}

/// Traces of tens of thousands of runs, kept or not, that come to their end in each of the ways there are: all of their spans
/// come out or are counted, in pieces, and others are decided in between.
#[tokio::test(start_paused = true)]
async fn giants() {
    let ends = [
        "maximum_trace_spans: 12000",
        "maximum_trace_size_bytes: 400000",
        "max_memory_mib: 2",
        "decision_wait: 5s",
        "num_traces: 3",
        "maximum_trace_spans: 0",
    ];
    for end in ends {
        let stage = Stage::start(&format!("{{{ERRORS}, num_shards: 1, {end}}}")).await;
        for number in 0..60_u64 {
            // Neighbours differ in trace and resource, so that every span is a run.
            let of = |i: u64| TestSpan {
                resource: (i / 2 % 3) as u8,
                error: i == 7 && number == 3,
                ..span(i % 2, &format!("{number} {i}"))
            };
            let mut spans: Vec<TestSpan> = (0..500).map(of).collect();
            spans.push(error(100 + number, "small"));
            stage.put(&spans).await.unwrap();
            pass(100).await;
            line(&stage.context);
        }
        stage.shutdown(Duration::from_secs(60)).await;
        let line = line(&stage.context);
        assert_eq!((line.taken, line.held), (60 * 501, 0), "{end}");
        let dropped: u64 = line.dropped.values().sum();
        assert_eq!(stage.next.spans().len() as u64 + dropped, line.taken, "{end}");
        let small = stage.next.spans().iter().filter(|span| span.name == "small").count();
        assert_eq!(small, 60, "{end}");
        let kept = stage.next.spans().len() - small;
        match end {
            // The second of them has the error.
            "maximum_trace_spans: 12000" | "decision_wait: 5s" | "maximum_trace_spans: 0" => {
                assert_eq!((kept, dropped), (15_000, 15_000), "{end}");
            }
            "maximum_trace_size_bytes: 400000" => assert_eq!((kept, line.dropped.contains_key("too_large")), (0, true)),
            _ => {}
        }
        let traces = stage.metric("sampling_traces_on_memory", "");
        let bytes = stage.context.telemetry.metrics().total("tailrace_tail_sampling_segment_bytes", &[]);
        assert_eq!((traces, bytes), (0.0, 0.0), "{end}");
    }
}

/// A hundred thousand undecided traces share a resource of 200 KiB: it is held once, and so fits a budget of 32 MiB; and its
/// spans leave with it.
#[tokio::test(start_paused = true)]
async fn giant_resource() {
    let stage = Stage::start(&format!("{{{ALL}, num_shards: 2, num_traces: 200000, max_memory_mib: 32}}")).await;
    let value = Some(AnyValue { value: Some(Value::StringValue("x".repeat(200 << 10))) });
    let resource = Resource {
        attributes: vec![KeyValue { key: "labels".to_owned(), value, ..KeyValue::default() }],
        ..Resource::default()
    };
    for first in (0..100_000).step_by(1_000) {
        let span = |trace| Span { trace_id: id(trace), span_id: vec![1; 8], ..Span::default() };
        let spans = (first..first + 1_000).map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource = ResourceSpans { resource: Some(resource.clone()), scope_spans, ..ResourceSpans::default() };
        let data = TracesData { resource_spans: vec![resource] }.encode_to_vec();
        let batch = Batch::validate(Signal::Traces, data.into(), &Limits::default()).unwrap();
        put(&*stage.processor, &stage.context, batch).await.unwrap();
    }
    assert_eq!(line(&stage.context).held, 100_000);
    assert_eq!(stage.metric("sampling_trace_dropped_too_early_total", ""), 0.0);
    stage.shutdown(Duration::from_secs(60)).await;
    assert_eq!((line(&stage.context).handed_on, line(&stage.context).held), (100_000, 0));
    assert!(stage.next.contexts().iter().all(|contexts| *contexts == (1, 1)));
}

/// Every metric that the Collector's processor has is there from the start, under its name and with its labels.
#[tokio::test(start_paused = true)]
async fn the_metrics_of_the_collector() {
    let stage = Stage::start(&format!("{{{ERRORS}}}")).await;
    let text = stage.context.telemetry.metrics().render();
    let check = |name: &str, labels: &[&str]| {
        let full = format!("otelcol_processor_tail_sampling_{name}");
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && line.starts_with(&full));
        let line = lines.next().unwrap_or_else(|| panic!("no {full}"));
        assert!(labels.iter().all(|label| line.contains(&format!("{label}=\""))), "{line}");
    };
    for what in ["bytes", "spans", "traces"] {
        check(&format!("count_{what}_sampled_total"), &["policy", "sampled", "decision"]);
    }
    check("global_count_traces_sampled_total", &["sampled", "decision"]);
    check("early_releases_from_cache_decision_total", &["sampled"]);
    check("sampling_policy_execution_count_total", &["policy"]);
    check("sampling_policy_execution_time_sum_total", &["policy"]);
    for name in [
        "count_spans_with_unparseable_tracestate_total",
        "new_trace_id_received_total",
        "sampling_decision_timer_latency_bucket",
        "sampling_late_span_age_bucket",
        "sampling_policy_evaluation_error_total",
        "sampling_trace_dropped_too_early_total",
        "sampling_trace_removal_age_bucket",
        "sampling_traces_on_memory",
        "traces_dropped_too_large_total",
    ] {
        check(name, &[]);
    }
}
