//! The plugin as ordinary Rust: `cargo test`.

use super::KeepOrders;
use tailrace_sdk::Decision::{NotSampled, Sample};
use tailrace_sdk::testing::{self, Spans};

#[test]
fn keeps_large_orders_and_important_customers() {
    let mut plugin = testing::sampler::<KeepOrders>(r#"{"min_amount": 50, "vip_key": "vip"}"#).unwrap();
    let request = Spans::new()
        .span("POST /orders", &[("order.amount", 49.into())])
        .span("INSERT", &[("order.amount", 50.5.into())])
        .next_trace()
        .span("POST /orders", &[("order.amount", 49.into()), ("vip", false.into())])
        .next_trace()
        .span("POST /orders", &[("vip", true.into())])
        .request();
    let decisions: Vec<_> = plugin.run(&request).unwrap().into_iter().map(|(_, decision)| decision).collect();
    assert_eq!(decisions, [Sample(None), NotSampled, Sample(None)]);
}
