//! The article's configuration, unchanged, against an independent idea of what it should keep.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use std::collections::{BTreeMap, BTreeSet};
use tailrace_tests::backend::Backend;
use tailrace_tests::client::Books;
use tailrace_tests::host::Host;
use tailrace_tests::ledger::{Totals, assert_balanced};
use tailrace_tests::plugins::repository;
use tailrace_tests::spans::{Generator, spans_of};

/// The article's file as it lies in `examples/`, with free ports, `tempo` at `backend` and one-second waits.
async fn start(backend: &Backend, wait: &str) -> Host {
    let file = repository().join("examples/article/tailrace.yaml");
    let sets = [
        "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:0".to_owned(),
        "receivers.otlp.protocols.http.endpoint=127.0.0.1:0".to_owned(),
        format!("exporters.otlp/tempo.endpoint={}", backend.address()),
        format!("processors.tail_sampling.decision_wait={wait}"),
        "processors.batch.timeout=200ms".to_owned(),
    ];
    Host::try_start(&[file.display().to_string()], &sets).await.unwrap_or_else(|faults| panic!("{faults}"))
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The trace ids that the article's policies keep: errors, longer than a second, a tenth by the hash of the id.
fn kept(requests: &[ExportTraceServiceRequest]) -> BTreeSet<Vec<u8>> {
    struct Trace {
        is_error: bool,
        start: u64,
        end: u64,
    }
    let mut traces: BTreeMap<Vec<u8>, Trace> = BTreeMap::new();
    for span in requests.iter().flat_map(spans_of) {
        let fresh = || Trace { is_error: false, start: u64::MAX, end: 0 };
        let trace = traces.entry(span.trace_id.clone()).or_insert_with(fresh);
        trace.is_error |= span.status.as_ref().is_some_and(|status| status.code == 2);
        trace.start = trace.start.min(span.start_time_unix_nano);
        trace.end = trace.end.max(span.end_time_unix_nano);
    }
    let tenth = u64::MAX / 10;
    let is_kept = |(id, trace): &(Vec<u8>, Trace)| {
        let hash = fnv1a(b"default-hash-seed".iter().copied().chain(id.iter().copied()));
        trace.is_error || trace.end - trace.start > 1_000_000_000 || hash <= tenth
    };
    traces.into_iter().filter(is_kept).map(|(id, _)| id).collect()
}

/// The spans of each trace in two requests, as two services of a node would send them, in shuffled order.
fn scattered(request: ExportTraceServiceRequest, random: &mut fastrand::Rng) -> Vec<ExportTraceServiceRequest> {
    let mut halves: [Vec<ResourceSpans>; 2] = Default::default();
    for mut resource in request.resource_spans {
        let spans = resource.scope_spans[0].spans.len();
        let mut rest = resource.clone();
        rest.scope_spans[0].spans = resource.scope_spans[0].spans.split_off(random.usize(1..spans));
        random.shuffle(&mut rest.scope_spans[0].spans);
        halves[0].push(resource);
        halves[1].push(rest);
    }
    halves.map(|resource_spans| ExportTraceServiceRequest { resource_spans }).into()
}

/// Which traces come out is computed independently; each of them comes out whole and once, none other does, and what
/// was not kept is accounted for.
#[tokio::test]
async fn keeps_errors_slow_traces_and_a_tenth_whole_and_nothing_else() {
    let backend = Backend::start().await;
    let host = start(&backend, "1s").await;
    let client = host.client().await;
    let mut generator = Generator::new(11);
    let mut random = fastrand::Rng::with_seed(11);
    let (mut books, mut firsts, mut seconds) = (Books::default(), Vec::new(), Vec::new());
    for _ in 0..20 {
        let mut request = generator.request(50);
        // On the edge: exactly a second is not longer than a second, a second and a millisecond is.
        for (trace, length_ns) in [(0, 1_000_000_000), (1, 1_001_000_000)] {
            for span in &mut request.resource_spans[trace].scope_spans[0].spans {
                span.end_time_unix_nano = span.start_time_unix_nano + length_ns;
            }
        }
        let [first, second] = scattered(request, &mut random).try_into().unwrap();
        firsts.push(first);
        seconds.push(second);
    }
    let requests: Vec<_> = firsts.into_iter().chain(seconds).collect();
    for request in &requests {
        let answer = client.send(request.clone()).await;
        books.enter(request, &answer);
        answer.unwrap();
    }
    let kept = kept(&requests);
    let all: BTreeSet<_> = requests.iter().flat_map(spans_of).map(|span| span.trace_id.clone()).collect();
    assert_eq!(all.len(), 1000);
    assert!((100..400).contains(&kept.len()), "a test in which {} of 1000 are kept shows nothing", kept.len());
    let expected = kept.len() * generator.spans_per_trace;
    backend.until("the kept traces", |backend| backend.span_count() >= expected).await;
    host.until("the decisions", |host| host.totals().dropped() > 0 && host.totals().held == 0).await;
    let status = host.status().await;
    let ledger = host.stop().await;

    let arrived = backend.span_ids();
    let wanted: BTreeMap<_, _> = requests.iter().flat_map(spans_of).map(|s| (s.span_id.clone(), s)).collect();
    for span in backend.spans() {
        assert!(wanted[&span.span_id] == &span, "a span was changed on the way: {span:?}");
        assert!(kept.contains(&span.trace_id), "a trace came out that no policy keeps: {span:?}");
    }
    assert_eq!(arrived.len(), expected, "every kept trace is whole");
    assert!(arrived.values().all(|count| *count == 1), "no span arrived twice");
    assert_balanced(&ledger);
    let totals = Totals::of(&ledger);
    assert_eq!(totals.accepted, 10_000);
    assert_eq!(totals.sent, expected as i64);
    assert_eq!(totals.dropped(), 10_000 - expected as i64, "{totals:?}");
    assert_eq!(totals.dropped.len(), 1, "everything else was dropped by the sampler's decision: {totals:?} {status}");
    books.assert_lost(10_000 - expected, &arrived);
    assert!(backend.trace_requests().len() < kept.len() / 4, "released traces leave in few, full batches");
}

/// Late spans follow the first decision about their trace.
#[tokio::test]
async fn late_spans_follow_the_decision() {
    let backend = Backend::start().await;
    let host = start(&backend, "1s").await;
    let client = host.client().await;
    let mut generator = Generator::new(12);
    let mut early = generator.request(40);
    let mut late = early.clone();
    for (early, late) in early.resource_spans.iter_mut().zip(&mut late.resource_spans) {
        late.scope_spans[0].spans = early.scope_spans[0].spans.split_off(9);
    }
    let kept = kept(std::slice::from_ref(&early));
    assert!((1..40).contains(&kept.len()), "{} of 40 traces are kept", kept.len());
    client.send(early).await.unwrap();
    host.until("the decisions", |host| host.totals().dropped() > 0 && host.totals().held == 0).await;
    client.send(late).await.unwrap();
    backend.until("the late spans", |backend| backend.span_count() == kept.len() * 10).await;
    host.until("all decisions", |host| host.totals().held == 0).await;
    assert_balanced(&host.stop().await);
    assert_eq!(backend.span_count(), kept.len() * 10);
    assert!(backend.spans().iter().all(|span| kept.contains(&span.trace_id)));
}

/// At shutdown undecided traces are decided on what has arrived, and the kept ones reach the backend.
#[tokio::test]
async fn shutdown_decides_what_is_pending() {
    let backend = Backend::start().await;
    let host = start(&backend, "10s").await;
    let request = Generator::new(13).request(100);
    host.client().await.send(request.clone()).await.unwrap();
    assert_eq!(host.totals().held, 1000, "decision_wait is longer than this test");
    let kept = kept(std::slice::from_ref(&request));
    let ledger = host.stop().await;
    assert_balanced(&ledger);
    assert_eq!(Totals::of(&ledger).sent, kept.len() as i64 * 10);
    let arrived: BTreeSet<_> = backend.spans().iter().map(|span| span.trace_id.clone()).collect();
    assert_eq!(arrived, kept);
}

/// The old spelling of the exporter works, and a warning names the new one, for each place where it is written.
#[tokio::test]
async fn the_deprecated_spelling_is_warned_about() {
    let backend = Backend::start().await;
    let host = start(&backend, "1s").await;
    for id in ["otlp/tempo", "otlp/jaeger"] {
        let named = |warning: &&String| warning.contains(id) && warning.contains("otlp_grpc");
        let warning = host.warnings.iter().find(named);
        let warning = warning.unwrap_or_else(|| panic!("no warning names {id} and otlp_grpc: {:?}", host.warnings));
        assert!(warning.contains("tailrace.yaml:"), "it says where: {warning}");
    }
    host.stop().await;
}
