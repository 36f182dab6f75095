//! The plugin as ordinary Rust: `cargo test`.

use super::Tidy;
use tailrace_sdk::Signal;
use tailrace_sdk::testing::{self, Spans};

#[test]
fn deletes_masks_sets_and_drops() {
    let config = r#"{"delete": ["a"], "mask": ["b"], "set": {"to": "c", "from": "b"}, "drop_span_names": ["ping"]}"#;
    let mut plugin = testing::attributes::<Tidy>(config).unwrap();
    let before = Spans::new().span("GET /", &[("a", 1.into()), ("b", "x".into())]).span("ping", &[]).request();
    let after = Spans::new().span("GET /", &[("b", "****".into()), ("c", "x".into())]).request();
    assert_eq!(plugin.run(Signal::Traces, &before).unwrap(), after);
}

#[test]
fn a_key_that_is_not_known_is_refused() {
    assert!(testing::attributes::<Tidy>(r#"{"remove": ["a"]}"#).unwrap_err().contains("remove"));
}
