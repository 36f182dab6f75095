use super::*;
use serde_json::json;

fn args(trace_id: Option<&str>, filter: Filter) -> WhyArgs {
    WhyArgs { trace_id: trace_id.map(str::to_owned), admin: String::new(), json: false, filter }
}

#[test]
fn flags_become_a_query() {
    assert_eq!(query(&args(None, Filter::default())), "");
    assert_eq!(
        query(&args(Some("ab cd"), Filter { limit: Some(3), ..Filter::default() })),
        "?trace_id=ab%20cd&limit=3"
    );
    let filter = Filter {
        policy: Some("a&b=é".to_owned()),
        vote: Some("error".to_owned()),
        outcome: Some("sampled".to_owned()),
        because: Some("root".to_owned()),
        disagree: true,
        limit: None,
    };
    let expected = "?policy=a%26b%3D%C3%A9&vote=error&outcome=sampled&because=root&disagree=1";
    assert_eq!(query(&args(None, filter)), expected);
}

#[test]
fn time_spans_for_people() {
    let shown = [0.0, 0.0421, 3.04, 59.9, 61.9, 3_599.0, 3_661.0, 90_000.0, 200_000.0].map(span);
    let expected =
        ["0 ms", "42 ms", "3.0 s", "59.9 s", "1 min 1 s", "59 min 59 s", "1 h 1 min", "25 h 0 min", "2 days"];
    assert_eq!(shown, expected);
}

fn kept() -> Value {
    json!({
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "processor": "tail_sampling@traces", "outcome": "sampled",
        "because": "due", "decided_at": "2026-11-23T05:00:00.123Z", "seconds_ago": 12.34, "policies_version": 2,
        "late_spans": 3, "last_late_after_seconds": 4.2, "held_seconds": 30.01, "spans": 12, "errors": 1, "root_span": true,
        "duration_seconds": 2.31, "bytes": 6412, "decided_by": "errors",
        "votes": [
            {"policy": "errors", "vote": "sampled"}, {"policy": "slow", "vote": "not_sampled"},
            {"policy": "vip", "vote": "error", "version": "vip 0.1.0, generation 3"}, {"policy": "some", "vote": "not_asked"},
        ],
        "shadow": {"outcome": "not_sampled", "decided_by": null, "agrees": false,
            "votes": [{"policy": "new-errors", "vote": "not_sampled"}]},
    })
}

/// Who is on call sees at once what happened, who decided it, on what, and when.
#[test]
fn one_trace_in_words() {
    let lines = |answer: Value| one::lines(&answer, Paint::plain());
    let expected = [
        "kept by policy errors, in tail_sampling@traces",
        "  when      12.3 s ago, 2026-11-23T05:00:00.123Z",
        "  after     30.0 s: decision_wait was over",
        "  on        12 spans, 1 error, 2.3 s long, 6.41 kB, with a root span",
        "  votes, policies version 2",
        "    errors  sampled  <- decided",
        "    slow    not sampled",
        "    vip     failed: counts as no vote  (vip 0.1.0, generation 3)",
        "    some    not asked: it was decided already",
        "  late      3 late spans, the last 4.2 s after the decision; kept as well",
        "  shadow policies would not have kept it: they disagree",
        "    new-errors  not sampled",
    ];
    assert_eq!(lines(json!({"decisions": [kept()], "processors": []})), expected);

    let mut early = kept();
    for (key, value) in [("outcome", "dropped".into()), ("because", "num_traces".into()), ("late_spans", 0.into())] {
        early[key] = value;
    }
    early.as_object_mut().unwrap().remove("shadow");
    let shown = lines(json!({"decisions": [early]}));
    assert_eq!(shown[0], "dropped by policy errors, in tail_sampling@traces");
    assert!(
        shown[2].contains("EARLY, there were num_traces") && !shown.iter().any(|line| line.contains("late")),
        "{shown:#?}"
    );

    let mut large = kept();
    for (key, value) in [("outcome", "too_large"), ("because", "maximum_trace_size_bytes")] {
        large[key] = value.into();
    }
    large.as_object_mut().unwrap().remove("votes");
    let shown = lines(json!({"decisions": [large]}));
    assert_eq!(shown[0], "dropped: it was larger than maximum_trace_size_bytes, in tail_sampling@traces");
    assert!(!shown.iter().any(|line| line.contains("votes")), "nobody was asked: {shown:#?}");

    let late = json!({"processor": "p", "outcome": "not_sampled", "because": "late", "decided_at": "then", "seconds_ago": 1.5,
        "late_spans": 1});
    let expected = [
        "not kept: late spans followed an earlier decision, in p",
        "  spans     1 late span; the first came 1.5 s ago, then",
    ];
    assert_eq!(lines(json!({"decisions": [late]})), expected);

    let waits = json!({"processor": "p", "undecided": {"since": "then", "decision_in_seconds": 8.0, "spans": 2, "errors": 0,
        "root_span": false, "duration_seconds": 0.05, "bytes": 20000}});
    let before =
        json!({"processor": "q", "decided_before": "not_sampled", "decision_history": {"reaches_back_seconds": 63.0}});
    let expected = [
        "not decided yet in p",
        "  decision  in 8.0 s; its first span came then",
        "  so far    2 spans, no error, 50 ms long, 20.0 kB, without a root span",
        "",
        "not kept by q, longer ago than it remembers why",
        "  history   reaches back 1 min 3 s; decision_history.size makes it longer",
    ];
    assert_eq!(lines(json!({"decisions": [], "processors": [waits, before]})), expected);
    assert_eq!(lines(json!({"decisions": [], "error": "nothing is known"})), ["nothing is known"]);
}

#[test]
fn the_latest_as_a_table() {
    let late = json!({"trace_id": "ff", "outcome": "sampled", "because": "late", "seconds_ago": 65.0, "late_spans": 4});
    let expected = [
        "TRACE                             OUTCOME  BY      BECAUSE  AGO        SPANS  ERRORS  LATE  SHADOW",
        "4bf92f3577b34da6a3ce929d0e0e4736  sampled  errors  due      12.3 s     12     1       3     not_sampled",
        "ff                                sampled  -       late     1 min 5 s  -      -       4     -",
    ];
    assert_eq!(table::lines(&json!({"decisions": [kept(), late]}), Paint::plain()), expected);
    let two = table::lines(&json!({"decisions": [kept()], "processors": [{}, {}]}), Paint::plain());
    assert!(
        two[0].ends_with("SHADOW       PROCESSOR") && two[1].ends_with("not_sampled  tail_sampling@traces"),
        "{two:#?}"
    );
    let none = json!({"decisions": [], "processors": [{"decision_history": {"decisions": 3}}, {"decision_history": {"decisions": 4}}]});
    assert_eq!(table::lines(&none, Paint::plain()), ["no such decision among the 7 that are remembered"]);
}
