//! accepted = sent + dropped by reason + held: at every moment by the collector's own columns, at rest exactly and by an
//! independent count, whatever the backend, the queue, the memory and the end of the process do.

use std::time::Duration;
use tailrace_tests::backend::{Backend, Mood};
use tailrace_tests::client::{Books, Load};
use tailrace_tests::host::{Host, yaml};
use tailrace_tests::ledger::{Totals, assert_balanced};
use tailrace_tests::spans::Generator;
use tonic::{Code, Status};

/// Short delays, so that a test does not wait for the defaults.
const QUICK_RETRY: &str = "retry_on_failure: {initial_interval: 20ms, max_interval: 100ms, max_elapsed_time: 0}";

/// The whole way of the article without its sampler's decisions: limiter, sampling that keeps all, batch, queue.
fn all_stages(exporter: &str) -> String {
    yaml(
        &["traces"],
        &[
            ("memory_limiter", "{check_interval: 1s, limit_mib: 4000}"),
            ("tail_sampling", "{decision_wait: 1s, policies: [{name: all, type: always_sample}]}"),
            ("batch", "{timeout: 50ms, send_batch_size: 200}"),
        ],
        &[("otlp_grpc", exporter)],
    )
}

/// The backend refuses for a while so that sending again may help: nothing is sent, nothing is dropped, all is held;
/// when it is back everything arrives, once.
#[tokio::test]
async fn backend_that_refuses_and_comes_back() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Refuse(Status::unavailable("not now")));
    let host = Host::start(&all_stages(&backend.exporter(QUICK_RETRY))).await;
    let watch = host.watch(3000);
    let load = Load::start(host.grpc(), 3, 2, Duration::from_millis(5), 31).await;
    backend.until("some refusals", |backend| backend.refusals() >= 10).await;
    let totals = host.totals();
    assert_eq!((totals.sent, totals.dropped()), (0, 0), "{totals:?}");
    assert!(totals.held > 0, "{totals:?}");
    backend.set_mood(Mood::Accept);
    backend.until("spans", |backend| backend.span_count() > 1000).await;
    let books = load.stop().await;
    watch.stop();
    books.assert_none_refused();
    let ledger = host.stop().await;
    assert_balanced(&ledger);
    let totals = Totals::of(&ledger);
    assert_eq!((totals.accepted as usize, totals.sent as usize), (books.accepted.len(), books.accepted.len()));
    books.assert_exactly_once(&backend.span_ids());
}

/// The backend refuses for good: everything is dropped, counted as failed to send and by reason, and never sent again.
#[tokio::test]
async fn backend_that_refuses_for_good() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Refuse(Status::invalid_argument("never")));
    let host = Host::start(&all_stages(&backend.exporter(QUICK_RETRY))).await;
    let watch = host.watch(3000);
    let load = Load::start(host.grpc(), 2, 2, Duration::from_millis(5), 32).await;
    backend.until("some refusals", |backend| backend.refusals() >= 5).await;
    let books = load.stop().await;
    watch.stop();
    host.until("rest", |host| host.totals().held == 0).await;
    let accepted = books.accepted.len();
    assert_eq!(host.metric("otelcol_exporter_send_failed_spans_total", &[]) as usize, accepted);
    assert_eq!(host.metric("tailrace_dropped_items_total", &["component=\"exporter:otlp_grpc\""]) as usize, accepted);
    let ledger = host.stop().await;
    assert_balanced(&ledger);
    assert_eq!((Totals::of(&ledger).sent, backend.span_count()), (0, 0));
    assert_eq!(Totals::of(&ledger).dropped.len(), 1, "one reason: {:?}", Totals::of(&ledger));
}

/// Retries end after `max_elapsed_time`: what could not be sent by then is dropped and counted.
#[tokio::test]
async fn retries_that_run_out() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Refuse(Status::unavailable("never again")));
    let retry = "retry_on_failure: {initial_interval: 20ms, max_interval: 50ms, max_elapsed_time: 300ms}";
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(retry))])).await;
    host.client().await.send(Generator::new(33).request(3)).await.unwrap();
    host.until("the end of retrying", |host| host.totals().dropped() == 30).await;
    assert!(backend.refusals() > 1, "it was retried");
    assert_balanced(&host.stop().await);
}

/// A full queue refuses: the client hears UNAVAILABLE, nothing of it is ever sent, and all that was accepted arrives
/// once the backend answers again.
#[tokio::test]
async fn full_queue() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Hold);
    let queue = "sending_queue: {queue_size: 2, num_consumers: 1}, timeout: 60s";
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(queue))])).await;
    let watch = host.watch(60);
    let client = host.client().await;
    let mut generator = Generator::new(34);
    let mut books = Books::default();
    for _ in 0..10 {
        let request = generator.request(2);
        let answer = client.send(request.clone()).await;
        if let Err(status) = &answer {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        }
        books.enter(&request, &answer);
    }
    assert!((2..=3).contains(&(books.accepted.len() / 20)), "{} were accepted", books.accepted.len());
    assert_eq!(host.totals().held as usize, books.accepted.len());
    assert_eq!(host.metric("otelcol_exporter_queue_capacity", &[]), 2.0);
    assert_eq!(host.metric("otelcol_exporter_enqueue_failed_spans_total", &[]) as usize, books.refused.len());
    assert_eq!(host.metric("otelcol_receiver_refused_spans_total", &[]) as usize, books.refused.len());
    backend.set_mood(Mood::Accept);
    host.until("rest", |host| host.totals().held == 0).await;
    watch.stop();
    assert_balanced(&host.stop().await);
    books.assert_exactly_once(&backend.span_ids());
}

/// With `wait_for_result` the backend's answer is the client's answer.
#[tokio::test]
async fn wait_for_result_tells_the_client() {
    let backend = Backend::start().await;
    let queue = "sending_queue: {wait_for_result: true}, retry_on_failure: {enabled: false}";
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(queue))])).await;
    let client = host.client().await;
    let mut generator = Generator::new(35);
    let mut books = Books::default();
    for (mood, code) in [
        (Mood::Accept, Code::Ok),
        (Mood::Refuse(Status::unavailable("later")), Code::Unavailable),
        (Mood::Refuse(Status::invalid_argument("never")), Code::InvalidArgument),
        (Mood::Accept, Code::Ok),
    ] {
        backend.set_mood(mood);
        let request = generator.request(1);
        let answer = client.send(request.clone()).await;
        assert_eq!(answer.as_ref().map_or_else(Status::code, |()| Code::Ok), code, "{answer:?}");
        books.enter(&request, &answer);
    }
    assert_eq!(host.totals().held, 0);
    assert_balanced(&host.stop().await);
    books.assert_exactly_once(&backend.span_ids());
}

/// A backend that rejects a part of a request: it is counted and never sent again.
#[tokio::test]
async fn partial_success_is_counted() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Partial(3));
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(""))])).await;
    host.client().await.send(Generator::new(36).request(2)).await.unwrap();
    host.until("the answer", |host| host.metric("tailrace_exporter_rejected_spans_total", &[]) == 3.0).await;
    host.until("rest", |host| host.totals().held == 0).await;
    assert_eq!(backend.trace_requests().len(), 1);
    assert_balanced(&host.stop().await);
}

/// Memory pressure: with a limit below what any process needs, everything is refused and nothing accepted or lost.
#[tokio::test]
async fn memory_pressure() {
    let backend = Backend::start().await;
    let limiter = ("memory_limiter", "{check_interval: 20ms, limit_mib: 1}");
    let host = Host::start(&yaml(&["traces"], &[limiter], &[("otlp_grpc", &backend.exporter(""))])).await;
    let refused = |host: &Host| host.metric("otelcol_processor_memory_limiter_refused_spans_total", &[]);
    let watch = host.watch(60);
    let load = Load::start(host.grpc(), 2, 2, Duration::from_millis(5), 37).await;
    host.until("refusals", |host| refused(host) > 500.0).await;
    let books = load.stop().await;
    watch.stop();
    assert_eq!(refused(&host) as usize, books.refused.len());
    assert_eq!(host.metric("otelcol_receiver_refused_spans_total", &[]) as usize, books.refused.len());
    let accepted = host.metric("otelcol_processor_memory_limiter_accepted_spans_total", &[]);
    assert_eq!(accepted as usize, books.accepted.len());
    let ledger = host.stop().await;
    assert_balanced(&ledger);
    assert_eq!(Totals::of(&ledger).accepted as usize, books.accepted.len());
    books.assert_exactly_once(&backend.span_ids());
}

/// A drain under load with traces held in sampling, in the batch and in the queue: the client's last requests are
/// answered, everything accepted arrives.
#[tokio::test]
async fn drain_under_load() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Slow(Duration::from_millis(20)));
    let host = Host::start(&all_stages(&backend.exporter(QUICK_RETRY))).await;
    let telemetry = host.telemetry().clone();
    let load = Load::start(host.grpc(), 3, 2, Duration::from_millis(3), 38).await;
    backend.until("spans", |backend| backend.span_count() > 500).await;
    assert!(host.totals().held > 0);
    let ledger = host.stop().await;
    let books = load.stop().await;
    assert_balanced(&ledger);
    assert_eq!(Totals::of(&telemetry.ledger().lines()), Totals::of(&ledger), "nothing moves after the end");
    books.assert_exactly_once(&backend.span_ids());
    let (sent, accepted) = (Totals::of(&ledger).sent as usize, books.accepted.len());
    assert!(sent >= accepted && sent <= accepted + books.unanswered.len(), "sent {sent}, accepted {accepted}");
}

/// The backend is dead when the end comes: the deadline is kept, and what could not be sent is dropped and counted.
#[tokio::test]
async fn backend_dead_at_the_end() {
    let backend = Backend::start().await;
    let host = Host::start(&all_stages(&backend.exporter(QUICK_RETRY))).await;
    let load = Load::start(host.grpc(), 2, 2, Duration::from_millis(3), 39).await;
    backend.until("spans", |backend| backend.span_count() > 200).await;
    backend.set_mood(Mood::Refuse(Status::unavailable("dying")));
    host.until("held spans", |host| host.totals().held > 200).await;
    let books = load.stop().await;
    let arrived = backend.span_ids();
    drop(backend);
    let started = std::time::Instant::now();
    let ledger = host.stop_within(Duration::from_secs(1)).await;
    assert!(started.elapsed() < Duration::from_secs(4), "the drain took {:?}", started.elapsed());
    assert_balanced(&ledger);
    let totals = Totals::of(&ledger);
    assert_eq!(totals.accepted as usize, books.accepted.len());
    assert_eq!(totals.sent as usize, arrived.len());
    books.assert_lost(totals.dropped() as usize, &arrived);
    assert!(totals.dropped() > 0, "{totals:?}");
}

/// A backend that neither answers nor ends: the deadline is kept as well.
#[tokio::test]
async fn backend_that_hangs_at_the_end() {
    let backend = Backend::start().await;
    backend.set_mood(Mood::Hold);
    let host = Host::start(&all_stages(&backend.exporter("timeout: 60s"))).await;
    host.client().await.send(Generator::new(40).request(50)).await.unwrap();
    backend.until("a request that hangs", |backend| backend.calls() > 0).await;
    let started = std::time::Instant::now();
    let ledger = host.stop_within(Duration::from_secs(1)).await;
    assert!(started.elapsed() < Duration::from_secs(4), "the drain took {:?}", started.elapsed());
    assert_balanced(&ledger);
    assert_eq!(Totals::of(&ledger).dropped(), 500);
}

/// The backend goes away and comes back on the same address: what was accepted meanwhile arrives.
#[tokio::test]
async fn backend_that_restarts() {
    let backend = Backend::start().await;
    let host = Host::start(&yaml(&["traces"], &[], &[("otlp_grpc", &backend.exporter(QUICK_RETRY))])).await;
    let load = Load::start(host.grpc(), 2, 1, Duration::from_millis(5), 41).await;
    backend.until("spans", |backend| backend.span_count() > 100).await;
    // Refuse first: a request that dies with the connection may have been counted by the backend and comes again.
    backend.set_mood(Mood::Refuse(Status::unavailable("going down")));
    backend.until("a refusal", |backend| backend.refusals() > 5).await;
    let (mut arrived, address) = (backend.span_ids(), backend.address());
    drop(backend);
    let sent = host.totals().sent;
    host.until("spans that wait", |host| host.totals().held > 100).await;
    assert_eq!(host.totals().sent, sent);
    let backend = Backend::start_at(address).await;
    backend.until("spans again", |backend| backend.span_count() > 100).await;
    let books = load.stop().await;
    assert_balanced(&host.stop().await);
    for (id, count) in backend.span_ids() {
        *arrived.entry(id).or_default() += count;
    }
    books.assert_exactly_once(&arrived);
}

/// The same figures in `/metrics` as text, as an operator's dashboard adds them up.
#[tokio::test]
async fn metrics_text_adds_up() {
    let backend = Backend::start().await;
    let host = Host::start(&all_stages(&backend.exporter(QUICK_RETRY))).await;
    host.client().await.send(Generator::new(42).request(20)).await.unwrap();
    host.until("rest", |host| host.totals().sent == 200 && host.totals().held == 0).await;
    let (status, text) = host.get("metrics", "/metrics").await;
    assert_eq!(status, 200);
    let sum = |name: &str| -> f64 {
        let series = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert_eq!(sum("otelcol_receiver_accepted_spans_total"), 200.0, "{text}");
    assert_eq!(
        sum("otelcol_exporter_sent_spans_total") + sum("tailrace_dropped_items_total") + sum("tailrace_held_items"),
        200.0,
        "{text}"
    );
    assert_balanced(&host.stop().await);
}
