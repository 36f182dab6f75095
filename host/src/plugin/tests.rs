//! Plugins compiled from source, in the real host: what they may do, and what becomes of those that do what they may not.

use super::options::Failed;
use super::*;
use crate::pdata::{Batch, Limits as Validation, Signal};
use crate::telemetry::Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

mod frozen;
#[allow(dead_code, unreachable_pub, reason = "shared with the end-to-end tests")]
#[path = "../../../tests/src/guests.rs"]
pub(crate) mod guests;
mod mad;

/// Options with a little more time than the default: a loaded test machine is slow.
pub(super) fn options(config: &str) -> Options {
    Options {
        role: Role::Batches,
        name: "test".into(),
        config: config.into(),
        error_mode: None,
        limits: Limits {
            timeout: Duration::from_secs(2),
            memory_bytes: 48 << 20,
            output_bytes: 4 << 20,
            ..Limits::default()
        },
    }
}

pub(super) fn load(bytes: impl Into<Arc<[u8]>>, options: Options) -> Result<Plugin, LoadError> {
    Plugin::load(&Candidate::new(bytes), options, &Metrics::default(), &[])
}

/// `mad-attributes`, told what to do.
fn mad(what: &str) -> Result<Plugin, LoadError> {
    load(guests::guest("mad-attributes"), options(&format!(r#"{{"do": "{what}"}}"#)))
}

/// `mad-processor`, told what to do.
fn mad_processor(what: &str) -> Plugin {
    load(guests::guest("mad-processor"), options(&format!(r#"{{"do": "{what}"}}"#))).unwrap()
}

pub(super) fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

/// A batch of spans, each with these attributes, and one of them again in an event.
pub(super) fn batch(spans: &[&[(&str, &str)]]) -> Batch {
    let span = |(number, attributes): (usize, &&[(&str, &str)])| Span {
        name: format!("span {number}"),
        trace_id: vec![1; 16],
        span_id: vec![u8::try_from(number + 1).unwrap(); 8],
        attributes: attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        events: attributes
            .first()
            .map(|(key, value)| Event { attributes: vec![attribute(key, value)], ..Default::default() })
            .into_iter()
            .collect(),
        ..Default::default()
    };
    let spans = spans.iter().enumerate().map(span).collect();
    let scopes = vec![ScopeSpans { spans, ..Default::default() }];
    let request = Traces { resource_spans: vec![ResourceSpans { scope_spans: scopes, ..Default::default() }] };
    Batch::validate(Signal::Traces, request.encode_to_vec().into(), &Validation::default()).unwrap()
}

pub(super) fn spans(batch: &Batch) -> Vec<Span> {
    let request = Traces::decode(&**batch.data()).unwrap();
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

/// The text of every attribute of every span, events included.
pub(super) fn texts(batch: &Batch) -> Vec<String> {
    let of = |attributes: Vec<KeyValue>| {
        attributes.into_iter().filter_map(|kv| match kv.value?.value? {
            any_value::Value::StringValue(text) => Some(text),
            _ => None,
        })
    };
    let all = spans(batch).into_iter().flat_map(|span| {
        of(span.attributes).chain(span.events.into_iter().flat_map(move |event| of(event.attributes)))
    });
    all.collect()
}

pub(super) fn incident(ran: Result<Outcome, Failed>) -> (Incident, String) {
    match ran.expect_err("this call must fail").error {
        RunError::Accident(failure) => (failure.incident, failure.message),
        other => panic!("{other:?} is no accident"),
    }
}

pub(super) fn replaced(ran: Result<Outcome, Failed>) -> Batch {
    match ran.expect("this call must work") {
        Outcome::Replaced(batch) => batch,
        other => panic!("{other:?} is no new batch"),
    }
}

/// The bundled plugin does its work at every level of a batch, and the index of the result is the one validation gives.
#[tokio::test]
async fn redact_deletes() {
    let (_, bytes) = bundled().iter().find(|(name, _)| *name == "redact").unwrap();
    let plugin = load(*bytes, options(r#"{"keys": ["user.email"]}"#)).unwrap();
    let before = batch(&[&[("user.email", "ann@example.com"), ("a", "b")], &[("c", "d")]]);
    let after = replaced(plugin.run(&before).await);
    assert_eq!(texts(&after), ["b", "d", "d"]);
    let checked = Batch::validate(Signal::Traces, after.data().clone(), &Validation::default()).unwrap();
    assert_eq!(after.index(), checked.index());
    let status = plugin.status();
    assert_eq!(status["values_removed"], 2, "{status}");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
}

/// The prefilter: what has nothing that the plugin asked for is never copied, and costs no call.
#[tokio::test]
async fn what_does_not_matter_is_not_called_for() {
    for plugin in [mad("trap").unwrap(), mad_processor("trap unless victim")] {
        assert!(matches!(plugin.run(&batch(&[&[("other", "x")]])).await, Ok(Outcome::Unchanged)));
        assert_eq!((plugin.status()["calls"].as_u64(), plugin.status()["skipped"].as_u64()), (Some(0), Some(1)));
        assert_eq!(incident(plugin.run(&batch(&[&[("victim", "x")]])).await).0, Incident::Trap);
    }
}

#[tokio::test]
async fn edits_arrive() {
    let before = batch(&[&[("victim", "a"), ("other", "b")], &[("other", "c")], &[("victim", "d")]]);
    let after = replaced(mad("stamp").unwrap().run(&before).await);
    let stamp = "@@STAMP-00@@";
    assert_eq!(texts(&after), [stamp, "b", stamp, "c", "c", stamp, stamp]);

    let after = replaced(mad("remove").unwrap().run(&before).await);
    assert_eq!(texts(&after), ["b", "c", "c"]);

    let after = replaced(mad("add").unwrap().run(&before).await);
    let added = |span: &Span| span.attributes.iter().any(|attribute| attribute.key == "added");
    assert_eq!(spans(&after).iter().map(added).collect::<Vec<_>>(), [true, false, false]);

    let after = replaced(mad("drop the first").unwrap().run(&before).await);
    assert_eq!(spans(&after).iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["span 1", "span 2"]);

    let victims = batch(&[&[("victim", "a")], &[("victim", "b")]]);
    assert!(matches!(mad("drop all").unwrap().run(&victims).await, Ok(Outcome::Dropped { .. })));
}

/// A plugin that says `always` is called for batches that have nothing of what it asked for.
#[tokio::test]
async fn always_is_always() {
    let nothing = batch(&[&[("other", "x")], &[]]);
    assert!(matches!(mad("add").unwrap().run(&nothing).await, Ok(Outcome::Unchanged)));
    let after = replaced(mad("add to all, always").unwrap().run(&nothing).await);
    assert!(spans(&after).iter().all(|span| span.attributes.iter().any(|attribute| attribute.key == "added")));
}

/// A trap costs the instance and the batch's outcome, nothing else: the next batch is served, the panic's text is known.
#[tokio::test]
async fn a_trap_costs_an_instance() {
    let plugin = mad("trap on poison").unwrap();
    let (poison, good) = (batch(&[&[("victim", "poison")]]), batch(&[&[("victim", "good")]]));
    for _ in 0..2 {
        let (kind, message) = incident(plugin.run(&poison).await);
        assert_eq!(kind, Incident::Trap);
        assert!(message.contains("this batch is poisoned"), "{message}");
        assert!(matches!(plugin.run(&good).await, Ok(Outcome::Unchanged)));
    }
    let status = plugin.status();
    assert_eq!((&status["failures"]["trap"], &status["instances"]), (&2.into(), &1.into()), "{status}");
}

/// A plugin that traps on everything rests, so that it does not cost a new instance for every batch; then it is tried
/// again.
#[tokio::test]
async fn endless_traps_end_in_rest() {
    let plugin = mad("trap").unwrap();
    let mut number = 0;
    let mut another = || {
        number += 1;
        batch(&[&[("victim", &number.to_string())]])
    };
    for _ in 0..3 {
        assert_eq!(incident(plugin.run(&another()).await).0, Incident::Trap);
    }
    assert_eq!(incident(plugin.run(&another()).await).0, Incident::Resting);
    let back = async {
        while incident(plugin.run(&another()).await).0 == Incident::Resting {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.unwrap();
}

/// An endless loop ends at its deadline, and the runtime's other tasks run all the while, on the same thread.
#[tokio::test]
async fn a_loop_is_cut_off_and_stalls_nobody() {
    let limits = Limits { timeout: Duration::from_millis(300), ..Limits::default() };
    let plugin = load(guests::guest("mad-attributes"), Options { limits, ..options(r#"{"do": "loop"}"#) }).unwrap();
    let batch = batch(&[&[("victim", "x")]]);
    let mut others = 0;
    let run = plugin.run(&batch);
    let beside = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            others += 1;
        }
    };
    let ran = tokio::select! { ran = run => ran, () = beside => unreachable!() };
    let (kind, message) = incident(ran);
    assert_eq!(kind, Incident::Timeout, "{message}");
    assert!(others >= 5, "only {others} turns for others");
}

/// A guest that sleeps is cut off too: a wait is not computing, but it holds an instance.
#[tokio::test]
async fn a_sleeper_is_cut_off() {
    let limits = Limits { timeout: Duration::from_millis(20), ..Limits::default() };
    let plugin = load(guests::guest("mad-attributes"), Options { limits, ..options(r#"{"do": "wait"}"#) }).unwrap();
    let (kind, message) = incident(plugin.run(&batch(&[&[("victim", "x")]])).await);
    assert_eq!(kind, Incident::Timeout);
    assert!(message.contains("waited"), "{message}");
}

#[tokio::test]
async fn memory_has_an_end() {
    let (kind, message) = incident(mad("grow").unwrap().run(&batch(&[&[("victim", "x")]])).await);
    assert_eq!(kind, Incident::Memory);
    assert!(message.contains("memory_mib"), "{message}");
}

/// Memory never shrinks, so an instance that has grown is replaced before it hits the limit.
#[tokio::test]
async fn a_leak_is_mended_by_recycling() {
    let limits = Limits { recycle_memory_bytes: 8 << 20, ..options("").limits };
    let plugin = load(guests::guest("mad-attributes"), Options { limits, ..options(r#"{"do": "leak"}"#) }).unwrap();
    for _ in 0..50 {
        plugin.run(&batch(&[&[("victim", "x")]])).await.unwrap();
    }
    assert_eq!(plugin.status()["failures"], serde_json::json!({}));
}

#[tokio::test]
async fn output_has_an_end() {
    for plugin in [mad("giant").unwrap(), mad_processor("hand back a giant")] {
        let (kind, message) = incident(plugin.run(&batch(&[&[("victim", "x")]])).await);
        assert_eq!(kind, Incident::Output);
        assert!(message.contains("output_mib"), "{message}");
    }
}

/// Every lie in the edits is found, and nothing of them is applied.
#[tokio::test]
async fn bad_edits_are_refused() {
    for (lie, words) in [
        ("add to no one", "an owner that does not exist"),
        ("no such row", "does not exist"),
        ("twice", "ascending"),
        ("not UTF-8", "UTF-8"),
        ("beyond the data", "outside"),
        ("uneven", "lengths"),
        ("unknown action", "unknown action"),
    ] {
        let (kind, message) = incident(mad(lie).unwrap().run(&batch(&[&[("victim", "x")]])).await);
        assert_eq!(kind, Incident::Malformed, "{lie}");
        assert!(message.contains(words), "{lie}: {message}");
    }
}

#[tokio::test]
async fn what_a_processor_hands_back_is_checked() {
    let batch = batch(&[&[("victim", "x")], &[]]);
    let same = replaced(mad_processor("hand back the same").run(&batch).await);
    assert_eq!(same.data(), batch.data());
    for (lie, words) in [
        ("hand back rubbish", "malformed OTLP"),
        ("hand back crumbs", "malformed OTLP: too many sub-messages"),
        ("hand back twice as much", "cannot add items"),
    ] {
        let (kind, message) = incident(mad_processor(lie).run(&batch).await);
        assert_eq!(kind, Incident::Malformed, "{lie}");
        assert!(message.contains(words), "{lie}: {message}");
    }
    assert!(matches!(mad_processor("hand back nothing").run(&batch).await, Ok(Outcome::Dropped { reason: None })));
    let drops = mad_processor("drop");
    for _ in 0..2 {
        let Ok(Outcome::Dropped { reason }) = drops.run(&batch).await else { panic!("not dropped") };
        assert_eq!(reason.as_deref(), Some("not interesting"));
    }
    assert_eq!(drops.status()["drop_reasons"], serde_json::json!({"not interesting": 2 * batch.items()}));
}

/// A returned error is an answer: the instance lives on, and nothing counts as an accident.
#[tokio::test]
async fn answers_are_not_accidents() {
    let batch = batch(&[&[("victim", "x")]]);
    let plugin = mad("later").unwrap();
    for _ in 0..10 {
        let error = plugin.run(&batch).await.unwrap_err().error;
        assert!(matches!(&error, RunError::Retryable(message) if message == "not now"), "{error:?}");
    }
    assert_eq!((&plugin.status()["refusals"], &plugin.status()["failures"]), (&10.into(), &serde_json::json!({})));
    for plugin in [mad("never").unwrap(), mad_processor("never")] {
        let error = plugin.run(&batch).await.unwrap_err().error;
        assert!(matches!(&error, RunError::Permanent(message) if message == "not ever"), "{error:?}");
    }
}

#[tokio::test]
async fn the_world_is_closed_and_the_log_is_bounded() {
    let batch = batch(&[&[("victim", "x")]]);
    mad("look around").unwrap().run(&batch).await.unwrap();
    let (kind, _) = incident(mad("exit").unwrap().run(&batch).await);
    assert_eq!(kind, Incident::Trap);
    let metrics = Metrics::default();
    let candidate = Candidate::new(guests::guest("mad-attributes"));
    let plugin = Plugin::load(&candidate, options(r#"{"do": "shout"}"#), &metrics, &[]).unwrap();
    plugin.run(&batch).await.unwrap();
    assert!(metrics.total("tailrace_plugin_log_suppressed_lines_total", &[]) > 99_000.0);
}

/// Each way in which a file is no plugin has a message that says what to do.
#[tokio::test]
async fn what_is_no_plugin_is_named() {
    let no = |bytes: &[u8]| load(bytes, options("{}")).map(drop).unwrap_err().0;
    let whole = guests::guest("mad-attributes");
    assert!(no(b"").contains("empty"));
    assert!(no(b"#!/bin/sh").contains("not WebAssembly"));
    assert!(no(b"\x7fELF-and-so-on").contains("native code"));
    assert!(no(guests::CORE_MODULE).contains("--target wasm32-wasip2"), "{}", no(guests::CORE_MODULE));
    assert!(no(guests::EMPTY_COMPONENT).contains("does not export tailrace:plugin/lifecycle"));
    for part in [9, whole.len() / 2, whole.len() - 1] {
        assert!(no(&whole[..part]).contains("damaged"), "{part}: {}", no(&whole[..part]));
    }
    // The same component with the version of the contract patched to one from the future.
    let mut future = whole.to_vec();
    let (now, then) = (b"tailrace:plugin/lifecycle@0.1.0", b"tailrace:plugin/lifecycle@0.9.0");
    let places: Vec<_> = (0..future.len() - now.len()).filter(|at| future[*at..].starts_with(now)).collect();
    for at in places {
        future[at..at + then.len()].copy_from_slice(then);
    }
    assert!(no(&future).contains("use a newer Tailrace"), "{}", no(&future));
    let small = Options { limits: Limits { module_bytes: 1000, ..Limits::default() }, ..options("{}") };
    assert!(load(whole, small).map(drop).unwrap_err().0.contains("module_mib"));
}

/// What a plugin does wrong while it is loaded keeps it from being used, with its own words in the message.
#[tokio::test]
async fn bad_beginnings_are_named() {
    for (what, words) in [
        ("panic in configure", "no configuration will ever do"),
        ("refuse configure", "not to my taste"),
        ("ask for the unknown", "span.colour"),
        ("ask for nothing", "never be called"),
        ("trap on nothing", "self-test"),
    ] {
        let message = mad(what).map(drop).unwrap_err().0;
        assert!(message.contains(words), "{what}: {message}");
    }
}

/// Batches under way finish on the old version, later ones see the new one; a version that does not load changes nothing.
#[tokio::test]
async fn swaps() {
    let candidate = |stamp: &str| Candidate::new(guests::stamped(stamp));
    let plugin = Plugin::load(&candidate("version-0001"), options("{}"), &Metrics::default(), &[]).unwrap();
    let batch = batch(&[&[("victim", "x")]]);
    assert_eq!(texts(&replaced(plugin.run(&batch).await))[0], "version-0001");
    // Loading blocks and runs futures of its own: beside the runtime, as the directory's thread does.
    let offer =
        |candidate: Candidate| std::thread::scope(|scope| scope.spawn(|| plugin.offer(&candidate)).join().unwrap());
    assert_eq!(offer(candidate("version-0001")), Offer::Same);
    assert_eq!(offer(candidate("version-0002")), Offer::Swapped(2));
    assert_eq!(texts(&replaced(plugin.run(&batch).await))[0], "version-0002");
    assert!(matches!(offer(Candidate::new(guests::CORE_MODULE)), Offer::Refused(_)));
    assert_eq!(texts(&replaced(plugin.run(&batch).await))[0], "version-0002");
    let status = plugin.status();
    assert_eq!((&status["generation"], &status["version"]), (&2.into(), &"version-0002".into()));
    assert!(status["load_error"]["reason"].as_str().unwrap().contains("core WebAssembly module"), "{status}");
    assert_eq!(offer(candidate("version-0002")), Offer::Same);
    assert!(plugin.status()["load_error"].is_null());
}

/// A plugin that must run alone has one instance, whatever the limit says; others get as many as run at once.
#[tokio::test]
async fn instances_are_as_many_as_needed() {
    let batch = batch(&[&[("victim", "x")]]);
    for (what, most) in [("run alone", 1), ("stamp", 4)] {
        let plugin = Arc::new(mad(what).unwrap());
        let runs: Vec<_> = (0..20).map(|_| plugin.run(&batch)).collect();
        for ran in futures_join(runs).await {
            replaced(ran);
        }
        let instances = plugin.status()["instances"].as_i64().unwrap();
        assert!((1..=most).contains(&instances), "{what}: {instances}");
    }
}

/// Runs futures side by side on this task.
pub(super) async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(futures.iter_mut().filter_map(|(_, output)| output.take()).collect())
    })
    .await
}
