//! The plugin as ordinary Rust, in the code that the collector puts around it: `cargo test`.

use super::DropByName;
use tailrace_sdk::otlp::{NONE, RequestWriter, wire::put_len_field};
use tailrace_sdk::{Signal, testing};

/// A request with spans of these names.
fn spans(names: &[&str]) -> Vec<u8> {
    let mut writer = RequestWriter::new(Signal::Traces);
    for name in names {
        let mut span = Vec::new();
        put_len_field(&mut span, 5, name.as_bytes());
        writer.item(&span, NONE);
    }
    writer.finish().unwrap().0
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
