//! The plugin as ordinary Rust, in the code that the collector puts around it: `cargo test`.

use super::KeepPayments;
use tailrace_sdk::otlp::{NONE, RequestWriter, Value, view::put_attribute, wire::put_len_field};
use tailrace_sdk::{Decision, Signal, testing};

/// A request with a trace for each amount.
fn payments(amounts: &[i64]) -> Vec<u8> {
    let mut writer = RequestWriter::new(Signal::Traces);
    for (trace, cents) in (1_u8..).zip(amounts) {
        let mut span = Vec::new();
        put_len_field(&mut span, 1, &[trace; 16]);
        put_len_field(&mut span, 2, &[trace; 8]);
        put_attribute(&mut span, 9, super::AMOUNT.into(), &Value::Int(*cents));
        writer.item(&span, NONE);
    }
    writer.finish().unwrap().0
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
