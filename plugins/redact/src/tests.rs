//! The cases in `cases/`: each a folder with `config.json`, `input.json` and `expected.json`, the latter two OTLP JSON of
//! `{"traces": ...}`, `{"metrics": ...}` or `{"logs": ...}`; and what has no case.

use super::*;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest as Logs, metrics::v1::ExportMetricsServiceRequest as Metrics,
    trace::v1::ExportTraceServiceRequest as Traces,
};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::path::Path;
use tailrace_sdk::{Signal, testing};

/// Every case: what the plugin makes of the input is what is expected, compared as decoded messages.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut count = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let read = |file: &str| -> Json {
            let text = std::fs::read_to_string(case.join(file)).unwrap();
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}/{file}: {error}", case.display()))
        };
        let config = read("config.json").to_string();
        let (input, expected) = (read("input.json"), read("expected.json"));
        let mut plugin = testing::attributes::<Redact>(&config).unwrap();
        let mut check = |signal: Signal, key: &str| match signal {
            Signal::Traces => compare::<Traces>(&mut plugin, signal, &input[key], &expected[key], &case),
            Signal::Metrics => compare::<Metrics>(&mut plugin, signal, &input[key], &expected[key], &case),
            Signal::Logs => compare::<Logs>(&mut plugin, signal, &input[key], &expected[key], &case),
        };
        for (signal, key) in [(Signal::Traces, "traces"), (Signal::Metrics, "metrics"), (Signal::Logs, "logs")] {
            if !input[key].is_null() {
                check(signal, key);
                count += 1;
            }
        }
    }
    assert!(count >= 4, "{count} cases are too few to be all of them");
}

fn compare<M: Message + Default + DeserializeOwned + PartialEq + std::fmt::Debug>(
    plugin: &mut testing::AttributesHarness<Redact>,
    signal: Signal,
    input: &Json,
    expected: &Json,
    case: &Path,
) {
    let message = |json: &Json| serde_json::from_value::<M>(json.clone()).unwrap();
    let output = plugin.run(signal, &message(input).encode_to_vec()).unwrap();
    let output = M::decode(&*output).unwrap();
    assert!(output == message(expected), "{}: {output:#?}", case.display());
}

fn refused(config: &str) -> String {
    testing::attributes::<Redact>(config).map(drop).unwrap_err()
}

#[test]
fn faults_of_the_configuration_are_named() {
    assert!(refused(r#"{"keys": []}"#).contains("keys"));
    assert!(refused(r#"{}"#).contains("keys"));
    assert!(refused(r#"{"keys": ["a"], "acton": "mask"}"#).contains("acton"));
    assert!(refused(r#"{"keys": ["a"], "action": "burn"}"#).contains("burn"));
    assert!(refused(r#"{"keys": ["a"], "action": "hash"}"#).contains("hash_key"));
    assert!(refused(r#"{"keys": ["a"], "action": "hash", "hash_key": "short"}"#).contains("16 bytes"));
    assert!(refused(r#"{"keys": ["a"], "action": "mask", "hash_key": "0123456789abcdef"}"#).contains("hash_key"));
}

/// The hash is the HMAC-SHA-256 of RFC 4231, test case 6: others can compute it.
#[test]
fn the_hash_is_hmac_sha_256() {
    let hmac = Hmac::new_from_slice(&[0xaa; 131]).unwrap();
    let hash = hash(hmac, &Value::String("Test Using Larger Than Block-Size Key - Hash Key First"));
    assert_eq!(hash, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/// Joins survive: the same value has the same hash whatever its type, and other values have others.
#[test]
fn hashes_join() {
    let hmac = || Hmac::new_from_slice(b"0123456789abcdef").unwrap();
    assert_eq!(hash(hmac(), &Value::Int(42)), hash(hmac(), &Value::String("42")));
    assert_ne!(hash(hmac(), &Value::Int(42)), hash(hmac(), &Value::Int(43)));
    let other = Hmac::new_from_slice(b"0123456789abcdeg").unwrap();
    assert_ne!(hash(hmac(), &Value::Int(42)), hash(other, &Value::Int(42)));
}

/// The schema that is handed out names the keys that the configuration has.
#[test]
fn the_schema_fits() {
    let schema: Json = serde_json::from_str(Redact::CONFIG_SCHEMA.unwrap()).unwrap();
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["action", "hash_key", "keys", "levels", "mask"]);
}
