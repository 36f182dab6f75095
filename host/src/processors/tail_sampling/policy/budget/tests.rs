use super::*;
use crate::processors::tail_sampling::policy::rate_limiting;
use crate::processors::tail_sampling::policy::{PolicyConfig, and};
use std::collections::HashMap;

/// An id with this randomness.
fn id(randomness: u64) -> [u8; 16] {
    let mut id = [0xff; 16];
    id[9..].copy_from_slice(&randomness.to_be_bytes()[1..]);
    id
}

fn spans(spans: u32) -> Facts {
    Facts { spans, ..Facts::default() }
}

/// Plans a group of `(randomness, spans)` and returns which of them are kept, and the threshold.
fn planned(policy: &dyn Policy, shard: usize, now_ms: u64, group: &[(u64, u32)]) -> (Vec<u64>, Threshold) {
    let made: Vec<([u8; 16], Facts)> =
        group.iter().map(|(randomness, count)| (id(*randomness), spans(*count))).collect();
    let trace = |planned| move |(id, facts)| Trace { shard, planned, ..Trace::new(id, facts, now_ms) };
    let traces: Vec<Trace<'_>> = made.iter().map(|(id, facts)| (id, facts)).map(trace(true)).collect();
    // In two parts, as a tick with many traces has them.
    for part in traces.chunks(traces.len().div_ceil(2)) {
        policy.planner().unwrap().hear(shard, &part.iter().collect::<Vec<_>>());
    }
    policy.planner().unwrap().plan(shard, now_ms);
    let kept = traces.iter().filter(|trace| policy.vote(trace) == Vote::Sampled).map(Trace::randomness).collect();
    (kept, policy.threshold(&traces[0]))
}

fn limit(spans_per_second: i64, burst_capacity: i64, shards: usize) -> Box<dyn Policy> {
    let mut layout = Layout::new(shards, true);
    rate_limiting::Config { spans_per_second, burst_capacity }.build(&mut layout)
}

/// The highest randomness is kept, up to the limit; the threshold is just above the first that was not, and says the truth about
/// every trace of the group.
#[test]
fn the_highest_randomness_is_kept() {
    let policy = limit(10, 10, 1);
    assert_eq!(planned(&*policy, 0, 0, &[(5, 4), (1, 1), (9, 6)]), (vec![5, 9], Threshold::new(2)));
    assert_eq!(planned(&*policy, 0, 0, &[(7, 1)]), (vec![], Threshold::NEVER), "nothing is left");
    assert_eq!(planned(&*policy, 0, 500, &[(7, 1), (3, 4)]), (vec![7, 3], Threshold::ALWAYS), "nothing is throttled");
    // What can never pass takes nobody's place.
    assert_eq!(planned(&*policy, 0, 2_000, &[(9, 11), (8, 10), (7, 1)]), (vec![8], Threshold::new(8)));
    // Those that are equally random stay together.
    assert_eq!(planned(&*policy, 0, 3_000, &[(5, 5), (9, 1), (5, 5)]), (vec![9], Threshold::new(6)));
    assert_eq!(planned(&*policy, 0, 9_000, &[(5, 6), (5, 6)]), (vec![], Threshold::NEVER));
    assert_eq!(planned(&*policy, 0, 9_000, &[(5, 9)]), (vec![5], Threshold::ALWAYS), "what was not kept cost nothing");
}

/// The counts can be extrapolated: over many ticks each kept trace stands for as many as its threshold says.
#[test]
fn extrapolation() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for shards in [1, 4] {
        let policy = limit(1_000, 2_000, shards);
        let (mut all, mut kept, mut estimate) = (0u64, 0u64, 0.0);
        for tick in 0..200 {
            for shard in 0..shards {
                let group: Vec<(u64, u32)> =
                    (0..3_000 / shards).map(|_| (random.u64(..1 << 56), random.u32(1..4))).collect();
                let (keeps, threshold) = planned(&*policy, shard, tick * 500, &group);
                let spans_of: HashMap<u64, u64> =
                    group.iter().map(|(randomness, spans)| (*randomness, (*spans).into())).collect();
                let spans: u64 = keeps.iter().map(|randomness| spans_of[randomness]).sum();
                all += group.iter().map(|(_, spans)| u64::from(*spans)).sum::<u64>();
                kept += spans;
                estimate += spans as f64 / threshold.share().max(f64::MIN_POSITIVE);
            }
        }
        assert!(kept <= 2_000 + 100 * 1_000 && kept > 95_000, "{kept}");
        let error = estimate / all as f64 - 1.0;
        assert!(error.abs() < 0.02, "{shards} shards: {error}");
    }
}

/// No shard takes the tokens of another, a large trace passes all the same, and all together keep to the limit.
#[test]
fn shares() {
    let policy = limit(100, 100, 4);
    let group: Vec<(u64, u32)> = (0..200).map(|i| (i, 1)).collect();
    for shard in 0..4 {
        assert_eq!(planned(&*policy, shard, 0, &group).0.len(), 25);
    }
    for shard in 0..4 {
        assert_eq!(planned(&*policy, shard, 400, &group).0.len(), 10);
    }
    assert_eq!(planned(&*policy, 0, 10_000, &[(1, 90)]).0, [1], "it has saved up all it can");
    assert_eq!(planned(&*policy, 0, 11_000, &[(1, 1)]).0, [0; 0], "and has paid in advance");
    assert_eq!(planned(&*policy, 1, 10_000, &[(2, 25)]).0, [0; 0], "together they had 100");
    assert_eq!(planned(&*policy, 0, 20_000, &[(1, 25)]).0, [1]);
}

/// What is decided outside of a tick is measured by the last threshold, and takes tokens.
#[test]
fn outside_of_a_tick() {
    let policy = limit(10, 10, 1);
    let vote =
        |randomness, count, now_ms| policy.vote(&Trace::new(&id(randomness), &spans(count), now_ms)) == Vote::Sampled;
    assert!(vote(1, 4, 0) && !vote(1, 7, 0) && vote(1, 6, 0), "a plain limit as long as nobody plans");
    assert_eq!(planned(&*policy, 0, 500, &[(9, 3), (5, 3)]), (vec![9], Threshold::new(6)));
    assert!(!vote(5, 1, 500) && vote(6, 1, 500) && vote(7, 1, 500) && !vote(8, 1, 500));
    let unplanned = Facts::default();
    assert_eq!(policy.threshold(&Trace::new(&id(6), &unplanned, 500)), Threshold::new(6));
}

/// Inside `and` only traces that the other parts want are planned; the threshold of all is the strictest.
#[test]
fn inside_and() {
    let config: and::Config = serde_json::from_str(
        r#"{"and_sub_policy": [
            {"name": "b", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 10, "burst_capacity": 10}},
            {"name": "a", "type": "span_count", "span_count": {"min_spans": 2}}
        ]}"#,
    )
    .unwrap();
    let policy = config.build(&mut Layout::new(1, true));
    assert_eq!(planned(&*policy, 0, 0, &[(9, 1), (8, 1), (7, 6), (6, 4), (5, 2)]), (vec![7, 6], Threshold::new(6)));
    // Without `use_tracestate` nobody plans.
    assert!(config.build(&mut Layout::default()).planner().is_none());
}
