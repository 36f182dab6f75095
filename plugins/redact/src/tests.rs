//! The cases in `cases/`, and what has no case.

use super::*;
use serde_json::Value as Json;
use std::path::Path;
use tailrace_sdk::testing;

/// Every case: what the plugin makes of the input is what is expected, compared as decoded messages.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = actions::testing::cases(&folder, |config, signal, request| {
        let mut plugin = testing::attributes::<Redact>(config)?;
        plugin.run(signal, request).map_err(|failure| failure.to_string())
    });
    assert!(count >= 4, "{count} cases are too few to be all of them");
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
