//! The plugin as ordinary Rust, in the code that the collector puts around it: `cargo test`.

use super::KeepPayments;
use tailrace_sdk::Decision;
use tailrace_sdk::testing::{self, Spans};

/// A request with a trace for each amount.
fn payments(amounts: &[i64]) -> Vec<u8> {
    let payment = |spans: Spans, cents: &i64| spans.next_trace().span("POST /charges", &[(super::AMOUNT, (*cents).into())]);
    amounts.iter().fold(Spans::new(), payment).request()
}

#[test]
fn keeps_large_payments() {
    let mut plugin = testing::sampler::<KeepPayments>(r#"{"min_amount_cents": 100}"#).unwrap();
    let decisions: Vec<_> = plugin.run(&payments(&[99, 100])).unwrap().into_iter().map(|(_, decision)| decision).collect();
    assert_eq!(decisions, [Decision::NotSampled, Decision::Sample(None)]);
}

#[test]
fn says_what_is_wrong_with_a_configuration() {
    assert!(testing::sampler::<KeepPayments>("{}").unwrap_err().contains("min_amount_cents"));
}
