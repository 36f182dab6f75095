//! The cases in `cases/`, each a folder with `config.json`, `input.json` and `expected.json`; and what has no case.

use super::*;
use actions::testing::sampler_cases;
use serde_json::Value as Json;
use std::path::Path;
use tailrace_sdk::testing;

/// Every case: the decision on each trace is what is expected.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = sampler_cases(&folder, |config, traces| {
        testing::sampler::<BusinessRules>(config).unwrap().run(traces).unwrap()
    });
    assert!(count >= 4, "{count} cases are too few to be all of them");
}

#[test]
fn faults_of_the_configuration_are_named() {
    for (config, words) in [
        ("{}", "no rule"),
        (r#"{"amounts": [{"key": "a"}]}"#, "at_least"),
        (r#"{"amounts": [{"key": "", "at_least": 1}]}"#, "amounts[0].key: must not be empty"),
        (r#"{"amounts": [{"key": "order.*", "at_least": 1}]}"#, "without *"),
        (r#"{"values": [{"key": "a", "one_of": []}]}"#, "values[0].one_of"),
        (r#"{"values": [{"key": "a", "one_of": [["b"]]}]}"#, "one_of"),
        (r#"{"some_of_each": {"key": "http.route"}}"#, "per_minute"),
        (r#"{"some_of_each": {"per_minute": 0}}"#, "at least 1"),
        (r#"{"some_of_each": {"per_minute": 1, "max_values": 0}}"#, "max_values"),
        (r#"{"some_of_each": {"per_minute": 1, "max_values": 1000000}}"#, "max_values"),
        (r#"{"amount": []}"#, "amount"),
    ] {
        let refused = testing::sampler::<BusinessRules>(config).map(drop).unwrap_err();
        assert!(refused.contains(words), "{config}: {refused}");
    }
}

/// Only what a rule names is asked for, each once, and a field by its name.
#[test]
fn it_asks_for_what_the_rules_name() {
    let config = r#"{"amounts": [{"key": "a", "at_least": 1}], "values": [{"key": "a", "one_of": [1]}],
                     "some_of_each": {"key": "span.name", "per_minute": 1}}"#;
    let plugin = BusinessRules::new(serde_json::from_str(config).unwrap()).unwrap();
    let expected = Interest::in_attributes(["a"])
        .at([Level::Resource, Level::Scope, Level::Item])
        .and_intrinsic(Intrinsic::SpanName)
        .of([tailrace_sdk::Signal::Traces])
        .in_one_instance();
    assert_eq!(plugin.interest(), expected);
}

/// What one instance counted, the next one knows; and a plugin without that rule has nothing to keep.
#[test]
fn the_counts_go_to_the_next_instance() {
    let new = |config: &str| BusinessRules::new(serde_json::from_str(config).unwrap()).unwrap();
    let config = r#"{"some_of_each": {"per_minute": 2}}"#;
    let (mut old, now) = (new(config), clock::now());
    let quota = |plugin: &mut BusinessRules| plugin.quota.as_mut().unwrap().take(["/a"].into_iter(), now);
    assert!(quota(&mut old));
    let (mut next, state) = (new(config), old.save());
    next.restore(&state).unwrap();
    assert_eq!([quota(&mut next), quota(&mut next)], [true, false]);
    let mut other = new(r#"{"amounts": [{"key": "a", "at_least": 1}]}"#);
    assert!(other.save().is_empty());
    other.restore(&state).unwrap();
    new(config).restore(&[]).unwrap();
}

/// The schema that is handed out names the keys that the configuration has.
#[test]
fn the_schema_fits() {
    let schema: Json = serde_json::from_str(BusinessRules::CONFIG_SCHEMA.unwrap()).unwrap();
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["amounts", "some_of_each", "values"]);
    let mut keys: Vec<_> =
        schema["properties"]["some_of_each"]["properties"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["key", "max_values", "per_minute"]);
}
