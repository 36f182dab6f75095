use super::*;
use crate::component::testing::{Answer, Next, TestSpan, batch, context, line, put, settle};
use crate::yaml::from_str;

fn spans(names: std::ops::Range<usize>) -> Batch {
    let span = |i: usize| TestSpan {
        trace: vec![1; 16],
        name: format!("{i:06}"),
        resource: (i / 3 % 2) as u8,
        ..TestSpan::default()
    };
    batch(&names.map(span).collect::<Vec<_>>())
}

async fn build(text: &str) -> (Context, Arc<Next>, Arc<dyn Processor>) {
    let context = context("batch");
    let next = Next::new(&context);
    let config: Config = from_str("t", text).unwrap();
    let stage = config.build(context.clone(), next.clone()).unwrap();
    stage.start().await.unwrap();
    (context, next, stage)
}

/// Sent once there is enough, or once the first has waited long enough.
#[tokio::test(start_paused = true)]
async fn by_size_and_by_time() {
    let (context, next, stage) = build("{send_batch_size: 10, timeout: 1s}").await;
    for i in 0..3 {
        put(&*stage, &context, spans(i * 4..i * 4 + 4)).await.unwrap();
    }
    settle().await;
    assert_eq!(next.sizes(), [12], "more than the size is sent whole");
    put(&*stage, &context, spans(12..15)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    put(&*stage, &context, spans(15..17)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(390)).await;
    assert_eq!((next.sizes().len(), line(&context).held), (1, 5));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(next.sizes(), [12, 5]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((next.sizes().len(), line(&context).held), (2, 0), "nothing empty is sent");
    let text = context.telemetry.metrics().render();
    for expected in
        ["size_trigger_send_total{processor=\"batch\"} 1\n", "timeout_trigger_send_total{processor=\"batch\"} 1\n"]
    {
        assert!(text.contains(expected), "{expected} {text}");
    }
}

/// Larger batches are cut; what is left of them waits for more, or not if there is nothing to wait for.
#[tokio::test(start_paused = true)]
async fn cuts() {
    let (context, next, stage) = build("{send_batch_size: 4, send_batch_max_size: 5, timeout: 1s}").await;
    put(&*stage, &context, spans(0..13)).await.unwrap();
    settle().await;
    assert_eq!((next.sizes(), line(&context).held), (vec![5, 5], 3));
    put(&*stage, &context, spans(13..14)).await.unwrap();
    settle().await;
    assert_eq!(next.sizes(), [5, 5, 4]);
    let (context, next, stage) = build("{timeout: 0s, send_batch_max_size: 9000}").await;
    put(&*stage, &context, spans(0..3)).await.unwrap();
    settle().await;
    assert_eq!(next.sizes(), [3]);
    let (context, next, stage) = build("{send_batch_size: 0, send_batch_max_size: 2}").await;
    put(&*stage, &context, spans(0..3)).await.unwrap();
    settle().await;
    assert_eq!((next.sizes(), line(&context).held), (vec![2, 1], 0));
}

/// While the next stage is behind, senders wait; none of what was taken is lost.
#[tokio::test(start_paused = true)]
async fn backpressure() {
    let (context, next, stage) = build("{send_batch_size: 1}").await;
    next.open(false);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_secs(1), put(&*stage, &context, spans(taken..taken + 1))).await.is_ok() {
        taken += 1;
        settle().await;
    }
    assert_eq!(taken, 1 + WAITING_BATCHES_MAX);
    assert_eq!(line(&context).held, taken as i64);
    let refusal = put(&*stage, &context, spans(7..8)).await.unwrap_err();
    assert!(refusal.is_retryable());
    next.open(true);
    settle().await;
    assert_eq!((next.sizes(), line(&context).held), (vec![1; taken], 0));
}

/// Random arrivals against a next stage that refuses, for now or for good, and is slow: the ledger adds up at every step, each
/// item goes out once unless it was refused for good, and no batch is larger than allowed.
#[tokio::test(start_paused = true)]
async fn beside_a_list() {
    for _ in 0..20 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.usize(1..50);
        let max = if random.bool() { 0 } else { size + random.usize(..20) };
        let timeout = random.u64(1..2_000);
        let (context, next, stage) =
            build(&format!("{{send_batch_size: {size}, send_batch_max_size: {max}, timeout: {timeout}ms}}")).await;
        let mut put_in = 0;
        for _ in 0..200 {
            let answer = match random.u8(..10) {
                0 => Answer::Refuse(ConsumeError::permanent("no")),
                1 | 2 => Answer::Refuse(ConsumeError::retryable("later")),
                3 => Answer::TakeAfter(Duration::from_millis(random.u64(..3_000))),
                _ => Answer::Take,
            };
            next.script([answer]);
            let items = random.usize(..40);
            if put(&*stage, &context, spans(put_in..put_in + items)).await.is_ok() {
                put_in += items;
            }
            line(&context);
            tokio::time::sleep(Duration::from_millis(random.u64(..500))).await;
            line(&context);
        }
        stage.shutdown(Deadline::after(Duration::from_secs(600))).await;
        let line = line(&context);
        let dropped = line.dropped.get("refused").copied().unwrap_or(0);
        assert_eq!((line.taken, line.held, line.handed_on + dropped), (put_in as u64, 0, put_in as u64));
        let mut names: Vec<String> = next.spans().into_iter().map(|span| span.name).collect();
        let before = names.len();
        names.dedup();
        assert_eq!((names.len(), before as u64), (before, line.handed_on));
        assert!(max == 0 || next.sizes().iter().all(|items| *items <= max), "{:?}", next.sizes());
    }
}

#[test]
fn faults() {
    let check = |text: &str, key: &str| {
        let problems = from_str::<Config>("t", text).unwrap_err().to_string();
        assert!(problems.contains(key), "{text}: {problems}");
    };
    check("{send_batch_size: 10, send_batch_max_size: 9}", "send_batch_max_size");
    check("metadata_keys: [tenant]", "metadata_keys");
    check("metadata_cardinality_limit: 5", "metadata_cardinality_limit");
    check("timeout: -1s", "timeout");
    assert!(from_str::<Config>("t", "{timeout: 5s, send_batch_size: 1024, metadata_keys: []}").is_ok());
}
