//! Components that were built when contract 0.1.0 was frozen: every host that speaks 0.1 loads and runs them.

use super::*;
use std::path::Path;
use tailrace_columns::Decision;

/// A component of `tests/fixtures/contract-0.1.0`.
fn frozen(name: &str, role: Role, config: &str) -> Plugin {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/contract-0.1.0");
    let component = std::fs::read(folder.join(name).with_extension("wasm")).unwrap();
    load(component, Options { role, ..options(config) }).unwrap()
}

#[tokio::test]
async fn plugins_that_change_attributes() {
    let before = batch(&[&[("user.email", "ann@example.com"), ("route", "/a")], &[("other", "x")]]);
    let redact = frozen("rust-redact", Role::Batches, r#"{"keys": ["user.email"]}"#);
    assert_eq!(texts(&replaced(redact.run(&before).await)), ["/a", "x", "x"]);

    let config = r#"{"delete": ["route"], "mask": ["user.email"], "set": {"to": "copy", "from": "other"}, "drop_span_names": []}"#;
    let after = replaced(frozen("c-tidy", Role::Batches, config).run(&before).await);
    let values = texts(&after);
    assert!(values.contains(&"****".to_owned()) && !values.contains(&"/a".to_owned()), "{values:?}");
    assert!(spans(&after)[1].attributes.iter().any(|attribute| attribute.key == "copy"));
}

#[tokio::test]
async fn plugins_that_take_batches() {
    let drop_health = frozen("rust-drop-health", Role::Batches, "{}");
    let after = replaced(drop_health.run(&batch(&[&[("url.path", "/healthz")], &[("url.path", "/buy")]])).await);
    assert_eq!(spans(&after).len(), 1);
}

#[tokio::test]
async fn plugins_that_keep_state() {
    let keeper = frozen("rust-keeper", Role::Batches, "{}");
    assert!(keeper.run(&batch(&[&[("victim", "a")]])).await.is_ok());
}

#[tokio::test]
async fn plugins_that_decide() {
    let sampler = frozen("c-keep-orders", Role::Traces, r#"{"min_amount": 100, "vip_key": "customer.vip"}"#);
    let decisions = sampler.decide_batch(&batch(&[&[("order.id", "7")]])).await.unwrap();
    assert_eq!(decisions, [([1; 16], Decision::NotSampled)]);
}
