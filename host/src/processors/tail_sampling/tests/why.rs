//! Why: every decision can be explained while it is remembered, and shadow policies change none.

use super::*;
use crate::telemetry::decisions::{Answer, Because, Question, Verdict};
use serde_json::{Value, json};

fn about(trace: u64) -> Question {
    Question { trace_id: id(trace).try_into().ok(), limit: 20, ..Question::default() }
}

fn latest() -> Question {
    Question { limit: 20, ..Question::default() }
}

impl Stage {
    fn ask(&self, question: &Question) -> Answer {
        self.context.telemetry.decisions().ask(question).remove("tail_sampling@traces").unwrap()
    }

    /// The only decision about a trace.
    fn why(&self, trace: u64) -> Value {
        let mut answer = self.ask(&about(trace));
        assert!(answer.known && answer.decisions.len() == 1, "{answer:#?}");
        answer.decisions.remove(0).1
    }

    fn traces(&self, question: &Question) -> Vec<String> {
        let decisions = self.ask(question).decisions;
        decisions.iter().map(|(_, decision)| decision["trace_id"].as_str().unwrap().to_owned()).collect()
    }
}

fn hex(trace: u64) -> String {
    id(trace).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// These keys of a decision have these values.
fn check(decision: &Value, expected: Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&decision[key], value, "{key} of {decision:#}");
    }
}

const POLICIES: &str = "policies: [
    {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
    {name: long, type: latency, latency: {threshold_ms: 100}},
    {name: no-noise, type: drop, drop: {drop_sub_policy: [
        {name: many, type: span_count, span_count: {min_spans: 3}}]}}]";

/// What a policy wanted, who had the last word, what was known then, and what came later.
#[tokio::test(start_paused = true)]
async fn each_outcome_with_its_votes_and_evidence() {
    let stage = Stage::start(&format!("{{{POLICIES}, decision_wait: 1s, num_shards: 3}}")).await;
    let long = TestSpan { start_ms: 1_000, end_ms: 1_250, root: true, ..span(1, "a") };
    stage.put(&[long, TestSpan { start_ms: 1_100, end_ms: 1_200, ..error(1, "b") }, span(2, "c")]).await.unwrap();
    stage.put(&[span(3, "d"), span(3, "e"), error(3, "f")]).await.unwrap();
    let waits = stage.ask(&about(1));
    assert!(waits.known && waits.decisions.is_empty(), "{waits:#?}");
    check(
        &waits.memory["undecided"],
        json!({"spans": 2, "errors": 1, "decision_in_seconds": 1.0, "duration_seconds": 0.25}),
    );
    pass(1_500).await;

    let kept = stage.why(1);
    let vote = |policy: &str, vote: &str| json!({"policy": policy, "vote": vote});
    check(
        &kept,
        json!({
            "trace_id": hex(1), "processor": "tail_sampling@traces", "outcome": "sampled", "decided_by": "errors",
            "because": "due", "policies_version": 1, "spans": 2, "errors": 1, "root_span": true, "duration_seconds": 0.25,
            "held_seconds": 1.0, "seconds_ago": 0.5, "late_spans": 0,
            "votes": [vote("no-noise", "not_sampled"), vote("errors", "sampled"), vote("long", "sampled")],
        }),
    );
    assert!(kept["bytes"].as_u64().unwrap() > 100 && kept.get("shadow").is_none(), "{kept:#}");
    check(
        &stage.why(2),
        json!({
            "outcome": "not_sampled", "decided_by": null, "spans": 1, "errors": 0, "root_span": false,
            "votes": [vote("no-noise", "not_sampled"), vote("errors", "not_sampled"), vote("long", "not_sampled")],
        }),
    );
    check(
        &stage.why(3),
        json!({
            "outcome": "dropped", "decided_by": "no-noise", "spans": 3,
            "votes": [vote("no-noise", "dropped"), vote("errors", "not_asked"), vote("long", "not_asked")],
        }),
    );

    stage.put(&[span(1, "late"), error(2, "late")]).await.unwrap();
    pass(2_000).await;
    stage.put(&[span(1, "later"), span(1, "later")]).await.unwrap();
    check(&stage.why(1), json!({"late_spans": 3, "last_late_after_seconds": 2.5, "spans": 2}));
    check(&stage.why(2), json!({"late_spans": 1, "last_late_after_seconds": 0.5, "outcome": "not_sampled"}));
    let unknown = stage.ask(&about(9));
    assert!(!unknown.known && unknown.decisions.is_empty());
    check(&unknown.memory["decision_history"], json!({"size": 10_002, "decisions": 3}));
}

/// Why a decision came when it came.
#[tokio::test(start_paused = true)]
async fn each_reason() {
    let stage = Stage::start(&format!(
        "{{{ERRORS}, num_traces: 3, num_shards: 1, decision_wait: 10s, decision_wait_after_root_received: 2s, maximum_trace_size_bytes: 1000}}"
    ))
    .await;
    let large = TestSpan { ballast: 600, ..span(1, "large") };
    stage.put(&[error(0, "a"), large.clone(), span(2, "b"), span(3, "c")]).await.unwrap();
    check(
        &stage.why(0),
        json!({"because": "num_traces", "outcome": "sampled", "decided_by": "errors", "held_seconds": 0.0}),
    );
    pass(500).await;
    stage.put(&[large]).await.unwrap();
    check(
        &stage.why(1),
        json!({"because": "maximum_trace_size_bytes", "outcome": "too_large", "spans": 2, "decided_by": null}),
    );
    assert!(stage.why(1)["bytes"].as_u64().unwrap() > 1200);
    stage.put(&[TestSpan { root: true, ..error(2, "root") }]).await.unwrap();
    pass(3_000).await;
    check(&stage.why(2), json!({"because": "root", "outcome": "sampled", "root_span": true}));
    pass(8_000).await;
    check(&stage.why(3), json!({"because": "due", "outcome": "not_sampled"}));
    stage.put(&[error(4, "d"), span(5, "e")]).await.unwrap();
    stage.shutdown(Duration::from_secs(5)).await;
    check(&stage.why(4), json!({"because": "shutdown", "outcome": "sampled"}));

    let stage = Stage::start(&format!("{{{ERRORS}, drop_pending_traces_on_shutdown: true}}")).await;
    stage.put(&[error(1, "a")]).await.unwrap();
    stage.shutdown(Duration::from_secs(5)).await;
    check(&stage.why(1), json!({"because": "shutdown", "outcome": "undecided", "spans": 1}));

    let stage = Stage::start(&format!("{{{ERRORS}, max_memory_mib: 1, num_shards: 1}}")).await;
    let large = |trace| TestSpan { ballast: 100_000, ..span(trace, "large") };
    stage.put(&(0..20).map(large).collect::<Vec<_>>()).await.unwrap();
    check(&stage.why(0), json!({"because": "max_memory_mib", "outcome": "not_sampled"}));
}

/// The oldest decisions are forgotten. Of those the cache still knows the outcome, and late spans are remembered by themselves.
#[tokio::test(start_paused = true)]
async fn beyond_the_history() {
    let stage =
        Stage::start(&format!("{{{ERRORS}, decision_wait: 1s, num_shards: 1, decision_history: {{size: 3}}}}")).await;
    for trace in 0..6 {
        stage.put(&[if trace % 2 == 0 { error(trace, "a") } else { span(trace, "a") }]).await.unwrap();
        pass(1_500).await;
    }
    assert_eq!(stage.traces(&latest()), [5, 4, 3].map(hex));
    let forgotten = stage.ask(&about(2));
    assert!(forgotten.known && forgotten.decisions.is_empty());
    check(&forgotten.memory, json!({"decided_before": "sampled"}));
    check(&forgotten.memory["decision_history"], json!({"size": 3, "decisions": 3, "reaches_back_seconds": 3.5}));
    check(&stage.ask(&about(1)).memory, json!({"decided_before": "not_sampled"}));

    stage.put(&[span(2, "late")]).await.unwrap();
    stage.put(&[span(2, "late"), span(2, "late")]).await.unwrap();
    let late = stage.why(2);
    check(&late, json!({"because": "late", "outcome": "sampled", "late_spans": 3}));
    assert!(late.get("votes").is_none() && late.get("spans").is_none(), "what is not known is not there: {late:#}");
    assert_eq!(stage.traces(&latest()), [2, 5, 4].map(hex));
}

/// With 0 nothing is remembered, and the cache still answers.
#[tokio::test(start_paused = true)]
async fn no_history() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s, decision_history: {{size: 0}}}}")).await;
    stage.put(&[error(1, "a")]).await.unwrap();
    pass(1_500).await;
    stage.put(&[span(1, "late")]).await.unwrap();
    let answer = stage.ask(&about(1));
    assert!(answer.decisions.is_empty() && stage.traces(&latest()).is_empty());
    check(&answer.memory, json!({"decided_before": "sampled"}));
    check(&answer.memory["decision_history"], json!({"size": 0, "bytes": 0}));
}

/// Spans without a trace id are decided one by one and not remembered: they would push out everything else.
#[tokio::test(start_paused = true)]
async fn strays_are_not_remembered() {
    let stage = Stage::start(&format!("{{{ERRORS}}}")).await;
    stage.put(&[TestSpan { trace: vec![], ..error(0, "a") }]).await.unwrap();
    assert_eq!(stage.ask(&latest()).memory["decision_history"]["decisions"], 0);
}

/// The latest decisions, by what somebody looks for.
#[tokio::test(start_paused = true)]
async fn filters() {
    let stage = Stage::start(&format!("{{{POLICIES}, decision_wait: 1s, num_shards: 4}}")).await;
    for trace in 0..300 {
        let mut spans = vec![if trace % 3 == 0 { error(trace, "a") } else { span(trace, "a") }];
        if trace % 5 == 0 {
            spans.extend([span(trace, "b"), span(trace, "c")]);
        }
        stage.put(&spans).await.unwrap();
        pass(100).await;
    }
    pass(1_500).await;
    let expect = |question: Question, wanted: fn(u64) -> bool| {
        let expected: Vec<String> =
            (0..300).rev().filter(|trace| wanted(*trace)).take(question.limit).map(hex).collect();
        assert!(!expected.is_empty());
        // Ticks decide several at a time, in any order of the shards.
        let (mut found, mut expected) = (stage.traces(&question), expected);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{question:?}");
    };
    expect(Question { limit: 1000, ..latest() }, |_| true);
    expect(Question { verdict: Some(Verdict::Sampled), limit: 1000, ..latest() }, |trace| {
        trace % 3 == 0 && trace % 5 > 0
    });
    expect(Question { verdict: Some(Verdict::Dropped), limit: 1000, ..latest() }, |trace| trace % 5 == 0);
    let policy = |name: &str| Question { policy: Some(name.to_owned()), limit: 1000, ..latest() };
    expect(policy("no-noise"), |trace| trace % 5 == 0);
    expect(policy("errors"), |trace| trace % 3 == 0 && trace % 5 > 0);
    let not_sampled = Question { vote: Some("not_sampled".to_owned()), ..policy("errors") };
    expect(not_sampled, |trace| trace % 3 > 0 && trace % 5 > 0);
    for nothing in [policy("long"), policy("unknown"), Question { because: Some(Because::Root), ..latest() }] {
        assert!(stage.traces(&nothing).is_empty());
    }
    let few = stage.ask(&Question { limit: 7, ..latest() }).decisions;
    assert!(few.len() == 7 && few.is_sorted_by_key(|(ago_ms, _)| *ago_ms) && few[6].0 < 2_500, "{few:#?}");
}

/// Shadow policies see what the real ones see, change nothing, are counted, and have a state of their own.
#[tokio::test(start_paused = true)]
async fn shadow_policies() {
    let shadow = "shadow_policies: [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
        {name: two, type: span_count, span_count: {min_spans: 2}},
        {name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 1}},
        {name: no-roots, type: drop, drop: {drop_sub_policy: [
            {name: long, type: latency, latency: {threshold_ms: 100}}]}}]";
    let real = "policies: [
        {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
        {name: long, type: latency, latency: {threshold_ms: 100}}]";
    let stage = Stage::start(&format!("{{{real}, {shadow}, decision_wait: 1s, num_shards: 1}}")).await;
    let long = TestSpan { start_ms: 1_000, end_ms: 1_250, ..span(4, "d") };
    // Kept by both; only by the shadow, by its limiter; by neither; only by the real ones, since the shadow has a veto.
    stage.put(&[error(1, "a"), error(1, "a2"), span(2, "b"), span(3, "c"), long]).await.unwrap();
    pass(1_500).await;
    assert_eq!(names(&stage.next.spans()), ["a", "a2", "d"], "the shadow neither keeps nor drops");
    let metric = |name: &str, labels: &str| {
        let having: Vec<&str> = labels.split(',').collect();
        stage.context.telemetry.metrics().total(&format!("tailrace_tail_sampling_shadow_{name}_total"), &having)
    };
    for (kept_by, traces, spans) in
        [("both", 1.0, 2.0), ("real", 1.0, 1.0), ("shadow", 1.0, 1.0), ("neither", 1.0, 1.0)]
    {
        let label = format!("kept_by=\"{kept_by}\"");
        assert_eq!(
            (metric("agreement_traces", &label), metric("agreement_spans", &label)),
            (traces, spans),
            "{kept_by}"
        );
    }
    assert_eq!(metric("global_count_traces_sampled", "sampled=\"true\""), 2.0);
    assert_eq!(metric("global_count_traces_sampled", "decision=\"dropped\""), 1.0);
    assert_eq!(metric("count_traces_sampled", "policy=\"limit\",sampled=\"true\""), 1.0);
    assert_eq!(metric("count_traces_sampled", "policy=\"limit\",sampled=\"false\""), 2.0, "none behind the veto");
    // The real policy of that name counts by itself.
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"errors\",sampled=\"true\""), 1.0);
    assert_eq!(stage.metric("sampling_policy_execution_count_total", "policy=\"errors\""), 4.0);
    let views = stage.context.telemetry.status().views();
    let view = &views["processor:tail_sampling@traces"]["shadow_policies"];
    check(view, json!({"share_sampled": 0.5, "traces_kept_by": {"both": 1, "real": 1, "shadow": 1, "neither": 1}}));
    assert_eq!(view["policies"]["limit"]["share_sampled"], 0.25);

    let shadow = stage.why(4)["shadow"].clone();
    check(&shadow, json!({"outcome": "dropped", "decided_by": "no-roots", "agrees": false}));
    assert_eq!(shadow["votes"][0], json!({"policy": "no-roots", "vote": "dropped"}));
    assert_eq!(shadow["votes"][2], json!({"policy": "two", "vote": "not_asked"}));
    check(&stage.why(1)["shadow"], json!({"outcome": "sampled", "decided_by": "errors", "agrees": true}));
    let mut differ = stage.traces(&Question { disagree: true, ..latest() });
    let mut expected = [2, 4].map(hex);
    differ.sort();
    expected.sort();
    assert_eq!(differ, expected);
}

/// Late spans and traces that were never put to the vote have no shadow decision.
#[tokio::test(start_paused = true)]
async fn no_shadow_without_a_vote() {
    let shadow = "shadow_policies: [{name: all, type: always_sample}]";
    let stage =
        Stage::start(&format!("{{{ERRORS}, {shadow}, maximum_trace_size_bytes: 500, decision_wait: 1s}}")).await;
    stage.put(&[TestSpan { ballast: 600, ..span(1, "large") }, span(2, "a")]).await.unwrap();
    pass(1_500).await;
    stage.put(&[span(2, "late")]).await.unwrap();
    assert!(stage.why(1).get("shadow").is_none());
    assert_eq!(stage.why(2)["shadow"]["agrees"], false);
    let neither_or_shadow =
        stage.context.telemetry.metrics().total("tailrace_tail_sampling_shadow_agreement_spans_total", &[]);
    assert_eq!(neither_or_shadow, 1.0);
}

/// Policies change while the process runs: each decision is explained by the policies that made it.
#[tokio::test(start_paused = true)]
async fn policies_that_were() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s}}")).await;
    stage.put(&[error(1, "a")]).await.unwrap();
    pass(1_500).await;
    stage.put(&[span(2, "b")]).await.unwrap();
    let shadow = "shadow_policies: [{name: none, type: not, not: {not_sub_policy: {name: x, type: always_sample}}}]";
    stage.change(&format!("{{{ALL}, {shadow}, decision_wait: 1s}}")).await.unwrap();
    pass(1_500).await;
    check(&stage.why(1), json!({"policies_version": 1, "votes": [{"policy": "errors", "vote": "sampled"}]}));
    let after = stage.why(2);
    check(
        &after,
        json!({"policies_version": 2, "votes": [{"policy": "all", "vote": "sampled"}], "outcome": "sampled"}),
    );
    assert_eq!(after["shadow"]["votes"], json!([{"policy": "none", "vote": "not_sampled"}]));
    let refusal = stage.change(&format!("{{{ALL}, decision_history: {{size: 5}}}}")).await.unwrap_err();
    assert!(refusal.to_string().contains("`decision_history` cannot be changed"), "{refusal}");
}

/// The votes of plugins say which version it was; a plugin in the shadow is asked as well, and by itself.
#[tokio::test(start_paused = true)]
async fn versions_of_plugins() {
    let directory = samplers::plugins();
    let section = |real: &str, shadow: &str| {
        let real = samplers::asks(&directory, real, "ignore");
        let shadow = samplers::asks(&directory, shadow, "ignore");
        let part = format!("{{name: plugin, type: not, not: {{not_sub_policy: {real}}}}}");
        format!("{{policies: [{part}], shadow_policies: [{shadow}], decision_wait: 1s}}")
    };
    // One span is sampled, two are not.
    let stage = Stage::start(&section("by span count", "by span count")).await;
    stage.put(&[span(1, "a"), span(2, "b"), span(2, "b2")]).await.unwrap();
    pass(1_600).await;
    assert_eq!(names(&stage.next.spans()), ["b", "b2"]);
    let vote = |vote: &str, generation: u32| json!([{"policy": "plugin", "vote": vote, "version": format!("mad-sampler 1, generation {generation}")}]);
    let one = stage.why(1);
    check(&one, json!({"outcome": "not_sampled", "policies_version": 1, "votes": vote("not_sampled", 1)}));
    check(&one["shadow"], json!({"outcome": "sampled", "agrees": false, "votes": vote("sampled", 1)}));

    stage.change(&section("trap", "by span count")).await.unwrap();
    stage.put(&[span(3, "c")]).await.unwrap();
    pass(1_600).await;
    let three = stage.why(3);
    check(&three, json!({"outcome": "not_sampled", "policies_version": 2, "votes": vote("error", 2)}));
    check(&three["shadow"], json!({"outcome": "sampled", "votes": vote("sampled", 1)}));
    check(&stage.why(1), json!({"policies_version": 1, "votes": vote("not_sampled", 1)}));
    let failed = Question { vote: Some("error".to_owned()), ..latest() };
    assert_eq!(stage.traces(&failed), [hex(3)]);
}

/// With `span-ingest` the votes are those on the spans that brought the decision, and a trace that nobody decided has none; the
/// shadow votes on all that has arrived.
#[tokio::test(start_paused = true)]
async fn decided_on_arrival() {
    let shadow = "shadow_policies: [{name: two, type: span_count, span_count: {min_spans: 2}}]";
    let stage =
        Stage::start(&format!("{{{ERRORS}, {shadow}, decision_wait: 1s, sampling_strategy: span-ingest}}")).await;
    stage.put(&[span(1, "a"), span(2, "b"), span(2, "b2")]).await.unwrap();
    pass(300).await;
    stage.put(&[error(1, "c")]).await.unwrap();
    let one = stage.why(1);
    let votes = json!([{"policy": "errors", "vote": "sampled"}]);
    let expected =
        json!({"because": "span_ingest", "outcome": "sampled", "decided_by": "errors", "spans": 2, "errors": 1});
    check(&one, expected);
    check(&one, json!({"held_seconds": 0.3, "votes": votes}));
    check(&one["shadow"], json!({"outcome": "sampled", "agrees": true}));
    pass(1_500).await;
    let nobody = stage.why(2);
    check(&nobody, json!({"because": "due", "outcome": "not_sampled", "decided_by": null}));
    assert!(nobody.get("votes").is_none(), "{nobody:#}");
    check(&nobody["shadow"], json!({"outcome": "sampled", "agrees": false}));
    stage.put(&[span(1, "late")]).await.unwrap();
    check(&stage.why(1), json!({"late_spans": 1}));
}
