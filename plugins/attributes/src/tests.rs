use super::*;
use std::path::Path;
use tailrace_sdk::testing;

/// Every case in `cases/`: what the plugin makes of the input is what is expected. All of them were also sent through the
/// Collector, with the same outcome but for what `README.md` lists.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = actions::testing::cases(&folder, |config, signal, request| {
        let mut plugin = testing::attributes::<Attributes>(config)?;
        plugin.run(signal, request).map_err(|failure| failure.to_string())
    });
    assert!(count >= 3, "{count} cases are too few to be all of them");
}

fn refused(config: &str) -> String {
    testing::attributes::<Attributes>(config).map(drop).unwrap_err()
}

/// What cannot be done is refused, and the fault begins with the path of its key.
#[test]
fn faults_of_include_and_exclude_name_their_key() {
    let with = |what: &str| format!(r#"{{{what}, "actions": [{{"key": "a", "action": "delete"}}]}}"#);
    let cases = [
        (r#""include": {"services": ["a"]}"#, "include.match_type: is required"),
        (r#""include": {"match_type": "glob", "services": ["a"]}"#, "include.match_type: \"glob\" is no match type"),
        (
            r#""signal": "traces", "include": {"match_type": "strict"}"#,
            "include: needs at least one of services, span_names",
        ),
        (
            r#""signal": "logs", "exclude": {"match_type": "strict", "span_names": ["a"]}"#,
            "exclude.span_names: cannot be",
        ),
        (
            r#""signal": "metrics", "include": {"match_type": "strict", "libraries": [{"name": "a"}]}"#,
            "include.libraries: c",
        ),
        (
            r#""include": {"match_type": "strict", "span_names": ["a"], "log_bodies": ["b"]}"#,
            "`include` and `exclude` have",
        ),
        (r#""include": {"match_type": "regexp", "services": ["a", "("]}"#, "include.services[1]: "),
        (r#""include": {"match_type": "regexp", "libraries": [{"name": "("}]}"#, "include.libraries[0].name: "),
        (
            r#""include": {"match_type": "regexp", "attributes": [{"key": "a", "value": 5}]}"#,
            "include.attributes[0].value: must",
        ),
        (
            r#""include": {"match_type": "strict", "attributes": [{"value": 5}]}"#,
            "include.attributes[0].key: is required",
        ),
        (
            r#""include": {"match_type": "strict", "span_kinds": ["client"]}"#,
            "include.span_kinds[0]: \"client\" is no span",
        ),
        (r#""include": {"match_type": "strict", "service": ["a"]}"#, "include.service: unknown field"),
    ];
    for (config, expected) in cases {
        let fault = refused(&with(config));
        assert!(fault.starts_with(expected), "{config}: {fault}");
    }
    let both = refused(r#"{"include": {}, "actions": []}"#);
    assert!(both.contains("include.match_type") && both.contains("actions: name at least one"), "{both}");
}

/// Without the host's word for the signal it works on those for which the keys make sense, and leaves others alone.
#[test]
fn the_keys_say_which_signals() {
    let config = r#"{"include": {"match_type": "strict", "log_severity_number": {"min": 9}},
        "actions": [{"key": "a", "action": "delete"}]}"#;
    let mut plugin = testing::attributes::<Attributes>(config).unwrap();
    assert_eq!(plugin.plugin().signals, [Signal::Logs]);
}

/// What is not asked for is not shown: a plugin that only deletes is not called for batches without the key.
#[test]
fn the_interest_is_as_small_as_can_be() {
    let interest = |actions: &str| {
        let config = format!(r#"{{"actions": [{actions}]}}"#);
        testing::attributes::<Attributes>(&config).unwrap().plugin().interest()
    };
    let all = [Signal::Traces, Signal::Metrics, Signal::Logs];
    let delete = Interest::in_attributes(["a"]).of(all).at([Level::Item]);
    assert_eq!(interest(r#"{"key": "a", "action": "delete"}"#), delete);
    assert_eq!(interest(r#"{"key": "a", "action": "update", "value": 1}"#), delete);
    assert_eq!(interest(r#"{"key": "a", "action": "insert", "value": 1}"#), delete.and_every(Level::Item));
    let copy = Interest::in_attributes(["a", "b"]).of(all).at([Level::Item]);
    assert_eq!(interest(r#"{"key": "a", "action": "upsert", "from_attribute": "b"}"#), copy);
}

/// The schema that is handed out names the keys that the settings have.
#[test]
fn the_schema_fits() {
    let schema: serde_json::Value = serde_json::from_str(Attributes::CONFIG_SCHEMA.unwrap()).unwrap();
    for (config, place, count) in [
        (r#"{"?": 1}"#, &schema, 4),
        (r#"{"include": {"?": 1}}"#, &schema["$defs"]["match"], 12),
        // One more is known to be refused with a reason: from_context.
        (r#"{"actions": [{"?": 1}]}"#, &schema["$defs"]["action"], 7),
    ] {
        let unknown = refused(config);
        let keys = place["properties"].as_object().unwrap();
        assert_eq!(keys.len(), count, "{config}");
        assert!(keys.keys().all(|key| unknown.contains(&format!("`{key}`"))), "{unknown}");
    }
}
