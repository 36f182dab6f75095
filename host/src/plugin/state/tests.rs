//! A plugin that counts: the count goes on over a swap, over recycling and under load, and starts again after what goes
//! wrong, whatever that is.

use super::super::tests::{batch, futures_join, guests, incident, options, replaced, texts};
use crate::component::Draft;
use crate::plugin::{Candidate, Limits, Offer, Options, Plugin, Role};
use crate::telemetry::Metrics;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tailrace_columns::{Decision, Union, Wants};

fn keeper(version: u8) -> Candidate {
    Candidate::new(guests::retouched(&guests::guest("keeper"), version))
}

fn load(config: &serde_json::Value, limits: Limits) -> (Plugin, Metrics) {
    let metrics = Metrics::default();
    let options = Options { limits, ..options(&config.to_string()) };
    (Plugin::load(&keeper(0), options, &metrics, &[]).unwrap(), metrics)
}

fn limits() -> Limits {
    options("").limits
}

async fn count(plugin: &Plugin) -> u64 {
    texts(&replaced(plugin.run(&batch(&[&[("victim", "x")]])).await))[0].parse().unwrap()
}

fn offer(plugin: &Plugin, version: u8) -> Offer {
    std::thread::scope(|scope| scope.spawn(|| plugin.offer(&keeper(version))).join().unwrap())
}

fn states(metrics: &Metrics, result: &str) -> f64 {
    metrics.total("tailrace_plugin_states_total", &[&format!("result=\"{result}\"")])
}

#[tokio::test]
async fn a_swap_keeps_state() {
    let (plugin, metrics) = load(&json!({}), limits());
    assert_eq!((count(&plugin).await, count(&plugin).await), (1, 2));
    for version in 1..4 {
        assert_eq!(offer(&plugin, version), Offer::Swapped(u64::from(version) + 1));
        assert_eq!(count(&plugin).await, 2 + u64::from(version));
    }
    assert_eq!((states(&metrics, "restored"), plugin.status()["instances"].as_i64()), (3.0, Some(1)));
}

#[tokio::test]
async fn recycling_keeps_state() {
    let (plugin, metrics) = load(&json!({}), Limits { recycle_calls: 1, ..limits() });
    for expected in 1..20 {
        assert_eq!(count(&plugin).await, expected);
    }
    assert_eq!(states(&metrics, "restored"), 19.0);
    assert_eq!(plugin.status()["instances"], 1);
    // Spent, and replaced by another version at once.
    offer(&plugin, 1);
    assert_eq!(count(&plugin).await, 20);
}

/// Batches come all the while; each is counted once, in one order, and none fails.
#[tokio::test]
async fn nothing_is_lost_under_load() {
    let (plugin, metrics) = load(&json!({"do": "work hard"}), Limits { timeout: Duration::from_secs(20), ..limits() });
    let (plugin, over) = (Arc::new(plugin), Arc::new(AtomicBool::new(false)));
    let swapper = {
        let (plugin, over) = (Arc::clone(&plugin), Arc::clone(&over));
        std::thread::spawn(move || {
            for version in 1..10 {
                assert!(matches!(plugin.offer(&keeper(version)), Offer::Swapped(_)));
            }
            over.store(true, SeqCst);
        })
    };
    let sender = || async {
        let mut counts = Vec::new();
        while !over.load(SeqCst) {
            counts.push(count(&plugin).await);
            tokio::task::yield_now().await;
        }
        counts
    };
    let mut counts: Vec<u64> = futures_join((0..3).map(|_| sender()).collect()).await.concat();
    swapper.join().unwrap();
    counts.sort_unstable();
    assert_eq!(counts, (1..=counts.len() as u64).collect::<Vec<_>>());
    assert_eq!(states(&metrics, "restored"), 9.0);
}

/// Whatever goes wrong with the state: the new version runs, and counts from the beginning.
#[tokio::test]
async fn what_fails_starts_fresh() {
    // Both versions stay compiled for as long as somebody uses them.
    let (_first, _) = load(&json!({}), limits());
    let (second, _) = load(&json!({}), limits());
    assert_eq!(offer(&second, 1), Offer::Swapped(2));
    for (what, size, result) in [
        ("refuse", 0, "refused"),
        ("trap in save", 0, "failed"),
        ("trap in restore", 0, "failed"),
        ("loop in save", 0, "failed"),
        ("loop in restore", 0, "failed"),
        ("", 1 << 20, "too_large"),
        ("", 4 << 20, "too_large"),
    ] {
        for swap in [true, false] {
            let recycle_calls = if swap { u64::MAX } else { 3 };
            let limits =
                Limits { recycle_calls, state_bytes: 1 << 20, timeout: Duration::from_millis(300), ..limits() };
            let (plugin, metrics) = load(&json!({"do": what, "size": size}), limits);
            // The self-test is a call too.
            assert_eq!((count(&plugin).await, count(&plugin).await), (1, 2), "{what}");
            if swap {
                assert_eq!(offer(&plugin, 1), Offer::Swapped(2), "{what}");
            }
            assert_eq!(count(&plugin).await, 1, "{what}, {swap}");
            assert_eq!((states(&metrics, result), states(&metrics, "restored")), (1.0, 0.0), "{what}, {swap}");
            assert_eq!(
                (&plugin.status()["instances"], &plugin.status()["failures"]),
                (&1.into(), &json!({})),
                "{what}"
            );
        }
    }
}

/// As much as is allowed is kept.
#[tokio::test]
async fn the_limit_itself_is_fine() {
    let (plugin, metrics) = load(&json!({"size": (1 << 20) - 8}), Limits { state_bytes: 1 << 20, ..limits() });
    count(&plugin).await;
    offer(&plugin, 1);
    assert_eq!((count(&plugin).await, states(&metrics, "restored")), (2, 1.0));
}

/// A sender that goes away in the middle of a call costs the plugin nothing.
#[tokio::test]
async fn a_sender_that_goes_away_is_no_accident() {
    let (plugin, _) = load(&json!({"do": "work hard"}), Limits { timeout: Duration::from_secs(20), ..limits() });
    for _ in 0..10 {
        give_up(plugin.run(&batch(&[&[("victim", "x")]]))).await;
    }
    assert_eq!(count(&plugin).await, 11);
}

/// Starts a call, and goes away in the middle of it.
async fn give_up<T>(call: impl Future<Output = T>) {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

/// The same where it shares a scan with neighbours.
#[tokio::test]
async fn a_draft_whose_sender_goes_away_is_no_accident() {
    let (plugin, _) = load(&json!({"do": "work hard"}), Limits { timeout: Duration::from_secs(20), ..limits() });
    let union = |wants: &Arc<Wants>| Arc::new(Union::of(std::slice::from_ref(wants)));
    for _ in 0..10 {
        let mut draft = Draft::new(batch(&[&[("victim", "x")]]));
        give_up(plugin.run_draft(&mut draft, union)).await;
        assert_eq!(draft.into_batch().unwrap().data(), batch(&[&[("victim", "x")]]).data());
    }
    let mut draft = Draft::new(batch(&[&[("victim", "x")]]));
    plugin.run_draft(&mut draft, union).await.unwrap();
    assert_eq!(texts(&draft.into_batch().unwrap())[0], "11");
}

/// The same for a sampler, which its caller may give up as well; and its state survives a swap.
#[tokio::test]
async fn a_question_that_is_given_up_is_no_accident() {
    let limits = Limits { timeout: Duration::from_secs(20), ..limits() };
    let options = Options { role: Role::Traces, limits, ..options(&json!({"do": "work hard"}).to_string()) };
    let plugin = Plugin::load(&keeper(0), options, &Metrics::default(), &[]).unwrap();
    let input = batch(&[&[("victim", "x")]]);
    for _ in 0..10 {
        give_up(plugin.decide_batch(&input)).await;
    }
    assert_eq!(plugin.decide_batch(&input).await.unwrap()[0].1, Decision::Sample(Some(11)));
    assert_eq!(offer(&plugin, 1), Offer::Swapped(2));
    assert_eq!(plugin.decide_batch(&input).await.unwrap()[0].1, Decision::Sample(Some(12)));
}

/// State in several instances would be several states: the message says what to do.
#[tokio::test]
async fn state_needs_one_instance() {
    let options = options(&json!({"do": "run in many"}).to_string());
    let error = Plugin::load(&keeper(0), options, &Metrics::default(), &[]).map(drop).unwrap_err();
    assert!(error.0.contains("Interest::in_one_instance()"), "{error}");
}

/// An accident loses the state, as the contract says; the plugin goes on.
#[tokio::test]
async fn an_accident_starts_fresh() {
    let limits = Limits { timeout: Duration::from_millis(1), ..limits() };
    let (plugin, _) = load(&json!({"do": "work hard"}), limits);
    let victim: &[(&str, &str)] = &[("victim", "x")];
    incident(plugin.run(&batch(&[victim; 200])).await);
    assert_eq!(plugin.status()["instances"], 0);
}
