//! One scenario each.

use super::*;
use crate::component::Context;
use std::collections::VecDeque;

/// Follows `acts`, then takes everything.
fn acts(acts: impl IntoIterator<Item = Act>) -> impl FnMut(&Batch) -> Act + Send {
    let mut acts: VecDeque<Act> = acts.into_iter().collect();
    move |_| acts.pop_front().unwrap_or(Act::Take)
}

fn seconds(of: &[Duration]) -> Vec<f64> {
    of.iter().map(|at| (at.as_secs_f64() * 10.0).round() / 10.0).collect()
}

/// `Ok` comes before the batch is sent, which happens after the retries it needs.
#[tokio::test(start_paused = true)]
async fn a_queued_batch_is_sent_after_retries() {
    let rig = Rig::start(&queued(|_| {}), acts([unavailable(), unavailable()])).await;
    rig.consume(batch("a", 3)).await.unwrap();
    assert_eq!((rig.line().held, rig.line().gap()), (3, 0));
    rig.shutdown_when_empty().await;
    assert_eq!(seconds(&rig.attempts()), [0.0, 1.0, 2.0]);
    assert_eq!(rig.settled().handed_on, 3);
}

/// The backend's wish counts when it is longer than the backoff, and never by less than it says.
#[tokio::test(start_paused = true)]
async fn the_backends_delay_overrides_the_backoff() {
    let later = |secs| {
        Act::Fail(ConsumeError::Retryable { after: Some(Duration::from_secs(secs)), message: "throttled".into() })
    };
    let rig = Rig::start(&queued(|_| {}), acts([later(10), later(0)])).await;
    rig.consume(batch("a", 1)).await.unwrap();
    rig.shutdown_when_empty().await;
    let attempts = rig.attempts();
    let (first, second) = ((attempts[1] - attempts[0]).as_secs_f64(), (attempts[2] - attempts[1]).as_secs_f64());
    assert!((10.0..11.1).contains(&first) && (0.9..1.1).contains(&second), "{attempts:?}");
    rig.settled();
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_retried() {
    let rig = Rig::start(&queued(|_| {}), acts([Act::Fail(ConsumeError::permanent("no"))])).await;
    rig.consume(batch("bad", 2)).await.unwrap();
    rig.consume(batch("good", 1)).await.unwrap();
    rig.shutdown_when_empty().await;
    let line = rig.settled();
    assert_eq!((line.handed_on, line.dropped["send_failed"]), (1, 2));
    assert_eq!(rig.metric("otelcol_exporter_send_failed_spans_total"), 2);
    assert_eq!(rig.attempts().len(), 2);
}

/// The last attempt is the one after which the next would come too late.
#[tokio::test(start_paused = true)]
async fn gives_up_at_max_elapsed_time() {
    let mut settings = queued(|_| {});
    settings.retry.as_mut().unwrap().max_elapsed_time = GoDuration(Duration::from_millis(3500));
    let rig = Rig::start(&settings, |_: &Batch| unavailable()).await;
    rig.consume(batch("a", 5)).await.unwrap();
    rig.shutdown_when_empty().await;
    assert_eq!(seconds(&rig.attempts()), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(rig.settled().dropped["send_failed"], 5);
}

/// A hanging backend costs the timeout, and the batch is tried again.
#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_timeout() {
    let rig = Rig::start(&queued(|_| {}), acts([Act::Hang, Act::Slow(Duration::from_secs(4))])).await;
    rig.consume(batch("a", 1)).await.unwrap();
    rig.shutdown_when_empty().await;
    assert_eq!(seconds(&rig.attempts()), [0.0, 6.0]);
    assert_eq!(rig.settled().handed_on, 1);
}

/// Room is given back when the batch is sent, not when it leaves the line; a refusal takes nothing and is counted.
#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses() {
    let settings = queued(|queue| queue.queue_size = 2);
    let rig = Rig::start(&settings, |_: &Batch| Act::Slow(Duration::from_secs(1))).await;
    rig.consume(batch("a", 1)).await.unwrap();
    quiet().await;
    rig.consume(batch("b", 1)).await.unwrap();
    assert_eq!(rig.metric("otelcol_exporter_queue_size"), 2);
    assert_eq!(rig.metric("otelcol_exporter_queue_capacity"), 2);
    let refused = rig.consume(batch("c", 7)).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused:?}");
    assert_eq!(rig.metric("otelcol_exporter_enqueue_failed_spans_total"), 7);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    rig.consume(batch("d", 1)).await.unwrap();
    rig.shutdown(Duration::from_secs(10)).await;
    assert_eq!(rig.taken(), [["a"], ["b"], ["d"]]);
    assert_eq!(rig.settled().taken, 3);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_whatever_the_sizer() {
    let size = batch("a", 1).bytes();
    let settings = queued(|queue| queue.queue_bytes_max = 2 * size);
    let rig = Rig::start(&settings, |_: &Batch| Act::Hang).await;
    rig.consume(batch("a", 1)).await.unwrap();
    rig.consume(batch("b", 1)).await.unwrap();
    assert!(rig.consume(batch("c", 1)).await.unwrap_err().is_retryable());
    // What can never fit is not worth a retry.
    assert!(!rig.consume(batch("d", 10)).await.unwrap_err().is_retryable());
    rig.shutdown(Duration::ZERO).await;
    assert_eq!(rig.settled().dropped["shutdown"], 2);
}

/// With `block_on_overflow` callers wait their turn; one who goes away meanwhile leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn block_on_overflow_waits_and_is_all_or_nothing() {
    let settings = queued(|queue| {
        queue.queue_size = 1;
        queue.block_on_overflow = true;
    });
    let rig = Rig::start(&settings, |_: &Batch| Act::Slow(Duration::from_secs(1))).await;
    rig.consume(batch("a", 1)).await.unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(10), rig.consume(batch("gone", 4))).await;
    assert!(gone.is_err());
    let before = Instant::now();
    rig.consume(batch("b", 1)).await.unwrap();
    assert!(before.elapsed() > Duration::from_millis(900));
    rig.shutdown(Duration::from_secs(10)).await;
    assert_eq!(rig.taken(), [["a"], ["b"]]);
    assert_eq!(rig.settled().taken, 2);
}

/// With `wait_for_result` the caller hears what became of the batch, and nothing is ours if it failed.
#[tokio::test(start_paused = true)]
async fn wait_for_result_gives_the_answer_to_the_caller() {
    let settings = queued(|queue| queue.wait_for_result = true);
    let answers = [Act::Reject(2), Act::Fail(ConsumeError::permanent("no")), Act::Hang];
    let rig = Rig::start(&settings, acts(answers)).await;
    rig.consume(batch("a", 5)).await.unwrap();
    assert!(!rig.consume(batch("b", 1)).await.unwrap_err().is_retryable());
    // The caller goes away: so does the batch, and the only consumer is free again.
    let gone = tokio::time::timeout(Duration::from_millis(10), rig.consume(batch("c", 1))).await;
    assert!(gone.is_err());
    rig.consume(batch("d", 1)).await.unwrap();
    assert_eq!(seconds(&rig.attempts()), [0.0; 4]);
    rig.shutdown(Duration::from_secs(1)).await;
    let line = rig.settled();
    assert_eq!((line.taken, line.handed_on, line.dropped["rejected"]), (6, 4, 2));
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_errors_go_back() {
    let settings = SendSettings { queue: None, retry: None, timeout: Duration::ZERO };
    let rig = Rig::start(&settings, acts([Act::Reject(9), unavailable()])).await;
    rig.consume(batch("a", 3)).await.unwrap();
    assert!(rig.consume(batch("b", 3)).await.unwrap_err().is_retryable());
    rig.consume(batch("empty", 0)).await.unwrap();
    rig.shutdown(Duration::from_secs(1)).await;
    let line = rig.settled();
    // A backend cannot reject more than it was sent.
    assert_eq!((line.taken, line.dropped["rejected"]), (3, 3));
    assert_eq!(rig.metric("otelcol_exporter_send_failed_spans_total"), 3);
    assert!(rig.consume(batch("late", 1)).await.unwrap_err().is_retryable());
}

/// The backend is dead at shutdown: waits end, every batch gets one more attempt, then it is dropped and counted. That takes
/// no time.
#[tokio::test(start_paused = true)]
async fn shutdown_with_a_dead_backend_ends_at_once() {
    let rig = Rig::start(&queued(|_| {}), |_: &Batch| unavailable()).await;
    for name in ["a", "b", "c"] {
        rig.consume(batch(name, 2)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.shutdown(Duration::from_secs(30)).await;
    assert_eq!(seconds(&rig.attempts()), [0.0, 0.5, 0.5, 0.5]);
    assert_eq!(rig.settled().dropped["shutdown"], 6);
}

/// The backend hangs at shutdown: at the deadline everything is dropped and counted.
#[tokio::test(start_paused = true)]
async fn shutdown_ends_at_the_deadline() {
    let rig = Rig::start(&queued(|queue| queue.num_consumers = 2), acts([Act::Take, Act::Hang, Act::Hang])).await;
    for name in ["a", "b", "c", "d"] {
        rig.consume(batch(name, 1)).await.unwrap();
    }
    let before = Instant::now();
    rig.shutdown(Duration::from_secs(3)).await;
    assert!((2.9..3.1).contains(&before.elapsed().as_secs_f64()), "{:?}", before.elapsed());
    let line = rig.settled();
    assert_eq!((line.handed_on, line.dropped["shutdown"]), (1, 3));
}

/// An exporter that is dropped without a shutdown leaves no task behind, and no item uncounted.
#[tokio::test(start_paused = true)]
async fn dropped_without_shutdown() {
    let rig = Rig::start(&queued(|_| {}), |_: &Batch| Act::Hang).await;
    rig.consume(batch("a", 1)).await.unwrap();
    rig.consume(batch("b", 1)).await.unwrap();
    quiet().await;
    let account = rig.context.account.clone();
    drop(rig);
    quiet().await;
    let line = account.line();
    assert_eq!((line.gap(), line.held, line.dropped["shutdown"]), (0, 0, 2));
}

/// A panic while sending costs that batch, not the consumer.
#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_and_survived() {
    let rig = Rig::start(&queued(|_| {}), acts([Act::Panic])).await;
    rig.consume(batch("a", 2)).await.unwrap();
    rig.consume(batch("b", 1)).await.unwrap();
    rig.shutdown_when_empty().await;
    let line = rig.settled();
    assert_eq!((line.handed_on, line.dropped["panic"]), (1, 2));
}

fn gathering(change: impl FnOnce(&mut GatherSettings)) -> SendSettings {
    let mut gather = GatherSettings { min_size: 5, ..GatherSettings::default() };
    change(&mut gather);
    queued(|queue| queue.batch = Some(gather))
}

/// Small batches leave as one when they are enough together, or after `flush_timeout`, or at shutdown.
#[tokio::test(start_paused = true)]
async fn batch_merges() {
    let rig = Rig::start(&gathering(|_| {}), |_: &Batch| Act::Take).await;
    for (name, items) in [("a", 2), ("b", 1), ("c", 2), ("d", 1)] {
        rig.consume(batch(name, items)).await.unwrap();
    }
    quiet().await;
    assert_eq!(rig.taken(), [["a", "a", "b", "c", "c"]]);
    assert_eq!((rig.line().held, rig.metric("otelcol_exporter_queue_size")), (1, 1));
    tokio::time::sleep(Duration::from_millis(210)).await;
    assert_eq!(rig.taken().len(), 2);
    rig.consume(batch("e", 1)).await.unwrap();
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.taken()[1..], [["d"], ["e"]]);
    assert_eq!(rig.settled().handed_on, 7);
    assert_eq!(rig.metric("otelcol_exporter_queue_size"), 0);
}

#[tokio::test(start_paused = true)]
async fn batch_splits() {
    let settings = gathering(|gather| {
        gather.min_size = 3;
        gather.max_size = 4;
    });
    let rig = Rig::start(&settings, |_: &Batch| Act::Take).await;
    rig.consume(batch("a", 2)).await.unwrap();
    rig.consume(batch("b", 8)).await.unwrap();
    quiet().await;
    assert_eq!(rig.taken(), [["a", "a", "b", "b"], ["b"; 4]]);
    assert_eq!(rig.line().held, 2);
    rig.shutdown(Duration::from_secs(1)).await;
    assert_eq!(rig.taken()[2], ["b", "b"]);
    assert_eq!(rig.settled().handed_on, 10);
}

/// A merged batch that is lost is lost for all that it holds; the deadline also ends what only waits to be merged.
#[tokio::test(start_paused = true)]
async fn batch_accounts_for_every_part() {
    let rig = Rig::start(&gathering(|_| {}), acts([Act::Fail(ConsumeError::permanent("no")), Act::Hang])).await;
    for name in ["a", "b", "c", "d", "e"] {
        rig.consume(batch(name, 3)).await.unwrap();
    }
    quiet().await;
    rig.shutdown(Duration::ZERO).await;
    let line = rig.settled();
    assert_eq!((line.dropped["send_failed"], line.dropped["shutdown"]), (6, 9), "{line:?}");
}

/// Real threads: the same books.
#[test]
fn many_threads_share_a_queue() {
    let (workers, threads) = Workers::start(3).unwrap();
    let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let context = waiter.block_on(async { Context { workers: workers.clone(), ..context(Signal::Traces) } });
    let diary: Arc<Mutex<Diary>> = Arc::default();
    let backend = Backend { script: Mutex::new(Box::new(|_: &Batch| Act::Take)), diary: Arc::clone(&diary) };
    let settings = queued(|queue| {
        queue.num_consumers = 4;
        queue.queue_size = 8;
        queue.block_on_overflow = true;
    });
    let account = context.account.clone();
    let exporter = exporter(context, &settings, backend);
    let done = {
        let (exporter, account) = (Arc::clone(&exporter), account.clone());
        let spawner = workers.clone();
        workers.spawn(async move {
            exporter.start().await.unwrap();
            let senders: Vec<_> = (0..6)
                .map(|_| {
                    let (exporter, account) = (Arc::clone(&exporter), account.clone());
                    spawner.spawn(async move {
                        for _ in 0..500 {
                            exporter.consume(batch("x", 2)).await.unwrap();
                            account.taken(2);
                        }
                    })
                })
                .collect();
            for sender in senders {
                sender.await.unwrap();
            }
            exporter.shutdown(Deadline::after(Duration::from_secs(20))).await;
        })
    };
    waiter.block_on(done).unwrap();
    threads.stop();
    let line = account.line();
    assert_eq!((line.taken, line.handed_on, line.held, line.gap()), (6000, 6000, 0, 0));
    assert_eq!(diary.lock().unwrap().taken.len(), 3000);
}
