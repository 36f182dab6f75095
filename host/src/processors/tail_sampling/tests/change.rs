//! Other settings while traces wait.

use super::shard::Which;
use super::*;

impl Stage {
    /// Changes the settings of the running processor.
    pub(super) async fn change(&self, text: &str) -> Result<(), BuildError> {
        let config: Config = from_str("t", text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        self.processor.reconfigure(Arc::new(config)).expect("it holds something").await
    }
}

/// What is held is judged by the new policies, whatever was folded for the old ones, and by the new wait; decisions that were
/// made stay.
#[tokio::test(start_paused = true)]
async fn traces_that_wait_are_judged_anew() {
    let slow = "{name: slow, type: latency, latency: {threshold_ms: 1000}}";
    let name = |names: &str| {
        format!("{{name: named, type: string_attribute, string_attribute: {{key: service.name, values: [{names}]}}}}")
    };
    let section =
        |policies: &str, wait: &str| format!("{{policies: [{policies}], decision_wait: {wait}, num_shards: 2}}");
    let of = |trace, name, resource| TestSpan { resource, ..span(trace, name) };
    let stage = Stage::start(&section(&name("service-1"), "10s")).await;
    stage.put(&[of(1, "decided", 1), of(2, "decided not", 2)]).await.unwrap();
    pass(10_600).await;
    stage.put(&[of(3, "x", 1), of(4, "y", 2), error(5, "z")]).await.unwrap();
    pass(3_000).await;
    // The bits mean something else now, and three seconds of the wait are over already.
    let errors = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
    stage.change(&section(&format!("{slow}, {errors}, {}", name("service-2")), "4s")).await.unwrap();
    stage.put(&[of(4, "y2", 2), of(1, "late", 2), of(2, "late not", 2)]).await.unwrap();
    pass(1_600).await;
    assert_eq!(names(&stage.next.spans()), ["decided", "late", "y", "y2", "z"]);
    assert_eq!((line(&stage.context).held, stage.dropped("not_sampled")), (0, 3));
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"named\",decision=\"sampled\""), 2.0);
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"errors\",decision=\"sampled\""), 1.0);
}

/// A trace of very many spans is folded for the new policies piece by piece, before it is decided: nobody waits for all of it. Meanwhile
/// it takes more spans, and the last ones count as the first ones do.
#[tokio::test(start_paused = true)]
async fn a_giant_is_folded_anew_in_pieces() {
    for where_error_is in [0, 12] {
        let slow = "policies: [{name: slow, type: latency, latency: {threshold_ms: 100000}}]";
        let rest = "num_shards: 1, decision_wait: 100s";
        let stage = Stage::start(&format!("{{{slow}, {rest}}}")).await;
        let put = async |request: u64| {
            let of = |at| if (request, at) == (where_error_is, 500) { error(1, "e") } else { span(1, "s") };
            stage.put(&(0..1000).map(of).collect::<Vec<_>>()).await.unwrap();
        };
        for request in 0..11 {
            put(request).await;
        }
        stage.change(&format!("{{{ERRORS}, {rest}}}")).await.unwrap();
        put(11).await;
        let decide = || {
            let seat = &stage.processor.inner.seats[0];
            stage.processor.inner.with(seat, |shard| (shard.decide_some(Which::Any, 1), shard.traces()))
        };
        assert_eq!(decide(), (true, 1), "5,000 of 12,000");
        put(12).await;
        assert_eq!(decide(), (true, 1), "10,000 of 13,000");
        assert_eq!(decide().1, 0);
        pass(600).await;
        assert_eq!((stage.next.spans().len(), line(&stage.context).held), (13_000, 0));
    }
}

/// Smaller bounds hold at once: what is too much is decided early.
#[tokio::test(start_paused = true)]
async fn smaller_bounds_hold_at_once() {
    let section = |traces: usize| format!("{{{ALL}, num_traces: {traces}, num_shards: 1, decision_wait: 100s}}");
    let stage = Stage::start(&section(100)).await;
    stage.put(&(0..50).map(|trace| span(trace, &format!("{trace:02}"))).collect::<Vec<_>>()).await.unwrap();
    let cache = "decision_cache: {sampled_cache_size: 1000, non_sampled_cache_size: 1000}";
    let small = section(20).replace("num_shards", &format!("{cache}, num_shards"));
    stage.change(&small).await.unwrap();
    pass(600).await;
    assert_eq!((stage.next.spans().len(), line(&stage.context).held), (30, 20));
}

/// A limiter that has given away its tokens gets no new ones because something else changes, and starts anew with other settings.
#[tokio::test(start_paused = true)]
async fn limiters_go_on() {
    let limiters = [
        ("rate_limiting", "{spans_per_second: 1, burst_capacity: 60}", "{spans_per_second: 1, burst_capacity: 61}"),
        (
            "bytes_limiting",
            "{bytes_per_second: 1, burst_capacity: 10000}",
            "{bytes_per_second: 2, burst_capacity: 10000}",
        ),
    ];
    for (kind, same, other) in limiters {
        for more in ["", "use_tracestate: true, "] {
            for nested in [false, true] {
                let section = |settings: &str, wait: &str| {
                    let limiter = format!("{{name: limit, type: {kind}, {kind}: {settings}}}");
                    let policy = match nested {
                        false => limiter,
                        true => format!("{{name: outer, type: and, and: {{and_sub_policy: [{limiter}]}}}}"),
                    };
                    format!("{{policies: [{policy}], {more}decision_wait: {wait}, num_shards: 1}}")
                };
                let stage = Stage::start(&section(same, "1s")).await;
                let kept = async |first: u64| {
                    let random = |trace: u64| u128::from(trace).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                    let of = |trace| TestSpan { trace: random(trace).to_be_bytes().to_vec(), ..span(trace, "s") };
                    let spans: Vec<_> = (first..first + 500).map(of).collect();
                    let before = stage.next.spans().len();
                    stage.put(&spans).await.unwrap();
                    pass(1_200).await;
                    stage.next.spans().len() - before
                };
                let (first, second) = (kept(1_000).await, kept(2_000).await);
                assert!(first >= 60 && second <= 2, "{kind} {more}{nested}: {first}, {second}");
                stage.change(&section(same, "1100ms")).await.unwrap();
                let third = kept(3_000).await;
                stage.change(&section(other, "1100ms")).await.unwrap();
                let fourth = kept(4_000).await;
                assert!(third <= 2 && fourth >= 60, "{kind} {more}{nested}: {third}, {fourth}");
            }
        }
    }
}

/// What would lose something is refused, by the name of its key.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_changed_is_named() {
    let stage = Stage::start(&format!("{{{ALL}, num_shards: 2}}")).await;
    for (more, key) in
        [("num_shards: 3", "num_shards"), ("num_shards: 2, decision_cache: {sampled_cache_size: 3}", "decision_cache")]
    {
        let error = stage.change(&format!("{{{ERRORS}, {more}}}")).await.unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}` cannot be changed")), "{error}");
    }
    stage.put(&[span(1, "a")]).await.unwrap();
    stage.shutdown(Duration::from_secs(1)).await;
    assert_eq!(names(&stage.next.spans()), ["a"], "the old policies still decide");
}
