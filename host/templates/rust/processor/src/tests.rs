//! The plugin as ordinary Rust, in the code that the collector puts around it: `cargo test`.

use super::DropByName;
use tailrace_sdk::Signal;
use tailrace_sdk::testing::{self, Spans};

/// A request with spans of these names.
fn spans(names: &[&str]) -> Vec<u8> {
    names.iter().fold(Spans::new(), |spans, name| spans.span(name, &[])).request()
}

#[test]
fn drops_what_is_named_and_nothing_else() {
    let mut plugin = testing::processor::<DropByName>(r#"{"drop_span_names": ["GET /healthz"]}"#).unwrap();
    let mut run = |request: &[u8]| plugin.run(Signal::Traces, request).unwrap();
    assert_eq!(run(&spans(&["GET /", "GET /healthz"])), spans(&["GET /"]));
    assert_eq!(run(&spans(&["GET /"])), spans(&["GET /"]));
}

#[test]
fn says_what_is_wrong_with_a_configuration() {
    assert!(testing::processor::<DropByName>("{}").unwrap_err().contains("drop_span_names"));
    assert!(testing::processor::<DropByName>(r#"{"drop_span_names": []}"#).unwrap_err().contains("at least one"));
}
