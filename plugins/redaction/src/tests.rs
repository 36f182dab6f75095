use super::*;
use std::path::Path;
use tailrace_sdk::testing;

/// Every case in `cases/`: what the plugin makes of the input is what is expected. All of them were also sent through the
/// Collector, with the same outcome but for what `README.md` lists.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = actions::testing::cases(&folder, |config, signal, request| {
        let mut plugin = testing::processor::<Redaction>(config)?;
        plugin.run(signal, request).map_err(|failure| failure.to_string())
    });
    assert!(count >= 3, "{count} cases are too few to be all of them");
}

fn refused(config: &str) -> String {
    testing::processor::<Redaction>(config).map(drop).unwrap_err()
}

/// What cannot be done is refused, and the fault begins with the path of its key.
#[test]
fn faults_of_the_settings_name_their_key() {
    let cases = [
        (r#"{"blocked_values": ["a", "("]}"#, "blocked_values[1]: "),
        (r#"{"ignored_key_patterns": ["(?=a)"]}"#, "ignored_key_patterns[0]: "),
        (r#"{"hash_function": "crc"}"#, "hash_function: \"crc\" is no hash function"),
        (
            r#"{"hash_function": "hmac-sha256"}"#,
            "hmac_key: hmac-sha256 needs a key of at least 32 bytes, and this is none",
        ),
        (
            r#"{"hash_function": "hmac-sha512", "hmac_key": "short"}"#,
            "hmac_key: hmac-sha512 needs a key of at least 64",
        ),
        (r#"{"hash_function": "md5", "hmac_key": "x"}"#, "hmac_key: is used by"),
        (r#"{"summary": "loud"}"#, "summary: \"loud\" is no level"),
        (r#"{"url_sanitizer": {"enabled": true}}"#, "url_sanitizer.enabled: is not supported"),
        (r#"{"db_sanitizer": {"sql": {"enabled": true}}}"#, "db_sanitizer.sql.enabled: is not supported"),
        (r#"{"allowed_kys": []}"#, "allowed_kys: unknown field"),
    ];
    for (config, expected) in cases {
        let fault = refused(config);
        assert!(fault.starts_with(expected), "{config}: {fault}");
    }
    let both = refused(r#"{"blocked_values": ["("], "summary": "loud"}"#);
    assert_eq!(both.lines().count(), 2, "{both}");
}

/// Switched off is as good as not there; a list may be written with commas; nothing is the same as no key.
#[test]
fn what_the_collector_takes_is_taken() {
    let config =
        r#"{"allowed_keys": "a,b", "url_sanitizer": {"enabled": false, "attributes": ["x"]}, "summary": null}"#;
    let mut plugin = testing::processor::<Redaction>(config).unwrap();
    assert_eq!(plugin.plugin().rules.fate("b"), rules::Fate::Look);
    assert_eq!(plugin.plugin().rules.fate("c"), rules::Fate::Redacted);
}

/// The schema that is handed out names the keys that the settings have.
#[test]
fn the_schema_fits() {
    let schema: serde_json::Value = serde_json::from_str(Redaction::CONFIG_SCHEMA.unwrap()).unwrap();
    let unknown = refused(r#"{"?": 1}"#);
    let keys = schema["properties"].as_object().unwrap();
    assert_eq!(keys.len(), 13);
    assert!(keys.keys().all(|key| unknown.contains(&format!("`{key}`"))), "{unknown}");
}
