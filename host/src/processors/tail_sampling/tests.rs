//! The processor at its boundaries: spans in, time passing, spans out.

mod change;
mod ingest;
mod labels;
mod limits;
mod model;
mod pending;
mod samplers;
mod why;

use super::*;
use crate::component::testing::{Answer, Next, Seen, TestSpan, batch, context, line, put, settle};
use crate::workers::Workers;
use crate::yaml::from_str;
use tokio::time::Instant;

pub(super) struct Stage {
    pub(super) context: Context,
    pub(super) next: Arc<Next>,
    pub(super) processor: Arc<TailSampling>,
}

impl Stage {
    /// Built from a section and started.
    pub(super) async fn start(text: &str) -> Self {
        let context = context("tail_sampling");
        let next = Next::new(&context);
        let config: Config = from_str("t", text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        let processor = Arc::new(TailSampling::new(&config, context.clone(), next.clone()).unwrap());
        processor.start().await.unwrap();
        Self { context, next, processor }
    }

    pub(super) async fn put(&self, spans: &[TestSpan]) -> Result<(), ConsumeError> {
        put(&*self.processor, &self.context, batch(spans)).await
    }

    pub(super) async fn shutdown(&self, grace: Duration) {
        self.processor.shutdown(Deadline::after(grace)).await;
    }

    fn dropped(&self, reason: &str) -> u64 {
        line(&self.context).dropped.get(reason).copied().unwrap_or(0)
    }

    fn metric(&self, name: &str, labels: &str) -> f64 {
        let having: Vec<&str> = labels.split(',').filter(|label| !label.is_empty()).collect();
        self.context.telemetry.metrics().total(&format!("otelcol_processor_tail_sampling_{name}"), &having)
    }
}

pub(super) fn id(i: u64) -> Vec<u8> {
    [i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes(), (i + 1).to_le_bytes()].concat()
}

fn span(trace: u64, name: &str) -> TestSpan {
    TestSpan { trace: id(trace), name: name.to_owned(), ..TestSpan::default() }
}

fn error(trace: u64, name: &str) -> TestSpan {
    TestSpan { error: true, ..span(trace, name) }
}

fn names(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|span| span.name.as_str()).collect()
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

const ERRORS: &str = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";
const ALL: &str = "policies: [{name: all, type: always_sample}]";

/// A trace is decided as a whole when its time has come, not before; spans that come later follow.
#[tokio::test(start_paused = true)]
async fn decided_together_and_late_spans_follow() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s}}")).await;
    stage.put(&[span(1, "a"), span(2, "x")]).await.unwrap();
    pass(900).await;
    stage.put(&[span(2, "y"), error(1, "b")]).await.unwrap();
    assert_eq!((stage.next.sizes().len(), line(&stage.context).held), (0, 4));
    pass(200).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b"]);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (2, 0));
    stage.put(&[span(1, "c"), error(2, "z")]).await.unwrap();
    pass(100).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b", "c"], "late spans follow the first decision, error or not");
    assert_eq!(stage.dropped("not_sampled"), 3);
    assert_eq!(stage.metric("early_releases_from_cache_decision_total", "sampled=\"true\""), 1.0);
    assert_eq!(stage.metric("early_releases_from_cache_decision_total", "sampled=\"false\""), 1.0);
    assert_eq!(stage.metric("global_count_traces_sampled_total", "sampled=\"true\""), 1.0);
    assert_eq!(stage.metric("count_traces_sampled_total", "policy=\"errors\",decision=\"not_sampled\""), 1.0);
    assert_eq!(stage.metric("new_trace_id_received_total", ""), 2.0);
    let view = stage.processor.inner.metrics.view(&stage.processor.inner.settings.load().rules.policies);
    assert_eq!((&view["traces_sampled_by_policy"]["errors"], &view["traces_on_memory"]), (&1.into(), &0.into()));
}

/// Without a cache the decisions about the newest `num_traces` traces are remembered, as in the Collector.
#[tokio::test(start_paused = true)]
async fn without_decision_cache() {
    let cache = "decision_cache: {sampled_cache_size: 0, non_sampled_cache_size: 0}";
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 1s, {cache}}}")).await;
    stage.put(&[error(1, "a"), span(2, "x")]).await.unwrap();
    pass(1100).await;
    stage.put(&[span(1, "b"), error(2, "y")]).await.unwrap();
    pass(1100).await;
    assert_eq!(names(&stage.next.spans()), ["a", "b"]);
    assert_eq!(stage.metric("new_trace_id_received_total", ""), 2.0);
}

/// At `num_traces` the oldest is decided on what has arrived, and counted; nothing is forgotten.
#[tokio::test(start_paused = true)]
async fn oldest_are_decided_early() {
    let stage = Stage::start(&format!("{{{ERRORS}, num_traces: 3, num_shards: 1}}")).await;
    stage.put(&[error(1, "a"), span(2, "b"), span(3, "c"), span(4, "d"), span(5, "e")]).await.unwrap();
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["a"]);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (1, 3));
    assert_eq!(stage.metric("sampling_trace_dropped_too_early_total", ""), 2.0);
    assert_eq!(stage.metric("sampling_traces_on_memory", ""), 3.0);
}

/// With `block_on_overflow` the sender waits for a decision instead; one who gives up has left nothing behind.
#[tokio::test(start_paused = true)]
async fn block_on_overflow() {
    let stage =
        Stage::start(&format!("{{{ALL}, num_traces: 2, num_shards: 1, decision_wait: 10s, block_on_overflow: true}}"))
            .await;
    stage.put(&[span(1, "a"), span(2, "b")]).await.unwrap();
    stage.put(&[span(1, "a2")]).await.unwrap();
    let gives_up = tokio::time::timeout(Duration::from_secs(5), stage.put(&[span(3, "c"), span(1, "a3")])).await;
    assert!(gives_up.is_err());
    assert_eq!(line(&stage.context).held, 3);
    let start = Instant::now();
    stage.put(&[span(4, "d")]).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(5) && start.elapsed() < Duration::from_secs(6));
    pass(20_000).await;
    assert_eq!(names(&stage.next.spans()), ["a", "a2", "b", "d"]);
    assert_eq!(stage.metric("sampling_trace_dropped_too_early_total", ""), 0.0);
}

/// A root hastens the decision.
#[tokio::test(start_paused = true)]
async fn after_root_received() {
    let stage = Stage::start(&format!("{{{ALL}, decision_wait: 30s, decision_wait_after_root_received: 2s}}")).await;
    stage.put(&[span(1, "a"), span(2, "b")]).await.unwrap();
    pass(1000).await;
    stage.put(&[TestSpan { root: true, ..span(1, "root") }]).await.unwrap();
    pass(1900).await;
    assert!(stage.next.sizes().is_empty());
    pass(300).await;
    assert_eq!(names(&stage.next.spans()), ["a", "root"]);
    pass(27_000).await;
    assert_eq!(stage.next.spans().len(), 3);
}

/// A trace that grows beyond its limit is dropped at once, with everything that follows.
#[tokio::test(start_paused = true)]
async fn too_large() {
    let stage = Stage::start(&format!("{{{ALL}, maximum_trace_size_bytes: 1000, decision_wait: 1s}}")).await;
    let large = |name| TestSpan { ballast: 600, ..span(1, name) };
    stage.put(&[large("a"), span(2, "b")]).await.unwrap();
    stage.put(&[large("c")]).await.unwrap();
    settle().await;
    assert_eq!((stage.dropped("too_large"), line(&stage.context).held), (2, 1));
    stage.put(&[span(1, "d")]).await.unwrap();
    pass(1100).await;
    assert_eq!(names(&stage.next.spans()), ["b"]);
    assert_eq!((stage.dropped("not_sampled"), stage.metric("traces_dropped_too_large_total", "")), (1, 1.0));
    // A span without a trace id is a trace of its own.
    let stray = |name, ballast| TestSpan { trace: vec![], ballast, ..span(0, name) };
    stage.put(&[stray("e", 2_000), stray("f", 0)]).await.unwrap();
    pass(1100).await;
    assert_eq!(names(&stage.next.spans()), ["b", "f"]);
    assert_eq!((stage.dropped("too_large"), line(&stage.context).held), (3, 0));
    assert_eq!(stage.metric("traces_dropped_too_large_total", ""), 2.0);
}

/// Spans without a trace id do not become one giant trace: each is decided at once, by itself.
#[tokio::test(start_paused = true)]
async fn spans_without_trace_id() {
    let stage = Stage::start(&format!("{{{ERRORS}, decision_wait: 10s}}")).await;
    let stray = |name: &str, trace: Vec<u8>, error| TestSpan { trace, error, ..span(0, name) };
    let spans = [stray("a", vec![], true), stray("b", vec![0; 16], false), stray("c", vec![0; 16], true)];
    stage.put(&spans).await.unwrap();
    pass(600).await;
    assert_eq!(names(&stage.next.spans()), ["a", "c"]);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (1, 0));
}

/// What a tick releases leaves in full batches, with each resource and scope once, not in one batch per trace.
#[tokio::test(start_paused = true)]
async fn released_traces_are_coalesced() {
    let stage = Stage::start(&format!("{{{ALL}, decision_wait: 10s, num_shards: 1}}")).await;
    let trace = |trace: u64| (0..5).map(move |i| TestSpan { resource: i, ..span(trace, &format!("{trace:04} {i}")) });
    for first in (0..1000).step_by(50) {
        stage.put(&(first..first + 50).flat_map(trace).collect::<Vec<_>>()).await.unwrap();
    }
    pass(10_600).await;
    assert_eq!(stage.next.sizes(), [1000; 5]);
    assert_eq!(stage.next.contexts(), [(5, 5); 5], "resources and scopes of each batch");
    let mut expected: Vec<String> = (0..1000).flat_map(trace).map(|span| span.name).collect();
    expected.sort();
    assert_eq!(names(&stage.next.spans()), expected);
}

/// What the next stage refuses for now is offered again; while too much waits, senders are told to come again and traces wait
/// undecided.
#[tokio::test(start_paused = true)]
async fn backlog() {
    let stage = Stage::start(&format!("{{{ALL}, decision_wait: 1s, num_shards: 1}}")).await;
    stage.next.script([Answer::Refuse(ConsumeError::retryable("later"))]);
    stage.put(&[span(0, "first")]).await.unwrap();
    pass(2_000).await;
    assert_eq!(stage.next.sizes(), [1]);

    stage.next.open(false);
    let mut put_in = 1;
    let refusal = loop {
        let large = TestSpan { ballast: 1 << 20, ..span(put_in, "large") };
        match stage.put(&[large]).await {
            Ok(()) => put_in += 1,
            Err(refusal) => break refusal,
        }
        pass(1_100).await;
    };
    assert!(matches!(refusal, ConsumeError::Retryable { after: Some(_), .. }));
    assert!((32..40).contains(&put_in), "{put_in}");
    assert_eq!(line(&stage.context).held as u64, put_in - 1);
    stage.next.open(true);
    pass(5_000).await;
    assert_eq!((stage.next.spans().len() as u64, line(&stage.context).held), (put_in, 0));
}

/// At the end undecided traces are decided, or dropped if that is wanted; what does not get out in time is counted.
#[tokio::test(start_paused = true)]
async fn shutdown() {
    let put_two = async |text: &str| {
        let stage = Stage::start(text).await;
        stage.put(&[error(1, "a"), span(2, "b"), error(3, "c")]).await.unwrap();
        stage
    };
    let stage = put_two(&format!("{{{ERRORS}}}")).await;
    stage.shutdown(Duration::from_secs(5)).await;
    assert_eq!(names(&stage.next.spans()), ["a", "c"]);
    assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (1, 0));
    assert!(stage.put(&[span(4, "d")]).await.unwrap_err().is_retryable());

    let stage = put_two(&format!("{{{ERRORS}, drop_pending_traces_on_shutdown: true}}")).await;
    stage.shutdown(Duration::from_secs(5)).await;
    assert_eq!((stage.next.spans().len(), stage.dropped("shutdown"), line(&stage.context).held), (0, 3, 0));

    let stage = put_two(&format!("{{{ERRORS}}}")).await;
    stage.next.open(false);
    let start = Instant::now();
    stage.shutdown(Duration::from_secs(5)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert_eq!((stage.dropped("shutdown"), stage.dropped("not_sampled"), line(&stage.context).held), (2, 1, 0));
}

/// Overload in bytes: memory stays below its limit, traces are decided early but whole, and every span is accounted for.
#[tokio::test(start_paused = true)]
async fn memory_budget() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = Stage::start(&format!("{{{ERRORS}, max_memory_mib: 4, num_shards: 2}}")).await;
    let mut spans = 0;
    for step in 0..200u64 {
        let of = |_| {
            let trace = step / 4 * 10 + random.u64(..30);
            TestSpan {
                error: trace.is_multiple_of(3),
                ballast: random.usize(..4_000),
                ..span(trace, &format!("{trace}"))
            }
        };
        let some: Vec<TestSpan> = (0..100).map(of).collect();
        spans += some.len() as u64;
        stage.put(&some).await.unwrap();
        let bytes = stage.processor.inner.metrics.bytes.get();
        assert!(bytes <= 4 << 20, "{bytes}");
        settle().await;
        line(&stage.context);
    }
    assert!(stage.metric("sampling_trace_dropped_too_early_total", "") > 0.0);
    stage.shutdown(Duration::from_secs(60)).await;
    let line = line(&stage.context);
    assert_eq!((line.taken, line.held), (spans, 0));
    assert!(stage.next.spans().iter().all(|span| span.name.parse::<u64>().unwrap().is_multiple_of(3)));
    assert_eq!(line.handed_on + line.dropped["not_sampled"], spans);
    assert_eq!(stage.processor.inner.metrics.bytes.get(), 0);
}

/// Many threads at once: what went in came out or was counted, and no trace was torn apart.
#[test]
fn many_threads() {
    let (workers, threads) = Workers::start(4).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let context = Context { workers: workers.clone(), ..context("tail_sampling") };
    let next = Next::new(&context);
    let config: Config = from_str("t", &format!("{{{ERRORS}, decision_wait: 20ms, num_traces: 500}}")).unwrap();
    let processor = Arc::new(TailSampling::new(&config, context.clone(), next.clone()).unwrap());
    runtime.block_on(async {
        processor.start().await.unwrap();
        let senders: Vec<_> = (0..8u64)
            .map(|sender| {
                let (processor, context) = (Arc::clone(&processor), context.clone());
                workers.spawn(async move {
                    for step in 0..200u64 {
                        // Each sender sends one span of each trace.
                        let of = |i: u64| TestSpan {
                            error: (step * 20 + i).is_multiple_of(4),
                            ..span(step * 20 + i, &format!("{sender}"))
                        };
                        let spans: Vec<TestSpan> = (0..20).map(of).collect();
                        put(&*processor, &context, batch(&spans)).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        processor.shutdown(Deadline::after(Duration::from_secs(20))).await;
    });
    let line = line(&context);
    assert_eq!((line.taken, line.held, line.handed_on), (8 * 200 * 20, 0, 8 * 200 * 5));
    assert_eq!(next.spans().len(), 8 * 200 * 5);
    threads.stop();
}
