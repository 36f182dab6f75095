use super::*;
use crate::component::testing::{Answer, Next, TestSpan, batch, context, line, settle};

fn some(items: usize) -> Batch {
    let span = |i| TestSpan { trace: vec![1; 16], name: format!("{i}"), ..TestSpan::default() };
    batch(&(0..items).map(span).collect::<Vec<_>>())
}

fn held(context: &Context, handover: &Handover, batch: Batch) {
    context.account.held().add(batch.items() as i64);
    context.account.taken(batch.items());
    handover.push(batch);
}

const ROOMY: Bound = Bound { batches: 100, bytes: usize::MAX };

/// A retryable refusal is offered again, not before the delay that was asked for; nothing is lost meanwhile.
#[tokio::test(start_paused = true)]
async fn refused_for_now() {
    let context = context("x");
    let next = Next::new(&context);
    let after = Some(Duration::from_secs(7));
    next.script([
        Answer::Refuse(ConsumeError::retryable("later")),
        Answer::Refuse(ConsumeError::Retryable { after, message: "much later".into() }),
    ]);
    let handover = Handover::new(&context, next.clone(), ROOMY);
    handover.start(1);
    let start = Instant::now();
    held(&context, &handover, some(3));
    settle().await;
    assert_eq!(line(&context).held, 3);
    while next.sizes().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(7) && start.elapsed() < Duration::from_secs(8));
    settle().await;
    assert_eq!(line(&context).held, 0);
}

/// What is refused for good, or for too long, is dropped and counted by reason.
#[tokio::test(start_paused = true)]
async fn given_up() {
    let context = context("x");
    let next = Next::new(&context);
    next.script([Answer::Refuse(ConsumeError::permanent("never"))]);
    next.script(vec![Answer::Refuse(ConsumeError::retryable("not yet")); 1_000]);
    let handover = Handover::new(&context, next.clone(), ROOMY);
    handover.start(1);
    held(&context, &handover, some(2));
    held(&context, &handover, some(5));
    tokio::time::sleep(RETRY_MAX + BACKOFF.1).await;
    let line = line(&context);
    assert_eq!((line.dropped["refused"], line.dropped["retries_exhausted"], line.held), (2, 5, 0));
}

/// At its bound there is no room: a caller waits, then is told to come again; when batches leave, there is room again.
#[tokio::test(start_paused = true)]
async fn backpressure() {
    let context = context("x");
    let next = Next::new(&context);
    next.open(false);
    let handover = Handover::new(&context, next.clone(), Bound { batches: 2, bytes: usize::MAX });
    handover.start(1);
    for _ in 0..3 {
        handover.room().await.unwrap();
        held(&context, &handover, some(1));
        settle().await;
    }
    let start = Instant::now();
    let refusal = handover.room().await.unwrap_err();
    assert!(matches!(refusal, ConsumeError::Retryable { after: Some(_), .. }));
    assert_eq!(start.elapsed(), WAIT_MAX);
    let waiting = tokio::spawn({
        let handover = handover.clone();
        async move { handover.room().await }
    });
    settle().await;
    next.open(true);
    waiting.await.unwrap().unwrap();
    settle().await;
    assert_eq!((next.sizes(), line(&context).held), (vec![1; 3], 0));
}

/// A shutdown hands on what it can and counts the rest at the deadline, also when no task was ever started.
#[tokio::test(start_paused = true)]
async fn shutdown() {
    for (started, answers, expected) in
        [(true, vec![], 0), (true, vec![Answer::Take, Answer::Take, slow()], 7), (false, vec![], 12)]
    {
        let context = context("x");
        let next = Next::new(&context);
        next.script(answers);
        let handover = Handover::new(&context, next.clone(), ROOMY);
        if started {
            handover.start(1);
        }
        for items in [1, 4, 2, 5] {
            held(&context, &handover, some(items));
        }
        let start = Instant::now();
        handover.shutdown(Deadline::after(Duration::from_secs(10))).await;
        assert!(start.elapsed() <= Duration::from_secs(10));
        let line = line(&context);
        assert_eq!((line.dropped.get("shutdown").copied().unwrap_or(0), line.held), (expected, 0));
        assert_eq!(line.handed_on, 12 - expected);
    }
}

fn slow() -> Answer {
    Answer::TakeAfter(Duration::from_secs(3600))
}
