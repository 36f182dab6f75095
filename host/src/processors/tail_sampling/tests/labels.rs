//! What is written on kept spans: tracestate, scope attributes, span attributes.

use super::super::inner::lock;
use super::super::shard::{Plan, Which};
use super::*;
use crate::pdata::{Batch, Limits, Signal};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData, status::StatusCode};
use prost::Message;

/// A span with this name, which may be an error, of the trace whose randomness this is.
fn labelled(randomness: u64, name: &str, trace_state: &str, error: bool) -> Span {
    let code = if error { StatusCode::Error } else { StatusCode::Unset };
    Span {
        trace_id: [&[9; 8], &randomness.to_be_bytes()[..]].concat(),
        span_id: vec![7; 8],
        name: name.into(),
        trace_state: trace_state.into(),
        status: Some(opentelemetry_proto::tonic::trace::v1::Status { code: code as i32, ..Default::default() }),
        ..Span::default()
    }
}

impl Stage {
    async fn put_spans(&self, spans: Vec<Span>) {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let data = TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let batch = Batch::validate(Signal::Traces, data.encode_to_vec().into(), &Limits::default()).unwrap();
        put(&*self.processor, &self.context, batch).await.unwrap();
    }

    /// Name, tracestate, attributes of the span and attributes of the scope of what came out, in order of the names.
    fn out(&self) -> Vec<(String, String, String, String)> {
        let mut out = Vec::new();
        for scope in self.next.requests().into_iter().flat_map(|data| data.resource_spans).flat_map(|it| it.scope_spans)
        {
            let of_scope = scope.scope.map(|scope| text(&scope.attributes)).unwrap_or_default();
            let of_span = |span: Span| (span.name, span.trace_state, text(&span.attributes), of_scope.clone());
            out.extend(scope.spans.into_iter().map(of_span));
        }
        out.sort();
        out
    }
}

fn text(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(value) => format!("{}={value}", attribute.key),
        Value::DoubleValue(value) => format!("{}={value}", attribute.key),
        Value::BoolValue(value) => format!("{}={value}", attribute.key),
        other => format!("{}={other:?}", attribute.key),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn out(name: &str, trace_state: &str, span: &str, scope: &str) -> (String, String, String, String) {
    (name.into(), trace_state.into(), span.into(), scope.into())
}

const HALF: u64 = 1 << 55;
const POLICIES: &str = "policies: [
    {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
    {name: quarter, type: and, and: {and_sub_policy: [
        {name: a, type: probabilistic, probabilistic: {sampling_percentage: 25}},
        {name: b, type: probabilistic, probabilistic: {sampling_percentage: 50}}]}},
    {name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}]";

/// Traces about which other samplers said something are chosen by their randomness; kept spans say with which threshold: the
/// least strict of all who wanted the trace, or their own if that is stricter. Late spans stay as they are.
#[tokio::test(start_paused = true)]
async fn consistent_probability() {
    let stage = Stage::start(&format!(
        "{{{POLICIES}, use_tracestate: true, decision_wait: 1s, span_attributes: {{policy: kept.by, probability: kept.share}}}}"
    ))
    .await;
    stage
        .put_spans(vec![
            labelled(HALF, "1a", "ot=th:0", false),
            labelled(HALF, "1b", "x=y", false),
            labelled(HALF, "1c", "not valid", false),
            labelled(HALF, "1d", "ot=th:e;p:1", false),
            labelled(HALF - 1, "2", "ot=th:0", false),
            // Not the bits of the id count, but those that are said.
            labelled(0, "3a", "", false),
            labelled(0, "3b", "ot=rv:c0000000000000", false),
            labelled(u64::MAX, "4", "ot=rv:00000000000000", false),
            labelled(1, "5", "ot=th:0;rv:00000000000001", true),
        ])
        .await;
    pass(1_100).await;
    stage.put_spans(vec![labelled(HALF, "1e", "ot=th:0", false)]).await;
    pass(1_100).await;
    assert_eq!(
        stage.out(),
        [
            out("1a", "ot=th:8", "kept.by=half kept.share=0.5", ""),
            out("1b", "ot=th:8,x=y", "kept.by=half kept.share=0.5", ""),
            out("1c", "not valid", "kept.by=half kept.share=0.5", ""),
            out("1d", "ot=th:e;p:1", "kept.by=half kept.share=0.125", ""),
            out("1e", "ot=th:0", "kept.by=half", ""),
            out("3a", "ot=th:8", "kept.by=quarter kept.share=0.5", ""),
            out("3b", "ot=rv:c0000000000000;th:8", "kept.by=quarter kept.share=0.5", ""),
            out("5", "ot=rv:00000000000001;th:0", "kept.by=errors kept.share=1", ""),
        ]
    );
    assert_eq!(stage.metric("count_spans_with_unparseable_tracestate_total", ""), 1.0);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (2, 0));
}

/// A limiter keeps the most random traces of a tick, so that their threshold is true; what it keeps does not exceed the limit.
#[tokio::test(start_paused = true)]
async fn a_limit_with_a_threshold() {
    let policies = "policies: [{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 4}},
        {name: no, type: drop, drop: {drop_sub_policy: [{name: e, type: status_code, status_code: {status_codes: [ERROR]}}]}}]";
    let stage = Stage::start(&format!("{{{policies}, use_tracestate: true, decision_wait: 1s, num_shards: 1}}")).await;
    let spans = (0..16u64).map(|i| labelled(i << 52, &format!("{i:02}"), "", false));
    // Those that are dropped use up nothing, random as they may be.
    let dropped = (0..4).map(|i| labelled(u64::MAX - i, "dropped", "", true));
    stage.put_spans(spans.chain(dropped).collect()).await;
    pass(1_100).await;
    let expected: Vec<_> = (8..16).map(|i| out(&format!("{i:02}"), "ot=th:70000000000001", "", "")).collect();
    assert_eq!(stage.out(), expected);
    assert_eq!((stage.dropped("not_sampled"), stage.dropped("dropped_by_policy")), (8, 4));
    // Enough for all: nobody is throttled.
    stage.put_spans(vec![labelled(7, "later", "", false)]).await;
    pass(1_100).await;
    assert_eq!(stage.out().last().unwrap(), &out("later", "ot=th:0", "", ""));
}

/// The scope says which policy kept the trace, which part of a composite one wanted it, and that spans came late. Spans of one
/// scope that different policies kept do not share it any more.
#[tokio::test(start_paused = true)]
async fn recorded_policies() {
    let policies = "policies: [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
        {name: budget, type: composite, composite: {max_total_spans_per_second: 10, policy_order: [large, rest], composite_sub_policy: [
            {name: large, type: span_count, span_count: {min_spans: 2}}, {name: rest, type: always_sample}]}}]";
    let stage = Stage::start(&format!("{{{policies}, record_policy: true, decision_wait: 1s}}")).await;
    let plain = |trace, name: &str| labelled(trace, name, "", false);
    let spans = vec![plain(1, "1a"), plain(2, "2"), labelled(3, "3", "", true), plain(1, "1b")];
    stage.put_spans(spans).await;
    pass(1_100).await;
    stage.put_spans(vec![plain(3, "3 late"), plain(2, "2 late"), labelled(0, "stray", "", true)]).await;
    stage.shutdown(Duration::from_secs(5)).await;
    let (policy, part) = ("tailsampling.policy", "tailsampling.composite_policy");
    assert_eq!(
        stage.out(),
        [
            out("1a", "", "", &format!("{policy}=budget {part}=large")),
            out("1b", "", "", &format!("{policy}=budget {part}=large")),
            out("2", "", "", &format!("{policy}=budget {part}=rest")),
            out("2 late", "", "", &format!("{policy}=budget tailsampling.cached_decision=true")),
            out("3", "", "", &format!("{policy}=errors {part}=rest")),
            out("3 late", "", "", &format!("{policy}=errors tailsampling.cached_decision=true")),
            out("stray", "", "", &format!("{policy}=errors {part}=rest")),
        ]
    );
}

/// With `span-ingest` everything that leaves with a decision says so, also what was stored before.
#[tokio::test(start_paused = true)]
async fn on_ingest() {
    let policies = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";
    let stage = Stage::start(&format!(
        "{{{policies}, sampling_strategy: span-ingest, record_policy: true, use_tracestate: true, decision_wait: 1s}}"
    ))
    .await;
    stage.put_spans(vec![labelled(1, "a", "", false)]).await;
    stage.put_spans(vec![labelled(1, "b", "", true)]).await;
    stage.put_spans(vec![labelled(1, "c", "", false)]).await;
    pass(600).await;
    let by = "tailsampling.policy=errors";
    let late = format!("{by} tailsampling.cached_decision=true");
    assert_eq!(stage.out(), [out("a", "ot=th:0", "", by), out("b", "ot=th:0", "", by), out("c", "", "", &late)]);
}

/// Traces that make room are measured by the plan that there is: none is made for them.
#[tokio::test(start_paused = true)]
async fn room_is_made_by_the_plan_that_there_is() {
    let policy = "policies: [{name: few, type: rate_limiting, rate_limiting: {spans_per_second: 1}}]";
    let stage = Stage::start(&format!("{{{policy}, use_tracestate: true, num_shards: 1}}")).await;
    stage.put(&[span(1, "a")]).await.unwrap();
    let plan = |which| {
        let mut plans = Vec::new();
        stage.processor.inner.each_shard(|shard| plans.push(lock(shard).plan_some(which, 0)));
        plans
    };
    assert!(matches!(plan(Which::Oldest { room_for: 1 })[..], [Plan::Nothing]));
    assert!(matches!(plan(Which::Any)[..], [Plan::Heard { shard: 0, .. }]));
}
