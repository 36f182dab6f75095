//! The plugin as ordinary Rust, in the code that the collector puts around it: `cargo test`.

use super::Mask;
use tailrace_sdk::Signal;
use tailrace_sdk::testing::{self, Spans};

/// A request with one span that has one attribute.
fn span(key: &str, value: &str) -> Vec<u8> {
    Spans::new().span("GET /", &[(key, value.into())]).request()
}

#[test]
fn masks_what_is_named_and_nothing_else() {
    let mut plugin = testing::attributes::<Mask>(r#"{"mask": ["user.email"]}"#).unwrap();
    let mut run = |request: &[u8]| plugin.run(Signal::Traces, request).unwrap();
    assert_eq!(run(&span("user.email", "ann@x.org")), span("user.email", "*********"));
    assert_eq!(run(&span("user.id", "42")), span("user.id", "42"));
}

#[test]
fn says_what_is_wrong_with_a_configuration() {
    assert!(testing::attributes::<Mask>("{}").unwrap_err().contains("mask"));
    assert!(testing::attributes::<Mask>(r#"{"mask": []}"#).unwrap_err().contains("at least one"));
}
