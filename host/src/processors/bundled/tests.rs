//! What the operator hears about a section, and where.

use super::*;
use crate::component::{BoxFuture, ComponentId, ConsumeError};
use crate::pdata::Batch;
use crate::telemetry::Telemetry;
use crate::workers::Workers;
use crate::yaml::parse;

struct Nowhere;

impl Consumer for Nowhere {
    fn consume(&self, _: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Parses and builds a section of `settings` in a pipeline of `signal`; everything that is said about it.
fn faults(factory: &ProcessorFactory, signal: Signal, settings: &str) -> String {
    let mut problems = Problems::default();
    let node = parse("c.yaml", settings, &mut problems).unwrap();
    let path = format!("processors::{}/x", factory.info.kind);
    let Some(config) = (factory.parse)(&Section { path: &path, node: &node }, &mut problems) else {
        return problems.to_string();
    };
    let telemetry = Telemetry::new();
    let account = telemetry.ledger().open("processor:x@y", Some(signal));
    let context = Context {
        id: format!("{}/x", factory.info.kind).parse().unwrap(),
        pipeline: Some(ComponentId::of_kind(signal.as_str())),
        signal: Some(signal),
        telemetry,
        workers: Workers::current(),
        account,
    };
    config.build(context, Arc::new(Nowhere)).map_or_else(|error| error.to_string(), |_| String::new())
}

/// Each fault that the plugin finds is shown at its line, all of them at once.
#[tokio::test]
async fn faults_are_shown_at_their_place() {
    let settings = "actions:\n  - {key: a, action: burn}\n  - key: b\n    action: delete\n    pattern: '('\n";
    let faults = faults(&ATTRIBUTES, Signal::Traces, settings);
    let lines: Vec<_> = faults.lines().collect();
    assert_eq!(lines.len(), 2, "{faults}");
    assert!(
        lines[0].starts_with("c.yaml:2:22: processors::attributes/x::actions[0]::action: \"burn\" is no"),
        "{faults}"
    );
    assert!(lines[1].starts_with("c.yaml:5:14: processors::attributes/x::actions[1]::pattern: "), "{faults}");
}

/// A key that is missing is shown at what it is missing from.
#[tokio::test]
async fn what_is_missing_is_shown_where_it_belongs() {
    let missing = faults(&ATTRIBUTES, Signal::Traces, "actions:\n  - {action: insert, value: 1}\n");
    assert_eq!(missing, "c.yaml:2:5: processors::attributes/x::actions[0]::key: is required");
    let empty = faults(&RESOURCE, Signal::Logs, "{}");
    assert_eq!(empty, "c.yaml:1:1: processors::resource/x::attributes: name at least one action");
}

/// Unknown keys and wrong types, as far down as they are.
#[tokio::test]
async fn typing_errors_are_found() {
    let unknown = faults(&RESOURCE, Signal::Traces, "attributes:\n  - key: a\n    acton: delete\n");
    assert!(
        unknown.starts_with("c.yaml:3:12: processors::resource/x::attributes[0]::acton: unknown field"),
        "{unknown}"
    );
    let list = faults(&REDACTION, Signal::Logs, "allow_all_keys: sometimes\n");
    assert!(list.starts_with("c.yaml:1:17: processors::redaction/x::allow_all_keys: invalid type"), "{list}");
    let whole = faults(&REDACTION, Signal::Logs, "[a]");
    assert!(whole.contains("processors::redaction/x: expected a map, found a list"), "{whole}");
}

/// What `include` may say depends on the pipeline; the key that tells the plugin is not for the operator.
#[tokio::test]
async fn the_signal_of_the_pipeline_counts() {
    let settings = "include: {match_type: strict, span_names: [a]}\nactions: [{key: a, action: delete}]\n";
    assert_eq!(faults(&ATTRIBUTES, Signal::Traces, settings), "");
    let logs = faults(&ATTRIBUTES, Signal::Logs, settings);
    let expected = "c.yaml:1:43: processors::attributes/x::include::span_names: cannot be used in a pipeline of logs";
    assert_eq!(logs, expected);
    let signal = faults(&ATTRIBUTES, Signal::Logs, "signal: traces\nactions: [{key: a, action: delete}]\n");
    assert!(signal.contains("processors::attributes/x::signal: unknown key"), "{signal}");
}

/// A section with nothing in it is the defaults, which fail closed for `redaction` and are too few for the others.
#[tokio::test]
async fn nothing_is_the_defaults() {
    assert_eq!(faults(&REDACTION, Signal::Metrics, ""), "");
    assert!(faults(&ATTRIBUTES, Signal::Metrics, "").contains("actions: name at least one action"));
}
